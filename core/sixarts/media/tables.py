"""Rows of tables: files, data frames, columns and iterables of records, as one kind of thing.

What is missing is ``None``, whatever its source calls it. Cells of text files stay text: what they mean is
for a schema to say. Messages name rows and columns and never show a cell, as records may be private.
"""

from __future__ import annotations

import csv
import importlib
import itertools
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sixarts.errors import InputError, MissingExtra
from sixarts.files import lines

#: Suffix of a file that is a table.
SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
#: Libraries whose frames are read, by the name of the class.
FRAMES = {"pandas": "DataFrame", "polars": "DataFrame", "pyarrow": "Table"}
#: What separates cells; the one that a header has most of is taken.
SEPARATORS = ",;\t|"
WHOLE = {int, np.int32, np.int64}
NUMBERS = {*WHOLE, float, np.float32, np.float64}
EXPECTED = "expected a path of a table, a data frame, or records by column name"

Columns = dict[str, Sequence[Any]]


def is_table(x: Any) -> bool:
    """Whether ``x`` is a data frame or the path of a file that holds a table.

    >>> is_table("visits.csv"), is_table({"age": 4})
    (True, False)
    """
    if isinstance(x, str | Path):
        return Path(x).suffix.lower() in SUFFIXES
    return _is_frame(x)


def rows(source: Any) -> Iterator[dict[str, Any]]:
    """One record a row, by column name, in constant memory.

    Args:
        source: a path (``.csv``, ``.tsv``, ``.jsonl``, ``.ndjson``, ``.parquet``), a frame of pandas, polars
            or pyarrow, columns by name, or an iterable of mappings.

    Raises:
        InputError: something else; a row that does not fit its header, named by its number from 1.
        MissingExtra: frames and Parquet files need the extra ``tables``.

    >>> list(rows({"age": [4, float("nan")], "name": ["Ann", None]}))
    [{'age': 4, 'name': 'Ann'}, {'age': None, 'name': None}]
    """
    if _is_records(source):
        return ({name: _known(cell) for name, cell in row.items()} for row in _records(source))
    return (
        dict(zip(columns, cells, strict=True))
        for columns in _batches(source, 4096)
        for cells in zip(*(map(_known, column) for column in columns.values()), strict=True)
    )


def chunks(source: Any, size: int = 65536) -> Iterator[dict[str, np.ndarray]]:
    """The same by columns, at most ``size`` rows at a time, for what must be fast.

    A column of whole numbers is ``int64``, one of numbers or missing ones ``float64`` with NaN, and any other
    holds objects, ``None`` where one is missing.
    """
    if _is_records(source):
        pending = _records(source)
        parts: Iterator[Columns] = (
            _by_column(part) for part in iter(lambda: list(itertools.islice(pending, size)), [])
        )
    else:
        parts = _batches(source, size)
    return ({name: _array(column) for name, column in part.items()} for part in parts)


def _is_frame(x: Any) -> bool:
    kind = type(x)
    return FRAMES.get(kind.__module__.split(".")[0]) == kind.__name__


def _is_records(source: Any) -> bool:
    return (
        isinstance(source, Iterable)
        and not isinstance(source, str | Path | Mapping)
        and not _is_frame(source)
    )


def _records(source: Iterable[Any]) -> Iterator[Mapping[str, Any]]:
    for number, row in enumerate(source, 1):
        if not isinstance(row, Mapping):
            raise InputError(
                f"row {number}: {type(row).__name__}; expected a mapping of column name to value"
            )
        yield row


def _by_column(records: Sequence[Mapping[str, Any]]) -> Columns:
    names = dict.fromkeys(name for row in records for name in row)
    return {name: [row.get(name) for row in records] for name in names}


def _batches(source: Any, size: int) -> Iterator[Columns]:
    if _is_frame(source):
        return _frame(source, size)
    if isinstance(source, Mapping):
        return _columns(source, size)
    if isinstance(source, str | Path):
        suffix = Path(source).suffix.lower()
        if suffix in READERS:
            return READERS[suffix](Path(source), size)
        raise InputError(f"{str(source)!r}; expected a table in a file of {', '.join(SUFFIXES)}")
    raise InputError(f"{type(source).__name__}; {EXPECTED}")


