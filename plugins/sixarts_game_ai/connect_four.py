"""Connect Four on bitboards, quick enough for self-play; OpenSpiel's rules are the authority.

Seven bits a column, the lowest row first, the top one always empty (the layout of Pons 2015): four in a row
are found by shifts.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from sixarts.errors import InputError
from sixarts_game_ai.descent import compiled
from sixarts_game_ai.rules import illegal

ROWS, COLUMNS = 6, 7
_TOP = [1 << (7 * column + 5) for column in range(COLUMNS)]
_COLUMN = [0b111111 << (7 * column) for column in range(COLUMNS)]
_BOTTOM = [1 << (7 * column) for column in range(COLUMNS)]
_FLOOR = sum(_BOTTOM)
_BOARD = sum(_COLUMN)
_TOPS = sum(_TOP)
#: Bits to cells, row by row from the bottom.
_SHIFTS = np.array([7 * column + row for row in range(ROWS) for column in range(COLUMNS)], "uint64").reshape(
    ROWS, COLUMNS
)
_NONE = np.zeros(COLUMNS, bool)
#: Which columns are open, by the cells of the top row that are taken.
_OPEN = {
    sum(top for column, top in enumerate(_TOP) if full >> column & 1): np.array(
        [not full >> column & 1 for column in range(COLUMNS)]
    )
    for full in range(1 << COLUMNS)
}


@compiled
def _four(stones: int) -> bool:
    """Whether stones hold four in a row."""
    for step in (1, 6, 7, 8):
        pairs = stones & (stones >> step)
        if pairs & (pairs >> (2 * step)):
            return True
    return False


class ConnectFour:
    """A position; see :class:`sixarts_game_ai.rules.Position`.

    >>> position = ConnectFour.start().play(3).play(3)
    >>> position.player, position.parse("4"), position.notation(3)
    (0, 3, '4')
    """

    __slots__ = ("finished", "history", "mine", "stones", "won")

    game = "connect_four"
    actions = COLUMNS

    def __init__(
        self, mine: int = 0, stones: int = 0, history: tuple[int, ...] = (), won: bool = False
    ) -> None:
        self.mine, self.stones, self.history, self.won = mine, stones, history, won
        self.finished = won or stones == _BOARD

    @classmethod
    def start(cls) -> ConnectFour:
        """The empty board."""
        return cls()

    @property
    def player(self) -> int:
        return len(self.history) & 1

    def legal(self) -> np.ndarray:
        if self.finished:
            return _NONE
        return _OPEN[self.stones & _TOPS].copy()

    def play(self, action: int) -> ConnectFour:
        if self.finished or not 0 <= action < COLUMNS or self.stones & _TOP[action]:
            raise illegal(action, self)
        stones = self.stones | (self.stones + _BOTTOM[action])
        moved = self.mine | (stones ^ self.stones)
        return ConnectFour(stones ^ moved, stones, (*self.history, action), _four(moved))

    def winning(self) -> int | None:
        """A column that wins at once."""
        if len(self.history) < 6:
            return None
        column = _winning_column(self.mine, self.stones)
        return column if column >= 0 else None

    def safe(self) -> list[int] | None:
        """Columns after which the other does not win at once, once it is known that none wins; ``None`` where
        all are such."""
        columns = _safe_columns(self.mine, self.stones)
        if columns < 0:
            return None
        return [column for column in range(COLUMNS) if columns >> column & 1]

    def value(self) -> float:
        return (1.0 if self.player else -1.0) if self.won else 0.0

    def key(self) -> Hashable:
        return self.mine, self.stones

    def notation(self, action: int) -> str:
        return str(action + 1)

    def spelled(self, action: int) -> str:
        """An action as OpenSpiel writes it."""
        return f"{'xo'[self.player]}{action}"

    def parse(self, text: str) -> int:
        text = text.strip()
        if len(text) != 1 or text not in "1234567":
            raise InputError(f"the column {text!r}; expected 1 to 7")
        action = int(text) - 1
        if self.finished or self.stones & _TOP[action]:
            raise illegal(text, self)
        return action

    def mirrored(self) -> ConnectFour:
        """The position in a mirror: column 1 is column 7."""
        return ConnectFour(
            _mirror(self.mine), _mirror(self.stones), tuple(6 - each for each in self.history), self.won
        )

    def picture(self) -> Mapping[str, Any]:
        first = self.mine if self.player == 0 else self.stones ^ self.mine
        grid = [
            [
                ""
                if not self.stones >> (7 * column + row) & 1
                else "x"
                if first >> (7 * column + row) & 1
                else "o"
                for column in range(COLUMNS)
            ]
            for row in range(ROWS - 1, -1, -1)
        ]
        heights = [sum(bool(grid[row][column]) for row in range(ROWS)) for column in range(COLUMNS)]
        points = {
            column: (ROWS - 1 - height, column) for column, height in enumerate(heights) if height < ROWS
        }
        return {"grid": grid, "points": points, "style": "stones", "bottom_first": True}

    def __str__(self) -> str:
        return "\n".join("".join(cell or "." for cell in row) for row in self.picture()["grid"])

    @staticmethod
    def observations(positions: Sequence[ConnectFour]) -> np.ndarray:
        """Own and other stones, ``[b, 6, 7, 2]``, the lowest row first."""
        mine = np.array([position.mine for position in positions], "uint64")
        stones = np.array([position.stones for position in positions], "uint64")
        both = np.stack([mine, stones ^ mine], axis=1)
        bits = (both[:, None, None, :] >> _SHIFTS[None, :, :, None]) & np.uint64(1)
        return bits.astype("float32")


def _mirror(stones: int) -> int:
    return sum(((stones >> 7 * column) & 0b1111111) << 7 * (6 - column) for column in range(COLUMNS))


@compiled
def _winning_spots(mine: int, stones: int) -> int:
    """Empty cells that complete four in a row."""
    found = (mine << 1) & (mine << 2) & (mine << 3)
    for step in (6, 7, 8):
        pair = (mine << step) & (mine << 2 * step)
        found |= pair & (mine << 3 * step)
        found |= pair & (mine >> step)
        pair = (mine >> step) & (mine >> 2 * step)
        found |= pair & (mine << step)
        found |= pair & (mine >> 3 * step)
    return found & (_BOARD ^ stones)


@compiled
def _winning_column(mine: int, stones: int) -> int:
    """A column that completes four in a row, or -1."""
    free = (stones + _FLOOR) & _BOARD & _winning_spots(mine, stones)
    for column in range(COLUMNS - 1, -1, -1):
        if free >> (7 * column) & 0b111111:
            return column
    return -1


@compiled
def _safe_columns(mine: int, stones: int) -> int:
    """A bit for each column after which the other does not win at once, or -1 where all are such."""
    spots = _winning_spots(stones ^ mine, stones)
    free = (stones + _FLOOR) & _BOARD
    threats = free & spots
    # A stone below such a spot opens it.
    safe = free & ~(spots >> 1)
    if threats:
        safe = 0 if threats & (threats - 1) else safe & threats
    if safe == free:
        return -1
    columns = 0
    for column in range(COLUMNS):
        if safe >> (7 * column) & 0b111111:
            columns |= 1 << column
    return columns
