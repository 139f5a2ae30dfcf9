"""Losses that tasks of several plugins share."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


class SmoothedCrossentropy(keras.losses.Loss):  # type: ignore[misc]
    """Cross-entropy of class numbers ``[...]`` against logits ``[..., classes]``, a weighted mean.

    Args:
        smoothing: share of each target's probability that is spread over the classes
            (Szegedy et al. 2016, section 7).
    """

    def __init__(self, smoothing: float = 0.0) -> None:
        super().__init__(name="crossentropy", reduction="mean_with_sample_weight")
        self.smoothing = smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        scores = ops.log_softmax(y_pred, axis=-1)
        places = ops.cast(y_true, "int32")[..., None]
        right = ops.take_along_axis(scores, places, axis=-1)[..., 0]
        return -(1 - self.smoothing) * right - self.smoothing * ops.mean(scores, axis=-1)
