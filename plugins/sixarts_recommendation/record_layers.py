"""Layers that turn a record's slots into one vector a column, and the loss of its outcome."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from sixarts_recommendation.embedding_rows import Rows


def layer_name(name: str) -> str:
    """A weight's name as a layer's: PyTorch allows no full stops in it.

    >>> layer_name("members.0.odds")
    'members_0_odds'
    """
    return name.replace(".", "_")


class Table(layers.Layer):  # type: ignore[misc]
    """Rows of embeddings, ``[b, slots]`` to ``[b, slots, width]``; row 0 is nothing, and stays zero.

    Args:
        rows: of the table, nothing's included.
        width: of a row.
        initializer: of all numbers but those that begin at zero.
        zeros: every how many numbers one begins at zero, to be added up as it is; 0 for none.
        kind: of the layer that holds the table.
    """

    def __init__(
        self,
        rows: int,
        width: int,
        initializer: Any,
        zeros: int = 0,
        kind: type[Rows] = Rows,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.rows, self.width = rows, width
        begun = _Begun(initializer, zeros) if zeros and initializer != "zeros" else initializer
        self.held = kind(rows, width, begun, dtype=self.dtype_policy, name="rows")

    def build(self, shape: Any) -> None:
        self.held.build()
        self.built = True

    @property
    def weight(self) -> Any:
        """The table, a variable ``[rows, width]``."""
        return self.held.weight

    def compute_output_spec(self, ids: Any) -> Any:
        return keras.KerasTensor((*ids.shape, self.width), self.compute_dtype)

    def call(self, ids: Any) -> Any:
        return self.held(ids) * ops.cast(ids > 0, self.compute_dtype)[..., None]


class _Begun(keras.initializers.Initializer):  # type: ignore[misc]
    """Numbers as another initializer draws them, but for every so many, which are zero."""

    def __init__(self, drawn: Any, zeros: int) -> None:
        self.drawn, self.zeros = keras.initializers.get(drawn), zeros

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        keep = (np.arange(shape[-1]) % self.zeros > 0).astype("float32")
        return self.drawn(shape, dtype=dtype) * ops.cast(ops.convert_to_tensor(keep), dtype)


class Columns(layers.Layer):  # type: ignore[misc]
    """Weighted sums of slots, ``[b, slots, width]`` and ``[b, slots]`` to ``[b, columns, width]``.

    Args:
        owners: the number of each slot's column.
    """

    def __init__(self, owners: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.owners = list(owners)

    def compute_output_spec(self, rows: Any, weights: Any) -> Any:
        count = max(self.owners) + 1
        return keras.KerasTensor((rows.shape[0], count, rows.shape[-1]), self.compute_dtype)

    def call(self, rows: Any, weights: Any) -> Any:
        owned = np.zeros((max(self.owners) + 1, len(self.owners)), "float32")
        owned[self.owners, range(len(self.owners))] = 1
        shares = ops.cast(weights, self.compute_dtype)[:, None, :] * ops.cast(owned, self.compute_dtype)
        return ops.matmul(shares, rows)


class LogLoss(keras.losses.Loss):  # type: ignore[misc]
    """Binary cross-entropy of outcomes ``[b]`` against log-odds ``[b, members]``, each member's own."""

    def __init__(self) -> None:
        super().__init__(name="log_loss", reduction="mean_with_sample_weight")

    def call(self, y_true: Any, y_pred: Any) -> Any:
        outcomes = ops.cast(ops.reshape(y_true, (-1, 1)), y_pred.dtype)
        return ops.mean(ops.softplus(y_pred) - outcomes * y_pred, axis=-1)
