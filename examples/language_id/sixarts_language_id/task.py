"""The ``language-identification`` task: a text to the language that it is written in."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from sixarts import Batch, Explanation, Metrics, Options, Result, Task
from sixarts.batching import rows_bucket
from sixarts.errors import InputError, OptionError, nearest
from sixarts.result import Metric
from sixarts.training import Lesson, Training


@dataclass(frozen=True)
class Language(Result):
    """The language of a text.

    Attributes:
        label: its code.
        score: its probability.
        scores: probability of each language shown, the likeliest first.
    """

    label: str
    score: float
    scores: Mapping[str, float] = field(repr=False)

    def __str__(self) -> str:
        return f"{self.label} ({self.score:.0%})"

    def plot(self) -> Any:
        """A bar for each language."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(5, 0.8 + 0.3 * len(self.scores)), layout="constrained")
        axes = figure.add_subplot(xlabel="probability", xlim=(0, 1))
        axes.barh(list(self.scores), list(self.scores.values()))
        axes.invert_yaxis()
        axes.spines[["top", "right"]].set_visible(False)
        return figure


@dataclass(frozen=True)
class LanguageOptions(Options):
    """Options of ``language-identification``.

    Attributes:
        top: how many languages ``scores`` shows; 0 shows all.
    """

    top: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.top < 0:
            raise OptionError(f"top={self.top!r}; expected 0 or more")


@dataclass(frozen=True)
class LanguageTraining(Training):
    """Options of ``fit``: as everywhere, at the higher rate that embeddings ask for."""

    learning_rate: float = 0.02


class LanguageIdentification(Task):
    """Answers texts with :class:`Language`.

    Example::

        identify = sixarts.load("language-identification")
        identify("Wo ist der Bahnhof?").label
    """

    Options = LanguageOptions
    Training = LanguageTraining

    def check(self, x: Any, options: Any) -> None:
        if not isinstance(x, str):
            raise InputError(f"{type(x).__name__} {str(x)[:40]!r}; expected text (str)")
        if not any(map(str.isalpha, x)):
            raise InputError(f"{x[:40]!r}; expected a text with at least one letter")

    def prepare(self, pieces: Sequence[str], options: Any) -> Batch:
        return Batch(self.model.processor.arrays(pieces), pieces)

    def finish(self, outputs: Mapping[str, np.ndarray], batch: Batch, options: Any) -> list[Language]:
        return [self._language(row, options) for row in np.exp(_log_softmax(outputs["logits"]))]

    def _language(self, row: np.ndarray, options: Any) -> Language:
        labels = self.model.processor.labels
        order = np.argsort(-row, kind="stable")
        shown = order[: options.top or len(order)]
        return Language(
            labels[order[0]], float(row[order[0]]), {labels[place]: float(row[place]) for place in shown}
        )

    # Learning.

    def check_example(self, example: Any, options: Any) -> None:
        super().check_example(example, options)
        if not (isinstance(example[1], str) and example[1].strip()):
            raise InputError(f"label {example[1]!r}; expected a language's code, e.g. 'en'")

    def adapt(self, examples: Sequence[tuple[str, str]], training: Any) -> tuple[str, ...]:
        known = self.model.processor.labels if self.model.built else ()
        added = sorted({label for _, label in examples} - set(known))
        if not added:
            return ()
        self.model = self.model.with_labels([*known, *added])
        return (f"head of {len(known)} labels by one of {len(known) + len(added)}: {', '.join(added)}",)

    def learn(self, examples: Sequence[tuple[str, str]], training: Any, epoch: int) -> Iterable[Lesson]:
        processor, size = self.model.processor, training.batch_size
        unknown = sorted({label for _, label in examples} - set(processor.labels))
        if unknown:
            raise InputError(f"labels {', '.join(unknown)}; expected some of {', '.join(processor.labels)}")
        order = np.random.default_rng([training.seed, epoch]).permutation(len(examples))
        lessons = []
        for start in range(0, len(order), size):
            chosen = [examples[place] for place in order[start : start + size]]
            # Rows are rounded up, with weight 0, so that the last batch compiles nothing new.
            rows = rows_bucket(len(chosen), size)
            batch = Batch(
                {
                    **processor.arrays([text for text, _ in chosen]),
                    "logits": np.array([processor.labels.index(label) for _, label in chosen], "int32"),
                    "weight": np.ones(len(chosen), "float32"),
                }
            ).filled(rows)
            arrays = dict(batch.arrays)
            targets, weight = arrays.pop("logits"), arrays.pop("weight")
            weight[len(chosen) :] = 0
            lessons.append(Lesson(arrays, {"logits": targets}, {"logits": weight}))
        return lessons

    def loss(self, training: Any) -> Any:
        return {
            "logits": keras.losses.SparseCategoricalCrossentropy(
                from_logits=True, reduction="mean_with_sample_weight"
            )
        }

    # Judging.

    def measure(self, results: Sequence[Language], targets: Sequence[str], options: Any) -> Metrics:
        right = sum(result.label == target for result, target in zip(results, targets, strict=True))
        accuracy = Metric(right / len(targets), *wilson(right, len(targets)))
        return Metrics({"accuracy": accuracy}, "share of texts; Wilson interval", len(targets))

    def attribute(self, x: str, method: str, target: Any, options: Any) -> Explanation:
        """How much less probable the label is without each word (of a single word: each character).

        Args:
            target: a label; the answer by default.
        """
        labels = self.model.processor.labels
        answer = self(x).label
        label = answer if target is None else target
        if label not in labels:
            near = nearest(str(label), labels) or labels
            raise OptionError(f"target={label!r}; expected one of {', '.join(near)}")
        words = x.split()
        parts, space = (words, " ") if len(words) > 1 else (list(x.strip()), "")
        texts = [x] + [space.join(parts[:i] + parts[i + 1 :]) for i in range(len(parts))]
        scores = np.concatenate([self._log_scores(texts[i : i + 32]) for i in range(0, len(texts), 32)])
        values = scores[0] - scores[1:]
        return Explanation(
            method=method,
            target=label,
            input_labels=tuple(parts),
            target_labels=(label,),
            values=values[None, :, labels.index(label)].astype("float64"),
            signed=True,
            answer=answer,
            unit="nats lost without it",
        )

    def _log_scores(self, texts: Sequence[str]) -> np.ndarray:
        """Log-probabilities ``[len(texts), labels]``, of texts that may be empty."""
        batch = Batch(self.model.processor.arrays(texts)).filled(rows_bucket(len(texts), 32))
        return _log_softmax(self.model(batch.arrays)["logits"][: len(texts)])

    def flops(self, x: str, result: Language, options: Any) -> float:
        """Two for each n-gram and width, two for each weight of the head."""
        width, labels = self.model.config["width"], len(self.model.processor.labels)
        return 2.0 * width * (len(self.model.processor.bag(x)) + labels)


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


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
