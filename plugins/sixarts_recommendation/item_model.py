"""What models of likeness between items share: a catalog, vectors of all items, and of what is asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from sixarts.compiled import to_numpy
from sixarts.errors import InputError
from sixarts.model import Model, Processor
from sixarts.training import Lesson
from sixarts_recommendation.items import Items
from sixarts_recommendation.sequences import Sequences

#: What evidence is called that is not named.
REST = "all other items"
#: About how many rows of a table are looked at to tell whether it has changed.
PROBED = 64


class ItemProcessor(Processor):
    """The catalog that a model knows.

    Args:
        items: ids, titles, categories, counts.
    """

    def __init__(self, items: Items) -> None:
        self.items = items

    @classmethod
    def from_folder(cls, folder: Path, config: Mapping[str, Any]) -> Self:
        return cls(Items.from_folder(folder, config["num_items"]))

    def save(self, folder: Path) -> None:
        self.items.save(folder)


class ItemModel(Model):
    """A model with a vector for each item."""

    @property
    def items(self) -> Items:
        """The catalog."""
        found: Items = self.processor.items
        return found

    def vectors(self, relation: str) -> np.ndarray:
        """What queries are held against, ``[n, d]`` in float32: the products with them are the scores."""
        raise NotImplementedError

    def queries(self, histories: Sequence[np.ndarray], relation: str) -> np.ndarray:
        """Vectors of what is asked, ``[b, d]``: one known item, or several.

        Args:
            histories: item numbers of each.
            relation: ``"similar"`` or ``"together"``.
        """
        raise NotImplementedError

    def described(self, records: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """Vectors of items by their attributes, for ``"similar"``, ``[b, d]``."""
        raise NotImplementedError

    def evidence(
        self, history: np.ndarray, record: Mapping[str, Any] | None, numbers: np.ndarray
    ) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
        """What makes some items like what is asked.

        Args:
            history: numbers of the items that are asked about.
            record: a new item's attributes, or ``None``.
            numbers: the items that are explained, ``[t]``.

        Returns:
            Names of the evidence, ``s`` of them; what each adds to the cosine ``[t, s]``; and what a row adds
            up to, ``[t]``.
        """
        raise NotImplementedError

    def lessons(self, sequences: Sequences, training: Any, epoch: int) -> Iterable[Lesson]:
        """Batches to learn from."""
        raise NotImplementedError

    def loss(self, training: Any) -> Any:
        """What is learned of its output ``logits``."""
        raise NotImplementedError

    def check_record(self, record: Mapping[str, Any]) -> None:
        """Raises :class:`InputError` for a new item that it cannot know."""
        raise InputError(
            f"an item by its attributes; expected the id of one that was learned: {self.family} knows items "
            "by id alone; family='two_tower' knows new items by their attributes"
        )

    def adapted(self, sequences: Sequences, catalog: Any, training: Any) -> tuple[Self, tuple[str, ...]]:
        """A model for the items of some sequences, and in words what of it is new."""
        raise NotImplementedError

    def probe(self, relation: str) -> np.ndarray:
        """A few of the weights behind ``vectors``, by which a search tells that they have changed."""
        raise NotImplementedError


def probed(table: Any) -> np.ndarray:
    """Some rows of a table ``[n, d]``, spread over all of it: a slice, which every backend takes fast."""
    return np.asarray(to_numpy(table[:: max(1, table.shape[0] // PROBED)]))


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors of length 1, in float32; nothing stays nothing.

    >>> unit(np.array([[3.0, 4.0], [0.0, 0.0]])).astype(float).round(2).tolist()
    [[0.6, 0.8], [0.0, 0.0]]
    """
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), "float32")


def means_of(rows: np.ndarray, histories: Sequence[np.ndarray]) -> np.ndarray:
    """The mean of each history's rows, ``[b, d]``.

    Args:
        rows: of all histories, one after another, ``[n, d]``.
        histories: none of them empty.

    >>> means_of(np.array([[1.0], [2.0], [4.0]]), [np.array([7]), np.array([5, 6])]).tolist()
    [[1.0], [3.0]]
    """
    lengths = np.array([len(history) for history in histories])
    return np.add.reduceat(rows, np.cumsum(lengths) - lengths, axis=0) / lengths[:, None].astype(rows.dtype)
