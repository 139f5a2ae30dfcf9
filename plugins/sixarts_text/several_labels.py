"""Learning and judging where labels do not exclude one another: a text has any number of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from sixarts.classification import Lessons, wilson
from sixarts.errors import InputError
from sixarts.labeled import numbered
from sixarts.result import Metric, Metrics
from sixarts.training import Lesson


def labels_in(target: Any) -> tuple[str, ...]:
    """The labels of an example, given as one text or several.

    >>> labels_in("joy"), labels_in(["joy", "love"]), labels_in([])
    (('joy',), ('joy', 'love'), ())

    Raises:
        InputError: anything else.
    """
    found = (target,) if isinstance(target, str) else target
    if not isinstance(found, list | tuple | set | frozenset) or not all(
        isinstance(label, str) and label.strip() for label in found
    ):
        raise InputError(f"labels {target!r:.60}; expected the names of some labels, or of none: a list")
    return tuple(found)


class SeveralLessons(Lessons):
    """Batches whose targets say of each label whether it holds, ``[b, labels]``."""

    def targets(self, labels: Sequence[Any]) -> np.ndarray:
        found = np.zeros((len(labels), len(self.numbers)), "float32")
        for row, held in enumerate(labels):
            found[row, [self.numbers[label] for label in labels_in(held)]] = 1
        return found


def lessons(task: Any, examples: Sequence[tuple[Any, Any]], training: Any, epoch: int) -> Iterable[Lesson]:
    """One epoch's batches."""
    wanted = {label for _, target in examples for label in labels_in(target)}
    numbers: Mapping[str, int] = numbered(task.model.processor.labels, wanted)
    return SeveralLessons(task, examples, numbers, training, epoch)


def loss() -> Any:
    """Each label's own cross-entropy, the mean over labels."""
    return {"logits": keras.losses.BinaryCrossentropy(from_logits=True, reduction="mean_with_sample_weight")}


def measure(results: Sequence[Any], targets: Sequence[Any]) -> Metrics:
    """How often exactly the right labels hold, with Wilson's interval."""
    pairs = list(zip(results, targets, strict=True))
    right = sum(set(result.labels) == set(labels_in(target)) for result, target in pairs)
    accuracy = Metric(right / len(pairs), *wilson(right, len(pairs)))
    return Metrics(
        {"accuracy": accuracy}, "share of texts whose labels are all right; Wilson interval", len(pairs)
    )
