"""Records with their labels, read once: what ``fit`` and ``evaluate`` go through, and groups of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from sixarts.errors import InputError, OptionError, nearest
from sixarts.media.tables import is_table, rows
from sixarts_diagnosis.cells import as_record, spellings
from sixarts_diagnosis.inferred_schema import rounded
from sixarts_diagnosis.record_processor import RecordProcessor
from sixarts_diagnosis.schema import Column, Reading, Schema

#: Columns that are taken for the labels where nobody names another.
TARGETS = ("target", "label", "diagnosis")
#: Widths of bands of a number, the smallest that gives few enough of them.
WIDTHS = (1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000)
#: Most bands between the two open ones.
BANDS = 4


class Examples(Sequence[Any]):
    """Pairs of record and label whose records were read and found right.

    Args:
        pairs: as they came.
        readings: of the records, in the same order.
    """

    def __init__(self, pairs: Sequence[Any], readings: Sequence[Reading]) -> None:
        self._pairs, self.readings = list(pairs), list(readings)
        self._made: tuple[Any, np.ndarray] | None = None

    def __repr__(self) -> str:
        return f"<{len(self)} records with their labels>"

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, place: Any) -> Any:
        return self._pairs[place]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._pairs)

    @property
    def labels(self) -> list[str]:
        """The label of each."""
        return [str(getattr(label, "label", label_of(label))) for _, label in self._pairs]

    def of(self, rows_: Iterable[int]) -> Examples:
        """Some of them, by number."""
        chosen = [int(row) for row in rows_]
        return Examples([self._pairs[row] for row in chosen], [self.readings[row] for row in chosen])

    def features(self, processor: RecordProcessor) -> np.ndarray:
        """Their features ``[n, f]``, made once for a processor."""
        if self._made is None or self._made[0] is not processor:
            self._made = processor, processor.features(self.readings)
        return self._made[1]


def pairs_of(source: Any, target: str = "") -> list[tuple[Any, Any]]:
    """Pairs of record and label.

    Args:
        source: pairs, or a table (path, data frame, columns, records) with a column of labels.
        target: that column; one of :data:`TARGETS` when left out.

    Raises:
        InputError: no such column, or something else; no value is shown.
    """
    if not is_table(source) and not isinstance(source, Mapping):
        if isinstance(source, str):
            raise InputError("a text that is no path of a table; expected records, e.g. a .csv file")
        source = list(source)
        if not source or not isinstance(source[0], Mapping):
            return source
    return [_parted(row, target, number) for number, row in enumerate(rows(source))]


def _parted(row: Mapping[str, Any], target: str, number: int) -> tuple[dict[str, Any], Any]:
    record = dict(as_record(row))
    name = target or next((name for name in TARGETS if name in record), "")
    if name not in record:
        near = nearest(name, record) if name else []
        hint = f"the nearest: {', '.join(map(repr, near))}; " if near else ""
        raise InputError(
            f"a record without a column {name or ' or '.join(TARGETS)!r}; expected the column of the labels; "
            f"{hint}name it by target=…",
            number,
        )
    found = record.pop(name)
    return record, label_of(found)


def label_of(cell: Any) -> Any:
    """A cell of labels as a label's name: ``1``, ``1.0`` and ``"1"`` are one; what is none stays."""
    if isinstance(cell, str):
        return cell.strip()
    return spellings(cell)[-1] if cell is not None and spellings(cell) else cell


def groups_of(schema: Schema, readings: Sequence[Reading], by: Sequence[str]) -> list[dict[str, str]]:
    """Which group each record is of, by columns: its category, or the band that its number lies in.

    Args:
        by: names of columns; of numbers also as ``"age band"``.

    Raises:
        OptionError: no such column.
    """
    found: list[dict[str, str]] = [{} for _ in readings]
    for name in by:
        column = schema.column(name.removesuffix(" band") if name not in schema.names else name)
        values = [reading.values[schema.names.index(column.name)] for reading in readings]
        kind = column.words
        if column.kind == "number":
            kind = f"{column.words} band"
            values = list(banded(column, values))
        for groups, value in zip(found, values, strict=True):
            if value is not None:
                groups[kind] = str(value)
    if isinstance(by, str):
        raise OptionError(f"by={by!r}; expected names of columns in a tuple, e.g. ({by!r},)")
    return found


def banded(column: Column, values: Sequence[Any]) -> Iterator[str | None]:
    """Bands of a column's numbers with round edges, named for people.

    >>> list(banded(Column("age", whole=True), [34.0, 41.0, 55.0, 62.0, None, 48.0]))
    ['under 40', '40 to 49', '50 and over', '50 and over', None, '40 to 49']
    """
    numbers = np.array([value for value in values if value is not None], "float64")
    low, high = np.quantile(numbers, (0.1, 0.9)) if len(numbers) else (0.0, 1.0)
    width = _width(float(high - low))
    edges = np.arange(np.ceil(low / width), np.floor(high / width) + 1) * width
    if not len(edges):
        edges = np.array([rounded(float(np.median(numbers)))])
    last = width - (1 if column.whole else 0)
    for value in values:
        if value is None:
            yield None
        elif value < edges[0]:
            yield f"under {edges[0]:g}"
        elif value >= edges[-1]:
            yield f"{edges[-1]:g} and over"
        else:
            start = edges[np.searchsorted(edges, value, side="right") - 1]
            yield f"{start:g} to {start + last:g}"


def _width(span: float) -> float:
    """The smallest round width that cuts a span into few bands."""
    scale = 10.0 ** np.floor(np.log10(max(span, 1e-9)) - 1)
    return next((w * scale for w in WIDTHS if span / (w * scale) <= BANDS - 1), WIDTHS[-1] * scale)
