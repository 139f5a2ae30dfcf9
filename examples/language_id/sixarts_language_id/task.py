"""The ``language-identification`` task: a text to the language that it is written in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sixarts import Explanation
from sixarts.batching import Batch, rows_bucket
from sixarts.classification import (
    Classification,
    ClassificationOptions,
    ClassificationTraining,
    Classifier,
    probabilities,
)
from sixarts.errors import InputError
from sixarts.labeled import relabeled


@dataclass(frozen=True)
class LanguageOptions(ClassificationOptions):
    """Options of ``language-identification``: as of every classifier; all languages are shown.

    >>> LanguageOptions().top, LanguageOptions(top=3).top
    (0, 3)
    """

    top: int = 0


@dataclass(frozen=True)
class LanguageTraining(ClassificationTraining):
    """Options of ``fit``: as everywhere, at the higher rate that embeddings ask for."""

    learning_rate: float = 0.02


class LanguageIdentification(Classifier):
    """Answers texts with :class:`~sixarts.classification.Classification`; a label is a language's code.

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

    def arrays(self, read: Sequence[str]) -> dict[str, np.ndarray]:
        found: dict[str, np.ndarray] = self.model.processor.arrays(read)
        return found

    def adapt(self, examples: Sequence[tuple[str, str]], training: Any) -> tuple[str, ...]:
        """A new language stands beside those that are known."""
        known = self.model.processor.labels if self.model.built else ()
        self.model, replaced = relabeled(self.model, sorted({*known, *(label for _, label in examples)}))
        self.model.freeze(training.freeze)
        return replaced

    def attribute(self, x: str, method: str, target: Any, options: Any) -> Explanation:
        """How much less probable the label is without each word (of a single word: each character).

        Args:
            target: a label; the answer by default.
        """
        answer: Classification = self(x)
        label = self.label_of(target, answer)
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
            values=values[None, :, self.model.processor.labels.index(label)].astype("float64"),
            signed=True,
            answer=answer.label,
            unit="nats lost without it",
        )

    def _log_scores(self, texts: Sequence[str]) -> np.ndarray:
        """Log-probabilities ``[len(texts), labels]``, of texts that may be empty."""
        batch = Batch(self.arrays(texts)).filled(rows_bucket(len(texts), 32))
        return np.log(probabilities(self.model(batch.arrays)["logits"][: len(texts)].astype("float64")))

    def flops(self, x: str, result: Classification, options: Any) -> float:
        """Two for each n-gram and width, two for each weight of the head."""
        width, labels = self.model.config["width"], len(self.model.processor.labels)
        return 2.0 * width * (len(self.model.processor.bag(x)) + labels)
