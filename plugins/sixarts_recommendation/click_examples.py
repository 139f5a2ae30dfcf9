"""Records with outcomes, from wherever they come, and as arrays on disk, to train on in constant memory.

Sources that can be read again (tables, frames, lists) are read twice: once to see what is in them, once to
turn them into numbers. An iterator is read once, and what it gave is kept on disk meanwhile.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sixarts.errors import InputError, TrainingError, nearest
from sixarts.media.tables import chunks, is_table
from sixarts_recommendation.cells import BadRow
from sixarts_recommendation.schema import Encoded, Schema
from sixarts_recommendation.study import outcome

#: Records that are held at a time.
CHUNK = 16384
#: Columns by name, and the outcomes, of some records.
Part = tuple[Mapping[str, Sequence[Any]], Sequence[Any]]


class Source:
    """Records and their outcomes, part after part, as often as one likes.

    Args:
        given: a path or frame of a table with the target as a column; mappings that have it; or pairs of a
            mapping and its outcome. Iterators may be longer than memory.
        target: the outcome's column.
    """

    def __init__(self, given: Any, target: str) -> None:
        self.target, self._spool = target, None
        if isinstance(given, Mapping):
            raise InputError("a mapping; expected records: a table's path or frame, or a list of them")
        if not is_table(given) and not isinstance(given, Iterable):
            raise InputError(f"{type(given).__name__}; expected a table, or an iterable of records")
        if isinstance(given, str) and not is_table(given):
            raise InputError(f"{given!r}; expected the path of a table (.csv, .jsonl, .parquet)")
        self._given = given
        if isinstance(given, Iterator):
            self._spool = _Spool(self._parts(given))

    def __iter__(self) -> Iterator[Part]:
        return iter(self._spool) if self._spool is not None else self._parts(self._given)

    def _parts(self, given: Any) -> Iterator[Part]:
        if is_table(given):
            yield from self._from_rows(given)
            return
        records = iter(given)
        first = next(records, None)
        if first is None:
            return
        records = itertools.chain([first], records)
        if isinstance(first, Mapping):
            yield from self._from_rows(records)
            return
        number = 1
        while pairs := list(itertools.islice(records, CHUNK)):
            for row, pair in enumerate(pairs, number):
                if not (isinstance(pair, tuple | list) and len(pair) == 2 and isinstance(pair[0], Mapping)):
                    raise BadRow(row, "no pair; expected a record (a mapping) and its outcome")
            names = dict.fromkeys(name for record, _ in pairs for name in record)
            columns = {name: [record.get(name) for record, _ in pairs] for name in names}
            yield columns, [target for _, target in pairs]
            number += len(pairs)

    def _from_rows(self, rows: Any) -> Iterator[Part]:
        for part in chunks(rows, CHUNK):
            columns: dict[str, Any] = dict(part)
            if self.target not in columns:
                near = nearest(self.target, columns) or list(columns)[:20]
                raise InputError(
                    f"no column {self.target!r} for the target; expected target= to be one of "
                    f"{', '.join(near)}"
                )
            targets = columns.pop(self.target)
            if len(targets):
                yield columns, targets


class Given:
    """What a call was given to learn from or to measure with, read once or twice and then kept as arrays.

    Args:
        examples: as for :class:`Source`.
        kind: what they are called in messages.
    """

    def __init__(self, examples: Any, kind: str) -> None:
        self.examples, self.kind = examples, kind
        self._source: Source | None = None
        self._prepared: tuple[Schema, Prepared] | None = None

    def __len__(self) -> int:
        return len(self._prepared[1]) if self._prepared else 0

    def source(self, target: str) -> Source:
        """The records, part after part."""
        if self._source is None:
            with self.naming():
                self._source = Source(self.examples, target)
        return self._source

    def first(self, target: str) -> Part:
        """The first records."""
        with self.naming():
            found = next(iter(self.source(target)), None)
        if found is None:
            raise TrainingError(f"no {self.kind} came; expected at least one record with its outcome")
        return found

    def prepare(self, schema: Schema, target: str) -> Prepared:
        """The records as arrays, by a schema."""
        if self._prepared is None or self._prepared[0] is not schema:
            source = self.source(target)
            self.first(target)
            with self.naming(schema):
                self._prepared = (schema, Prepared(schema, source))
        return self._prepared[1]

    @contextlib.contextmanager
    def naming(self, schema: Schema | None = None) -> Iterator[None]:
        """Tells an error by the place in a list, or the row of a table."""
        try:
            yield
        except BadRow as error:
            if isinstance(self.examples, list | tuple):
                raise InputError(f"{self.kind}: {error.bare}", error.row - 1) from None
            raise InputError(f"{self.kind}, {error.reason}") from None
        except InputError as error:
            raise InputError(f"{self.kind}: {error.reason}", self._place(schema)) from None

    def _place(self, schema: Schema | None) -> int | None:
        """Which record of a list has a column that the schema does not know."""
        if schema is None or not isinstance(self.examples, list | tuple):
            return None
        for place, example in enumerate(self.examples):
            try:
                schema.check_names(example if isinstance(example, Mapping) else example[0])
            except InputError:
                return place
        return None


class _Spool:
    """Parts on disk, a line of JSON each."""

    def __init__(self, parts: Iterable[Part]) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="sixarts-rows-")
        self._path = Path(self._folder.name) / "rows.jsonl"
        with self._path.open("w", encoding="utf-8") as file:
            for columns, targets in parts:
                plain = {name: _plain(cells) for name, cells in columns.items()}
                file.write(json.dumps([plain, _plain(targets)], default=_jsonable) + "\n")

    def __iter__(self) -> Iterator[Part]:
        with self._path.open(encoding="utf-8") as file:
            for line in file:
                columns, targets = json.loads(line)
                yield columns, targets


def _plain(cells: Any) -> Any:
    return cells.tolist() if isinstance(cells, np.ndarray) else list(cells)


def _jsonable(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    return str(value)


class Prepared:
    """Records as arrays on disk: what epochs draw their batches from.

    Memory is that of a batch and, while an epoch runs, of its order: 8 bytes a record.

    Args:
        schema: by which records become numbers.
        parts: records and outcomes.

    Raises:
        InputError: what does not fit the schema, by row and column.
    """

    def __init__(self, schema: Schema, parts: Iterable[Part]) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="sixarts-records-")
        self._count, outcomes = 0, []
        folder = Path(self._folder.name)
        with (folder / "ids").open("wb") as ids, (folder / "weights").open("wb") as weights:
            for columns, targets in parts:
                first = self._count + 1
                encoded = schema.encode(columns, len(targets), first)
                ids.write(encoded.ids.tobytes())
                weights.write(encoded.weights.tobytes())
                outcomes.append(numbered(schema, targets, first))
                self._count += len(targets)
        if not self._count:
            raise TrainingError("no example came; expected at least one record with its outcome")
        shape = (self._count, len(schema.owners))
        self._ids = np.memmap(folder / "ids", "int32", "r", shape=shape)
        self._weights = np.memmap(folder / "weights", "float32", "r", shape=shape)
        self.outcomes = np.concatenate(outcomes)

    def __len__(self) -> int:
        return self._count

    def arrays(self, rows: np.ndarray) -> Encoded:
        """Some records, by number."""
        return Encoded(np.asarray(self._ids[rows]), np.asarray(self._weights[rows]))


def numbered(schema: Schema, targets: Sequence[Any], first: int = 1) -> np.ndarray:
    """Outcomes as 0 and 1, ``[n]`` in int8, by the labels or as truths.

    Raises:
        InputError: something else, by row.
    """
    places = {"0": 0, "1": 1} | {label: place for place, label in enumerate(schema.labels)}
    found = np.empty(len(targets), "int8")
    known: dict[Any, int] = {}
    for row, target in enumerate(targets):
        key = (type(target), target) if isinstance(target, str | int | float | np.generic) else None
        place = known.get(key, -1)
        if place < 0:
            text = outcome(target) if key is not None else ""
            if text not in places:
                raise BadRow(
                    first + row,
                    f"an outcome of type {type(target).__name__} that the model does not know; expected "
                    f"{schema.labels[0]!r} or {schema.labels[1]!r} (or 0 or 1)",
                )
            place = known[key] = places[text]
        found[row] = place
    return found
