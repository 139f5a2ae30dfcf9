"""The clips that the video starter learns from move as they are called, and its recipe runs to the end."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import sixarts as sa
from sixarts_vision import corpora, video_recipe
from sixarts_vision.camera_motion import MOTIONS, path_of, rendered


def scenery(seed: int = 0, size: tuple[int, int] = (480, 640)) -> Image.Image:
    """A picture with detail of every size, everywhere."""
    random, pixels = np.random.default_rng(seed), np.zeros(size)
    for cell in (10, 20, 40, 80):
        coarse = random.normal(size=(size[0] // cell, size[1] // cell))
        pixels += np.asarray(Image.fromarray(coarse).resize(size[::-1], Image.Resampling.BICUBIC))
    return Image.fromarray((128 + 35 * pixels).clip(0, 255).astype("uint8"))


def flow(clip: np.ndarray) -> np.ndarray:
    """How a clip's picture moves: to the right, down, apart; in the mean, pixels a frame.

    Method: least squares over the brightness of all pixels (Horn and Weldon 1988).
    """
    frames = clip[..., 0].astype(float)
    mean = (frames[1:] + frames[:-1]) / 2
    down, across = np.gradient(mean, axis=(1, 2))
    rows, columns = np.mgrid[: mean.shape[1], : mean.shape[2]]
    apart = across * (columns - columns.mean()) + down * (rows - rows.mean())
    columns_of = np.stack([across.ravel(), down.ravel(), apart.ravel()], axis=1)
    return np.linalg.lstsq(columns_of, -(frames[1:] - frames[:-1]).ravel(), rcond=None)[0]


@pytest.mark.quick
@pytest.mark.parametrize("motion", MOTIONS)
def test_a_path_is_what_it_is_called(motion: str) -> None:
    for seed in range(60):
        path = path_of(motion, 36, 1.5, np.random.default_rng(seed))
        moved = np.array([path.x[-1] - path.x[0], path.y[-1] - path.y[0]])
        wide = np.ptp(path.x), np.ptp(path.y)
        zoomed = float(np.log(path.width[-1] / path.width[0]))
        if motion in ("static", "shake"):
            assert abs(zoomed) < 1e-9
            assert max(wide) < 0.08 if motion == "static" else max(wide) > 0.03
        elif motion.startswith("zoom"):
            assert (zoomed < -0.1) if motion == "zoom in" else (zoomed > 0.1)
            assert np.abs(moved).max() < 0.15
        else:
            axis, sign = {"right": (0, 1), "left": (0, -1), "down": (1, 1), "up": (1, -1)}[motion.split()[1]]
            assert moved[axis] * sign > 0.03 and abs(moved[axis]) > 2 * abs(moved[1 - axis]) - 0.06
            assert abs(zoomed) < 0.05


@pytest.mark.quick
def test_a_camera_that_pans_right_sees_the_picture_go_left() -> None:
    """By optical flow, which knows nothing of how a clip was made."""
    wanted = {
        "pan right": (0, -1),
        "pan left": (0, 1),
        "tilt down": (1, -1),
        "tilt up": (1, 1),
        "zoom in": (2, 1),
        "zoom out": (2, -1),
    }
    scale = np.array([1.0, 1.0, 30.0])
    for motion, (part, sign) in wanted.items():
        right = 0
        for seed in range(12):
            found = flow(rendered(scenery(seed), motion, np.random.default_rng(seed))) * scale
            right += int(found[part] * sign > 0 and np.abs(found).argmax() == part)
        assert right >= 10, f"{motion}: {right} of 12"


@pytest.mark.quick
def test_a_clip_is_of_its_seed_and_of_the_right_kind() -> None:
    things = [scenery(8, (100, 100))]
    for motion in MOTIONS:
        one, same = (
            rendered(scenery(), motion, np.random.default_rng(5), things, frames=5, size=(24, 40))
            for _ in range(2)
        )
        assert one.shape == (5, 24, 40, 1) and one.dtype == np.uint8
        assert np.array_equal(one, same)


def archives(folder: Path) -> None:
    """The three archives, small: twelve photos under names of six kinds, views and hands."""
    names = {
        "dali_pixabay_24.tar": [f"db/coco/images/{kind}-{n}_1280.jpg" for kind in "abcdef" for n in (1, 2)],
        "BCCD.tar": [f"BCCD/JPEGImages/BloodImage_{n:05}.jpg" for n in range(40)],
        "Dataset_80_per_class.tar": [f"Dataset/{n % 10}/IMG_{n}.JPG" for n in range(40)],
    }
    for archive, inside in names.items():
        (folder / archive[0]).mkdir()
        with tarfile.open(folder / archive[0] / archive, "w") as file:
            for number, name in enumerate(inside):
                out = io.BytesIO()
                scenery(number, (96, 128)).save(out, "JPEG")
                entry = tarfile.TarInfo(name)
                entry.size = out.tell()
                out.seek(0)
                file.addfile(entry, out)


@pytest.mark.quick
def test_no_picture_is_in_two_parts(tmp_path: Path) -> None:
    archives(tmp_path)
    scenes = corpora.scenes(tmp_path)
    assert [len(scenes[name].photos) for name in ("train", "validation", "test")] == [8, 2, 2]
    for kind in range(3):
        parts = [{np.asarray(image).tobytes() for image in scenes[name][kind]} for name in scenes]
        assert all(parts) and sum(map(len, parts)) == len(set.union(*parts)) == (12, 40, 40)[kind]


def test_the_recipe_makes_a_starter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[Any]
) -> None:
    (tmp_path / "data").mkdir()
    archives(tmp_path / "data")
    monkeypatch.setattr(video_recipe, "CLIPS", {"train": 32, "validation": 8, "test": 8})
    run = tmp_path / "run"
    video_recipe.main(["camera-motion", str(tmp_path / "data"), str(run), "--epochs", "1"])
    said = capsys.readouterr().out
    assert "train 32, validation 8, test 8" in said and "test: accuracy" in said
    starter = sa.load("video-classification", run / "camera-motion", device="cpu")
    assert set(starter.model.processor.labels) == set(MOTIONS)
    assert starter.model.stored_dtype == "float16"
    assert starter.describe() == [], "the card is complete"
