"""Sound of every kind that people have, as blocks of mono samples at one rate: one block in memory at a time.

A sound is a path, bytes, a ``data:`` URI, a file object, samples with their rate, or a stream of chunks with
its rate. libsndfile decodes WAV, FLAC, Ogg and MP3; PyAV (the extra ``video``) the sound of a video, and M4A.
What a file declares is held against limits before anything is decoded.

More than 400 lines, so that what is read and what is refused stand on one page for every kind of source.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import tempfile
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from sixarts.errors import InputError, MissingExtra
from sixarts.media.sources import files_in, first_line, named, opened, path_of
from sixarts.media.video import CONTAINERS, is_video

#: Suffixes by which a folder's sounds are found.
SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif", ".au", ".m4a")
#: Suffixes of videos, whose sound tracks are read.
VIDEOS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg")
#: Samples that are decoded at once.
BLOCK = 65_536
#: Seconds of the shortest and the longest sound.
SHORTEST, LONGEST = 0.01, 12 * 3600.0
#: Samples that a file may declare, all channels together, and how many a byte once they are more than a few.
SAMPLES, A_BYTE, FEW = 2**31, 500, 2**27
#: Rates and channels that a sound may have.
RATES, CHANNELS = (1_000, 768_000), 64
#: Seconds that a check decodes, so that what is damaged is found before it is worked on.
CHECKED = 120.0
#: Bytes of a file object that cannot be wound back, which are kept on disk while they are read.
SPOOLED = 2**32
#: Largest sample of floats: they are from -1 to 1, and a little over where somebody made them louder.
LOUDEST = 16.0


class Sound(NamedTuple):
    """A sound that is being read.

    Attributes:
        rate: samples a second.
        frames: how many there should be; ``None`` where nobody said.
        blocks: ``[n, channels]``, float32 from -1 to 1.
    """

    rate: int
    frames: int | None
    blocks: Iterator[np.ndarray]


def is_stream(x: Any) -> bool:
    """Whether a sound can be heard once only: chunks as they come."""
    given = _given(x)
    return given is not None and isinstance(given[0], Iterator)


def check_audio(x: Any) -> None:
    """Looks at a sound's head and its first two minutes; of a stream at what was said of it alone.

    Raises:
        InputError: a value that is no sound, a file that is not there or not read, no sample, too little or
            too much, a rate that none is, NaN, a file that ends too soon.
        MissingExtra: a video, and PyAV is not installed.
    """
    if is_stream(x):
        _rate(_given(x)[1], _named(x))  # type: ignore[index]
        return
    if _once(x):
        return
    with contextlib.closing(read_blocks(x)) as blocks:
        rate = next(blocks)
        heard = 0
        for block in blocks:
            heard += len(block)
            if heard > CHECKED * rate:
                return


def read_audio(x: Any, rate: int) -> Generator[np.ndarray, None, None]:
    """A sound as blocks of mono samples at ``rate``, decoded and resampled as they are asked for.

    Channels are averaged. A stream ends where its source does, or fails.

    Args:
        x: the sound.
        rate: samples a second.

    Yields:
        ``[n]``, float32 from -1 to 1; of unlike lengths.

    Raises:
        InputError: as :func:`check_audio`; and what is damaged, when it is come to.
    """
    with contextlib.closing(read_blocks(x)) as blocks:
        given = next(blocks)
        if given == rate:
            yield from (block for block in blocks if len(block))
            return
        import soxr

        resample = soxr.ResampleStream(given, rate, 1, dtype="float32")
        for block in blocks:
            made = resample.resample_chunk(block)
            if len(made):
                yield made
        rest = resample.resample_chunk(np.zeros(0, "float32"), last=True)
        if len(rest):
            yield rest


def whole_audio(x: Any, rate: int, longest: float = LONGEST) -> np.ndarray:
    """A sound in one array of mono samples, ``[n]``.

    Raises:
        InputError: as :func:`check_audio`; more than ``longest`` seconds.
    """
    found: list[np.ndarray] = []
    heard = 0
    with contextlib.closing(read_audio(x, rate)) as blocks:
        for block in blocks:
            heard += len(block)
            if heard > longest * rate:
                raise InputError(f"{_named(x)} lasts more than {longest:g} seconds; expected less; cut it")
            found.append(block)
    return np.concatenate(found) if found else np.zeros(0, "float32")


def sounds_in(x: Any) -> list[Path] | None:
    """The sounds that a folder or a glob pattern stands for, sorted by name; ``None`` for anything else.

    Raises:
        InputError: a folder or a pattern that holds none.
    """
    return files_in(x, "sound", SUFFIXES)


def read_blocks(x: Any) -> Generator[Any, None, None]:
    """A sound's rate, and then its blocks of mono samples ``[n]`` at that rate, each checked."""
    name = _named(x)
    with _sound(x) as sound:
        yield sound.rate
        heard = 0
        for block in sound.blocks:
            mono = block[:, 0] if block.shape[1] == 1 else block.mean(axis=1, dtype="float32")
            _check_samples(mono, heard, sound.rate, name)
            heard += len(mono)
            if heard > LONGEST * sound.rate and sound.frames is not None:
                raise InputError(_too_long(name, heard / sound.rate))
            yield np.ascontiguousarray(mono, "float32")
    if heard == 0:
        raise InputError(f"{name} holds no sample; expected a sound of at least {SHORTEST:g} seconds")
    if heard < SHORTEST * sound.rate:
        raise InputError(
            f"{name} lasts {1000 * heard / sound.rate:.3g} ms; expected at least {1000 * SHORTEST:g} ms"
        )
    # Encoders add and count a little beside the sound itself.
    if sound.frames is not None and heard < sound.frames - 0.1 * sound.rate:
        raise InputError(
            f"{name} ends after {heard / sound.rate:.2f} of {sound.frames / sound.rate:.2f} seconds; "
            "expected a whole file; get it again"
        )


