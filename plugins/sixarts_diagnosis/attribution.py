"""Why a record was answered so: three methods over its columns.

Sources: Sundararajan et al. 2017 (integrated gradients); Fisher, Rudin and Dominici 2019 (permutation of a
column: here its value is replaced by those of others, as their distribution is kept, since no record is);
Wachter, Mittelstadt and Russell 2018 (counterfactuals: here the nearest change of one column alone).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from sixarts.explanation import Attribution
from sixarts_diagnosis.record_scores import Counterfactual, RecordScores, Turn, labels_of
from sixarts_diagnosis.schema import Column, Reading, Value

#: Values of a number that are tried over its usual range.
STEPS = 41
#: Halvings by which the place is found at which the answer turns.
HALVINGS = 12


def attribute(task: Any, reading: Reading, method: str, target: Any, options: Any) -> RecordScores:
    """Explains the answer to one record; see ``DiseaseDiagnosis.attribute``."""
    processor = task.model.processor
    disease = task.model.config.get("disease", "")
    answer = task.answered(reading)
    chosen = target if target is not None else (disease if method != "counterfactual" else None)
    label = task.label_of(chosen or None, answer)
    place = processor.labels.index(label)
    columns = processor.schema.columns
    known = {
        "method": method,
        "target": label,
        "input_labels": labels_of([column.words for column in columns]),
        "target_labels": (label,),
        "signed": True,
        "answer": answer.label,
        "shown": tuple(c.shown(v) for c, v in zip(columns, reading.values, strict=True)),
    }
    return _METHODS[method](task, reading, place, known)


def _integrated_gradients(task: Any, reading: Reading, place: int, known: Any) -> RecordScores:
    """Each column's part of the label's log-odds, against the average of the records learned from."""
    processor = task.model.processor
    arrays = processor.arrays([reading])
    scale = task.reliability.calibration.scale
    values, totals = _scorer(task).integrated_gradients(arrays, processor.average()[None], [place])
    owners = processor.owners
    by_column = np.bincount(owners, weights=values[0], minlength=len(processor.widths))
    unit = "calibrated log-odds"
    return RecordScores(**known, values=by_column[None] * scale, totals=totals * scale, unit=unit)


def _permutation(task: Any, reading: Reading, place: int, known: Any) -> RecordScores:
    """What of the log-odds is lost, on average, when a column has others' values in the place of its own."""
    processor = task.model.processor
    readings, weights, owners = [reading], [0.0], [-1]
    for number, (column, told) in enumerate(zip(processor.schema.columns, processor.statistics, strict=True)):
        others = list(zip(column.categories, told.shares, strict=True)) or [
            (value, 1 / len(told.deciles)) for value in told.deciles
        ]
        for value, share in others:
            readings.append(_with(reading, number, value))
            weights.append(share)
            owners.append(number)
    odds = _odds(task.logits(processor.features(readings)), place) * task.reliability.calibration.scale
    lost = (odds[0] - odds) * np.array(weights)
    values = np.bincount(np.array(owners[1:]), weights=lost[1:], minlength=len(processor.widths))
    return RecordScores(**known, values=values[None], unit="calibrated log-odds lost without it")


def _counterfactual(task: Any, reading: Reading, place: int, known: Any) -> Counterfactual:
    """The nearest change of each column alone at which the label is no longer the answer."""
    columns = task.model.processor.schema.columns
    tried: list[tuple[int, Value]] = []
    for number, column in enumerate(columns):
        if reading.values[number] is None:
            continue  # what is not known cannot be changed
        tried += [(number, value) for value in _candidates(column, task, number)]
    readings = [reading, *(_with(reading, number, value) for number, value in tried)]
    logits = task.logits(task.model.processor.features(readings))
    odds = _odds(logits, place) * task.reliability.calibration.scale
    answers = task.reliability.calibration(logits).argmax(axis=1)
    moved = np.zeros(len(columns))
    turns = []
    for number, column in enumerate(columns):
        rows = [row for row, (owner, _) in enumerate(tried, 1) if owner == number]
        if rows:
            moved[number] = float(min(odds[rows]) - odds[0])
        over = [(row, tried[row - 1][1]) for row in rows if answers[row] != answers[0]]
        if turn := _turn(task, reading, number, column, over, int(answers[0])):
            turns.append(turn)
    ranges = [_range(column, task, number) for number, column in enumerate(columns)]
    turns.sort(key=lambda turn: turn.share)
    return Counterfactual(
        **known,
        values=moved[None],
        unit="calibrated log-odds that it could move alone",
        turns=tuple(turns),
        places=tuple(map(_place, reading.values, ranges)),
        ranges=tuple(map(_words, columns, ranges, reading.values)),
    )


