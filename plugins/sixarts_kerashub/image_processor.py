"""What a KerasHub preset does to a picture before its network sees it, in NumPy.

Source: ``keras_hub.layers.ImageConverter``: resize, multiply by ``scale``, add ``offset``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from sixarts.errors import CheckpointError
from sixarts.labeled import labels_of
from sixarts.media.preparation import SIDE, side
from sixarts.model import Processor, read_optional_json, write_json
from sixarts_hub.strict_json import short
from sixarts_kerashub.reading import stated
from sixarts_kerashub.resizing import INTERPOLATIONS, cropped, padded, resized, whole

FILE = "image_converter.json"
#: Where a preset may keep its converter, and the way to it; KerasHub's tasks take the first that is there.
PLACES = {
    "task.json": ("preprocessor", "image_converter"),
    "preprocessor.json": ("image_converter",),
    FILE: (),
}


class ConverterProcessor(Processor):
    """RGB pictures to the array that a preset's network takes.

    Args:
        name: class of the converter, e.g. ``"ViTImageConverter"``.
        settings: as its ``config`` holds them.
        labels: the network's classes, in order.

    Raises:
        CheckpointError: a value that this cannot follow.
    """

    def __init__(self, name: str, settings: Mapping[str, Any], labels: Sequence[str]) -> None:
        self.name, self.stated, self.labels = name, dict(settings), tuple(labels)
        self.size = _size(settings)
        self.scale, self.offset = _scale_and_offset(settings)
        self.interpolation = settings.get("interpolation", "bilinear")
        if self.interpolation not in INTERPOLATIONS:
            expected = ", ".join(INTERPOLATIONS)
            raise CheckpointError(
                f"{FILE} has interpolation {short(self.interpolation)}; expected one of {expected}"
            )
        self.antialias = bool(settings.get("antialias", False))
        crops, pads = settings.get("crop_to_aspect_ratio", True), settings.get("pad_to_aspect_ratio", False)
        if crops and pads:
            raise CheckpointError(f"{FILE} both crops and pads to the aspect ratio; expected one of the two")
        self.windows = cropped if crops else padded if pads else whole

    @classmethod
    def from_folder(cls, folder: Path, config: Mapping[str, Any]) -> Self:
        return cls(*_found(folder), labels_of(config))

    def save(self, folder: Path) -> None:
        write_json(
            folder / FILE,
            {
                "class_name": self.name,
                "registered_name": f"keras_hub>{self.name}",
                "config": self.stated,
            },
        )

    def relabeled(self, labels: Sequence[str]) -> Self:
        """The same for other classes."""
        return type(self)(self.name, self.stated, labels)

    @property
    def output_size(self) -> tuple[int, int]:
        """Height and width of every array that comes out."""
        return self.size

    def arrays(self, images: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """``pixel_values`` ``[b, height, width, 3]`` in float32, of ``uint8`` pictures of any sizes."""
        return {"pixel_values": np.stack([self._converted(image) for image in images])}

    def seen(self, height: int, width: int) -> tuple[float, float, float, float]:
        """The part of a picture that the network sees: top, left, bottom, right, in the picture's pixels."""
        down, across = self.windows((height, width), self.size)
        return (
            float(down.start),
            float(across.start),
            float(down.start + down.length),
            float(across.start + across.length),
        )

    def _converted(self, image: np.ndarray) -> np.ndarray:
        height, width = image.shape[:2]
        windows = self.windows((height, width), self.size)
        small = resized(image, windows, self.size, self.interpolation, self.antialias)
        return np.asarray(small.astype("float32") * self.scale + self.offset)


def _found(folder: Path) -> tuple[str, dict[str, Any]]:
    """Class name and settings of the folder's converter."""
    for file, way in PLACES.items():
        value: Any = read_optional_json(folder / file)
        for part in way:
            value = stated(value, file)[1].get(part) if value else None
        if value:
            name, settings = stated(value, f"the image converter in {file}")
            if not name.endswith("ImageConverter"):
                raise CheckpointError(f"{file} names the converter {short(name)}; expected an ImageConverter")
            return name, settings
    raise CheckpointError(
        f"{folder} says nowhere how pictures are prepared (in {', '.join(PLACES)}); expected an image "
        "converter; save the preset with its preprocessor"
    )


def _size(settings: Mapping[str, Any]) -> tuple[int, int]:
    size = settings.get("image_size")
    if size is None and "height" in settings:  # as the first versions have it
        size = [settings.get("height"), settings.get("width")]
    if not isinstance(size, list | tuple) or len(size) != 2 or not all(map(side, size)):
        raise CheckpointError(
            f"{FILE} has image_size {short(size)}; expected one size for all pictures: height and width, "
            f"up to {SIDE}"
        )
    return size[0], size[1]


def _scale_and_offset(settings: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """What is multiplied and what is added, a number or one for each channel, in float32."""
    scale, offset = settings.get("scale"), settings.get("offset")
    if "variance" in settings and "mean" in settings:  # as the first versions have it
        deviation = np.sqrt(_channels("variance", settings["variance"]))
        if not deviation.all():
            raise CheckpointError(f"{FILE} has variance {short(settings['variance'])}; expected no zero")
        scale = (_channels("scale", 1.0 if scale is None else scale) / deviation).tolist()
        offset = (-_channels("mean", settings["mean"]) / deviation).tolist()
    return (
        _channels("scale", 1.0 if scale is None else scale).astype("float32"),
        _channels("offset", 0.0 if offset is None else offset).astype("float32"),
    )


def _channels(name: str, value: Any) -> np.ndarray:
    values = list(value) if isinstance(value, list | tuple) else [value] * 3
    fine = len(values) == 3 and all(type(each) in (int, float) and math.isfinite(each) for each in values)
    if not fine or (name == "variance" and min(values) < 0):
        raise CheckpointError(f"{FILE} has {name} {short(value)}; expected a finite number, or three")
    return np.array(values, "float64")
