"""The ``item2vec`` family: an item's vector foretells the items that stand with it in a basket or session.

Source: Barkan and Koenigstein 2016, "Item2Vec: Neural Item Embedding for Collaborative Filtering": skip-gram
with negative sampling (Mikolov et al. 2013) over sets, without regard to their order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Self

import keras
import numpy as np
from keras import layers, ops

from sixarts.checkpoint import Target
from sixarts.compiled import to_numpy
from sixarts.readers.limits import NAME, TRUTH, number, whole
from sixarts.training import Lesson
from sixarts_recommendation.embedding_rows import TABLES
from sixarts_recommendation.item_model import REST, ItemModel, ItemProcessor, means_of, probed, unit
from sixarts_recommendation.items import Items
from sixarts_recommendation.sequences import Sequences
from sixarts_recommendation.skip_grams import PairLoss, SkipGrams, drawing, keeping

#: Contexts that an explanation names.
SHOWN = 12
LIMITS = {
    "num_items": whole(0, 2**28),
    "width": whole(1, 4096),
    "subsampling": number(0, 1),
    "distributed": TRUTH,
    "model_type": NAME,
}


class Products(layers.Layer):  # type: ignore[misc]
    """Inner products of one vector with others, ``[b, 1, d]`` and ``[b, c, d]`` to ``[b, c]``."""

    def compute_output_spec(self, one: Any, others: Any) -> Any:
        return keras.KerasTensor(tuple(others.shape[:2]), "float32")

    def call(self, one: Any, others: Any) -> Any:
        return ops.cast(ops.sum(one * others, axis=-1), "float32")


class Item2Vec(ItemModel):
    """A vector for each item as what is asked, and one as what is foretold.

    Likeness is the cosine of two items' first vectors. What goes together is scored by the product of the
    one's first with the other's second vector, plus the logarithm of the chance with which the other is drawn
    as a negative: that product is the logarithm of the conditional probability over this chance (Levy and
    Goldberg 2014), so that the sum ranks as the conditional probability does. Where frequent items were left
    out of the learning now and then, that is corrected for, too.

    Settings: ``width`` of a vector; ``subsampling`` is what the last ``fit`` left out;
    ``distributed``, whether tables are :class:`~sixarts_recommendation.embedding_rows.DistributedRows`.

    Example::

        like = sixarts.new("item-similarity", family="item2vec", width=32)
        like.fit(baskets)
        like("butter").items
    """

    family = "item2vec"
    processor_class = ItemProcessor
    cut = "item"
    limits = LIMITS
    defaults: ClassVar[Mapping[str, Any]] = {
        "num_items": 0,
        "width": 32,
        "subsampling": 0.0,
        "distributed": False,
    }
    settings = frozenset(defaults)

    def sized(self, processor: Any) -> dict[str, Any]:
        return {**self.config, "num_items": len(processor.items)}

    def build(self, initializer: str) -> keras.Model:
        c, policy = self.config, self.device.policy
        drawn = initializer if initializer == "zeros" else keras.initializers.RandomUniform(-0.5, 0.5)
        item = keras.Input((1,), dtype="int32", name="item")
        others = keras.Input((None,), dtype="int32", name="others")
        table = TABLES[c["distributed"]]
        self.first = table(c["num_items"], c["width"], drawn, dtype=policy, name="first")
        self.second = table(c["num_items"], c["width"], drawn, dtype=policy, name="second")
        self.embedded = self.first(item)
        logits = Products(dtype=policy, name="logits")(self.embedded, self.second(others))
        return keras.Model({"item": item, "others": others}, {"logits": logits}, name="item2vec")

    def targets(self, names: frozenset[str]) -> Mapping[tuple[str, ...], Target]:
        return {
            ("first.weight",): Target(self.first.weight),
            ("second.weight",): Target(self.second.weight),
        }

    # Searching.

    def table(self, name: str) -> np.ndarray:
        """The first or second vectors, ``[n, width]``."""
        return np.asarray(to_numpy(getattr(self, name).weight), "float32")

    def vectors(self, relation: str) -> np.ndarray:
        if relation == "similar":
            return unit(self.table("first"))
        return np.concatenate([self.table("second"), self._shares()[:, None]], axis=1)

    def _shares(self) -> np.ndarray:
        """The logarithm of each item's chance to be drawn as a negative, over that to be kept, ``[n]``."""
        counts = self.items.count_of_each()
        return np.asarray(np.log(drawing(counts) / keeping(counts, self.config["subsampling"])), "float32")

    def queries(self, histories: Sequence[np.ndarray], relation: str) -> np.ndarray:
        flat = np.concatenate(histories).astype("int32")
        rows = np.asarray(to_numpy(ops.take(self.first.weight, flat, axis=0)), "float32")
        if relation == "similar":
            rows = unit(rows)
        means = means_of(rows, histories)
        if relation == "similar":
            return unit(means)
        return np.concatenate([means, np.ones((len(means), 1), "float32")], axis=1)

    def probe(self, relation: str) -> np.ndarray:
        layer = self.first if relation == "similar" else self.second
        return probed(layer.weight)

    # Explaining.

    def evidence(
        self, history: np.ndarray, record: Mapping[str, Any] | None, numbers: np.ndarray
    ) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
        """The contexts that items share: what each item that is foretold adds to the cosine.

        The cosine is a linear function of how strongly the one asked foretells each item: with the second
        vectors as rows of ``S``, and each item counting as often as it is drawn (``W``), it is
        ``(S q) · (W S (SᵀWS)⁻¹ r)``. Its integrated gradients from "foretells nothing" are the terms of that
        product.
        """
        second = self.table("second").astype("float64")
        query = self.queries([history], "similar")[0].astype("float64")
        others = unit(self.table("first")[numbers]).astype("float64")
        foretold = second @ query
        weighted = second * drawing(self.items.count_of_each())[:, None]
        slopes = weighted @ np.linalg.pinv(second.T @ weighted) @ others.T
        whole = (foretold[:, None] * slopes).T
        totals = others @ query
        shown = np.argsort(-np.abs(whole).max(axis=0), kind="stable")[:SHOWN]
        values = whole[:, shown]
        rest = (totals - values.sum(axis=1))[:, None]
        names = tuple(f"with {self.items.name(int(number))}" for number in shown)
        return (*names, REST), np.concatenate([values, rest], axis=1), totals

    # Learning.

    def lessons(self, sequences: Sequences, training: Any, epoch: int) -> Iterable[Lesson]:
        return SkipGrams(sequences, self.items.count_of_each(), training, epoch)

    def loss(self, training: Any) -> Any:
        return PairLoss()

    def adapted(self, sequences: Sequences, catalog: Any, training: Any) -> tuple[Self, tuple[str, ...]]:
        items: Items = sequences.catalog
        self.config["subsampling"] = float(training.subsampling)
        if not self.built:
            made = self.build_for(ItemProcessor(items))
            return made, (f"vectors of {len(items):,} items",)
        new = len(items) - len(self.items)
        if not new:
            self.processor.items = items
            return self, ()
        made = self.build_for(ItemProcessor(items))
        for name in ("first", "second"):
            variable = getattr(made, name).weight
            table = np.array(to_numpy(variable))
            table[: len(self.items)] = self.table(name)
            variable.assign(table)
        return made, (f"{new:,} new items beside {len(self.items):,}",)

    def flops(self) -> float:
        """Operations of one answer: a product with each item's vector."""
        return 2.0 * self.config["num_items"] * self.config["width"]
