"""What a record holds: columns with their units, ranges and categories; and the one check of a record.

Records are private. A message names the column and what was expected of it, and never shows a value; nothing
here is raised while a value's own error is being handled, so that none hangs on to it either.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from sixarts.errors import CheckpointError, InputError, OptionError, nearest
from sixarts.readers.json_file import read_json, write_json
from sixarts_diagnosis.cells import as_number, as_record, is_missing, spellings
from sixarts_diagnosis.units import likely_units

#: Its file in a model folder.
SCHEMA = "schema.json"
#: Most columns and categories of a schema, and most characters of a name.
COLUMNS_CAP, CATEGORIES_CAP, NAME_CAP = 4096, 256, 200

Value = float | str | None


@dataclass(frozen=True)
class Column:
    """One thing that a record tells.

    Attributes:
        name: as records have it.
        kind: ``"number"`` or ``"category"``.
        title: the name in words, for people; the name itself where left out.
        unit: of a number, e.g. ``"mmHg"``.
        low, high: ends of what is possible; a value beyond them is refused. ``None`` where there is no end.
        usual: ends of what is common; a value beyond them is answered, and reported.
        categories: what a category may be.
        required: whether a record must have it.
        whole: whether numbers are whole, for explanations.
    """

    name: str
    kind: Literal["number", "category"] = "number"
    title: str = ""
    unit: str = ""
    low: float | None = None
    high: float | None = None
    usual: tuple[float, float] | None = None
    categories: tuple[str, ...] = ()
    required: bool = False
    whole: bool = False

    @property
    def words(self) -> str:
        """Its name for people."""
        return self.title or self.name

    def expected(self) -> str:
        """What a value must be, in words.

        >>> Column("age", unit="years", low=0, high=120).expected()
        'a number from 0 to 120 years'
        """
        if self.kind == "category":
            shown = ", ".join(map(repr, self.categories[:12])) + (", …" if len(self.categories) > 12 else "")
            return f"one of {shown}"
        if self.low is None and self.high is None:
            words = "a number"
        elif self.high is None:
            words = f"a number of at least {self.low:g}"
        elif self.low is None:
            words = f"a number of at most {self.high:g}"
        else:
            words = f"a number from {self.low:g} to {self.high:g}"
        return f"{words} {self.unit}".rstrip()

    def read(self, value: Any) -> Value:
        """The value as a number or category, ``None`` where it is missing.

        Raises:
            InputError: it is neither; the message does not show it.
        """
        if is_missing(value):
            if self.required:
                raise InputError(
                    f"column {self.name!r} is missing; expected {self.expected()}: this model needs it"
                )
            return None
        return self._category(value) if self.kind == "category" else self._number(value)

    def is_unusual(self, value: Value) -> bool:
        """Whether a value is possible and beyond what is common."""
        return (
            isinstance(value, float)
            and self.usual is not None
            and not self.usual[0] <= value <= self.usual[1]
        )

    def shown(self, value: Value) -> str:
        """A value for people, with its unit."""
        if value is None:
            return "missing"
        if isinstance(value, str):
            return value
        return f"{value:.4g} {self.unit}".rstrip()

    def _number(self, value: Any) -> float:
        found = as_number(value)
        if found is None:
            kind = type(value).__name__
            raise InputError(
                f"column {self.name!r} holds a {kind} that is no number; expected {self.expected()}"
            )
        if math.isinf(found):
            raise InputError(f"column {self.name!r} is infinite; expected {self.expected()}")
        low = -math.inf if self.low is None else self.low
        high = math.inf if self.high is None else self.high
        if low <= found <= high:
            return found
        # What is common tells a unit better than what is possible.
        units = list(likely_units(found, self.unit, *(self.usual or (low, high))))
        units = units or list(likely_units(found, self.unit, low, high))
        if units:
            raise InputError(
                f"column {self.name!r} is out of range and looks as if it were in {' or '.join(units)}; "
                f"expected {self.expected()}; convert it"
            )
        side = "below" if found < low else "above"
        raise InputError(
            f"column {self.name!r} is {side} what is possible; expected {self.expected()}; check the value "
            "and its unit"
        )

    def _category(self, value: Any) -> str:
        for spelled in spellings(value):
            for category in self.categories:
                if category.casefold() == spelled:
                    return category
        raise InputError(
            f"column {self.name!r} holds a category that this model has never seen; expected "
            f"{self.expected()}"
        )

    def to_config(self) -> dict[str, Any]:
        """As the schema's file has it: what says nothing is left out."""
        said = {
            "name": self.name,
            "kind": self.kind,
            "title": self.title,
            "unit": self.unit,
            "low": self.low,
            "high": self.high,
            "usual": list(self.usual) if self.usual else None,
            "categories": list(self.categories),
            "required": self.required,
            "whole": self.whole,
        }
        # A low end of 0 says something, and equals False.
        return {
            key: value for key, value in said.items() if value is not False and value not in (None, "", [])
        }

    @classmethod
    def from_config(cls, said: Any, where: str) -> Self:
        """A column of a schema's file.

        Raises:
            CheckpointError: it is none.
        """
        if not isinstance(said, Mapping):
            raise CheckpointError(
                f"{where} is {type(said).__name__}; expected an object with a name and a kind"
            )
        known = {"name", "kind", "title", "unit", "low", "high", "usual", "categories", "required", "whole"}
        if odd := sorted(set(said) - known):
            raise CheckpointError(f"{where} has {odd[0][:60]!r}; expected some of {', '.join(sorted(known))}")
        wrong = [name for name, fits in _FITS.items() if name in said and not fits(said[name])]
        if "name" not in said or wrong:
            raise CheckpointError(
                f"{where}: {wrong[0] if wrong else 'name'} is missing or of another kind; expected "
                "text for name, kind, title and unit, numbers for low and high, two of them for usual"
            )
        full = {**said, "categories": tuple(said.get("categories", ()))}
        if usual := said.get("usual"):
            full["usual"] = (float(usual[0]), float(usual[1]))
        found = cls(**full)
        if (found.kind == "category") != bool(found.categories):
            raise CheckpointError(f"{where}: kind {found.kind!r}; expected categories for a category alone")
        ends = [end for end in (found.low, *(found.usual or ()), found.high) if end is not None]
        if ends != sorted(ends):
            raise CheckpointError(f"{where}: expected low, usual and high in this order")
        return found


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= NAME_CAP


