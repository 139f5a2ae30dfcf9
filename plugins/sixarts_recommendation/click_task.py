"""The ``click-prediction`` task: a record to how likely its outcome is."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sixarts.batching import Batch, rows_bucket
from sixarts.compiled import to_numpy
from sixarts.errors import OptionError
from sixarts.explanation import Attribution, Explanation
from sixarts.lessons import Batches, mixed
from sixarts.media.tables import is_table, rows
from sixarts.progress import progress_bar
from sixarts.result import Metrics
from sixarts.task import Options, Task
from sixarts.training import Lesson, Training
from sixarts_recommendation.click_examples import Given, Prepared
from sixarts_recommendation.probability import ColumnExplanation, Probability
from sixarts_recommendation.probability_metrics import probability_metrics
from sixarts_recommendation.record_layers import LogLoss
from sixarts_recommendation.record_model import RecordModel, RecordProcessor, chances
from sixarts_recommendation.study import Study, Wishes

#: What is explained.
TARGET = "log-odds"


@dataclass(frozen=True)
class ClickOptions(Options):
    """Options of ``click-prediction``.

    Attributes:
        batch_size: records that go through the model together.
        threshold: probability from which the positive outcome is the label.
        target: the outcome's column in a table that is measured; the training data's own by default.
    """

    batch_size: int = 256
    threshold: float = 0.5
    target: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.threshold < 1:
            raise OptionError(f"threshold={self.threshold!r}; expected more than 0 and less than 1")


@dataclass(frozen=True)
class ClickTraining(Training):
    """Options of ``fit`` for ``click-prediction``.

    Attributes:
        target: the outcome's column in a table; the schema's own by default, ``"target"`` for a new model.
        positive: which outcome is predicted; the last in order (1, true, yes) by default.
        labels: names of the two outcomes, what is predicted last, where the data has 0 and 1.
        categorical, numeric, multi: columns of these kinds, where they are not what their cells look like:
            text is categorical, a number is numeric, a list is multi.
        ignored: columns that are no input.
        crosses: pairs of categorical columns whose values together are a column, as ``"one*other"``.
        knots: most quantiles at which a numeric column is cut.
        least: records that a value must be in to have a row of its own; rarer ones share hash buckets.
        vocabulary: most values of a column with a row of their own.
        buckets: hash buckets of a column; chosen by the data where it is 0.
        most: values of a multi column that are taken.
        negatives: share of the negative records that an epoch learns from, drawn anew each time.
            Probabilities are corrected for it (He et al. 2014, section 6.3), and are those of all records.
        sampled: share of the negative records that the data has, where it was sampled before; 1 where it has
            all of them. Probabilities are corrected for it, too.
        fresh: make schema and network anew, though the data fits the ones that are there.
    """

    batch_size: int = 256
    learning_rate: float = 1e-3
    target: str | None = None
    positive: str | int | float | bool | None = None
    labels: Sequence[str] = ()
    categorical: Sequence[str] = ()
    numeric: Sequence[str] = ()
    multi: Sequence[str] = ()
    ignored: Sequence[str] = ()
    crosses: Sequence[str] = ()
    knots: int = 32
    least: int = 2
    vocabulary: int = 100_000
    buckets: int = 0
    most: int = 32
    negatives: float = 1.0
    sampled: float = 1.0
    fresh: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("labels", "categorical", "numeric", "multi", "ignored", "crosses"):
            value = getattr(self, name)
            if isinstance(value, str) or not all(isinstance(entry, str) for entry in value):
                raise OptionError(f"{name}={value!r}; expected a list of names, e.g. {name}=['one', 'other']")
        for name, low in (("knots", 2), ("least", 1), ("vocabulary", 0), ("buckets", 0), ("most", 1)):
            if getattr(self, name) < low:
                raise OptionError(f"{name}={getattr(self, name)!r}; expected {low} or more")
        for name in ("negatives", "sampled"):
            if not 0 < getattr(self, name) <= 1:
                raise OptionError(f"{name}={getattr(self, name)!r}; expected more than 0, and 1 at most")

    def wishes(self) -> Wishes:
        """What is stated of the columns."""
        names = ("categorical", "numeric", "multi", "ignored", "crosses", "knots", "least", "vocabulary")
        return Wishes(**{name: getattr(self, name) for name in (*names, "buckets", "most")})


class ClickPrediction(Task):
    """Answers records with :class:`Probability`.

    A mapping is one record; a list of them, a data frame or the path of a table is many.

    Example::

        bought = sixarts.load("click-prediction")
        bought({"basket": ["whole milk", "butter"], "item": "yogurt"}).probability
    """

    Options = ClickOptions
    Training = ClickTraining
    model: RecordModel

    # Answering.

    def many(self, x: Any) -> Iterable[Any] | None:
        return rows(x) if is_table(x) else super().many(x)

    @classmethod
    def read_inputs(cls, path: str | Path) -> Iterator[Any]:
        """Records of a table, for the command line."""
        return rows(path)

    def check(self, x: Any, options: Any) -> None:
        self.model.schema.check(_record(x))

    def pieces(self, x: Any, options: Any) -> Generator[Any, Any, None]:
        yield _record(x)

    def size(self, piece: Any) -> int:
        return 0

    def prepare(self, pieces: Sequence[Any], options: Any) -> Batch:
        schema = self.model.schema
        return Batch(self.model.processor.arrays(pieces), [schema.unseen(piece) for piece in pieces])

    def finish(self, outputs: Mapping[str, np.ndarray], batch: Batch, options: Any) -> list[Probability]:
        negative, positive = self.model.schema.labels
        found = chances(outputs["logits"], self.model.config["prior_shift"])
        return [
            Probability(
                float(chance),
                positive if chance >= options.threshold else negative,
                positive,
                tuple(f"{name} {_short(text)!r} is new, and shares a hash bucket" for name, text in unseen),
            )
            for chance, unseen in zip(found, batch.context, strict=True)
        ]

    # Learning.

    def collect(self, examples: Any, kind: str) -> Any:
        # Read as often as need be, and longer than memory: no list is made of them.
        return Given(examples, kind)

    def adapt(self, examples: Given, training: Any) -> tuple[str, ...]:
        """A schema of the data, and a network for it, unless the data fits those that are there."""
        replaced: tuple[str, ...] = ()
        target = training.target or (self.model.schema.target if self.model.built else "target")
        source = examples.source(target)
        if training.fresh or not self.model.built or not self._fits(examples, target):
            before = self.model.schema if self.model.built else None
            study = Study(training.wishes(), training.seed)
            with examples.naming():
                for columns, targets in source:
                    study.add(columns, targets)
                schema = study.schema(target, training.labels, training.positive)
            self.model = self.model.build_for(RecordProcessor(schema))
            count = len(schema.inputs)
            replaced = (
                f"a schema of {count} columns and a network for it"
                + (f", in the place of one of {len(before.inputs)}" if before else ""),
            )
        self._shift(math.log(training.negatives * training.sampled))
        examples.prepare(self.model.schema, target)
        return replaced

    def _fits(self, examples: Given, target: str) -> bool:
        """Whether the data has the columns of the schema that is there."""
        schema = self.model.schema
        columns, _ = examples.first(target)
        needed = {name for name, column in schema.inputs.items() if not column.optional}
        return needed <= set(columns) <= {*schema.inputs, *schema.ignored}

    def _shift(self, shift: float) -> None:
        """Moves the log-odds for sampled negatives; what the model answers stays as it is."""
        by = self.model.config["prior_shift"] - shift
        if by:
            for names, entry in self.model.targets(frozenset()).items():
                if names[0].endswith(".odds.bias"):
                    entry.variable.assign(to_numpy(entry.variable) + by)
        self.model.config["prior_shift"] = shift

    def learn(self, examples: Any, training: Any, epoch: int) -> Iterable[Lesson]:
        given = examples if isinstance(examples, Given) else Given(examples, "example")
        target = training.target or self.model.schema.target
        return ClickLessons(given.prepare(self.model.schema, target), training, epoch)

    def loss(self, training: Any) -> Any:
        return {"logits": LogLoss()}

    # Judging.

    def judge(self, examples: Any, options: Any, progress: bool | None) -> Metrics:
        """AUC, log loss, accuracy and calibration error, with 95 % intervals.

        Every record is held against the schema before anything is computed.
        """
        schema = self.model.schema
        found = examples.prepare(schema, options.target or schema.target)
        chances = self.chances(found, options.batch_size, progress)
        return probability_metrics(chances, found.outcomes, options.threshold)

    def chances(self, records: Prepared, batch_size: int = 256, progress: bool | None = False) -> np.ndarray:
        """The probability of the positive outcome of each record, ``[n]``."""
        found = np.empty(len(records))
        with progress_bar(self.name, len(records), progress) as advance:
            for start in range(0, len(records), batch_size):
                rows_ = np.arange(start, min(start + batch_size, len(records)))
                encoded = records.arrays(rows_)
                batch = Batch({"ids": encoded.ids, "weights": encoded.weights})
                outputs = self.model(batch.filled(rows_bucket(len(rows_), batch_size)).arrays)
                logits = outputs["logits"][: len(rows_)]
                found[rows_] = chances(logits, self.model.config["prior_shift"])
                advance(len(rows_))
        return found

    # Explaining.

    def attribute(self, x: Any, method: str, target: Any, options: Any) -> Explanation:
        """What each column, and each value of a multi column, adds to the log-odds of the positive outcome.

        Integrated gradients compare with a record of usual values; their sum is the difference of the
        log-odds. Occlusion puts the usual value in each column's place, one at a time.
        """
        schema, record = self.model.schema, _record(x)
        if target not in (None, TARGET, schema.labels[1]):
            raise OptionError(f"target={target!r}; expected {schema.labels[1]!r}")
        answer = self(record, **vars(options))
        if method == "occlusion":
            labels, row = self._occluded(record)
            totals = None
        else:
            labels, row, totals = self._integrated(record)
        return ColumnExplanation(
            method=method,
            target=schema.labels[1],
            input_labels=labels,
            target_labels=(f"{TARGET} of {schema.labels[1]}",),
            values=row[None],
            signed=True,
            totals=totals,
            answer=str(answer).partition(";")[0],
            unit="log-odds, beside a record of usual values",
        )

    def _integrated(self, record: Mapping[str, Any]) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
        schema, arrays = self.model.schema, self.model.processor.arrays([record])
        found, totals = self._attribution().integrated_gradients(
            arrays, schema.reference_ids(arrays["ids"]), [0]
        )
        parts: dict[str, float] = {}
        for slot, (owner, value) in enumerate(zip(schema.owners, found[0], strict=True)):
            column = schema.columns[owner]
            if column.kind != "multi":
                label = _labeled(column.name, record.get(column.name), column.kind)
            else:
                given = column.given(record.get(column.name))
                place = slot - schema.owners.index(owner)
                if place >= max(len(given), 1):
                    continue
                label = _labeled(column.name, given[place] if given else None, "multi")
            parts[label] = parts.get(label, 0.0) + float(value)
        return tuple(parts), np.array(list(parts.values())), totals

    def _occluded(self, record: Mapping[str, Any]) -> tuple[tuple[str, ...], np.ndarray]:
        schema, usual = self.model.schema, self.model.schema.reference()
        records = [record, *({**record, name: usual[name]} for name in schema.inputs)]
        arrays = self.model.processor.arrays(records)
        found = chances(self.model(arrays)["logits"], self.model.config["prior_shift"])
        odds = np.log(found) - np.log1p(-found)
        labels = (_labeled(name, record.get(name), column.kind) for name, column in schema.inputs.items())
        return tuple(labels), odds[0] - odds[1:]

    def _attribution(self) -> Attribution:
        """Compiled once a model."""
        kept = vars(self).get("_attributed")
        if kept is None or kept[0] is not self.model:
            model = self.model
            kept = self._attributed = (model, Attribution(model, lambda outputs, _: model.log_odds(outputs)))
        found: Attribution = kept[1]
        return found

    def flops(self, x: Any, result: Any, options: Any) -> float | None:
        return self.model.flops()


class ClickLessons(Batches):
    """Shuffled batches of records, with a share of the negatives."""

    def __init__(self, records: Prepared, training: Any, epoch: int) -> None:
        self.records, kept = records, np.arange(len(records))
        if training.negatives < 1:
            random = np.random.default_rng([training.seed, epoch, 1])
            kept = kept[(records.outcomes == 1) | (random.random(len(records)) < training.negatives)]
        super().__init__([kept[part] for part in mixed(len(kept), training, epoch)], training, epoch)

    def lesson(self, rows: np.ndarray, weights: np.ndarray, key: tuple[int, int, int]) -> Lesson:
        encoded = self.records.arrays(rows)
        outcomes = self.records.outcomes[rows].astype("float32")
        arrays = {"ids": encoded.ids, "weights": encoded.weights}
        return Lesson(arrays, {"logits": outcomes}, {"logits": weights})


def _record(x: Any) -> Any:
    """A record as a mapping; a row of a data frame is one."""
    return x.to_dict() if type(x).__name__ == "Series" and hasattr(x, "to_dict") else x


def _labeled(name: str, value: Any, kind: str) -> str:
    if kind == "cross":
        return name
    if value is None or value == []:
        return f"{name}: none"
    return f"{name}: {_short(str(value))}"


def _short(text: str, most: int = 40) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
