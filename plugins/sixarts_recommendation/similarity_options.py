"""What a call of ``item-similarity`` may choose, and what its ``fit`` may."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

from sixarts.errors import OptionError
from sixarts.task import Options
from sixarts.training import Training


@dataclass(frozen=True)
class SimilarityOptions(Options):
    """Options of ``item-similarity``.

    Attributes:
        k: how many items are answered; fewer where fewer are left.
        relation: ``"similar"`` for items that stand in the place of the one asked, ``"together"`` for items
            that are had with it.
        search: ``"exact"``, or ``"approximate"`` by a graph (faiss's HNSW) where there are millions.
        exclude: ids that are left out; what is asked always is.
        allowed: ids that alone may be answered.
        categories: names of categories of which an item must have one.
    """

    batch_size: int = 1024
    k: int = 10
    relation: Literal["similar", "together"] = "similar"
    search: Literal["exact", "approximate"] = "exact"
    exclude: Collection[Any] = ()
    allowed: Collection[Any] | None = None
    categories: Collection[str] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.k < 1:
            raise OptionError(f"k={self.k!r}; expected 1 or more")
        for name in ("exclude", "allowed", "categories"):
            if isinstance(getattr(self, name), str | bytes):
                raise OptionError(f"{name}={getattr(self, name)!r}; expected several, e.g. a set of them")


@dataclass(frozen=True)
class SimilarityTraining(Training):
    """Options of ``fit`` for ``item-similarity``.

    Attributes:
        user, item, time: what a table of interactions calls its columns; a user's items are a session.
        window: how many items on either side belong together; 0 for the whole basket, in no order.
        contexts: most partners of an item in a basket, an epoch (``item2vec``).
        negatives: items drawn for each pair (``item2vec``).
        subsampling: share of all items from which on one is left out now and then (``item2vec``); 0 leaves
            none out.
        id_dropout: how often an item's id is hidden, so that new items are known by their attributes
            (``two_tower``; Volkovs et al. 2017).
    """

    epochs: int = 20
    batch_size: int = 512
    learning_rate: float = 5e-3
    patience: int | None = 3
    user: str = "user"
    item: str = "item"
    time: str | None = None
    window: int = 0
    contexts: int = 8
    negatives: int = 15
    subsampling: float = 0.0
    id_dropout: float = 0.3

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, low in (("window", 0), ("contexts", 1), ("negatives", 1)):
            if getattr(self, name) < low:
                raise OptionError(f"{name}={getattr(self, name)!r}; expected {low} or more")
        for name in ("subsampling", "id_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise OptionError(f"{name}={getattr(self, name)!r}; expected 0 to less than 1")
