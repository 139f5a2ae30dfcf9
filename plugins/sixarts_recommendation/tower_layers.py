"""Layers of the two towers: means of histories, unit length, and the softmax over a batch."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

#: What an item that stands twice in a batch scores as another's negative.
NEVER = -1e9


class MeanRows(layers.Layer):  # type: ignore[misc]
    """The mean of the rows that are there, ``[b, t, d]`` and numbers ``[b, t]`` (0: none) to ``[b, d]``."""

    def compute_output_spec(self, rows: Any, numbers: Any) -> Any:
        return keras.KerasTensor((rows.shape[0], rows.shape[-1]), self.compute_dtype)

    def call(self, rows: Any, numbers: Any) -> Any:
        there = ops.cast(numbers > 0, self.compute_dtype)
        total = ops.sum(rows * there[..., None], axis=1)
        return total / ops.maximum(ops.sum(there, axis=1, keepdims=True), 1)


class UnitLength(layers.Layer):  # type: ignore[misc]
    """Vectors of length 1."""

    def compute_output_spec(self, x: Any) -> Any:
        return keras.KerasTensor(x.shape, self.compute_dtype)

    def call(self, x: Any) -> Any:
        return x / ops.sqrt(ops.maximum(ops.sum(x * x, axis=-1, keepdims=True), 1e-12))


class Likeness(layers.Layer):  # type: ignore[misc]
    """Inner products of two vectors a row, ``[b, d]`` and ``[b, d]`` to ``[b]``."""

    def compute_output_spec(self, one: Any, other: Any) -> Any:
        return keras.KerasTensor((one.shape[0],), "float32")

    def call(self, one: Any, other: Any) -> Any:
        return ops.sum(one * other, axis=-1)


class InBatch(layers.Layer):  # type: ignore[misc]
    """Scores of each row's user for every row's item, ``[b, b]``; a row's own item is the right one.

    An item is a negative as often as it is popular, which is corrected for by the logarithm of how often
    (Yi et al. 2019, equation 5). Where it is also the right one of a row, it is no negative there.

    Args:
        temperature: by which cosines are divided.
    """

    def __init__(self, temperature: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.temperature = temperature

    def compute_output_spec(self, user: Any, item: Any, numbers: Any, log_q: Any) -> Any:
        return keras.KerasTensor((user.shape[0], item.shape[0]), "float32")

    def call(self, user: Any, item: Any, numbers: Any, log_q: Any) -> Any:
        scores = ops.matmul(user, ops.transpose(item)) / self.temperature - log_q[None, :]
        count = ops.shape(numbers)[0]
        same = ops.equal(numbers[:, None], numbers[None, :])
        own = ops.equal(ops.arange(count)[:, None], ops.arange(count)[None, :])
        return ops.where(ops.logical_and(same, ops.logical_not(own)), NEVER, scores)
