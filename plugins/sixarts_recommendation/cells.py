"""Cells of a column to rows of the table and their weights; see :mod:`sixarts_recommendation.schema`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from sixarts.errors import InputError
from sixarts_recommendation.columns import Column, text_of

#: Standard deviations at which a normalized number is cut.
FARTHEST = 8.0
#: Rows (from the column's first) and weights of some cells, each ``[n, slots]``.
Slots = tuple[np.ndarray, np.ndarray]


def numeric(column: Column, cells: Sequence[Any], first: int) -> Slots:
    """Two knots around each number, and the slope.

    Args:
        column: numeric.
        cells: one a record.
        first: the number of the first record, for messages.

    Raises:
        InputError: what is no number, by row.
    """
    values = numbers(column, cells, first)
    knots = np.array(column.knots)
    there = ~np.isnan(values)
    known = np.where(there, values, knots[0])
    inside = np.clip(known, knots[0], knots[-1])
    below = np.clip(np.searchsorted(knots, inside, "right") - 1, 0, len(knots) - 2)
    share = (inside - knots[below]) / (knots[below + 1] - knots[below])
    slope = np.clip((known - column.mean) / column.scale, -FARTHEST, FARTHEST)
    rows = np.stack([1 + below, 2 + below, np.full(len(values), column.rows - 1)], axis=1)
    weights = np.stack([1 - share, share, slope], axis=1)
    rows[~there], weights[~there] = (0, 0, -1), (1, 0, 0)
    return rows, weights


def categorical(column: Column, cells: Sequence[Any], first: int) -> Slots:
    """Each value's row; the same arguments."""
    texts = each(cells, lambda cell: text_of(cell, column.name), first)
    if not column.optional and None in texts:
        raise BadRow(first + texts.index(None), missing(column.name, True))
    places = {text: 0 if text is None else column.place(text) for text in set(texts)}
    rows = np.fromiter((places[text] for text in texts), "int64", len(texts))
    return rows[:, None], np.ones((len(texts), 1))


def multi(column: Column, cells: Sequence[Any], first: int) -> Slots:
    """Each value's row, all of one weight: one over the root of their number; the same arguments.

    With it, a sum of independent values keeps its size (the combiner that TensorFlow calls ``sqrtn``).
    """
    given = each(cells, column.given, first)
    rows, weights = np.full((len(given), column.most), -1), np.zeros((len(given), column.most))
    places: dict[str, int] = {}
    for number, texts in enumerate(given):
        taken = texts[: column.most]
        for place, text in enumerate(taken):
            if text not in places:
                places[text] = column.place(text)
            rows[number, place] = places[text]
        weights[number, : len(taken)] = 1 / np.sqrt(max(len(taken), 1))
    return rows, weights


#: Kind of column to what makes its slots; a row of -1 is nothing.
SLOTS: dict[str, Callable[[Column, Sequence[Any], int], Slots]] = {
    "numeric": numeric,
    "categorical": categorical,
    "multi": multi,
}


def numbers(column: Column, cells: Sequence[Any], first: int) -> np.ndarray:
    """A numeric column's cells as float64, NaN where one may be missing."""
    array = cells if isinstance(cells, np.ndarray) else np.fromiter(cells, object, len(cells))
    if array.dtype.kind in "iuf" and not np.isinf(array).any():
        found = array.astype("float64")
    else:
        found = np.array(each(array, column.number, first), "float64")
    if not column.optional and np.isnan(found).any():
        raise BadRow(first + int(np.argmax(np.isnan(found))), missing(column.name, True))
    return found


def each(cells: Sequence[Any], read: Callable[[Any], Any], first: int) -> list[Any]:
    """Each cell as ``read`` gives it; an error is told with its row."""
    found: list[Any] = []
    try:
        found.extend(map(read, cells))
    except InputError as error:
        # What was read before the error is how many rows came before it.
        raise BadRow(first + len(found), error.reason) from None
    return found


class BadRow(InputError):
    """A row of a source that will not do.

    Attributes:
        row: its number, from 1.
        bare: the reason without it.
    """

    def __init__(self, row: int, bare: str) -> None:
        self.row, self.bare = row, bare
        super().__init__(f"row {row}: {bare}")


def missing(name: str, stated: bool) -> str:
    """What is said of a value that must be there."""
    what = f"column {name!r} has no value" if stated else f"no column {name!r}"
    return f"{what}; expected one, as every record that the model learned from had"
