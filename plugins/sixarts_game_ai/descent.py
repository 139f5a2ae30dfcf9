"""Ways down a search's trees and back up, compiled by Numba: what is done for every leaf, level by level.

A lane is one descent that is under way. Formulas: PUCT with virtual losses (Silver et al. 2018; Chaslot et
al. 2008), score bounds (Cazenave and Saffidine 2010). The first call of a process compiles, or reads what
an earlier one compiled.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit

#: The score of a game that is over and won; more than the plies of any game.
OVER = 16_000


class Trees(NamedTuple):
    """The arrays of a :class:`~sixarts_game_ai.forest.Forest`, which tells what they hold."""

    visits: Any
    sums: Any
    raw: Any
    sign: Any
    low: Any
    high: Any
    count: Any
    known: Any
    ahead: Any
    prior: Any
    taken: Any
    pending: Any
    child: Any
    q: Any
    open: Any


class Manner(NamedTuple):
    """What a descent takes of :class:`~sixarts_game_ai.search_settings.SearchSettings`."""

    exploration: float
    exploration_base: float
    reduction: float
    virtual_loss: float
    discount: float
    shortest: bool


class Ways(NamedTuple):
    """The ways of lanes: ``nodes`` and ``slots``, ``[lanes, steps]``, so many ``steps`` each, ``[lanes]``."""

    nodes: Any
    slots: Any
    steps: Any


def compiled(function: Any) -> Any:
    """A function as machine code, kept on the disk for the next process where there is a place for it."""
    try:
        return njit(cache=True, error_model="numpy")(function)
    except RuntimeError:
        return njit(error_model="numpy")(function)


@compiled
def is_settled(trees: Trees, node: int) -> bool:
    """Whether a node's result is proven."""
    low, high = trees.low[node], trees.high[node]
    return low > 0 or high < 0 or low == high


@compiled
def slot_bounds(trees: Trees, node: int, slot: int) -> tuple[int, int]:
    """The score of a slot for the player to move, at least and at most."""
    child = trees.child[node, slot]
    if child < 0:
        # Where nobody looked yet, nothing comes sooner than the rules allow.
        return (4 - OVER, OVER - 3) if trees.ahead[node] else (2 - OVER, OVER - 1)
    low, high = int(trees.low[child]), int(trees.high[child])
    least, most = (low, high) if trees.sign[node] > 0 else (-high, -low)
    # A ply later than what follows.
    return least - (least > 0) + (least < 0), most - (most > 0) + (most < 0)


@compiled
def own_bounds(trees: Trees, nodes: Any) -> tuple[Any, Any]:
    """Scores of the slots of nodes for the player to move, at least and at most, ``[b, w]`` each; that of a
    lost game where there is no slot."""
    least = np.full((len(nodes), trees.child.shape[1]), -OVER, np.int16)
    most = least.copy()
    for row, node in enumerate(nodes):
        for slot in range(trees.count[node]):
            least[row, slot], most[row, slot] = slot_bounds(trees, node, slot)
    return least, most


@compiled
def prove(trees: Trees, node: int) -> bool:
    """Draws from a node's slots what they prove; tells whether more is known now."""
    first = trees.sign[node] > 0
    old_low, old_high = int(trees.low[node]), int(trees.high[node])
    low, most = (old_low, -OVER) if first else (-old_high, -OVER)
    for slot in range(trees.count[node]):
        worst, best = slot_bounds(trees, node, slot)
        low, most = max(low, worst), max(most, best)
    high = min(most, old_high if first else -old_low)
    for slot in range(trees.count[node]):
        _, best = slot_bounds(trees, node, slot)
        # What loses is not looked at for as long as something else is left.
        trees.open[node, slot] = best > low and (best >= 0 or high < 0)
    new_low, new_high = (low, high) if first else (-high, -low)
    trees.low[node], trees.high[node] = new_low, new_high
    return new_low != old_low or new_high != old_high


@compiled
def settle_worth(trees: Trees, node: int, discount: float) -> tuple[float, float, float]:
    """What a settled node is worth, as a row of ``sums``."""
    score = min(abs(int(trees.low[node])), abs(int(trees.high[node])))
    if score == 0:
        return 0.0, 0.0, 1.0
    value = 1.0 if trees.low[node] > 0 else -1.0
    return value * discount ** (OVER - score), value, 0.0


