"""Where the item that came next stands, over many histories, in constant memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sixarts.batching import Batch, rows_bucket
from sixarts.errors import InputError
from sixarts.progress import progress_bar
from sixarts.result import Metrics
from sixarts_recommendation import ranking_metrics
from sixarts_recommendation.ranking import best, rank_of
from sixarts_recommendation.sequences import Sequences

#: Histories that are answered together at least: nothing is shown meanwhile.
TOGETHER = 256


@dataclass(frozen=True)
class Trial:
    """What is to be foretold, and among what.

    Attributes:
        histories: of each the last item is foretold.
        known: how many items the model has; numbers from there on are of others.
        negatives: among how many drawn items the right one is ranked; among all of them where ``None``.
        seed: of those that are drawn.
    """

    histories: Sequences
    known: int
    negatives: int | None
    seed: int

    def protocol(self, options: Any) -> str:
        """How the figures are measured, in words."""
        among = (
            f"among all {self.known:,} items"
            if self.negatives is None
            else f"among {self.negatives} items drawn evenly from those not in the history, seed {self.seed}"
        )
        seen = "without" if options.exclude_seen else "with"
        return (
            f"rank of the one item that came next {among}, {seen} those of the history; ties by lower item "
            "number; an item or history never seen in training is a miss; bootstrap intervals over histories"
        )


def judged(task: Any, trial: Trial, options: Any, progress: bool | None) -> Metrics:
    """The figures; see ``NextItemTask.evaluate``."""
    ranks, shown, had = ranked(task, trial, options, progress)
    counts = task.model.processor.items.count_of_each()
    values = ranking_metrics.of_ranks(ranks, options.k, trial.seed)
    values[f"coverage@{options.k}"] = ranking_metrics.coverage(shown, trial.known, trial.seed)
    values[f"popularity@{options.k}"] = ranking_metrics.popularity(shown, had, counts, trial.seed)
    return Metrics(values, trial.protocol(options), len(ranks))


def ranked(
    task: Any, trial: Trial, options: Any, progress: bool | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rank of each right item, what is shown in its place ``[n, k]``, and the mean count of each history."""
    histories, known = trial.histories, trial.known
    count, k = len(histories), min(options.k, known)
    ranks = np.full(count, ranking_metrics.MISSED, "int64")
    shown = np.full((count, k), -1, "int64")
    had = np.zeros(count)
    counts = task.model.processor.items.count_of_each()
    refused = task.refused(options)
    # Like lengths share a batch, so that little is padded.
    order = np.argsort(histories.lengths, kind="stable")
    size = max(options.batch_size, TOGETHER)
    with progress_bar("evaluating", count, progress) as advance:
        for start in range(0, count, size):
            places = order[start : start + size]
            asked = []
            for place in places.tolist():
                whole = histories[place]
                if len(whole) < 2:
                    raise InputError(
                        "a history of one item; expected two or more, the last to be foretold", place
                    )
                history = whole[:-1]
                asked.append((place, history[history < known], int(whole[-1])))
            real = [each for each in asked if len(each[1])]
            if real:
                batch = Batch(task.model.asked([history for _, history, _ in real]))
                outputs = task.answer(batch.filled(rows_bucket(len(real), size)), options)["logits"]
                for row, (place, history, wanted) in zip(outputs, real, strict=False):
                    scores = row.copy()
                    scores[refused] = -np.inf
                    if options.exclude_seen:
                        scores[history] = -np.inf
                    top = best(scores, k)
                    shown[place, : len(top)] = top
                    had[place] = counts[history].mean()
                    if wanted < known and scores[wanted] > -np.inf:
                        ranks[place] = (
                            rank_of(scores, wanted)
                            if trial.negatives is None
                            else _rank_among(row, wanted, history, trial.negatives, [trial.seed, place])
                        )
            advance(len(places))
    return ranks, shown, had


def _rank_among(row: np.ndarray, wanted: int, history: np.ndarray, negatives: int, seed: Any) -> int:
    """The rank of an item among some that are drawn, with repeats, from those not in the history.

    Source: the protocol of Kang and McAuley 2018; here the right item is never one of those drawn.
    """
    random = np.random.default_rng(seed)
    taken = np.append(history, wanted)
    found = np.zeros(0, "int64")
    free = len(row) - len(np.unique(taken))
    while free and len(found) < negatives:
        drawn = random.integers(0, len(row), 2 * negatives)
        found = np.append(found, drawn[~np.isin(drawn, taken)])
    found = found[:negatives]
    own = row[wanted]
    return int((row[found] > own).sum() + ((row[found] == own) & (found < wanted)).sum()) + 1
