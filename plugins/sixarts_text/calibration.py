"""Whether probabilities mean what they say, and what makes them (Guo et al. 2017)."""

from __future__ import annotations

import numpy as np

#: Bins of the expected calibration error.
BINS = 15


def calibration_error(chances: np.ndarray, classes: np.ndarray, bins: int = BINS) -> float:
    """The expected calibration error: how far confidence and accuracy lie apart, in bins of confidence.

    Args:
        chances: probabilities ``[n, classes]``.
        classes: the right class of each.
        bins: of equal width, over the probability of the likeliest class.

    >>> calibration_error(np.array([[0.9, 0.1], [0.9, 0.1]]), np.array([0, 1])).__round__(3)
    0.4
    """
    sure, right = chances.max(axis=1), chances.argmax(axis=1) == classes
    which = np.minimum((sure * bins).astype(int), bins - 1)
    return float(
        sum(
            abs(float(sure[which == place].mean()) - float(right[which == place].mean()))
            * float((which == place).mean())
            for place in np.unique(which)
        )
    )


def temperature(logits: np.ndarray, classes: np.ndarray) -> float:
    """What logits are to be divided by, so that the right classes are likeliest as a whole.

    Args:
        logits: ``[n, classes]``, of examples that the model has not learned from.
        classes: the right class of each.
    """
    from scipy.optimize import minimize_scalar

    def loss(log: float) -> float:
        scaled = logits * np.exp(-log)
        scaled = scaled - scaled.max(axis=1, keepdims=True)
        scores = scaled - np.log(np.exp(scaled).sum(axis=1, keepdims=True))
        return -float(scores[np.arange(len(classes)), classes].mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-4, 4), method="bounded").x))