def _check_samples(mono: np.ndarray, heard: int, rate: int, name: str) -> None:
    bad = ~np.isfinite(mono)
    if bad.any():
        at = (heard + int(bad.argmax())) / rate
        raise InputError(
            f"{name} has a sample of {mono[bad][0]} at {at:.3f} seconds; expected finite numbers"
        )
    if len(mono) and float(np.abs(mono).max()) > LOUDEST:
        raise InputError(
            f"{name} has a sample of {float(np.abs(mono).max()):g}; expected floats from -1 to 1; divide by "
            "the largest that your format has, e.g. 32768"
        )


@contextlib.contextmanager
def _sound(x: Any) -> Iterator[Sound]:
    """Any sound, opened."""
    given = _given(x)
    if given is not None:
        yield _of_values(*given, _named(x))
    elif hasattr(x, "read"):
        with _wound(x) as file:
            yield from _of_file(file, named(x))
    elif isinstance(x, np.ndarray | Iterator):
        raise InputError(f"{named(x)} without its rate; expected (samples, rate), e.g. (samples, 16000)")
    else:
        video = isinstance(x, str) and x.startswith("data:video/")
        with opened(x, "video" if video else "audio") as file:
            yield from _of_file(file, named(x) if path_of(x) or not isinstance(x, str) else "the data: URI")


def _given(x: Any) -> tuple[Any, Any] | None:
    """Samples or chunks and their rate, in one of the ways in which people state the two together."""
    if isinstance(x, tuple) and len(x) == 2:
        return x
    if isinstance(x, Mapping):
        for samples, rate in (("array", "sampling_rate"), ("raw", "sampling_rate"), ("waveform", "rate")):
            if samples in x and rate in x:
                return x[samples], x[rate]
        keys = ", ".join(map(str, list(x)[:5]))
        raise InputError(f"a mapping of {keys or 'nothing'}; expected {{'array': …, 'sampling_rate': …}}")
    if hasattr(x, "waveform") and hasattr(x, "rate"):
        return x.waveform, x.rate
    return None


def _named(x: Any) -> str:
    """What a sound is called in a message."""
    if isinstance(x, tuple) and len(x) == 2:
        kind = "chunks" if isinstance(x[0], Iterator) else named(x[0])
        return f"{kind} at the rate {x[1]!r}"
    return named(x)


