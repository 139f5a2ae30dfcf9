"""What ``fit`` learns from: batches of pairs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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
