"""How the commands print: aligned columns, JSON, and messages that stay out of pipes."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any


def say(message: str) -> None:
    """A message to the person, on standard error."""
    print(message, file=sys.stderr, flush=True)


def as_json(value: Any) -> str:
    """One line of JSON; letters of every script stay readable."""
    return json.dumps(value, ensure_ascii=False)


def show_json(value: Any) -> None:
    """JSON on standard output, indented for reading."""
    print(json.dumps(value, ensure_ascii=False, indent=2))


def show_table(header: Sequence[str], rows: Iterable[Sequence[str]], empty: str) -> None:
    """Aligned columns on standard output; ``empty`` on standard error when there is no row."""
    lines = [list(row) for row in rows]
    if not lines:
        return say(empty)
    lines.insert(0, [title.upper() for title in header])
    widths = [max(map(columns, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = [cell + " " * (width - columns(cell)) for cell, width in zip(line, widths, strict=True)]
        print("  ".join(cells).rstrip())
    return None


def columns(text: str) -> int:
    """Columns that ``text`` takes on a terminal; Chinese and Japanese characters take two.

    >>> columns("dog"), columns("狗")
    (3, 2)
    """
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def shortened(text: str, limit: int) -> str:
    """``text`` on one line, cut with an ellipsis when longer than ``limit`` characters.

    >>> shortened("one two three", 8)
    'one two…'
    """
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def size_of(count: float) -> str:
    """Bytes in the unit that a person reads.

    >>> size_of(7_900_000)
    '7.9 MB'
    """
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
