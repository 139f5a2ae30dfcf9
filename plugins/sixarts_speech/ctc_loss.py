"""The loss of connectionist temporal classification, over rows of unlike lengths.

Source: Graves et al. 2006.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops


class CTCLoss(keras.losses.Loss):  # type: ignore[misc]
    """Minus the logarithm of a text's probability, per token of it, a weighted mean over rows.

    Targets are made by :func:`targets`: how many frames and tokens count, then the tokens.

    Args:
        blank: the number of the token that says nothing.
    """

    def __init__(self, blank: int = 0) -> None:
        super().__init__(name="ctc", reduction="mean_with_sample_weight")
        self.blank = blank

    def call(self, y_true: Any, y_pred: Any) -> Any:
        y_true = ops.cast(y_true, "int32")
        frames, count, tokens = y_true[:, 0], y_true[:, 1], y_true[:, 2:]
        scores = ops.cast(y_pred, "float32")
        if self.blank:
            # The backends have it first.
            scores = ops.concatenate(
                [
                    scores[..., self.blank : self.blank + 1],
                    scores[..., : self.blank],
                    scores[..., self.blank + 1 :],
                ],
                axis=-1,
            )
            tokens = ops.where(tokens < self.blank, tokens + 1, tokens)
        # Behind the end stand zeros, which no count includes.
        places = ops.arange(ops.shape(tokens)[1])[None, :]
        tokens = ops.where(places < count[:, None], tokens, ops.zeros_like(tokens))
        loss = ops.ctc_loss(tokens, scores, count, frames, mask_index=0)
        return loss / ops.cast(ops.maximum(count, 1), loss.dtype)


def targets(texts: Sequence[Sequence[int]], frames: Sequence[int], size: int) -> np.ndarray:
    """What :class:`CTCLoss` takes: ``[b, 2 + size]``."""
    found = np.zeros((len(texts), 2 + size), "int32")
    for row, (text, count) in enumerate(zip(texts, frames, strict=True)):
        found[row, :2] = count, len(text)
        found[row, 2 : 2 + len(text)] = text
    return found


def frames_needed(text: Sequence[int]) -> int:
    """Frames without which a text has no path: one a token, and a blank between two that are alike.

    >>> frames_needed([3, 3, 4])
    4
    """
    return len(text) + sum(one == other for one, other in itertools.pairwise(text))
