"""What next-item networks share: inputs, tied scores, how they grow, and how they take new items.

A network reads ``items`` ``[b, t]``, rows of the embedding with 0 behind a history's end, and ``places``
``[m]``, which of the ``b * t`` places are scored, each ``row * t + column``; it gives ``logits`` ``[m, n]``.
Training scores every real place, answering each history's last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import keras
import numpy as np

from sixarts.batching import bucket
from sixarts.checkpoint import Target
from sixarts.compiled import to_numpy
from sixarts.errors import CheckpointError
from sixarts.model import Model
from sixarts.readers.limits import NAME, TRUTH, one_of, whole
from sixarts.readers.limits import number as some_number
from sixarts_recommendation.embedding_rows import TABLES
from sixarts_recommendation.history_processor import HistoryProcessor
from sixarts_recommendation.item_layers import AtPlaces, CandidateScores, ItemEmbedding, Scores
from sixarts_recommendation.items import Items

#: Lengths of histories that are rounded up to: most people's are short.
LENGTHS = (2, 4, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 1024)

#: What a configuration may say; each far beyond what is published.
LIMITS = {
    "num_items": whole(1, 2**26),
    "max_length": whole(1, 2**14),
    "hidden_size": whole(1, 2**12),
    "num_layers": whole(1, 64),
    "dropout": some_number(0, 0.999),
    "item_bias": TRUTH,
    "scale_embedding": TRUTH,
    "distributed": TRUTH,
    "initializer_range": some_number(1e-6, 10),
    "objective": one_of("softmax", "sigmoid"),
    "model_type": NAME,
}


class SequenceModel(Model):
    """A network over histories. A family writes ``hidden`` and ``body_targets``.

    Attributes:
        reserved: rows of the embedding before the first item's.
        inputs: the network's, by name.
        body, at_places: tensors of ``network``: what is read at each place, and at the scored ones.
    """

    processor_class = HistoryProcessor
    cut = "items"
    reserved: ClassVar[int] = 1
    limits: ClassVar[Mapping[str, Any]] = LIMITS

    # What a family writes.

    def hidden(self, embedded: Any, inputs: dict[str, Any], initializer: Any) -> Any:
        """What is read from embedded histories ``[b, t, d]`` at each place, ``[b, t, d]``."""
        raise NotImplementedError

    def head(self, hidden: Any, initializer: Any) -> Any:
        """What becomes of a scored place ``[m, d]`` before it is held against items."""
        return hidden

    def body_targets(self) -> dict[tuple[str, ...], Target]:
        """Names to variables of all but the embedding."""
        raise NotImplementedError

    def more_inputs(self) -> dict[str, Any]:
        """Inputs beside ``items`` and ``places``."""
        return {}

    def asked(self, histories: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """The network's inputs that score what comes after each history.

        Args:
            histories: item numbers, at least one each.
        """
        histories = [history[-self.config["max_length"] :] for history in histories]
        return self._arrays(histories, [len(history) - 1 for history in histories])

    @property
    def window(self) -> tuple[int, int]:
        """Most items of a window of a history that is learned from, and how far apart windows are."""
        length = self.config["max_length"]
        return length + 1, length

    def asked_in(
        self, windows: tuple[np.ndarray, np.ndarray], last_only: bool, random: np.random.Generator
    ) -> tuple[dict[str, np.ndarray], tuple[np.ndarray, np.ndarray], np.ndarray]:
        """What some windows ask of the network: by default after each item, which one comes next.

        Args:
            windows: item numbers ``[b, t]``, and each window's length, two or more.
            last_only: whether the last item alone is asked for.
            random: for what is drawn.

        Returns:
            Inputs but for ``places``; rows and columns of the scored places; the items that stand there.
        """
        numbers, lengths = windows
        inside = np.arange(numbers.shape[1] - 1)[None, :]
        real = inside < lengths[:, None] - 1
        asked = inside == lengths[:, None] - 2 if last_only else real
        rows, columns = np.nonzero(asked)
        return {"items": self._padded(numbers[:, :-1], real)}, (rows, columns), numbers[rows, columns + 1]

    def _padded(self, numbers: np.ndarray, real: np.ndarray) -> np.ndarray:
        """Rows of the embedding, 0 where nothing real stands, at a length that others have, too."""
        length = min(bucket(numbers.shape[1], LENGTHS), max(self.config["max_length"], numbers.shape[1]))
        found = np.zeros((len(numbers), length), "int32")
        found[:, : numbers.shape[1]] = np.where(real, self.rows(numbers), 0)
        return found

    # What every family has.

    def build(self, initializer: str) -> keras.Model:
        c = self.config
        items = keras.Input((None,), dtype="int32", name="items")
        places = keras.Input((), dtype="int32", name="places")
        inputs = {"items": items, "places": places, **self.more_inputs()}
        self.embedding = ItemEmbedding(
            c["num_items"],
            self.reserved,
            c["hidden_size"],
            c["item_bias"],
            self.drawn(initializer),
            TABLES[c["distributed"]],
            dtype=self.device.policy,
            name="item_embedding",
        )
        self.embedded = self.embedding(items)
        self.inputs, self.body = inputs, self.hidden(self.embedded, inputs, initializer)
        self.at_places = AtPlaces(name="at_places", dtype=self.device.policy)(self.body, places)
        self._scored = self.head(self.at_places, initializer)
        logits = Scores(self.embedding, name="scores", dtype=self.device.policy)(self._scored)
        return keras.Model(inputs, {"logits": logits}, name=self.family)

    def drawn(self, initializer: str) -> Any:
        """How a table's rows begin: as published, or as zeros where a checkpoint fills them.

        A new one each time: called twice, an initializer of Keras gives the same numbers.
        """
        if initializer == "zeros":
            return initializer
        return keras.initializers.TruncatedNormal(stddev=self.config["initializer_range"])

    def sampled(self) -> keras.Model:
        """A network over the same variables that scores few items: ``wanted`` ``[m]``, ``negatives`` ``[c]``.

        Its output ``scores`` is ``[m, 1 + c]``.
        """
        wanted = keras.Input((), dtype="int32", name="wanted")
        negatives = keras.Input((), dtype="int32", name="negatives")
        scored = CandidateScores(self.embedding, name="candidate_scores", dtype=self.device.policy)
        scores = scored(self._scored, wanted, negatives)
        inputs = {**self.inputs, "wanted": wanted, "negatives": negatives}
        return keras.Model(inputs, {"scores": scores}, name=f"{self.family}_sampled")

    def targets(self, names: frozenset[str]) -> Mapping[tuple[str, ...], Target]:
        found = {("item_embedding",): Target(self.embedding.table)}
        if self.embedding.bias is not None:
            found["item_bias",] = Target(self.embedding.bias)
        return found | self.body_targets()

    def sized(self, processor: Any) -> dict[str, Any]:
        return {**self.config, "num_items": len(processor.items)}

    def rows(self, numbers: np.ndarray) -> np.ndarray:
        """Item numbers to rows of the embedding."""
        return numbers + self.reserved

    def _arrays(self, histories: Sequence[np.ndarray], columns: Sequence[int]) -> dict[str, np.ndarray]:
        """Histories, each scored at one column."""
        longest = max(map(len, histories))
        length = max(longest, min(bucket(longest, LENGTHS), self.config["max_length"]))
        rows = np.zeros((len(histories), length), "int32")
        for row, history in enumerate(histories):
            rows[row, : len(history)] = self.rows(history)
        places = np.arange(len(histories), dtype="int32") * length + np.array(columns, "int32")
        return {"items": rows, "places": places}

    def grown(self, items: Items) -> Self:
        """A copy for a catalog to which items were added; what is known of the old ones is taken over.

        A new item begins at the mean of the items in its categories, where it has any that others have, so
        that it can be recommended before anybody chose it; else at a random row.

        Args:
            items: a catalog whose first items are this model's, in order.

        Raises:
            CheckpointError: another catalog.
        """
        old = self.processor.items
        if items.ids[: len(old)] != old.ids:
            raise CheckpointError("a catalog with other first items; expected this model's, then new ones")
        processor = HistoryProcessor(items, self.processor.tails)
        config = self.configure(**{**self.config, "num_items": len(items)})
        other = type(self)(config, processor, self.device)
        mine = self.targets(frozenset())
        for names, target in other.targets(frozenset()).items():
            value = np.array(to_numpy(mine[names].variable))
            if names[0] in ("item_embedding", "item_bias"):
                fresh = np.array(to_numpy(target.variable))
                fresh[: len(value)] = value
                value = _begun(fresh, items, len(old), self.reserved if names[0] == "item_embedding" else 0)
            target.variable.assign(value)
        return other


def _begun(table: np.ndarray, items: Items, known: int, reserved: int) -> np.ndarray:
    """A table with each new item's row at the mean of its categories, where older ones are in them."""
    members: dict[str, list[int]] = {}
    for number in range(known):
        for name in items.categories.get(items.ids[number], ()):
            members.setdefault(name, []).append(number + reserved)
    for number in range(known, len(items)):
        like = [members[name] for name in items.categories.get(items.ids[number], ()) if name in members]
        if like:
            table[number + reserved] = np.mean([table[rows].mean(axis=0) for rows in like], axis=0)
    return table
