"""Pairs of items that stand together, with drawn ones that do not: what ``item2vec`` learns from.

In constant memory: a few thousand sessions at a time are gone through, in an order of their own each epoch.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from sixarts.batching import rows_bucket
from sixarts.training import Lesson
from sixarts_recommendation.sequences import Sequences, gathered

#: Sessions that are gone through together.
SESSIONS = 4096
#: The power of an item's count by which it is drawn as a negative (Mikolov et al. 2013).
POWER = 0.75


class SkipGrams:
    """Batches of an epoch.

    Args:
        sequences: baskets or sessions.
        counts: how often each item was there in all, ``[n]``.
        training: ``window`` (0 for the whole basket, else so many items on either side), ``contexts``, most
            partners of an item in a basket; ``negatives`` a pair; ``subsampling`` of frequent items.
        epoch: the epoch.
    """

    def __init__(self, sequences: Sequences, counts: np.ndarray, training: Any, epoch: int) -> None:
        self.sequences, self.training, self.epoch = sequences, training, epoch
        self.steps = np.cumsum(drawing(counts))
        self.kept = keeping(counts, training.subsampling)

    def __iter__(self) -> Iterator[Lesson]:
        random = np.random.default_rng([self.training.seed, self.epoch])
        size = self.training.batch_size
        left = np.zeros((0, 2), "int32")
        order = random.permutation(len(self.sequences))
        for start in range(0, len(order), SESSIONS):
            pairs = np.concatenate([left, self._pairs(order[start : start + SESSIONS], random)])
            pairs = pairs[random.permutation(len(pairs))]
            full = len(pairs) - len(pairs) % size
            for begin in range(0, full, size):
                yield self._lesson(pairs[begin : begin + size], random)
            left = pairs[full:]
        if len(left):
            yield self._lesson(left, random)

    def _pairs(self, chosen: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Items of some sessions with what stands with them, ``[p, 2]``."""
        training = self.training
        items, owner = gathered(
            self.sequences.items, self.sequences.starts[chosen], self.sequences.stops[chosen]
        )
        keep = random.random(len(items)) < self.kept[items]
        items, owner = items[keep], owner[keep]
        if not training.window:
            # A basket has no order: any other one will do, and the nearest of a mixed one are a fair draw.
            mixed = np.lexsort((random.random(len(items)), owner))
            items, owner = items[mixed], owner[mixed]
        found = []
        for step in range(1, (training.window or training.contexts) + 1):
            same = owner[step:] == owner[:-step]
            if not same.any():
                break
            one, other = items[:-step][same], items[step:][same]
            unlike = one != other
            one, other = one[unlike], other[unlike]
            found += [np.stack([one, other], axis=1), np.stack([other, one], axis=1)]
        return np.concatenate(found) if found else np.zeros((0, 2), "int32")

    def _lesson(self, pairs: np.ndarray, random: np.random.Generator) -> Lesson:
        rows = rows_bucket(len(pairs), self.training.batch_size)
        filled = np.resize(pairs, (rows, 2)).astype("int32")
        drawn = np.searchsorted(self.steps, random.random((rows, self.training.negatives)))
        others = np.concatenate([filled[:, 1:], np.minimum(drawn, len(self.steps) - 1)], axis=1)
        right = np.zeros(others.shape, "float32")
        right[:, 0] = 1
        weights = (np.arange(rows) < len(pairs)).astype("float32")
        arrays = {"item": filled[:, :1], "others": others.astype("int32")}
        return Lesson(arrays, {"logits": right}, {"logits": weights})


def drawing(counts: np.ndarray) -> np.ndarray:
    """Each item's chance to be drawn as a negative, ``[n]``.

    >>> drawing(np.array([1, 16])).round(3).tolist()
    [0.111, 0.889]
    """
    powered = np.maximum(counts, 1) ** POWER
    return np.asarray(powered / powered.sum())


def keeping(counts: np.ndarray, subsampling: float) -> np.ndarray:
    """Each item's chance to be kept where frequent ones are left out now and then, ``[n]``.

    Source: Mikolov et al. 2013, equation 5.

    >>> keeping(np.array([1, 99]), 0.01).round(3).tolist()
    [1.0, 0.101]
    """
    shares = np.maximum(counts, 1) / np.maximum(counts, 1).sum()
    return np.minimum(np.sqrt(subsampling / shares), 1.0) if subsampling else np.ones(len(shares))


class PairLoss(keras.losses.Loss):  # type: ignore[misc]
    """The negative log-likelihood of pairs that are there and drawn ones that are not, summed over a row."""

    def __init__(self) -> None:
        super().__init__(name="pair_loss", reduction="mean_with_sample_weight")

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return ops.sum(ops.softplus(y_pred) - ops.cast(y_true, y_pred.dtype) * y_pred, axis=-1)
