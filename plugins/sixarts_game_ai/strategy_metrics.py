"""How good moves are, against positions whose best move or value is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sixarts.classification import wilson
from sixarts.errors import TrainingError
from sixarts.result import Metric, Metrics
from sixarts_game_ai.strategy_targets import Target


def measured(moves: Sequence[Any], targets: Sequence[Target], options: Any) -> Metrics:
    """Shares of positions with 95 % intervals (Wilson 1927).

    ``best``: the move is one of the best. ``kept``: it keeps the position's value, where the scores of all
    moves are known. ``value``: win, draw or loss are told rightly, where the value is known.
    """
    found: dict[str, list[bool]] = {}
    for move, target in zip(moves, targets, strict=True):
        if target.best:
            found.setdefault("best", []).append(move.number in target.best)
        if target.scores:
            high = max(target.scores.values())
            own = target.scores.get(move.number, -np.inf)
            found.setdefault("kept", []).append(bool(np.sign(own) == np.sign(high)))
        if target.value is not None:
            told = int(np.argmax(move.wdl))
            found.setdefault("value", []).append(told == 1 - round(target.value))
    if not found:
        raise TrainingError("no target tells a best move, a value or scores; expected at least one of them")
    figures = {
        name: Metric(sum(right) / len(right), *wilson(sum(right), len(right)))
        for name, right in found.items()
    }
    counts = ", ".join(f"{name} {len(right)}" for name, right in found.items())
    budget = f"{options.simulations} simulations" + (
        f", at most {options.seconds} s" if options.seconds else ""
    )
    return Metrics(figures, f"search of {budget} a move; positions: {counts}; Wilson intervals", len(moves))
