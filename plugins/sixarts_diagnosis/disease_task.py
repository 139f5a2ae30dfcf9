"""The ``disease-diagnosis`` task: a record to what it says of a disease.

Records are private. They are read, answered and forgotten: no message, log, cache, card or model folder holds
a value of one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sixarts.batching import Batch
from sixarts.classification import Classifier
from sixarts.errors import InputError, OptionError, TrainingError
from sixarts.explanation import Explanation
from sixarts.labeled import numbered, relabeled
from sixarts.media.tables import is_table, rows
from sixarts.result import Metrics
from sixarts.training import History, Lesson
from sixarts_diagnosis.cells import as_record
from sixarts_diagnosis.clinical_metrics import Case, measured
from sixarts_diagnosis.disease_options import DiagnosisOptions, DiagnosisTraining
from sixarts_diagnosis.inferred_schema import inferred
from sixarts_diagnosis.mlp_ensemble import MemberCrossentropy
from sixarts_diagnosis.record_lessons import RecordLessons
from sixarts_diagnosis.record_processor import RecordProcessor
from sixarts_diagnosis.records import Examples, groups_of, label_of, pairs_of
from sixarts_diagnosis.reliability import KEY, Reliability, disease_of, held_aside
from sixarts_diagnosis.schema import Reading, Schema

#: Records whose logits are computed together outside of a call.
TOGETHER = 64


class DiseaseDiagnosis(Classifier):
    """Answers records with :class:`~sixarts_diagnosis.diagnosis.Diagnosis`.

    One record is a mapping of column name to value, or a row of a data frame; several are a list of them, a
    data frame, a mapping of columns, or the path of a ``.csv``, ``.jsonl`` or ``.parquet`` file.

    Example::

        diagnose = sixarts.load("disease-diagnosis")
        print(diagnose(diagnose.sample))
    """

    Options = DiagnosisOptions
    Training = DiagnosisTraining
    #: The schema of a network that is about to be made.
    _planned: Schema | None = None

    # From a record to features.

    @property
    def schema(self) -> Schema:
        """The columns that a record has."""
        found: Schema = self._planned or self.model.processor.schema
        return found

    @property
    def sample(self) -> Any:
        """A made-up record that this model can answer: typical values, nobody's own."""
        first = self.spec.samples[0]
        return first if set(first) <= set(self.schema.names) else self.model.processor.typical()

    def many(self, x: Any) -> Iterable[Any] | None:
        if isinstance(x, list):
            return x
        columns = isinstance(x, Mapping) and bool(x) and all(map(_is_column, x.values()))
        return rows(x) if columns or is_table(x) else None

    def check(self, x: Any, options: Any) -> None:
        self.schema.read(x, options.ignore)

    def read(self, piece: Any) -> Reading:
        return piece if isinstance(piece, Reading) else self.schema.read(piece, self.options.ignore)

    def size(self, piece: Any) -> int:
        return 0

    def pieces(self, x: Any, options: Any) -> Any:
        yield self.schema.read(x, options.ignore)

    def arrays(self, read: Sequence[Reading]) -> dict[str, np.ndarray]:
        found: dict[str, np.ndarray] = self.model.processor.arrays(read)
        return found

    def context(self, piece: Any, read: Any) -> Any:
        return {"missing": read.missing, "unusual": read.unusual}

    def finish(self, outputs: Mapping[str, np.ndarray], batch: Batch, options: Any) -> list[Any]:
        processor = self.model.processor
        return self.reliability.diagnoses(
            outputs["logits"],
            processor.labels,
            self.model.config.get("disease", ""),
            processor.familiar(batch.arrays["features"]),
            batch.context,
        )

    @property
    def reliability(self) -> Reliability:
        """What calibration measured of the model, read from its configuration once."""
        said = self.model.config.get(KEY)
        kept = vars(self).get("_reliable")
        if kept is None or kept[0] is not said:
            kept = vars(self)["_reliable"] = (said, self.model.reliability)
        found: Reliability = kept[1]
        return found

    # Learning.

    def fit(self, examples: Any, validation: Any = None, **options: Any) -> History:
        """Learns from records, and calibrates on a part of them that it holds aside.

        Args:
            examples: pairs of record and label, or a table with a column ``target`` of labels.
            validation: the same, to measure after each epoch.
            **options: see :class:`~sixarts_diagnosis.disease_options.DiagnosisTraining`.

        Raises:
            InputError: a record that does not fit the schema, with its row and column and without its value.
        """
        training = self._stated(options)
        stated = None if training.schema is None else Schema.of(training.schema)
        known = stated or (self.model.processor.schema if self.model.built else None)
        target = training.target or (known.target if known else "")
        pairs = self._without(pairs_of(examples, target), training.ignore)
        try:
            if stated is not None:
                self._planned = replace(stated, target=target)
            elif known is None and pairs:
                self._planned = inferred([_record(pair) for pair in pairs], target)
            found = self.collect(pairs, "example")
            learned, aside = self._parted(found, training)
            if validation is not None:
                held = self._without(pairs_of(validation, target), training.ignore)
                validation = self.collect(held, "validation example")
            history = super().fit(learned, validation, **options)
        finally:
            self._planned = None
        self._calibrate(learned, aside, training)
        return history

    def _stated(self, options: Mapping[str, Any]) -> Any:
        from sixarts.task import check_options

        check_options(self.Training, options)
        return self.Training(**options)

    @staticmethod
    def _without(pairs: Sequence[Any], ignore: Sequence[str]) -> list[Any]:
        """The pairs with records that lack some columns; what is no such pair stays, to be refused."""
        if not ignore:
            return list(pairs)
        return [
            ({name: cell for name, cell in pair[0].items() if name not in ignore}, pair[1])
            if isinstance(pair, tuple | list) and len(pair) == 2 and isinstance(pair[0], Mapping)
            else pair
            for pair in pairs
        ]

    def _parted(self, found: Examples, training: Any) -> tuple[Examples, Examples]:
        """The records to learn from, and those to calibrate with."""
        labels = sorted(set(found.labels))
        numbers = np.array([labels.index(label) for label in found.labels])
        aside = held_aside(numbers, training.calibration, training.seed)
        return found.of(np.flatnonzero(~aside)), found.of(np.flatnonzero(aside))

    def _calibrate(self, learned: Examples, aside: Examples, training: Any) -> None:
        """Measures calibration, sets and the limit of what is familiar, on the network as it is now."""
        processor = self.model.processor
        familiar = processor.familiar(learned.features(processor))
        known = set(processor.labels)
        # A label that the network does not know cannot be calibrated for; it was learned, or is refused.
        aside = aside.of([row for row, label in enumerate(aside.labels) if label in known])
        if len(aside):
            numbers = np.array([processor.labels.index(label) for label in aside.labels])
            found = Reliability.measured(
                self.logits(aside.features(processor)),
                numbers,
                familiar,
                coverage=training.coverage,
                sets=training.sets,
                quantile=training.familiar,
            )
        else:
            from sixarts_diagnosis.familiarity import Familiarity

            found = Reliability(familiarity=Familiarity.of(familiar, training.familiar))
        self.model.reliability = found
        self.record.trained[-1:] = [f"{self.record.trained[-1]} Then: {found}."]

    def answered(self, reading: Reading) -> Any:
        """The answer to a record that was read."""
        return self.answer_pieces([reading], self.options)[0]

    def logits(self, features: np.ndarray) -> np.ndarray:
        """The network's logits ``[n, labels]`` of features, before calibration."""
        found = []
        for start in range(0, len(features), TOGETHER):
            part = features[start : start + TOGETHER]
            # Rows are filled up, so that one shape compiles.
            full = np.concatenate([part, np.repeat(part[-1:], TOGETHER - len(part), axis=0)])
            found.append(self.model({"features": full})["logits"][: len(part)])
        return np.concatenate(found).astype("float64")

    def collect(self, examples: Any, kind: str) -> Examples:
        if isinstance(examples, Examples):
            return examples
        pairs = list(pairs_of(examples))
        if not pairs:
            raise TrainingError(f"no {kind} came; expected at least one pair (record, label)")
        readings = []
        for index, pair in enumerate(pairs):
            try:
                self.check_example(pair, self.options)
                readings.append(self.read(pair[0]))
            except InputError as error:
                reason = error.reason
            else:
                continue
            raise InputError(f"{kind}: {reason}", index)
        return Examples(pairs, readings)

    def check_example(self, example: Any, options: Any) -> None:
        if not (isinstance(example, tuple | list) and len(example) == 2):
            raise InputError(f"a {type(example).__name__}; expected a pair (record, label)")
        self.check(example[0], options)
        label = example[1].label if isinstance(example[1], Case) else label_of(example[1])
        if not (isinstance(label, str) and label):
            raise InputError(f"a label that is {type(label).__name__}; expected the name of a class")

    def adapt(self, examples: Sequence[Any], training: Any) -> tuple[str, ...]:
        """A new network where there is none, or another schema; a new head where there is a new label."""
        found = self.collect(examples, "example")
        labels = sorted(set(found.labels))
        if self._planned is None:
            self.model, replaced = relabeled(self.model, labels)
            if replaced or training.disease:
                self.model.config["disease"] = self._disease(self.model.processor.labels, training)
            self.model.freeze(training.freeze)
            return replaced
        if len(labels) < 2:
            raise TrainingError(f"records of {len(labels)} label; expected two labels at least")
        processor = RecordProcessor.learned_from(self._planned, found.readings, labels, training.even)
        self.model = self.model.configured_for(processor, self._disease(labels, training), len(found))
        numbers = np.array([labels.index(label) for label in found.labels])
        self.model.prepared(found.features(processor), numbers)
        self.model.freeze(training.freeze)
        return (f"schema of {len(processor.widths)} columns and a network for {len(labels)} labels",)

    @staticmethod
    def _disease(labels: Sequence[str], training: Any) -> str:
        if training.disease and training.disease not in labels:
            raise OptionError(f"disease={training.disease!r}; expected one of {', '.join(labels[:20])}")
        return disease_of(labels, training.disease)

    def taught(self, training: Any) -> Any:
        return self.model.training_network()

    def learn(self, examples: Sequence[Any], training: Any, epoch: int) -> Iterable[Lesson]:
        found = self.collect(examples, "example")
        known = self.model.processor.labels
        if not set(found.labels) <= set(known):
            raise InputError(f"a label that this model does not know; expected one of {', '.join(known)}")
        return RecordLessons(self.model.processor, found, numbered(known, ()), training, epoch)

    def judging(self, training: Any) -> Any:
        return replace(training, hide=0.0)

    def loss(self, training: Any) -> Any:
        return {"logits": MemberCrossentropy(training.label_smoothing)}

    # Judging.

    def evaluate(
        self,
        examples: Any,
        *,
        target: str = "",
        by: Sequence[str] = (),
        dataset: str | None = None,
        split: str = "test",
        progress: bool | None = None,
        **options: Any,
    ) -> Metrics:
        """What a clinician asks, with bootstrap intervals, of all records and of groups of them.

        Args:
            examples: pairs of record and label, or a table.
            target: the column of the labels in a table; the one that was learned from when left out.
            by: columns by which records are grouped, e.g. ``("sex", "age band")``; the widest gap between
                groups is measured, too, and goes on the card.
            dataset, split: with a name, the figures go on the card that ``save`` writes.
            progress: as in ``stream``.
            **options: as in a call.

        Raises:
            MissingExtra: scikit-learn is not installed.
        """
        chosen = self.chosen(**options)
        pairs = self._without(pairs_of(examples, target or self.schema.target), chosen.ignore)
        found = self.collect(pairs, "example")
        groups = groups_of(self.schema, found.readings, by)
        cases = [
            (record, Case(label, own))
            for (record, _), label, own in zip(found, found.labels, groups, strict=True)
        ]
        return super().evaluate(
            Examples(cases, found.readings),
            dataset=dataset,
            split=split,
            progress=progress,
            **options,
        )

    def measure(self, results: Sequence[Any], targets: Sequence[Any], options: Any) -> Metrics:
        return measured(results, targets)

    # Explaining.

    def attribute(self, x: Any, method: str, target: Any, options: Any) -> Explanation:
        """What of a record made it this label, or would turn it.

        Args:
            target: a label; the disease, or else the answer's own, by default.
        """
        from sixarts_diagnosis.attribution import attribute

        return attribute(self, self.schema.read(x, options.ignore), method, target, options)

    def flops(self, x: Any, result: Any, options: Any) -> float:
        return float(self.model.flops())

    # Files.

    @classmethod
    def read_inputs(cls, path: str | Path) -> Iterator[Any]:
        """The rows of a table."""
        return rows(path)

    @classmethod
    def read_examples(cls, path: str | Path) -> list[Any]:
        """The rows of a table with a column ``target``, ``label`` or ``diagnosis``."""
        return pairs_of(path)


def _is_column(cells: Any) -> bool:
    """Whether a mapping's value is a column of cells, not one of them."""
    several = isinstance(cells, list | tuple) or getattr(cells, "ndim", 0) == 1
    return several or type(cells).__name__ == "Series"


def _record(pair: Any) -> Mapping[str, Any]:
    """The record of a pair."""
    if not (isinstance(pair, tuple | list) and len(pair) == 2):
        raise InputError(f"a {type(pair).__name__}; expected a pair (record, label)")
    return as_record(pair[0])
