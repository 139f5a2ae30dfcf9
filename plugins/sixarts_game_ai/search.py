"""Tree search with a network: many leaves a call, several roots in lockstep, proofs where rules give them.

PUCT (Silver et al. 2018) over graphs of positions, with virtual losses so that one root's leaves share a
batch; at the root Gumbel's sequential halving (Danihelka et al. 2022) where simulations are few; bounds that
terminal positions prove (Winands et al. 2008; Cazenave and Saffidine 2010). What goes for all lanes of all
roots at once is NumPy over :class:`~sixarts_game_ai.forest.Forest`; Python handles a leaf once.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sixarts.errors import InputError
from sixarts_game_ai.evaluation import Evaluation
from sixarts_game_ai.forest import DRAW, RESULT, UTILITY, Forest
from sixarts_game_ai.rules import Position, illegal
from sixarts_game_ai.search_settings import SearchSettings, halving
from sixarts_game_ai.searched import Searched, Tree, completed, read_root

Evaluate = Callable[[Sequence[Any]], Evaluation]

#: Simulations of a root for each leaf that is looked at beside another: small trees are searched one by one.
RAMP = 4


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
    """Descents that are under way: the way of each, a level after another.

    Attributes:
        root: of each lane, by place in the list of roots.
        levels: lanes, nodes and slots of each level.
        leaf: the node where each lane ended.
        kept: whether a lane counts; one that ended where another waits for the network does not.
        fresh: lanes whose leaf the network must see.
    """

    root: np.ndarray
    levels: list[tuple[np.ndarray, np.ndarray, np.ndarray]]
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
        self._back_up(lanes)
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
        lanes = _Lanes(root, [], self.nodes[root].copy(), np.ones(len(root), bool), [])
        alone = bool((need == 1).all())
        alive = np.arange(len(root))
        claimed: set[int] = set()
        while alive.size:
            nodes = lanes.leaf[alive]
            at_root = not lanes.levels and settings.root == "gumbel"
            slots = self._chosen(nodes, active if at_root else None, alone)
            lanes.levels.append((alive, nodes, slots))
            below = forest.child[nodes, slots]
            for place in np.flatnonzero(below < 0).tolist():
                below[place] = self._opened(int(nodes[place]), int(slots[place]), int(root[alive[place]]))
            lanes.leaf[alive] = below
            settled = forest.settled(below)
            if settings.shortest and settled.any():
                # Who has won looks for a quicker way, who has lost for a longer one.
                settled &= ~forest.settled(nodes) | forest.exact(below)
            waiting = ~forest.known[below]
            for place in np.flatnonzero(waiting).tolist():
                if (node := int(below[place])) in claimed:
                    lanes.kept[alive[place]] = False
                else:
                    claimed.add(node)
                    lanes.fresh.append(int(alive[place]))
            alive = alive[~(settled | waiting)]
        return lanes

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

    def _chosen(self, nodes: np.ndarray, roots: np.ndarray | None, alone: bool) -> np.ndarray:
        """A slot for each lane, given its node; ``roots`` where these are roots that Gumbel chooses at."""
        if alone:
            return np.asarray(self._scorer(nodes, roots)(None).argmax(axis=1))
        unique, group, counts = np.unique(nodes, return_inverse=True, return_counts=True)
        if roots is not None:
            roots = roots[np.argsort(self.nodes[roots])]
        score = self._scorer(unique, roots)
        order = np.argsort(group, kind="stable")
        starts = np.cumsum(counts) - counts
        pending = np.zeros((len(unique), self.forest.width), "int32")
        slots = np.empty(len(nodes), "int64")
        for turn in range(int(counts.max())):
            rows = np.flatnonzero(counts > turn)
            picked = score(pending if turn else None)[rows].argmax(axis=1)
            slots[order[starts[rows] + turn]] = picked
            pending[rows, picked] += 1
        return slots

    def _scorer(
        self, nodes: np.ndarray, roots: np.ndarray | None
    ) -> Callable[[np.ndarray | None], np.ndarray]:
        return self._puct(nodes) if roots is None else self._halving(nodes, roots)

    def _puct(self, nodes: np.ndarray) -> Callable[[np.ndarray | None], np.ndarray]:
        """PUCT scores of the slots of some nodes, given visits that are under way."""
        forest, settings = self.forest, self.settings
        prior, taken = forest.prior[nodes], forest.taken[nodes]
        visits = forest.visits[nodes].astype("float64")
        tried = taken > 0
        mean = forest.sums[nodes, UTILITY] / np.maximum(visits, 1) * forest.sign[nodes]
        # What nobody tried is thought to be a little worse than what was (Leela Chess Zero's reduction).
        worse = mean - settings.reduction * np.sqrt((prior * tried).sum(axis=1))
        q = np.where(tried, forest.q[nodes], np.maximum(worse, -1.0)[:, None])
        base = settings.exploration_base
        weight = (settings.exploration + np.log((visits + base + 1) / base)) * np.sqrt(visits)
        urge = prior * weight[:, None]
        closed = ~forest.open[nodes]

        def score(pending: np.ndarray | None) -> np.ndarray:
            if pending is None:
                found = q + urge / (1 + taken)
            else:
                total = taken + pending
                lost = settings.virtual_loss * pending / np.maximum(total, 1)
                found = q - lost * (q + 1) + urge / (1 + total)
            found[closed] = -np.inf
            return np.asarray(found)

        return score

    def _halving(self, nodes: np.ndarray, roots: np.ndarray) -> Callable[[np.ndarray | None], np.ndarray]:
        """Scores of the roots' slots by Gumbel's sequential halving."""
        forest = self.forest
        taken = forest.taken[nodes]
        logits, values = completed(forest, nodes, self.settings)
        if self.gumbel.shape[1] < forest.width:
            more = forest.width - self.gumbel.shape[1]
            self.gumbel = np.pad(self.gumbel, ((0, 0), (0, more)))
        wish = self.gumbel[roots] + logits + values
        wanted = self.plans[roots, self.done[roots]][:, None]
        closed = ~forest.open[nodes]

        def score(pending: np.ndarray | None) -> np.ndarray:
            now = taken if pending is None else taken + pending
            # Where proofs took actions out of the plan, the nearest to it is tried.
            found = wish - 1e6 * np.abs(now - wanted)
            found[closed] = -np.inf
            return np.asarray(found)

        return score

    # Up.

    def _back_up(self, lanes: _Lanes) -> None:
        """Takes what the leaves are worth up to the roots."""
        forest = self.forest
        kept = np.flatnonzero(lanes.kept)
        leaf = lanes.leaf[kept]
        settled = forest.settled(leaf)
        worth = np.zeros((len(lanes.root), 3))
        worth[kept] = forest.raw[leaf]
        if settled.any():
            worth[kept[settled]] = forest.worth(leaf[settled])
        news = np.zeros(len(lanes.root), bool)
        # Below what is settled, every leaf may tell how soon the end comes.
        news[kept] = settled | forest.settled(self.nodes[lanes.root[kept]])
        alone = len(np.unique(lanes.root)) == len(lanes.root)
        self._pass(leaf, worth[kept], alone)
        for lane, nodes, slots in reversed(lanes.levels):
            if not alone:
                chosen = lanes.kept[lane]
                lane, nodes, slots = lane[chosen], nodes[chosen], slots[chosen]
            told = news[lane]
            if told.any():
                self._prove(lane, nodes, told, news)
            worth[lane, UTILITY] *= forest.discount
            settled = forest.settled(nodes)
            if settled.any():
                worth[lane[settled]] = forest.worth(nodes[settled])
            if alone:
                forest.taken[nodes, slots] += 1
            else:
                np.add.at(forest.taken, (nodes, slots), 1)
            child = forest.child[nodes, slots]
            mean = forest.sums[child, UTILITY] / np.maximum(forest.visits[child], 1)
            forest.q[nodes, slots] = mean * forest.sign[nodes] * forest.discount
            self._pass(nodes, worth[lane], alone)

    def _prove(self, lane: np.ndarray, nodes: np.ndarray, told: np.ndarray, news: np.ndarray) -> None:
        """Updates bounds of nodes with news from a slot; notes in ``news`` where that tells more."""
        unique, group = np.unique(nodes[told], return_inverse=True)
        changed = self.forest.prove(unique)
        news[lane[told]] = changed[group]

    def _pass(self, nodes: np.ndarray, worth: np.ndarray, alone: bool) -> None:
        forest = self.forest
        if alone:
            forest.visits[nodes] += 1
            forest.sums[nodes] += worth
        else:
            np.add.at(forest.visits, nodes, 1)
            np.add.at(forest.sums, nodes, worth)
        settled = forest.settled(nodes)
        if settled.any():
            done = nodes[settled]
            forest.sums[done] = forest.worth(done) * forest.visits[done][:, None]


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
