"""Cells of records as people and files write them: missing ones, numbers, spellings of categories.

Nothing here is raised while a value's own error is being handled, so that no error hangs on to a value.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from sixarts.errors import InputError


def as_record(x: Any) -> Mapping[Any, Any]:
    """A record as a mapping; a row of a pandas data frame is one.

    Raises:
        InputError: something else; it is not shown.
    """
    if isinstance(x, Mapping) and all(isinstance(name, str) for name in x):
        return x
    if type(x).__name__ == "Series" and type(x).__module__.split(".")[0] == "pandas":
        return as_record(x.to_dict())
    kind = "mapping whose keys are no names" if isinstance(x, Mapping) else type(x).__name__
    raise InputError(f"a {kind}; expected a record: a mapping of column name to value")


def is_missing(value: Any) -> bool:
    if value is None or (isinstance(value, str) and not value.strip()):
        return True
    if type(value).__name__ in ("NAType", "NaTType"):
        return True
    number = None if isinstance(value, str | bool) else as_number(value)
    return number is not None and math.isnan(number)


def as_number(value: Any) -> float | None:
    """A number of a cell, or ``None``; text is read as CSV files write numbers."""
    readable = isinstance(value, str | int | float) or hasattr(value, "__float__")
    if isinstance(value, bool) or not readable or getattr(value, "shape", ()) != ():
        return None
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return None if isinstance(value, str) and math.isnan(found) else found


def spellings(value: Any) -> list[str]:
    """How a category may be spelled: ``1``, ``1.0`` and ``"1"`` are one; so are truth and yes."""
    if isinstance(value, bool) or type(value).__name__ in ("bool", "bool_"):
        return ["true", "yes", "1"] if value else ["false", "no", "0"]
    if isinstance(value, str):
        text = value.strip().casefold()
        number = as_number(text)
        whole = number is not None and math.isfinite(number) and number == int(number)
        return [text, str(int(number))] if whole and number is not None else [text]
    number = as_number(value)
    if number is None or not math.isfinite(number):
        return []
    return [str(int(number))] if number == int(number) else [repr(number)]
