"""An epoch's batches, each made when it is asked for; what it draws hangs on seed, epoch and place alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from sixarts.batching import rows_bucket
from sixarts.training import Lesson


def mixed(count: int, training: Any, epoch: int) -> list[np.ndarray]:
    """The numbers below ``count`` in an epoch's order, batch by batch."""
    order = np.random.default_rng([training.seed, epoch]).permutation(count)
    return np.split(order, range(training.batch_size, count, training.batch_size)) if count else []


def next_tokens(
    texts: Sequence[Sequence[int]], told: int, weights: np.ndarray, length: int, pad: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What a decoder reads, what it is to say next, and what counts of that, each ``[b, length]``.

    Args:
        texts: token numbers of each row, from its first to its end.
        told: tokens at the beginning that it is told, and does not learn.
        weights: of the rows.
        length: at least that of the longest text, less one.
        pad: what stands behind a text.

    >>> [part.tolist() for part in next_tokens([[1, 5, 6, 2]], 2, np.ones(1), 4, 0)]
    [[[1, 5, 6, 0]], [[5, 6, 2, 0]], [[0.0, 1.0, 1.0, 0.0]]]
    """
    read, said = (np.full((len(texts), length), pad, "int32") for _ in range(2))
    learned = np.zeros((len(texts), length), "float32")
    for row, text in enumerate(texts):
        read[row, : len(text) - 1], said[row, : len(text) - 1] = text[:-1], text[1:]
        learned[row, told - 1 : len(text) - 1] = weights[row]
    return read, said, learned


class Batches(Sequence[Lesson]):
    """Batches of examples, whose rows are rounded up so that few shapes compile.

    Rows are filled up by examples of the same batch, since batch normalization knows no weights, and these
    weigh nothing. A task writes :meth:`lesson`.

    Args:
        batches: the numbers of the examples of each.
        training: ``batch_size`` and ``seed``.
        epoch: of training.
    """

    def __init__(self, batches: Sequence[Any], training: Any, epoch: int) -> None:
        self.batches, self.training, self.epoch = batches, training, epoch

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Lesson]:
        # A sequence's own would take an IndexError of a task's for the end.
        return (self[place] for place in range(len(self)))

    def __getitem__(self, place: Any) -> Lesson:  # type: ignore[override]
        chosen = np.asarray(self.batches[place])
        rows = np.resize(chosen, rows_bucket(len(chosen), self.training.batch_size))
        weights = (np.arange(len(rows)) < len(chosen)).astype("float32")
        return self.lesson(rows, weights, (self.training.seed, self.epoch, int(place)))

    def lesson(self, rows: np.ndarray, weights: np.ndarray, key: tuple[int, int, int]) -> Lesson:
        """One batch.

        Args:
            rows: numbers of its examples.
            weights: 1 for each that counts, 0 for those that fill it up.
            key: seed, epoch and place: a seed for what is drawn.
        """
        raise NotImplementedError
