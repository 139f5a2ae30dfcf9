"""Interactions in tables larger than memory, sorted into histories on disk.

Three passes, each in constant memory: rows are read and their ids numbered, and written down as they come;
each is put where its user's rows stand (a counting sort); the rows of a few users at a time are ordered by
time. An interaction takes 24 bytes on disk, 4 of which stay; memory holds the ids of users and items, and a
million rows at a time, whatever their number.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sixarts.errors import InputError, TrainingError
from sixarts.media.tables import chunks, rows
from sixarts_recommendation.items import Items, numbered
from sixarts_recommendation.sequences import Sequences

#: One interaction as it lies on disk.
RECORD = np.dtype([("user", "i4"), ("item", "i4"), ("time", "f8"), ("row", "i8")])
#: Interactions that are sorted in memory together.
TOGETHER = 2**20


@dataclass(frozen=True)
class Columns:
    """What the columns of a table are called.

    Attributes:
        user, item: of each interaction.
        time: numbers, or dates as ISO 8601 has them; without it, rows are in order.
        title, categories: of the item, where each row tells them.
        duplicates: what becomes of rows that tell the same user, item and time again.
    """

    user: str = "user"
    item: str = "item"
    time: str | None = None
    title: str | None = None
    categories: str | None = None
    duplicates: str = "refuse"


def read(table: Any, columns: Columns, catalog: Items, grow: bool, kind: str) -> Sequences:
    """The histories of a table's users, each in order of time.

    Args:
        table: anything that :mod:`sixarts.media.tables` reads, one interaction a row.
        columns: what its columns are called; a column ``time`` is taken for the time where there is one.
        catalog: the items that are known; new ones are added with ``grow``.
        kind: what messages call a row.

    Raises:
        InputError: a column that is not there; a missing or unusable cell, or a row that was there before,
            each with its row (from 1) and column.
        TrainingError: there are no rows.
    """
    place = tempfile.TemporaryDirectory(prefix="sixarts-interactions-")
    folder = Path(place.name)
    users: dict[Any, int] = {}
    counts = np.zeros(0, "int64")
    timed = False
    with (folder / "rows").open("wb") as file:
        for records, has_time in _numbered(table, columns, catalog, users, grow):
            timed = has_time
            counts = _added(counts, np.bincount(records["user"], minlength=len(users)))
            records.tofile(file)
    total = int(counts.sum())
    if not total:
        raise TrainingError(f"no {kind} came; expected at least one interaction of a user with an item")
    ends = np.concatenate([[0], np.cumsum(counts)]).astype("int64")
    placed = _placed(folder, ends, total)
    items, ends = _ordered(folder, placed, ends, total, timed, columns.duplicates, list(users))
    (folder / "placed").unlink()
    return Sequences(items, ends[:-1], ends[1:], catalog, users=list(users), kept=place)


def _numbered(
    table: Any, columns: Columns, catalog: Items, users: dict[Any, int], grow: bool
) -> Iterator[tuple[np.ndarray, bool]]:
    """A table's rows as records, some thousand at a time, and whether they have a time."""
    done, known = 0, list(users)
    for part in chunks(table):
        time = columns.time or ("time" if "time" in part else None)
        _check_columns(part, (columns.user, columns.item, time, columns.title, columns.categories))
        count = len(part[columns.user])
        records = np.empty(count, RECORD)
        records["user"] = _told(columns.user, done, lambda c: numbered(c, users, known), part)
        if grow:
            records["item"] = _told(columns.item, done, lambda c: catalog.numbers_of(c, True), part)
        else:
            records["item"] = _told(columns.item, done, catalog.numbers_of, part)
        records["time"] = 0 if time is None else _told(time, done, times, part)
        records["row"] = np.arange(done, done + count)
        _describe(part, columns, catalog)
        done += count
        yield records, time is not None


def _check_columns(part: Mapping[str, np.ndarray], wanted: Any) -> None:
    for name in wanted:
        if name is not None and name not in part:
            raise InputError(
                f"a table with the columns {', '.join(part)}; expected {name!r} among them: say what it is "
                "called, e.g. fit(…, user='customer_id', item='product_id', time='ordered_at')"
            )


def _told(name: str, done: int, read_column: Any, part: Mapping[str, np.ndarray]) -> np.ndarray:
    """A column's numbers; what is wrong with a cell is told with its row and column."""
    try:
        return np.asarray(read_column(part[name]))
    except InputError as error:
        row = "" if error.index is None else f"row {done + error.index + 1}, "
        raise InputError(f"{row}column {name!r}: {error.reason}") from None


def times(column: np.ndarray) -> np.ndarray:
    """Times as numbers that rise, ``[n]`` in float64: numbers as they are, dates as seconds.

    >>> times(np.array(["2024-01-01", "2024-01-02T00:00:01"], object)).tolist()
    [1704067200.0, 1704153601.0]

    Raises:
        InputError: what is neither; its index is the row.
    """
    if column.dtype.kind in "if":
        found = column.astype("float64")
    else:
        try:
            found = column.astype("float64")
        except (TypeError, ValueError):
            found = np.array([_seconds(value, row) for row, value in enumerate(column)], "float64")
    bad = np.flatnonzero(~np.isfinite(found))
    if len(bad):
        raise InputError(f"a missing time ({column[bad[0]]}); expected a number or a date", int(bad[0]))
    return np.asarray(found)


