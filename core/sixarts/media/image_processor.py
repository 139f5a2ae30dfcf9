"""What published checkpoints do to a picture before their network sees it, step by step as they state it.

Source: ``preprocessor_config.json`` as ``transformers`` reads it; where the file leaves a value out, that of
the named processor class stands (transformers 5.24, ``models/*/image_processing_pil_*.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from sixarts.errors import CheckpointError
from sixarts.labeled import labels_of
from sixarts.media.preparation import (
    FILE,
    SIDE,
    STANDARD,
    Normalization,
    center_crop,
    kind_of,
    positive,
    resampling,
    resized,
    shortest,
    side,
)
from sixarts.model import Processor, read_json, write_json

_COMMON = {
    "do_resize": True,
    "do_center_crop": False,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "default_to_square": True,
}
#: Class of the processor, without its ending, to what it does where the file does not say.
DEFAULTS: dict[str, dict[str, Any]] = {
    "ViT": {**_COMMON, **STANDARD, "size": {"height": 224, "width": 224}, "resample": 2},
    "DeiT": {
        **_COMMON,
        **STANDARD,
        "size": {"height": 256, "width": 256},
        "crop_size": {"height": 224, "width": 224},
        "do_center_crop": True,
        "resample": 3,
    },
    "ConvNext": {
        **_COMMON,
        **STANDARD,
        "size": {"shortest_edge": 384},
        "default_to_square": False,
        "resample": 3,
        "crop_pct": 224 / 256,
    },
    "Bit": {
        **_COMMON,
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711],
        "size": {"shortest_edge": 224},
        "default_to_square": False,
        "crop_size": {"height": 224, "width": 224},
        "do_center_crop": True,
        "resample": 3,
    },
}


class ImageProcessor(Processor):
    """RGB pictures to the array that a network takes.

    Args:
        settings: as ``preprocessor_config.json`` holds them.
        labels: the network's classes, in order.

    Raises:
        CheckpointError: a processor class or a value that this cannot follow.
    """

    def __init__(self, settings: Mapping[str, Any], labels: Sequence[str]) -> None:
        self.stated, self.labels = dict(settings), tuple(labels)
        kind = kind_of(settings, DEFAULTS, "ViT")
        full = {**DEFAULTS[kind], **{name: value for name, value in settings.items() if value is not None}}
        square = bool(full["default_to_square"])
        self.size: Any = _size("size", full["size"], square) if full["do_resize"] else None
        self.crop: Any = _size("crop_size", full["crop_size"], True) if full["do_center_crop"] else None
        self.resample = resampling(full["resample"])
        share = positive("crop_pct", full.get("crop_pct", 1.0))
        if kind == "ConvNext" and self.size is not None:
            self.size, self.crop = _convnext(self.size, share)
        self.normalized = Normalization(full)

    @classmethod
    def from_folder(cls, folder: Path, config: Mapping[str, Any]) -> Self:
        return cls(read_json(folder / FILE), labels_of(config))

    def save(self, folder: Path) -> None:
        write_json(folder / FILE, self.stated)

    def relabeled(self, labels: Sequence[str]) -> Self:
        """The same for other classes."""
        return type(self)(self.stated, labels)

    @property
    def output_size(self) -> tuple[int, int] | None:
        """Height and width of every array that comes out; ``None`` where they are the picture's."""
        if self.crop is not None:
            height, width = self.crop
            return height, width
        return self.size if isinstance(self.size, tuple) else None

    def arrays(self, images: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """``pixel_values`` ``[b, height, width, 3]`` in float32, of ``uint8`` pictures of any sizes."""
        shaped = [self.shaped(image) for image in images]
        pixels = np.empty((len(shaped), *shaped[0].shape), "float32")
        for image, out in zip(shaped, pixels, strict=True):
            self.normalized(image, out)
        return {"pixel_values": pixels}

    def shaped(self, image: np.ndarray) -> np.ndarray:
        """The picture resized and cropped, still ``uint8``."""
        if self.size is not None:
            image = resized(image, *self._target(image.shape[:2]), self.resample)
        return image if self.crop is None else center_crop(image, *self.crop)

    def seen(self, height: int, width: int) -> tuple[float, float, float, float]:
        """The part of a picture that the network sees: top, left, bottom, right, in the picture's pixels."""
        crop = self.crop
        tall, wide = self._target((height, width)) if self.size is not None else (height, width)
        if crop is None:
            return (0.0, 0.0, float(height), float(width))
        top, left = (tall - crop[0]) // 2, (wide - crop[1]) // 2
        down, across = height / tall, width / wide
        return (top * down, left * across, (top + crop[0]) * down, (left + crop[1]) * across)

    def _target(self, size: tuple[int, ...]) -> tuple[int, int]:
        """What a picture of this size is resized to."""
        return shortest(size, self.size) if isinstance(self.size, int) else self.size


def _size(name: str, value: Any, square: bool) -> int | tuple[int, int]:
    """Height and width, or the length of the shorter side."""
    found: Any = None
    if isinstance(value, Mapping):
        found = (
            value["shortest_edge"]
            if set(value) == {"shortest_edge"}
            else (value.get("height"), value.get("width"))
        )
    elif isinstance(value, int):
        found = (value, value) if square else value
    sides: tuple[Any, ...] = found if isinstance(found, tuple) else (found,)
    if not all(map(side, sides)):
        raise CheckpointError(
            f"{FILE} has {name} {str(value)[:60]}; expected height and width, or shortest_edge, up to {SIDE}"
        )
    return (sides[0], sides[1]) if len(sides) == 2 else int(sides[0])


def _convnext(size: Any, share: float) -> tuple[Any, tuple[int, int] | None]:
    """Size and crop of Liu et al. 2022: below 384 pixels a part, from there on the whole, warped."""
    if not isinstance(size, int):
        raise CheckpointError(f"{FILE} states size {size} for ConvNext; expected shortest_edge")
    if not 1 <= int(size / share) <= SIDE:
        raise CheckpointError(f"{FILE} has crop_pct {share}; expected a share of the picture")
    return ((size, size), None) if size >= 384 else (int(size / share), (size, size))
