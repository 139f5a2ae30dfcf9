"""Residual convolutional networks (He et al. 2016) in the layout of ``transformers``' ``resnet``.

Sight classifies with them; detection reads them as a backbone, with strides turned into dilation where a
configuration says so (Yu et al. 2017), and on canvases that a picture does not fill.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from keras import layers, ops

from sixarts.layers import activation
from sixarts.networks.published import Targets, convolution, norm
from sixarts.readers.limits import NAME, TRUTH, one_of, some, whole

#: Every convolution and pooling states it: the user's Keras may be set to the other order.
CHANNELS = "channels_last"

#: What a configuration of such a trunk may say; each far beyond what is published.
LIMITS = {
    "num_channels": one_of(3),
    "embedding_size": whole(1, 2**14),
    "hidden_sizes": some(whole(1, 2**14), 16),
    "depths": some(whole(1, 256), 16),
    "layer_type": one_of("basic", "bottleneck"),
    "hidden_act": NAME,
    "downsample_in_first_stage": TRUTH,
    "downsample_in_bottleneck": TRUTH,
}


class Residual:
    """The trunk of a residual network, as functional layers, and the names of its weights.

    Args:
        config: ``embedding_size``, ``hidden_sizes``, ``depths``, ``layer_type``, ``hidden_act``,
            ``downsample_in_first_stage``, ``downsample_in_bottleneck``, as published; ``output_stride``,
            where there is one, is the stride beyond which stages are dilated instead.
        policy: dtype of the layers.
        initializer: of the kernels.

    Attributes:
        units: name of each convolution to it and its norm.
        at: stride of what is being built, from the picture on.
    """

    def __init__(self, config: Mapping[str, Any], policy: Any, initializer: str) -> None:
        self.config, self.policy = config, policy
        self.initializer = initializer if initializer == "zeros" else "he_normal"
        self.units: dict[str, tuple[Any, Any]] = {}
        self.at = 1

    def __call__(self, x: Any) -> list[Any]:
        """Outputs of every stage for ``x`` ``[b, height, width, 3]``, the last one last."""
        c, dilation, stages = self.config, 1, []
        x = self._embedded(x)
        for stage, (width, depth) in enumerate(zip(c["hidden_sizes"], c["depths"], strict=True)):
            stride, before = 2 if stage > 0 or c["downsample_in_first_stage"] else 1, dilation
            if stride > 1 and self.at >= (c.get("output_stride") or np.inf):
                stride, dilation = 1, 2 * dilation
            for place in range(depth):
                name = f"encoder.stages.{stage}.layers.{place}"
                # What a stage looks at first lies as far apart as in the stage before.
                apart = (dilation if place else before, dilation)
                x = self._block(x, name, width, 1 if place else stride, apart)
            stages.append(x)
        return stages

    def shown(self, x: Any, around: float = 0.0) -> Any:
        """``x`` before its neighborhoods are looked at.

        A trunk over canvases that a picture does not fill puts ``around`` outside of the picture here.
        """
        return x

    def targets(self, prefix: str) -> Targets:
        """Published names to variables, under ``prefix``."""
        found: Targets = {}
        for name, (kernel, scale) in self.units.items():
            found |= convolution(f"{prefix}{name}.convolution", kernel)
            found |= norm(f"{prefix}{name}.normalization", scale)
        return found

    def _embedded(self, x: Any) -> Any:
        """A quarter of the height and width."""
        c = self.config
        x = self._unit(x, "embedder.embedder", c["embedding_size"], 7, 2, c["hidden_act"])
        self.at = 2
        x = self._pooled(x)
        self.at = 4
        return x

    def _pooled(self, x: Any) -> Any:
        """The largest of 3 × 3, every other one."""
        # Values after a ReLU are at least 0, so that zeros around them are no maximum.
        around = 0.0 if self.config["hidden_act"] == "relu" else -np.inf
        x = self.shown(x, around)
        x = ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=around)
        return layers.MaxPooling2D(3, 2, data_format=CHANNELS, dtype=self.policy, name="embedder_pool")(x)

    def _unit(
        self, x: Any, name: str, width: int, size: int, stride: int, act: str | None, dilation: int = 1
    ) -> Any:
        """Convolution, batch norm, activation; padded as PyTorch does, the same on both sides."""
        flat = name.replace(".", "_")
        if size > 1:
            x = self.shown(x)
        if size > 1 and stride > 1:
            x = layers.ZeroPadding2D(size // 2, data_format=CHANNELS, dtype=self.policy, name=f"{flat}_pad")(
                x
            )
        kernel = layers.Conv2D(
            width,
            size,
            stride,
            padding="same" if stride == 1 else "valid",
            dilation_rate=dilation,
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

    def _block(self, x: Any, name: str, width: int, stride: int, apart: tuple[int, int]) -> Any:
        """One block; ``apart`` are the dilations of its first and second 3 × 3 convolution."""
        c = self.config
        act = c["hidden_act"]
        short = self._shortcut(x, name, width, stride)
        if c["layer_type"] == "bottleneck":
            first, second = (stride, 1) if c["downsample_in_bottleneck"] else (1, stride)
            x = self._unit(x, f"{name}.layer.0", width // 4, 1, first, "relu")
            self.at *= first
            x = self._unit(x, f"{name}.layer.1", width // 4, 3, second, "relu", apart[0])
            self.at *= second
            x = self._unit(x, f"{name}.layer.2", width, 1, 1, None)
        else:
            x = self._unit(x, f"{name}.layer.0", width, 3, stride, "relu", apart[0])
            self.at *= stride
            x = self._unit(x, f"{name}.layer.1", width, 3, 1, None, apart[1])
        flat = name.replace(".", "_")
        x = layers.Add(dtype=self.policy, name=f"{flat}_sum")([x, short])
        return layers.Activation(activation(act), dtype=self.policy, name=f"{flat}_out")(x)

    def _shortcut(self, x: Any, name: str, width: int, stride: int) -> Any:
        """What a block's input becomes beside the block."""
        if x.shape[-1] == width and stride == 1:
            return x
        return self._unit(x, f"{name}.shortcut", width, 1, stride, None)
