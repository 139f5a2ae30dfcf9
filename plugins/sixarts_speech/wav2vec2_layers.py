"""Layers of wav2vec 2.0 that know where a sound ends: what fills a batch up changes nothing.

Source: Baevski et al. 2020, as published with ``transformers``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

from sixarts.layers import activation


def frames_after(lengths: Any, kernels: Sequence[int], strides: Sequence[int]) -> Any:
    """Frames that convolutions without padding make of so many samples; at least none.

    >>> int(frames_after(400, [10, 3], [5, 2]))
    39
    """
    for kernel, stride in zip(kernels, strides, strict=True):
        lengths = (lengths - kernel) // stride + 1
    return lengths


def heard(lengths: Any, count: Any, dtype: Any) -> Any:
    """1 for each of the first ``lengths`` frames of a row, 0 behind them, ``[b, count]``."""
    return ops.cast(ops.arange(count)[None, :] < lengths[:, None], dtype)


class HeardFrames(keras.layers.Layer):  # type: ignore[misc]
    """Which frames of a sequence are sound: ``[b, t]`` of 1 and 0.

    Args:
        kernels, strides: of the convolutions that made the sequence of the sound.
    """

    def __init__(self, kernels: Sequence[int], strides: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kernels, self.strides = kernels, strides

    def compute_output_shape(self, x_shape: Any, lengths_shape: Any) -> Any:
        return x_shape[:2]

    def call(self, x: Any, lengths: Any) -> Any:
        return heard(frames_after(lengths, self.kernels, self.strides), ops.shape(x)[1], x.dtype)


class ChannelNorm(keras.layers.Layer):  # type: ignore[misc]
    """Each channel normalized over the time that is sound (Wu and He 2018, with a group a channel)."""

    def __init__(self, epsilon: float = 1e-5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def build(self, x_shape: Any, frames_shape: Any = None) -> None:
        self.gamma = self.add_weight(name="gamma", shape=(x_shape[-1],), initializer="ones")
        self.beta = self.add_weight(name="beta", shape=(x_shape[-1],), initializer="zeros")

    def compute_output_shape(self, x_shape: Any, frames_shape: Any) -> Any:
        return x_shape

    def call(self, x: Any, frames: Any) -> Any:
        # Sums over seconds of sound lose what half precision has.
        wide = ops.cast(x, "float32")
        kept = ops.cast(frames, "float32")[:, :, None]
        count = ops.maximum(ops.sum(kept, axis=1, keepdims=True), 1.0)
        mean = ops.sum(wide * kept, axis=1, keepdims=True) / count
        variance = ops.sum(ops.square(wide - mean) * kept, axis=1, keepdims=True) / count
        normal = ops.cast((wide - mean) * ops.rsqrt(variance + self.epsilon), x.dtype)
        return normal * ops.cast(self.gamma, x.dtype) + ops.cast(self.beta, x.dtype)


class Silenced(keras.layers.Layer):  # type: ignore[misc]
    """Zeros in the frames that are no sound."""

    def compute_output_shape(self, x_shape: Any, frames_shape: Any) -> Any:
        return x_shape

    def call(self, x: Any, frames: Any) -> Any:
        return x * ops.cast(frames, x.dtype)[:, :, None]


class ConvolvedPositions(keras.layers.Layer):  # type: ignore[misc]
    """Adds a grouped convolution over time, its kernel normalized (Salimans and Kingma 2016).

    Args:
        width: of the sequence.
        kernel: positions that it sees.
        groups: of channels.
        activation_name: of what is added.
        initializer: of its direction.
    """

    def __init__(
        self, width: int, kernel: int, groups: int, activation_name: str, initializer: str, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.width, self.kernel, self.groups = width, kernel, groups
        self.active, self.initializer = activation(activation_name), initializer

    def build(self, shape: Any) -> None:
        inner = self.width // self.groups
        self.direction = self.add_weight(
            name="direction", shape=(self.kernel, inner, self.width), initializer=self.initializer
        )
        self.length = self.add_weight(name="length", shape=(self.kernel, 1, 1), initializer="ones")
        self.bias = self.add_weight(name="bias", shape=(self.width,), initializer="zeros")

    def compute_output_shape(self, shape: Any) -> Any:
        return shape

    def call(self, x: Any) -> Any:
        norms = ops.sqrt(ops.sum(ops.square(self.direction), axis=(1, 2), keepdims=True))
        kernel = ops.cast(self.direction * (self.length / norms), x.dtype)
        before = self.kernel // 2
        padded = ops.pad(x, ((0, 0), (before, self.kernel - 1 - before), (0, 0)))
        # A group at a time: not every backend's own grouped convolution can be trained on a CPU.
        parts = zip(
            ops.split(padded, self.groups, axis=2), ops.split(kernel, self.groups, axis=2), strict=True
        )
        made = [
            ops.conv(part, weights, padding="valid", data_format="channels_last") for part, weights in parts
        ]
        added = ops.concatenate(made, axis=2) if self.groups > 1 else made[0]
        return x + self.active(added + ops.cast(self.bias, x.dtype))


def convolution(
    width: int, kernel: int, stride: int, bias: bool, initializer: str, policy: Any, name: str
) -> layers.Conv1D:
    """A convolution of the sound's features, without padding."""
    return layers.Conv1D(
        width,
        kernel,
        stride,
        padding="valid",
        use_bias=bias,
        kernel_initializer=initializer,
        data_format="channels_last",
        dtype=policy,
        name=name,
    )
