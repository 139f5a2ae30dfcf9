"""RT-DETR's encoder: attention within the coarsest features, convolutions between fine and coarse ones.

Source: Zhao et al. 2024, section 4.2; its blocks are RepVGG's (Ding et al. 2021) with both branches as they
were trained, within a cross-stage connection (Wang et al. 2020).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from keras import layers, ops

from sixarts.layers import activation
from sixarts.networks.published import Targets, convolution, norm
from sixarts.networks.residual import CHANNELS
from sixarts_detection import layout
from sixarts_detection.places import GridPlaces
from sixarts_detection.transformer import PlacedBlock

#: How many blocks of two branches a cross-stage connection holds.
BRANCHED = 3


class Units:
    """Convolutions with a batch norm each, as functional layers, and the names of their weights.

    Args:
        policy: dtype of the layers.
        initializer: of the kernels.
        parts: what a unit's convolution and its norm are called in the file.
    """

    def __init__(self, policy: Any, initializer: str, parts: tuple[str, str]) -> None:
        self.policy, self.initializer, self.parts = policy, initializer, parts
        self.found: dict[str, tuple[Any, Any]] = {}

    def __call__(
        self,
        x: Any,
        name: str,
        width: int,
        size: int = 1,
        stride: int = 1,
        act: str | None = None,
        epsilon: float = 1e-5,
    ) -> Any:
        """Padded as PyTorch does, the same on both sides."""
        flat = name.replace(".", "_")
        if stride > 1:
            pad = layers.ZeroPadding2D(size // 2, data_format=CHANNELS, dtype=self.policy, name=f"{flat}_pad")
            x = pad(x)
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
        scale = layers.BatchNormalization(
            epsilon=epsilon, momentum=0.9, dtype=self.policy, name=f"{flat}_norm"
        )
        self.found[name] = (kernel, scale)
        x = scale(kernel(x))
        if act is None:
            return x
        return layers.Activation(activation(act), dtype=self.policy, name=f"{flat}_act")(x)

    def targets(self, prefix: str) -> Targets:
        """Published names to variables, under ``prefix``."""
        found: Targets = {}
        for name, (kernel, scale) in self.found.items():
            found |= convolution(f"{prefix}{name}.{self.parts[0]}", kernel)
            found |= norm(f"{prefix}{name}.{self.parts[1]}", scale)
        return found


class IntraScaleBlock(PlacedBlock):
    """A block over the cells of one scale.

    With the norm first, what the feed-forward layer adds to is the normed value, as published.
    """

    def _close(self, x: Any, training: bool) -> Any:
        if not self._norm_first:
            return super()._close(x, training)
        read = self.norm(x)
        return read + self.dropout(self.feed_forward(read, training=training), training=training)


class HybridEncoder:
    """Features of several scales to as many, all of one width.

    Args:
        config: the detector's.
        policy: dtype of the layers.
        initializer: of the kernels.
    """

    def __init__(self, config: Mapping[str, Any], policy: Any, initializer: str) -> None:
        self.config, self.policy, self.initializer = config, policy, initializer
        self.units = Units(policy, initializer, ("conv", "norm"))
        self.scales: list[list[IntraScaleBlock]] = []

    def __call__(self, features: Sequence[Any]) -> list[Any]:
        """From fine to coarse, each ``[b, height, width, d]`` and twice the next one's size."""
        features = list(features)
        for place, level in enumerate(self.config["encode_proj_layers"]):
            features[level] = self._attended(features[level], place)
        last = len(features) - 1
        down = [features[-1]]
        for place in range(last):
            down[-1] = self._unit(down[-1], f"lateral_convs.{place}")
            finer = features[last - place - 1]
            top = layers.UpSampling2D(2, data_format=CHANNELS, dtype=self.policy, name=f"larger_{place}")(
                down[-1]
            )
            down.append(self._joined(top, finer, f"fpn_blocks.{place}"))
        found = [down[-1]]
        for place in range(last):
            lower = self._unit(found[-1], f"downsample_convs.{place}", 3, 2)
            found.append(self._joined(lower, down[last - place - 1], f"pan_blocks.{place}"))
        return found

    def _attended(self, x: Any, place: int) -> Any:
        """One scale whose cells have looked at each other."""
        c, width = self.config, self.config["encoder_hidden_dim"]
        if not c["encoder_layers"]:
            return x
        told = GridPlaces(
            width,
            c["positional_encoding_temperature"],
            c["eval_size"] is not None,
            dtype=self.policy,
            name=f"places_{place}",
        )(x)
        blocks = [
            IntraScaleBlock(
                width,
                c["encoder_attention_heads"],
                c["encoder_ffn_dim"],
                c["encoder_activation_function"],
                c["dropout"],
                c["dropout"],
                c["activation_dropout"],
                self.initializer,
                c["layer_norm_eps"],
                c["normalize_before"],
                dtype=self.policy,
                name=f"scale_{place}_{number}",
            )
            for number in range(c["encoder_layers"])
        ]
        self.scales.append(blocks)
        cells = layers.Reshape((-1, width), dtype=self.policy, name=f"cells_{place}")(x)
        for block in blocks:
            cells = block(cells, told)
        return Regridded(dtype=self.policy, name=f"grid_{place}")(cells, x)

    def _unit(self, x: Any, name: str, size: int = 1, stride: int = 1) -> Any:
        c = self.config
        width, act = c["encoder_hidden_dim"], c["activation_function"]
        return self.units(x, name, width, size, stride, act, c["batch_norm_eps"])

    def _joined(self, one: Any, other: Any, name: str) -> Any:
        """Two scales of one size: half of the channels through blocks of two branches, half past them."""
        c = self.config
        act, epsilon = c["activation_function"], c["batch_norm_eps"]
        width = int(c["encoder_hidden_dim"] * c["hidden_expansion"])
        flat = name.replace(".", "_")
        both = layers.Concatenate(dtype=self.policy, name=f"{flat}_both")([one, other])
        x = self.units(both, f"{name}.conv1", width, act=act, epsilon=epsilon)
        for place in range(BRANCHED):
            at = f"{name}.bottlenecks.{place}"
            wide = self.units(x, f"{at}.conv1", width, 3, epsilon=epsilon)
            narrow = self.units(x, f"{at}.conv2", width, epsilon=epsilon)
            x = layers.Activation(activation(act), dtype=self.policy, name=f"{flat}_branched_{place}")(
                wide + narrow
            )
        x = x + self.units(both, f"{name}.conv2", width, act=act, epsilon=epsilon)
        if width == c["encoder_hidden_dim"]:
            return x
        return self.units(x, f"{name}.conv3", c["encoder_hidden_dim"], act=act, epsilon=epsilon)

    def targets(self, prefix: str) -> Targets:
        """Published names to variables, under ``prefix``."""
        found = self.units.targets(prefix)
        for place, blocks in enumerate(self.scales):
            for number, block in enumerate(blocks):
                found |= layout.block(f"{prefix}encoder.{place}.layers.{number}", block)
        return found


class Regridded(layers.Layer):  # type: ignore[misc]
    """Cells in a row, ``[b, height * width, d]``, back on the grid that they came from."""

    def compute_output_shape(self, x_shape: Any, grid_shape: Any) -> Any:
        return (*grid_shape[:3], x_shape[-1])

    def call(self, x: Any, grid: Any) -> Any:
        return ops.reshape(x, (-1, grid.shape[1], grid.shape[2], x.shape[-1]))
