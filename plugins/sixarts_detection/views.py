"""What of an input goes through the network at once: a picture, a tile of one, or a frame of a video."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from sixarts.media.images import image_size, read_image
from sixarts.media.video import read_video, sampled

#: How much of a tile its neighbor shows, too.
SHARED = 0.25


@dataclass(frozen=True)
class View:
    """One part of an input.

    Attributes:
        source: the picture, or where it lies.
        size: height and width.
        left, top: where it lies in the whole picture, in pixels.
        time: when it is shown, in seconds, for a frame of a video.
    """

    source: Any
    size: tuple[int, int]
    left: int = 0
    top: int = 0
    time: float | None = None

    def read(self) -> np.ndarray:
        """Its pixels."""
        return self.source if isinstance(self.source, np.ndarray) else read_image(self.source)


def whole(x: Any) -> View:
    """The picture as it is; decoded when it is needed."""
    source = read_image(x) if isinstance(x, np.ndarray) else x
    return View(source, image_size(source))


def tiled(x: Any, side: int) -> Iterator[View]:
    """Square tiles that overlap by a quarter, and the whole picture for what is larger than a tile.

    Source: Akyon et al. 2022 (slicing aided inference).
    """
    image = read_image(x)
    height, width = image.shape[:2]
    for top in starts(height, side):
        for left in starts(width, side):
            part = image[top : top + side, left : left + side]
            yield View(part, part.shape[:2], left, top)
    if height > side or width > side:
        yield View(image, (height, width))


def starts(length: int, side: int) -> list[int]:
    """Where tiles begin, evenly spread, so that neighbors share a quarter at least.

    >>> starts(100, 40), starts(30, 40)
    ([0, 30, 60], [0])
    """
    if length <= side:
        return [0]
    count = int(np.ceil((length - side) / (side * (1 - SHARED)))) + 1
    return [round(place) for place in np.linspace(0, length - side, count)]


def framed(x: Any, every: float) -> Iterator[View]:
    """The frames of a video: all of them, or one for each stretch of ``every`` seconds."""
    frames = read_video(x)
    for frame in sampled(frames, every) if every else frames:
        yield View(frame.image, frame.image.shape[:2], time=frame.time)
