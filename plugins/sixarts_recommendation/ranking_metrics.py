"""Figures of rankings: hit rate, NDCG, MRR, coverage, popularity, with bootstrap intervals.

One right item a ranking, as when the next item is held out: then the hit rate is recall, and NDCG is
``1 / log2(1 + rank)`` within the cut (Järvelin and Kekäläinen 2002; He et al. 2017 for this use).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sixarts.result import Metric

#: Resamples of an interval, and of one that counts distinct items, which is slower.
RESAMPLES, FEW = 1000, 200
#: A rank that is beyond every cut.
MISSED = np.iinfo("int32").max


def of_ranks(ranks: np.ndarray, k: int, seed: int = 0) -> dict[str, Metric]:
    """Hit rate and NDCG at ``k``, and the mean reciprocal rank over the whole ranking.

    Args:
        ranks: where the right item stands in each ranking, from 1; :data:`MISSED` where it is not there.
        k: the cut.
        seed: of the resamples.

    >>> {name: round(metric.value, 3) for name, metric in of_ranks(np.array([1, 2, 30]), 10).items()}
    {'hr@10': 0.667, 'ndcg@10': 0.544, 'mrr': 0.511}
    """
    ranks = np.asarray(ranks, "float64")
    inside = ranks <= k
    each = {
        f"hr@{k}": inside.astype("float64"),
        f"ndcg@{k}": np.where(inside, 1 / np.log2(1 + ranks), 0.0),
        "mrr": np.where(ranks < MISSED, 1 / ranks, 0.0),
    }
    return means(each, seed)


def means(each: Mapping[str, np.ndarray], seed: int = 0) -> dict[str, Metric]:
    """Means of some values for each ranking, with 95 % intervals over resampled rankings.

    Args:
        each: name to ``[n]``; all of one length.
    """
    count = len(next(iter(each.values())))
    random = np.random.default_rng(seed)
    values = np.stack([np.asarray(value, "float64") for value in each.values()], axis=1)
    drawn = np.empty((RESAMPLES, len(each)))
    for row in range(RESAMPLES):
        # How often each ranking is drawn is all that a mean needs.
        drawn[row] = np.bincount(random.integers(0, count, count), minlength=count) @ values / count
    return {
        name: interval(float(values[:, place].mean()), drawn[:, place]) for place, name in enumerate(each)
    }


def interval(value: float, drawn: np.ndarray) -> Metric:
    """A figure with the middle 95 % of its resamples, widened to hold the figure itself.

    Fewer different rankings are in a resample than in the data, so that what counts distinct items is lower
    in all of them.
    """
    low, high = np.quantile(drawn, (0.025, 0.975))
    return Metric(value, min(float(low), value), max(float(high), value))


def coverage(shown: np.ndarray, items: int, seed: int = 0) -> Metric:
    """The share of the catalog that is shown to anybody.

    Args:
        shown: item numbers ``[n, k]``; -1 where a ranking is shorter.
        items: how many there are.

    >>> coverage(np.array([[0, 1], [1, -1]]), 4).value
    0.5
    """
    random = np.random.default_rng(seed)

    def share(rows: np.ndarray) -> float:
        seen = np.zeros(items + 1, bool)
        seen[rows.ravel()] = True  # -1 is the last
        return float(seen[:items].mean())

    drawn = [share(shown[random.integers(0, len(shown), len(shown))]) for _ in range(FEW)]
    return interval(share(shown), np.array(drawn))


def popularity(shown: np.ndarray, had: np.ndarray, counts: np.ndarray, seed: int = 0) -> Metric:
    """How much more popular what is shown is than what people had: 1 is as popular, 2 twice as popular.

    Args:
        shown: item numbers ``[n, k]``; -1 where a ranking is shorter.
        had: mean count of the items of each history, ``[n]``.
        counts: how often each item was chosen in training, ``[items]``.

    Source: popularity lift plus 1 (Abdollahpouri et al. 2019, "The Unfairness of Popularity Bias in
    Recommendation").
    """
    there = shown >= 0
    own = np.where(there, counts[np.maximum(shown, 0)], 0).sum(axis=1) / np.maximum(there.sum(axis=1), 1)
    random = np.random.default_rng(seed)
    low = 1e-12
    drawn = []
    for _ in range(RESAMPLES):
        rows = random.integers(0, len(own), len(own))
        drawn.append(own[rows].sum() / max(had[rows].sum(), low))
    return interval(float(own.sum() / max(had.sum(), low)), np.array(drawn))
