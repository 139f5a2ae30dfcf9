"""Tables of embeddings, looked up by row: a layer's own variable, or keras-rs's ``DistributedEmbedding``.

keras-rs 0.4 has such a table on SparseCore, which some TPUs have, and elsewhere on the device that the rest
of the network is on, where it is an embedding like any other. On SparseCore a table is no variable: it has an
optimizer of its own, and batches are prepared for it outside the compiled step. A model's weights are read,
saved and grown by row here, so that a table always stays with the network; what ``keras.distribution`` says
of variables holds for it, as for every layer of Keras.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

from sixarts.errors import MissingExtra


class Rows(layers.Layer):  # type: ignore[misc]
    """Rows of a table by number, ``[…]`` to ``[…, width]``.

    Args:
        rows: of the table.
        width: of a row.
        initializer: of the table.
    """

    def __init__(self, rows: int, width: int, initializer: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rows, self.width, self.initializer = rows, width, initializer

    def build(self, shape: Any = None) -> None:
        self.table = self.add_weight(
            name="table", shape=(self.rows, self.width), initializer=self.initializer
        )
        self.built = True

    @property
    def weight(self) -> Any:
        """The table, a variable ``[rows, width]``."""
        return self.table

    def compute_output_spec(self, numbers: Any) -> Any:
        return keras.KerasTensor((*numbers.shape, self.width), self.compute_dtype)

    def call(self, numbers: Any) -> Any:
        return ops.cast(ops.take(self.table, numbers, axis=0), self.compute_dtype)


class DistributedRows(Rows):
    """The same through ``keras_rs.layers.DistributedEmbedding``; the same arguments.

    Raises:
        MissingExtra: keras-rs is not installed.
    """

    def build(self, shape: Any = None) -> None:
        try:
            from keras_rs.layers import DistributedEmbedding, FeatureConfig, TableConfig
        except ImportError:
            raise MissingExtra(
                "distributed=True needs keras-rs; pip install 'sixarts[recommendation]'"
            ) from None
        table = TableConfig(
            "table", self.rows, self.width, initializer=self.initializer, placement="default_device"
        )
        # Of one number a row there is nothing to reduce: its embedding is what comes out.
        feature = FeatureConfig("rows", table, input_shape=(None,), output_shape=(None, self.width))
        self.lookup = DistributedEmbedding({"rows": feature}, dtype="float32", name="lookup")
        self.lookup.build({"rows": (None,)})
        self.built = True

    @property
    def weight(self) -> Any:
        (table,) = self.lookup.trainable_variables
        return table

    def call(self, numbers: Any) -> Any:
        found = self.lookup({"rows": ops.reshape(numbers, (-1,))})["rows"]
        return ops.cast(ops.reshape(found, (*ops.shape(numbers), self.width)), self.compute_dtype)


#: What a configuration's ``distributed`` says to the layer that holds a table.
TABLES: dict[bool, type[Rows]] = {False: Rows, True: DistributedRows}
