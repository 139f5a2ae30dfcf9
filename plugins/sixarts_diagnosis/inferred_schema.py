"""A schema from the records themselves, where nobody states one.

What is kept of them are kinds, categories and rounded quantiles: no least or largest value, which would be
somebody's, and no column of names or numbers that would tell who somebody is.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sixarts.errors import InputError
from sixarts_diagnosis.cells import as_number, is_missing, spellings
from sixarts_diagnosis.schema import Column, Schema

#: Most categories of a column of text; of more, or of texts that hardly ever occur twice, it is no category.
CATEGORIES = 30
#: Share of a column's values that lies within its usual range.
USUAL = 0.95
#: Significant digits of what is kept of numbers.
DIGITS = 2


def inferred(records: Sequence[Mapping[str, Any]], target: str = "") -> Schema:
    """A schema that these records fit.

    A column of numbers is one of numbers, but for two different ones, which are categories. What is missing
    somewhere may be missing; where nothing is, it is required.

    Raises:
        InputError: a column of texts that looks as if it told who somebody is, or is empty.
    """
    names = list(dict.fromkeys(name for record in records for name in record if name != target))
    return Schema(tuple(_column(name, [record.get(name) for record in records]) for name in names), target)


def _column(name: str, cells: Sequence[Any]) -> Column:
    known = [cell for cell in cells if not is_missing(cell)]
    if not known:
        raise InputError(f"column {name!r} has no value in any record; expected some; name it in ignore=(…)")
    required = len(known) == len(cells)
    numbers = [as_number(cell) for cell in known]
    found = [number for number in numbers if number is not None]
    if len(found) == len(known) and len(set(found)) > 2:
        if not all(map(math.isfinite, found)):
            raise InputError(f"column {name!r} holds an infinite value; expected numbers")
        whole = all(number == int(number) for number in found)
        usual = usual_range(found)
        return Column(name, "number", usual=usual, required=required, whole=whole)
    names = [_category(cell) for cell in known]
    # "I" and "i" are one category, under the spelling that comes first.
    spelled = dict(reversed([(each.casefold(), each) for each in names]))
    counts = Counter(spelled[each.casefold()] for each in names)
    rare = sum(count == 1 for count in counts.values())
    if len(counts) > CATEGORIES or "" in counts or (rare > 2 and rare > len(known) / 2):
        raise InputError(
            f"column {name!r} holds {len(counts)} different texts in {len(known)} records; expected numbers, "
            f"or at most {CATEGORIES} categories that occur again; if it tells who somebody is, name it in "
            "ignore=(…); otherwise state a schema"
        )
    return Column(name, "category", categories=tuple(sorted(counts)), required=required)


def _category(cell: Any) -> str:
    """A category's name: text as it is, a number without its decimal point."""
    return cell.strip() if isinstance(cell, str) else (spellings(cell) or [""])[-1]


def usual_range(numbers: Sequence[float]) -> tuple[float, float]:
    """Ends between which :data:`USUAL` of some numbers lie, rounded outward so that they are nobody's own.

    >>> usual_range([float(n) for n in range(101)])
    (2.5, 98.0)
    """
    ordered = sorted(numbers)
    outside = (1 - USUAL) / 2
    low, high = (quantile(ordered, share) for share in (outside, 1 - outside))
    return rounded(low, math.floor), rounded(high, math.ceil)


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value below which this share of ordered numbers lies."""
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def rounded(value: float, how: Any = round) -> float:
    """A number to :data:`DIGITS` significant digits.

    >>> rounded(1234.0), rounded(0.0567), rounded(0.0)
    (1200.0, 0.057, 0.0)
    """
    if value == 0:
        return 0.0
    digits = DIGITS - 1 - math.floor(math.log10(abs(value)))
    # Printed and read again, so that no digit beyond those is left.
    return float(f"{how(value * 10.0**digits) / 10.0**digits:.{DIGITS + 1}g}")
