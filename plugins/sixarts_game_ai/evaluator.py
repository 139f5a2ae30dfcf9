"""A model as the search asks it: positions in, an evaluation out, in batches of few sizes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from sixarts.batching import Batch, bucket
from sixarts_game_ai.evaluation import Evaluation

#: Sizes of batches, each compiled once; of large ones two to an octave, so that little only fills them up.
SIZES = (1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)


def evaluator(model: Any, rows: int, fixed: bool = False) -> Callable[[Sequence[Any]], Evaluation]:
    """What :func:`~sixarts_game_ai.search.search` calls.

    Args:
        model: of signature ``board -> policy, value``.
        rows: positions in a batch, at most.
        fixed: whether every batch is filled up to ``rows``, so that there is one size; else to the next of
            :data:`SIZES`.
    """

    def evaluate(positions: Sequence[Any]) -> Evaluation:
        parts = []
        for start in range(0, len(positions), rows):
            chunk = positions[start : start + rows]
            size = rows if fixed else min(bucket(len(chunk), (*SIZES, rows)), rows)
            arrays = Batch(model.processor.arrays(chunk)).filled(size).arrays
            outputs = {name: array[: len(chunk)] for name, array in model(arrays).items()}
            parts.append(model.processor.read(outputs, chunk))
        return parts[0] if len(parts) == 1 else _joined(parts)

    return evaluate


def _joined(parts: Sequence[Evaluation]) -> Evaluation:
    def rows(name: str) -> np.ndarray:
        return np.concatenate([getattr(part, name) for part in parts])

    extras = {name: np.concatenate([part.extras[name] for part in parts]) for name in parts[0].extras}
    return Evaluation(rows("policy"), rows("value"), rows("wdl"), extras)
