"""The answer of tasks that rank items, and how the best of many scores are found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sixarts.result import Result

#: Bars that a picture shows at most.
SHOWN = 25


@dataclass(frozen=True)
class Ranking(Result):
    """Items, the best first.

    Attributes:
        items: their ids, as the data had them.
        scores: one for each, never rising.
        titles: one for each, ``""`` where none is known; empty where no item has one.
        unit: of the scores, in words.
        notes: what was left out of the question, e.g. ids that the model does not know.

    >>> ranking = Ranking((7, 3), (0.6, 0.1), ("Milk", ""))
    >>> print(ranking)
    Milk 0.6, 3 0.1
    """

    items: tuple[Any, ...]
    scores: tuple[float, ...]
    titles: tuple[str, ...] = ()
    unit: str = "score"
    notes: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Any]:
        """The ids, the best first."""
        return iter(self.items)

    def __bool__(self) -> bool:
        """True even where nothing is left to recommend: only a failure is false."""
        return True

    @property
    def names(self) -> tuple[str, ...]:
        """Each item's title, or its id where it has none."""
        titles = self.titles or ("",) * len(self.items)
        return tuple(title or str(item) for title, item in zip(titles, self.items, strict=True))

    def __str__(self) -> str:
        shown = [f"{name} {score:.3g}" for name, score in zip(self.names, self.scores, strict=True)]
        said = ", ".join(shown[:SHOWN]) + (", …" if len(shown) > SHOWN else "")
        return "; ".join([said or "nothing to recommend", *self.notes])

    def plot(self) -> Any:
        """A bar for each item, the best at the top."""
        from matplotlib.figure import Figure

        from sixarts.pictures import drawable, fonts_for

        names = [_short(name) for name in drawable(self.names[:SHOWN])]
        scores = self.scores[:SHOWN]
        figure = Figure(figsize=(6, 1.1 + 0.32 * len(names)), layout="constrained")
        axes = figure.add_subplot()
        bars = axes.barh(range(len(names)), scores, color="#2563eb")
        axes.bar_label(bars, [f"{score:.3g}" for score in scores], padding=4)
        axes.set_yticks(range(len(names)), names, family=fonts_for(names) or ["DejaVu Sans"])
        axes.set(xlabel=self.unit)
        axes.margins(x=0.15)
        axes.invert_yaxis()
        axes.spines[["top", "right"]].set_visible(False)
        return figure


@dataclass(frozen=True)
class Neighbors:
    """The best items of many that were asked, as arrays.

    Attributes:
        asked: ids, ``[n]``.
        items: ids, the best first, ``[n, k]``; ``None`` where fewer are left.
        scores: ``[n, k]``, float32; ``-inf`` there.
        unit: of the scores, in words.
    """

    asked: np.ndarray
    items: np.ndarray
    scores: np.ndarray
    unit: str = "score"

    def __len__(self) -> int:
        return len(self.asked)

    def columns(self) -> dict[str, np.ndarray]:
        """A row for each pair, as pandas and polars take it; ranks count from 1.

        >>> found = Neighbors(np.array(["a"]), np.array([["b", None]]), np.array([[0.5, -np.inf]]))
        >>> {name: column.tolist() for name, column in found.columns().items()}
        {'item': ['a'], 'rank': [1], 'neighbor': ['b'], 'score': [0.5]}
        """
        rows, places = np.nonzero(self.scores > -np.inf)
        return {
            "item": self.asked[rows],
            "rank": places + 1,
            "neighbor": self.items[rows, places],
            "score": self.scores[rows, places],
        }


def _short(name: str, most: int = 40) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"


def best(scores: np.ndarray, k: int) -> np.ndarray:
    """Numbers of the ``k`` highest scores, the highest first; of equal ones the lower number first.

    What may not be chosen has the score ``-inf``, so that there may be fewer.

    Args:
        scores: ``[n]``.
        k: at least 1.

    >>> best(np.array([0.1, 0.5, -np.inf, 0.5, 0.2]), 3).tolist()
    [1, 3, 4]
    """
    k = min(k, len(scores))
    if k == 0:
        return np.zeros(0, "int64")
    # The partition alone may keep any of several equal scores at its edge.
    edge = np.partition(scores, len(scores) - k)[len(scores) - k]
    above = np.flatnonzero(scores > edge)
    equal = np.flatnonzero(scores == edge)[: k - len(above)]
    found = np.concatenate([above, equal])
    found = found[scores[found] > -np.inf]
    return np.asarray(found[np.lexsort((found, -scores[found]))])


def rank_of(scores: np.ndarray, place: int) -> int:
    """The place (from 1) of one item among all, in the order of :func:`best`.

    >>> scores = np.array([0.1, 0.5, 0.9, 0.5])
    >>> [rank_of(scores, place) for place in range(4)]
    [4, 2, 1, 3]
    """
    own = scores[place]
    return int((scores > own).sum() + (scores[:place] == own).sum()) + 1
