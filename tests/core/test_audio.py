"""Sound of every kind that people have: what is read, and what is refused before anything is decoded."""

from __future__ import annotations

import base64
import io
import struct
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from sixarts.errors import InputError
from sixarts.media import audio
from sixarts.media.audio import check_audio, is_stream, read_audio, sounds_in, whole_audio

pytestmark = pytest.mark.quick

RATE = 22_050
#: Two seconds of a tone that rises.
TONE = (0.5 * np.sin(2 * np.pi * np.cumsum(np.linspace(200, 900, 2 * RATE)) / RATE)).astype("float32")


def encoded(samples: np.ndarray, kind: str, rate: int = RATE) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind)
    return file.getvalue()


def near(one: np.ndarray, other: np.ndarray, least: float = 0.99) -> bool:
    """Whether two sounds are one, as codecs and filters leave it."""
    size = min(len(one), len(other))
    return float(np.corrcoef(one[:size], other[:size])[0, 1]) > least


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3", "AIFF"])
def test_every_format_every_way(kind: str, tmp_path: Path) -> None:
    content = encoded(TONE, kind)
    path = tmp_path / f"tone.{kind.lower()}"
    path.write_bytes(content)
    uri = f"data:audio/x;base64,{base64.b64encode(content).decode()}"
    wanted = whole_audio((TONE, RATE), 16_000)
    assert len(wanted) == 32_000
    for x in (content, path, str(path), uri, io.BytesIO(content), Pipe(content)):
        check_audio(x)
        found = whole_audio(x, 16_000)
        assert found.dtype == np.float32
        # MP3 and Ogg begin a little late.
        assert abs(len(found) - 32_000) < 400
        assert near(found, wanted, 0.9 if kind == "MP3" else 0.99)


def test_blocks_are_the_whole() -> None:
    """Resampled block by block, a sound is what it is when it is resampled at once."""
    import soxr

    long = np.tile(TONE, 10)
    blocks = list(read_audio((long, RATE), 8_000))
    assert len(blocks) > 4 and max(map(len, blocks)) < audio.BLOCK
    at_once = soxr.resample(long, RATE, 8_000)
    np.testing.assert_allclose(np.concatenate(blocks), at_once[: sum(map(len, blocks))], atol=1e-6)


def test_types_and_channels() -> None:
    wanted = whole_audio((TONE, RATE), RATE)
    np.testing.assert_array_equal(wanted, TONE)
    whole = np.round(TONE * 32767).astype("int16")
    ways: list[Any] = [
        (whole, RATE),
        (whole.astype("int32") << 16, RATE),
        (TONE.astype("float64"), float(RATE)),
        (TONE.tolist(), RATE),
        {"array": TONE, "sampling_rate": RATE},
        {"waveform": TONE, "rate": RATE},
        (np.stack([TONE] * 8, axis=1), RATE),
        (np.stack([TONE] * 2), RATE),
        (iter(np.array_split(TONE, 7)), RATE),
    ]
    for x in ways:
        np.testing.assert_allclose(whole_audio(x, RATE), TONE, atol=1e-4)
    eight = whole_audio(((TONE * 127 + 128).astype("uint8"), RATE), RATE)
    np.testing.assert_allclose(eight, TONE, atol=0.02)
    mixed = whole_audio((np.stack([TONE, np.zeros_like(TONE)], axis=1), RATE), RATE)
    np.testing.assert_allclose(mixed, TONE / 2, atol=1e-6)


def test_streams() -> None:
    def closing() -> Iterator[Any]:
        yield TONE[:4410]
        yield (TONE[4410:8820] * 32767).astype("<i2").tobytes()[:5001]
        yield (TONE[4410:8820] * 32767).astype("<i2").tobytes()[5001:]
        raise BrokenPipeError("the other side went away")

    x = (closing(), RATE)
    assert is_stream(x) and not is_stream((TONE, RATE)) and not is_stream("talk.wav")
    check_audio(x)
    np.testing.assert_allclose(whole_audio(x, RATE), TONE[:8820], atol=1e-4)

    def bad() -> Iterator[Any]:
        yield TONE
        yield np.array([0.1, np.nan])

    read: list[np.ndarray] = []
    with pytest.raises(InputError, match=r"nan at 2\.000 seconds"):
        read += read_audio((bad(), RATE), RATE)
    with pytest.raises(InputError, match="no sample"):
        whole_audio((iter([]), RATE), RATE)


def test_streams_are_read_as_they_come() -> None:
    taken = 0

    def chunks() -> Iterator[np.ndarray]:
        nonlocal taken
        for _ in range(100):
            taken += 1
            yield TONE

    blocks = read_audio((chunks(), RATE), 16_000)
    next(blocks)
    assert taken <= 2


def test_silence_is_a_sound() -> None:
    assert not whole_audio((np.zeros(8_000), 8_000), 8_000).any()


class Pipe(io.RawIOBase):
    """Bytes that cannot be wound back."""

    def __init__(self, content: bytes) -> None:
        self.content = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def readinto(self, memory: Any) -> int:
        read = self.content.read(len(memory))
        memory[: len(read)] = read
        return len(read)


def declared(frames: int, channels: int = 1, rate: int = 44_100) -> bytes:
    """A FLAC file whose head declares so many frames, and that holds a few."""
    content = bytearray(encoded(np.zeros(2_000), "FLAC", rate))
    # STREAMINFO: 20 bits of rate, 3 of channels, 5 of bits a sample, 36 of frames.
    (packed,) = struct.unpack(">Q", content[18:26])
    bits = (packed >> 36) & 0b11111
    packed = rate << 44 | (channels - 1) << 41 | bits << 36 | frames
    content[18:26] = struct.pack(">Q", packed)
    return bytes(content)


