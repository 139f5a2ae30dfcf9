"""How good probabilities are: AUC, log loss, accuracy and calibration, with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sixarts.errors import InputError, MissingExtra
from sixarts.result import Metric, Metrics

#: Bins of the expected calibration error.
BINS = 15
#: Samples of the bootstrap, and its seed.
DRAWS, SEED = 300, 0
PROTOCOL = (
    "scikit-learn's roc_auc_score and log_loss; accuracy at the threshold; expected calibration error of the "
    f"positive outcome in {BINS} bins of equal width; 95 % percentile bootstrap over records, {DRAWS} draws"
)


def probability_metrics(chances: np.ndarray, outcomes: np.ndarray, threshold: float = 0.5) -> Metrics:
    """The metrics of probabilities ``[n]`` against outcomes ``[n]`` of 0 and 1.

    Raises:
        InputError: all outcomes are the same, for which AUC is not defined.
        MissingExtra: scikit-learn is not installed.
    """
    try:
        from sklearn.metrics import log_loss, roc_auc_score
    except ImportError:
        raise MissingExtra("these metrics need scikit-learn; pip install 'sixarts[recommendation]'") from None
    if len(np.unique(outcomes)) < 2:
        raise InputError("examples of one outcome alone; expected both, since AUC compares them")
    figures: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
        "auc": lambda p, y: float(roc_auc_score(y, p)),
        "log_loss": lambda p, y: float(log_loss(y, p, labels=[0, 1])),
        "accuracy": lambda p, y: float(((p >= threshold) == y).mean()),
        "ece": calibration_error,
    }
    random = np.random.default_rng(SEED)
    drawn: dict[str, list[float]] = {name: [] for name in figures}
    for _ in range(DRAWS):
        rows = random.integers(0, len(outcomes), len(outcomes))
        if len(np.unique(outcomes[rows])) == 2:
            for name, figure in figures.items():
                drawn[name].append(figure(chances[rows], outcomes[rows]))
    found = {}
    for name, figure in figures.items():
        value = figure(chances, outcomes)
        low, high = np.quantile(drawn[name] or [value], (0.025, 0.975))
        # Drawn samples repeat records and are less even: the interval is widened to hold the figure.
        found[name] = Metric(value, min(float(low), value), max(float(high), value))
    return Metrics(found, PROTOCOL, len(outcomes))


def calibration_error(chances: np.ndarray, outcomes: np.ndarray, bins: int = BINS) -> float:
    """How far the mean probability and the share of positives lie apart, over bins of the probability.

    >>> calibration_error(np.array([0.2, 0.2, 0.8, 0.8]), np.array([0, 1, 1, 1])).__round__(3)
    0.25
    """
    which = np.minimum((np.asarray(chances) * bins).astype(int), bins - 1)
    counts = np.bincount(which, minlength=bins)
    gaps = np.bincount(which, chances, bins) - np.bincount(which, outcomes, bins)
    return float(np.abs(gaps)[counts > 0].sum() / len(chances))
