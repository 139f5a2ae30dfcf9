"""Tasks that answer with a class: what sentiment, pictures and clips share.

A family that serves them has an output ``logits`` ``[b, classes]`` and a processor with ``labels``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sixarts.batching import Batch
from sixarts.errors import InputError, OptionError, nearest
from sixarts.labeled import numbered, relabeled
from sixarts.lessons import Batches, mixed
from sixarts.losses import SmoothedCrossentropy
from sixarts.result import Metric, Metrics, Result
from sixarts.task import Options, Task
from sixarts.training import History, Lesson, Training


@dataclass(frozen=True)
class Classification(Result):
    """The class of an input.

    Attributes:
        label: its name.
        score: its probability.
        scores: probability of each class shown, the likeliest first.
    """

    label: str
    score: float
    scores: Mapping[str, float] = field(repr=False)

    def __str__(self) -> str:
        return f"{self.label} ({self.score:.0%})"

    def plot(self) -> Any:
        """A bar for each class shown."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(5, 0.9 + 0.32 * len(self.scores)), layout="constrained")
        self.draw_scores(figure.add_subplot())
        return figure

    def draw_scores(self, axes: Any) -> None:
        """Draws a bar for each class shown, with its probability."""
        from sixarts.pictures import drawable, fonts_for

        names = drawable(self.scores)
        bars = axes.barh(range(len(names)), list(self.scores.values()), color="#2563eb")
        axes.bar_label(bars, [f"{score:.1%}" for score in self.scores.values()], padding=4)
        axes.set_yticks(range(len(names)), names, family=fonts_for(names) or ["DejaVu Sans"])
        axes.set(xlim=(0, 1.15), xlabel="probability", xticks=(0, 0.5, 1))
        axes.invert_yaxis()
        axes.spines[["top", "right"]].set_visible(False)


@dataclass(frozen=True)
class ClassificationOptions(Options):
    """Options of tasks that answer with a class.

    Attributes:
        top: how many classes ``scores`` shows; 0 shows all.
    """

    top: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.top < 0:
            raise OptionError(f"top={self.top!r}; expected 0 or more")


@dataclass(frozen=True)
class ClassificationTraining(Training):
    """Options of ``fit`` for tasks that answer with a class.

    Attributes:
        label_smoothing: share of each target's probability spread over the classes (Szegedy et al. 2016).
        freeze: learn the head alone, on the features that the network has.
    """

    label_smoothing: float = 0.0
    freeze: bool = False


