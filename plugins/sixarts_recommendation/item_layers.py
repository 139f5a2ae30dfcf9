"""Layers that next-item networks share: item embeddings, tied scores, a causal block.

Shapes: ``b`` histories, ``t`` places in each, ``m`` places that are scored, ``n`` items, ``d`` width.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

from sixarts.layers import EncoderBlock
from sixarts.masks import causal_bias
from sixarts_recommendation.embedding_rows import Rows


class ItemEmbedding(layers.Layer):  # type: ignore[misc]
    """A row for each item, behind ``reserved`` rows of which the first is padding's, and reads as zeros.

    Args:
        items: how many.
        reserved: rows before the first item's: padding, and where a family has one, the mask.
        width: of a row.
        bias: whether each item has a bias on its score.
        initializer: of the rows.
        kind: of the layer that holds them.
    """

    def __init__(
        self,
        items: int,
        reserved: int,
        width: int,
        bias: bool,
        initializer: Any,
        kind: type[Rows] = Rows,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.items, self.reserved, self.width, self.biased = items, reserved, width, bias
        self.held = kind(items + reserved, width, initializer, dtype=self.dtype_policy, name="rows")

    def build(self, shape: Any = None) -> None:
        self.held.build()
        self.bias = (
            self.add_weight(name="bias", shape=(self.items,), initializer="zeros") if self.biased else None
        )
        self.built = True

    @property
    def table(self) -> Any:
        """The rows, a variable ``[reserved + items, width]``."""
        return self.held.weight

    def compute_output_spec(self, rows: Any) -> Any:
        return keras.KerasTensor((*rows.shape, self.width), self.compute_dtype)

    def call(self, rows: Any) -> Any:
        """Rows ``[b, t]`` to their embeddings ``[b, t, d]``."""
        return self.held(rows) * ops.cast(rows > 0, self.compute_dtype)[..., None]


class Scores(layers.Layer):  # type: ignore[misc]
    """The score of every item at each scored place, by the items' own embeddings, in float32.

    Args:
        embedding: the items'.
    """

    def __init__(self, embedding: ItemEmbedding, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.embedding = embedding

    def build(self, shape: Any) -> None:
        self.built = True

    def compute_output_spec(self, hidden: Any) -> Any:
        return keras.KerasTensor((hidden.shape[0], self.embedding.items), "float32")

    def call(self, hidden: Any) -> Any:
        """``[m, d]`` to ``[m, n]``."""
        table = ops.cast(self.embedding.table[self.embedding.reserved :], hidden.dtype)
        scores = ops.cast(ops.matmul(hidden, ops.transpose(table)), "float32")
        bias = self.embedding.bias
        return scores if bias is None else scores + ops.cast(bias, "float32")


class CandidateScores(layers.Layer):  # type: ignore[misc]
    """The score of the item that came next, and of some others: what training on drawn negatives computes.

    The others are shared by all places of a batch, so that their scores are one product of matrices; where
    one of them is the right item itself, its score is too low to count.

    Args:
        embedding: the items'.
    """

    def __init__(self, embedding: ItemEmbedding, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.embedding = embedding

    def build(self, *shapes: Any) -> None:
        self.built = True

    def compute_output_spec(self, hidden: Any, wanted: Any, negatives: Any) -> Any:
        return keras.KerasTensor((hidden.shape[0], None), "float32")

    def call(self, hidden: Any, wanted: Any, negatives: Any) -> Any:
        """``[m, d]``, item numbers ``[m]`` and ``[c]`` to ``[m, 1 + c]``, the right item's first."""
        own, others = self._rows(wanted, hidden.dtype), self._rows(negatives, hidden.dtype)
        right = ops.cast(ops.sum(hidden * own, axis=-1), "float32") + self._bias(wanted)
        wrong = ops.cast(ops.matmul(hidden, ops.transpose(others)), "float32") + self._bias(negatives)
        wrong = ops.where(wanted[:, None] == negatives[None, :], -1e9, wrong)
        return ops.concatenate([right[:, None], wrong], axis=1)

    def _rows(self, numbers: Any, dtype: Any) -> Any:
        return ops.cast(self.embedding.held(numbers + self.embedding.reserved), dtype)

    def _bias(self, numbers: Any) -> Any:
        bias = self.embedding.bias
        return 0.0 if bias is None else ops.cast(ops.take(bias, numbers, axis=0), "float32")


class AtPlaces(layers.Layer):  # type: ignore[misc]
    """What stands at some places of a batch, so that nothing is computed for padding.

    A place is ``row * t + column``.
    """

    def build(self, *shapes: Any) -> None:
        self.built = True

    def compute_output_spec(self, x: Any, places: Any) -> Any:
        return keras.KerasTensor((places.shape[0], x.shape[-1]), x.dtype)

    def call(self, x: Any, places: Any) -> Any:
        """``[b, t, d]`` and ``[m]`` to ``[m, d]``."""
        return ops.take(ops.reshape(x, (-1, x.shape[-1])), places, axis=0)


class CausalBlock(EncoderBlock):
    """Self-attention in which a place sees itself and what came before, then feed-forward.

    Padding stands at the end, where no place looks, so it needs no mask.
    """

    def _read(self, x: Any, mask: Any) -> tuple[Any, Any]:
        return self._before(x, self.attention_norm), causal_bias(ops.shape(x)[1], self.compute_dtype)
