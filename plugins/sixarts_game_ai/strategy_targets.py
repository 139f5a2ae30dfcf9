"""What examples say of positions: the best move, the value, or the score of every move."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from sixarts.errors import InputError

_EXPECTED = (
    "a move, a list of equally good moves, a value from -1 to 1, or a mapping with 'best', 'value' or "
    "'scores' (move to its score; larger is better, its sign tells win, draw or loss)"
)


class Target(NamedTuple):
    """What is known of a position, for the player to move.

    Attributes:
        best: equally good actions; empty where unknown.
        value: in [-1, 1]; ``None`` where unknown.
        scores: action to its score; empty where unknown.
    """

    best: tuple[int, ...]
    value: float | None
    scores: Mapping[int, float]


def read_target(x: Any, position: Any) -> Target:
    """The target that a person gives.

    Raises:
        InputError: nothing of that, or a move that is illegal in the position.
    """
    if isinstance(x, Mapping):
        unknown = set(x) - {"best", "value", "scores"}
        if unknown or not x:
            raise InputError(f"a target with {', '.join(map(repr, x)) or 'nothing'}; expected {_EXPECTED}")
        scores = x.get("scores", {})
        if not isinstance(scores, Mapping):
            raise InputError(f"scores={scores!r}; expected a mapping of moves to numbers")
        told = {_action(move, position): _number(score) for move, score in scores.items()}
        best = _moves(x["best"], position) if "best" in x else ()
        value = _value(x["value"]) if "value" in x else None
        if told:
            high = max(told.values())
            best = best or tuple(move for move, score in told.items() if score == high)
            value = float(np.sign(high)) if value is None else value
        return Target(best, value, told)
    if isinstance(x, float) and not isinstance(x, bool):
        return Target((), _value(x), {})
    if isinstance(x, str | int | list | tuple | np.integer) and not isinstance(x, bool):
        return Target(_moves(x, position), None, {})
    raise InputError(f"the target {x!r} of type {type(x).__name__}; expected {_EXPECTED}")


def _moves(x: Any, position: Any) -> tuple[int, ...]:
    found = tuple(_action(move, position) for move in (x if isinstance(x, list | tuple) else [x]))
    if not found:
        raise InputError(f"no best move came; expected {_EXPECTED}")
    return found


def _action(move: Any, position: Any) -> int:
    if isinstance(move, str):
        return int(position.parse(move))
    if isinstance(move, int | np.integer) and not isinstance(move, bool):
        position.play(int(move))
        return int(move)
    raise InputError(f"the move {move!r} of type {type(move).__name__}; expected text, or an action's number")


def _number(x: Any) -> float:
    if isinstance(x, int | float | np.number) and not isinstance(x, bool) and np.isfinite(x):
        return float(x)
    raise InputError(f"the score {x!r}; expected a number")


def _value(x: Any) -> float:
    value = _number(x)
    if not -1 <= value <= 1:
        raise InputError(f"the value {x!r}; expected -1 (lost) to 1 (won) for the player to move")
    return value
