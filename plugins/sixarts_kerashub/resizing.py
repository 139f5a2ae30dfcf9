"""Keras's ``Resizing`` in NumPy: what a preset does to a picture's size, the same on every backend.

Sources: ``tf.image.resize`` and ``jax.image.resize``, which agree: pixels are areas, weights outside of the
picture count nothing and the others are made to sum to one. PyTorch's bicubic filter is another one (Keys'
with -0.75 for -0.5); this is that of the others. A sum that is a half is rounded either way by each of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sixarts.media.images import PIXELS

Kernel = Callable[[np.ndarray], np.ndarray]


def _triangle(x: np.ndarray) -> np.ndarray:
    return np.maximum(0.0, 1.0 - np.abs(x))


def _cubic(x: np.ndarray) -> np.ndarray:
    """Keys 1981, with a = -0.5."""
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x * x + 1.0
    far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return np.where(x < 1.0, near, np.where(x < 2.0, far, 0.0))


def _lanczos(lobes: int) -> Kernel:
    return lambda x: np.where(np.abs(x) < lobes, np.sinc(x) * np.sinc(x / lobes), 0.0)


#: Interpolation to its filter and how far that reaches, in pixels.
FILTERS: dict[str, tuple[Kernel, float]] = {
    "bilinear": (_triangle, 1.0),
    "bicubic": (_cubic, 2.0),
    "lanczos3": (_lanczos(3), 3.0),
    "lanczos5": (_lanczos(5), 5.0),
}
INTERPOLATIONS = ("nearest", *FILTERS)


@dataclass(frozen=True)
class Window:
    """The part of a picture that is resized: a start and a length, in pixels, along one axis.

    A start below 0 is black before the picture, and as much after it.
    """

    start: int
    length: int


def whole(size: tuple[int, int], target: tuple[int, int]) -> tuple[Window, Window]:
    """The picture as it is, whatever that does to its proportions."""
    return Window(0, size[0]), Window(0, size[1])


def cropped(size: tuple[int, int], target: tuple[int, int]) -> tuple[Window, Window]:
    """The largest part in the middle with the target's proportions.

    >>> cropped((480, 640), (224, 224))
    (Window(start=0, length=480), Window(start=80, length=480))
    """
    fitted = _proportioned(size, target)
    sides = [max(min(old, new), 1) for old, new in zip(size, fitted, strict=True)]
    starts = [(old - side) // 2 for old, side in zip(size, sides, strict=True)]
    return Window(starts[0], sides[0]), Window(starts[1], sides[1])


def padded(size: tuple[int, int], target: tuple[int, int]) -> tuple[Window, Window]:
    """The picture with black around it, in the target's proportions.

    >>> padded((480, 640), (224, 224))
    (Window(start=-80, length=640), Window(start=0, length=640))
    """
    fitted = _proportioned(size, target)
    around = [max(0, new - old) // 2 for old, new in zip(size, fitted, strict=True)]
    down, across = (Window(-each, old + 2 * each) for old, each in zip(size, around, strict=True))
    return down, across


def _proportioned(size: tuple[int, int], target: tuple[int, int]) -> tuple[int, int]:
    """Height for the width and width for the height in the target's proportions, in Keras's float32."""
    (height, width), (tall, wide) = size, target
    return int(np.float32(width * tall) / np.float32(wide)), int(np.float32(height * wide) / np.float32(tall))


def resized(
    image: np.ndarray,
    windows: tuple[Window, Window],
    target: tuple[int, int],
    interpolation: str,
    antialias: bool,
) -> np.ndarray:
    """Windows of a ``uint8`` picture ``[height, width, channels]`` at the target's height and width."""
    if (image.shape[:2]) == target and all(window.start == 0 for window in windows):
        return image
    down, across = windows
    x = image[max(0, down.start) :, max(0, across.start) :][: down.length, : across.length]
    kept = [Window(min(0, window.start), window.length) for window in windows]
    # Across first, as TensorFlow does: sums of floats depend on it in their last bit. Not where that would
    # make a narrow picture a large one.
    for axis in (1, 0) if x.shape[0] * target[1] <= PIXELS else (0, 1):
        x = _along(x, axis, kept[axis], target[axis], interpolation, antialias)
    return np.clip(np.round(x), 0, 255).astype("uint8")


def _along(
    x: np.ndarray, axis: int, window: Window, new: int, interpolation: str, antialias: bool
) -> np.ndarray:
    """``x`` with one axis cut to ``window`` and resized, in float32."""
    places, weights = _taps(window, x.shape[axis], new, interpolation, antialias)
    total = np.zeros((), "float32")
    for tap in range(places.shape[1]):
        weight = weights[:, tap].reshape(-1, *[1] * (x.ndim - 1 - axis))
        total = total + np.take(x, places[:, tap], axis) * weight
    return total


def _taps(
    window: Window, old: int, new: int, interpolation: str, antialias: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Which pixels each new one is made of, ``[new, taps]``, and with which weights in float32."""
    scale = window.length / new
    centers = (np.arange(new) + 0.5) * scale - 0.5
    if interpolation == "nearest":
        nearest = np.minimum(np.floor((np.arange(new) + 0.5) * scale), window.length - 1)
        places, weights = nearest[:, None], np.ones((new, 1))
    else:
        kernel, reach = FILTERS[interpolation]
        stretch = max(scale, 1.0) if antialias else 1.0
        first = np.ceil(centers - reach * stretch)
        places = first[:, None] + np.arange(math.floor(2 * reach * stretch) + 1)
        weights = kernel((places - centers[:, None]) / stretch)
        weights = np.where((places >= 0) & (places < window.length), weights, 0.0)
        weights = weights / weights.sum(axis=1, keepdims=True)
    places = places + window.start
    weights = np.where((places >= 0) & (places < old), weights, 0.0)
    return np.clip(places, 0, old - 1).astype("int64"), weights.astype("float32")
