"""Losses of next-item networks: over all items, or over a few that are drawn."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


class GeneralizedBCE(keras.losses.Loss):  # type: ignore[misc]
    """Binary cross-entropy of one item that came next against some that did not.

    Few negatives make a network too sure of itself; the power that the positive's probability is raised to
    undoes it. Source: Petrov and Macdonald 2023 ("gSASRec: Reducing Overconfidence in Sequential
    Recommendation Trained with Negative Sampling").

    Args:
        share: of all items that are drawn.
        calibration: 0 for plain cross-entropy, 1 for calibrated probabilities; ``t`` in the paper.
    """

    def __init__(self, share: float, calibration: float) -> None:
        super().__init__(name="gbce", reduction="mean_with_sample_weight")
        self.beta = share * (calibration * (1 - 1 / share) + 1 / share)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Scores ``[m, 1 + negatives]``, the right item's first, to ``[m]``."""
        right = self.beta * ops.softplus(-y_pred[:, 0])
        wrong = ops.sum(ops.softplus(y_pred[:, 1:]), axis=-1)
        return right + wrong
