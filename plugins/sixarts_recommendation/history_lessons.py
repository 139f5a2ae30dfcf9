"""What ``two_tower`` learns from: an item of a session, and what else was in it."""

from __future__ import annotations

from typing import Any

import numpy as np

from sixarts.lessons import Batches, mixed
from sixarts.training import Lesson
from sixarts_recommendation.sequences import Sequences

#: What a row that only fills a batch has as its number, so that it is no negative.
LOW = 1e9


class HistoryLessons(Batches):
    """Batches of an epoch: each item of each session once, in a mixed order.

    What is known of a session is what came before the item (``window`` items of it), or all the others where
    it has no order (``window=0``). Of a pair, either item is known once. Memory is 8 bytes an item.

    Args:
        model: :class:`~sixarts_recommendation.two_tower.TwoTower`.
        sequences: sessions.
        training: options of ``fit``.
        epoch: the epoch.
    """

    def __init__(self, model: Any, sequences: Sequences, training: Any, epoch: int) -> None:
        self.model, self.sequences = model, sequences
        lengths = np.asarray(sequences.lengths)
        starts = np.where(lengths > 1, lengths - (1 if training.window else 0), 0)
        self.ends = np.cumsum(starts)
        super().__init__(mixed(int(self.ends[-1]) if len(self.ends) else 0, training, epoch), training, epoch)
        counts = np.maximum(model.items.count_of_each(), 1)
        self.log_q = np.log(counts / counts.sum())

    def lesson(self, rows: np.ndarray, weights: np.ndarray, key: tuple[int, int, int]) -> Lesson:
        owners = np.searchsorted(self.ends, rows, "right")
        inside = rows - np.where(owners > 0, self.ends[np.maximum(owners - 1, 0)], 0)
        histories, items = [], np.empty(len(rows), "int64")
        random = np.random.default_rng(key)
        for row, (owner, at) in enumerate(zip(owners, inside, strict=True)):
            known, items[row] = self._example(np.asarray(self.sequences[int(owner)]), int(at), random)
            histories.append(known)
        catalog = self.model.processor.catalog
        arrays = catalog.arrays(items)
        if catalog.attributes:
            arrays = catalog.hidden(arrays, random.random(len(rows)) < self.training.id_dropout)
        log_q = self.log_q[items].astype("float32")
        log_q[weights == 0] = LOW
        given = {
            **arrays,
            "history": self.model.histories(histories),
            "numbers": items.astype("int32"),
            "log_q": log_q,
        }
        return Lesson(given, {"logits": np.arange(len(rows), dtype="int32")}, {"logits": weights})

    def _example(self, session: np.ndarray, at: int, random: np.random.Generator) -> tuple[np.ndarray, int]:
        """What is known, and the item."""
        if self.training.window:
            at += 1
            return session[max(0, at - self.training.window) : at], int(session[at])
        others = np.delete(session, at)
        most = self.model.config["history"]
        if len(others) > most:
            others = random.choice(others, most, replace=False)
        return others, int(session[at])
