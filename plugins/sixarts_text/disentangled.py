"""Attention that knows how far apart tokens are (He et al. 2021, "DeBERTa", section 3.1).

A token's content looks at the other's content, at how far away it is ("c2p"), and is looked at by distance
("p2c"). Distances beyond half of the buckets share them, as logarithms do (second version of DeBERTa).

Shapes: ``b`` rows, ``t`` positions, ``h`` heads, ``d`` width, ``n`` rows of the table of distances.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from sixarts.layers import Attention, EncoderBlock
from sixarts.masks import mask_bias

#: What a configuration's ``pos_att_type`` may name.
KINDS = ("c2p", "p2c")


def distance_rows(length: int, span: int, buckets: int, farthest: int) -> np.ndarray:
    """For each distance from ``1 - length`` to ``length - 1`` its row in a table of ``2 * span``.

    Args:
        length: most positions of a sequence.
        span: half of the table's rows.
        buckets: how many rows distances are brought to; none are where it is not positive.
        farthest: distance that the last bucket is for.

    >>> distance_rows(4, 4, -1, -1).tolist()
    [1, 2, 3, 4, 5, 6, 7]
    """
    distances = np.arange(1 - length, length)
    if buckets > 0 and farthest > 0:
        middle = buckets // 2
        # In float32, as published: a distance on the edge of a bucket must fall on the same side.
        far = np.maximum(np.abs(distances), middle).astype("float32")
        steps = np.log(far / np.float32(middle)) / np.log(np.float32((farthest - 1) / middle))
        rows = np.ceil(steps * np.float32(middle - 1)) + middle
        near = np.abs(distances) <= middle
        distances = np.where(near, distances, rows * np.sign(distances)).astype("int64")
    return np.clip(distances + span, 0, 2 * span - 1).astype("int32")


class Distances(layers.Layer):  # type: ignore[misc]
    """The learned table of distances ``[n, d]``, normalized where the configuration says so."""

    def __init__(
        self, rows: int, width: int, epsilon: float | None = None, initializer: Any = "normal", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.rows, self.width, self.initializer = rows, width, initializer
        self.norm = (
            None
            if epsilon is None
            else layers.LayerNormalization(epsilon=epsilon, dtype=self.dtype_policy, name="norm")
        )

    def build(self, shape: Any) -> None:
        self.table = self.add_weight(
            name="table", shape=(self.rows, self.width), initializer=self.initializer
        )
        if self.norm is not None:
            self.norm.build((self.rows, self.width))
        self.built = True

    def compute_output_spec(self, x: Any) -> Any:
        return keras.KerasTensor((self.rows, self.width), self.compute_dtype)

    def call(self, x: Any) -> Any:
        """The table; ``x`` only says that the network is being run."""
        table = ops.cast(self.table, self.compute_dtype)
        return table if self.norm is None else self.norm(table)


class DisentangledAttention(Attention):
    """Attention with scores of content and distance.

    Args:
        kinds: which of :data:`KINDS` are added.
        shared: whether distances are projected by the content's own projections.
        rows: row of each distance, from :func:`distance_rows`; none where distances are not looked at.
        **kwargs: as for :class:`sixarts.layers.Attention`.
    """

    def __init__(
        self, *args: Any, kinds: Collection[str], shared: bool, rows: np.ndarray | None, **kwargs: Any
    ) -> None:
        initializer = kwargs.get("initializer", "glorot_uniform")
        super().__init__(*args, **kwargs)
        self.kinds, self.rows = tuple(kinds), rows
        self.scale = (self.size * (1 + len(self.kinds))) ** -0.5
        self.distance_key, self.distance_query = self.key, self.query
        if rows is not None and not shared:

            def projection(name: str) -> Any:
                return layers.Dense(
                    self.width, kernel_initializer=initializer, dtype=self.dtype_policy, name=name
                )

            self.distance_key = projection("distance_key") if "c2p" in self.kinds else None
            self.distance_query = projection("distance_query") if "p2c" in self.kinds else None

    def build(self, *shapes: Any, **named: Any) -> None:
        super().build(*shapes, **named)
        for layer in (self.distance_key, self.distance_query):
            if layer is not None and not layer.built:
                layer.build((None, self.width))

    def call(self, x: Any, distances: Any, bias: Any, training: bool = False) -> Any:  # type: ignore[override]
        """``x`` ``[b, t, d]`` over itself; ``distances`` ``[n, d]``; the output ``[b, t, d]``."""
        scale = ops.cast(self.scale, x.dtype)
        queries = self.split(self.query(x)) * scale
        keys, values = self.split(self.key(x)), self.split(self.value(x))
        scores = ops.matmul(queries, ops.transpose(keys, (0, 1, 3, 2)))
        if self.rows is not None:
            scores = scores + self._by_distance(queries, keys, distances, scale)
        weights = ops.softmax(scores + bias, axis=-1)
        mixed = ops.matmul(self.dropout(weights, training=training), values)
        length = ops.shape(x)[1]
        mixed = ops.reshape(ops.transpose(mixed, (0, 2, 1, 3)), (ops.shape(x)[0], length, self.width))
        return self.out(mixed)

    def _by_distance(self, queries: Any, keys: Any, distances: Any, scale: Any) -> Any:
        """Scores ``[b, h, t, t]`` that distances add."""
        shape = ops.shape(queries)
        length = shape[2]
        places = ops.arange(length)
        assert self.rows is not None
        longest = (len(self.rows) + 1) // 2
        rows = ops.take(ops.convert_to_tensor(self.rows), places[:, None] - places[None, :] + longest - 1)
        at = ops.broadcast_to(rows[None, None], (shape[0], shape[1], length, length))
        found: Any = 0.0
        if "c2p" in self.kinds:
            table = self._heads(self.distance_key(distances))
            found = found + ops.take_along_axis(ops.matmul(queries, table), at, axis=-1)
        if "p2c" in self.kinds:
            table = self._heads(self.distance_query(distances)) * scale
            # Rows are keys here: of (key, query) the distance is that of (query, key), turned.
            turned = ops.transpose(at, (0, 1, 3, 2))
            looked = ops.take_along_axis(ops.matmul(keys, table), turned, axis=-1)
            found = found + ops.transpose(looked, (0, 1, 3, 2))
        return found

    def _heads(self, table: Any) -> Any:
        """``[n, d]`` to ``[1, h, e, n]``."""
        return ops.transpose(ops.reshape(table, (-1, self.heads, self.size)), (1, 2, 0))[None]


class DisentangledBlock(EncoderBlock):
    """An encoder block whose attention knows distances.

    Args:
        kinds, shared, rows: of its attention.
        **kwargs: as for :class:`sixarts.layers.EncoderBlock`.
    """

    def __init__(
        self, *args: Any, kinds: Collection[str], shared: bool, rows: np.ndarray | None, **kwargs: Any
    ) -> None:
        # Read while the block makes its attention.
        self._relative = {"kinds": tuple(kinds), "shared": shared, "rows": rows}
        super().__init__(*args, **kwargs)

    def _make_attention(self, name: str) -> Attention:
        return DisentangledAttention(**self._attention, **self._relative, dtype=self.dtype_policy, name=name)

    def compute_output_spec(self, x: Any, distances: Any, mask: Any, training: bool = False) -> Any:
        return keras.KerasTensor(x.shape, self.compute_dtype)

    def call(self, x: Any, distances: Any, mask: Any, training: bool = False) -> Any:  # type: ignore[override]
        mixed = self.attention(x, distances, mask_bias(mask, self.compute_dtype), training=training)
        return self._close(self._after(x, mixed, self.attention_norm, training), training)


class Neighbors(layers.Layer):  # type: ignore[misc]
    """A convolution over the embeddings, added to the first block's output (DeBERTa's second version).

    Args:
        width: of the tokens' vectors.
        size: of the convolution, odd.
        act: activation function.
        epsilon: of the norm.
        dropout: rate on what is added.
        initializer: of the kernel.
    """

    def __init__(
        self,
        width: int,
        size: int,
        act: Any,
        epsilon: float,
        dropout: float,
        initializer: Any = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.width, self.act = width, act
        self.convolution = layers.Conv1D(
            width,
            size,
            padding="same",
            data_format="channels_last",
            kernel_initializer=initializer,
            dtype=self.dtype_policy,
            name="convolution",
        )
        self.norm = layers.LayerNormalization(epsilon=epsilon, dtype=self.dtype_policy, name="norm")
        self.dropout = layers.Dropout(dropout, dtype=self.dtype_policy, name="dropout")

    def build(self, *shapes: Any, **named: Any) -> None:
        self.convolution.build((None, None, self.width))
        self.norm.build((None, None, self.width))
        self.built = True

    def compute_output_spec(self, x: Any, embedded: Any, mask: Any, training: bool = False) -> Any:
        return keras.KerasTensor(x.shape, self.compute_dtype)

    def call(self, x: Any, embedded: Any, mask: Any, training: bool = False) -> Any:
        """``x`` and ``embedded`` ``[b, t, d]``; what padding says is nothing, before and after."""
        seen = ops.cast(mask, x.dtype)[..., None]
        around = self.convolution(embedded) * seen
        return self.norm(x + self.act(self.dropout(around, training=training))) * seen
