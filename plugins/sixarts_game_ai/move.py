"""The answer of ``game-strategy``: a move with all that the search says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sixarts.result import UNTOLD, Result
from sixarts_game_ai.searched import Proof, Searched, Tree


@dataclass(frozen=True)
class Move(Result):
    """The best move of a position.

    Attributes:
        action: the move in the input's notation: text, or a number where the input was a list of numbers.
        number: the action's number in OpenSpiel.
        notation: the move as OpenSpiel writes it.
        value: of the position for the player to move, in [-1, 1]: chance of a win minus that of a loss.
        wdl: chances of win, draw and loss.
        policy: share of each move in the search, the best one first.
        visits: how often the search tried each.
        values: of the position for the player to move, if each of the moves is played.
        variation: how the game goes on when both play best.
        proven: ``"win in 5"`` (plies, this move being the first), ``"draw"`` or ``"loss in 8"`` where the
            search proved it; else ``None``.
        proofs: the same for the other moves.
        simulations: positions that were looked at.
        game: the game's name.
        extras: what else the network says of the position, e.g. Go's score lead.
    """

    action: str | int
    number: int
    notation: str
    value: float
    wdl: tuple[float, float, float]
    policy: Mapping[str, float]
    visits: Mapping[str, int]
    values: Mapping[str, float]
    variation: tuple[str, ...]
    proven: str | None
    proofs: Mapping[str, str]
    simulations: int
    game: str
    extras: Mapping[str, float] = field(default_factory=dict)
    board: Any = field(default=None, repr=False, compare=False, metadata=UNTOLD)
    tree: Tree | None = field(default=None, repr=False, compare=False, metadata=UNTOLD)

    def __str__(self) -> str:
        win, draw, loss = self.wdl
        chances = self.proven or f"win {win:.0%}, draw {draw:.0%}, loss {loss:.0%}"
        ways = " ".join(self.variation[:12]) + (" …" if len(self.variation) > 12 else "")
        return f"{self.action} ({chances}; {self.simulations} simulations): {ways}"

    def plot(self) -> Any:
        """The board with the candidates on it, and beside it how the search divided its simulations."""
        from sixarts_game_ai.move_picture import move_figure

        return move_figure(self)

    def plot_tree(self, nodes: int = 40) -> Any:
        """The searched tree, its most visited ``nodes``."""
        from sixarts_game_ai.tree_picture import tree_figure

        return tree_figure(self, nodes)


#: Candidates that an answer lists; games such as chess have many more moves.
LISTED = 40


def move_of(found: Searched, action: int, numbers: bool, extras: Mapping[str, float]) -> Move:
    """What a search found as an answer.

    Args:
        found: by the search.
        action: what is played, by default its best.
        numbers: whether the input was a list of numbers.
        extras: what else the network says of the position.
    """
    position = found.position
    names = {int(each): position.notation(int(each)) for each in found.actions[:LISTED]}
    names.setdefault(action, position.notation(action))
    place = int(np.flatnonzero(found.actions == action)[0])
    best = place == 0
    shares = {name: round(float(found.policy[number]), 6) for number, name in names.items()}
    proof = found.proofs.get(action) if not best else found.proven or found.proofs.get(action)
    wdl = found.wdl if best else _guess(float(found.values[place]), float(found.wdl[1]))
    spelled = getattr(position, "spelled", position.notation)
    listed = list(zip(found.actions.tolist(), found.visits.tolist(), found.values.tolist(), strict=True))
    return Move(
        action=action if numbers else names[action],
        number=action,
        notation=spelled(action),
        value=round(float(wdl[0] - wdl[2]), 6),
        wdl=(round(float(wdl[0]), 6), round(float(wdl[1]), 6), round(float(wdl[2]), 6)),
        policy=shares,
        visits={names[number]: count for number, count, _ in listed if number in names},
        values={names[number]: round(value, 6) for number, _, value in listed if number in names},
        variation=_written(position, found.variation if best else (action,)),
        proven=str(proof) if proof is not None else None,
        proofs={names[number]: str(each) for number, each in found.proofs.items() if number in names},
        simulations=found.simulations,
        game=position.game,
        extras=extras,
        board=position,
        tree=found.tree,
    )


def _guess(value: float, draw: float) -> np.ndarray:
    """Win, draw and loss of a move that is not the best, whose draws nobody counted."""
    draw = min(draw, 1 - abs(value))
    return np.array([(1 - draw + value) / 2, draw, (1 - draw - value) / 2])


def _written(position: Any, actions: tuple[int, ...]) -> tuple[str, ...]:
    found = []
    for action in actions:
        found.append(position.notation(action))
        position = position.play(action)
    return tuple(found)


__all__ = ["Move", "Proof", "move_of"]
