"""Videos: containers, frames in order and by time, and everything that can be wrong with one."""

from __future__ import annotations

import base64
import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sixarts.errors import InputError, MissingExtra
from sixarts.media.video import RATE, Frame, check_video, read_video, sampled, videos_in

pytestmark = pytest.mark.quick

av = pytest.importorskip("av", reason="PyAV is not installed; pip install 'sixarts[video]'")

CODECS = {"mp4": "mpeg4", "mkv": "mpeg4", "avi": "mpeg4", "mpg": "mpeg2video", "webm": "libvpx"}


def levels(count: int, size: tuple[int, int] = (32, 48)) -> np.ndarray:
    """Frames that each are of one gray, lighter from one to the next."""
    return np.stack([np.full((*size, 3), 10 + 8 * number, "uint8") for number in range(count)])


def encoded(frames: np.ndarray, kind: str = "mp4", rate: int = 10, sound: bool = False) -> bytes:
    out = io.BytesIO()
    name = {"mpg": "mpeg", "mkv": "matroska"}.get(kind, kind)
    with av.open(out, "w", format=name) as container:
        if sound:
            stream = container.add_stream("mp2" if kind != "mp4" else "aac", rate=44100)
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 4410), "float32"), format="fltp", layout="mono")
            silence.sample_rate = 44100
            packets = [*stream.encode(silence), *stream.encode()]
        else:
            stream = container.add_stream(CODECS[kind], rate=25 if kind == "mpg" else rate)
            stream.height, stream.width = frames.shape[1:3]
            stream.pix_fmt = "yuv420p"
            packets = []
            for number, image in enumerate(frames):
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, 25 if kind == "mpg" else rate)
                packets += stream.encode(frame)
            packets += stream.encode()
        for packet in packets:
            container.mux(packet)
    return out.getvalue()


@pytest.mark.parametrize("kind", CODECS)
def test_containers(kind: str, tmp_path: Path) -> None:
    if CODECS[kind] not in av.codecs_available:
        pytest.skip(f"this FFmpeg has no {CODECS[kind]}")
    wanted = levels(12)
    data = encoded(wanted, kind)
    path = tmp_path / f"clip.{kind}"
    path.write_bytes(data)
    uri = f"data:video/{kind};base64," + base64.b64encode(data).decode()
    for form in (path, str(path), data, uri):
        check_video(form)
        got = list(read_video(form))
        assert len(got) == len(wanted)
        for frame, image in zip(got, wanted, strict=True):
            assert frame.image.shape == image.shape and frame.image.dtype == np.uint8
            assert np.abs(frame.image.astype(int) - image).max() <= 12
        rate = 25 if kind == "mpg" else 10
        assert [frame.time for frame in got] == pytest.approx([n / rate for n in range(12)], abs=2e-3)


def test_arrays() -> None:
    wanted = levels(3)
    got = list(read_video(wanted))
    assert np.array_equal(np.stack([frame.image for frame in got]), wanted)
    assert got[1].time == 1 / RATE
    assert np.array_equal(next(read_video(wanted / np.float32(255))).image, wanted[0])


def animated(frames: np.ndarray, kind: str, milliseconds: list[int]) -> bytes:
    out = io.BytesIO()
    first, *others = map(Image.fromarray, frames)
    first.save(out, kind, save_all=True, append_images=others, duration=milliseconds, lossless=True)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
