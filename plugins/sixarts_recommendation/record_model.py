"""Models of records: a table of embeddings, columns pooled from it, and members whose chances are averaged.

A family writes how one member makes log-odds of a record's columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import keras
import numpy as np
from keras import layers, ops

from sixarts.checkpoint import Target
from sixarts.model import Model, Processor, read_json, write_json
from sixarts.networks.published import Targets, dense
from sixarts.readers.limits import NAME, TRUTH, Limit, number, one_of, some, whole
from sixarts_recommendation.embedding_rows import TABLES
from sixarts_recommendation.record_layers import Columns, Table, layer_name
from sixarts_recommendation.schema import Schema
from sixarts_recommendation.schema_file import schema_from, stated

SCHEMA = "schema.json"
LIMITS: dict[str, Limit] = {
    "model_type": NAME,
    "width": whole(1, 1024),
    "hidden": some(whole(1, 2**14), 16),
    "dropout": number(0, 0.95),
    "embedding_dropout": number(0, 0.95),
    "members": whole(1, 64),
    "spread": number(0, 10),
    "prior_shift": number(-50, 50),
    "activation": one_of("relu", "gelu", "silu", "tanh"),
    "distributed": TRUTH,
}


class RecordProcessor(Processor):
    """Records to ``ids`` and ``weights``; see :class:`~sixarts_recommendation.schema.Schema`.

    Args:
        schema: of the records.
    """

    def __init__(self, schema: Schema) -> None:
        self.schema = schema

    @classmethod
    def from_folder(cls, folder: Path, config: Mapping[str, Any]) -> Self:
        return cls(schema_from(read_json(folder / SCHEMA)))

    def save(self, folder: Path) -> None:
        write_json(folder / SCHEMA, stated(self.schema))

    def arrays(self, records: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
        """The network's inputs for records that were checked."""
        encoded = self.schema.encode_records(records)
        return {"ids": encoded.ids, "weights": encoded.weights}