def half(kind: str) -> bytes:
    content = encoded(np.tile(TONE, 3), kind)
    return content[: len(content) // 2]


BAD = {
    "text": (b"not a sound at all, but text", "Format not recognised"),
    "no bytes": (b"", "empty"),
    "no file": ("no-such-file.wav", "not there"),
    "address": ("https://example.org/a.wav", "address"),
    "picture": ("data:image/png;base64,iVBORw0KGgo=", "data:audio/"),
    "nothing": (None, "expected a path"),
    "no rate": (TONE, "without its rate"),
    "rate of 0": ((TONE, 0), "the rate 0"),
    "half a rate": ((TONE, 8000.5), "8000.5"),
    "no number": ((TONE, "8000"), "'8000'"),
    "a file's rate": (("talk.wav", 16_000), "states its own"),
    "zero length": ((np.zeros(0), 8_000), "no sample"),
    "1 ms": ((TONE[:22], RATE), "ms; expected at least 10 ms"),
    "1 ms in a file": (encoded(TONE[:22], "WAV"), "ms; expected at least 10 ms"),
    "no samples in a file": (encoded(TONE[:0], "WAV"), "no sample"),
    "NaN": ((np.array([0.1, np.nan] * 4_000), 8_000), "nan at 0.000"),
    "infinite": ((np.array([np.inf] * 4_000), 8_000), "inf at 0.000"),
    "loud floats": ((TONE * 32768, RATE), "divide by"),
    "complex": ((TONE.astype("complex64"), RATE), "complex64"),
    "three axes": ((np.zeros((4, 4, 4)), RATE), r"\[samples\]"),
    "channels": ((np.zeros((200, 100)), RATE), "64 at most"),
    "words": ((["a", "b"], RATE), "expected floats"),
    "other mapping": ({"audio": TONE}, "a mapping of audio"),
    "24 hours": ((np.zeros(24 * 3600 * 1_000, "uint8"), 1_000), "24.0 hours"),
    "24 hours in a head": (declared(24 * 3600 * 44_100), "24.0 hours"),
    "gigabytes in a head": (declared(2**30, channels=2, rate=192_000), "declares"),
    "more than a byte holds": (declared(2**28), "a byte"),
    "half an mp3": (half("MP3"), "ends after|damaged"),
    "half a flac": (half("FLAC"), "damaged|ends after"),
    "half a pipe": (lambda: Pipe(half("FLAC")), "damaged|ends after"),
    "closed": (lambda: closed(), "closed"),
    "as text": (lambda: io.StringIO("text"), "'rb'"),
}


def closed() -> io.BytesIO:
    file = io.BytesIO(b"x")
    file.close()
    return file


@pytest.mark.parametrize("kind", BAD)
def test_bad_sounds_are_named(kind: str) -> None:
    made, words = BAD[kind]
    x = made() if callable(made) else made
    with pytest.raises(InputError, match=words) as caught:
        # What can be heard once is not heard by a check.
        check_audio(x)
        whole_audio(x, 16_000)
    assert "expected" in caught.value.reason
    assert len(caught.value.reason) < 400


def test_declared_gigabytes_take_no_memory() -> None:
    import tracemalloc

    tracemalloc.start()
    with pytest.raises(InputError):
        check_audio(declared(2**35, channels=8))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


def test_too_much_for_one_array() -> None:
    with pytest.raises(InputError, match="more than 1 seconds"):
        whole_audio((TONE, RATE), 8_000, longest=1.0)


def test_folders(tmp_path: Path) -> None:
    for name in ("b.wav", "a.flac", "notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    assert [path.name for path in sounds_in(tmp_path) or ()] == ["a.flac", "b.wav"]
    assert sounds_in(tmp_path / "b.wav") is None and sounds_in((TONE, RATE)) is None
    with pytest.raises(InputError, match="holds no sound"):
        sounds_in(str(tmp_path / "*.mp3"))


def test_sound_of_a_video(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as film:
        track = film.add_stream("aac", rate=44_100, layout="stereo")
        pictures = film.add_stream("mpeg4", rate=10)
        pictures.width = pictures.height = 32
        samples = np.stack([np.repeat(TONE, 2)] * 2)[:, :81_920]
        for start in range(0, samples.shape[1], 1024):
            frame = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(samples[:, start : start + 1024]), format="fltp", layout="stereo"
            )
            frame.sample_rate, frame.pts = 44_100, start
            film.mux(track.encode(frame))
        film.mux(track.encode())
        for _ in range(10):
            picture = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), "uint8"), format="rgb24")
            film.mux(pictures.encode(picture))
        film.mux(pictures.encode())
    check_audio(path)
    found = whole_audio(path, 22_050)
    assert abs(len(found) - 40_960) < 1_500
    assert 0.2 < np.abs(found).max() < 1.0
    with pytest.raises(InputError, match="expected"):
        check_audio(path.read_bytes()[:2_000])


def test_silent_film(tmp_path: Path) -> None:
    pytest.importorskip("av")
    from sixarts.media.video import write_video

    write_video(tmp_path / "mute.mp4", [np.zeros((32, 32, 3), "uint8")] * 5, 5.0)
    with pytest.raises(InputError, match="pictures and no sound"):
        check_audio(tmp_path / "mute.mp4")


def test_wave_of_the_standard_library(tmp_path: Path) -> None:
    """What Python itself writes, in 24 bits."""
    path = tmp_path / "tone.wav"
    whole = np.round(TONE * (2**23 - 1)).astype("<i4")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(3)
        file.setframerate(RATE)
        file.writeframes(whole.view("uint8").reshape(-1, 4)[:, :3].tobytes())
    np.testing.assert_allclose(whole_audio(path, RATE), TONE, atol=1e-6)
