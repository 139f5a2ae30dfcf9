"""A Go board that is never changed: stones as bits of whole numbers, and their chains.

A point is one bit. Rows are as wide as the board and one point more, which no stone ever takes: shifted by
one or by a row, a set of points becomes its neighbors, and those that leave the board fall on that column or
off the end. A chain is its stones and the points around them; its liberties are those that are empty, so that
a move changes only the chains that it joins or takes.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from sixarts.errors import InputError

#: Sizes of boards that the rules know.
SIZES = range(2, 20)
BLACK, WHITE = 0, 1


class Chain(NamedTuple):
    """Stones of one color that hang together, and the points beside them."""

    stones: int
    around: int


class Geometry:
    """What depends on a board's size alone.

    Attributes:
        size: points along a side.
        row: bits from a point to the one below it.
        whole: every point of the board.
        memory: readings of ladders on boards of this size; see :mod:`sixarts_game_ai.go_ladders`.
    """

    __slots__ = ("bits", "count", "memory", "row", "size", "stored", "whole")

    def __init__(self, size: int) -> None:
        self.size, self.row, self.count = size, size + 1, size * size
        #: A point's bit by its action: rows from the top, columns from the left.
        self.bits = tuple(1 << (action // size * self.row + action % size) for action in range(self.count))
        self.whole = sum(self.bits)
        #: Bytes that hold a set of points.
        self.stored = -(-self.row * size // 8)
        self.memory: dict[tuple[int, int], tuple[Any, ...]] = {}

    def beside(self, points: int) -> int:
        """The neighbors of a set of points; some of the set may be among them."""
        row = self.row
        return (points << 1 | points >> 1 | points << row | points >> row) & self.whole

    def filled(self, seed: int, within: int) -> int:
        """The points of ``within`` that hang together with ``seed``."""
        row = self.row
        while True:
            grown = (seed | seed << 1 | seed >> 1 | seed << row | seed >> row) & within
            if grown == seed:
                return seed
            seed = grown

    def action(self, bit: int) -> int:
        """The action of a point."""
        place = bit.bit_length() - 1
        return place // self.row * self.size + place % self.row

    def planes(self, sets: list[int]) -> np.ndarray:
        """Sets of points as planes ``[n, size, size]`` of 0 and 1 (uint8)."""
        raw = b"".join([points.to_bytes(self.stored, "little") for points in sets])
        bits = np.unpackbits(np.frombuffer(raw, np.uint8).reshape(len(sets), -1), axis=1, bitorder="little")
        return bits[:, : self.row * self.size].reshape(-1, self.size, self.row)[:, :, : self.size]


@cache
def geometry(size: int) -> Geometry:
    """The geometry of a size, made once.

    >>> geometry(3).whole.bit_count(), geometry(3).beside(geometry(3).bits[0]).bit_count()
    (9, 2)
    """
    return Geometry(size)


def each(points: int) -> Iterator[int]:
    """The points of a set, one bit each, from the top left.

    >>> list(each(0b1010))
    [2, 8]
    """
    while points:
        bit = points & -points
        yield bit
        points ^= bit


class Board:
    """Stones and chains.

    Attributes:
        geometry: of its size.
        stones: points of black and of white.
        chains: of black and of white.
        empty: points without a stone.
        ko: the point where a stone was just taken that may not be taken back at once; 0 where there is none.
        touched: points of the chains that the last move was next to, and around them; 0 after none.
        cache: what was found out about this board, by what it was.
    """

    __slots__ = ("cache", "chains", "empty", "geometry", "ko", "stones", "touched")

    def __init__(
        self,
        shape: Geometry,
        stones: tuple[int, int],
        chains: tuple[tuple[Chain, ...], tuple[Chain, ...]],
        empty: int,
        ko: int = 0,
        touched: int = 0,
    ) -> None:
        self.geometry, self.stones, self.chains = shape, stones, chains
        self.empty, self.ko, self.touched = empty, ko, touched
        self.cache: dict[object, object] = {}

    @classmethod
    def of(cls, size: int, black: int = 0, white: int = 0) -> Board:
        """A board with these stones.

        Raises:
            InputError: stones of both colors on one point, or a chain without liberties.
        """
        shape = geometry(size)
        empty = shape.whole & ~black & ~white
        if black & white:
            raise InputError("a black and a white stone on one point; expected one")
        chains: list[tuple[Chain, ...]] = []
        for stones in (black, white):
            found = []
            left = stones
            while left:
                chain = shape.filled(left & -left, left)
                left ^= chain
                around = shape.beside(chain) & ~chain
                if not around & empty:
                    raise InputError("stones without a liberty; expected a position of a game")
                found.append(Chain(chain, around))
            chains.append(tuple(found))
        return cls(shape, (black, white), (chains[0], chains[1]), empty)

    def without_ko(self) -> Board:
        """The same stones, and no point that is forbidden."""
        return self if not self.ko else Board(self.geometry, self.stones, self.chains, self.empty)

    def chain(self, bit: int, color: int) -> Chain:
        """The chain of a stone."""
        for chain in self.chains[color]:
            if chain[0] & bit:
                return chain
        raise InputError("no stone of this color on this point")

    def play(self, bit: int, color: int) -> Board:
        """The board after a stone on an empty point; a chain that is left without liberties dies.

        Neither ko nor suicide is forbidden here; see :meth:`dies`.
        """
        shape, row = self.geometry, self.geometry.row
        stones = bit
        around = (bit << 1 | bit >> 1 | bit << row | bit >> row) & shape.whole
        empty = self.empty ^ bit
        own, theirs = self.stones[color], self.stones[1 - color]
        mine, others = self.chains[color], self.chains[1 - color]
        taken = touched = 0
        if around & theirs:
            for chain in others:
                if chain[1] & bit:
                    touched |= chain[0] | chain[1]
                    if not chain[1] & empty:
                        taken |= chain[0]
            if taken:
                others = tuple([chain for chain in others if not chain[0] & taken])
                theirs ^= taken
                empty |= taken
        if around & own:
            for chain in mine:
                if chain[1] & bit:
                    stones |= chain[0]
                    around |= chain[1]
            mine = tuple([chain for chain in mine if not chain[1] & bit])
        touched |= stones | around
        around &= ~stones
        own |= bit
        free = around & empty
        ko = 0
        if free:
            mine = (*mine, Chain(stones, around))
            if taken and stones == bit and free == taken and not taken & (taken - 1):
                ko = taken
        else:
            own ^= stones
            empty |= stones
        if color:
            return Board(shape, (theirs, own), (others, mine), empty, ko, touched)
        return Board(shape, (own, theirs), (mine, others), empty, ko, touched)

    def dies(self, bit: int, color: int) -> int:
        """The stones of one's own that a move takes from the board: its chain, or none."""
        shape = self.geometry
        around = shape.beside(bit)
        if around & self.empty:
            return 0
        stones = bit
        for chain in self.chains[color]:
            if chain[1] & bit:
                if chain[1] & self.empty != bit:
                    return 0
                stones |= chain[0]
        for chain in self.chains[1 - color]:
            if chain[1] & bit and chain[1] & self.empty == bit:
                return 0
        return stones

    def crowded(self) -> int:
        """Empty points without an empty neighbor: the only ones where a move may be suicide."""
        return self.empty & ~self.geometry.beside(self.empty)

    def takes_in_ko(self, bit: int, color: int) -> int:
        """The single stone that a move on an empty, wholly surrounded point takes, or 0."""
        around = self.geometry.beside(bit)
        theirs = self.stones[1 - color]
        if around & ~theirs:
            return 0
        found = 0
        for chain in self.chains[1 - color]:
            if chain[1] & bit and chain[1] & self.empty == bit:
                # A chain that touches the point from two sides counts twice, as a capture in two directions.
                if found or chain[0] & (chain[0] - 1):
                    return 0
                found = chain[0]
        return found
