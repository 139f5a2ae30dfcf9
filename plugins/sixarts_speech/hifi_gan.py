"""The vocoder HiFi-GAN: latent frames or spectrograms to samples.

Source: Kong et al. 2020; weights are named as ``transformers`` publishes them inside VITS.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from sixarts.networks.published import Targets
from sixarts_speech.vits_layers import along, pointwise


class HifiGan(layers.Layer):  # type: ignore[misc]
    """Frames to samples, by transposed convolutions and residual blocks between.

    Args:
        channels: before the first upsampling; each halves them.
        rates: by how much each upsampling lengthens.
        kernels: width of each.
        widths: kernel widths of the blocks that see the same and are averaged.
        dilations: of each such block's convolutions.
        slope: of the leaky rectifiers.
        conditioned: whether something known of the whole sequence is added.
        initializer: of the weights.
    """

    def __init__(
        self,
        channels: int,
        rates: Sequence[int],
        kernels: Sequence[int],
        widths: Sequence[int],
        dilations: Sequence[Sequence[int]],
        slope: float,
        conditioned: bool,
        initializer: str,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.channels, self.rates, self.slope = channels, tuple(rates), slope
        self.width_of = [channels // 2 ** (stage + 1) for stage in range(len(rates))]
        how: dict[str, Any] = {"kernel_initializer": initializer, "dtype": self.dtype_policy}
        same: dict[str, Any] = {**how, "padding": "same"}
        self.first = layers.Conv1D(channels, 7, name="first", **same)
        self.known = layers.Dense(channels, name="known", **how) if conditioned else None
        self.lengthen = [
            layers.Conv1DTranspose(self.width_of[stage], kernel, rate, name=f"lengthen_{stage}", **same)
            for stage, (rate, kernel) in enumerate(zip(rates, kernels, strict=True))
        ]
        #: Stage, block, dilation, first and second convolution.
        self.blocks = [
            [
                [
                    [
                        layers.Conv1D(
                            size,
                            width,
                            dilation_rate=dilation if part == 0 else 1,
                            name=f"block_{stage}_{block}_{place}_{part}",
                            **same,
                        )
                        for part in (0, 1)
                    ]
                    for place, dilation in enumerate(each)
                ]
                for block, (width, each) in enumerate(zip(widths, dilations, strict=True))
            ]
            for stage, size in enumerate(self.width_of)
        ]
        self.last = layers.Conv1D(1, 7, use_bias=False, name="last", **same)

    def build(self, x_shape: Any, mask_shape: Any = None, known_shape: Any = None) -> None:
        self.first.build(x_shape)
        if self.known is not None:
            self.known.build(known_shape)
        before = self.channels
        for lengthen, blocks, size in zip(self.lengthen, self.blocks, self.width_of, strict=True):
            lengthen.build((*x_shape[:-1], before))
            for layer in (each for block in blocks for both in block for each in both):
                layer.build((*x_shape[:-1], size))
            before = size
        self.last.build((*x_shape[:-1], before))
        self.built = True

    def compute_output_spec(self, x: Any, mask: Any, known: Any = None) -> Any:
        length = None if x.shape[1] is None else x.shape[1] * int(np.prod(self.rates))
        return keras.KerasTensor((x.shape[0], length), "float32")

    def call(self, x: Any, mask: Any, known: Any = None) -> Any:
        x = self.first(x)
        x = (x if self.known is None else x + self.known(known)) * mask
        for rate, lengthen, blocks in zip(self.rates, self.lengthen, self.blocks, strict=True):
            mask = ops.repeat(mask, rate, axis=1)
            x = lengthen(ops.leaky_relu(x, self.slope)) * mask
            x = sum(self._block(x, mask, block) for block in blocks) / len(blocks)
        return ops.cast(ops.tanh(self.last(ops.leaky_relu(x, 0.01)))[..., 0], "float32")

    def _block(self, x: Any, mask: Any, block: Any) -> Any:
        for first, second in block:
            inner = first(ops.leaky_relu(x, self.slope)) * mask
            x = x + second(ops.leaky_relu(inner, self.slope)) * mask
        return x

    def targets(self, at: str) -> Targets:
        found = along(f"{at}.conv_pre", self.first) | along(f"{at}.conv_post", self.last)
        found |= pointwise(f"{at}.cond", self.known) if self.known is not None else {}
        for stage, lengthen in enumerate(self.lengthen):
            # (in, out, width) there, (width, out, in) here.
            found |= along(f"{at}.upsampler.{stage}", lengthen)
        flat = [block for blocks in self.blocks for block in blocks]
        for number, block in enumerate(flat):
            for place, (first, second) in enumerate(block):
                found |= along(f"{at}.resblocks.{number}.convs1.{place}", first)
                found |= along(f"{at}.resblocks.{number}.convs2.{place}", second)
        return found
