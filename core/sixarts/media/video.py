"""Videos of every kind that people have, as streams of RGB frames: one frame in memory at a time.

A video is a path, bytes, a ``data:`` URI, or an array of frames. PyAV decodes it (the extra ``video``); which
containers it may open is stated, and no file may make it open another.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from sixarts.errors import InputError, MissingExtra
from sixarts.media.images import PIXELS, read_image
from sixarts.media.sources import first_line, named, opened

#: Demuxers that are used; FFmpeg knows many more, some of which open other files or addresses.
CONTAINERS = ("mov", "mp4", "matroska", "webm", "avi", "mpeg", "mpegts", "mpegvideo", "h264", "hevc")
SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts")
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
    yield from frames


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
    av, name = _pyav(), named(x)
    with opened(x, "video") as source:
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
    av.logging.set_level(av.logging.PANIC)
    return av