def test_animations_need_no_pyav(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    wanted = levels(4)
    data = animated(wanted, kind, [100, 50, 200, 100])
    path = tmp_path / f"clip.{kind.lower()}"
    path.write_bytes(data)
    uri = f"data:image/{kind.lower()};base64," + base64.b64encode(data).decode()
    for form in (path, data, uri):
        got = list(read_video(form))
        assert [frame.time for frame in got] == pytest.approx([0.0, 0.1, 0.15, 0.35])
        assert np.abs(np.stack([frame.image for frame in got]).astype(int) - wanted).max() <= 3
    noise = np.random.default_rng(0).integers(0, 255, (9, 40, 40, 3)).astype("uint8")
    whole = animated(noise, kind, [100] * 9)
    with pytest.raises(InputError, match=r"damaged after frame|cannot be read"):
        list(read_video(whole[: len(whole) // 2]))


def test_a_gap_of_hours_is_refused() -> None:
    """Whoever samples by time would fill it, and the file is as small as any."""
    data = animated(levels(3), "WEBP", [100, 5_000_000, 100])
    with pytest.raises(InputError, match="from 0 to 5000 seconds; expected"):
        list(sampled(read_video(data), 0.1))


def test_folders_and_patterns(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("b.mp4", "in/a.MKV", "notes.txt", "c.gif"):
        (tmp_path / name).write_bytes(b"x")
    assert videos_in(tmp_path) == [tmp_path / "b.mp4", tmp_path / "c.gif", tmp_path / "in" / "a.MKV"]
    assert videos_in(str(tmp_path / "*.mp4")) == [tmp_path / "b.mp4"]
    assert videos_in(str(tmp_path / "**" / "*.MKV")) == [tmp_path / "in" / "a.MKV"]
    for one in (tmp_path / "b.mp4", "nowhere.mp4", "", b"*", None, "data:video/mp4;base64,*"):
        assert videos_in(one) is None
    with pytest.raises(InputError, match="holds no video"):
        videos_in(tmp_path / "*.avi")


def test_pyav_says_nothing_to_python() -> None:
    """A hook into Python would wait for the lock that is held while a decoder's threads end: for ever."""
    check_video(encoded(levels(3)))
    assert av.logging.get_level() is None


def test_frames_come_as_they_are_asked_for() -> None:
    frames = read_video(encoded(levels(20)))
    assert next(frames).time == 0
    frames.close()  # and nothing more is decoded


@pytest.mark.parametrize("rate", [4, 10, 30])
def test_time_decides_which_frames_are_taken(rate: int) -> None:
    """Two seconds of any rate give ten frames at ten a second, each the one that is shown then."""
    frames = [Frame(n / rate, np.full((1, 1, 3), n, "uint8")) for n in range(2 * rate)]
    got = list(sampled(frames, 0.1))
    assert [frame.time for frame in got] == pytest.approx([0.05 + 0.1 * n for n in range(20)])
    assert [int(frame.image[0, 0, 0]) for frame in got] == [
        int((0.05 + 0.1 * n) * rate + 1e-6) for n in range(20)
    ]


def test_one_frame_is_a_sample() -> None:
    assert len(list(sampled([Frame(0.0, levels(1)[0])], 0.1))) == 1


def damaged() -> bytes:
    data = bytearray(
        encoded(np.random.default_rng(0).integers(0, 255, (20, 64, 64, 3)).astype("uint8"), "avi")
    )
    return bytes(data[: len(data) // 2])


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (b"", "empty"),
        (b"no video at all", "cannot be read"),
        (b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n/etc/passwd\n#EXT-X-ENDLIST\n", "cannot be read"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "cannot be read"),
        (encoded(levels(2))[:60], "cannot be read|no frame|no pictures"),
        (encoded(levels(1), "mkv", sound=True), "no pictures"),
        ("nowhere.mp4", "is not there"),
        ("http://example.org/a.mp4", "address"),
        ("data:image/png;base64,aaaa", "data:video"),
        (np.zeros((4, 4, 3), "uint8"), "frames, height, width"),
        (np.zeros((0, 4, 4, 3), "uint8"), "no frame"),
        (np.full((1, 4, 4, 3), np.nan), "finite"),
        (None, "expected a path"),
        (3, "expected a path"),
    ],
)
def test_bad_videos_are_refused_before_they_are_decoded(bad: Any, told: str) -> None:
    with pytest.raises(InputError, match=told) as caught:
        check_video(bad)
    assert "expected" in caught.value.reason


def test_a_cut_video_gives_what_it_has_or_is_named() -> None:
    try:
        got = list(read_video(damaged()))
    except InputError as error:
        assert "damaged after frame" in error.reason
    else:
        assert 0 < len(got) < 20


def test_without_pyav_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(MissingExtra, match=r"sixarts\[video\]"):
        check_video(encoded(levels(2)))
