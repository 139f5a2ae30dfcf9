"""What the two outputs of a detection network are held to: sums of what each candidate's weight makes of it.

Sources: Rezatofighi et al. 2019 (generalized overlap); Carion et al. 2020 (its sum with distances).
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


class Scores(keras.losses.Loss):  # type: ignore[misc]
    """Binary cross-entropy of each class with a soft target, summed over the classes."""

    def __init__(self) -> None:
        super().__init__(reduction="sum")

    def call(self, target: Any, logits: Any) -> Any:
        """``[b, n, classes]`` each: probabilities, logits."""
        each = ops.maximum(logits, 0) - logits * target + ops.softplus(-ops.abs(logits))
        return ops.sum(each, axis=-1)


class Classes(keras.losses.Loss):  # type: ignore[misc]
    """Cross-entropy of each candidate's one class, the last of which is none."""

    def __init__(self) -> None:
        super().__init__(reduction="sum")

    def call(self, target: Any, logits: Any) -> Any:
        """``[b, n]`` class numbers, and ``[b, n, classes]`` logits."""
        scores = ops.log_softmax(logits, axis=-1)
        return -ops.take_along_axis(scores, ops.cast(target, "int32")[..., None], axis=-1)[..., 0]


class Boxes(keras.losses.Loss):  # type: ignore[misc]
    """Generalized overlap, and where asked for the distance too.

    Args:
        distance: weight of the distance of centers and sides, as shares of the picture.
    """

    def __init__(self, distance: float) -> None:
        super().__init__(reduction="sum")
        self.distance = distance

    def call(self, target: Any, boxes: Any) -> Any:
        """``[b, n, 4]`` each: center x, center y, width, height."""
        loss = 2 * (1 - _generalized(target, boxes))
        return loss + self.distance * ops.sum(ops.abs(target - boxes), axis=-1) if self.distance else loss


def _generalized(a: Any, b: Any) -> Any:
    a_low, a_high = a[..., :2] - a[..., 2:] / 2, a[..., :2] + a[..., 2:] / 2
    b_low, b_high = b[..., :2] - b[..., 2:] / 2, b[..., :2] + b[..., 2:] / 2
    shared = _area(ops.maximum(a_low, b_low), ops.minimum(a_high, b_high))
    hull = _area(ops.minimum(a_low, b_low), ops.maximum(a_high, b_high)) + 1e-9
    union = _area(a_low, a_high) + _area(b_low, b_high) - shared + 1e-9
    return shared / union - (hull - union) / hull


def _area(low: Any, high: Any) -> Any:
    sides = ops.maximum(high - low, 0.0)
    return sides[..., 0] * sides[..., 1]
