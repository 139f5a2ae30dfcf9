"""The ``fcos`` family: a small network that finds objects at each place of a pyramid of feature maps.

Sources: Tian et al. 2019 (FCOS: boxes as distances from places), Lin et al. 2017 (the pyramid), Tan et al.
2020 (heads that share convolutions between levels and keep norms apart), Feng et al. 2021 (TOOD: places are
assigned by how well they classify and locate, and a score tells both). Trained from nothing by this project.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np
from keras import layers, ops

from sixarts.checkpoint import Target
from sixarts.errors import CheckpointError
from sixarts.labeled import labels_of
from sixarts.media.preparation import FILE, IMAGENET, SIDE, Normalization, kind_of, resampling, resized, side
from sixarts.model import read_json, write_json
from sixarts.networks.published import Targets, convolution, norm
from sixarts.networks.residual import CHANNELS
from sixarts.readers.limits import number, whole
from sixarts_detection.detection_model import DetectionModel, DetectionProcessor

DEFAULTS: dict[str, Any] = {
    "model_type": "fcos",
    "architectures": ["FcosForObjectDetection"],
    "image_size": [256, 320],
    "stem": 16,
    "widths": [32, 64, 128, 192],
    "pyramid": 64,
    "head_layers": 2,
    "threshold": 0.4,
}
#: Pixels between the places of each level.
STRIDES = (8, 16, 32)
#: The largest exponent of a distance: 400 times the stride.
REACH = 6.0

LIMITS = {
    "image_size": (
        lambda value: (
            isinstance(value, list)
            and len(value) == 2
            and all(side(length) and length % STRIDES[-1] == 0 for length in value)
        ),
        f"height and width, multiples of {STRIDES[-1]} up to {SIDE}",
    ),
    "stem": whole(1, 4096),
    "widths": (
        lambda value: (
            isinstance(value, list)
            and len(value) == 4
            and all(type(width) is int and 1 <= width <= 4096 for width in value)
        ),
        "a list of four widths from 1 to 4,096",
    ),
    "pyramid": whole(1, 4096),
    "head_layers": whole(1, 16),
    "threshold": number(0, 1),
}


class FcosProcessor(DetectionProcessor):
    """Pictures made as large as the canvas allows, in their own proportions.

    Args:
        settings: as ``preprocessor_config.json`` holds them: ``size`` of the canvas, ``resample``,
            ``image_mean``, ``image_std``.
        labels: the network's classes, in order.
    """

    def __init__(self, settings: Mapping[str, Any], labels: Sequence[str]) -> None:
        self.stated, self.labels = dict(settings), tuple(labels)
        kind_of(settings, {"Fcos": None}, "Fcos")
        full = {
            "do_rescale": True,
            "rescale_factor": 1 / 255,
            "do_normalize": True,
            "resample": 2,
            **settings,
        }
        size = full.get("size")
        sides = [size.get("height"), size.get("width")] if isinstance(size, Mapping) else [size]
        if not all(map(side, sides)) or any(length % STRIDES[-1] for length in sides):
            raise CheckpointError(
                f"{FILE} has size {str(size)[:60]}; expected height and width, multiples of {STRIDES[-1]} up "
                f"to {SIDE}"
            )
        self.size = (sides[0], sides[1])
        self.resample = resampling(full["resample"])
        self.normalized = Normalization({**IMAGENET, **full})

    @classmethod
    def from_folder(cls, folder: Path, config: Mapping[str, Any]) -> Self:
        return cls(read_json(folder / FILE), labels_of(config))

    def save(self, folder: Path) -> None:
        write_json(folder / FILE, self.stated)

    def relabeled(self, labels: Sequence[str]) -> Self:
        return type(self)(self.stated, labels)

    def target(self, height: int, width: int) -> tuple[int, int]:
        share = min(self.size[0] / height, self.size[1] / width)
        return max(round(height * share), 1), max(round(width * share), 1)

    def canvas(self, height: int, width: int) -> tuple[int, int]:
        return self.size

    def arrays(self, images: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        pixels = np.zeros((len(images), *self.size, 3), "float32")
        extent = np.zeros((len(images), 2), "int32")
        for row, image in enumerate(images):
            height, width = extent[row] = self.target(*image.shape[:2])
            pixels[row, :height, :width] = self.normalized(resized(image, height, width, self.resample))
        return {"pixel_values": pixels, "extent": extent}


class Fcos(DetectionModel):
    """Residual stages, a pyramid of three levels, and two branches: what is there, and how far it reaches.

    Example::

        sixarts.new("object-detection", family="fcos", image_size=[256, 320])
    """

    family = "fcos"
    processor_class = FcosProcessor
    defaults, limits = DEFAULTS, LIMITS
    settings = frozenset(DEFAULTS)
    head = ("class_head.weight", "class_head.bias")
    scoring = "sigmoid"
    overlapping = True
    queries = False
    fused = False

    def processor_for(self, labels: Sequence[str]) -> FcosProcessor:
        if self.built:
            return self.processor.relabeled(labels)
        height, width = self.config["image_size"]
        stated = {"image_processor_type": "FcosImageProcessor", "size": {"height": height, "width": width}}
        return FcosProcessor(stated, labels)

    @property
    def grids(self) -> list[tuple[int, int]]:
        """Rows and columns of places, for each level."""
        height, width = self.processor.size
        return [(height // stride, width // stride) for stride in STRIDES]

    def places(self) -> np.ndarray:
        """Center x and y of each place and its stride, in pixels of the canvas: ``[n, 3]``."""
        found = []
        for (rows, columns), stride in zip(self.grids, STRIDES, strict=True):
            down, across = np.mgrid[:rows, :columns].reshape(2, -1)
            found.append(
                np.stack([(across + 0.5) * stride, (down + 0.5) * stride, np.full(len(down), stride)], 1)
            )
        return np.concatenate(found).astype("float32")

    def build(self, initializer: str) -> keras.Model:
        self.units: Targets = {}
        self.initializer = initializer if initializer == "zeros" else "he_normal"
        inputs, x = self.pixels(*self.processor.size)
        extent = keras.Input((2,), dtype="int32", name="extent")
        levels = self._pyramid(self._stages(x))
        classes = self._branch("class", levels)
        reaches = self._branch("box", levels)
        rare = -4.6 if initializer != "zeros" else 0.0  # 1 %, as Lin et al. 2017 begin
        logits = self._head("class_head", classes, len(self.processor.labels), rare)
        distances = self._head("box_head", reaches, 4, 0.0)
        boxes = Reach(self.places(), dtype="float32", name="reach")(distances, extent)
        return self.closed({"pixel_values": inputs, "extent": extent}, logits, boxes)

    def _stages(self, x: Any) -> list[Any]:
        """Feature maps at 8, 16 and 32 pixels."""
        c = self.config
        x = self._unit("stem", x, c["stem"], 2)
        found = []
        for stage, width in enumerate(c["widths"]):
            x = self._unit(f"stage_{stage}.down", x, width, 2)
            inner = self._unit(f"stage_{stage}.first", x, width)
            inner = self._unit(f"stage_{stage}.second", inner, width)
            x = layers.Add(dtype=self.device.policy, name=f"stage_{stage}_sum")([x, inner])
            found.append(x)
        return found[1:]

    def _pyramid(self, stages: list[Any]) -> list[Any]:
        """Each map with what the coarser ones know."""
        width, policy = self.config["pyramid"], self.device.policy
        found: list[Any] = []
        for level in reversed(range(len(stages))):
            x = self._unit(f"lateral_{level}", stages[level], width, size=1)
            if found:
                above = layers.UpSampling2D(2, data_format=CHANNELS, dtype=policy, name=f"up_{level}")(
                    found[0]
                )
                x = layers.Add(dtype=policy, name=f"merged_{level}")([x, above])
                x = self._unit(f"smooth_{level}", x, width)
            found.insert(0, x)
        return found

    def _branch(self, name: str, levels: list[Any]) -> list[Any]:
        """Convolutions that the levels share, each level with norms of its own."""
        width = self.config["pyramid"]
        for depth in range(self.config["head_layers"]):
            at = f"{name}_branch.{depth}"
            kernel = self._convolution(at, width, 3)
            levels = [self._normed(f"{at}.{level}", kernel(x)) for level, x in enumerate(levels)]
            self.units |= convolution(f"{at}.convolution", kernel)
        return levels

    def _unit(self, name: str, x: Any, width: int, stride: int = 1, size: int = 3) -> Any:
        """Convolution, batch norm, activation."""
        kernel = self._convolution(name, width, size, stride)
        x = self._normed(name, kernel(x))
        self.units |= convolution(f"{name}.convolution", kernel)
        return x

    def _convolution(self, name: str, width: int, size: int, stride: int = 1) -> Any:
        return layers.Conv2D(
            width,
            size,
            stride,
            padding="same",
            use_bias=False,
            kernel_initializer=self.initializer,
            data_format=CHANNELS,
            dtype=self.device.policy,
            name=name.replace(".", "_"),
        )

    def _normed(self, name: str, x: Any) -> Any:
        flat, policy = name.replace(".", "_"), self.device.policy
        scale = layers.BatchNormalization(epsilon=1e-5, momentum=0.9, dtype=policy, name=f"{flat}_norm")
        x = layers.Activation("silu", dtype=policy, name=f"{flat}_act")(scale(x))
        self.units |= norm(f"{name}.normalization", scale)
        return x

    def _head(self, name: str, levels: list[Any], width: int, bias: float) -> Any:
        """One output of ``width`` numbers a place, the levels one after another: ``[b, n, width]``."""
        head = layers.Conv2D(
            width,
            3,
            padding="same",
            kernel_initializer=self.initializer
            if self.initializer == "zeros"
            else keras.initializers.RandomNormal(0.01),
            bias_initializer=keras.initializers.Constant(bias),
            data_format=CHANNELS,
            dtype=self.device.policy,
            name=name,
        )
        flat = [
            layers.Reshape((-1, width), name=f"{name}_{level}")(head(x)) for level, x in enumerate(levels)
        ]
        self.units |= convolution(name, head)
        return layers.Concatenate(axis=1, name=f"{name}_all")(flat)

    def targets(self, names: frozenset[str]) -> Mapping[tuple[str, ...], Target]:
        return self.units


class Reach(layers.Layer):  # type: ignore[misc]
    """Distances from places to boxes: center and sides as shares of each picture's sides.

    Args:
        places: center x, center y, stride of each, in pixels ``[n, 3]``.
    """

    def __init__(self, places: np.ndarray, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.places = places

    def compute_output_shape(self, distances_shape: Any, extent_shape: Any) -> Any:
        return distances_shape

    def call(self, distances: Any, extent: Any) -> Any:
        """``distances`` ``[b, n, 4]``: logarithms of left, top, right, bottom over the stride."""
        places = ops.convert_to_tensor(self.places)
        reach = ops.exp(ops.minimum(distances, REACH)) * places[:, 2:]
        low, high = places[:, :2] - reach[..., :2], places[:, :2] + reach[..., 2:]
        sides = ops.cast(ops.flip(extent, axis=-1), "float32")[:, None]
        return ops.concatenate([(low + high) / 2 / sides, (high - low) / sides], axis=-1)