def _turn(
    task: Any, reading: Reading, number: int, column: Column, over: Sequence[tuple[int, Value]], label: int
) -> Turn | None:
    """Where a column turns the answer, of the tried values that do; found to a small part of its range."""
    if not over:
        return None
    labels, own = task.model.processor.labels, reading.values[number]

    def answered(value: Value) -> int:
        features = task.model.processor.features([_with(reading, number, value)])
        return int(task.reliability.calibration(task.logits(features)).argmax(axis=1)[0])

    if column.kind == "category":
        value = over[0][1]
        return Turn(_name(task, number), labels[answered(value)], column.shown(value), 1.0)
    low, high = _range(column, task, number)
    span = (high - low) or 1.0
    assert isinstance(own, float)
    start = own
    near = min((float(value) for _, value in over), key=lambda value: abs(value - start))
    inside, outside = start, near
    for _ in range(HALVINGS):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if answered(middle) == label else (inside, middle)
    found = _rounded(column, outside, up=near > start)
    if answered(found) == label:
        found = outside
    more = "or more" if near > start else "or less"
    return Turn(
        _name(task, number),
        labels[answered(found)],
        f"{column.shown(found)} {more}",
        abs(found - start) / span,
        (found - low) / span,
    )


def _rounded(column: Column, value: float, up: bool) -> float:
    """A number that people would say, on the far side of where the answer turns."""
    if column.whole:
        return float(np.ceil(value - 1e-9) if up else np.floor(value + 1e-9))
    digits = 2 - int(np.floor(np.log10(abs(value)))) if value else 2
    scale = 10.0**digits
    return float((np.ceil(value * scale) if up else np.floor(value * scale)) / scale)


def _candidates(column: Column, task: Any, number: int) -> list[Value]:
    if column.kind == "category":
        return list(column.categories)
    low, high = _range(column, task, number)
    values = np.linspace(low, high, STEPS)
    return sorted({float(round(value)) if column.whole else float(value) for value in values})


def _range(column: Column, task: Any, number: int) -> tuple[float, float]:
    """The usual range of a number; where the schema states none, that of the middle eight tenths."""
    if column.kind == "category":
        return 0.0, 1.0
    deciles = task.model.processor.statistics[number].deciles
    return column.usual or (deciles[0], deciles[-1])


def _words(column: Column, span: tuple[float, float], value: Value) -> str:
    if value is None:
        return ""
    if column.kind == "category":
        return "any category"
    return f"{span[0]:g} to {span[1]:g} {column.unit}".rstrip()


def _place(value: Value, span: tuple[float, float]) -> float | None:
    if not isinstance(value, float):
        return None
    return (value - span[0]) / ((span[1] - span[0]) or 1.0)


def _name(task: Any, number: int) -> str:
    return labels_of([column.words for column in task.model.processor.schema.columns])[number]


def _with(reading: Reading, number: int, value: Value) -> Reading:
    """The record with another value in one column."""
    values = list(reading.values)
    values[number] = value
    return Reading(tuple(values))


def _odds(logits: np.ndarray, place: int) -> np.ndarray:
    """Log-odds of one label against all others together ``[n]``."""
    others = np.delete(logits, place, axis=1)
    high = others.max(axis=1, keepdims=True)
    return np.asarray(logits[:, place] - high[:, 0] - np.log(np.exp(others - high).sum(axis=1)))


def _scorer(task: Any) -> Attribution:
    """Scores a label by its log-odds; compiled once for each model."""
    made: dict[str, Any] = vars(task.model).setdefault("_attributions", {})
    if "scorer" not in made:
        made["scorer"] = Attribution(task.model, _log_odds)
    found: Attribution = made["scorer"]
    return found


def _log_odds(outputs: Any, place: Any) -> Any:
    logits = outputs["logits"]
    own = ops.take(logits, place, axis=-1)
    chosen = ops.cast(ops.arange(logits.shape[-1]) == place, logits.dtype)
    return own - ops.logsumexp(logits - 1e9 * chosen, axis=-1)


_METHODS = {
    "integrated_gradients": _integrated_gradients,
    "permutation": _permutation,
    "counterfactual": _counterfactual,
}