class RecordModel(Model):
    """Log-odds of a record's outcome, ``logits`` ``[b, members]``.

    Members are networks of one shape that learn side by side from unlike beginnings, each with embeddings of
    its own; the chance is the mean of theirs (Lakshminarayanan et al. 2017).

    Settings: ``width`` of an embedding; ``hidden``, the widths of the deep part; ``activation``; ``dropout``
    in it; ``embedding_dropout`` before it; ``members``; ``spread``, the standard deviation with which
    embeddings begin; ``distributed``, whether they are a
    :class:`~sixarts_recommendation.embedding_rows.DistributedRows`. ``prior_shift`` is added to the log-odds
    where negatives were sampled for training.
    """

    processor_class = RecordProcessor
    cut = "ids"
    defaults: ClassVar[Mapping[str, Any]] = {
        "width": 16,
        "hidden": [128, 64],
        "activation": "relu",
        "dropout": 0.0,
        "embedding_dropout": 0.0,
        "members": 1,
        "spread": 0.05,
        "prior_shift": 0.0,
        "distributed": False,
    }
    limits: ClassVar[Mapping[str, Limit]] = LIMITS
    #: Whether each row of the table also has a weight that is added to the log-odds as it is.
    linear: ClassVar[bool] = True

    # What a family writes.

    def member(self, columns: Any, linear: Any, at: str) -> tuple[Any, Targets]:
        """One member's log-odds, and the names of its weights.

        Args:
            columns: its embeddings of a record's columns ``[b, f, width]``.
            linear: the sum of the record's linear weights ``[b, 1]``, or ``None``.
            at: what the names of its layers and weights begin with.

        Returns:
            ``[b, 1]``, and the weights.
        """
        raise NotImplementedError

    # What families share.

    @property
    def schema(self) -> Schema:
        """The records' columns."""
        found: Schema = self.processor.schema
        return found

    def build(self, initializer: str) -> keras.Model:
        c, schema = self.config, self.schema
        self.initializer, self.policy = initializer, self.device.policy
        slots, part = len(schema.owners), c["width"] + self.linear
        ids = keras.Input((slots,), dtype="int32", name="ids")
        weights = keras.Input((slots,), dtype="float32", name="weights")
        drawn = initializer if initializer == "zeros" else keras.initializers.RandomNormal(stddev=c["spread"])
        self.table = Table(
            schema.rows,
            part * c["members"],
            drawn,
            part if self.linear else 0,
            TABLES[c["distributed"]],
            dtype=self.policy,
            name="table",
        )
        self.embedded = self.table(ids)
        pooled = Columns(schema.owners, dtype=self.policy, name="columns")(self.embedded, weights)
        self._targets: Targets = {("table.weight",): Target(self.table.weight)}
        logits = []
        for number_ in range(c["members"]):
            own = pooled[:, :, number_ * part : (number_ + 1) * part]
            linear = ops.sum(own[:, :, :1], axis=1) if self.linear else None
            odds, found = self.member(own[:, :, int(self.linear) :], linear, f"members.{number_}")
            logits.append(odds)
            self._targets |= found
        joined = layers.Concatenate(dtype="float32", name="logits")(logits) if len(logits) > 1 else logits[0]
        return keras.Model({"ids": ids, "weights": weights}, {"logits": joined}, name=self.family)

    def targets(self, names: frozenset[str]) -> Mapping[tuple[str, ...], Target]:
        return self._targets

    def deep(self, x: Any, at: str) -> tuple[Any, Targets]:
        """The deep part: dense layers with dropout, ``[b, n]`` to the last of ``hidden``."""
        c, found = self.config, {}
        x = self.dropped(x, c["embedding_dropout"], f"{at}.embedding_dropout")
        for place, size in enumerate(c["hidden"]):
            name = f"{at}.deep.{place}"
            layer = layers.Dense(
                size,
                activation=c["activation"],
                kernel_initializer=self.initializer if self.initializer == "zeros" else "he_normal",
                dtype=self.policy,
                name=layer_name(f"{name}.dense"),
            )
            x = self.dropped(layer(x), c["dropout"], f"{name}.dropout")
            found |= dense(name, layer)
        return x, found

    def odds(self, x: Any, at: str) -> tuple[Any, Targets]:
        """The last layer, ``[b, n]`` to ``[b, 1]``."""
        layer = layers.Dense(
            1, kernel_initializer=self.initializer, dtype="float32", name=layer_name(f"{at}.odds")
        )
        return layer(x), dense(f"{at}.odds", layer)

    def dropped(self, x: Any, share: float, name: str) -> Any:
        """Dropout, where there is any."""
        return layers.Dropout(share, dtype=self.policy, name=layer_name(name))(x) if share else x

    def log_odds(self, outputs: Mapping[str, Any]) -> Any:
        """Log-odds of the mean of the members' chances ``[b]``, for explanations."""
        logits = ops.cast(outputs["logits"], "float32") + self.config["prior_shift"]
        most = ops.logsumexp(-ops.softplus(-logits), axis=-1)
        least = ops.logsumexp(-ops.softplus(logits), axis=-1)
        return most - least

    def flops(self) -> float:
        """Operations for one record: two for each weight of a dense layer."""
        return 2.0 * sum(
            float(np.prod(target.variable.shape))
            for names, target in self._targets.items()
            if names[0] != "table.weight" and len(target.variable.shape) == 2
        )


def chances(logits: np.ndarray, shift: float = 0.0) -> np.ndarray:
    """The mean of the members' chances ``[b]``, of their log-odds ``[b, members]``, each moved by ``shift``.

    >>> chances(np.array([[0.0, 0.0]])).tolist()
    [0.5]
    """
    moved = np.asarray(logits, "float64") + shift
    return np.asarray((0.5 * (1 + np.tanh(0.5 * moved))).mean(axis=-1))
