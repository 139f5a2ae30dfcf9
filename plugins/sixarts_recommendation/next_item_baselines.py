"""What a next-item model is held against, measured as it is: what is popular, what goes together."""

from __future__ import annotations

from typing import Any

import numpy as np

from sixarts.result import Metrics
from sixarts_recommendation import ranking_metrics
from sixarts_recommendation.ranking import rank_of
from sixarts_recommendation.sequences import Sequences, gathered


class Popularity:
    """Ranks by how often an item occurs in what is learned."""

    def __init__(self, learned: Sequences, items: int) -> None:
        self.counts = learned.popularity(items).astype("float64")

    def scores(self, history: np.ndarray) -> np.ndarray:
        return self.counts.copy()


class LastItem(Popularity):
    """Ranks by how often an item came right after the history's last one, then by popularity."""

    def __init__(self, learned: Sequences, items: int) -> None:
        from scipy import sparse

        super().__init__(learned, items)
        taken, owner = gathered(learned.items, learned.starts, learned.stops)
        after = owner[1:] == owner[:-1]
        one = np.ones(int(after.sum()))
        self.after = sparse.csr_matrix((one, (taken[:-1][after], taken[1:][after])), shape=(items, items))

    def scores(self, history: np.ndarray) -> np.ndarray:
        found = self.counts / (1 + self.counts.sum())
        row = self.after[int(history[-1])]
        found[row.indices] += row.data
        return found


class Together(Popularity):
    """Ranks by the mean cosine of an item with those of the history, by the baskets that they share."""

    def __init__(self, learned: Sequences, items: int) -> None:
        super().__init__(learned, items)
        from scipy import sparse

        taken, owner = gathered(learned.items, learned.starts, learned.stops)
        has = sparse.csr_matrix((np.ones(len(taken)), (owner, taken)), shape=(len(learned), items))
        has.data[:] = 1
        shared = (has.T @ has).toarray()
        norm = np.sqrt(np.maximum(np.diag(shared), 1))
        self.cosine = shared / norm / norm[:, None]

    def scores(self, history: np.ndarray) -> np.ndarray:
        return np.asarray(self.cosine[history].mean(axis=0) + 1e-9 * self.counts)


def measured(baseline: Any, judged: Sequences, k: int, exclude_seen: bool) -> Metrics:
    """Hit rate, NDCG and MRR, by the protocol of ``NextItemTask.evaluate`` over all items."""
    ranks = np.empty(len(judged), "int64")
    for place, whole in enumerate(judged):
        history, wanted = whole[:-1], int(whole[-1])
        # Numbers beyond the scores are of items that were never learned.
        history = history[history < len(baseline.counts)]
        scores = baseline.scores(history)
        if exclude_seen:
            scores[history] = -np.inf
        there = wanted < len(scores) and scores[wanted] > -np.inf
        ranks[place] = rank_of(scores, wanted) if there else ranking_metrics.MISSED
    return Metrics(ranking_metrics.of_ranks(ranks, k), "full ranking, ties by lower item number", len(ranks))
