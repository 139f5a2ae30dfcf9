"""How published checkpoints state what is done to a picture, and the steps that all of them share.

Source: ``preprocessor_config.json`` as ``transformers`` reads it. Vision, detection and whoever else reads
such files build their processors of these.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from sixarts.errors import CheckpointError, InputError
from sixarts.media.images import PIXELS

FILE = "preprocessor_config.json"
#: Largest side that a configuration may resize or crop to.
SIDE = 4096

#: Means and deviations of channels: of values from -1 to 1, and those of ImageNet.
STANDARD = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}

_ENDINGS = ("ImageProcessorFast", "ImageProcessorPil", "ImageProcessor", "VideoProcessor", "FeatureExtractor")


def kind_of(settings: Mapping[str, Any], known: Mapping[str, Any], usual: str) -> str:
    """The class of processor that a file names, without its ending.

    Args:
        settings: what the file holds.
        known: the classes that can be followed, as keys.
        usual: the class where the file names none.

    Raises:
        CheckpointError: another class.
    """
    named = str(settings.get("image_processor_type") or settings.get("feature_extractor_type") or usual)
    kind = named
    for ending in _ENDINGS:
        kind = kind.removesuffix(ending)
    if kind not in known:
        expected = ", ".join(f"{name}ImageProcessor" for name in known)
        raise CheckpointError(f"{FILE} names the processor {named[:60]!r}; expected one of {expected}")
    return kind


class Normalization:
    """Pixels to the values that a network takes: ``(pixel * rescale_factor - mean) / std`` in float32.

    Args:
        settings: ``do_rescale``, ``rescale_factor``, ``do_normalize``, ``image_mean``, ``image_std``.

    Raises:
        CheckpointError: a value that is no number, or a deviation of zero.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.scale = 1.0
        if settings["do_rescale"]:
            self.scale = positive("rescale_factor", settings["rescale_factor"])
        normalized = bool(settings["do_normalize"])
        self.mean = _channels("image_mean", settings["image_mean"] if normalized else 0.0)
        self.std = _channels("image_std", settings["image_std"] if normalized else 1.0)
        if not self.std.all():
            raise CheckpointError(f"{FILE} has image_std {settings['image_std']}; expected no zero")
        self._factor = (self.scale / self.std).astype("float32")
        self._offset = (self.mean / self.std).astype("float32")

    def __call__(self, image: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Values of an image or of frames ``[..., 3]``, in ``out`` where it is given."""
        out = np.multiply(image, self._factor, out=out, dtype="float32")
        out -= self._offset
        return out


def resized(image: np.ndarray, height: int, width: int, resample: Image.Resampling) -> np.ndarray:
    """The ``uint8`` image at this size, by Pillow.

    Raises:
        InputError: more pixels than images may have, or none.
    """
    if image.shape[:2] == (height, width):
        return image
    if height * width > PIXELS or not height * width:
        raise InputError(
            f"a picture of {image.shape[1]} × {image.shape[0]} is {width} × {height} to this model; "
            "expected sides that are more alike"
        )
    return np.asarray(Image.fromarray(image).resize((width, height), resample))


def shortest(size: tuple[int, ...], side: int) -> tuple[int, int]:
    """Height and width whose shorter one is ``side``, in the proportions of ``size``.

    >>> shortest((480, 640), 256)
    (256, 341)
    """
    height, width = size
    low, high = sorted((height, width))
    other = int(side * high / low)
    return (side, other) if height <= width else (other, side)


def center_crop(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """The middle of a picture, with black around it where it is smaller.

    >>> center_crop(np.ones((2, 5, 3), "uint8"), 3, 3)[:, :, 0].tolist()
    [[0, 0, 0], [1, 1, 1], [1, 1, 1]]
    """
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    if top >= 0 and left >= 0:
        return image[top : top + height, left : left + width]
    full = (max(height, image.shape[0]), max(width, image.shape[1]))
    padded = np.zeros((*full, 3), image.dtype)
    down, across = (math.ceil((a - b) / 2) for a, b in zip(full, image.shape, strict=False))
    padded[down : down + image.shape[0], across : across + image.shape[1]] = image
    top, left = top + down, left + across
    return padded[max(0, top) : top + height, max(0, left) : left + width]


def side(value: Any) -> bool:
    """Whether a value is a length of a side, in pixels."""
    return type(value) is int and 1 <= value <= SIDE


def resampling(value: Any) -> Image.Resampling:
    """Pillow's filter of this number.

    Raises:
        CheckpointError: no such filter.
    """
    try:
        return Image.Resampling(value)
    except ValueError:
        raise CheckpointError(
            f"{FILE} has resample {str(value)[:40]}; expected one of Pillow's 0 to 5"
        ) from None


def positive(name: str, value: Any) -> float:
    """A number above 0, or a :class:`CheckpointError` that names it."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise CheckpointError(f"{FILE} has {name} {str(value)[:40]}; expected a number above 0")
    return float(value)


def _channels(name: str, value: Any) -> np.ndarray:
    values = value if isinstance(value, list) else [value] * 3
    fine = len(values) == 3 and all(
        isinstance(number, int | float) and not isinstance(number, bool) and math.isfinite(number)
        for number in values
    )
    if not fine:
        raise CheckpointError(f"{FILE} has {name} {str(value)[:60]}; expected three finite numbers")
    return np.array(values, "float64")
