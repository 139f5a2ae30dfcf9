"""Batches for next-item networks: windows of like length, every real place a target, none for padding."""

from __future__ import annotations

from typing import Any

import numpy as np

from sixarts.lessons import Batches
from sixarts.training import Lesson
from sixarts_recommendation.sequence_model import LENGTHS
from sixarts_recommendation.sequences import Sequences

#: Scored places are rounded up to so many parts of a batch's, so that few shapes compile.
PARTS = 8


class NextItemLessons(Batches):
    """Shuffled batches of windows of like length.

    Args:
        model: whose ``windows_of`` and ``asked_in`` say what a window asks.
        sequences: what is learned.
        training: ``batch_size``, ``seed``, ``negatives``.
        epoch: draws anew.
    """

    def __init__(self, model: Any, sequences: Sequences, training: Any, epoch: int) -> None:
        self.model, self.sequences = model, sequences
        self.windows = sequences.windows(*model.window)
        lengths = self.windows.stops - self.windows.starts
        sizes = np.array(LENGTHS)
        kinds = np.searchsorted(sizes, lengths)
        random = np.random.default_rng([training.seed, epoch])
        order = random.permutation(len(lengths))
        order = order[np.argsort(kinds[order], kind="stable")]
        groups = np.split(order, np.flatnonzero(np.diff(kinds[order])) + 1)
        batches = [
            group[at : at + training.batch_size]
            for group in groups
            for at in range(0, len(group), training.batch_size)
        ]
        shuffled = [batches[place] for place in random.permutation(len(batches)).tolist()]
        super().__init__(shuffled, training, epoch)

    def lesson(self, rows: np.ndarray, weights: np.ndarray, key: tuple[int, int, int]) -> Lesson:
        random = np.random.default_rng(key)
        last_only = self.sequences.last_only
        arrays, (row, column), wanted = self.model.asked_in(self._window(rows), last_only, random)
        # What fills the batch up is not scored.
        own = row < int(weights.sum())
        row, column, wanted = row[own], column[own], wanted[own]
        count, length = arrays["items"].shape
        step = max(1, count if last_only else count * length // PARTS)
        size = -(-len(wanted) // step) * step
        places = np.zeros(size, "int32")
        places[: len(wanted)] = row * length + column
        scored = (np.arange(size) < len(wanted)).astype("float32")
        targets = np.zeros(size, "int32")
        targets[: len(wanted)] = wanted
        arrays["places"] = places
        negatives = self.training.negatives
        if negatives is None:
            return Lesson(arrays, {"logits": targets}, {"logits": scored})
        arrays["wanted"] = targets
        arrays["negatives"] = random.integers(0, self.model.config["num_items"], negatives, "int32")
        # The right item stands first in every row of scores.
        return Lesson(arrays, {"scores": np.zeros(size, "int32")}, {"scores": scored})

    def _window(self, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Item numbers ``[b, t]`` of some windows, and each one's length."""
        starts, stops = self.windows.starts[chosen], self.windows.stops[chosen]
        lengths = stops - starts
        width = int(lengths.max())
        inside = np.arange(width)[None, :]
        places = np.minimum(starts[:, None] + inside, stops[:, None] - 1)
        return np.asarray(self.sequences.items[places]), lengths
