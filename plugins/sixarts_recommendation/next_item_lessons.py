"""Batches for next-item networks: windows of like length, every real place a target, none for padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from sixarts.batching import rows_bucket
from sixarts.training import Lesson
from sixarts_recommendation.sequence_model import LENGTHS
from sixarts_recommendation.sequences import Sequences

#: Scored places are rounded up to so many parts of a batch's, so that few shapes compile.
PARTS = 8


class NextItemLessons(Sequence[Lesson]):
    """Shuffled batches, made when they are asked for.

    Args:
        model: whose ``windows_of`` and ``asked_in`` say what a window asks.
        sequences: what is learned.
        training: ``batch_size``, ``seed``, ``negatives``.
        epoch: draws anew.
    """

    def __init__(self, model: Any, sequences: Sequences, training: Any, epoch: int) -> None:
        self.model, self.sequences, self.training, self.epoch = model, sequences, training, epoch
        self.windows = sequences.windows(*model.window)
        lengths = self.windows.stops - self.windows.starts
        sizes = np.array(LENGTHS)
        kinds = np.searchsorted(sizes, lengths)
        random = np.random.default_rng([training.seed, epoch])
        order = random.permutation(len(lengths))
        order = order[np.argsort(kinds[order], kind="stable")]
        self.batches: list[np.ndarray] = []
        for kind in np.unique(kinds):
            own = order[kinds[order] == kind]
            size = training.batch_size
            self.batches += [own[start : start + size] for start in range(0, len(own), size)]
        self.shuffle = random.permutation(len(self.batches))

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Lesson]:
        # A sequence's own would take an IndexError of a model's for the end.
        return (self[place] for place in range(len(self)))

    def __getitem__(self, place: Any) -> Lesson:  # type: ignore[override]
        number = int(self.shuffle[place])
        chosen = self.batches[number]
        random = np.random.default_rng([self.training.seed, self.epoch, number])
        windows = self._window(chosen)
        last_only = self.sequences.last_only
        arrays, (rows, columns), wanted = self.model.asked_in(windows, last_only, random)
        count = rows_bucket(len(chosen), self.training.batch_size)
        length = arrays["items"].shape[1]
        arrays = {name: _filled(array, count) for name, array in arrays.items()}
        step = max(1, count if last_only else count * length // PARTS)
        size = -(-len(wanted) // step) * step
        places = np.zeros(size, "int32")
        places[: len(wanted)] = rows * length + columns
        weights = np.zeros(size, "float32")
        weights[: len(wanted)] = 1
        targets = np.zeros(size, "int32")
        targets[: len(wanted)] = wanted
        arrays["places"] = places
        negatives = self.training.negatives
        if negatives is None:
            return Lesson(arrays, {"logits": targets}, {"logits": weights})
        arrays["wanted"] = targets
        arrays["negatives"] = random.integers(0, self.model.config["num_items"], negatives, "int32")
        # The right item stands first in every row of scores.
        return Lesson(arrays, {"scores": np.zeros(size, "int32")}, {"scores": weights})

    def _window(self, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Item numbers ``[b, t]`` of some windows, and each one's length."""
        starts, stops = self.windows.starts[chosen], self.windows.stops[chosen]
        lengths = stops - starts
        width = int(lengths.max())
        inside = np.arange(width)[None, :]
        places = np.minimum(starts[:, None] + inside, stops[:, None] - 1)
        return np.asarray(self.sequences.items[places]), lengths


def _filled(array: np.ndarray, rows: int) -> np.ndarray:
    """An array with rows of ones or zeros behind it; what they say is scored nowhere."""
    more = np.ones((rows - len(array), *array.shape[1:]), array.dtype)
    return np.concatenate([array, more])
