"""Tree search with a network: many leaves a call, several roots in lockstep, proofs where rules give them.

PUCT (Silver et al. 2018) over graphs of positions, with virtual losses so that one root's leaves share a
batch; at the root Gumbel's sequential halving (Danihelka et al. 2022) where simulations are few; bounds that
terminal positions prove (Winands et al. 2008; Cazenave and Saffidine 2010). What is done at each level of a
tree is compiled (:mod:`sixarts_game_ai.descent`); Python handles a leaf once.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sixarts.errors import InputError
from sixarts_game_ai.descent import Manner, Ways, back_up, descend
from sixarts_game_ai.evaluation import Evaluation
from sixarts_game_ai.forest import DRAW, RESULT, Forest
from sixarts_game_ai.rules import Position, illegal
from sixarts_game_ai.search_settings import SearchSettings, halving
from sixarts_game_ai.searched import Searched, Tree, completed, read_root

Evaluate = Callable[[Sequence[Any]], Evaluation]

#: Steps of a way that there is room for at first.
STEPS = 64
#: Simulations of a root for each leaf that is looked at beside another: small trees are searched one by one.
RAMP = 2


def search(
    roots: Sequence[Position],
    evaluate: Evaluate,
    settings: SearchSettings,
    seed: int | Sequence[int] = 0,
    stop: Callable[[], bool] | None = None,
    trees: Sequence[Tree | None] | None = None,
) -> list[Searched]:
    """Searches positions of one game side by side.

    Args:
        roots: positions that are not over.
        evaluate: what a network says of positions; called with leaves of several roots, or of one root at a
            time where ``settings.together`` is off.
        settings: budget and manner.
        seed: of the noise, where there is any; one for all, or one for each root.
        stop: asked after each round of leaves; true ends the search with what it has.
        trees: for each root, what an earlier search learned of it, or ``None``.

    Raises:
        InputError: a position that is over, or positions of different games.
    """
    return Search(roots, evaluate, settings, seed, trees).run(stop)


@dataclass
class _Lanes:
    """Descents that are under way.

    Attributes:
        root: of each lane, by place in the list of roots.
        ways: where each went.
        leaf: the node where each ended.
        kept: whether a lane counts; one that ended where another waits for the network does not.
        fresh: lanes whose leaf the network must see.
    """

    root: np.ndarray
    ways: Ways
    leaf: np.ndarray
    kept: np.ndarray
    fresh: list[int]


class Search:
    """One search over several roots, that can be taken round by round; see :func:`search`."""

    def __init__(
        self,
        roots: Sequence[Position],
        evaluate: Evaluate,
        settings: SearchSettings,
        seed: int | Sequence[int] = 0,
        trees: Sequence[Tree | None] | None = None,
    ) -> None:
        self.roots, self.evaluate, self.settings = list(roots), evaluate, settings
        _check(self.roots)
        count = len(self.roots)
        self.manner = Manner(*(getattr(settings, name) for name in Manner._fields))
        self.forest = Forest(settings.discount, max(1024, 2 * count), min(roots[0].actions, 64))
        self.tables: list[dict[Hashable, int]] = []
        self.nodes = np.zeros(count, "int64")
        self.done = np.zeros(count, "int64")
        self.begun = time.perf_counter()
        for place, (root, tree) in enumerate(zip(self.roots, trees or [None] * count, strict=True)):
            self.nodes[place] = self._planted(root, tree)
        unseen = self.nodes[~self.forest.known[self.nodes]]
        if len(unseen):
            self._look(unseen, np.flatnonzero(~self.forest.known[self.nodes]))
            self.forest.visits[unseen] = 1
            self.forest.sums[unseen] = self.forest.raw[unseen]
        seeds = [seed] * count if isinstance(seed, int) else list(seed)
        self.random = [
            np.random.default_rng([each, _mark(root)]) for each, root in zip(seeds, roots, strict=True)
        ]
        self._prepare_roots()

    def _planted(self, root: Position, tree: Tree | None) -> int:
        keys: dict[Hashable, int] = {}
        if tree is not None and tree.forest.known[tree.node] and tree.forest.count[tree.node]:
            if tree.position.game != root.game or tree.position.history != root.history:
                raise InputError("a tree of another position; expected the tree of the root that is searched")
            if tree.forest.discount == self.settings.discount and not tree.decided:
                node, keys = self.forest.adopt(tree.forest, tree.node)
                self.forest.complete(node)
                self.tables.append(keys)
                return node
        node = self.forest.add(root)
        if (key := root.key()) is not None:
            keys[key] = node
        self.tables.append(keys)
        return node

    def _prepare_roots(self) -> None:
        """Noise and plans of the roots."""
        forest, settings, count = self.forest, self.settings, len(self.roots)
        slots = forest.count[self.nodes]
        if settings.shortest:
            for node in self.nodes.tolist():
                forest.show_win(node)
        if settings.dirichlet is not None:
            for node, random, many in zip(self.nodes, self.random, slots, strict=True):
                drawn = random.dirichlet(np.full(many, settings.dirichlet))
                kept = (1 - settings.dirichlet_share) * forest.prior[node, :many]
                forest.prior[node, :many] = kept + settings.dirichlet_share * drawn
        self.gumbel = np.zeros((count, forest.width))
        if settings.root == "gumbel":
            for place, (random, many) in enumerate(zip(self.random, slots, strict=True)):
                if settings.gumbel_noise:
                    self.gumbel[place, :many] = settings.gumbel_noise * random.gumbel(size=many)
            plans = [halving(min(int(many), settings.considered), settings.simulations) for many in slots]
            self.plans = np.array(plans)
            # Blocks of simulations that ask for actions of equally many visits, which may be tried together.
            ends = np.full(self.plans.shape, settings.simulations)
            for place in range(settings.simulations - 2, -1, -1):
                same = self.plans[:, place] == self.plans[:, place + 1]
                ends[:, place] = np.where(same, ends[:, place + 1], place + 1)
            self.blocks = ends

    # The loop.

    def run(self, stop: Callable[[], bool] | None = None) -> list[Searched]:
        """Searches until the budget is spent, everything is proven, or ``stop`` says so."""
        while self.round() and not (stop is not None and stop()):
            pass
        return self.results()

    def results(self) -> list[Searched]:
        """What is known of each root by now."""
        took = time.perf_counter() - self.begun
        return [
            read_root(
                self.forest, int(node), root, self.settings, self.gumbel[place], int(self.done[place]), took
            )
            for place, (node, root) in enumerate(zip(self.nodes, self.roots, strict=True))
        ]

    def round(self) -> bool:
        """Looks at some more leaves of each root that is not done; false when there is none left."""
        seconds = self.settings.seconds
        if seconds is not None and self.done.any() and time.perf_counter() - self.begun >= seconds:
            return False
        active = np.flatnonzero(self._going())
        if not active.size:
            return False
        lanes = self._descend(active)
        if lanes.fresh:
            chosen = np.array(lanes.fresh)
            self._look(lanes.leaf[chosen], lanes.root[chosen])
        back_up(self.forest.trees(), lanes.ways, lanes.leaf, lanes.kept, self.manner)
        self.done += np.bincount(lanes.root[lanes.kept], minlength=len(self.roots))
        return True

    def _going(self) -> np.ndarray:
        """Which roots are not done, ``[roots]``."""
        forest, nodes = self.forest, self.nodes
        going = (self.done < self.settings.simulations) & forest.open[nodes].any(axis=1)
        return np.asarray(going & ~(forest.exact(nodes) if self.settings.shortest else forest.settled(nodes)))

    def _look(self, nodes: np.ndarray, roots: np.ndarray) -> None:
        """Asks the network about nodes."""
        forest = self.forest
        groups = [nodes]
        if not self.settings.together and len(nodes) > 1:
            groups = np.split(nodes, np.flatnonzero(np.diff(roots)) + 1)
        for group in groups:
            forest.fill(group, self.evaluate([forest.positions[node] for node in group]))

    # Down.

    def _descend(self, active: np.ndarray) -> _Lanes:
        forest, settings = self.forest, self.settings
        need = np.minimum(settings.lanes, 1 + self.done[active] // RAMP)
        need = np.minimum(need, settings.simulations - self.done[active])
        if settings.root == "gumbel":
            need = np.minimum(need, self.blocks[active, self.done[active]] - self.done[active])
        root = np.repeat(active, need)
        count = len(root)
        ways = Ways(
            np.empty((count, STEPS), "int32"), np.empty((count, STEPS), "int32"), np.zeros(count, "int64")
        )
        lanes = _Lanes(root, ways, self.nodes[root].copy(), np.ones(count, bool), [])
        first = np.full(count, -1)
        if settings.root == "gumbel":
            first = self._halving(active, need)
        alive, claimed = np.arange(count), set[int]()
        while alive.size:
            lanes.ways = descend(forest.trees(), lanes.ways, alive, lanes.leaf, first, self.manner)
            alive = np.array(
                [lane for lane in alive.tolist() if self._goes_on(lanes, lane, claimed)], "int64"
            )
        return lanes

    def _goes_on(self, lanes: _Lanes, lane: int, claimed: set[int]) -> bool:
        """Whether a lane that stopped goes on: it came to a new position with a single move worth a look."""
        forest = self.forest
        leaf = int(lanes.leaf[lane])
        opened = leaf < 0
        if opened:
            step = lanes.ways.steps[lane] - 1
            node, slot = int(lanes.ways.nodes[lane, step]), int(lanes.ways.slots[lane, step])
            lanes.leaf[lane] = leaf = self._opened(node, slot, int(lanes.root[lane]))
        if forest.known[leaf]:
            return opened and not forest.settled(leaf)
        if leaf in claimed:
            lanes.kept[lane] = False
        else:
            claimed.add(leaf)
            lanes.fresh.append(lane)
        return False

    def _opened(self, node: int, slot: int, root: int) -> int:
        """The node that a slot leads to; a new one, where no equal position is known."""
        forest = self.forest
        child = int(forest.child[node, slot])
        if child < 0:
            position = forest.positions[node].play(int(forest.action[node, slot]))
            key = position.key() if self.settings.transpositions else None
            table = self.tables[root]
            child = table.get(key, -1) if key is not None else -1
            if child < 0:
                child = forest.add(position)
                if not forest.known[child]:
                    forest.look_ahead(child)
                if key is not None:
                    table[key] = child
            forest.child[node, slot] = child
        return child

    def _halving(self, active: np.ndarray, need: np.ndarray) -> np.ndarray:
        """The slots that lanes of roots take first, by Gumbel's sequential halving, so many for each root."""
        forest, nodes = self.forest, self.nodes[active]
        logits, values = completed(forest, nodes, self.settings)
        if self.gumbel.shape[1] < forest.width:
            more = forest.width - self.gumbel.shape[1]
            self.gumbel = np.pad(self.gumbel, ((0, 0), (0, more)))
        wish = self.gumbel[active] + logits + values
        wanted = self.plans[active, self.done[active]][:, None]
        taken, closed = forest.taken[nodes].copy(), ~forest.open[nodes]
        rows = np.arange(len(active))
        slots = np.empty((len(active), int(need.max())), "int64")
        for turn in range(slots.shape[1]):
            # Where proofs took actions out of the plan, the nearest to it is tried.
            score = wish - 1e6 * np.abs(taken - wanted)
            score[closed] = -np.inf
            slots[:, turn] = score.argmax(axis=1)
            taken[rows, slots[:, turn]] += 1
        return slots[np.arange(slots.shape[1]) < need[:, None]]


def _check(roots: Sequence[Position]) -> None:
    for root in roots:
        if root.finished:
            raise illegal("", root)
        if root.game != roots[0].game:
            raise InputError(f"{root.game} beside {roots[0].game}; expected positions of one game")


def _mark(root: Position) -> int:
    """A number of a position's own, so that what is drawn for it does not depend on its companions."""
    return zlib.crc32(repr((root.game, root.history)).encode())


__all__ = ["DRAW", "RESULT", "Evaluate", "Search", "SearchSettings", "Searched", "Tree", "replace", "search"]