class Classifier(Task):
    """A task that answers with a :class:`Classification`; a domain writes ``check`` and ``arrays``.

    Learning reads pieces and makes arrays of them, as answering does; it needs no context.
    """

    Options = ClassificationOptions
    Training = ClassificationTraining
    #: A :class:`sixarts.labeled.LabeledModel`.
    model: Any

    def read(self, piece: Any) -> Any:
        """A piece as the processor takes it, e.g. decoded."""
        return piece

    def arrays(self, read: Sequence[Any]) -> dict[str, np.ndarray]:
        """The model's inputs for some pieces that were read."""
        raise NotImplementedError

    def context(self, piece: Any, read: Any) -> Any:
        """What ``result`` is told of a piece."""
        return None

    def result(self, label: str, score: float, scores: Mapping[str, float], context: Any) -> Any:
        """The answer for one piece."""
        return Classification(label, score, scores)

    def prepare(self, pieces: Sequence[Any], options: Any) -> Batch:
        read = [self.read(piece) for piece in pieces]
        return Batch(self.arrays(read), list(map(self.context, pieces, read)))

    def finish(self, outputs: Mapping[str, np.ndarray], batch: Batch, options: Any) -> list[Any]:
        labels, answers = self.model.processor.labels, []
        for row, context in zip(probabilities(outputs["logits"]), batch.context, strict=True):
            order = np.argsort(-row, kind="stable")
            shown = {labels[place]: float(row[place]) for place in order[: options.top or len(order)]}
            answers.append(self.result(labels[order[0]], float(row[order[0]]), shown, context))
        return answers

    # Learning.

    def fit(self, examples: Any, validation: Any = None, **options: Any) -> History:
        try:
            return super().fit(examples, validation, **options)
        finally:
            if self.model.built:
                self.model.freeze(False)

    def check_example(self, example: Any, options: Any) -> None:
        super().check_example(example, options)
        self.check_label(example[1])

    def check_label(self, label: Any) -> None:
        """Raises :class:`InputError` for what is no name of a class."""
        if not (isinstance(label, str) and label.strip()):
            raise InputError(f"label {label!r}; expected the name of a class")

    def adapt(self, examples: Sequence[tuple[Any, str]], training: Any) -> tuple[str, ...]:
        """A new head where the examples have a class that the network does not tell apart."""
        self.model, replaced = relabeled(self.model, sorted({label for _, label in examples}))
        self.model.freeze(training.freeze)
        return replaced

    def learn(self, examples: Sequence[tuple[Any, str]], training: Any, epoch: int) -> Iterable[Lesson]:
        numbers = numbered(self.model.processor.labels, (label for _, label in examples))
        return Lessons(self, examples, numbers, training, epoch)

    def augment(self, arrays: dict[str, np.ndarray], training: Any, epoch: int, number: int) -> Any:
        """Changes a batch at random, as its class does not change; by default not at all."""
        return arrays

    def loss(self, training: Any) -> Any:
        return {"logits": SmoothedCrossentropy(training.label_smoothing)}

    # Judging.

    def measure(self, results: Sequence[Any], targets: Sequence[str], options: Any) -> Metrics:
        """Accuracy, with Wilson's interval."""
        right = sum(result.label == target for result, target in zip(results, targets, strict=True))
        accuracy = Metric(right / len(targets), *wilson(right, len(targets)))
        return Metrics({"accuracy": accuracy}, "share of inputs; Wilson interval", len(targets))

    def label_of(self, target: Any, answer: Any) -> str:
        """The class that is explained: ``target``, or the answer's own.

        Raises:
            OptionError: no such class.
        """
        labels = self.model.processor.labels
        if target is None:
            return str(answer.label)
        if target not in labels:
            near = nearest(str(target), labels) or labels[:10]
            raise OptionError(f"target={target!r}; expected a class, e.g. {', '.join(near)}")
        return str(target)


class Lessons(Batches):
    """Shuffled batches of examples and their classes."""

    def __init__(
        self, task: Any, examples: Sequence[Any], numbers: Mapping[str, int], training: Any, epoch: int
    ) -> None:
        super().__init__(mixed(len(examples), training, epoch), training, epoch)
        self.task, self.examples, self.numbers = task, examples, numbers

    def lesson(self, rows: np.ndarray, weights: np.ndarray, key: tuple[int, int, int]) -> Lesson:
        chosen = [self.examples[row] for row in rows.tolist()]
        arrays = self.task.arrays([self.task.read(x) for x, _ in chosen])
        arrays = self.task.augment(arrays, self.training, *key[1:])
        return Lesson(arrays, {"logits": self.targets([label for _, label in chosen])}, {"logits": weights})

    def targets(self, labels: Sequence[Any]) -> np.ndarray:
        """What is to be learned: the number of each example's class."""
        return np.array([self.numbers[label] for label in labels], "int32")


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Softmax over the last axis.

    >>> probabilities(np.array([[0.0, 0.0]])).tolist()
    [[0.5, 0.5]]
    """
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))


def wilson(right: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927).

    >>> [round(end, 3) for end in wilson(9, 10)], wilson(10, 10)[1]
    ([0.596, 0.982], 1.0)
    """
    z = 1.959964
    share = right / count
    middle = share + z * z / (2 * count)
    spread = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    scale = 1 + z * z / count
    # At 0 and 1 the share is the end itself, which rounding may miss.
    return min((middle - spread) / scale, share), max((middle + spread) / scale, share)
