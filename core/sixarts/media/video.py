"""Videos of every kind that people have, as streams of RGB frames: one frame in memory at a time.

A video is a path, bytes, a ``data:`` URI, or an array of frames. PyAV decodes it (the extra ``video``); which
containers it may open is stated, and no file may make it open another. Animated GIF and WebP are Pillow's and
need no extra.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from sixarts.errors import InputError, MissingExtra
from sixarts.media.images import PIXELS, read_image
from sixarts.media.sources import files_in, first_line, named, opened, path_of

#: Demuxers that are used; FFmpeg knows many more, some of which open other files or addresses.
CONTAINERS = ("mov", "mp4", "matroska", "webm", "avi", "mpeg", "mpegts", "mpegvideo", "h264", "hevc")
#: Suffixes by which a folder's videos are found.
SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".gif")
#: Seconds for which a frame may be shown.
LONGEST = 600.0
#: Formats that Pillow decodes, and seconds for which a frame is shown that states none.
ANIMATIONS, SHOWN = ("GIF", "WEBP"), 0.1
#: Frames a second of an array, which states none.
RATE = 25.0


@dataclass(frozen=True)
class Frame:
    """One picture of a video.

    Attributes:
        time: seconds from the video's start.
        image: ``[height, width, 3]``, ``uint8``.
    """

    time: float
    image: np.ndarray


def is_video(x: Any) -> bool:
    """Whether ``x`` looks like a video and not like a picture: by its suffix, its first bytes, its axes."""
    if isinstance(x, np.ndarray):
        return x.ndim == 4
    if isinstance(x, bytes | bytearray | memoryview):
        head = bytes(x[:12])
        return any(head[at : at + len(mark)] == mark for at, mark in _MARKS)
    if isinstance(x, str) and x.startswith("data:"):
        return x.startswith("data:video/")
    # A GIF may be either; it is a picture's format first.
    return path_of(x).lower().endswith(tuple(set(SUFFIXES) - {".gif"}))


#: Where in its first bytes a container's mark stands; pictures of phones have the first one, too.
_MARKS = (
    (4, b"ftypisom"),
    (4, b"ftypmp4"),
    (4, b"ftypM4V"),
    (4, b"ftypqt"),
    (4, b"ftypavc1"),
    (4, b"ftypiso"),
    (0, b"\x1a\x45\xdf\xa3"),
    (8, b"AVI "),
    (0, b"\x00\x00\x01\xba"),
    (0, b"\x00\x00\x01\xb3"),
)


def check_video(x: Any) -> None:
    """Looks at a video's head and its first frame.

    Raises:
        InputError: a value that is no video, a file that is not there or not read, too many pixels, no frame.
        MissingExtra: PyAV is not installed.
    """
    with contextlib.closing(read_video(x)) as frames:
        next(frames)


def read_video(x: Any) -> Generator[Frame, None, None]:
    """The frames of a video in order, upright, decoded as they are asked for.

    Raises:
        InputError: as :func:`check_video`; and frames that cannot be decoded, when they are come to.
    """
    frames = _of_array(x) if isinstance(x, np.ndarray) else _of_file(x)
    first = next(frames, None)
    if first is None:
        raise InputError(f"{named(x)} holds no frame; expected at least one")
    yield first
    last = first.time
    for frame in frames:
        # A few bytes can state a gap of years, which whoever samples by time would fill.
        if frame.time - last > LONGEST:
            raise InputError(
                f"{named(x)} shows one frame from {last:.0f} to {frame.time:.0f} seconds; expected at most "
                f"{LONGEST:.0f} seconds; cut the video there"
            )
        last = frame.time
        yield frame


def videos_in(x: Any) -> list[Path] | None:
    """The videos that a folder or a glob pattern stands for, sorted by name; ``None`` for anything else.

    Raises:
        InputError: a folder or a pattern that holds no video.
    """
    return files_in(x, "video", SUFFIXES)


def write_video(path: str | Path, frames: Iterable[np.ndarray], rate: float) -> None:
    """Writes frames as a video without sound, in the container's usual codec, one frame in memory at a time.

    Args:
        path: its suffix decides the container, e.g. ``.mp4``.
        frames: ``[height, width, 3]``, ``uint8``, all of one size; an odd side loses its last line, since
            codecs keep colors for squares of four.
        rate: frames a second.

    Raises:
        InputError: no frame, or a suffix that no container has.
        MissingExtra: PyAV is not installed.
    """
    av, name = _pyav(), named(path)
    frames = iter(frames)
    first = next(frames, None)
    if first is None:
        raise InputError(f"no frame for {name}; expected at least one")
    try:
        container = av.open(str(path), mode="w")
    except (av.FFmpegError, ValueError, OSError) as error:
        raise InputError(
            f"{name} cannot be written ({first_line(error)}); expected a suffix such as {', '.join(SUFFIXES)}"
        ) from None
    with container:
        stream = container.add_stream(
            container.default_video_codec, rate=Fraction(rate).limit_denominator(1001)
        )
        stream.height, stream.width = (side // 2 * 2 for side in first.shape[:2])
        stream.pix_fmt = "yuv420p"
        for image in itertools.chain([first], frames):
            cut = np.ascontiguousarray(image[: stream.height, : stream.width])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(cut, format="rgb24")))
        container.mux(stream.encode())


def sampled(frames: Iterable[Frame], interval: float) -> Iterator[Frame]:
    """One frame for each stretch of time, that which is shown at its middle.

    Args:
        frames: in order.
        interval: length of a stretch in seconds; where it is shorter than a frame, frames come again.

    >>> images = [Frame(time, np.full((1, 1, 3), time * 10)) for time in (0.0, 0.1, 0.2, 0.3)]
    >>> [float(frame.image[0, 0, 0]) for frame in sampled(images, 0.2)]
    [1.0, 3.0]
    """
    wanted, shown, gap = 0, None, 0.0
    for frame in frames:
        if shown is not None:
            gap = frame.time - shown.time
            # The frame before is shown until this one comes.
            while (wanted + 0.5) * interval < frame.time - 1e-6:
                yield Frame((wanted + 0.5) * interval, shown.image)
                wanted += 1
        shown = frame
    if shown is not None:
        end = shown.time + gap
        while (wanted + 0.5) * interval < end - 1e-6 or wanted == 0:
            yield Frame((wanted + 0.5) * interval, shown.image)
            wanted += 1


def _of_array(x: np.ndarray) -> Iterator[Frame]:
    if x.ndim != 4:
        raise InputError(f"{named(x)}; expected [frames, height, width, 3]")
    for number, image in enumerate(x):
        yield Frame(number / RATE, read_image(image))


def _of_file(x: Any) -> Iterator[Frame]:
    moving = isinstance(x, str) and x.startswith(("data:image/gif", "data:image/webp"))
    with opened(x, "image" if moving else "video") as source:
        head = source.read(12)
        source.seek(0)
        # An AVI file begins as a WebP file does, and tells four bytes later.
        animation = head.startswith(b"GIF8") or (head.startswith(b"RIFF") and head.endswith(b"WEBP"))
        yield from (_of_animation if animation else _of_container)(source, named(x))


def _of_animation(source: BinaryIO, name: str) -> Iterator[Frame]:
    from PIL import Image

    number, time = 0, 0.0
    try:
        with Image.open(source, formats=ANIMATIONS) as animation:
            if animation.width * animation.height > PIXELS:
                raise InputError(f"{name}: {animation.width} × {animation.height} pixels; expected fewer")
            for number in range(getattr(animation, "n_frames", 1)):
                animation.seek(number)
                image = np.asarray(animation.convert("RGB"))
                yield Frame(time, image)
                time += animation.info.get("duration", 0) / 1000 or SHOWN
    except InputError:
        raise
    except Exception as error:  # decoders fail in many ways on damaged files, of one meaning
        raise InputError(
            f"{name} is damaged after frame {number} ({first_line(error)}); expected a whole animation; get "
            "the file again"
        ) from None


def _of_container(source: BinaryIO, name: str) -> Iterator[Frame]:
    av = _pyav()
    try:
        options = {"format_whitelist": ",".join(CONTAINERS), "protocol_whitelist": ""}
        container = av.open(source, mode="r", options=options, metadata_errors="ignore")
    except (av.FFmpegError, ValueError, OSError) as error:
        raise InputError(
            f"{name} cannot be read as a video ({first_line(error)}); expected one of "
            f"{', '.join(suffix[1:] for suffix in SUFFIXES)}"
        ) from None
    with container:
        if not container.streams.video:
            raise InputError(f"{name} has sound and no pictures; expected a video")
        stream = container.streams.video[0]
        width, height = stream.codec_context.width or 0, stream.codec_context.height or 0
        if width * height > PIXELS:
            raise InputError(
                f"{name}: {width} × {height} pixels, more than {PIXELS:,}; expected a smaller video"
            )
        stream.thread_type = "AUTO"
        begin, rate = None, float(stream.average_rate or RATE)
        try:
            for number, frame in enumerate(container.decode(stream)):
                time = frame.time if frame.time is not None else number / rate
                begin = time if begin is None else begin
                if frame.width * frame.height > PIXELS:  # whatever the head said
                    raise InputError(f"{name}: {frame.width} × {frame.height} pixels; expected fewer")
                yield Frame(time - begin, _upright(frame))
        except InputError:
            raise
        except (av.FFmpegError, ValueError) as error:
            raise InputError(
                f"{name} is damaged after frame {number if begin is not None else 0} "
                f"({first_line(error)}); expected a whole video; get the file again"
            ) from None


def _upright(frame: Any) -> np.ndarray:
    """A frame's pixels, turned as phones tell players to."""
    image = frame.to_ndarray(format="rgb24")
    return np.ascontiguousarray(np.rot90(image, round(getattr(frame, "rotation", 0) / 90) % 4))


def _pyav() -> Any:
    try:
        import av
    except ImportError:
        raise MissingExtra("videos need PyAV, which is not installed; pip install 'sixarts[video]'") from None
    # PyAV's logging stays as it is, which is off: a hook into Python waits for the lock that is held while a
    # decoder's threads, which may have something to say of a damaged frame, are waited for.
    return av
