"""What a record's columns are, and how a record becomes numbers: slots of rows in one table, with weights.

Every value is a weighted sum of rows of one table of embeddings, so that networks, attribution and storage
know one kind of input. Row 0 is nothing. A column has rows of its own, and slots that name them:

=============  ============================================  ==========================================
kind           rows                                          slots
=============  ============================================  ==========================================
categorical    missing, one a known value, hash buckets      1: the value's row
numeric        missing, one a knot, slope                    3: two knots around the value, and the slope
multi          other, one a known value, hash buckets        ``most``: each value's row, of equal weight
cross          hash buckets                                  1: the bucket of two columns' values together
=============  ============================================  ==========================================

Between two knots (quantiles of the data) a number's rows are weighted by how near it lies to each: a
piecewise linear encoding (Gorishniy et al. 2022, "On Embeddings for Numerical Features in Tabular Deep
Learning", section 3.2) in the basis of its corners. A value that was not known at training gets the row of
its hash bucket, by CRC-32 of its UTF-8 text, which is the same in every process and on every machine.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from sixarts.errors import InputError, nearest
from sixarts_recommendation.cells import SLOTS, missing
from sixarts_recommendation.columns import Column, crossed, text_of


@dataclass(frozen=True)
class Encoded:
    """Records as a network takes them.

    Attributes:
        ids: rows of the table ``[n, slots]``, int32; 0 is nothing.
        weights: how much of each ``[n, slots]``, float32.
    """

    ids: np.ndarray
    weights: np.ndarray


@dataclass(frozen=True)
class Schema:
    """The columns of records, and what is predicted of them.

    Attributes:
        columns: in the order of the network's fields; crosses last.
        target: the column of the outcome in a table.
        labels: the outcome's two values: what is not predicted, and what is.
        ignored: columns of the training data that are no input and may stand in a record.
    """

    columns: tuple[Column, ...]
    target: str = "target"
    labels: tuple[str, str] = ("0", "1")
    ignored: tuple[str, ...] = ()

    @cached_property
    def inputs(self) -> dict[str, Column]:
        """The columns that a record states, by name."""
        return {column.name: column for column in self.columns if column.kind != "cross"}

    @cached_property
    def starts(self) -> list[int]:
        """Each column's first row in the table."""
        return list(np.cumsum([1, *(column.rows for column in self.columns)]))[:-1]

    @property
    def rows(self) -> int:
        """Rows of the table, nothing's included."""
        return 1 + sum(column.rows for column in self.columns)

    @cached_property
    def owners(self) -> list[int]:
        """The number of the column that each slot belongs to."""
        return [place for place, column in enumerate(self.columns) for _ in range(column.slots)]

    # Records to numbers.

    def check(self, record: Any) -> None:
        """Holds one record against the schema.

        Raises:
            InputError: what is wrong, by column.
        """
        if not isinstance(record, Mapping):
            raise InputError(f"{type(record).__name__}; expected a record: a mapping of column name to value")
        self.check_names(record)
        for name, column in self.inputs.items():
            cell = record.get(name)
            if column.kind == "numeric":
                absent = math.isnan(column.number(cell))
            elif column.kind == "multi":
                column.given(cell)
                continue
            else:
                absent = text_of(cell, name) is None
            if absent and not column.optional:
                raise InputError(missing(name, name in record))

    def check_names(self, names: Iterable[Any]) -> None:
        """Refuses columns that the schema does not have, and a lack of those that it needs."""
        given = list(names)
        known = {*self.inputs, *self.ignored, self.target}
        for name in given:
            if name not in known:
                near = nearest(str(name), self.inputs) or list(self.inputs)[:20]
                raise InputError(f"unknown column {str(name)!r}; expected some of {', '.join(near)}")
        for name, column in self.inputs.items():
            if name not in given and not column.optional and column.kind != "multi":
                raise InputError(missing(name, False))

    def unseen(self, record: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Column and value of what is not known by name, and stands in a hash bucket."""
        found = []
        for name, column in self.inputs.items():
            if column.kind == "multi":
                texts: Sequence[str | None] = column.given(record.get(name))
            elif column.kind == "categorical":
                texts = [text_of(record.get(name), name)]
            else:
                continue
            found += [(name, text) for text in texts if text is not None and text not in column.places]
        return found

    def encode(self, columns: Mapping[str, Sequence[Any]], count: int, first: int = 1) -> Encoded:
        """Records by column to numbers.

        Args:
            columns: cells by column name; a column that is left out is missing throughout.
            count: how many records.
            first: the number of the first of them, for messages.

        Raises:
            InputError: what is wrong, by row and column.
        """
        self.check_names(columns)
        slots = len(self.owners)
        ids, weights = np.zeros((count, slots), "int32"), np.zeros((count, slots), "float32")
        place = 0
        for start, column in zip(self.starts, self.columns, strict=True):
            part = slice(place, place + column.slots)
            place += column.slots
            if column.kind == "cross":
                rows, weights[:, part] = self._crossed(column, columns, count), 1
            else:
                cells = columns.get(column.name, [None] * count)
                rows, weights[:, part] = SLOTS[column.kind](column, cells, first)
            ids[:, part] = np.where(rows >= 0, rows + start, 0)
        return Encoded(ids, weights)

    def _crossed(self, column: Column, columns: Mapping[str, Sequence[Any]], count: int) -> np.ndarray:
        parts = ([text_of(cell, name) for cell in columns.get(name, [None] * count)] for name in column.of)
        found = [crossed(texts, column.buckets) for texts in zip(*parts, strict=True)]
        return np.array(found, "int64")[:, None]

    def encode_records(self, records: Sequence[Mapping[str, Any]]) -> Encoded:
        """The same of records that were checked."""
        columns = {name: [record.get(name) for record in records] for name in self.inputs}
        return self.encode(columns, len(records))

    def reference(self) -> dict[str, Any]:
        """A record of usual values, which explanations compare with."""
        return {name: column.usual for name, column in self.inputs.items()}

    def reference_ids(self, ids: np.ndarray) -> np.ndarray:
        """The rows that stand for the reference in the slots of some records, whose weights stay.

        A number's slots both name the knot next to the usual value, and its slope nothing; a multi column's
        name nothing, as those of no values do.
        """
        found = np.array(ids)
        place = 0
        for start, column in zip(self.starts, self.columns, strict=True):
            part = slice(place, place + column.slots)
            place += column.slots
            if column.kind == "numeric":
                usual = column.mean if column.usual is None else float(column.usual)
                knot = int(np.argmin(np.abs(np.array(column.knots) - usual)))
                found[:, part] = (start + 1 + knot, start + 1 + knot, 0)
            elif column.kind == "multi":
                found[:, part] = 0
            elif column.kind == "cross":
                texts = [text_of(self.inputs[name].usual, name) for name in column.of]
                found[:, part] = start + crossed(texts, column.buckets)
            else:
                text = text_of(column.usual, column.name)
                found[:, part] = start + (0 if text is None else column.place(text))
        return found
