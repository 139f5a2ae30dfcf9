"""The ``sentiment-analysis`` task: a text, or a pair of texts, to what it says.

Sentiment is one set of classes among many: emotions, toxicity, topics, entailment and spam come as the same
kind of checkpoint, with labels of their own.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from sixarts.batching import Batch
from sixarts.classification import ClassificationOptions, ClassificationTraining, Classifier, probabilities
from sixarts.errors import InputError, OptionError
from sixarts.explanation import Explanation
from sixarts.labeled import relabeled
from sixarts.readers.plain_text import check_readable
from sixarts.result import Metrics
from sixarts.task import Task
from sixarts.training import Lesson
from sixarts_text import several_labels
from sixarts_text.text_result import TextClassification, Window

#: Most characters of a text: the longest novels have 3 million, what people mean by a text far fewer.
CHARACTERS = 1_000_000


@dataclass(frozen=True)
class SentimentOptions(ClassificationOptions):
    """Options of ``sentiment-analysis``.

    Attributes:
        threshold: probability from which a label holds, where labels do not exclude one another.
        long: what becomes of a text that is longer than the model takes at once: ``"windows"`` reads all of
            it in overlapping windows, ``"truncate"`` leaves its end out with a warning, ``"refuse"`` raises.
        stride: tokens between the starts of two windows; three quarters of a window when left out.
        pool: how windows are put together: the ``"mean"`` of their probabilities, weighted by their tokens,
            or for each class its ``"max"``.
    """

    threshold: float = 0.5
    long: Literal["windows", "truncate", "refuse"] = "windows"
    stride: int | None = None
    pool: Literal["mean", "max"] = "mean"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.threshold < 1:
            raise OptionError(f"threshold={self.threshold!r}; expected more than 0 and less than 1")
        if self.stride is not None and self.stride < 1:
            raise OptionError(f"stride={self.stride!r}; expected 1 or more, up to the tokens of a window")


class SentimentTask(Classifier):
    """Answers texts with :class:`TextClassification`.

    A pair of texts, for a model that was taught with pairs, is a tuple of two.

    Example::

        feel = sixarts.load("sentiment-analysis")
        feel("The food was great.").label
    """

    Options = SentimentOptions
    Training = ClassificationTraining

    # From a text to arrays.

    def check(self, x: Any, options: Any) -> None:
        texts = x if isinstance(x, tuple) else (x,)
        if isinstance(x, tuple) and len(x) != 2:
            raise InputError(f"a tuple of {len(x)}; expected a text, or a pair of two texts")
        for text in texts:
            check_readable(text)
            if len(text) > CHARACTERS:
                raise InputError(
                    f"a text of {len(text):,} characters; expected at most {CHARACTERS:,}; cut it into parts"
                )
            if not text.strip():
                raise InputError("an empty text; expected at least one character that is not white space")

    def check_options(self, options: Any) -> None:
        room = getattr(self.model.processor, "room", None)
        if options.stride is not None and room is not None and options.stride > room:
            raise OptionError(f"stride={options.stride!r}; expected 1 to {room}, the tokens of a window")

    @classmethod
    def read_examples(cls, path: str | Path) -> list[Any]:
        # JSON has no tuples: a list of two texts is a pair.
        return [(tuple(x) if isinstance(x, list) else x, label) for x, label in super().read_examples(path)]

    def pieces(self, x: Any, options: Any) -> Generator[Any, Any, None]:
        yield from self._cut(x, options.long, options.stride)

    def _cut(self, x: Any, long: str, stride: int | None = None) -> Iterator[Any]:
        """An input in pieces; a family of another plugin's may take texts as they are."""
        cut = getattr(self.model.processor, "pieces", None)
        return iter([x]) if cut is None else cut(x, long, stride)

    def size(self, piece: Any) -> int:
        return piece.count if hasattr(piece, "share") else len(piece)

    def read(self, piece: Any) -> Any:
        """A piece as it is; of an example's text, the beginning that the model takes at once."""
        is_example = isinstance(piece, str) or type(piece) is tuple
        return next(self._cut(piece, "truncate")) if is_example else piece

    def arrays(self, read: Sequence[Any]) -> dict[str, np.ndarray]:
        return self.model.processor.arrays(read)

    def context(self, piece: Any, read: Any) -> Any:
        return piece

    # From logits to an answer.

    def finish(self, outputs: Mapping[str, np.ndarray], batch: Batch, options: Any) -> list[Any]:
        """Each piece with the probabilities of its classes."""
        return list(zip(batch.context, self.chances(outputs["logits"]), strict=True))

    def chances(self, logits: np.ndarray) -> np.ndarray:
        """Probabilities of the classes, ``[b, classes]``: of one of them, or of each alone."""
        if self._exclusive:
            return probabilities(logits)
        # Written so that no exponential overflows.
        return np.asarray(0.5 * (1 + np.tanh(0.5 * np.asarray(logits))))

    @property
    def _exclusive(self) -> bool:
        return bool(getattr(self.model.processor, "exclusive", True))

    @property
    def _several(self) -> bool:
        """Whether a text may have several labels, or none."""
        return bool(self.model.built) and not self._exclusive

    def join(self, results: Sequence[Any], x: Any, options: Any) -> TextClassification:
        labels, exclusive = self.model.processor.labels, self._exclusive
        chances = np.stack([row for _, row in results]).astype("float64")
        shares = np.array([getattr(piece, "share", 1) for piece, _ in results], "float64")
        row = pooled(chances, shares, options.pool, exclusive)
        order = np.argsort(-row, kind="stable")
        best = int(order[0])
        held = (best,) if exclusive else [place for place in order if row[place] >= options.threshold]
        windows = [
            Window(labels[int(own.argmax())], float(own.max()), piece.start, piece.end)
            for (piece, _), own in zip(results, chances, strict=True)
            if len(results) > 1
        ]
        return TextClassification(
            labels[best],
            float(row[best]),
            {labels[place]: float(row[place]) for place in order[: options.top or len(order)]},
            tuple(labels[place] for place in held),
            tuple(windows),
            x if isinstance(x, str) else "\n".join(x),
        )

    # Learning.

    def check_example(self, example: Any, options: Any) -> None:
        if self._several:
            Task.check_example(self, example, options)
            several_labels.labels_in(example[1])
        else:
            super().check_example(example, options)

    def adapt(self, examples: Sequence[tuple[Any, Any]], training: Any) -> tuple[str, ...]:
        """A new head where the examples have a class that the network does not tell apart.

        A family that is solved rather than trained is solved anew.
        """
        if self._several:
            wanted = {label for _, target in examples for label in several_labels.labels_in(target)}
            self.model, replaced = relabeled(self.model, sorted(wanted))
            self.model.freeze(training.freeze)
            return replaced
        known = self.model.processor.labels if self.model.built else ()
        if hasattr(self.model, "learned_from") and not {label for _, label in examples} <= set(known):
            self.model = self.model.learned_from(examples)
            self.model.freeze(training.freeze)
            found = self.model.processor
            return (f"{found.size} n-grams and a head of {len(found.labels)} classes",)
        return super().adapt(examples, training)

    def learn(self, examples: Sequence[tuple[Any, Any]], training: Any, epoch: int) -> Iterable[Lesson]:
        if self._several:
            return several_labels.lessons(self, examples, training, epoch)
        return super().learn(examples, training, epoch)

    def loss(self, training: Any) -> Any:
        return several_labels.loss() if self._several else super().loss(training)

    def measure(self, results: Sequence[Any], targets: Sequence[Any], options: Any) -> Metrics:
        return (
            several_labels.measure(results, targets)
            if self._several
            else super().measure(results, targets, options)
        )

    # Explaining.

    def attribute(self, x: Any, method: str, target: Any, options: Any) -> Explanation:
        """Which words made it this class.

        Args:
            target: a class; the answer by default.

        Raises:
            InputError: a text that the model does not take at once.
        """
        from sixarts_text.attribution import attribute

        return attribute(self, x, method, target, options)

    def flops(self, x: Any, result: Any, options: Any) -> float:
        return float(sum(self.model.flops(self.arrays([piece])) for piece in self.pieces(x, options)))


def pooled(chances: np.ndarray, shares: np.ndarray, how: str, exclusive: bool) -> np.ndarray:
    """The probabilities of a text, of those of its windows ``[windows, classes]``.

    Args:
        shares: how many tokens each window has.
        how: ``"mean"`` or ``"max"``.
        exclusive: whether they add up to 1.

    >>> pooled(np.array([[0.9, 0.1], [0.5, 0.5]]), np.array([1, 3]), "mean", True).round(3).tolist()
    [0.6, 0.4]
    """
    if len(chances) == 1:
        return chances[0]
    row = chances.max(axis=0) if how == "max" else (shares / shares.sum()) @ chances
    return np.asarray(row / row.sum() if exclusive else row)