def _of_values(values: Any, rate: Any, name: str) -> Sound:
    if isinstance(values, str | Path | bytes | bytearray | memoryview) or hasattr(values, "read"):
        raise InputError(
            f"{name} gives a file and a rate; expected the file alone, which states its own; for raw samples "
            "give (numpy.frombuffer(bytes, 'int16'), rate)"
        )
    rate = _rate(rate, name)
    if isinstance(values, Iterator):
        return Sound(rate, None, _chunks(values, name))
    try:
        array = np.asarray(values)
    except ValueError:
        raise InputError(f"{name}; expected numbers [samples] or [samples, channels]") from None
    samples = _samples(array, name)
    _check_declared(rate, samples.shape[0], samples.shape[1], name)
    starts = range(0, len(samples), BLOCK)
    return Sound(rate, len(samples), (_floats(samples[at : at + BLOCK]) for at in starts))


def _rate(rate: Any, name: str) -> int:
    low, high = RATES
    whole = isinstance(rate, int | np.integer) and not isinstance(rate, bool)
    if not (whole or (isinstance(rate, float) and rate.is_integer())) or not low <= rate <= high:
        raise InputError(f"{name} has the rate {rate!r}; expected a whole number from {low:,} to {high:,}")
    return int(rate)


def _samples(array: np.ndarray, name: str) -> np.ndarray:
    """Samples as ``[n, channels]``, as they are stored."""
    shape = f"an array of {array.dtype} {list(array.shape)}"
    if (
        array.dtype.kind not in "fiu"
        or array.dtype.itemsize > 8
        or array.dtype in ("uint16", "uint32", "uint64")
    ):
        raise InputError(f"{name}: {shape}; expected floats from -1 to 1, int16, int32 or uint8")
    if array.ndim == 1:
        return array[:, None]
    # Both orders are in use; nobody has more channels than samples.
    if array.ndim == 2 and array.shape[0] < array.shape[1]:
        array = array.T
    if array.ndim != 2 or not 0 < array.shape[1] <= CHANNELS:
        raise InputError(f"{name}: {shape}; expected [samples] or [samples, channels], {CHANNELS} at most")
    return array


def _floats(samples: np.ndarray) -> np.ndarray:
    if samples.dtype.kind == "f":
        return samples.astype("float32")
    if samples.dtype == np.uint8:
        return (samples.astype("float32") - 128) / 128
    return (samples / -float(np.iinfo(samples.dtype).min)).astype("float32")


