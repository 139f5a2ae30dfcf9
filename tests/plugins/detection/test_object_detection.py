"""The task for objects: learning, answering pictures, tiles and videos, explaining, bad input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

import sixarts as sa
from sixarts.errors import InputError, OptionError
from sixarts.result import Failure

NETWORK: dict[str, Any] = {"image_size": [64, 64], "stem": 8, "widths": [8, 16, 16, 16], "pyramid": 16}
LEARNING: dict[str, Any] = {
    "epochs": 20,
    "batch_size": 8,
    "learning_rate": 0.01,
    "schedule": "cosine",
    "warmup": 10,
    "clip_norm": 10.0,
    "zoom": 0.0,
    "light": 0.05,
    "progress": False,
}
COLORS = {"box": (220, 40, 40), "disk": (40, 60, 220)}


def scene(seed: int, size: tuple[int, int] = (64, 64), count: int = 2) -> tuple[Image.Image, dict[str, Any]]:
    """Red boxes and blue disks that do not touch, on gray, and where they are."""
    random = np.random.default_rng(seed)
    image = Image.new("RGB", size, (120, 120, 120))
    pen, boxes, labels = ImageDraw.Draw(image), [], []
    cells = [(x, y) for x in range(0, size[0] - 31, 32) for y in range(0, size[1] - 31, 32)]
    for place in random.choice(len(cells), count, replace=False):
        side = int(random.integers(16, 26))
        left, top = (int(corner + random.integers(1, 31 - side)) for corner in cells[place])
        label = str(random.choice(list(COLORS)))
        (pen.rectangle if label == "box" else pen.ellipse)(
            (left, top, left + side, top + side), fill=COLORS[label]
        )
        boxes.append([left, top, left + side + 1, top + side + 1])
        labels.append(label)
    return image, {"boxes": boxes, "labels": labels}


@pytest.fixture(scope="module")
def taught() -> Any:
    """A small network that has learned to find boxes and disks."""
    task = sa.new("object-detection", family="fcos", **NETWORK)
    history = task.fit(
        [scene(seed) for seed in range(40)], [scene(seed) for seed in range(100, 104)], **LEARNING
    )
    assert history.metrics["val_loss"][-1] < history.metrics["val_loss"][0]
    return task


def test_learns_to_find(taught: Any) -> None:
    judged = taught.evaluate([scene(seed) for seed in range(200, 216)], progress=False)
    assert judged["mAP50"].value > 0.8
    assert set(judged.values) == {"mAP50", "mAP75", "mAP50-95", "AP50 box", "AP50 disk"}


def test_boxes_are_in_pixels_of_the_original(taught: Any) -> None:
    image, target = scene(300)
    large = image.resize((256, 256), Image.Resampling.NEAREST)
    small, big = taught(image), taught(large)
    assert len(small) == len(big) == len(target["labels"])
    for box, label in zip(small.boxes, small.labels, strict=True):
        nearest = min(np.abs(np.array(target["boxes"]) - box).max(axis=1))
        assert nearest < 6
        assert label in target["labels"]
    np.testing.assert_allclose(big.boxes / 4, small.boxes, atol=4)
    assert big.size == (256, 256)


def test_threshold_and_most(taught: Any) -> None:
    image, _ = scene(301)
    everything = taught(image, threshold=0.0, most=7)
    assert len(everything) == 7
    assert (np.diff(everything.scores) <= 0).all()
    surest = everything.scores[0]
    assert len(taught(image, threshold=float(surest))) == 0
    assert len(taught(image, threshold=float(everything.scores[1]))) == 1
    for wrong in ({"threshold": 1.5}, {"tile": 3}, {"most": 0}, {"overlap": -1.0}, {"every": -1.0}):
        with pytest.raises(OptionError, match=next(iter(wrong))):
            taught(image, **wrong)


def test_tiles_find_what_is_small_in_a_large_picture(taught: Any) -> None:
    image, target = scene(302, (320, 256), count=12)
    found = taught(image, tile=64)
    hits = sum(
        any(
            np.abs(box - gold).max() < 6 and label == wanted
            for box, label in zip(found.boxes, found.labels, strict=True)
        )
        for gold, wanted in zip(np.array(target["boxes"]), target["labels"], strict=True)
    )
    assert hits >= 10
    assert len(found) <= 15
    assert found.size == (256, 320)


def test_a_video_is_answered_frame_by_frame(taught: Any, tmp_path: Path) -> None:
    frames = np.stack([np.asarray(scene(seed)[0]) for seed in range(400, 406)])
    found = taught(frames)
    assert len(found) == 6 and found.times == pytest.approx([number / 25 for number in range(6)])
    for frame, image in zip(found.frames, frames, strict=True):
        np.testing.assert_allclose(frame.boxes, taught(image).boxes, atol=1e-2)
    assert len(taught(frames, every=0.08)) == 3
    lived = list(taught.live(frames))
    assert [len(part) for part in lived] == [1, 2, 3, 4, 5, 6]


def test_an_annotated_video_is_written(taught: Any, tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    from sixarts.media.video import read_video, write_video

    frames = [np.asarray(scene(seed)[0].resize((128, 96))) for seed in range(500, 510)]
    write_video(tmp_path / "clip.mp4", iter(frames), 10.0)
    with av.open(str(tmp_path / "clip.mp4")) as container:
        assert float(container.streams.video[0].average_rate) == pytest.approx(10)
    found = taught(tmp_path / "clip.mp4")
    found.save(tmp_path / "out.mp4")
    shown = [frame.image for frame in read_video(tmp_path / "out.mp4")]
    assert len(shown) == 10 and shown[0].shape == (96, 128, 3)


def test_a_new_class_makes_a_new_head(taught: Any, tmp_path: Path) -> None:
    copy = sa.load("object-detection", taught.save(tmp_path / "model"))
    image, target = scene(303)
    renamed = {**target, "labels": ["ring" for _ in target["labels"]]}
    history = copy.fit([(image, renamed)] * 8, epochs=1, batch_size=8, freeze=True, progress=False)
    assert history.replaced == ("head of 2 classes by one of 1",)
    before = {name[0]: target for name, target in taught.model.targets(frozenset()).items()}
    after = {name[0]: target for name, target in copy.model.targets(frozenset()).items()}
    kernel = "box_head.weight"
    np.testing.assert_array_equal(np.asarray(before[kernel].variable), np.asarray(after[kernel].variable))


def test_explanations_name_their_box(taught: Any) -> None:
    image, _ = scene(304)
    answer = taught(image)
    for place, label in enumerate(answer.labels):
        found = taught.explain(image, "occlusion", place)
        assert found.target == f"{label} {place}"
        assert found.target_labels == (f"{label} {place} is there", f"it is {label}")
        rows, columns = np.unravel_index(found.values[0].argmax(), found.grid)
        left, top, right, bottom = answer.boxes[place] * np.tile(found.grid[::-1], 2) / 64
        assert left - 2 <= columns <= right + 2 and top - 2 <= rows <= bottom + 2
    assert taught.explain(image, "occlusion", answer.labels[0]).target == f"{answer.labels[0]} 0"
    for wrong, words in (("boxx", "a label found"), (9, "expected 0 to"), (1.5, "a number from 0")):
        with pytest.raises(OptionError, match=words):
            taught.explain(image, "occlusion", wrong)


def test_bad_input_is_named_and_the_rest_goes_on(taught: Any, tmp_path: Path) -> None:
    (tmp_path / "cut.jpg").write_bytes(b"\xff\xd8\xff")
    good, _ = scene(305)
    first, second = taught([str(tmp_path / "cut.jpg"), good], on_error="return")
    assert isinstance(first, Failure) and "cut.jpg" in first.error
    assert len(second) == 2
    with pytest.raises(InputError, match=r"array of float64 \[2, 8, 8, 4, 3\]"):
        taught(np.zeros((2, 8, 8, 4, 3)))
    with pytest.raises(InputError, match="example: box"):
        taught.fit([(good, {"boxes": [[5, 5, 1, 1]], "labels": ["box"]})])


def test_settings_are_held_to_limits() -> None:
    for wrong in ({"image_size": [60, 64]}, {"widths": [8]}, {"stem": 0}, {"threshold": 2}):
        with pytest.raises(sa.errors.SixartsError, match=next(iter(wrong))):
            sa.new("object-detection", family="fcos", **wrong)
    with pytest.raises(OptionError, match="pyramid"):
        sa.new("object-detection", family="fcos", pyramide=3)
