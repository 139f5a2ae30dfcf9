"""The ``two_tower`` family: a tower for what somebody had, a tower for an item by its id and its attributes.

Sources: Covington, Adams and Sargin 2016, "Deep Neural Networks for YouTube Recommendations", section 3, for
the tower over the mean of a history; Yi et al. 2019, "Sampling-Bias-Corrected Neural Modeling for Large
Corpus Item Recommendations", equations 3 to 7, for the softmax over a batch with its correction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import keras
import numpy as np
from keras import layers

from sixarts.checkpoint import Target
from sixarts.compiled import Compiled, to_numpy
from sixarts.errors import InputError, TrainingError
from sixarts.explanation import Attribution
from sixarts.losses import SmoothedCrossentropy
from sixarts.networks.published import Targets, dense
from sixarts.readers.limits import NAME, TRUTH, number, some, whole
from sixarts.training import Lesson
from sixarts_recommendation.embedding_rows import TABLES
from sixarts_recommendation.history_lessons import HistoryLessons
from sixarts_recommendation.item_catalog import Catalog
from sixarts_recommendation.item_model import PROBED, ItemModel, ItemProcessor, means_of, probed
from sixarts_recommendation.items import Items
from sixarts_recommendation.record_layers import Columns, Table, layer_name
from sixarts_recommendation.sequences import Sequences
from sixarts_recommendation.tower_layers import InBatch, Likeness, MeanRows, UnitLength

LIMITS = {
    "num_items": whole(0, 2**28),
    "width": whole(1, 4096),
    "embedding": whole(1, 4096),
    "hidden": some(whole(1, 2**14), 16),
    "temperature": number(1e-4, 1e4),
    "history": whole(1, 4096),
    "distributed": TRUTH,
    "model_type": NAME,
}
#: Items whose vectors are made together.
TOGETHER = 4096


class TwoTowerProcessor(ItemProcessor):
    """The catalog with its items' attributes as numbers, and the schema by which a new item becomes some.

    Args:
        items: ids, titles, categories, counts.
        catalog: attributes.
    """

    def __init__(self, items: Items, catalog: Catalog) -> None:
        super().__init__(items)
        self.catalog = catalog

    @classmethod
    def from_folder(cls, folder: Path, config: Mapping[str, Any]) -> Self:
        items = Items.from_folder(folder, config["num_items"])
        return cls(items, Catalog.from_folder(folder, len(items)))

    def save(self, folder: Path) -> None:
        super().save(folder)
        self.catalog.save(folder)


class TwoTower(ItemModel):
    """Vectors of unit length from two towers: an item's, for likeness, a history's, for what goes with it.

    Settings: ``width`` of a vector; ``embedding``, the width of an embedding; ``hidden`` layers of each
    tower; ``history``, most items of a history; ``temperature`` by which cosines are divided;
    ``distributed``, whether tables are :class:`~sixarts_recommendation.embedding_rows.DistributedRows`.

    Example::

        like = sixarts.new("item-similarity", family="two_tower")
        like.fit(sessions, catalog="products.parquet")
        like({"brand": "Acme", "price": 30}).items          # an item that nobody has had yet
    """

    family = "two_tower"
    processor_class = TwoTowerProcessor
    cut = "ids"
    limits = LIMITS
    defaults: ClassVar[Mapping[str, Any]] = {
        "num_items": 0,
        "width": 32,
        "embedding": 16,
        "hidden": [64],
        "history": 20,
        "temperature": 0.1,
        "distributed": False,
    }
    settings = frozenset(defaults)

    def sized(self, processor: Any) -> dict[str, Any]:
        return {**self.config, "num_items": len(processor.items)}

    # The network.

    def build(self, initializer: str) -> keras.Model:
        c, schema, self.policy = self.config, self.processor.catalog.schema, self.device.policy
        self.initializer, self._targets = initializer, {}
        slots = len(schema.owners)
        drawn = initializer if initializer == "zeros" else keras.initializers.RandomNormal(stddev=0.1)
        ids = keras.Input((slots,), dtype="int32", name="ids")
        weights = keras.Input((slots,), dtype="float32", name="weights")
        history = keras.Input((None,), dtype="int32", name="history")
        how = {"kind": TABLES[c["distributed"]], "dtype": self.policy}
        self.table = Table(schema.rows, c["embedding"], drawn, name="item_table", **how)
        self.past = Table(c["num_items"] + 1, c["embedding"], drawn, name="user_table", **how)
        self.embedded = self.table(ids)
        columns = Columns(schema.owners, dtype=self.policy, name="item_columns")(self.embedded, weights)
        item = self._tower(layers.Flatten(dtype=self.policy, name="item_flat")(columns), "item")
        mean = MeanRows(dtype=self.policy, name="user_mean")(self.past(history), history)
        user = self._tower(mean, "user")
        self._targets |= {
            ("item.table.weight",): Target(self.table.weight),
            ("user.table.weight",): Target(self.past.weight),
        }
        numbers = keras.Input((), dtype="int32", name="numbers")
        log_q = keras.Input((), dtype="float32", name="log_q")
        logits = InBatch(c["temperature"], name="logits")(user, item, numbers, log_q)
        inputs = {"history": history, "ids": ids, "weights": weights, "numbers": numbers, "log_q": log_q}
        self._item = keras.Model({"ids": ids, "weights": weights}, {"vector": item}, name="item_tower")
        self._user = keras.Model({"history": history}, {"vector": user}, name="user_tower")
        other = keras.Input((c["width"],), dtype="float32", name="other")
        likeness = Likeness(name="likeness")(item, other)
        self._alike = keras.Model(
            {"ids": ids, "weights": weights, "other": other}, {"likeness": likeness}, name="alike"
        )
        self._run: dict[str, Compiled] = {}
        return keras.Model(inputs, {"logits": logits}, name="two_tower")

    def _tower(self, x: Any, at: str) -> Any:
        for place, size in enumerate(self.config["hidden"]):
            layer = layers.Dense(
                size,
                activation="relu",
                kernel_initializer=self.initializer,
                dtype=self.policy,
                name=layer_name(f"{at}.dense.{place}"),
            )
            x = layer(x)
            self._targets |= dense(f"{at}.dense.{place}", layer)
        last = layers.Dense(
            self.config["width"],
            kernel_initializer=self.initializer,
            dtype=self.policy,
            name=layer_name(f"{at}.out"),
        )
        x = last(x)
        self._targets |= dense(f"{at}.out", last)
        return UnitLength(dtype="float32", name=layer_name(f"{at}.unit"))(x)

    def targets(self, names: frozenset[str]) -> Mapping[tuple[str, ...], Target]:
        found: Targets = self._targets
        return found

    # Searching.

    def _tower_of(self, name: str, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
        """A tower's vectors of some rows, a few thousand at a time."""
        tower = {"item": self._item, "user": self._user}[name]
        if name not in self._run:
            self._run[name] = Compiled(
                lambda inputs: tower(inputs, training=False), tower.variables, self.device, self.fused
            )
        count, found = len(next(iter(arrays.values()))), []
        for start in range(0, count, TOGETHER):
            part = {key: array[start : start + TOGETHER] for key, array in arrays.items()}
            rows = len(next(iter(part.values())))
            # Rows are rounded up, so that few shapes compile.
            full = min(1 << max(rows - 1, 0).bit_length(), TOGETHER)
            filled = {
                key: np.concatenate([array, np.repeat(array[-1:], full - rows, axis=0)])
                for key, array in part.items()
            }
            found.append(to_numpy(self._run[name](filled)["vector"])[:rows])
        return np.concatenate(found)

    def vectors(self, relation: str) -> np.ndarray:
        return self._tower_of("item", self.processor.catalog.arrays(slice(None)))

    def queries(self, histories: Sequence[np.ndarray], relation: str) -> np.ndarray:
        if relation == "together":
            return self._tower_of("user", {"history": self.histories(histories)})
        flat = np.concatenate(histories)
        rows = self._tower_of("item", self.processor.catalog.arrays(flat))
        means = means_of(rows, histories)
        return np.asarray(means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12), "float32")

    def histories(self, given: Sequence[np.ndarray]) -> np.ndarray:
        """Item numbers from 1, right-padded with 0, the last of each ``[b, history]``."""
        most = self.config["history"]
        found = np.zeros((len(given), most), "int32")
        for row, history in enumerate(given):
            last = history[-most:]
            found[row, : len(last)] = last + 1
        return found

    def check_record(self, record: Mapping[str, Any]) -> None:
        catalog: Catalog = self.processor.catalog
        if not catalog.attributes:
            raise InputError(
                "an item by its attributes; expected the id of one that was learned: the model was fitted "
                "without a catalog=, and knows no attributes"
            )
        catalog.schema.check(record)

    def described(self, records: Sequence[Mapping[str, Any]]) -> np.ndarray:
        return self._tower_of("item", self.processor.catalog.of_records(records))

    def probe(self, relation: str) -> np.ndarray:
        some_ = probed(self.table.weight).ravel()
        small = [target.variable for names, target in self._targets.items() if "table" not in names[0]]
        return np.concatenate([some_, *(np.asarray(to_numpy(each)).ravel()[:PROBED] for each in small)])

    # Explaining.

    def evidence(
        self, history: np.ndarray, record: Mapping[str, Any] | None, numbers: np.ndarray
    ) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
        """What the asked item's id and attributes add to the cosine, by integrated gradients."""
        catalog: Catalog = self.processor.catalog
        if record is None and len(history) > 1:
            raise InputError("a history of several items; expected one item, to explain what it is like")
        arrays = catalog.arrays(history) if record is None else catalog.of_records([record])
        others = self._tower_of("item", catalog.arrays(numbers))
        labels = catalog.labels(None if record is not None else int(history[0]), record)
        values, totals = [], []
        for other in others:
            found, total = self._attribution().integrated_gradients(
                {**arrays, "other": other[None]}, catalog.schema.reference_ids(arrays["ids"]), [0]
            )
            columns = np.zeros(len(labels))
            np.add.at(columns, catalog.schema.owners, found[0])
            values.append(columns)
            totals.append(total[0])
        return labels, np.array(values), np.array(totals)

    def _attribution(self) -> Attribution:
        kept = vars(self).get("_attributed")
        if kept is None:
            kept = self._attributed = Attribution(_Part(self), lambda outputs, _: outputs["likeness"])
        found: Attribution = kept
        return found

    # Learning.

    def loss(self, training: Any) -> Any:
        return SmoothedCrossentropy()

    def lessons(self, sequences: Sequences, training: Any, epoch: int) -> Iterable[Lesson]:
        return HistoryLessons(self, sequences, training, epoch)

    def adapted(self, sequences: Sequences, catalog: Any, training: Any) -> tuple[Self, tuple[str, ...]]:
        items: Items = sequences.catalog
        if self.built and len(items) == len(self.items) and catalog is None:
            self.processor.items = items
            return self, ()
        if self.built and catalog is None and self.processor.catalog.attributes:
            raise TrainingError(
                f"{len(items) - len(self.items)} new items without attributes; expected catalog= with all"
            )
        made = self.build_for(TwoTowerProcessor(items, Catalog.learned_from(items, catalog, training.item)))
        words = f"towers for {len(items):,} items by {len(made.processor.catalog.attributes)} attributes"
        return made, (words,)

    def flops(self) -> float:
        """Operations of one answer: the tower of what is asked, and a product with each item's vector."""
        towers = sum(
            float(np.prod(target.variable.shape))
            for names, target in self._targets.items()
            if names[0].startswith("item") and "table" not in names[0]
        )
        return 2.0 * (towers + self.config["num_items"] * self.config["width"])


class _Part:
    """The item's tower as attribution takes a model: a network, and where it is cut."""

    def __init__(self, model: TwoTower) -> None:
        self.network, self.embedded, self.cut = model._alike, model.embedded, model.cut
        self.variables, self.device, self.fused = model._alike.variables, model.device, model.fused
