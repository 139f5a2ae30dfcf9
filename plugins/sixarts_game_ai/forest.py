"""The search trees of many roots in one set of arrays: what is known of positions, and of the actions there.

A row a position (a node), a column for each of its legal actions (a slot). Values are those of player 0 at
nodes, and those of the player to move at slots. Bounds are what the rules prove of a node's result and of how
soon it comes (score bounds, Cazenave and Saffidine 2010): a win in ``n`` plies is ``OVER - n``, a loss
``n - OVER``, a draw 0. A node is settled where both bounds tell one result, and exact where they meet.

Shapes: ``n`` nodes, ``w`` slots.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from sixarts_game_ai.descent import OVER, Trees, own_bounds, settle_worth
from sixarts_game_ai.evaluation import Evaluation
from sixarts_game_ai.rules import winning

#: Columns of ``sums``: what the search makes large, win minus loss, and draws.
UTILITY, RESULT, DRAW = range(3)
#: Nodes that every forest begins with, where player 0 and where player 1 is to move and wins at once: all
#: moves that allow it lead there. They have no position.
GIVEN = 2
#: Arrays with a row a node: name to dtype, further axes, and what a new one holds.
_NODES: dict[str, tuple[str, tuple[int, ...], float]] = {
    "visits": ("int32", (), 0),
    "sums": ("float64", (3,), 0),
    "raw": ("float64", (3,), 0),
    "sign": ("int8", (), 1),
    "low": ("int16", (), 2 - OVER),
    "high": ("int16", (), OVER - 1),
    "count": ("int32", (), 0),
    "known": ("bool", (), False),
    "ahead": ("bool", (), False),
}
#: Arrays with a row a node and a column a slot.
_SLOTS: dict[str, tuple[str, float]] = {
    "action": ("int32", -1),
    "prior": ("float32", 0),
    "taken": ("int32", 0),
    "pending": ("int32", 0),
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
        low, high: what its score is at least and at most, for player 0.
        count: slots that it has; ``known`` once the network has seen it.
        ahead: whether it was looked two plies ahead, so that nobody wins sooner but by what is known.
        action, prior, taken, pending, child, q, open: of a slot: its action, prior, visits, those under way,
            node (-1 for none yet), mean value, and whether it may be taken.
    """

    visits: np.ndarray
    sums: np.ndarray
    raw: np.ndarray
    sign: np.ndarray
    low: np.ndarray
    high: np.ndarray
    count: np.ndarray
    known: np.ndarray
    ahead: np.ndarray
    action: np.ndarray
    prior: np.ndarray
    taken: np.ndarray
    pending: np.ndarray
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
        #: Moves of nodes that the network is yet to see after which the other does not win at once.
        self._safe: dict[int, Sequence[int]] = {}
        for sign in (1, -1):
            self._settle(self._placed(None, sign), sign * (OVER - 1))

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
        """A new node; a game that is over is known."""
        node = self._placed(position, 1 - 2 * position.player)
        if position.finished:
            self._settle(node, round(position.value()) * OVER)
        return node

    def _placed(self, position: Any, sign: int) -> int:
        node = self.size
        if node == self.capacity:
            self._grow(node + 1, 0)
        self.size += 1
        self.positions.append(position)
        self.sign[node] = sign
        # Nobody wins with the other's move.
        self.low[node], self.high[node] = (2 - OVER, OVER - 1) if sign > 0 else (1 - OVER, OVER - 2)
        return node

    def _settle(self, node: int, score: int) -> None:
        self.low[node] = self.high[node] = score
        self.known[node] = True

    def look_ahead(self, node: int) -> None:
        """What two plies tell of a new node, where the game's rules make them cheap: a move that wins at
        once, none that keeps the other from it, or one alone, which is taken without asking the network."""
        sign = int(self.sign[node])
        if (action := winning(self.positions[node])) is not None:
            self._only(node, action)
            self._settle(node, sign * (OVER - 1))
            return
        position = self.positions[node]
        if not hasattr(position, "safe"):
            return
        self.ahead[node] = True
        self.low[node], self.high[node] = (4 - OVER, OVER - 3) if sign > 0 else (3 - OVER, OVER - 4)
        safe = position.safe()
        if safe is None:
            return
        if len(safe) > 1:
            self._safe[node] = safe
        elif safe:
            self._only(node, safe[0])
            self.open[node, 0] = self.known[node] = True
        else:
            self._only(node, int(np.flatnonzero(position.legal())[0]))
            self._settle(node, sign * (2 - OVER))

    def _only(self, node: int, action: int) -> None:
        """Gives a node a single slot."""
        self.count[node], self.action[node, 0], self.prior[node, 0] = 1, action, 1.0

    def complete(self, node: int) -> None:
        """Gives a node that had a single move worth looking at its other ones, which lose at once."""
        legal = np.flatnonzero(self.positions[node].legal())
        rest = legal[legal != self.action[node, 0]]
        if self.count[node] == 1 and len(rest):
            self._grow(0, len(legal))
            self.count[node] = len(legal)
            self.action[node, 1 : len(legal)] = rest
            self.child[node, 1 : len(legal)] = self.sign[node] > 0

    def show_win(self, node: int) -> None:
        """Draws a root's search to a move that wins at once, however little the network thinks of it."""
        if (action := winning(self.positions[node])) is not None:
            many = self.count[node]
            self.prior[node, :many] = (self.prior[node, :many] + (self.action[node, :many] == action)) / 2

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
        self._close(nodes, legal, rows, columns, slots)
        self.count[nodes] = counts
        self.known[nodes] = True
        sign = self.sign[nodes]
        self.raw[nodes, UTILITY] = found.value * sign
        self.raw[nodes, RESULT] = (found.wdl[:, 0] - found.wdl[:, 2]) * sign
        self.raw[nodes, DRAW] = found.wdl[:, 1]

    def _close(
        self, nodes: np.ndarray, legal: np.ndarray, rows: np.ndarray, columns: np.ndarray, slots: np.ndarray
    ) -> None:
        """Leads the slots of moves that lose at once to where they lead."""
        safe = [self._safe.pop(node, None) for node in nodes.tolist()]
        if not any(safe):
            return
        losing = legal.copy()
        for row, kept in zip(losing, safe, strict=True):
            row[slice(None) if kept is None else kept] = False
        chosen = losing[rows, columns]
        owners, slots = nodes[rows[chosen]], slots[chosen]
        self.child[owners, slots] = self.sign[owners] > 0
        self.open[owners, slots] = False

    def settled(self, nodes: Any) -> Any:
        """Whether the result of nodes is proven: a win, a draw or a loss."""
        low, high = self.low[nodes], self.high[nodes]
        return (low > 0) | (high < 0) | (low == high)

    def exact(self, nodes: Any) -> Any:
        """Whether it is proven, too, in how many plies it comes."""
        return self.low[nodes] == self.high[nodes]

    def plies(self, nodes: Any) -> Any:
        """In how many plies settled nodes are over at the latest; 0 for draws."""
        score = np.minimum(np.abs(self.low[nodes]), np.abs(self.high[nodes]))
        return np.where(score > 0, OVER - score, 0)

    def result(self, nodes: Any) -> Any:
        """What settled nodes end with for player 0: 1, 0 or -1."""
        return np.sign(self.low[nodes])

    def worth(self, node: int) -> np.ndarray:
        """What a settled node is worth, as a row of ``sums``."""
        return np.array(settle_worth(self.trees(), node, self.discount))

    def own_bounds(self, nodes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scores of the slots of nodes for the player to move, at least and at most, ``[b, w]`` each; that of
        a lost game where there is no slot."""
        least, most = own_bounds(self.trees(), nodes)
        return least, most

    def trees(self) -> Trees:
        """The arrays, for compiled code; not for longer than until the next node."""
        return Trees(*(getattr(self, name) for name in Trees._fields))

    def adopt(self, other: Forest, node: int) -> tuple[int, dict[Hashable, int]]:
        """Copies a node of another forest and all that is below it.

        Returns:
            Its number here, and the keys of what was copied.
        """
        seen = np.zeros(other.size, bool)
        seen[node] = seen[:GIVEN] = True
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
        place[:GIVEN] = range(GIVEN)
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
