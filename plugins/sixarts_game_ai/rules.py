"""What a position of a board game is to the search, to networks and to pictures.

A position never changes: a move makes a new one. OpenSpiel's states, our own bitboards and Go's rules all
offer this, and nothing here knows which of them it is.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from sixarts.errors import InputError

#: Who a result is given for: +1 for player 0, -1 for player 1.
SIGNS = (1, -1)


class Position(Protocol):
    """A position of a game of two players who see everything.

    Attributes:
        game: the game with its parameters; positions are searched together only where it is equal.
        actions: size of the policy.
        player: who is to move, 0 or 1.
        history: actions since the start.
        finished: whether the game is over.

    A game may tell more, for what asks for it: ``draws = False`` where it knows none; ``winning()``, a move
    that wins at once; ``safe()``, the moves after which the other does not, once none wins; ``mirror``, each
    action where left and right are swapped; ``spelled(action)``, OpenSpiel's own string.
    """

    @property
    def game(self) -> str: ...
    @property
    def actions(self) -> int: ...
    @property
    def player(self) -> int: ...
    @property
    def history(self) -> tuple[int, ...]: ...
    @property
    def finished(self) -> bool: ...

    def legal(self) -> NDArray[np.bool_]:
        """Which actions may be played, ``[actions]``; none in a finished position."""
        ...

    def play(self, action: int) -> Self:
        """The position after an action.

        Raises:
            InputError: an illegal action, named with the position.
        """
        ...

    def value(self) -> float:
        """The result of a finished game for player 0: 1, 0 or -1."""
        ...

    def key(self) -> Hashable | None:
        """Equal keys are of equal positions, which share what a search learned; ``None`` is like no other."""
        ...

    def notation(self, action: int) -> str:
        """An action as people write it."""
        ...

    def parse(self, text: str) -> int:
        """The action that people write so.

        Raises:
            InputError: no legal action is written so.
        """
        ...

    def picture(self) -> Mapping[str, Any]:
        """What plots draw: ``grid`` (rows of ``"x"``, ``"o"``, ``""`` or other words), ``points`` (action to
        its row and column, where it has one), ``style`` (``"stones"``, ``"marks"`` or ``"text"``), and where
        planes have the lowest row first ``bottom_first``."""
        ...


def winning(position: Position) -> int | None:
    """A move that wins at once, where the game's rules tell one."""
    wins = getattr(position, "winning", None)
    return wins() if wins is not None else None


def illegal(action: int | str, position: Position) -> InputError:
    """The error for an action that a position does not allow."""
    if position.finished:
        return InputError(
            f"the action {action!r} in a finished game of {position.game}:\n{position}\nexpected a position "
            "that is not over"
        )
    legal = [position.notation(each) for each in np.flatnonzero(position.legal())]
    shown = ", ".join(legal[:40]) + (", …" if len(legal) > 40 else "")
    return InputError(
        f"the action {action!r} is illegal in this position of {position.game}:\n{position}\n"
        f"expected one of {shown}"
    )
