"""The search trees of many roots in one set of arrays: what is known of positions, and of the actions there.

A row a position (a node), a column for each of its legal actions (a slot). Values are those of player 0 at
nodes, and those of the player to move at slots. Bounds are what the rules prove of a node's result
(Cazenave and Saffidine 2010): it is solved where the two meet.

Shapes: ``n`` nodes, ``w`` slots.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np

from sixarts_game_ai.evaluation import Evaluation

#: Columns of ``sums``: what the search makes large, win minus loss, and draws.
UTILITY, RESULT, DRAW = range(3)
#: Arrays with a row a node: name to dtype, further axes, and what a new one holds.
_NODES: dict[str, tuple[str, tuple[int, ...], float]] = {
    "visits": ("int32", (), 0),
    "sums": ("float64", (3,), 0),
    "raw": ("float64", (3,), 0),
    "sign": ("int8", (), 1),
    "low": ("int8", (), -1),
    "high": ("int8", (), 1),
    "plies": ("int16", (), 0),
    "count": ("int32", (), 0),
    "known": ("bool", (), False),
}
#: Arrays with a row a node and a column a slot.
_SLOTS: dict[str, tuple[str, float]] = {
    "action": ("int32", -1),
    "prior": ("float32", 0),
    "taken": ("int32", 0),
    "child": ("int32", -1),
    "q": ("float32", 0),
    "open": ("bool", False),
}


class Forest:
    """Nodes and slots.

    Args:
        discount: what a value keeps with each ply.
        capacity: nodes that there is room for at first.
        width: slots that there is room for at first.

    Attributes:
        visits, sums, raw: of a node: how often it was passed, what came of it, what the network said.
        sign: +1 where player 0 is to move, -1 where player 1 is.
        low, high: what its result is at least and at most, for player 0.
        plies: moves until the end, where it is solved.
        count: slots that it has; ``known`` once the network has seen it.
        action, prior, taken, child, q, open: of a slot: its action, prior, visits, node (-1 for none yet),
            mean value, and whether it may be taken.
    """

    visits: np.ndarray
    sums: np.ndarray
    raw: np.ndarray
    sign: np.ndarray
    low: np.ndarray
    high: np.ndarray
    plies: np.ndarray
    count: np.ndarray
    known: np.ndarray
    action: np.ndarray
    prior: np.ndarray
    taken: np.ndarray
    child: np.ndarray
    q: np.ndarray
    open: np.ndarray

    def __init__(self, discount: float, capacity: int = 1024, width: int = 8) -> None:
        self.discount, self.size = discount, 0
        self.capacity, self.width = capacity, width
        self.positions: list[Any] = []
        for name, (dtype, more, blank) in _NODES.items():
            setattr(self, name, np.full((capacity, *more), blank, dtype))
        for name, (dtype, blank) in _SLOTS.items():
            setattr(self, name, np.full((capacity, width), blank, dtype))
        self._powers = discount ** np.arange(4096, dtype="float64")

    def _grow(self, nodes: int, slots: int) -> None:
        """Makes room for so many nodes and slots."""
        if nodes > self.capacity:
            more = max(nodes, 2 * self.capacity) - self.capacity
            for name, (dtype, axes, blank) in _NODES.items():
                fresh = np.full((more, *axes), blank, dtype)
                setattr(self, name, np.concatenate([getattr(self, name), fresh]))
            for name, (dtype, blank) in _SLOTS.items():
                fresh = np.full((more, self.width), blank, dtype)
                setattr(self, name, np.concatenate([getattr(self, name), fresh]))
            self.capacity += more
        if slots > self.width:
            wider = max(slots, self.width * 3 // 2) - self.width
            for name, (dtype, blank) in _SLOTS.items():
                fresh = np.full((self.capacity, wider), blank, dtype)
                setattr(self, name, np.concatenate([getattr(self, name), fresh], axis=1))
            self.width += wider

    def add(self, position: Any) -> int:
        """A new node. What the rules say of it is known at once: a game that is over, a move that wins."""
        node = self.size
        if node == self.capacity:
            self._grow(node + 1, 0)
        self.size += 1
        self.positions.append(position)
        self.sign[node] = 1 - 2 * position.player
        if position.finished:
            value = round(position.value())
            self.low[node] = self.high[node] = value
            self.known[node] = True
        return node

    def wins_at_once(self, node: int) -> bool:
        """Whether the player to move ends the game with a win; then the node is solved."""
        if (action := self._winning(node)) is None:
            return False
        self.low[node] = self.high[node] = self.sign[node]
        self.plies[node] = 1
        self.count[node], self.action[node, 0], self.prior[node, 0] = 1, action, 1.0
        self.known[node] = True
        return True

    def show_win(self, node: int) -> None:
        """Draws a root's search to a move that wins at once, however little the network thinks of it."""
        if (action := self._winning(node)) is not None:
            many = self.count[node]
            self.prior[node, :many] = (self.prior[node, :many] + (self.action[node, :many] == action)) / 2

    def _winning(self, node: int) -> int | None:
        """A move that wins at once, where the game's rules tell one."""
        wins = getattr(self.positions[node], "winning", None)
        return wins() if wins is not None else None

    def fill(self, nodes: np.ndarray, found: Evaluation) -> None:
        """Enters what the network says of nodes that it has just seen."""
        legal = np.array([self.positions[node].legal() for node in nodes])
        rows, columns = np.nonzero(legal)
        counts = np.bincount(rows, minlength=len(nodes))
        if counts.max() > self.width:
            self._grow(0, int(counts.max()))
        slots = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        owners = nodes[rows]
        self.action[owners, slots] = columns
        self.prior[owners, slots] = found.policy[rows, columns]
        self.open[owners, slots] = True
        self.count[nodes] = counts
        self.known[nodes] = True
        sign = self.sign[nodes]
        self.raw[nodes, UTILITY] = found.value * sign
        self.raw[nodes, RESULT] = (found.wdl[:, 0] - found.wdl[:, 2]) * sign
        self.raw[nodes, DRAW] = found.wdl[:, 1]

    def solved(self, nodes: Any) -> Any:
        """Whether the result of nodes is proven."""
        return self.low[nodes] == self.high[nodes]

    def exact(self, nodes: np.ndarray) -> np.ndarray:
        """What solved nodes are worth, as a row of ``sums``, ``[b, 3]``."""
        value = self.low[nodes].astype("float64")
        return np.stack([value * self._powers[self.plies[nodes]], value, value == 0], axis=1)

    def own_bounds(self, nodes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Bounds of the slots of nodes for the player to move, and which slots there are, ``[b, w]`` each."""
        child = self.child[nodes]
        has = child >= 0
        first = self.sign[nodes][:, None] > 0
        low, high = self.low[child], self.high[child]
        least = np.where(has, np.where(first, low, -high), -1)
        most = np.where(has, np.where(first, high, -low), 1)
        there = np.arange(self.width) < self.count[nodes][:, None]
        return np.where(there, least, -2), np.where(there, most, -2), there

    def prove(self, nodes: np.ndarray) -> np.ndarray:
        """Draws from the slots of nodes what they prove; tells of which nodes more is known now, ``[b]``."""
        least, most, there = self.own_bounds(nodes)
        low, high = least.max(axis=1), most.max(axis=1)
        done = low == high
        after = self.plies[self.child[nodes]].astype("int64") + 1
        # A win is as quick as its quickest move; what cannot be won is drawn out.
        quickest = np.where(least == 1, after, 9999).min(axis=1)
        slowest = np.where(there & (least == low[:, None]) & (least == most), after, 0).max(axis=1)
        plies = np.where(done, np.where(low == 1, quickest, slowest), 0)
        first = self.sign[nodes] > 0
        new_low, new_high = np.where(first, low, -high), np.where(first, high, -low)
        changed = (new_low != self.low[nodes]) | (new_high != self.high[nodes]) | (plies != self.plies[nodes])
        self.low[nodes], self.high[nodes], self.plies[nodes] = new_low, new_high, plies
        self.open[nodes] = np.where(done[:, None], there & (least != most), most > low[:, None])
        return changed

    def adopt(self, other: Forest, node: int) -> tuple[int, dict[Hashable, int]]:
        """Copies a node of another forest and all that is below it.

        Returns:
            Its number here, and the keys of what was copied.
        """
        seen = np.zeros(other.size, bool)
        seen[node] = True
        level = np.array([node])
        order = [level]
        while level.size:
            below = other.child[level]
            below = np.unique(below[below >= 0])
            level = below[~seen[below]]
            seen[level] = True
            order.append(level)
        old = np.concatenate(order)
        self._grow(self.size + len(old), other.width)
        start = self.size
        place = np.full(other.size + 1, -1, "int32")
        place[old] = start + np.arange(len(old), dtype="int32")
        rows = slice(start, start + len(old))
        for name in _NODES:
            getattr(self, name)[rows] = getattr(other, name)[old]
        for name in _SLOTS:
            getattr(self, name)[rows, : other.width] = getattr(other, name)[old]
        # A child of -1 reads the last place, which stays -1.
        self.child[rows, : other.width] = place[other.child[old]]
        positions = [other.positions[each] for each in old]
        self.positions += positions
        self.size += len(old)
        keys = {key: start + row for row, each in enumerate(positions) if (key := each.key()) is not None}
        return start, keys
