"""Residual convolutional networks (He et al. 2016) in the layout of ``transformers``' ``resnet``.

Sight classifies with them; detection reads them as a backbone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from keras import layers, ops

from sixarts.layers import activation
from sixarts.networks.published import Targets, convolution, norm

#: Every convolution and pooling states it: the user's Keras may be set to the other order.
CHANNELS = "channels_last"


class Residual:
    """The trunk of a residual network, as functional layers, and the names of its weights.

    Args:
        config: ``embedding_size``, ``hidden_sizes``, ``depths``, ``layer_type``, ``hidden_act``,
            ``downsample_in_first_stage``, ``downsample_in_bottleneck``, as published.
        policy: dtype of the layers.
        initializer: of the kernels.
    """

    def __init__(self, config: Mapping[str, Any], policy: Any, initializer: str) -> None:
        self.config, self.policy = config, policy
        self.initializer = initializer if initializer == "zeros" else "he_normal"
        self.units: dict[str, tuple[Any, Any]] = {}

    def __call__(self, x: Any) -> list[Any]:
        """Outputs of every stage for ``x`` ``[b, height, width, 3]``, the last one last."""
        c = self.config
        x = self._unit(x, "embedder.embedder", c["embedding_size"], 7, 2, c["hidden_act"])
        # Values after a ReLU are at least 0, so that zeros around them are no maximum.
        around = 0.0 if c["hidden_act"] == "relu" else -np.inf
        x = ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=around)
        x = layers.MaxPooling2D(3, 2, data_format=CHANNELS, dtype=self.policy, name="embedder_pool")(x)
        stages = []
        for stage, (width, depth) in enumerate(zip(c["hidden_sizes"], c["depths"], strict=True)):
            for place in range(depth):
                stride = 2 if place == 0 and (stage > 0 or c["downsample_in_first_stage"]) else 1
                x = self._block(x, f"encoder.stages.{stage}.layers.{place}", width, stride)
            stages.append(x)
        return stages

    def targets(self, prefix: str) -> Targets:
        """Published names to variables, under ``prefix``."""
        found: Targets = {}
        for name, (kernel, scale) in self.units.items():
            found |= convolution(f"{prefix}{name}.convolution", kernel)
            found |= norm(f"{prefix}{name}.normalization", scale)
        return found

    def _unit(self, x: Any, name: str, width: int, size: int, stride: int, act: str | None) -> Any:
        """Convolution, batch norm, activation; padded as PyTorch does, the same on both sides."""
        flat = name.replace(".", "_")
        if size > 1 and stride > 1:
            x = layers.ZeroPadding2D(size // 2, data_format=CHANNELS, dtype=self.policy, name=f"{flat}_pad")(
                x
            )
        kernel = layers.Conv2D(
            width,
            size,
            stride,
            padding="same" if stride == 1 else "valid",
            use_bias=False,
            kernel_initializer=self.initializer,
            data_format=CHANNELS,
            dtype=self.policy,
            name=flat,
        )
        scale = layers.BatchNormalization(epsilon=1e-5, momentum=0.9, dtype=self.policy, name=f"{flat}_norm")
        self.units[name] = (kernel, scale)
        x = scale(kernel(x))
        if act is None:
            return x
        return layers.Activation(activation(act), dtype=self.policy, name=f"{flat}_act")(x)

    def _block(self, x: Any, name: str, width: int, stride: int) -> Any:
        c = self.config
        act = c["hidden_act"]
        short = x
        if x.shape[-1] != width or stride != 1:
            short = self._unit(x, f"{name}.shortcut", width, 1, stride, None)
        if c["layer_type"] == "bottleneck":
            first, second = (stride, 1) if c["downsample_in_bottleneck"] else (1, stride)
            x = self._unit(x, f"{name}.layer.0", width // 4, 1, first, "relu")
            x = self._unit(x, f"{name}.layer.1", width // 4, 3, second, "relu")
            x = self._unit(x, f"{name}.layer.2", width, 1, 1, None)
        else:
            x = self._unit(x, f"{name}.layer.0", width, 3, stride, "relu")
            x = self._unit(x, f"{name}.layer.1", width, 3, 1, None)
        flat = name.replace(".", "_")
        x = layers.Add(dtype=self.policy, name=f"{flat}_sum")([x, short])
        return layers.Activation(activation(act), dtype=self.policy, name=f"{flat}_out")(x)