def _columns(source: Mapping[str, Any], size: int) -> Iterator[Columns]:
    for name, column in source.items():
        if isinstance(column, str | bytes) or not hasattr(column, "__len__"):
            raise InputError(f"column {name!r} is {type(column).__name__}; expected a list or array of cells")
    lengths = {name: len(column) for name, column in source.items()}
    if len(set(lengths.values())) > 1:
        raise InputError(f"columns of {lengths} cells; expected as many in each")
    for start in range(0, max(lengths.values(), default=0), size):
        yield {name: _listed(column[start : start + size]) for name, column in source.items()}


def _frame(source: Any, size: int) -> Iterator[Columns]:
    frame = _needed("narwhals").from_native(source, eager_only=True)
    for start in range(0, len(frame), size):
        part = frame[start : start + size]
        yield {name: part[name].to_list() for name in part.columns}


def _text(path: Path, size: int) -> Iterator[Columns]:
    # A quoted cell may go on in the next line.
    text = (line + "\n" for line in lines(path))
    header = next(text, "")
    if not header.strip():
        raise InputError(f"{path} has no header; expected column names in its first line")
    separator = max(SEPARATORS, key=header.count)
    cells = csv.reader(itertools.chain([header], text), delimiter=separator, strict=True)
    try:
        names = [name.strip() for name in next(cells)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise InputError(f"{path} names a column twice: {', '.join(twice)}; expected each name once")
        done = 0
        while part := list(itertools.islice(cells, size)):
            part = [row for row in part if row]  # blank lines, as at the end of a file
            for number, row in enumerate(part, done + 1):
                if len(row) != len(names):
                    raise InputError(
                        f"{path}, row {number}: {len(row)} cells; expected {len(names)}, as its header has"
                    )
            done += len(part)
            columns = zip(*part, strict=True) if part else [()] * len(names)
            yield {
                name: [cell.strip() or None for cell in column]
                for name, column in zip(names, columns, strict=True)
            }
    except csv.Error as error:
        raise InputError(
            f"{path}, line {cells.line_num}: {error}; expected cells as CSV quotes them"
        ) from None


def _json(path: Path, size: int) -> Iterator[Columns]:
    def records() -> Iterator[Mapping[str, Any]]:
        for number, line in enumerate(lines(path), 1):
            if line.strip():
                try:
                    row = json.loads(line)
                except (json.JSONDecodeError, RecursionError):
                    row = None
                if not isinstance(row, dict):
                    raise InputError(f"{path}, line {number}: no JSON object; expected one record a line")
                yield row

    pending = records()
    while part := list(itertools.islice(pending, size)):
        yield _by_column(part)


def _parquet(path: Path, size: int) -> Iterator[Columns]:
    parquet = _needed("pyarrow.parquet")
    try:
        file = parquet.ParquetFile(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or 'no such file'})") from None
    except ValueError as error:  # ArrowInvalid is one
        raise InputError(f"{path} is no Parquet file ({str(error)[:80]})") from None
    with file:
        for batch in file.iter_batches(size):
            yield batch.to_pydict()


READERS: dict[str, Callable[[Path, int], Iterator[Columns]]] = {
    ".csv": _text,
    ".tsv": _text,
    ".jsonl": _json,
    ".ndjson": _json,
    ".parquet": _parquet,
}


def _needed(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise MissingExtra(
            "data frames and Parquet files need narwhals and pyarrow; pip install 'sixarts[tables]'"
        ) from None


def _listed(column: Any) -> Sequence[Any]:
    return column.tolist() if isinstance(column, np.ndarray) else list(column)


def _known(cell: Any) -> Any:
    """A cell, or ``None`` for what its source calls missing."""
    if isinstance(cell, str | int | list | tuple):
        return cell
    if isinstance(cell, float | np.floating) and math.isnan(cell):
        return None
    # pandas says NaT and NA, which differ from themselves.
    return None if type(cell).__name__ in ("NaTType", "NAType") else cell


def _array(column: Sequence[Any]) -> np.ndarray:
    """Cells as the narrowest of ``int64``, ``float64`` and objects that holds them all."""
    cells = [_known(cell) for cell in column]
    kinds = {type(cell) for cell in cells}
    if kinds and kinds <= WHOLE:
        return np.array(cells, "int64")
    if kinds <= {*NUMBERS, type(None)} and kinds != {type(None)}:
        return np.array([math.nan if cell is None else cell for cell in cells], "float64")
    return np.fromiter(cells, object, len(cells))
