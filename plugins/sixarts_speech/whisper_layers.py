"""Layers that Whisper has beside the shared ones: convolutions over time, and a decoder that is prompted."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from sixarts.layers import DecoderBlock
from sixarts.masks import causal_bias


class TimeConvolution(layers.Layer):  # type: ignore[misc]
    """A convolution of three steps over time, 0 before the first and after the last; then GELU.

    It is one product with a matrix, which every backend does at its best speed.

    Args:
        filters: size of the output.
        stride: steps from one output to the next.
        initializer: of the kernel.
    """

    def __init__(self, filters: int, stride: int, initializer: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters, self.stride, self.initializer = filters, stride, initializer

    def build(self, shape: Any) -> None:
        self.kernel = self.add_weight(
            name="kernel", shape=(3, shape[-1], self.filters), initializer=self.initializer
        )
        self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros")
        self.built = True

    def compute_output_shape(self, shape: Any) -> Any:
        return (shape[0], None if shape[1] is None else (shape[1] - 1) // self.stride + 1, self.filters)

    def call(self, x: Any) -> Any:
        length, stride = x.shape[1], self.stride
        padded = ops.pad(x, ((0, 0), (1, 1), (0, 0)))
        taps = [padded[:, first : first + length : stride] for first in range(3)]
        kernel = ops.cast(ops.reshape(self.kernel, (-1, self.filters)), x.dtype)
        out = ops.matmul(ops.concatenate(taps, axis=-1), kernel) + ops.cast(self.bias, x.dtype)
        return keras.activations.gelu(out, approximate=False)


class PromptedBlock(DecoderBlock):
    """A decoder's block whose memory is seen whole, and which takes a prompt at once."""

    def compute_output_spec(self, x: Any, memory: Any, mask: Any = None, training: bool = False) -> Any:
        return super().compute_output_spec(x, memory, mask, training)

    def call(self, x: Any, memory: Any, mask: Any = None, training: bool = False) -> tuple[Any, Any]:
        """The teacher-forced pass; as :meth:`sixarts.layers.DecoderBlock.call`, without a mask."""
        seen = causal_bias(ops.shape(x)[1], self.compute_dtype)
        x, _, weights = self.several(x, seen, self.cross_attention.project(memory), training=training)
        return x, weights

    def several(
        self, x: Any, seen: Any, memory: tuple[Any, Any], training: bool = False
    ) -> tuple[Any, tuple[Any, Any], Any]:
        """Many positions at once.

        Args:
            x: ``[b, t, d]``.
            seen: additive bias, ``[b, 1, t, t]``.
            memory: cross keys and values, as the attention projects them.

        Returns:
            The output ``[b, t, d]``, its own keys ``[b, h, e, t]`` and values ``[b, h, t, e]``, and the
            weights over the memory ``[b, h, t, s]``.
        """
        read = self._before(x, self.attention_norm)
        own = self.attention.project(read)
        mixed, _ = self.attention.attend(read, *own, seen, training=training)
        x = self._after(x, mixed, self.attention_norm, training)
        read = self._before(x, self.cross_attention_norm)
        mixed, weights = self.cross_attention.attend(read, *memory, training=training)
        x = self._after(x, mixed, self.cross_attention_norm, training)
        return self._close(x, training), own, weights


def wave_positions(length: int, width: int) -> np.ndarray:
    """Sines and cosines ``[length, width]`` of frequencies from 1 down to 1/10,000, both included.

    >>> wave_positions(2, 4).round(4).tolist()
    [[0.0, 0.0, 1.0, 1.0], [0.8414999842643738, 9.999999747378752e-05, 0.5403000116348267, 1.0]]
    """
    half = width // 2
    falling = np.exp(-np.log(10000.0) / max(half - 1, 1) * np.arange(half))
    angles = np.arange(length)[:, None] * falling
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype("float32")
