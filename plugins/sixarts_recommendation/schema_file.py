"""A schema as JSON: written, and read from what a stranger may have written."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from sixarts.errors import CheckpointError
from sixarts_recommendation.columns import KINDS, Column
from sixarts_recommendation.schema import Schema

#: What a schema may hold, far beyond what people have.
MOST_COLUMNS, MOST_VALUES, MOST_BUCKETS, MOST_SLOTS = 2000, 2**24, 2**24, 1024
#: Slots of all columns together: they and the columns span a matrix.
ALL_SLOTS = 8192


def stated(schema: Schema) -> dict[str, Any]:
    """A schema as JSON has it; values that are a column's defaults are left out."""
    usual = {entry.name: entry.default for entry in fields(Column)}
    columns = [
        {name: value for name, value in asdict(column).items() if value != usual[name]}
        for column in schema.columns
    ]
    return {
        "target": schema.target,
        "labels": list(schema.labels),
        "ignored": list(schema.ignored),
        "columns": columns,
    }


def schema_from(found: Mapping[str, Any]) -> Schema:
    """A schema from what :func:`stated` gave, or a stranger wrote.

    Raises:
        CheckpointError: one that states something else.
    """
    _wanted(set(found) == {"target", "labels", "ignored", "columns"}, "target, labels, ignored, columns")
    labels, ignored, columns = found["labels"], found["ignored"], found["columns"]
    _wanted(isinstance(found["target"], str), "a name as target")
    _wanted(_texts(labels) and len(labels) == 2 and labels[0] != labels[1], "two labels")
    _wanted(_texts(ignored) and len(ignored) <= MOST_COLUMNS, "a list of names as ignored")
    _wanted(isinstance(columns, list) and 0 < len(columns) <= MOST_COLUMNS, "a list of columns")
    made = [_column(each) for each in columns]
    names = [column.name for column in made]
    _wanted(len(set(names)) == len(names), "each column once")
    _wanted(sum(column.slots for column in made) <= ALL_SLOTS, f"at most {ALL_SLOTS} slots")
    plain = {column.name for column in made if column.kind == "categorical"}
    for column in made:
        if column.kind == "cross":
            _wanted(len(column.of) == 2 and set(column.of) <= plain, "crosses of two categorical columns")
    return Schema(tuple(made), found["target"], (labels[0], labels[1]), tuple(ignored))


def _wanted(held: bool, words: str) -> None:
    if not held:
        raise CheckpointError(f"schema.json; expected {words}; fetch the model again")


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(entry, str) for entry in value)


def _column(found: Any) -> Column:
    _wanted(isinstance(found, Mapping), "columns as objects")
    known = {entry.name for entry in fields(Column)}
    _wanted(set(found) <= known, f"columns of {', '.join(sorted(known))}")
    name, kind = found.get("name"), found.get("kind")
    _wanted(isinstance(name, str), "a name for every column")
    _wanted(kind in KINDS, f"kinds of {', '.join(KINDS)}")
    for part, most in (("buckets", MOST_BUCKETS), ("most", MOST_SLOTS)):
        value = found.get(part, 1)
        _wanted(type(value) is int and 0 <= value <= most, f"{part} from 0 to {most} in {name!r}")
    for part in ("values", "of"):
        value = found.get(part, [])
        _wanted(_texts(value) and len(value) <= MOST_VALUES, f"texts as {part} of {name!r}")
        _wanted(len(set(value)) == len(value), f"each of {part} once in {name!r}")
    knots = found.get("knots", [])
    _wanted(
        isinstance(knots, list) and len(knots) <= MOST_VALUES and all(map(_is_number, knots)),
        f"numbers as knots of {name!r}",
    )
    _wanted(all(a < b for a, b in itertools.pairwise(knots)), f"rising knots in {name!r}")
    _wanted(kind != "numeric" or len(knots) >= 2, f"two knots or more in {name!r}")
    _wanted(kind != "cross" or found.get("buckets", 0) > 0, f"buckets in {name!r}")
    _wanted(kind != "multi" or found.get("most", 1) > 0, f"one value or more in {name!r}")
    scale, mean, usual = found.get("scale", 1.0), found.get("mean", 0.0), found.get("usual")
    _wanted(_is_number(scale) and scale > 0 and _is_number(mean), f"a mean and a scale in {name!r}")
    fits = _is_number(usual) if kind == "numeric" else isinstance(usual, str)
    _wanted(usual is None or fits, f"a usual value of its kind in {name!r}")
    _wanted(type(found.get("optional", False)) is bool, f"true or false as optional of {name!r}")
    separator = found.get("separator", "|")
    _wanted(isinstance(separator, str) and separator != "", f"a separator in {name!r}")
    lists = {part: tuple(found[part]) for part in ("values", "of", "knots") if part in found}
    return Column(**{**found, **lists})


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)