@compiled
def best(trees: Trees, node: int, manner: Manner) -> int:
    """The slot that PUCT takes at a node, given visits that are under way."""
    count, visits = trees.count[node], float(trees.visits[node])
    mean = trees.sums[node, 0] / max(visits, 1.0) * trees.sign[node]
    tried = 0.0
    for slot in range(count):
        if trees.taken[node, slot] > 0:
            tried += trees.prior[node, slot]
    # What nobody tried is thought to be a little worse than what was (Leela Chess Zero's reduction).
    untried = max(mean - manner.reduction * math.sqrt(tried), -1.0)
    base = manner.exploration_base
    weight = (manner.exploration + math.log((visits + base + 1) / base)) * math.sqrt(visits)
    found, high = 0, -np.inf
    for slot in range(count):
        if not trees.open[node, slot]:
            continue
        taken, pending = trees.taken[node, slot], trees.pending[node, slot]
        q = trees.q[node, slot] if taken > 0 else untried
        total = taken + pending
        lost = manner.virtual_loss * pending / max(total, 1)
        score = q - lost * (q + 1) + trees.prior[node, slot] * weight / (1 + total)
        if score > high:
            found, high = slot, score
    return found


@compiled
def descend(trees: Trees, ways: Ways, lanes: Any, at: Any, first: Any, manner: Manner) -> Ways:
    """Leads lanes down, one after another, each until a leaf.

    Args:
        trees: where pending visits are noted.
        ways: the lanes' ways, which are added to.
        lanes: those that go on, ``[n]``.
        at: the node of every lane, ``[lanes]``; becomes its leaf, or -1 where a slot leads to no node yet.
        first: the slot that a lane takes first, ``[lanes]``; -1 leaves it to PUCT.
        manner: of choosing.

    Returns:
        The ways, in larger arrays where these were too small.
    """
    nodes, slots, steps = ways
    for lane in lanes:
        node = at[lane]
        while True:
            step = steps[lane]
            if step == nodes.shape[1]:
                nodes, slots = wider(nodes), wider(slots)
            slot = first[lane] if step == 0 and first[lane] >= 0 else best(trees, node, manner)
            nodes[lane, step], slots[lane, step] = node, slot
            steps[lane] += 1
            trees.pending[node, slot] += 1
            child = trees.child[node, slot]
            if child < 0 or not trees.known[child]:
                break
            if is_settled(trees, child):
                # Who has won looks for a quicker way, who has lost for a longer one.
                exact = trees.low[child] == trees.high[child]
                if exact or not (manner.shortest and is_settled(trees, node)):
                    break
            node = child
        at[lane] = child
    return Ways(nodes, slots, steps)


@compiled
def wider(ways: Any) -> Any:
    """The same with room for twice as many steps."""
    found = np.empty((ways.shape[0], 2 * ways.shape[1]), ways.dtype)
    found[:, : ways.shape[1]] = ways
    return found


@compiled
def back_up(trees: Trees, ways: Ways, leaves: Any, kept: Any, manner: Manner) -> None:
    """Takes what leaves are worth up their ways.

    Args:
        trees: of the lanes.
        ways: of the lanes.
        leaves: the node where each ended, ``[lanes]``.
        kept: lanes that count, ``[lanes]``; of others only the pending visits are taken back.
        manner: whose discount holds for each ply.
    """
    nodes, slots, steps = ways
    for lane in range(len(leaves)):
        leaf, last = leaves[lane], steps[lane] - 1
        for step in range(last + 1):
            trees.pending[nodes[lane, step], slots[lane, step]] -= 1
        if not kept[lane]:
            continue
        # Below what is settled, every leaf may tell how soon the end comes.
        news = is_settled(trees, leaf) or is_settled(trees, nodes[lane, 0])
        worth = (trees.raw[leaf, 0], trees.raw[leaf, 1], trees.raw[leaf, 2])
        worth = passed(trees, leaf, worth, manner.discount)
        child = leaf
        for step in range(last, -1, -1):
            node, slot = nodes[lane, step], slots[lane, step]
            if news:
                news = prove(trees, node)
            trees.taken[node, slot] += 1
            mean = trees.sums[child, 0] / max(trees.visits[child], 1)
            trees.q[node, slot] = mean * trees.sign[node] * manner.discount
            worth = passed(trees, node, (worth[0] * manner.discount, worth[1], worth[2]), manner.discount)
            child = node


@compiled
def passed(
    trees: Trees, node: int, worth: tuple[float, float, float], discount: float
) -> tuple[float, float, float]:
    """Notes a visit of a node; gives what it was worth, which a proof overrules."""
    trees.visits[node] += 1
    if is_settled(trees, node):
        worth = settle_worth(trees, node, discount)
        for column in range(3):
            trees.sums[node, column] = worth[column] * trees.visits[node]
    else:
        for column in range(3):
            trees.sums[node, column] += worth[column]
    return worth
