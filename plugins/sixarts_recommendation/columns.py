"""One column of a record: its kind, what it knows by name, and what stands for everything else."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from sixarts.errors import InputError

KINDS = ("categorical", "numeric", "multi", "cross")
#: Slots of a numeric column: the knot below, the knot above, the slope.
NUMERIC_SLOTS = 3


@dataclass(frozen=True)
class Column:
    """One column of a record.

    Attributes:
        name: its name.
        kind: one of :data:`KINDS`.
        optional: whether its value may be missing, as it was in the training data.
        values: the values known by name, for categorical and multi.
        buckets: rows for all others, by hash.
        knots: rising numbers, two at least, for numeric.
        mean, scale: by which a number is normalized for the slope.
        most: values of a multi column that are taken; later ones are left out.
        separator: between the values of a multi column where they come as one text.
        of: the two columns of a cross.
        usual: the reference value that explanations compare with: the commonest, or the median.
    """

    name: str
    kind: str
    optional: bool = False
    values: tuple[str, ...] = ()
    buckets: int = 0
    knots: tuple[float, ...] = ()
    mean: float = 0.0
    scale: float = 1.0
    most: int = 1
    separator: str = "|"
    of: tuple[str, ...] = ()
    usual: str | float | None = None

    @property
    def rows(self) -> int:
        """How many rows of the table are its own."""
        if self.kind == "numeric":
            return 1 + len(self.knots) + 1
        return (0 if self.kind == "cross" else 1 + len(self.values)) + self.buckets

    @property
    def slots(self) -> int:
        """How many rows a value names."""
        return {"numeric": NUMERIC_SLOTS, "multi": self.most}.get(self.kind, 1)

    @cached_property
    def places(self) -> dict[str, int]:
        """Known value to its row among the column's own."""
        return {value: place for place, value in enumerate(self.values, 1)}

    def place(self, text: str) -> int:
        """The row, among the column's own, of a value that is there."""
        found = self.places.get(text)
        if found is not None:
            return found
        if not self.buckets:
            return 0
        return self.rows - self.buckets + bucket_of(text, self.buckets)

    def given(self, cell: Any) -> list[str]:
        """The values of a multi column's cell.

        Raises:
            InputError: something else than a collection of values, or a text of them.
        """
        if cell is None:
            return []
        if isinstance(cell, str):
            parts: Iterable[Any] = (part.strip() for part in cell.split(self.separator))
        elif isinstance(cell, list | tuple | set | frozenset | np.ndarray):
            parts = sorted(cell, key=str) if isinstance(cell, set | frozenset) else cell
        else:
            raise InputError(
                f"column {self.name!r} holds {kind_of(cell)}; expected a list of values, or a text of them "
                f"with {self.separator!r} between"
            )
        found = [text_of(part, self.name) for part in parts]
        return [text for text in found if text is not None]

    def number(self, cell: Any) -> float:
        """A numeric column's cell; NaN where it is missing.

        Raises:
            InputError: no finite number.
        """
        if cell is None or (isinstance(cell, str) and not cell.strip()):
            return math.nan
        if isinstance(cell, str | int | float | np.number) and not isinstance(cell, bool):
            try:
                value = float(cell)
            except (ValueError, OverflowError):
                value = math.inf
            if not math.isinf(value):
                return value
        shown = "text that is no number" if isinstance(cell, str) else kind_of(cell)
        raise InputError(f"column {self.name!r} holds {shown}; expected a finite number")


def bucket_of(text: str, buckets: int) -> int:
    """The bucket of a value: CRC-32 of its UTF-8 text, modulo their number.

    >>> bucket_of("never seen", 32)
    1
    """
    return zlib.crc32(text.encode("utf-8", "surrogatepass")) % buckets


def crossed(texts: Iterable[str | None], buckets: int) -> int:
    """The bucket of two columns' values together."""
    return bucket_of("\x1f".join(text or "" for text in texts), buckets)


def text_of(cell: Any, column: str) -> str | None:
    """A categorical value as text, the same from a CSV file and from a frame; ``None`` where it is missing.

    >>> text_of(3.0, "zip"), text_of("3", "zip"), text_of("  ", "zip")
    ('3', '3', None)

    Raises:
        InputError: no single value.
    """
    if isinstance(cell, str):
        return cell.strip() or None
    if cell is None:
        return None
    if isinstance(cell, float | np.floating):
        if math.isnan(cell):
            return None
        return str(int(cell)) if float(cell).is_integer() else repr(float(cell))
    if isinstance(cell, bool | np.bool_):
        return str(bool(cell))
    if isinstance(cell, int | np.integer):
        return str(int(cell))
    if type(cell).__name__ in ("Timestamp", "datetime", "date"):
        return str(cell)
    raise InputError(f"column {column!r} holds {kind_of(cell)}; expected one value: text or a number")


def kind_of(cell: Any) -> str:
    """What a cell is, in words that do not show it."""
    return "an infinite number" if isinstance(cell, float) else f"a value of type {type(cell).__name__}"
