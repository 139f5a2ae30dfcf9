"""What ``fit`` learns summaries from: sentences to be picked, or tokens to be written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from sixarts.batching import rows_bucket, shuffled
from sixarts.training import Lesson
from sixarts_text import oracle
from sixarts_text.sentences import Sentence

#: How sharply the sentences with the best ROUGE are preferred.
SHARPNESS = 10.0


class ListwiseCrossentropy(keras.losses.Loss):  # type: ignore[misc]
    """Cross-entropy of a distribution over sentences ``[b, s]`` against their logits (Cao et al. 2007)."""

    def __init__(self) -> None:
        super().__init__(name="listwise_crossentropy", reduction="mean_with_sample_weight")

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return -ops.sum(ops.cast(y_true, y_pred.dtype) * ops.log_softmax(y_pred, axis=-1), axis=-1)


class Shuffled(Sequence[Lesson]):
    """Batches of examples of about one size, made when they are asked for.

    Args:
        sizes: of the examples.
        training: with ``batch_size`` and ``seed``.
        epoch: of training.
        make: indices of examples, a size that holds them, and rows, to a batch.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        training: Any,
        epoch: int,
        make: Callable[[list[int], int, int], Lesson],
    ) -> None:
        self._plan = shuffled(sizes, training.batch_size, training.seed, epoch)
        self._make, self._batch_size = make, training.batch_size

    def __len__(self) -> int:
        return len(self._plan)

    def __iter__(self) -> Iterator[Lesson]:
        # A sequence's own would take an IndexError of a maker's for the end.
        return (self[place] for place in range(len(self)))

    def __getitem__(self, place: Any) -> Lesson:
        size, indices = self._plan[place]
        return self._make(indices, size, rows_bucket(len(indices), self._batch_size))


def picking(
    model: Any, sections: Sequence[tuple[Sequence[Sentence], str]], training: Any, epoch: int
) -> Shuffled:
    """Lessons for a model that picks sentences: the distribution over a section's sentences.

    Half of it is on the oracle's sentences (:func:`sixarts_text.oracle.oracle`), evenly; half goes by the
    ROUGE-1 of each alone, so that a sentence that is nearly as good is nearly as welcome.

    Args:
        model: of the family.
        sections: sentences that are read together, and the summary of their document.
    """
    texts = [[sentence.text for sentence in sentences] for sentences, _ in sections]
    targets = [wanted(part, summary) for part, (_, summary) in zip(texts, sections, strict=True)]

    def make(indices: list[int], size: int, rows: int) -> Lesson:
        filled = [*indices, *[indices[-1]] * (rows - len(indices))]
        arrays = model.processor.arrays([texts[index] for index in filled])
        shares = np.zeros(arrays["sentence_mask"].shape, "float32")
        for row, index in enumerate(indices):
            shares[row, : len(targets[index])] = targets[index]
        weights = np.zeros(rows, "float32")
        weights[: len(indices)] = 1
        return Lesson(arrays, {"logits": shares}, {"logits": weights})

    # All of one size: few shapes compile, and what padding costs is little beside it.
    return Shuffled([1] * len(texts), training, epoch, make)


def wanted(sentences: Sequence[str], summary: str) -> np.ndarray:
    """How much of the probability each sentence should have."""
    found = oracle.gains(sentences, summary)
    near = np.exp(SHARPNESS * (found - found.max()))
    shares = near / near.sum()
    if chosen := oracle.oracle(sentences, summary):
        shares /= 2
        shares[chosen] += 0.5 / len(chosen)
    return np.asarray(shares)


def writing(model: Any, pairs: Sequence[tuple[str, str]], training: Any, epoch: int) -> Shuffled:
    """Lessons for a model that writes: each token of a summary, given the document and those before it.

    Args:
        model: of a generative family.
        pairs: documents and summaries. Of a document the beginning that the model takes at once is read.
    """
    processor, search = model.processor, model.search
    sources = processor.encode([processor.prefix + text for text, _ in pairs], processor.source_limit)
    targets = processor.encode([summary for _, summary in pairs], model.longest)

    def make(indices: list[int], size: int, rows: int) -> Lesson:
        filled = [*indices, *[indices[-1]] * (rows - len(indices))]
        arrays = processor.pad([sources[index] for index in filled])
        width = min(size, max(len(targets[index]) for index in filled))
        labels = np.full((rows, width), search.pad, "int32")
        weights = np.zeros((rows, width), "float32")
        for row, index in enumerate(filled):
            labels[row, : len(targets[index])] = targets[index]
            if row < len(indices):
                weights[row, : len(targets[index])] = 1
        start = np.full((rows, 1), search.start, "int32")
        arrays["decoder_input_ids"] = np.concatenate([start, labels[:, :-1]], axis=1)
        return Lesson(arrays, {"logits": labels}, {"logits": weights})

    sizes = [max(len(one), len(other)) for one, other in zip(sources, targets, strict=True)]
    return Shuffled(sizes, training, epoch, make)
