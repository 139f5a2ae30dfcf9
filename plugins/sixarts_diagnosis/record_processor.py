"""Records to numbers: scaled numbers, categories as columns of their own, and what is missing as such.

Everything that is learned here (typical values, scales, shares) is learned on the part that the network
learns from, and travels with it. Of the records only means, scales, rounded deciles and shares are kept.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

from sixarts.errors import CheckpointError
from sixarts.labeled import labels_of
from sixarts.model import Processor
from sixarts.readers.json_file import read_json, write_json
from sixarts_diagnosis.inferred_schema import quantile, rounded
from sixarts_diagnosis.power import power, powered
from sixarts_diagnosis.schema import Column, Reading, Schema, Value

#: Their file in a model folder.
STATISTICS = "statistics.json"
#: How many scales a number may lie away before it is cut: what lies farther says nothing more.
FARTHEST = 5.0
#: Shares of the records at which a column's values are kept, rounded.
DECILES = tuple(place / 10 for place in range(1, 10))


@dataclass(frozen=True)
class Statistics:
    """What is known of one column in the records that were learned from.

    Attributes:
        power: by which a number is made more even, see :mod:`sixarts_diagnosis.power`.
        mean, scale: of it thereafter.
        fill: what a missing number is taken for: the median.
        deciles: of numbers as they are, rounded.
        shares: of the categories.
        missing: share of the records that lack it.
    """

    power: float = 1.0
    mean: float = 0.0
    scale: float = 1.0
    fill: float = 0.0
    deciles: tuple[float, ...] = ()
    shares: tuple[float, ...] = ()
    missing: float = 0.0

    @classmethod
    def of(cls, column: Column, values: Sequence[Value], even: bool = True) -> Self:
        """Measures a column; ``even`` says whether a power may make skewed numbers so."""
        known = [value for value in values if value is not None]
        missing = 1 - len(known) / len(values)
        if column.kind == "category":
            shares = [known.count(each) / max(len(known), 1) for each in column.categories]
            return cls(shares=tuple(shares), missing=missing)
        numbers = np.array(known or [0.0], "float64")
        lift = power(numbers) if even else 1.0
        even = powered(numbers, lift)
        scale = float(even.std())
        ordered = sorted(numbers.tolist())
        return cls(
            lift,
            float(even.mean()),
            scale if scale > 1e-9 else 1.0,
            rounded(quantile(ordered, 0.5)),
            tuple(rounded(quantile(ordered, share)) for share in DECILES),
            (),
            missing,
        )

    def scaled(self, number: float) -> float:
        """A number as the network takes it."""
        return float(np.clip((powered(number, self.power) - self.mean) / self.scale, -FARTHEST, FARTHEST))

    def to_config(self) -> dict[str, Any]:
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()
        }

    @classmethod
    def from_config(cls, said: Any, column: Column, where: str) -> Self:
        """What :meth:`to_config` gives, or a stranger wrote.

        Raises:
            CheckpointError: it is no such thing, or of another column.
        """
        categories = len(column.categories)
        try:
            numbers = {name: float(said[name]) for name in ("power", "mean", "scale", "fill", "missing")}
            lists = {name: tuple(map(float, said[name])) for name in ("deciles", "shares")}
            fits = (
                all(map(math.isfinite, [*numbers.values(), *lists["deciles"], *lists["shares"]]))
                and numbers["scale"] > 0
                and abs(numbers["power"]) <= 10
                and len(lists["shares"]) == categories
                and len(lists["deciles"]) == (0 if categories else len(DECILES))
            )
        except (KeyError, TypeError, ValueError, OverflowError):
            fits = False
        if not fits:
            raise CheckpointError(
                f"{where} holds no statistics of column {column.name!r} as fit writes them; fetch the model "
                "again"
            )
        return cls(**numbers, **lists)


@dataclass
class RecordProcessor(Processor):
    """Readings of records to features ``[b, f]``.

    A number gives its scaled value, a category a column each, and either one that says that it is missing,
    where it may be.

    Args:
        schema: the columns.
        statistics: one a column.
        labels: the network's classes.
    """

    schema: Schema
    statistics: tuple[Statistics, ...] = field(repr=False)
    labels: tuple[str, ...]

    @classmethod
    def learned_from(
        cls, schema: Schema, readings: Sequence[Reading], labels: Sequence[str], even: bool = True
    ) -> Self:
        """A processor with the statistics of some readings; see :meth:`Statistics.of` for ``even``."""
        columns = zip(*(reading.values for reading in readings), strict=True)
        found = [
            Statistics.of(column, values, even)
            for column, values in zip(schema.columns, columns, strict=True)
        ]
        return cls(schema, tuple(found), tuple(labels))

    @classmethod
    def from_folder(cls, folder: Path, config: Mapping[str, Any]) -> Self:
        schema = Schema.of(folder / "schema.json")
        said = read_json(folder / STATISTICS).get("columns")
        if not isinstance(said, list) or len(said) != len(schema.columns):
            raise CheckpointError(
                f"{folder / STATISTICS} is not of {len(schema.columns)} columns, as schema.json is; the two "
                "are not of one model"
            )
        found = [
            Statistics.from_config(each, column, STATISTICS)
            for each, column in zip(said, schema.columns, strict=True)
        ]
        return cls(schema, tuple(found), labels_of(config))

    def save(self, folder: Path) -> None:
        self.schema.save(folder)
        write_json(folder / STATISTICS, {"columns": [each.to_config() for each in self.statistics]})

    def relabeled(self, labels: Sequence[str]) -> Self:
        """The same for other classes."""
        return type(self)(self.schema, self.statistics, tuple(labels))

    # Features.

    @property
    def widths(self) -> list[int]:
        """How many features each column gives."""
        return [(len(column.categories) or 1) + (not column.required) for column in self.schema.columns]

    @property
    def owners(self) -> np.ndarray:
        """Of which column each feature is ``[f]``."""
        return np.repeat(np.arange(len(self.schema.columns)), self.widths)

    def features(self, readings: Sequence[Reading]) -> np.ndarray:
        """Features ``[b, f]``, float32."""
        found = np.zeros((len(readings), sum(self.widths)), "float32")
        start = 0
        for place, (column, known, width) in enumerate(
            zip(self.schema.columns, self.statistics, self.widths, strict=True)
        ):
            part = found[:, start : start + width]
            for row, reading in enumerate(readings):
                self._write(part[row], column, known, reading.values[place])
            start += width
        return found

    @staticmethod
    def _write(part: np.ndarray, column: Column, known: Statistics, value: Value) -> None:
        if value is None:
            part[-1] = 1.0
            if column.kind == "number":
                part[0] = known.scaled(known.fill)
        elif isinstance(value, str):
            part[column.categories.index(value)] = 1.0
        else:
            part[0] = known.scaled(value)

    def arrays(self, readings: Sequence[Reading]) -> dict[str, np.ndarray]:
        """The network's inputs."""
        return {"features": self.features(readings)}

    def hidden(self) -> tuple[np.ndarray, np.ndarray]:
        """Features of a record of which nothing is known ``[f]``, and which columns may be hidden ``[c]``."""
        nothing = Reading(tuple(None for _ in self.schema.columns))
        able = np.array([not column.required for column in self.schema.columns])
        if able.all():
            return self.features([nothing])[0], able
        # What must be known has no such features; it stays as it is wherever this is used.
        values = tuple(
            None if may else _typical(column, known)
            for column, known, may in zip(self.schema.columns, self.statistics, able, strict=True)
        )
        return self.features([Reading(values)])[0], able

    def average(self) -> np.ndarray:
        """The average features of the records learned from ``[f]``: what an explanation starts from."""
        found: list[float] = []
        for column, known in zip(self.schema.columns, self.statistics, strict=True):
            own = [share * (1 - known.missing) for share in known.shares]
            if column.kind == "number":
                own = [known.missing * known.scaled(known.fill)]
            found += own if column.required else [*own, known.missing]
        return np.array(found, "float32")

    def familiar(self, features: np.ndarray) -> np.ndarray:
        """What of the features tells whether a record is like others: values, and not which are missing.

        A missing category counts as the average one.
        """
        average = self.average().astype("float64")
        parts, start = [], 0
        for column, known, width in zip(self.schema.columns, self.statistics, self.widths, strict=True):
            part = np.array(features[:, start : start + width], "float64")
            if not column.required:
                gone = part[:, -1] > 0
                part = part[:, :-1]
                if column.kind == "category":
                    part[gone] = known.shares or average[start : start + width - 1]
            parts.append(part)
            start += width
        return np.concatenate(parts, axis=1)

    def typical(self) -> dict[str, Value]:
        """A made-up record: each column's middle value or most frequent category."""
        return {
            column.name: _typical(column, known)
            for column, known in zip(self.schema.columns, self.statistics, strict=True)
        }


def _typical(column: Column, known: Statistics) -> Value:
    if column.kind == "category":
        return column.categories[int(np.argmax(known.shares))]
    return float(round(known.fill)) if column.whole else known.fill
