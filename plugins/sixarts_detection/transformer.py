"""Transformer blocks whose queries and keys know their places, and what stands at both ends of them.

Source: Carion et al. 2020, figure 10: positions are added to queries and keys in every block, never to
values.
Shapes: ``b`` pictures, ``n`` queries, ``s`` cells of a picture, ``d`` width.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from sixarts.layers import DecoderBlock, EncoderBlock
from sixarts.masks import mask_bias


class PlacedBlock(EncoderBlock):
    """An encoder's block over cells that know where they are."""

    def compute_output_spec(
        self, x: Any, places: Any = None, mask: Any = None, training: bool = False
    ) -> Any:
        return keras.KerasTensor(x.shape, self.compute_dtype)

    def call(self, x: Any, places: Any = None, mask: Any = None, training: bool = False) -> Any:
        """Cells ``[b, s, d]`` that have looked at each other.

        Args:
            x: the cells.
            places: what is added to queries and keys, of the same shape.
            mask: ``[b, s]``, nonzero for cells that may be seen.
        """
        read = self._before(x, self.attention_norm)
        asked = read if places is None else read + places
        bias = None if mask is None else mask_bias(mask, self.compute_dtype)
        mixed = mix(self.attention, asked, asked, read, bias, training)
        return self._close(self._after(x, mixed, self.attention_norm, training), training)


class QueryBlock(DecoderBlock):
    """A decoder's block: queries look at each other, then at the cells of the picture."""

    def compute_output_spec(
        self, x: Any, queries: Any, memory: Any, keyed: Any, mask: Any, training: bool = False
    ) -> Any:
        return keras.KerasTensor(x.shape, self.compute_dtype)

    def call(self, x: Any, queries: Any, memory: Any, keyed: Any, mask: Any, training: bool = False) -> Any:
        """What the queries have found so far, ``[b, n, d]``.

        Args:
            x: the same before this block.
            queries: what tells one query from another, of the same shape.
            memory: the encoder's cells, ``[b, s, d]``.
            keyed: the same with their places.
            mask: ``[b, s]``, nonzero for cells that may be seen.
        """
        asked = x + queries
        mixed = mix(self.attention, asked, asked, x, None, training)
        x = self._after(x, mixed, self.attention_norm, training)
        bias = mask_bias(mask, self.compute_dtype)
        mixed = mix(self.cross_attention, x + queries, keyed, memory, bias, training)
        x = self._after(x, mixed, self.cross_attention_norm, training)
        return self._close(x, training)


def mix(attention: Any, asked: Any, keyed: Any, told: Any, bias: Any, training: bool) -> Any:
    """An attention whose keys and values come from two tensors.

    Args:
        attention: a :class:`sixarts.layers.Attention`.
        asked: what queries are made of, ``[b, n, d]``.
        keyed: what keys are made of, ``[b, s, d]``.
        told: what values are made of, ``[b, s, d]``.
        bias: added to the scores.
    """
    keys, values = attention.turned(attention.key(keyed)), attention.split(attention.value(told))
    return attention.mix(asked, keys, values, bias, training=training)


class Queries(keras.layers.Layer):  # type: ignore[misc]
    """A learned vector for each of ``count`` queries, the same for every picture: ``[b, count, width]``."""

    def __init__(self, count: int, width: int, initializer: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.count, self.width = count, width
        self.initializer = initializer if initializer == "zeros" else "random_normal"

    def build(self, shape: Any) -> None:
        self.table = self.add_weight(
            name="table", shape=(self.count, self.width), initializer=self.initializer
        )
        self.built = True

    def compute_output_shape(self, shape: Any) -> Any:
        return (shape[0], self.count, self.width)

    def call(self, like: Any) -> Any:
        """As many rows as ``like`` has."""
        table = ops.cast(self.table, self.compute_dtype)
        return ops.broadcast_to(table[None], (ops.shape(like)[0], self.count, self.width))


class Perceptron(keras.layers.Layer):  # type: ignore[misc]
    """Dense layers with rectifiers between them.

    Args:
        widths: of each layer's output.
        initializer: of the kernels.
        last: of the last layer's kernel, where it differs.
    """

    def __init__(
        self, widths: Sequence[int], initializer: str, last: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.widths = tuple(widths)
        kinds = [initializer] * (len(self.widths) - 1) + [last or initializer]
        self.layers = [
            keras.layers.Dense(
                width,
                activation="relu" if place < len(self.widths) - 1 else None,
                kernel_initializer=kind,
                dtype=self.dtype_policy,
                name=f"dense_{place}",
            )
            for place, (width, kind) in enumerate(zip(self.widths, kinds, strict=True))
        ]

    def build(self, shape: Any) -> None:
        width = shape[-1]
        for layer in self.layers:
            layer.build((None, None, width))
            width = layer.units
        self.built = True

    def compute_output_shape(self, shape: Any) -> Any:
        return (*shape[:-1], self.widths[-1])

    def call(self, x: Any) -> Any:
        for layer in self.layers:
            x = layer(x)
        return x