def _seconds(value: Any, row: int) -> float:
    try:
        if isinstance(value, str):
            value = value.removesuffix("Z")
        elif getattr(value, "tzinfo", None) is not None:
            return float(value.timestamp())
        found = np.datetime64(value, "us")
        if np.isnat(found):
            raise ValueError
        return float(found.astype("int64")) / 1e6
    except (TypeError, ValueError):
        raise InputError(
            f"a time of {str(value)[:40]!r}; expected a number or a date such as 2024-05-31", row
        ) from None


def _describe(part: Mapping[str, np.ndarray], columns: Columns, catalog: Items) -> None:
    """Keeps titles and categories that rows tell of their items."""
    told = [name for name in (columns.title, columns.categories) if name is not None]
    if not told:
        return
    seen: set[Any] = set()
    for place, raw in enumerate(part[columns.item].tolist()):
        if raw in seen:
            continue
        seen.add(raw)
        title = part[columns.title][place] if columns.title else None
        given = part[columns.categories][place] if columns.categories else None
        catalog.describe(raw, title, categories_of(given))


def categories_of(cell: Any) -> list[str] | None:
    """The categories that a cell names: a list, or a text in which ``|`` stands between them."""
    if cell is None or (isinstance(cell, float) and np.isnan(cell)):
        return None
    if isinstance(cell, str):
        return [name.strip() for name in cell.split("|") if name.strip()]
    return [str(name) for name in (cell if isinstance(cell, list | tuple | np.ndarray) else [cell])]


def described(table: Any, catalog: Items, columns: Columns, grow: bool = False) -> None:
    """Reads titles and categories from a table of items: columns ``item``, ``title``, ``categories``.

    Args:
        grow: whether new ids are added; else what is told of them waits until they come.

    Raises:
        InputError: a row without an item, by its number.
    """
    title, categories = columns.title or "title", columns.categories or "categories"
    for number, row in enumerate(rows(table), 1):
        try:
            if columns.item not in row:
                raise InputError(f"columns {', '.join(row)}; expected {columns.item!r} among them")
            catalog.describe(row[columns.item], row.get(title), categories_of(row.get(categories)))
            if grow:
                catalog.add([row[columns.item]])
        except InputError as error:
            raise InputError(f"catalog, row {number}: {error.reason}") from None


def _added(counts: np.ndarray, more: np.ndarray) -> np.ndarray:
    whole = np.zeros(len(more), "int64")
    whole[: len(counts)] = counts
    return whole + more


def _placed(folder: Path, ends: np.ndarray, total: int) -> np.ndarray:
    """Rows put together by user, in the order in which they came."""
    placed = np.memmap(folder / "placed", RECORD, "w+", shape=(total,))
    filled = ends[:-1].copy()
    with (folder / "rows").open("rb") as file:
        while len(records := np.fromfile(file, RECORD, TOGETHER)):
            order = np.argsort(records["user"], kind="stable")
            owners = records["user"][order]
            first = np.flatnonzero(np.concatenate([[True], owners[1:] != owners[:-1]]))
            lengths = np.diff(np.append(first, len(owners)))
            inside = np.arange(len(owners)) - np.repeat(first, lengths)
            placed[filled[owners] + inside] = records[order]
            filled[owners[first]] += lengths
    (folder / "rows").unlink()
    return placed


def _ordered(
    folder: Path,
    placed: np.ndarray,
    ends: np.ndarray,
    total: int,
    timed: bool,
    duplicates: str,
    users: list[Any],
) -> tuple[np.ndarray, np.ndarray]:
    """Each user's items in order of time, and where each user's end."""
    items = np.memmap(folder / "items", "int32", "w+", shape=(total,))
    counts = np.diff(ends)
    done, first = 0, 0
    while first < len(counts):
        # Whole users, as many as fit; one alone where it has more.
        last = max(first + 1, int(np.searchsorted(ends, ends[first] + TOGETHER, "right")) - 1)
        part = np.array(placed[ends[first] : ends[last]])
        if timed:
            part = part[np.lexsort((part["row"], part["time"], part["user"]))]
            part = _without_repeats(part, duplicates, users)
            counts[first:last] = np.bincount(part["user"] - first, minlength=last - first)
        items[done : done + len(part)] = part["item"]
        done += len(part)
        first = last
    return items[:done], np.concatenate([[0], np.cumsum(counts)]).astype("int64")


def _without_repeats(part: np.ndarray, duplicates: str, users: list[Any]) -> np.ndarray:
    """Rows of which none tells the same user, item and time as another; see :class:`Columns`."""
    if duplicates == "keep":
        return part
    order = np.lexsort((part["row"], part["item"], part["time"], part["user"]))
    told = part[order]
    again = np.zeros(len(part), bool)
    same = np.logical_and.reduce([told[name][1:] == told[name][:-1] for name in ("user", "item", "time")])
    again[order[1:][same]] = True
    if duplicates == "refuse" and again.any():
        place = int(np.flatnonzero(same)[0])
        one, other = told[place], told[place + 1]
        raise InputError(
            f"row {other['row'] + 1}: the user, item and time of row {one['row'] + 1} once more; expected "
            "each interaction once; give duplicates='drop' to leave such rows out, or 'keep' to keep them"
        )
    return part[~again]
