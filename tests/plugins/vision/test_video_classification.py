"""The task for videos: learning, answering over time, explaining, and what it says of bad ones."""

from __future__ import annotations

import base64
import json
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import clips
import numpy as np
import pytest
import vision_reference as reference
from hypothesis import given, settings
from hypothesis import strategies as st

import sixarts as sa
from sixarts.cli import main
from sixarts.errors import InputError, MissingExtra, OptionError
from sixarts.media.video import Frame
from sixarts.result import Failure
from sixarts_vision import video_task
from sixarts_vision.windows import windows

pytest.importorskip("av", reason="PyAV is not installed; pip install 'sixarts[video]'")

WAYS = ("left", "right")
TINY = {"num_frames": 6, "seconds": 0.6, "image_size": [16, 32], "widths": [8, 8, 8, 8]}
LEARNING: dict[str, Any] = {"epochs": 12, "batch_size": 8, "learning_rate": 0.01, "progress": False}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each way, with its clips."""
    place = tmp_path_factory.mktemp("ways")
    for way in WAYS:
        (place / way).mkdir()
        for seed in range(12):
            (place / way / f"{seed:02}.mp4").write_bytes(clips.movie(clips.bars(way, seed)))
    return place


@pytest.fixture(scope="module")
def taught(tree: Path) -> Any:
    task = sa.new("video-classification", family="early_fusion", device="cpu", **TINY)
    history = task.fit(tree, **LEARNING)
    assert history.metrics["loss"][-1] < history.metrics["loss"][0]
    assert history.replaced == ("head of 0 classes by one of 2",)
    return task


@pytest.fixture(scope="module")
def turning() -> np.ndarray:
    """Bars that go to the right for 1.2 seconds, then to the left for as long."""
    return np.concatenate([clips.bars("right", 77), clips.bars("left", 77)])


def test_a_folder_a_class_is_learned(taught: Any, tmp_path: Path) -> None:
    held_out = [(clips.movie(clips.bars(way, seed)), way) for way in WAYS for seed in range(100, 108)]
    measured = taught.evaluate(held_out, progress=False)
    assert measured["accuracy"].value >= 0.9
    assert taught.model.processor.labels == WAYS
    again = sa.load("video-classification", taught.save(tmp_path / "ways"), device="cpu")
    assert again(held_out[0][0]).to_dict() == taught(held_out[0][0]).to_dict()


def test_answers_over_time(taught: Any, turning: np.ndarray) -> None:
    found = taught(turning, rate=10.0)
    assert [window.start for window in found.windows] == pytest.approx([0.0, 0.6, 1.2, 1.8])
    assert [window.end for window in found.windows] == pytest.approx([0.6, 1.2, 1.8, 2.4])
    assert [window.label for window in found.windows] == ["right", "right", "left", "left"]
    assert [(round(start, 3), round(end, 3), label) for start, end, label in found.parts()] == [
        (0.0, 1.2, "right"),
        (1.2, 2.4, "left"),
    ]
    assert "0.0 to 1.2 s right, 1.2 to 2.4 s left" in str(found)
    for way in WAYS:
        assert found.scores[way] == pytest.approx(np.mean([window.scores[way] for window in found.windows]))
    assert list(found.scores) == sorted(found.scores, key=found.scores.__getitem__, reverse=True)
    best = max(found.windows, key=lambda window: window.scores[found.label])
    assert found.strongest[0].time == pytest.approx((best.start + best.end) / 2)
    assert [moment.score for moment in found.strongest] == sorted(
        (moment.score for moment in found.strongest), reverse=True
    )
    assert len(found.pictures) == len(found.strongest) == 2, "windows that are of another class say nothing"
    assert found.pictures[0].shape == (24, 32, 3)
    told = found.to_dict()
    json.dumps(told)
    assert "pictures" not in told and told["windows"][2]["label"] == "left"
    assert set(taught(turning, rate=10.0, top=1).windows[0].scores) == {found.label}


def test_the_answer_so_far(taught: Any, turning: np.ndarray) -> None:
    seen = list(taught.live(turning, rate=10.0))
    assert [len(found.windows) for found in seen] == [1, 2, 3, 4]
    assert seen[0].label == seen[1].label == "right" and seen[1].windows == seen[3].windows[:2]
    whole = taught(turning, rate=10.0)
    assert seen[-1].scores == pytest.approx(whole.scores, abs=1e-5)


def test_windows_may_overlap_and_be_of_another_length(taught: Any, turning: np.ndarray) -> None:
    found = taught(turning, rate=10.0, stride=0.3)
    starts = [window.start for window in found.windows]
    assert starts == pytest.approx([0.3 * n for n in range(7)])
    longer = taught(turning, rate=10.0, window=1.2)
    assert [window.end for window in longer.windows] == pytest.approx([1.2, 2.4])
    short = taught(turning[:3], rate=10.0)
    assert len(short.windows) == 1 and short.windows[0].end == pytest.approx(0.3)
    assert len(taught(turning[:1]).windows) == 1


@pytest.mark.parametrize("name", ["window", "stride", "rate"])
@pytest.mark.parametrize("value", [0.0, -1.0, float("inf"), float("nan")])
def test_lengths_that_cannot_be_are_refused(name: str, value: float, taught: Any) -> None:
    with pytest.raises(OptionError, match=name):
        taught(clips.bars("left", 0), **{name: value})


def test_every_form_of_a_video_gives_the_answer(taught: Any, tree: Path) -> None:
    frames = clips.bars("right", 5)
    path = tree / "right" / "05.mp4"
    wanted = taught(path)
    assert wanted.label == "right" and wanted.source == str(path) and str(wanted).startswith(f"{path}: ")
    data = path.read_bytes()
    uri = "data:video/mp4;base64," + base64.b64encode(data).decode()
    for form in (str(path), data, uri):
        assert taught(form).scores == wanted.scores
    near = [taught(frames, rate=10.0), taught(frames / np.float32(255), rate=10.0)]
    near += [taught(clips.animation(frames, kind)) for kind in ("WEBP", "GIF")]
    near += [taught(clips.movie(frames, kind)) for kind in ("mkv", "avi")]
    for found in near:
        assert found.label == "right" and len(found.windows) == 2
        assert found.score == pytest.approx(wanted.score, abs=0.2)


def test_folders_and_patterns_stand_for_many(taught: Any, tree: Path) -> None:
    found = taught(tree / "left")
    assert [Path(one.source).stem for one in found] == [f"{n:02}" for n in range(12)]
    assert len(taught(str(tree / "*" / "0?.mp4"))) == 20
    assert len(list(taught.stream(tree / "right", progress=False))) == 12
    with pytest.raises(InputError, match="holds no video"):
        taught(str(tree / "*.mov"))


def test_on_the_command_line(
    taught: Any, tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = ["--model", str(taught.save(tmp_path / "ways"))]
    path = tree / "left" / "03.mp4"
    assert main(["run", "video-classification", str(path), *model]) == 0
    assert capsys.readouterr().out.startswith(f"{path}: left (")
    assert (
        main(["run", "video-analysis", str(tree), "gone.mp4", "--json", "--on-error", "return", *model]) == 1
    )
    said = capsys.readouterr()
    answers = [json.loads(line) for line in said.out.splitlines()]
    assert len(answers) == 25 and answers[0]["windows"][0]["label"] == "left"
    assert "gone.mp4' is not there" in said.err
    assert main(["explain", "video-classification", str(path), "--method", "cam", *model]) == 0
    assert "left ←" in capsys.readouterr().out


def test_a_stream_goes_on_after_a_bad_video(taught: Any, tree: Path, tmp_path: Path) -> None:
    good, whole = tree / "left" / "00.mp4", (tree / "left" / "00.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 3])
    (tmp_path / "text.mp4").write_text("no video at all")
    flat, empty = np.zeros((24, 32, 3), "uint8"), np.zeros((0, 24, 32, 3), "uint8")
    inputs = [good, tmp_path / "cut.mp4", tmp_path / "text.mp4", tmp_path / "gone.mp4", flat, empty, good]
    found = list(taught.stream(inputs, on_error="return", progress=False))
    assert [isinstance(one, Failure) for one in found] == [False, *[True] * 5, False]
    assert [one.index for one in found[1:-1]] == [1, 2, 3, 4, 5]
    for one, told in zip(
        found[1:-1],
        ("cut.mp4", "text.mp4' cannot be read", "gone.mp4' is not there", "frames, height", "no frame"),
        strict=True,
    ):
        assert told in one.error and "expected" in one.error
    assert found[0].scores == pytest.approx(found[-1].scores, abs=1e-6)
    with pytest.raises(InputError, match=r"^input 1: .*cut\.mp4"):
        list(taught.stream(inputs, progress=False))


def filmed(monkeypatch: pytest.MonkeyPatch, film: Callable[[], Iterator[Frame]]) -> None:
    """Lets ``"film"`` stand for a video of these frames."""
    read = video_task.read_video
    monkeypatch.setattr(video_task, "check_video", lambda x: None)
    monkeypatch.setattr(video_task, "read_video", lambda x: film() if isinstance(x, str) else read(x))


def test_a_video_that_breaks_on_the_way_is_named(taught: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was answered of it before does not make it an answer."""

    def breaking() -> Iterator[Frame]:
        for number, image in enumerate(clips.bars("left", 0, frames=30)):
            yield Frame(number / 10, image)
        raise InputError("'film' is damaged after frame 30; expected a whole video")

    filmed(monkeypatch, breaking)
    good = clips.bars("right", 3)
    found = taught([good, "film", good], on_error="return")
    assert isinstance(found[1], Failure) and "after frame 30" in found[1].error
    assert found[0].scores == pytest.approx(taught(good).scores, abs=1e-5)
    assert found[2].scores == pytest.approx(found[0].scores, abs=1e-5)


