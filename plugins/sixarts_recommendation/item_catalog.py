"""The items of a catalog as numbers, by id and attributes; what the item tower of ``two_tower`` is fed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from sixarts.errors import CheckpointError, InputError
from sixarts.model import read_json, write_json
from sixarts.readers.safetensors_file import read_safetensors, write_weights
from sixarts_recommendation.columns import Column
from sixarts_recommendation.items import Items, checked_id
from sixarts_recommendation.schema import Schema
from sixarts_recommendation.schema_file import schema_from, stated
from sixarts_recommendation.study import Study, Wishes

SCHEMA, ROWS = "schema.json", "catalog.safetensors"
#: Columns of a catalog that are no attributes.
TITLE = "title"
#: The column of the id; a record that is asked about never states it.
ID = "(id)"


class Catalog:
    """Every item's slots, and the schema that made them.

    Args:
        schema: its first column is the id, the others are attributes.
        ids: rows of the table ``[n, slots]``, int32.
        weights: ``[n, slots]``, float32.
    """

    def __init__(self, schema: Schema, ids: np.ndarray, weights: np.ndarray) -> None:
        self.schema, self.ids, self.weights = schema, ids, weights

    @property
    def attributes(self) -> list[str]:
        """Names of the attributes."""
        return [column.name for column in self.schema.columns if column.name != ID]

    @classmethod
    def learned_from(cls, items: Items, table: Iterable[Mapping[str, Any]] | None, item: str) -> Self:
        """A catalog of known items, from a table of their attributes.

        Args:
            items: the items.
            table: records with the id in the column ``item``; every item is in it, or there is none.
            item: the name of that column.

        Raises:
            InputError: an item that the table lacks, or has twice.
        """
        names = [f"{type(raw).__name__[0]}:{raw}" for raw in items.ids]
        own = Column(ID, "categorical", optional=True, values=tuple(names))
        if table is None:
            schema = Schema((own,))
            encoded = schema.encode({ID: names}, len(names))
            return cls(schema, encoded.ids, encoded.weights)
        records: dict[int, Mapping[str, Any]] = {}
        for row, record in enumerate(table, 1):
            key = checked_id(record.get(item))
            place = items.numbers.get(key)
            if place is None:
                continue  # a catalog may have more than was ever had
            if place in records:
                raise InputError(f"catalog, row {row}: item {key!r} for the second time; expected each once")
            records[place] = record
        lost = [items.ids[place] for place in range(len(items)) if place not in records]
        if lost:
            raise InputError(f"catalog lacks {len(lost)} items, e.g. {lost[0]!r}; expected every one")
        left_out = {item, TITLE}
        columns = list(
            dict.fromkeys(name for record in records.values() for name in record if name not in left_out)
        )
        cells = {name: [records[place].get(name) for place in range(len(items))] for name in columns}
        study = Study(Wishes(least=1))
        study.see(cells, len(items))
        schema = Schema((own, *study.columns()), ignored=tuple(left_out))
        encoded = schema.encode({ID: names, **cells}, len(items))
        return cls(schema, encoded.ids, encoded.weights)

    def arrays(self, numbers: Any) -> dict[str, np.ndarray]:
        """Slots of some items."""
        return {"ids": self.ids[numbers], "weights": self.weights[numbers]}

    def hidden(self, arrays: Mapping[str, np.ndarray], which: np.ndarray) -> dict[str, np.ndarray]:
        """The same with the id missing where ``which`` (``[b]``) says so."""
        ids = np.array(arrays["ids"])
        ids[which, 0] = self.schema.starts[0]
        return {**arrays, "ids": ids}

    def of_records(self, records: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
        """Slots of new items, which have no id."""
        encoded = self.schema.encode_records(records)
        return {"ids": encoded.ids, "weights": encoded.weights}

    def labels(self, number: int | None, record: Mapping[str, Any] | None) -> tuple[str, ...]:
        """Names of the columns, for an explanation."""
        found = ["id" if number is not None else "no id"]
        for name in self.attributes:
            value = record.get(name) if record is not None else None
            shown = f"{name}: {value}" if value is not None else name
            found.append(shown if len(shown) <= 40 else shown[:39] + "…")
        return tuple(found)

    def save(self, folder: Path) -> None:
        """Writes ``schema.json`` and ``catalog.safetensors``."""
        write_json(folder / SCHEMA, stated(self.schema))
        write_weights(folder / ROWS, {"ids": self.ids.astype("int32"), "weights": self.weights})

    @classmethod
    def from_folder(cls, folder: Path, count: int) -> Self:
        """Reads them.

        Raises:
            CheckpointError: files that do not fit each other or the items.
        """
        schema = schema_from(read_json(folder / SCHEMA))
        path = folder / ROWS
        stored = read_safetensors(path) if path.is_file() else {}
        if set(stored) != {"ids", "weights"}:
            raise CheckpointError(f"{path} holds {sorted(stored)}; expected ids and weights; fetch it again")
        shape = (count, len(schema.owners))
        ids, weights = stored["ids"].read(), stored["weights"].read()
        fits = (
            (ids.dtype, ids.shape, weights.dtype, weights.shape) == ("int32", shape, "float32", shape)
            and bool(((ids >= 0) & (ids < schema.rows)).all())
            and bool(np.isfinite(weights).all())
            and schema.columns[0].name == ID
        )
        if not fits:
            raise CheckpointError(f"{path} does not fit {SCHEMA} and the items; fetch the model again")
        return cls(schema, ids, weights)
