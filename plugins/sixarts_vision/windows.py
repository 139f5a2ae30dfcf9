"""A video cut over time: windows of so many frames, each small and ready for the network."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from PIL import Image

from sixarts.media.images import thumbnail
from sixarts.media.video import Frame, sampled

T = TypeVar("T")
#: Longest side of the pictures that stay with an answer.
PICTURE = 160


@dataclass(frozen=True)
class Clip:
    """What the network sees at once.

    Attributes:
        start, end: seconds from the video's start.
        frames: ``[t, height, width, 3]``, ``uint8``, as the processor shapes them.
        picture: the frame in its middle, made small, as a JPEG file: there is one for each window of a film.
    """

    start: float
    end: float
    frames: np.ndarray
    picture: bytes = b""

    @property
    def middle(self) -> float:
        """The time between start and end."""
        return (self.start + self.end) / 2


@dataclass(frozen=True)
class Ready:
    """A frame as the network takes it, and as a person sees it; the frame itself is gone."""

    time: float
    shaped: np.ndarray
    small: np.ndarray


def clips(
    frames: Iterable[Frame],
    count: int,
    seconds: float,
    stride: float,
    shaped: Callable[[np.ndarray], np.ndarray],
) -> Iterator[Clip]:
    """Windows of a video as they come, with no more than one window's frames in memory.

    Args:
        frames: of the video, in order.
        count: frames of a window, taken at even distances.
        seconds: length of a window; a shorter video is stretched over one.
        stride: seconds from one window's start to the next one's.
        shaped: a frame to its pixels as the network takes them.
    """
    interval = seconds / count
    ready = (
        Ready(frame.time, shaped(frame.image), thumbnail(frame.image, PICTURE))
        for frame in sampled(frames, interval)
    )
    for window in windows(ready, count, max(1, round(stride / interval))):
        yield Clip(
            max(window[0].time - interval / 2, 0.0),
            window[-1].time + interval / 2,
            np.stack([each.shaped for each in window]),
            _jpeg(window[len(window) // 2].small),
        )


def windows(samples: Iterable[T], count: int, step: int) -> Iterator[list[T]]:
    """Stretches of ``count`` samples, ``step`` from one's start to the next one's.

    What is left at the end is a window, too, where it is half of what others add; it ends where the samples
    do. Samples that fill no window are stretched over one.

    >>> list(windows("abcdefghij", 4, 4))
    [['a', 'b', 'c', 'd'], ['e', 'f', 'g', 'h'], ['g', 'h', 'i', 'j']]
    >>> list(windows("ab", 4, 4))
    [['a', 'a', 'b', 'b']]
    """
    recent: deque[T] = deque(maxlen=count)
    total = told = 0
    for total, sample in enumerate(samples, 1):
        recent.append(sample)
        if total >= count and (total - count) % step == 0:
            yield list(recent)
            told = total
    if not told:
        yield [recent[place * total // count] for place in range(count)]
    elif total - told - max(step - count, 0) >= max(min(step, count) / 2, 1):
        yield list(recent)


def drawn(
    frames: Iterable[Frame],
    count: int,
    seconds: float,
    shaped: Callable[[np.ndarray], np.ndarray],
    random: np.random.Generator,
) -> np.ndarray:
    """A window at random, every start as likely, of a video that is read once: ``[t, height, width, 3]``.

    The arguments are as for :func:`clips`. Method: a reservoir of one (Vitter 1985).
    """
    kept: list[np.ndarray] = []
    ready = (shaped(frame.image) for frame in sampled(frames, seconds / count))
    for number, window in enumerate(windows(ready, count, 1), 1):
        if random.random() * number < 1:
            kept = window
    return np.stack(kept)


def opened_picture(jpeg: bytes) -> np.ndarray:
    """The pixels of a clip's picture."""
    return np.asarray(Image.open(io.BytesIO(jpeg)))


def _jpeg(image: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(image).save(out, "JPEG", quality=85)
    return out.getvalue()
