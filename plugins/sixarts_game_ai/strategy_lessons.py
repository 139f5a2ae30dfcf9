"""Batches of labeled positions for a network of the ``alphazero`` kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sixarts.batching import rows_bucket
from sixarts.training import Lesson
from sixarts_game_ai.strategy_targets import Target


def lessons(
    processor: Any, positions: Sequence[Any], targets: Sequence[Target], training: Any, epoch: int
) -> list[Lesson]:
    """Shuffled batches of one epoch.

    Where the best move or the value of a position is not known, that output learns nothing from it.
    """
    random = np.random.default_rng([training.seed, epoch])
    order = random.permutation(len(positions))
    size = training.batch_size
    return [
        _lesson(processor, [positions[i] for i in rows], [targets[i] for i in rows], training, random)
        for rows in (order[start : start + size] for start in range(0, len(order), size))
    ]


def _lesson(
    processor: Any, positions: Sequence[Any], targets: Sequence[Target], training: Any, random: Any
) -> Lesson:
    count = rows_bucket(len(positions), training.batch_size)
    planes = np.zeros((count, *processor.shape), "float32")
    planes[: len(positions)] = processor.arrays(positions)["planes"]
    policy = np.full((count, processor.actions), 1 / processor.actions, "float32")
    wdl = np.full((count, 3), 1 / 3, "float32")
    value = np.zeros(count, "float32")
    weights = {name: np.zeros(count, "float32") for name in ("policy", "wdl", "value")}
    for row, target in enumerate(targets):
        if target.best:
            policy[row] = 0
            policy[row, list(target.best)] = 1 / len(target.best)
            weights["policy"][row] = 1
        if target.value is not None:
            win, loss = max(target.value, 0.0), max(-target.value, 0.0)
            wdl[row] = win, 1 - win - loss, loss
            value[row] = target.value
            weights["wdl"][row] = weights["value"][row] = 1
    if training.mirror:
        turned = random.random(count) < 0.5
        planes[turned] = planes[turned, :, ::-1]
        policy[turned] = processor.mirrored(policy[turned])
    return Lesson({"planes": planes}, {"policy": policy, "wdl": wdl, "value": value}, weights)
