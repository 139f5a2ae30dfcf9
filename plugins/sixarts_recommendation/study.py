"""The first look at data: what its columns are, which values they have, where its numbers lie.

One pass in constant memory, whatever the data's size: of a column's values no more are counted than
:data:`COUNTED`, the rarest being forgotten, and its quantiles are those of a sample (Vitter 1985, algorithm
R, by blocks).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sixarts.errors import InputError, OptionError, TrainingError, nearest
from sixarts_recommendation.cells import BadRow, each
from sixarts_recommendation.columns import Column, text_of
from sixarts_recommendation.schema import Schema

#: Distinct values of a column that are counted at once.
COUNTED = 2**20
#: Numbers of a column whose quantiles stand for all.
SAMPLED = 2**17
#: Most hash buckets that are chosen by themselves.
BUCKETS = 2**16


@dataclass(frozen=True)
class Wishes:
    """What a person states of the columns; the data decides the rest.

    Attributes:
        categorical, numeric, multi: columns of each kind; by default text is categorical, a number is
            numeric, a list is multi.
        ignored: columns that are no input.
        crosses: pairs of categorical columns whose values together are a column, as ``"one*other"``.
        knots: most knots of a numeric column.
        least: records that a value must be in to have a row of its own; rarer ones share hash buckets.
        vocabulary: most values of a column with a row of their own.
        buckets: hash buckets of a column; chosen by the data where it is 0.
        most: values of a multi column that are taken.
    """

    categorical: Collection[str] = ()
    numeric: Collection[str] = ()
    multi: Collection[str] = ()
    ignored: Collection[str] = ()
    crosses: Collection[str] = ()
    knots: int = 32
    least: int = 2
    vocabulary: int = 100_000
    buckets: int = 0
    most: int = 32

    def kind_of(self, name: str, cells: Sequence[Any]) -> str:
        """The kind of a column, stated or by its first cells."""
        for kind in ("categorical", "numeric", "multi"):
            if name in getattr(self, kind):
                return kind
        there = [cell for cell in cells if cell is not None]
        if any(isinstance(cell, list | tuple | set | frozenset | np.ndarray) for cell in there):
            return "multi"
        probe = Column(name, "numeric", optional=True)
        try:
            values = [probe.number(cell) for cell in there]
        except InputError:
            return "categorical"
        return "numeric" if values and not all(map(math.isnan, values)) else "categorical"


@dataclass
class _Seen:
    """What was seen of one column."""

    name: str
    kind: str
    probe: Column
    rows: int = 0
    missing: int = 0
    forgotten: int = 0
    longest: int = 1
    counts: Counter[str] = field(default_factory=Counter)
    sample: np.ndarray = field(default_factory=lambda: np.zeros(0))
    total: float = 0.0
    squares: float = 0.0

    def add(self, cells: Sequence[Any], first: int, random: np.random.Generator) -> None:
        if self.kind == "numeric":
            self._numbers(np.array(each(cells, self.probe.number, first), "float64"), random)
            return
        if self.kind == "multi":
            found = each(cells, self.probe.given, first)
            self.longest = max(self.longest, max(map(len, found), default=1))
            self.counts.update(text for texts in found for text in dict.fromkeys(texts))
        else:
            texts = each(cells, lambda cell: text_of(cell, self.name), first)
            self.missing += sum(text is None for text in texts)
            self.counts.update(text for text in texts if text is not None)
        if len(self.counts) > COUNTED:
            kept = self.counts.most_common(COUNTED // 2)
            self.forgotten += len(self.counts) - len(kept)
            self.counts = Counter(dict(kept))

    def _numbers(self, values: np.ndarray, random: np.random.Generator) -> None:
        there = values[~np.isnan(values)]
        self.missing += len(values) - len(there)
        self.total += float(there.sum())
        self.squares += float((there**2).sum())
        room = min(SAMPLED - len(self.sample), len(there))
        self.sample = np.concatenate([self.sample, there[:room]])
        self.rows += room
        rest = there[room:]
        places = random.integers(0, self.rows + 1 + np.arange(len(rest)))
        self.sample[places[places < SAMPLED]] = rest[places < SAMPLED]
        self.rows += len(rest)

    def column(self, wishes: Wishes) -> Column:
        """The column that the network gets."""
        optional = self.missing > 0
        if self.kind == "numeric":
            mean = self.total / max(self.rows, 1)
            spread = math.sqrt(max(self.squares / max(self.rows, 1) - mean * mean, 0.0))
            usual = float(np.median(self.sample)) if len(self.sample) else mean
            knots = knots_of(self.sample, wishes.knots)
            return Column(
                self.name,
                "numeric",
                optional,
                knots=knots,
                mean=mean,
                scale=spread if spread > 0 else 1.0,
                usual=usual,
            )
        known = [text for text, count in self.counts.most_common(wishes.vocabulary) if count >= wishes.least]
        others = len(self.counts) + self.forgotten - len(known)
        usual_text = known[0] if known and self.kind == "categorical" else None
        return Column(
            self.name,
            self.kind,
            optional,
            values=tuple(known),
            buckets=wishes.buckets or buckets_for(others),
            most=min(wishes.most, self.longest) if self.kind == "multi" else 1,
            usual=usual_text,
        )


class Study:
    """Sees records by columns, part after part, and makes a schema of them.

    Args:
        wishes: what is stated of the columns.
        seed: of the sample.
    """

    def __init__(self, wishes: Wishes, seed: int = 0) -> None:
        self.wishes, self.random = wishes, np.random.default_rng(seed)
        self.seen: dict[str, _Seen] = {}
        self.outcomes: Counter[Any] = Counter()
        self.rows = 0

    def add(self, columns: Mapping[str, Sequence[Any]], targets: Sequence[Any]) -> None:
        """Sees some records and their outcomes.

        Raises:
            InputError: a column that comes or goes, or a cell of another kind, by row.
        """
        first = self.rows + 1
        self.see(columns, len(targets))
        for row, target in enumerate(targets, first):
            if target is None or (isinstance(target, float) and math.isnan(target)):
                raise BadRow(row, "the target has no value; expected an outcome in every row")
            self.outcomes[outcome(target)] += 1
            if len(self.outcomes) > 2:
                raise BadRow(row, "a third value of the target; expected two in all, e.g. 0 and 1")

    def see(self, columns: Mapping[str, Sequence[Any]], count: int) -> None:
        """Sees some records without outcomes.

        Args:
            columns: cells by column name; a column that is left out is missing throughout.
            count: how many records.
        """
        first = self.rows + 1
        inputs = {name: cells for name, cells in columns.items() if name not in self.wishes.ignored}
        if not self.seen:
            self._begin(inputs)
        for name in inputs:
            if name not in self.seen:
                raise BadRow(first, f"column {name!r} was not in the rows before; expected the same in all")
        for name, seen in self.seen.items():
            seen.add(columns.get(name, [None] * count), first, self.random)
        self.rows += count

    def _begin(self, columns: Mapping[str, Sequence[Any]]) -> None:
        wishes = self.wishes
        crossed = [part.strip() for cross in wishes.crosses for part in cross.split("*")]
        for name in (*wishes.categorical, *wishes.numeric, *wishes.multi, *crossed):
            if name not in columns:
                near = nearest(name, columns) or list(columns)[:20]
                raise OptionError(f"no column {name!r}; expected some of {', '.join(near)}")
        for name, cells in columns.items():
            kind = wishes.kind_of(name, cells)
            self.seen[name] = _Seen(name, kind, Column(name, kind, optional=True))

    def schema(self, target: str, labels: Sequence[str] = (), positive: Any = None) -> Schema:
        """What the data is.

        Args:
            target: the outcome's column in a table.
            labels: names of the two outcomes, what is predicted last, where the data has 0 and 1 or such.
            positive: which outcome is predicted; the last in order by default (1, true, yes).
        """
        found = sorted(self.outcomes, key=lambda text: (text.lower(), text))
        if len(found) != 2:
            raise TrainingError(f"distinct values of the target: {len(found)}; expected two, e.g. 0 and 1")
        if positive is not None:
            wanted = outcome(positive)
            if wanted not in found:
                raise OptionError(f"positive={positive!r}; expected one of {', '.join(map(repr, found))}")
            found.sort(key=lambda text: text == wanted)
        if labels and len(labels) != 2:
            raise OptionError(f"labels={labels!r}; expected two names, what is predicted last")
        columns = self.columns()
        if not columns:
            raise TrainingError("the data has no column beside the target; expected one at least")
        named = {column.name: column for column in columns}
        crosses = [self._cross(cross, named) for cross in self.wishes.crosses]
        return Schema(
            (*columns, *crosses),
            target,
            tuple(labels or found),
            tuple(self.wishes.ignored),  # type: ignore[arg-type]
        )

    def columns(self) -> list[Column]:
        """The columns that were seen, without crosses."""
        return [seen.column(self.wishes) for seen in self.seen.values()]

    def _cross(self, stated: str, named: Mapping[str, Column]) -> Column:
        parts = tuple(part.strip() for part in stated.split("*"))
        if len(set(parts)) != 2 or any(named[part].kind != "categorical" for part in parts):
            raise OptionError(f"cross {stated!r}; expected two categorical columns, as 'one*other'")
        pairs = math.prod(len(named[part].values) + 1 for part in parts)
        return Column(" × ".join(parts), "cross", buckets=self.wishes.buckets or buckets_for(pairs), of=parts)


def outcome(target: Any) -> str:
    """An outcome as text: of true and 1 the same, of false and 0.

    >>> outcome(True), outcome(0.0), outcome(" yes ")
    ('1', '0', 'yes')
    """
    if isinstance(target, bool | np.bool_):
        return str(int(target))
    return text_of(target, "target") or ""


def buckets_for(others: int) -> int:
    """Hash buckets for so many values: half as many, a power of two.

    >>> buckets_for(0), buckets_for(1000)
    (8, 512)
    """
    return min(max(8, 1 << max(others // 2, 1).bit_length()), BUCKETS)


def knots_of(values: np.ndarray, most: int) -> tuple[float, ...]:
    """Where a column's numbers are cut: quantiles of them, so that each stretch holds as many.

    A value that fills a stretch alone (such as the zero of a column that is mostly zero) is a knot of its
    own, and the others share what is left, so that a long tail is resolved, too.

    >>> knots_of(np.array([0.0] * 90 + list(range(1, 11))), 6)
    (0.0, 1.0, 3.0, 5.0, 8.0, 10.0)
    """
    if not len(values):
        return (0.0, 1.0)
    found, counts = np.unique(values, return_counts=True)
    heavy = found[counts > len(values) / most][: most // 2]
    rest = values[~np.isin(values, heavy)]
    room = max(most - len(heavy), 2)
    cuts = np.quantile(rest, np.linspace(0, 1, room), method="nearest") if len(rest) else []
    knots = np.unique(np.concatenate([heavy, cuts]))
    if len(knots) == 1:
        knots = np.array([knots[0], knots[0] + 1.0])
    return tuple(float(knot) for knot in knots)