def test_a_film_is_in_memory_a_window_at_a_time(taught: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three minutes go by; of the frames as they were decoded, hardly any is ever alive."""
    recent: deque[weakref.ref[np.ndarray]] = deque(maxlen=100)
    most = 0

    def film() -> Iterator[Frame]:
        nonlocal most
        for number in range(1800):
            image = np.full((90, 120, 3), number % 200, "uint8")
            recent.append(weakref.ref(image))
            most = max(most, sum(known() is not None for known in recent))
            yield Frame(number / 10, image)

    filmed(monkeypatch, film)
    assert len(taught("film").windows) == 300
    assert most <= 4


@settings(deadline=None, max_examples=200, derandomize=True)
@given(total=st.integers(1, 60), count=st.integers(1, 12), step=st.integers(1, 20))
def test_windows_cover_what_they_should(total: int, count: int, step: int) -> None:
    found = list(windows(range(total), count, step))
    assert found and all(len(window) == count for window in found)
    if total < count:
        assert len(found) == 1 and found[0][0] == 0 and found[0] == sorted(found[0])
        return
    for number, window in enumerate(found):
        assert window == list(range(window[0], window[0] + count))
        assert window[0] == number * step or (number == len(found) - 1 and window[-1] == total - 1)
    left = total - 1 - found[-1][-1]
    assert left < step
    if step <= count:
        assert left < max(step / 2, 1)


# Explaining.


@pytest.mark.parametrize("method", ["integrated_gradients", "occlusion", "cam"])
def test_explanations_tell_which_frames_and_where(taught: Any, turning: np.ndarray, method: str) -> None:
    found = taught.explain(turning, method, target="left", rate=10.0)
    assert found.target == "left" and found.grid[0] == 6
    assert found.values.shape == (1, np.prod(found.grid)) and len(found.input_labels) == found.values.size
    assert found.times[0] > 1.2, "what is explained is the window that speaks most for the class"
    assert found.pictures.shape == (6, 24, 32, 3) and found.region == (0, 0, 24, 32)
    # The pictures are those of the window.
    assert np.abs(found.pictures[0].astype(int) - turning[int(found.times[0] * 10)]).max() == 0
    assert found.curve.sum() == pytest.approx(found.values.sum())
    if method == "integrated_gradients":
        assert found.values.sum() == pytest.approx(float(found.totals[0]), rel=0.02)
    if method == "cam":
        assert (found.values >= 0).all() and found.values.max() > 0
    assert found.to_html().count("<rect") == found.values.size
    assert found.to_html().count("<image") == 6
    assert "left" in str(found)
    found.plot()


def test_what_is_hidden_counts_where_it_moves(taught: Any) -> None:
    """Bars in the lower half alone: hiding the gray upper half loses little."""
    frames = clips.bars("right", 3)
    frames[:, :12] = 128
    found = taught.explain(frames, "occlusion", rate=10.0)
    rows = np.abs(found.cells).sum(axis=(0, 2))
    assert rows[len(rows) // 2 :].sum() > 2 * rows[: len(rows) // 2].sum()


def test_an_unknown_class_is_refused_with_the_nearest(taught: Any) -> None:
    with pytest.raises(OptionError, match="right"):
        taught.explain(clips.bars("left", 1), target="rigth")


# Learning.


def test_a_clip_is_changed_as_a_whole(taught: Any) -> None:
    """What is moved, mirrored or hidden is so in every frame, and as the seed says."""
    training = taught.Training(shift=0.2, flip=True, erase=0.5, seed=3)
    still = np.random.default_rng(0).normal(size=(4, 1, 16, 32, 3)).astype("float32")
    arrays = {"pixel_values": np.repeat(still, 6, axis=1)}
    changed = taught.augment(arrays, training, 1, 2)["pixel_values"]
    assert changed.shape == arrays["pixel_values"].shape
    assert np.abs(changed - arrays["pixel_values"]).max() > 0.1
    assert np.array_equal(changed, np.repeat(changed[:, :1], 6, axis=1))
    assert np.array_equal(changed, taught.augment(arrays, training, 1, 2)["pixel_values"])
    same = taught.augment(arrays, taught.judging(training), 1, 2)["pixel_values"]
    assert np.array_equal(same, arrays["pixel_values"])


def test_left_and_right_are_not_swapped_unless_asked(taught: Any) -> None:
    assert not taught.Training().flip


def test_every_part_of_a_long_clip_is_learned_from(taught: Any) -> None:
    """Another window in each epoch, the same one for the same seed."""
    long = np.stack([np.full((16, 32, 3), number, "uint8") for number in range(60)])
    begins = set()
    for epoch in range(12):
        (lesson,) = taught.learn([(long, "left")], taught.Training(), epoch)
        (again,) = taught.learn([(long, "left")], taught.Training(), epoch)
        assert np.array_equal(lesson.arrays["pixel_values"], again.arrays["pixel_values"])
        begins.add(float(lesson.arrays["pixel_values"][0, 0, 0, 0, 0]))
    assert len(begins) > 4


def test_pairs_from_a_file(taught: Any, tree: Path) -> None:
    listed = tree / "pairs.tsv"
    listed.write_text("left/00.mp4\tleft\nright/00.mp4\tright\n")
    try:
        assert taught.evaluate(listed, progress=False).count == 2
    finally:
        listed.unlink()
    with pytest.raises(InputError, match="no folder"):
        taught.read_examples(tree / "left")


# What is not installed, and what others publish.


def test_without_pyav_arrays_and_animations_are_answered(
    taught: Any, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    frames = clips.bars("left", 2)
    assert taught(frames, rate=10.0).label == "left"
    assert taught(clips.animation(frames, "WEBP")).label == "left"
    with pytest.raises(MissingExtra, match=r"sixarts\[video\]"):
        taught(tree / "left" / "02.mp4")


def test_a_published_checkpoint_from_a_video_to_its_label(tree: Path, tmp_path: Path) -> None:
    config = {
        "architectures": ["VideoMAEForVideoClassification"],
        "hidden_size": 8,
        "num_attention_heads": 2,
        "num_hidden_layers": 2,
        "intermediate_size": 8,
        "patch_size": 8,
        "image_size": 16,
        "num_frames": 4,
    }
    prepared = {
        "image_processor_type": "VideoMAEImageProcessor",
        "size": {"shortest_edge": 16},
        "crop_size": {"height": 16, "width": 16},
    }
    reference.saved(tmp_path, "VideoMAE", config, prepared, 0)
    task = sa.load("video-classification", tmp_path, device="cpu")
    path = tree / "left" / "00.mp4"
    found = task(path, window=0.4)
    assert set(found.scores) == {"ant", "bee", "cow"} and len(found.windows) == 3
    seen = task.explain(path, "cam")
    assert seen.grid == (4, 2, 2) and seen.unit == "attention rollout"
    # The sides, which the crop left out, are no part of what was looked at.
    assert seen.region == pytest.approx((0, 4, 24, 28), abs=1.5)
    gradients = task.explain(path, "integrated_gradients")
    assert gradients.values.sum() == pytest.approx(float(gradients.totals[0]), rel=0.02, abs=1e-4)
    assert task.footprint(path, repeats=1).flops > 0
    history = task.fit([(path, "left"), (tree / "right/00.mp4", "right")], epochs=1, progress=False)
    assert history.replaced == ("head of 3 classes by one of 2",)