def _is_end(value: Any) -> bool:
    return value is None or (type(value) in (int, float) and math.isfinite(value))


def _is_range(value: Any) -> bool:
    two = isinstance(value, list | tuple) and len(value) == 2
    return two and all(end is not None and _is_end(end) for end in value)


def _are_categories(value: Any) -> bool:
    few = isinstance(value, list | tuple) and len(value) <= CATEGORIES_CAP and all(map(_is_text, value))
    return few and len({each.casefold() for each in value}) == len(value)


#: Entry of a column in a schema's file to whether a value will do.
_FITS: dict[str, Callable[[Any], bool]] = {
    "name": lambda value: _is_text(value) and bool(value.strip()),
    "kind": lambda value: value in ("number", "category"),
    "title": _is_text,
    "unit": _is_text,
    "low": _is_end,
    "high": _is_end,
    "usual": lambda value: value is None or _is_range(value),
    "categories": _are_categories,
    "required": lambda value: isinstance(value, bool),
    "whole": lambda value: isinstance(value, bool),
}


@dataclass(frozen=True)
class Reading:
    """A record that fits a schema. It is never printed.

    Attributes:
        values: one a column: a number, a category, or ``None``.
        missing, unusual: names of columns.
    """

    values: tuple[Value, ...] = field(repr=False)
    missing: tuple[str, ...] = ()
    unusual: tuple[str, ...] = ()


