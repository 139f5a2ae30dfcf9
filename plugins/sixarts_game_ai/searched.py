"""What a search found at a root: moves with visits and values, proofs, and the tree to go on from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from sixarts_game_ai.forest import DRAW, GIVEN, RESULT, UTILITY, Forest
from sixarts_game_ai.rules import winning
from sixarts_game_ai.search_settings import SearchSettings


class Proof(NamedTuple):
    """A proven result: ``value`` 1, 0 or -1 for the player to move, ``plies`` until the game is over at the
    latest; 0 for a draw, of which nobody asks when it comes."""

    value: int
    plies: int

    def __str__(self) -> str:
        word = {1: "win", 0: "draw", -1: "loss"}[self.value]
        return word if not self.value else f"{word} in {self.plies}"


def proof(forest: Forest, node: int, sign: int) -> Proof | None:
    """What is proven of a node, for the player of a sign."""
    if not forest.settled(node):
        return None
    return Proof(sign * int(forest.result(node)), int(forest.plies(node)))


@dataclass(frozen=True)
class Tree:
    """A searched position inside a forest, to be looked at or to go on from."""

    forest: Forest
    node: int

    @property
    def position(self) -> Any:
        return self.forest.positions[self.node]

    @property
    def decided(self) -> bool:
        """Whether it was solved without its moves being looked at."""
        return bool(self.forest.count[self.node] == 1 and self.forest.child[self.node, 0] < 0)

    @property
    def visits(self) -> int:
        return int(self.forest.visits[self.node])

    def after(self, action: int) -> Tree | None:
        """The tree below an action; ``None`` where it was never searched."""
        slots = np.flatnonzero(self.forest.action[self.node, : self.forest.count[self.node]] == action)
        child = int(self.forest.child[self.node, slots[0]]) if len(slots) else -1
        return None if child < GIVEN else Tree(self.forest, child)

    def children(self) -> list[tuple[int, int, Tree]]:
        """Action, visits from here, and tree of each move that was tried, most visited first."""
        forest, node = self.forest, self.node
        slots = [slot for slot in range(forest.count[node]) if forest.child[node, slot] >= GIVEN]
        slots.sort(key=lambda slot: -forest.taken[node, slot])
        return [
            (
                int(forest.action[node, slot]),
                int(forest.taken[node, slot]),
                Tree(forest, int(forest.child[node, slot])),
            )
            for slot in slots
        ]

    @property
    def value(self) -> float:
        """Mean of wins minus losses for the player to move."""
        forest, node = self.forest, self.node
        return float(forest.sums[node, RESULT] / max(forest.visits[node], 1) * forest.sign[node])

    @property
    def proven(self) -> Proof | None:
        return proof(self.forest, self.node, int(self.forest.sign[self.node]))


@dataclass(frozen=True)
class Searched:
    """What a search found at a root, moves with the best one first.

    Attributes:
        position: the root.
        actions, visits, values, priors: of the moves, ``[k]``; values are wins minus losses for the player to
            move, that of its position where a move was not tried.
        utilities: what the search makes large, ``[k]``.
        policy: what a network should learn of the root, ``[actions]``.
        value, wdl: of the position for the player to move, if the best move is played.
        mean: the same as ``wdl``, over all that was searched.
        utility: the same, as the search counts it.
        proven: what the rules prove of the position.
        proofs: what they prove of moves.
        simulations, seconds: what was spent.
        tree: to go on from.
    """

    position: Any
    actions: np.ndarray
    visits: np.ndarray
    values: np.ndarray
    priors: np.ndarray
    utilities: np.ndarray
    policy: np.ndarray
    value: float
    wdl: np.ndarray
    mean: np.ndarray
    utility: float
    proven: Proof | None
    proofs: Mapping[int, Proof]
    simulations: int
    seconds: float
    tree: Tree

    @property
    def best(self) -> int:
        """The move to play."""
        return int(self.actions[0])

    @property
    def variation(self) -> tuple[int, ...]:
        """The best moves of both from here on, as far as they were searched."""
        forest, node = self.tree.forest, self.tree.node
        slot = int(np.flatnonzero(forest.action[node, : forest.count[node]] == self.best)[0])
        return _variation(forest, node, slot)


def completed(forest: Forest, nodes: np.ndarray, settings: SearchSettings) -> tuple[np.ndarray, np.ndarray]:
    """Logits of the slots of nodes, and what their values add to them, ``[b, w]`` each.

    What nobody tried is worth the mix of the network's value and of what was tried (Danihelka et al. 2022,
    equations 10, 11 and 33).
    """
    prior, taken = forest.prior[nodes].astype("float64"), forest.taken[nodes]
    there = np.arange(forest.width) < forest.count[nodes][:, None]
    tried = taken > 0
    total = taken.sum(axis=1)
    weight = np.where(tried, prior, 0.0)
    seen = (weight * forest.q[nodes]).sum(axis=1) / np.maximum(weight.sum(axis=1), 1e-12)
    raw = forest.raw[nodes, UTILITY] * forest.sign[nodes]
    mixed = (raw + total * seen) / (1 + total)
    q = np.where(tried, forest.q[nodes], mixed[:, None])
    if forest.settled(nodes).any() or (~forest.open[nodes] & there).any():
        least, most = forest.own_bounds(nodes)
        q = np.where(there, np.clip(q, np.sign(least), np.sign(most)), q)
    scale = (settings.value_visits + taken.max(axis=1)) * settings.value_scale
    logits = np.where(there, np.log(np.maximum(prior, 1e-12)), -np.inf)
    return logits, np.where(there, scale[:, None] * q, 0.0)


def best_slot(forest: Forest, node: int, wishes: np.ndarray | None = None) -> int:
    """The slot to play at a node: what is proven first, then what was visited most.

    Args:
        wishes: what decides among the most visited, ``[w]``; their values where left out.
    """
    count = int(forest.count[node])
    if count == 1:
        return 0
    least, most = (array[0, :count] for array in forest.own_bounds(np.array([node])))
    taken, q, prior = forest.taken[node, :count], forest.q[node, :count], forest.prior[node, :count]
    sure = int(least.max())
    if sure > 0:
        return int(least.argmax())
    hopeful = most > max(sure, -1)
    if sure == 0:
        # A draw is there for the taking: anything else must promise more.
        hopeful &= (taken > 0) & (q > 0)
        if not hopeful.any():
            return int(np.where((least == 0), prior, -1.0).argmax())
    if hopeful.any():
        wish = q if wishes is None else wishes[:count]
        order = np.lexsort((prior, wish, np.where(hopeful, taken, -1)))
        return int(order[-1])
    return int(np.lexsort((least, most))[-1])


def read_root(
    forest: Forest,
    node: int,
    position: Any,
    settings: SearchSettings,
    gumbel: np.ndarray,
    simulations: int,
    seconds: float,
) -> Searched:
    """What a forest knows of a root."""
    count, sign = int(forest.count[node]), int(forest.sign[node])
    at = np.array([node])
    halved = settings.root == "gumbel"
    logits, values = (array[0] for array in completed(forest, at, settings))
    noise = np.zeros(forest.width)
    noise[: len(gumbel)] = gumbel
    best = best_slot(forest, node, noise + logits + values if halved else None)
    child, taken = forest.child[node, :count], forest.taken[node, :count]
    visits = np.where(child >= 0, forest.visits[child], 0)
    tried = (child >= 0) & (visits > 0)
    sums = forest.sums[child] / np.maximum(visits, 1)[:, None]
    own = forest.raw[node] if not tried[best] else sums[best]
    proven = proof(forest, node, sign)
    if proven is not None:
        own = forest.worth(node)
    wdl = _bounded(_chances(own, sign), sign * int(forest.low[node]), sign * int(forest.high[node]))
    result = float(wdl[0] - wdl[2])
    found = np.where(tried, sums[:, RESULT] * sign, result)
    actions = forest.action[node, :count]
    order = np.lexsort((forest.prior[node, :count], taken, np.arange(count) == best))[::-1]
    policy = np.zeros(position.actions, "float64")
    wishes = logits[:count] + values[:count]
    if halved:
        shares = np.exp(wishes - wishes.max())
    else:
        shares = taken.astype("float64") if taken.any() else forest.prior[node, :count].astype("float64")
    policy[actions] = shares / shares.sum()
    proofs = {
        int(actions[slot]): Proof(after.value, after.plies + 1)
        for slot in order
        if child[slot] >= 0 and (after := proof(forest, int(child[slot]), sign)) is not None
    }
    utility = own[UTILITY] * sign * (1.0 if proven or not tried[best] else forest.discount)
    return Searched(
        position,
        actions[order].copy(),
        taken[order].copy(),
        found[order],
        forest.prior[node, order].copy(),
        np.where(tried, forest.q[node, :count], utility)[order],
        policy,
        result,
        wdl,
        _chances(forest.sums[node] / max(forest.visits[node], 1), sign),
        float(utility),
        proven,
        proofs,
        simulations,
        seconds,
        Tree(forest, node),
    )


def _chances(sums: np.ndarray, sign: int) -> np.ndarray:
    """Win, draw and loss for the player to move, of means of the columns of ``sums``."""
    result = float(np.clip(sums[RESULT] * sign, -1.0, 1.0))
    draw = float(np.clip(sums[DRAW], 0.0, 1.0 - abs(result)))
    return np.array([(1 - draw + result) / 2, draw, (1 - draw - result) / 2])


def _bounded(wdl: np.ndarray, one: int, other: int) -> np.ndarray:
    """Win, draw and loss without what the proven bounds rule out."""
    win, draw, loss = wdl
    if min(one, other) >= 0:
        draw, loss = draw + loss, 0.0
    if max(one, other) <= 0:
        win, draw = 0.0, draw + win
    return np.array([win, draw, loss])


def _variation(forest: Forest, node: int, slot: int) -> tuple[int, ...]:
    """The best moves of both sides, as far as they were searched."""
    found: list[int] = []
    seen: set[int] = set()
    position = forest.positions[node]
    settled = False
    while node >= GIVEN and node not in seen and forest.count[node]:
        seen.add(node)
        slot = slot if not found else best_slot(forest, node)
        settled = bool(forest.settled(node))
        if found and not forest.taken[node, slot] and not settled:
            return tuple(found)
        found.append(int(forest.action[node, slot]))
        position = position.play(found[-1])
        node = int(forest.child[node, slot])
    if settled and not position.finished and (last := winning(position)) is not None:
        found.append(last)
    return tuple(found)
