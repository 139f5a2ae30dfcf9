"""Layers that Moonshine has beside KerasHub's: frames of sounds of unlike length, and places as angles.

KerasHub's group norm runs over all of a batch's samples, so that its answers depend on what a sound is filled
up with; here each sound is normed by its own frames, and is answered in a batch as it is alone.

Sources: Jeffries et al. 2024 (Moonshine); Wu and He 2018 (group norm); Su et al. 2021 (rotary embedding).
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops


class SoundFrames(keras.layers.Layer):  # type: ignore[misc]
    """Samples ``[b, n]`` and their counts ``[b]`` to frames ``[b, s, d]``, and which are sound ``[b, s]``.

    Args:
        backbone: KerasHub's, with the three convolutions, their activations and the norm.
    """

    def __init__(self, backbone: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.convolutions = [backbone.conv1, backbone.conv2, backbone.conv3]
        self.activations = [
            backbone.tanh_after_conv1,
            backbone.gelu_after_conv2,
            backbone.gelu_after_conv3,
        ]
        self.norm = backbone.group_norm
        self.built = True

    def build(self, *shapes: Any, **named: Any) -> None:
        """The parts are KerasHub's, and built."""

    @property
    def shortest(self) -> int:
        """Samples of which one frame is made."""
        count = 1
        for layer in reversed(self.convolutions):
            count = (count - 1) * layer.strides[0] + layer.kernel_size[0]
        return count

    def compute_output_spec(self, samples: Any, counts: Any) -> tuple[Any, Any]:
        """Shapes and dtypes of the two, which Keras would find by sounds that are too short."""
        rows, width = samples.shape[0], self.convolutions[-1].filters
        return (
            keras.KerasTensor((rows, None, width), self.compute_dtype),
            keras.KerasTensor((rows, None), "bool"),
        )

    def call(self, samples: Any, counts: Any) -> tuple[Any, Any]:
        x = samples[..., None]
        for place, (convolution, activation) in enumerate(
            zip(self.convolutions, self.activations, strict=True)
        ):
            x = activation(convolution(x))
            counts = (counts - convolution.kernel_size[0]) // convolution.strides[0] + 1
            if not place:
                x = self._normed(x, counts)
        return x, _within(x, counts)

    def _normed(self, x: Any, counts: Any) -> Any:
        """``[b, s, d]`` by mean and variance over each row's first ``counts`` frames, as one group."""
        full = ops.cast(x, "float32")
        seen = ops.cast(_within(x, counts), "float32")[:, :, None]
        share = 1.0 / (ops.cast(ops.maximum(counts, 1), "float32")[:, None, None] * full.shape[-1])
        centered = full - share * ops.sum(full * seen, axis=(1, 2), keepdims=True)
        variance = share * ops.sum(ops.square(centered * seen), axis=(1, 2), keepdims=True)
        scale = ops.rsqrt(variance + self.norm.epsilon) * ops.cast(self.norm.gamma, "float32")
        return ops.cast(centered * scale + ops.cast(self.norm.beta, "float32"), x.dtype)


def _within(x: Any, counts: Any) -> Any:
    """Which positions of ``[b, s, d]`` are among each row's first."""
    return ops.arange(ops.shape(x)[1], dtype="int32")[None, :] < counts[:, None]


class Angles(keras.layers.Layer):  # type: ignore[misc]
    """The angles by which a rotary embedding turns each position of ``[b, t, d]``: ``[t, size]``.

    They are KerasHub's, as its formula has them: two neighbors share one. They are never rounded to half
    precision, in which a place far from the start would have another.

    Args:
        size: how many of a head's numbers are turned.
        base: of the wavelengths.
    """

    def __init__(self, size: int, base: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.frequencies = frequencies(size, base)
        self.built = True

    def build(self, *shapes: Any, **named: Any) -> None:
        """There is no weight."""

    def call(self, x: Any) -> Any:
        return self.of(ops.arange(ops.shape(x)[1], dtype="int32"))

    def of(self, places: Any) -> Any:
        """The same for positions ``[t]``."""
        angles = ops.multiply(ops.cast(places, "float32")[:, None], self.frequencies)
        return ops.repeat(angles, 2, axis=-1)


def frequencies(size: int, base: float) -> np.ndarray:
    """Radians a position of each pair of ``size`` numbers.

    >>> frequencies(4, 100.0).tolist()
    [1.0, 0.10000000149011612]
    """
    return np.asarray(1.0 / base ** (np.arange(size // 2) / (size // 2)), "float32")


def turned(x: Any, angles: Any) -> Any:
    """``[b, t, h, e]``, its first numbers in pairs turned by ``angles`` ``[t, size]``."""
    size, dtype = angles.shape[-1], x.dtype
    first = ops.cast(x[..., :size], "float32")
    pairs = ops.reshape(first, (*ops.shape(first)[:-1], size // 2, 2))
    across = ops.reshape(ops.stack([-pairs[..., 1], pairs[..., 0]], axis=-1), ops.shape(first))
    angles = angles[None, :, None]
    found = ops.cast(first * ops.cos(angles) + across * ops.sin(angles), dtype)
    return ops.concatenate([found, x[..., size:]], axis=-1)


def by_heads(x: Any) -> Any:
    """``[b, t, h, e]`` to ``[b, h, t, e]``, and back."""
    return ops.transpose(x, (0, 2, 1, 3))


def keyed(x: Any) -> Any:
    """``[b, t, h, e]`` to ``[b, h, e, t]``, as products with queries read it."""
    return ops.transpose(x, (0, 2, 3, 1))


def attended(attention: Any, queries: Any, keys: Any, values: Any, bias: Any) -> Any:
    """One of KerasHub's attentions over keys and values that were projected before.

    Args:
        attention: gives the last projection.
        queries: ``[b, h, t, e]``.
        keys: ``[b, h, e, s]``.
        values: ``[b, h, s, e]``.
        bias: what is added to scores.

    Returns:
        ``[b, t, d]``.
    """
    queries = queries * ops.cast(values.shape[-1] ** -0.5, queries.dtype)
    scores = ops.matmul(queries, keys) + bias
    return attention._output_dense(by_heads(ops.matmul(ops.softmax(scores, axis=-1), values)))