@dataclass(frozen=True)
class Schema:
    """The columns of a record.

    Attributes:
        columns: in the order of the network's inputs.
        target: the column that training learned to tell; it is left out of records that have it.

    Example::

        sex = Column("sex", "category", categories=("female", "male"))
        schema = Schema((Column("age", unit="years", low=0, high=120), sex))
        schema.read({"age": 50, "sex": "female"})
    """

    columns: tuple[Column, ...]
    target: str = ""

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        if not names or len(names) > COLUMNS_CAP:
            raise CheckpointError(f"a schema of {len(names)} columns; expected 1 to {COLUMNS_CAP}")
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise CheckpointError(f"a schema with two columns {twice[0]!r}; expected each name once")

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        """The column of a name.

        Raises:
            OptionError: there is none; the nearest are named.
        """
        for column in self.columns:
            if column.name == name:
                return column
        near = nearest(name, self.names) or list(self.names[:10])
        raise OptionError(f"no column {name!r}; the nearest: {', '.join(near)}")

    def read(self, record: Any, ignore: Iterable[str] = ()) -> Reading:
        """A record's values in the order of the columns.

        Args:
            record: a mapping of column name to value, or a row of a data frame.
            ignore: names that are left out, beside the target.

        Raises:
            InputError: no record; a column that is unknown, missing where it must not be, or holds what it
                cannot. Values are not shown.
        """
        cells = as_record(record)
        left = {*ignore, self.target}
        unknown = [str(name) for name in cells if name not in self._known and name not in left]
        if unknown:
            raise InputError(self._strange(unknown, cells))
        values = tuple(column.read(cells.get(column.name)) for column in self.columns)
        pairs = list(zip(self.columns, values, strict=True))
        missing = tuple(column.name for column, value in pairs if value is None)
        if len(missing) == len(values):
            raise InputError("a record without any value; expected some of its columns to be known")
        return Reading(values, missing, tuple(c.name for c, value in pairs if c.is_unusual(value)))

    @property
    def _known(self) -> frozenset[str]:
        known: frozenset[str] | None = vars(self).get("_known_names")
        if known is None:
            known = frozenset(self.names)
            vars(self)["_known_names"] = known
        return known

    def _strange(self, unknown: Sequence[str], cells: Mapping[Any, Any]) -> str:
        """What is said of columns that the schema lacks."""
        first = unknown[0][:NAME_CAP]
        if as_number(first) is not None:
            # Names are not private, but this is none: a first row of values was taken for the header.
            return (
                "a column whose name is a number; expected names of columns: "
                f"{', '.join(self.names[:12])}; does the table lack its header?"
            )
        if not self._known & set(cells):
            return (
                f"a record of another schema, with columns such as {first!r}; expected "
                f"{', '.join(self.names[:12])}{', …' if len(self.names) > 12 else ''}; choose the model "
                "that was trained for such records"
            )
        near = nearest(first, self.names)
        hint = (
            f"the nearest: {', '.join(map(repr, near))}" if near else f"known: {', '.join(self.names[:12])}"
        )
        return f"unknown column {first!r}; expected columns of this model; {hint}; or name it in ignore=(…)"

    def to_config(self) -> dict[str, Any]:
        """As its file has it."""
        return {"columns": [column.to_config() for column in self.columns], "target": self.target}

    def save(self, folder: Path) -> None:
        """Writes its file into a model folder."""
        write_json(folder / SCHEMA, self.to_config())

    @classmethod
    def from_config(cls, said: Mapping[str, Any], where: str = SCHEMA) -> Self:
        """What :meth:`to_config` gives, or a person or stranger wrote.

        Raises:
            CheckpointError: it is no schema.
        """
        columns, target = said.get("columns"), said.get("target", "")
        if not isinstance(columns, list | tuple) or not _is_text(target) or len(columns) > COLUMNS_CAP:
            raise CheckpointError(
                f"{where} has no list of columns; expected columns, each with name and kind"
            )
        return cls(
            tuple(Column.from_config(each, f"{where}, column {i}") for i, each in enumerate(columns, 1)),
            target,
        )

    @classmethod
    def of(cls, source: Any) -> Self:
        """A schema, what :meth:`to_config` gives, or the path of a JSON file."""
        if isinstance(source, cls):
            return source
        if isinstance(source, str | Path):
            path = Path(source)
            return cls.from_config(read_json(path), path.name)
        if isinstance(source, Mapping):
            return cls.from_config(source)
        raise OptionError(
            f"schema of type {type(source).__name__}; expected a Schema, a mapping with columns, or the path "
            "of a JSON file"
        )