def _chunks(values: Iterator[Any], name: str) -> Iterator[np.ndarray]:
    """Chunks as they come; bytes are mono samples of 16 bits, the lower first, as microphones give them."""
    left = b""
    while True:
        try:
            chunk = next(values, None)
        except (OSError, EOFError):  # a pipe that closed: what was heard is answered
            return
        if chunk is None:
            return
        if isinstance(chunk, bytes | bytearray | memoryview):
            data = left + bytes(chunk)
            left = data[len(data) // 2 * 2 :]
            chunk = np.frombuffer(data[: len(data) // 2 * 2], "<i2")
        else:
            chunk = np.asarray(chunk)
        if not chunk.size:
            continue
        yield _floats(_samples(chunk, f"a chunk of {name}"))


def _once(x: Any) -> bool:
    """Whether a file object cannot be wound back."""
    return hasattr(x, "read") and not _seekable(x)


def _seekable(x: Any) -> bool:
    try:
        return bool(x.seekable())
    except (AttributeError, ValueError):
        return False


@contextlib.contextmanager
def _wound(x: Any) -> Iterator[BinaryIO]:
    """A file object from its start; what cannot be wound back is first written to a file that can."""
    name = named(x)
    if getattr(x, "closed", False):
        raise InputError(f"{name} is closed; expected an open file object")
    if _seekable(x):
        x.seek(0)
        if not isinstance(x.read(0), bytes):
            raise InputError(f"{name} is open as text; expected it opened with 'rb'")
        yield x
        return
    with tempfile.TemporaryFile() as copy:
        while True:
            try:
                data = x.read(2**20)
            except (OSError, EOFError):  # whether enough came, the decoder tells
                break
            if not data:
                break
            if not isinstance(data, bytes):
                raise InputError(f"{name} is open as text; expected it opened with 'rb'")
            if copy.tell() + len(data) > SPOOLED:
                raise InputError(f"{name} gave more than {SPOOLED:,} bytes; expected less; cut the sound")
            copy.write(data)
        copy.seek(0)
        yield copy


def _of_file(file: BinaryIO, name: str) -> Iterator[Sound]:
    head = file.read(12)
    file.seek(0)
    if not head:
        raise InputError(f"{name} is empty; expected the bytes of one sound")
    if head[4:8] == b"ftyp" or is_video(head):
        yield from _of_container(file, name)
    else:
        yield from _of_sound_file(file, name)


def _of_sound_file(file: BinaryIO, name: str) -> Iterator[Sound]:
    import soundfile

    try:
        sound = soundfile.SoundFile(file)
    except (soundfile.SoundFileError, RuntimeError, TypeError, OSError) as error:
        raise InputError(
            f"{name} cannot be read as sound ({_reason(error)}); expected "
            "WAV, FLAC, Ogg, MP3, or a video with sound"
        ) from None
    with sound:
        rate = _rate(sound.samplerate, name)
        _check_declared(rate, sound.frames, sound.channels, name, _size(file))
        yield Sound(rate, sound.frames, _decoded(sound, rate, name))


def _reason(error: BaseException) -> str:
    """What libsndfile says, without the object that it was given."""
    return str(getattr(error, "error_string", "") or first_line(error)).strip().rstrip(".")


def _size(file: BinaryIO) -> int:
    at = file.tell()
    size = file.seek(0, 2)
    file.seek(at)
    return size


def _decoded(sound: Any, rate: int, name: str) -> Iterator[np.ndarray]:
    import soundfile

    heard = 0
    while True:
        try:
            block = sound.read(BLOCK, dtype="float32", always_2d=True)
        except (soundfile.SoundFileError, RuntimeError) as error:
            raise InputError(
                f"{name} is damaged after {heard / rate:.2f} seconds ({_reason(error)}); expected a whole "
                "file; get it again"
            ) from None
        if not len(block):
            return
        heard += len(block)
        yield block


def _check_declared(rate: int, frames: int, channels: int, name: str, size: int | None = None) -> None:
    """Holds what a file says of itself against the limits."""
    if frames > LONGEST * rate:
        raise InputError(_too_long(name, frames / rate))
    samples = frames * channels
    if channels > CHANNELS or samples > SAMPLES:
        raise InputError(
            f"{name} declares {frames:,} samples of {channels} channels; expected at most {SAMPLES:,} in all "
            f"and {CHANNELS} channels; cut it, or mix it down"
        )
    if size is not None and samples > max(FEW, A_BYTE * size):
        raise InputError(
            f"{name} declares {samples:,} samples in {size:,} bytes; expected at most {A_BYTE} a byte: it is "
            "silence, or made to fill memory"
        )


def _too_long(name: str, seconds: float) -> str:
    return (
        f"{name} lasts {seconds / 3600:.1f} hours; expected at most {LONGEST / 3600:.0f}; cut it into parts"
    )


def _of_container(file: BinaryIO, name: str) -> Iterator[Sound]:
    """The first sound track of a video, or of an M4A file."""
    try:
        import av
    except ImportError:
        raise MissingExtra(
            "the sound of videos needs PyAV, which is not installed; pip install 'sixarts[video]'"
        ) from None
    try:
        options = {"format_whitelist": ",".join(CONTAINERS), "protocol_whitelist": ""}
        container = av.open(file, mode="r", options=options, metadata_errors="ignore")
    except (av.FFmpegError, ValueError, OSError) as error:
        raise InputError(
            f"{name} cannot be read as a video ({first_line(error)}); expected a whole one with sound"
        ) from None
    with container:
        if not container.streams.audio:
            raise InputError(f"{name} has pictures and no sound; expected a sound track")
        stream = container.streams.audio[0]
        rate = _rate(stream.codec_context.sample_rate, name)
        stated = stream.duration and float(stream.duration * stream.time_base)
        seconds = stated or (container.duration or 0) / av.time_base
        channels = stream.codec_context.channels
        _check_declared(rate, math.ceil(seconds * rate), channels, name)
        yield Sound(
            rate, int(max(seconds - 0.5, 0) * rate) if seconds else 0, _track(av, container, stream, name)
        )


def _track(av: Any, container: Any, stream: Any, name: str) -> Iterator[np.ndarray]:
    planes = av.AudioResampler(format="fltp")
    try:
        for frame in itertools.chain(container.decode(stream), [None]):
            for made in planes.resample(frame):
                yield np.ascontiguousarray(made.to_ndarray().T)
    except (av.FFmpegError, ValueError) as error:
        raise InputError(
            f"the sound of {name} is damaged ({first_line(error)}); expected a whole file; get it again"
        ) from None
