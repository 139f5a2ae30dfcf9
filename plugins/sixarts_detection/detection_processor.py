"""What published detectors do to a picture before their network sees it, as they state it.

Source: ``preprocessor_config.json`` as ``transformers`` reads it; where the file leaves a value out, that of
the named processor class stands (transformers 5.24, ``models/*/image_processing_pil_*.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from sixarts.errors import CheckpointError, InputError
from sixarts.labeled import labels_of
from sixarts.media.preparation import (
    FILE,
    IMAGENET,
    SIDE,
    Normalization,
    kind_of,
    resampling,
    resized,
    side,
)
from sixarts.model import read_json, write_json
from sixarts_detection.backbone import seen_strides
from sixarts_detection.detection_model import DetectionProcessor
from sixarts_detection.rt_detr_backbone import trunk_of

_COMMON = {
    "do_resize": True,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "resample": 2,
    **IMAGENET,
    "size": {"shortest_edge": 800, "longest_edge": 1333},
}
#: Class of the processor, without its ending, to what it does where the file does not say.
DEFAULTS: dict[str, dict[str, Any]] = {
    "Detr": _COMMON,
    "Yolos": _COMMON,
    "RTDetr": {**_COMMON, "do_normalize": False, "size": {"height": 640, "width": 640}},
}
#: Longest side where the file states the shortest by a number alone (files of 2021).
LONGEST = 1333
#: Sides of a picture for YOLOS are multiples of this, and of a canvas for DETR of that.
PATCH, STEP = 16, 64

#: What ``size`` may name, in the order in which it is looked for.
_SIZES = (("shortest_edge", "longest_edge"), ("max_height", "max_width"), ("height", "width"))


class PublishedProcessor(DetectionProcessor):
    """RGB pictures to the array that a network takes; the canvas is the resized picture.

    Args:
        settings: as ``preprocessor_config.json`` holds them.
        labels: the network's classes, in order; without the class that stands for no object.

    Raises:
        CheckpointError: a processor class or a value that this cannot follow.
    """

    #: Class of the processor where the file names none.
    usual: ClassVar[str] = "Yolos"

    def __init__(self, settings: Mapping[str, Any], labels: Sequence[str]) -> None:
        self.stated, self.labels = dict(settings), tuple(labels)
        self.kind = kind_of(settings, DEFAULTS, self.usual)
        full = {
            **DEFAULTS[self.kind],
            **{name: value for name, value in settings.items() if value is not None},
        }
        self.size = _size(full, self.kind) if full["do_resize"] else {}
        self.resample = resampling(full["resample"])
        self.normalized = Normalization(full)
        self.pad = _pad(full)

    @classmethod
    def from_folder(cls, folder: Path, config: Mapping[str, Any]) -> Self:
        return cls(read_json(folder / FILE), labels_of(config))

    def save(self, folder: Path) -> None:
        write_json(folder / FILE, self.stated)

    def relabeled(self, labels: Sequence[str]) -> Self:
        return type(self)(self.stated, labels)

    def target(self, height: int, width: int) -> tuple[int, int]:
        """Height and width that a picture of this size is resized to.

        Raises:
            InputError: nothing is left of one side.
        """
        found = _target((height, width), self.size, self.kind == "Yolos")
        if min(found) < 1:
            raise InputError(
                f"a picture of {width} × {height} is {found[1]} × {found[0]} to this model; "
                "expected sides that are more alike"
            )
        return found

    def canvas(self, height: int, width: int) -> tuple[int, int]:
        return self.target(height, width)

    def shaped(self, image: np.ndarray) -> np.ndarray:
        """The picture at its target's size, still ``uint8``."""
        return resized(image, *self.target(*image.shape[:2]), self.resample)

    def arrays(self, images: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """``pixel_values`` ``[b, height, width, 3]`` in float32, of pictures with one target."""
        return {"pixel_values": np.stack([self.normalized(self.shaped(image)) for image in images])}


class WholeProcessor(PublishedProcessor):
    """For networks that take no mask: whatever is on the canvas is the picture.

    Raises:
        CheckpointError: canvases of a fixed size are asked for.
    """

    def __init__(self, settings: Mapping[str, Any], labels: Sequence[str]) -> None:
        super().__init__(settings, labels)
        if self.pad is not None:
            raise CheckpointError(
                f"{FILE} has pad_size {settings['pad_size']} for a network that cannot tell a picture from "
                "what is around it; expected none; leave pad_size out"
            )


class ScaledProcessor(WholeProcessor):
    """For networks that lay each scale's cells over the next coarser one's, four on one.

    Args:
        strides: pixels between two cells of each scale.

    Raises:
        CheckpointError: pictures of one size, whose cells would not fit.
    """

    usual = "RTDetr"

    def __init__(
        self, settings: Mapping[str, Any], labels: Sequence[str], strides: Sequence[int] = (8, 16, 32)
    ) -> None:
        super().__init__(settings, labels)
        self.strides = tuple(strides)
        if "height" in self.size and not self._fits(self.size["height"], self.size["width"]):
            raise CheckpointError(f"{FILE} has size {self.size}; expected multiples of {self.strides[-1]}")

    @classmethod
    def from_folder(cls, folder: Path, config: Mapping[str, Any]) -> Self:
        return cls(read_json(folder / FILE), labels_of(config), seen_strides(trunk_of(config)))

    def relabeled(self, labels: Sequence[str]) -> Self:
        return type(self)(self.stated, labels, self.strides)

    def target(self, height: int, width: int) -> tuple[int, int]:
        """Height and width that a picture of this size is resized to.

        Raises:
            InputError: nothing is left of one side, or scales would not fit on each other.
        """
        found = super().target(height, width)
        if not self._fits(*found):
            raise InputError(
                f"a picture of {width} × {height} is {found[1]} × {found[0]} to this model; expected "
                f"multiples of {self.strides[-1]}; state such a size in {FILE}"
            )
        return found

    def _fits(self, *sides: int) -> bool:
        counts = [[-(-length // stride) for stride in self.strides] for length in sides]
        return all(a == 2 * b for one in counts for a, b in pairwise(one))


class CanvasProcessor(PublishedProcessor):
    """For networks that take each picture's extent: canvases are a little larger, so that few shapes come."""

    usual = "Detr"

    def canvas(self, height: int, width: int) -> tuple[int, int]:
        """The target, each side up to a multiple of 64; or ``pad_size``, where the file states it.

        Raises:
            InputError: the target is larger than ``pad_size``.
        """
        tall, wide = self.target(height, width)
        if self.pad is None:
            return -(-tall // STEP) * STEP, -(-wide // STEP) * STEP
        if tall > self.pad[0] or wide > self.pad[1]:
            raise InputError(
                f"a picture of {width} × {height} is {wide} × {tall} to this model; "
                f"expected at most {self.pad[1]} × {self.pad[0]}, its pad_size"
            )
        return self.pad

    def arrays(self, images: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """``pixel_values`` ``[b, height, width, 3]`` of pictures with one canvas, ``extent`` ``[b, 2]``."""
        shaped = [self.shaped(image) for image in images]
        extent = np.array([image.shape[:2] for image in shaped], "int32")
        height, width = self.canvas(*images[0].shape[:2])
        pixels = np.zeros((len(images), height, width, 3), "float32")
        for place, image in enumerate(shaped):
            pixels[place, : image.shape[0], : image.shape[1]] = self.normalized(image)
        return {"pixel_values": pixels, "extent": extent}


def _target(size: tuple[int, int], wanted: Mapping[str, int], patched: bool) -> tuple[int, int]:
    """What a picture is resized to, by the two numbers that the file states."""
    match wanted:
        case {"shortest_edge": low, "longest_edge": high}:
            return patches(size, low, high) if patched else edges(size, low, high)
        case {"max_height": tall, "max_width": wide}:
            share = min(tall / size[0], wide / size[1])
            return int(size[0] * share), int(size[1] * share)
        case {"height": tall, "width": wide}:
            return tall, wide
    return size


def edges(size: tuple[int, int], low: int, high: int) -> tuple[int, int]:
    """The shorter side to ``low``, unless the longer one would be more than ``high``.

    >>> edges((480, 640), 800, 1333), edges((300, 900), 800, 1333)
    ((800, 1066), (444, 1333))
    """
    side, exact = _shorter(size, low, high)
    return size if side == min(size) else _stretched(size, side, exact)


def patches(size: tuple[int, int], low: int, high: int) -> tuple[int, int]:
    """The same, cut to whole patches.

    >>> patches((480, 640), 800, 1333)
    (800, 1056)
    """
    side, exact = _shorter(size, low, high)
    # Upright pictures are computed even where nothing is to be done, as published.
    tall, wide = size if side == size[0] <= size[1] else _stretched(size, side, exact)
    return tall - tall % PATCH, wide - wide % PATCH


def _shorter(size: tuple[int, int], low: int, high: int) -> tuple[int, float]:
    """What the shorter side becomes: in pixels, and before rounding where the longer one decides."""
    if max(size) / min(size) * low > high:
        exact = high * min(size) / max(size)
        return round(exact), exact
    return low, low


def _stretched(size: tuple[int, int], side: int, exact: float) -> tuple[int, int]:
    """The shorter side at ``side``, the longer one in proportion to what it was before rounding."""
    height, width = size
    return (int(exact * height / width), side) if width < height else (side, int(exact * width / height))


def _size(full: Mapping[str, Any], kind: str) -> dict[str, int]:
    """The two numbers that ``size`` states, under their names."""
    size = full["size"]
    if type(size) is int and kind != "RTDetr":
        size = {"shortest_edge": size, "longest_edge": full.get("max_size", LONGEST)}
    elif isinstance(size, list) and len(size) == 2:
        size = {"height": size[0], "width": size[1]}
    for names in _SIZES:
        if isinstance(size, Mapping) and set(size) == set(names) and all(map(side, size.values())):
            return dict(size)
    expected = ", or ".join(" and ".join(names) for names in _SIZES)
    raise CheckpointError(f"{FILE} has size {str(size)[:60]}; expected {expected}, up to {SIDE}")


def _pad(full: Mapping[str, Any]) -> tuple[int, int] | None:
    """Height and width of every canvas, where the file states them."""
    pad = full.get("pad_size")
    if pad is None or full.get("do_pad") is False:
        return None
    if not isinstance(pad, Mapping) or set(pad) != {"height", "width"} or not all(map(side, pad.values())):
        raise CheckpointError(f"{FILE} has pad_size {str(pad)[:60]}; expected height and width, up to {SIDE}")
    return pad["height"], pad["width"]
