"""Residual trunks that detectors see with: which one a configuration names, and pictures on larger canvases.

Source: He et al. 2016. Weights are published in two layouts: that of ``transformers``' ``resnet``, and that
of ``timm`` (which is torchvision's), from where the first DETR checkpoints took their trunks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from sixarts.errors import CheckpointError
from sixarts.networks import published
from sixarts.networks.residual import LIMITS, Residual
from sixarts.readers.limits import check
from sixarts_hub.strict_json import short

#: What a configuration of a trunk says where it leaves a value out.
DEFAULTS: dict[str, Any] = {
    "num_channels": 3,
    "embedding_size": 64,
    "hidden_sizes": [256, 512, 1024, 2048],
    "depths": [3, 4, 6, 3],
    "layer_type": "bottleneck",
    "hidden_act": "relu",
    "downsample_in_first_stage": False,
    "downsample_in_bottleneck": False,
}
#: Trunks that ``timm`` names: kind of block, and how many a stage has.
NAMED = {
    "resnet18": ("basic", [2, 2, 2, 2]),
    "resnet34": ("basic", [3, 4, 6, 3]),
    "resnet50": ("bottleneck", [3, 4, 6, 3]),
    "resnet101": ("bottleneck", [3, 4, 23, 3]),
    "resnet152": ("bottleneck", [3, 8, 36, 3]),
}


def stated(settings: Any, kind: str) -> dict[str, Any]:
    """A trunk's own configuration, complete.

    Args:
        settings: ``backbone_config`` as a file has it.
        kind: the ``model_type`` that is expected of it.

    Raises:
        CheckpointError: another kind of trunk, or a value that will not do.
    """
    if not isinstance(settings, Mapping) or settings.get("model_type") != kind:
        raise CheckpointError(
            f"backbone_config is {short(settings)}; expected one with model_type {kind!r}; "
            "choose another model"
        )
    full = {**DEFAULTS, **settings}
    check(full, LIMITS)
    if len(full["hidden_sizes"]) != len(full["depths"]):
        raise CheckpointError(
            f"hidden_sizes={full['hidden_sizes']} and depths={full['depths']} in backbone_config; "
            "expected as many of each"
        )
    return full


def named(name: Any, dilated: bool) -> dict[str, Any]:
    """The configuration of a trunk that is stated by its name in ``timm``.

    Args:
        name: e.g. ``"resnet50"``; what comes after a point names weights, and is left out.
        dilated: whether the last stage is dilated instead of strided.

    Raises:
        CheckpointError: another trunk.
    """
    plain = str(name).partition(".")[0]
    if plain not in NAMED:
        raise CheckpointError(
            f"backbone={short(name)}; expected one of {', '.join(NAMED)}; choose another model"
        )
    kind, depths = NAMED[plain]
    widths = [64, 128, 256, 512] if kind == "basic" else DEFAULTS["hidden_sizes"]
    found = {**DEFAULTS, "layer_type": kind, "depths": depths, "hidden_sizes": widths}
    return {**found, "output_stride": 16} if dilated else found


def levels(settings: Mapping[str, Any]) -> list[int]:
    """Which stages of a trunk a detector looks at, counted from 0; the last one among them.

    Raises:
        CheckpointError: none, or stages that the trunk has not.
    """
    count = len(settings["depths"])
    given, places = settings.get("out_features"), settings.get("out_indices")
    if given is not None:
        names = [f"stage{number}" for number in range(1, count + 1)]
        found = [names.index(name) if name in names else -1 for name in given]
    elif places is not None:
        found = [place - 1 if type(place) is int else -1 for place in places]
    else:
        found = [count - 1]
    if not found or found != sorted(set(found)) or found[0] < 0 or found[-1] != count - 1:
        raise CheckpointError(
            f"out_features={short(given)} and out_indices={short(places)} in backbone_config; "
            f"expected some of stage1 to stage{count} in order, and the last"
        )
    return found


def strides(settings: Mapping[str, Any]) -> list[int]:
    """How many pixels of a picture lie between two cells of each stage.

    >>> strides(DEFAULTS)
    [4, 8, 16, 32]
    """
    first = 8 if settings["downsample_in_first_stage"] else 4
    most = settings.get("output_stride") or 2**31
    return [min(first * 2**stage, most) for stage in range(len(settings["depths"]))]


def seen_strides(settings: Mapping[str, Any]) -> tuple[int, ...]:
    """The same, of the stages that a detector looks at."""
    every = strides(settings)
    return tuple(every[level] for level in levels(settings))


class Covered(keras.layers.Layer):  # type: ignore[misc]
    """Which cells of a grid lie on the picture: ``[b, height, width, 1]``, 1 or 0.

    A cell that begins on the picture is on it, as if the canvas ended where the picture does.

    Args:
        stride: pixels between two cells.
    """

    def __init__(self, stride: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stride = stride

    def compute_output_shape(self, x_shape: Any, extent_shape: Any) -> Any:
        return (*x_shape[:-1], 1)

    def call(self, x: Any, extent: Any) -> Any:
        """Of the grid ``x`` ``[b, height, width, c]`` and pictures of ``extent`` ``[b, 2]`` in pixels."""
        cells = cells_of(extent, self.stride)
        rows = ops.arange(x.shape[1], dtype="int32")[None] < cells[:, :1]
        columns = ops.arange(x.shape[2], dtype="int32")[None] < cells[:, 1:]
        both = ops.logical_and(rows[:, :, None], columns[:, None, :])
        return ops.cast(both, self.compute_dtype)[..., None]


def cells_of(extent: Any, stride: int) -> Any:
    """Rows and columns of cells that begin on pictures of ``extent`` ``[b, 2]``."""
    return ops.floor_divide(ops.cast(extent, "int32") + (stride - 1), stride)


class CanvasResidual(Residual):
    """A trunk that sees of each canvas only the picture on it.

    What a convolution writes beside the picture is put back to what padding is before the next one looks, so
    that a picture's features are those that it has alone.

    Args:
        extent: the network's input of that name, ``[b, 2]``.
    """

    def __init__(self, config: Mapping[str, Any], policy: Any, initializer: str, extent: Any) -> None:
        super().__init__(config, policy, initializer)
        self.extent = extent
        self._covered: dict[int, Any] = {}

    def covered(self, x: Any) -> Any:
        """Which cells of ``x``, at the stride that is built, lie on the picture."""
        if self.at not in self._covered:
            layer = Covered(self.at, dtype=self.policy, name=f"covered_{self.at}")
            self._covered[self.at] = layer(x, self.extent)
        return self._covered[self.at]

    def shown(self, x: Any, around: float = 0.0) -> Any:
        # A product costs half of a choice, and is as good where all values are finite.
        return x * self.covered(x) if around == 0.0 else ops.where(self.covered(x) > 0, x, around)

    def _embedded(self, x: Any) -> Any:
        x = super()._embedded(x)
        # Beside the picture, the largest of what is around it may be no finite number.
        return x if self.config["hidden_act"] == "relu" else ops.where(self.covered(x) > 0, x, 0.0)


def timm_targets(units: Mapping[str, Sequence[Any]], prefix: str) -> published.Targets:
    """A trunk's weights under the names that ``timm`` gives them."""
    found: published.Targets = {}
    for name, (kernel, scale) in units.items():
        at, of = timm_names(name)
        found |= published.convolution(prefix + at, kernel) | published.norm(prefix + of, scale)
    return found


def timm_names(name: str) -> tuple[str, str]:
    """Of a unit: its convolution, and its norm.

    >>> timm_names("encoder.stages.1.layers.0.layer.2")
    ('layer2.0.conv3', 'layer2.0.bn3')
    >>> timm_names("encoder.stages.0.layers.0.shortcut")
    ('layer1.0.downsample.0', 'layer1.0.downsample.1')
    """
    found = re.fullmatch(r"encoder\.stages\.(\d+)\.layers\.(\d+)\.(?:shortcut|layer\.(\d+))", name)
    if found is None:
        return "conv1", "bn1"
    stage, place, part = found.groups()
    at = f"layer{int(stage) + 1}.{place}"
    if part is None:
        return f"{at}.downsample.0", f"{at}.downsample.1"
    return f"{at}.conv{int(part) + 1}", f"{at}.bn{int(part) + 1}"
