"""The ``mood`` task: glad or sad."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from sixarts.batching import Batch
from sixarts.errors import InputError
from sixarts.explanation import Attribution, Explanation
from sixarts.result import Metric, Metrics, Result
from sixarts.task import Options, Task
from sixarts.training import Lesson
from tiny_art.model import Letters

LABELS = ("glad", "sad")
LENGTH = 16


@dataclass(frozen=True)
class MoodOptions(Options):
    """Options of ``mood``."""

    invert: bool = False


@dataclass(frozen=True)
class Feeling(Result):
    """A mood, and how sure the model is of it."""

    label: str
    score: float

    def __str__(self) -> str:
        return self.label


class MoodTask(Task):
    """Answers texts, in parts that semicolons divide, with :class:`Feeling`."""

    Options = MoodOptions

    def check(self, x: Any, options: Any) -> None:
        if not isinstance(x, str) or not x.strip():
            raise InputError(f"{x!r}; expected a text")

    def pieces(self, x: str, options: Any) -> Generator[str, Any, None]:
        yield from x.split(";")

    def prepare(self, pieces: Sequence[str], options: Any) -> Batch:
        rows = [self.model.processor.encode(piece) for piece in pieces]
        ids = np.zeros((len(rows), LENGTH), "int32")
        for place, row in enumerate(rows):
            ids[place, : len(row)] = row
        return Batch({"input_ids": ids, "mask": (ids > 0).astype("float32")}, list(pieces))

    def finish(self, outputs: Mapping[str, np.ndarray], batch: Batch, options: Any) -> list[Any]:
        logits = outputs["logits"] * (-1 if options.invert else 1)
        return [float(1 / (1 + np.exp(sad - glad))) for glad, sad in logits.astype("float64")]

    def join(self, results: Sequence[float], x: str, options: Any) -> Feeling:
        glad = float(np.mean(results))
        return Feeling(LABELS[int(glad < 0.5)], max(glad, 1 - glad))

    def learn(self, examples: Sequence[tuple[str, str]], training: Any, epoch: int) -> Iterable[Lesson]:
        batch = self.prepare([text for text, _ in examples], self.options)
        labels = np.array([LABELS.index(label) for _, label in examples], "int32")
        weights = np.ones(len(examples), "float32")
        return [Lesson(batch.arrays, {"logits": labels}, {"logits": weights})]

    def loss(self, training: Any) -> Any:
        return {"logits": keras.losses.SparseCategoricalCrossentropy(from_logits=True)}

    def adapt(self, examples: Sequence[Any], training: Any) -> tuple[str, ...]:
        if self.model.built:
            return ()
        self.model = self.model.build_for(Letters())
        return ("letters",)

    def measure(self, results: Sequence[Feeling], targets: Sequence[str], options: Any) -> Metrics:
        count = len(targets)
        right = sum(result.label == target for result, target in zip(results, targets, strict=True))
        share, z = right / count, 1.96
        center = (share + z**2 / (2 * count)) / (1 + z**2 / count)
        half = z / (1 + z**2 / count) * np.sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2)
        low, high = max(0.0, min(center - half, share)), min(1.0, max(center + half, share))
        return Metrics({"accuracy": Metric(share, low, high)}, "Wilson interval", count)

    def attribute(self, x: str, method: str, target: Any, options: Any) -> Explanation:
        arrays = dict(self.prepare([x], options).arrays)
        count = int(arrays["mask"].sum())
        values, totals = METHODS[method](self, arrays, count)
        return Explanation(
            method=method,
            target="mood",
            input_labels=tuple(x[:count]),
            target_labels=("glad",),
            values=np.asarray(values)[:, :count],
            signed=method != "attention",
            totals=totals,
            answer=self(x).label,
        )

    def flops(self, x: str, result: Any, options: Any) -> float:
        return 10.0 * len(x)


def _attention(task: MoodTask, arrays: Any, count: int) -> Any:
    return task.model.shares(arrays), None


def _integrated_gradients(task: MoodTask, arrays: Any, count: int) -> Any:
    found = Attribution(task.model, lambda outputs, place: ops.take(outputs["logits"], place, axis=1))
    return found.integrated_gradients(arrays, np.zeros_like(arrays["input_ids"]), [0])


def _occlusion(task: MoodTask, arrays: Any, count: int) -> Any:
    many = {name: np.repeat(array, count + 1, axis=0) for name, array in arrays.items()}
    many["mask"][range(1, count + 1), range(count)] = 0
    logits = task.model(many)["logits"][:, 0]
    return [logits[0] - logits[1:]], None


METHODS = {
    "attention": _attention,
    "integrated_gradients": _integrated_gradients,
    "occlusion": _occlusion,
}
