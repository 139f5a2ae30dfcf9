"""What ``fit`` learns from: batches of pairs, and the loss on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from sixarts.batching import rows_bucket
from sixarts.training import Lesson
from sixarts_translation.marian_processor import padded


class Lessons(Sequence[Lesson]):
    """Batches of token rows, made when they are asked for."""

    def __init__(self, rows: Any, plan: Any, pad: int, start: int, batch_size: int) -> None:
        self.rows, self.plan, self.pad, self.start, self.batch_size = rows, plan, pad, start, batch_size

    def __len__(self) -> int:
        return len(self.plan)

    def __getitem__(self, place: Any) -> Lesson:
        length, indices = self.plan[place]
        sources = [self.rows[index][0] for index in indices]
        targets = [self.rows[index][1] for index in indices]
        # Rows are rounded up too, with weight 0, so that the last batches compile nothing new.
        empty: list[list[int]] = [[]] * (rows_bucket(len(indices), self.batch_size) - len(indices))
        sources, targets = [*sources, *[[self.pad]] * len(empty)], [*targets, *empty]
        return Lesson(
            {
                "input_ids": padded(sources, self.pad, length),
                "attention_mask": padded([[1] * len(row) for row in sources], 0, length),
                "decoder_input_ids": padded([[self.start, *row[:-1]] for row in targets], self.pad, length),
            },
            {"logits": padded(targets, self.pad, length)},
            {"logits": padded([[1] * len(row) for row in targets], 0, length).astype("float32")},
        )


class SmoothedCrossentropy(keras.losses.Loss):
    """Cross-entropy of token numbers ``[b, t]`` against logits ``[b, t, v]``, a weighted mean over tokens.

    Args:
        smoothing: share of each target's probability that is spread over the vocabulary
            (Szegedy et al. 2016, section 7).
    """

    def __init__(self, smoothing: float) -> None:
        super().__init__(name="crossentropy", reduction="mean_with_sample_weight")
        self.smoothing = smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        scores = ops.log_softmax(y_pred, axis=-1)
        places = ops.cast(y_true, "int32")[..., None]
        right = ops.take_along_axis(scores, places, axis=-1)[..., 0]
        return -(1 - self.smoothing) * right - self.smoothing * ops.mean(scores, axis=-1)
