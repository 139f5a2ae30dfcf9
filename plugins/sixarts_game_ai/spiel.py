"""OpenSpiel's states as positions, with moves in the notation that a game is written in."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from sixarts_game_ai.rules import illegal

#: Games whose state is all that their board and the player to move tell.
_MARKOV = frozenset(
    ("breakthrough", "clobber", "connect_four", "gomoku", "havannah", "hex", "lines_of_action", "mnk", "nim")
) | {"othello", "pentago", "tic_tac_toe", "y"}
#: Most moves that are looked through for one that wins at once.
_LOOKED = 40
#: Games that are written by the number of a cell, from 1, row by row.
_CELLS = frozenset(("tic_tac_toe",))


class SpielPosition:
    """A position of any game of OpenSpiel; see :class:`sixarts_game_ai.rules.Position`.

    Args:
        state: OpenSpiel's; it is never changed.
        game: the game's name in our spelling.
    """

    __slots__ = ("_history", "_legal", "actions", "finished", "game", "player", "state")

    def __init__(self, state: Any, game: str) -> None:
        self.state, self.game = state, game
        self.actions = state.num_distinct_actions()
        self.finished = state.is_terminal()
        self.player = 0 if self.finished else state.current_player()
        self._history: tuple[int, ...] | None = None
        self._legal: list[int] | None = None

    @property
    def history(self) -> tuple[int, ...]:
        if self._history is None:
            self._history = tuple(self.state.history())
        return self._history

    @property
    def name(self) -> str:
        """The game's name without its parameters."""
        return self.game.partition("(")[0]

    def moves(self) -> list[int]:
        """Legal actions."""
        if self._legal is None:
            self._legal = [] if self.finished else self.state.legal_actions()
        return self._legal

    def legal(self) -> np.ndarray:
        found = np.zeros(self.actions, bool)
        found[self.moves()] = True
        return found

    def play(self, action: int) -> SpielPosition:
        # OpenSpiel itself prints what it refuses, and lets some of it pass.
        if action not in self.moves():
            raise illegal(action, self)
        return SpielPosition(self.state.child(action), self.game)

    def winning(self) -> int | None:
        """A move that wins at once, in games where looking costs little."""
        if self.name not in _MARKOV or len(self.moves()) > _LOOKED:
            return None
        for action in self.moves():
            after = self.state.child(action)
            if after.is_terminal() and after.player_return(self.player) > 0:
                return action
        return None

    def value(self) -> float:
        return float(np.sign(self.state.returns()[0]))

    def key(self) -> Hashable | None:
        return (self.player, str(self.state)) if self.name in _MARKOV else None

    def notation(self, action: int) -> str:
        if self.name in _CELLS:
            return str(action + 1)
        if self.name == "chess":
            return self._lan(action)
        return self.spelled(action)

    def spelled(self, action: int) -> str:
        """An action as OpenSpiel writes it."""
        return str(self.state.action_to_string(self.player, action))

    def _lan(self, action: int) -> str:
        import pyspiel

        board = self.state.board()
        return str(pyspiel.chess.action_to_move(action, board).to_lan())

    def parse(self, text: str) -> int:
        wanted = text.strip()
        spelled = {self.notation(action): action for action in self.moves()}
        if wanted in spelled:
            return spelled[wanted]
        player = self.player
        if not self.finished:
            spelled = {self.state.action_to_string(player, action): action for action in self.moves()}
        for word in (wanted, wanted.rstrip("+#!?")):
            found = [action for name, action in spelled.items() if name.rstrip("+#") == word or name == word]
            if len(found) == 1:
                return found[0]
        lower = [action for name, action in spelled.items() if name.lower() == wanted.lower()]
        if len(lower) == 1:
            return lower[0]
        raise illegal(text, self)

    def picture(self) -> Mapping[str, Any]:
        if self.name in ("tic_tac_toe", "mnk"):
            grid = [["" if cell == "." else cell for cell in row] for row in str(self.state).split()]
            columns = len(grid[0])
            points = {action: divmod(action, columns) for action in self.moves()}
            return {"grid": grid, "points": points, "style": "marks"}
        return {"grid": [[line] for line in str(self.state).splitlines()], "points": {}, "style": "text"}

    def __str__(self) -> str:
        return str(self.state).strip()

    @staticmethod
    def observations(positions: Sequence[SpielPosition]) -> np.ndarray:
        """OpenSpiel's planes, and who is to move, ``[b, rows, columns, planes + 1]``.

        A tensor that is no board of planes becomes planes of a single cell.
        """
        shape = positions[0].state.get_game().observation_tensor_shape()
        tensors = np.array([position.state.observation_tensor(0) for position in positions], "float32")
        if len(shape) == 3:
            planes = np.moveaxis(tensors.reshape(-1, *shape), 1, -1)
        else:
            planes = tensors.reshape(len(positions), 1, 1, -1)
        player = np.array([position.player for position in positions], "float32")[:, None, None, None]
        return np.concatenate([planes, np.broadcast_to(player, (*planes.shape[:3], 1))], axis=-1)
