"""Sets of labels that hold the right one in a stated share of cases: split conformal prediction.

Sources: Vovk, Gammerman and Shafer 2005; Sadinle, Lei and Wasserman 2019 (least ambiguous sets, and one
threshold a class); Angelopoulos and Bates 2021 ("A Gentle Introduction to Conformal Prediction", section 1).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

#: Share of cases whose set holds the right label, where nobody states another.
COVERAGE = 0.9


def quantile(scores: np.ndarray, coverage: float) -> float:
    """The conformal quantile: the ``⌈(n + 1) coverage⌉``-th smallest score.

    A new score of the same kind lies at or below it with a probability of ``coverage`` at least. It is
    infinite where ``n`` is too small to say so.

    >>> quantile(np.arange(1, 10), 0.9), quantile(np.arange(1, 9), 0.9)
    (9.0, inf)
    """
    place = math.ceil((len(scores) + 1) * coverage)
    return float(np.sort(np.asarray(scores, "float64"))[place - 1]) if place <= len(scores) else math.inf


def threshold(chances: np.ndarray, classes: np.ndarray, coverage: float) -> list[float]:
    """How unlikely each label may be and still be in the set: one limit for all labels.

    The stated coverage holds over all cases together.

    Args:
        chances: probabilities ``[n, labels]`` of cases that the network has not learned from.
        classes: the number of the right label of each.
        coverage: share of sets that hold the right label.

    Returns:
        Of each label the largest ``1 - probability`` of a set's members.
    """
    own = 1 - np.asarray(chances)[np.arange(len(classes)), classes]
    return [min(quantile(own, coverage), 1.0)] * np.shape(chances)[-1]


def thresholds_by_class(chances: np.ndarray, classes: np.ndarray, coverage: float) -> list[float]:
    """The same with a limit of its own for each label, so that the coverage holds among the cases of each.

    A disease that is rare is then covered as well as its absence; sets are larger.
    """
    own = 1 - np.asarray(chances)[np.arange(len(classes)), classes]
    return [min(quantile(own[classes == label], coverage), 1.0) for label in range(np.shape(chances)[-1])]


def prediction_sets(chances: np.ndarray, thresholds: Sequence[float]) -> np.ndarray:
    """Which labels are in the set of each case, ``[n, labels]`` of truth values.

    The likeliest label always is: a set that says nothing helps nobody, and coverage only grows.

    >>> prediction_sets(np.array([[0.95, 0.05], [0.6, 0.4]]), [0.7, 0.7]).tolist()
    [[True, False], [True, True]]
    """
    chances = np.asarray(chances)
    found = 1 - chances <= np.asarray(thresholds)
    found[np.arange(len(chances)), chances.argmax(axis=-1)] = True
    return np.asarray(found)
