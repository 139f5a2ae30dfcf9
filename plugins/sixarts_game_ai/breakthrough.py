"""Breakthrough on bitboards, quick enough for self-play; OpenSpiel's rules are the authority.

Pieces go one row ahead, straight onto an empty cell or aslant onto an empty or an enemy's one; who reaches
the far row, or takes the last piece, wins. A draw is not possible.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from sixarts_game_ai.rules import illegal


class _Board(NamedTuple):
    """What a size of board is made of; cells are numbered row by row from the top, black's side.

    Attributes:
        steps: for each player and cell: action (quiet), action (taking), cell that it leads to, and whether
            it goes straight ahead.
        goals: cells that each player wants to reach.
        near: cells a row before them.
        moves: action to the cells that it goes from and to, and whether it takes.
        mirror: for each action the one that it is where left and right are swapped.
    """

    rows: int
    columns: int
    steps: tuple[tuple[tuple[tuple[int, int, int, bool], ...], ...], ...]
    goals: tuple[int, int]
    near: tuple[int, int]
    moves: dict[int, tuple[int, int, bool]]
    first: int
    second: int
    mirror: np.ndarray


@lru_cache(maxsize=8)
def _board(rows: int, columns: int) -> _Board:
    steps: list[list[tuple[tuple[int, int, int, bool], ...]]] = []
    moves: dict[int, tuple[int, int, bool]] = {}
    for player in (0, 1):
        ahead = 1 if player == 0 else -1
        own = []
        for cell in range(rows * columns):
            row, column = divmod(cell, columns)
            found = []
            for aside in (-1, 0, 1):
                to_row, to_column = row + ahead, column + aside
                if not (0 <= to_row < rows and 0 <= to_column < columns):
                    continue
                # OpenSpiel counts directions down first, left to right.
                direction = 3 * player + aside + 1
                quiet = (cell * 6 + direction) * 2
                to = to_row * columns + to_column
                found.append((quiet, quiet + 1, to, aside == 0))
                moves[quiet], moves[quiet + 1] = (cell, to, False), (cell, to, True)
            own.append(tuple(found))
        steps.append(own)
    row = (1 << columns) - 1
    goals = (row << columns * (rows - 1), row)
    near = (goals[0] >> columns, goals[1] << columns)
    two = row | row << columns
    # Actions by row, column, player, aside and taking.
    mirror = np.arange(rows * columns * 12).reshape(rows, columns, 2, 3, 2)[:, ::-1, :, ::-1].ravel()
    steps_told = tuple(tuple(own) for own in steps)
    return _Board(rows, columns, steps_told, goals, near, moves, two, two << columns * (rows - 2), mirror)


class Breakthrough:
    """A position; see :class:`sixarts_game_ai.rules.Position`. Player 0 has black's pieces, and begins."""

    __slots__ = ("_legal", "board", "finished", "history", "pieces")

    draws = False

    def __init__(
        self, board: _Board, pieces: tuple[int, int], history: tuple[int, ...] = (), finished: bool = False
    ) -> None:
        self.board, self.pieces, self.history, self.finished = board, pieces, history, finished
        self._legal: list[int] | None = None

    @classmethod
    def start(cls, rows: int = 6, columns: int = 6) -> Breakthrough:
        """The first position."""
        board = _board(rows, columns)
        return cls(board, (board.first, board.second))

    @property
    def game(self) -> str:
        rows, columns = self.board.rows, self.board.columns
        return "breakthrough" if rows == columns == 8 else f"breakthrough(columns={columns},rows={rows})"

    @property
    def actions(self) -> int:
        return self.board.rows * self.board.columns * 12

    @property
    def mirror(self) -> np.ndarray:
        """For each action the one that it is where left and right are swapped, ``[actions]``."""
        return self.board.mirror

    @property
    def player(self) -> int:
        return len(self.history) & 1

    def moves(self) -> list[int]:
        """Legal actions."""
        if self._legal is None:
            found: list[int] = []
            if not self.finished:
                mine, other = self.pieces[self.player], self.pieces[1 - self.player]
                steps, taken, left = self.board.steps[self.player], mine | other, mine
                while left:
                    bit = left & -left
                    left ^= bit
                    for quiet, taking, to, straight in steps[bit.bit_length() - 1]:
                        if not taken >> to & 1:
                            found.append(quiet)
                        elif not straight and other >> to & 1:
                            found.append(taking)
            self._legal = found
        return self._legal

    def legal(self) -> np.ndarray:
        found = np.zeros(self.actions, bool)
        found[self.moves()] = True
        return found

    def play(self, action: int) -> Breakthrough:
        if action not in self.moves():
            raise illegal(action, self)
        start, to, takes = self.board.moves[action]
        mine = self.pieces[self.player] ^ (1 << start) | 1 << to
        other = self.pieces[1 - self.player]
        if takes:
            other ^= 1 << to
        over = bool(mine & self.board.goals[self.player]) or not other
        pieces = (mine, other) if self.player == 0 else (other, mine)
        return Breakthrough(self.board, pieces, (*self.history, action), over)

    def winning(self) -> int | None:
        """A move that reaches the far row, or takes the last piece."""
        mine, other = self.pieces[self.player], self.pieces[1 - self.player]
        alone = not other & (other - 1)
        if not (mine & self.board.near[self.player] or alone):
            return None
        goals = self.board.goals[self.player]
        for action in self.moves():
            _, to, takes = self.board.moves[action]
            if goals >> to & 1 or (takes and alone):
                return action
        return None

    def safe(self) -> list[int] | None:
        """Moves after which the other does not win at once, once it is known that none wins; ``None`` where
        all are such."""
        mine, other = self.pieces[self.player], self.pieces[1 - self.player]
        near = other & self.board.near[1 - self.player]
        # A last piece may run into another's way: such positions are left to the search, move by move.
        if not mine & (mine - 1):
            return [action for action in self.moves() if self.play(action).winning() is None]
        if not near:
            return None
        # A piece before its goal can always go there: it must be taken, and there must be but one.
        if near & (near - 1):
            return []
        cell = near.bit_length() - 1
        return [action for action in self.moves() if self.board.moves[action][1] == cell]

    def value(self) -> float:
        return 1.0 if self.player else -1.0

    def key(self) -> Hashable:
        return self.player, self.pieces

    def notation(self, action: int) -> str:
        start, to, takes = self.board.moves[action]
        return f"{self._cell(start)}{self._cell(to)}" + ("*" if takes else "")

    def _cell(self, cell: int) -> str:
        row, column = divmod(cell, self.board.columns)
        return f"{chr(ord('a') + column)}{self.board.rows - row}"

    def parse(self, text: str) -> int:
        wanted = text.strip().lower().replace("x", "").rstrip("*")
        for action in self.moves():
            if self.notation(action).rstrip("*") == wanted:
                return action
        raise illegal(text, self)

    def picture(self) -> Mapping[str, Any]:
        rows, columns = self.board.rows, self.board.columns
        first, second = self.pieces
        grid = [
            [
                "x" if first >> cell & 1 else "o" if second >> cell & 1 else ""
                for cell in range(row * columns, (row + 1) * columns)
            ]
            for row in range(rows)
        ]
        points = {action: divmod(self.board.moves[action][1], columns) for action in self.moves()}
        return {"grid": grid, "points": points, "style": "stones"}

    def __str__(self) -> str:
        letters = "".join(chr(ord("a") + column) for column in range(self.board.columns))
        rows = self.picture()["grid"]
        lines = [
            f"{len(rows) - row}" + "".join({"x": "b", "o": "w"}.get(cell, ".") for cell in cells)
            for row, cells in enumerate(rows)
        ]
        return "\n".join([*lines, f" {letters}"])

    @staticmethod
    def observations(positions: Sequence[Breakthrough]) -> np.ndarray:
        """Own and other pieces, and who is to move, ``[b, rows, columns, 3]``, the top row first."""
        board = positions[0].board
        pieces = np.array(
            [(each.pieces[each.player], each.pieces[1 - each.player]) for each in positions], "uint64"
        )
        shifts = np.arange(board.rows * board.columns, dtype="uint64").reshape(board.rows, board.columns)
        found = np.empty((len(positions), board.rows, board.columns, 3), "float32")
        found[..., :2] = (pieces[:, None, None, :] >> shifts[None, :, :, None]) & np.uint64(1)
        found[..., 2] = np.array([each.player for each in positions])[:, None, None]
        return found
