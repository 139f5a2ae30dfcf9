"""Games that a network plays against itself, many side by side, and what there is to learn from them.

Gumbel AlphaZero (Danihelka et al. 2022): few simulations a move, each position's policy improved by the
values that its search found. Values are led back from the end of a game, mixed with what the search said on
the way; where the rules prove a result, the proof counts alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple, Self

import numpy as np

from sixarts_game_ai.rules import SIGNS
from sixarts_game_ai.search import Evaluate, search
from sixarts_game_ai.search_settings import SearchSettings
from sixarts_game_ai.searched import Proof, Searched


@dataclass(frozen=True)
class Samples:
    """What ``n`` positions teach.

    Attributes:
        planes: ``[n, rows, columns, planes]`` in float16.
        policy: probabilities of actions, ``[n, actions]`` in float16.
        wdl: of win, draw and loss for the player to move, ``[n, 3]`` in float16.
        value: in [-1, 1] for the player to move, ``[n]`` in float32.
    """

    planes: np.ndarray
    policy: np.ndarray
    wdl: np.ndarray
    value: np.ndarray

    def __len__(self) -> int:
        return len(self.value)

    def __getitem__(self, rows: Any) -> Samples:
        return Samples(*(getattr(self, entry.name)[rows] for entry in fields(self)))

    @classmethod
    def joined(cls, parts: Sequence[Samples]) -> Self:
        """Several, one after another."""
        return cls(*(np.concatenate([getattr(p, e.name) for p in parts]) for e in fields(cls)))


class Turn(NamedTuple):
    """What the search found at a position, as far as there is something to learn of it.

    Attributes:
        position, action: and what was played.
        policy: what the network should say, ``[actions]``.
        value: what the search said for the player to move, by that policy.
        mean: win, draw and loss over all that was searched.
        tested: whether the move was much worse than the best one, so that what followed tells little.
        proven: what the rules prove.
    """

    position: Any
    action: int
    policy: np.ndarray
    value: float
    mean: np.ndarray
    tested: bool
    proven: Proof | None

    @classmethod
    def of(cls, found: Searched) -> Turn:
        """Without the tree, which holds much memory."""
        return cls(
            found.position,
            found.best,
            found.policy,
            float(found.policy[found.actions] @ found.utilities),
            found.mean,
            bool(found.utilities[0] < found.utilities.max() - TEST),
            found.proven,
        )


@dataclass
class Game:
    """One game: where it is, and its turns since the opening."""

    position: Any
    turns: list[Turn] = field(default_factory=list)


#: How much of a position's value is what its own search said; the rest is what came next.
OWN = 0.3
#: How much worse a move must be than the best one to count as a test.
TEST = 0.15


#: Games from which on they are searched in two halves at once: while one half asks the network, which leaves
#: processors idle, the other does what Python does.
HALVED = 16


class SelfPlay:
    """Games in lockstep; one that is over is told and followed by another.

    Args:
        start: the position that games begin with.
        count: games side by side.
        settings: of the searches.
        openings: most random moves that a game begins with; drawn evenly from none to so many.
        seed: of everything that is drawn.
        halves: whether many games are searched in two threads; a process beside others leaves it.
    """

    def __init__(
        self,
        start: Any,
        count: int,
        settings: SearchSettings,
        openings: int = 0,
        seed: int = 0,
        halves: bool = True,
    ) -> None:
        self.start, self.settings, self.openings = start, settings, openings
        self.halves = halves and count >= HALVED
        self.random = np.random.default_rng(seed)
        self.games = [self._opened() for _ in range(count)]
        self.finished = 0

    def _opened(self) -> Game:
        while True:
            position = self.start
            for _ in range(int(self.random.integers(self.openings + 1))):
                position = position.play(int(self.random.choice(np.flatnonzero(position.legal()))))
                if position.finished:
                    break
            else:
                return Game(position)

    def turn(self, evaluate: Evaluate) -> list[Game]:
        """Plays one move in every game; gives those that are over by it."""
        roots = [game.position for game in self.games]
        seeds = self.random.integers(2**31, size=len(roots)).tolist()
        over: list[Game] = []
        for place, found in enumerate(self._searched(roots, seeds, evaluate)):
            game = self.games[place]
            game.turns.append(Turn.of(found))
            game.position = game.position.play(found.best)
            if game.position.finished:
                over.append(game)
                self.games[place] = self._opened()
        self.finished += len(over)
        return over

    def _searched(self, roots: list[Any], seeds: list[int], evaluate: Evaluate) -> list[Searched]:
        if not self.halves:
            return search(roots, evaluate, self.settings, seeds)
        middle = len(roots) // 2
        with ThreadPoolExecutor(1) as beside:
            other = beside.submit(search, roots[middle:], evaluate, self.settings, seeds[middle:])
            return search(roots[:middle], evaluate, self.settings, seeds[:middle]) + other.result()


def lessons_of(game: Game, discount: float) -> Samples:
    """What a finished game teaches of each of its positions.

    Args:
        game: whose last position is over.
        discount: what a value keeps with each ply.
    """
    player = game.position.player
    value = float(game.position.value()) * SIGNS[player]
    chances = _certain(value)
    values, wdls = [], []
    for turn in reversed(game.turns):
        if turn.position.player != player:
            player, value, chances = turn.position.player, -value, chances[::-1]
        value *= discount
        if turn.proven is not None:
            value = turn.proven.value * discount**turn.proven.plies
            chances = _certain(turn.proven.value)
        else:
            own = 1.0 if turn.tested else OWN
            value = own * turn.value + (1 - own) * value
            chances = own * turn.mean + (1 - own) * chances
        values.append(value)
        wdls.append(chances)
    positions = [turn.position for turn in game.turns]
    return Samples(
        type(positions[0]).observations(positions).astype("float16"),
        np.array([turn.policy for turn in game.turns], "float16"),
        np.array(wdls[::-1], "float16"),
        np.array(values[::-1], "float32"),
    )


def _certain(value: float) -> np.ndarray:
    return np.array([value == 1, value == 0, value == -1], "float64")


class Replay:
    """The newest samples, in arrays that are written around.

    Args:
        capacity: samples that are kept.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity, self.size, self.next, self.added = capacity, 0, 0, 0
        self.samples: Samples | None = None

    def add(self, samples: Samples) -> None:
        """Writes samples over the oldest ones."""
        if self.samples is None:
            self.samples = Samples(
                *(
                    np.zeros(
                        (self.capacity, *getattr(samples, e.name).shape[1:]), getattr(samples, e.name).dtype
                    )
                    for e in fields(samples)
                )
            )
        rows = (self.next + np.arange(len(samples))) % self.capacity
        for entry in fields(samples):
            getattr(self.samples, entry.name)[rows] = getattr(samples, entry.name)
        self.next = int(self.next + len(samples)) % self.capacity
        self.size = min(self.size + len(samples), self.capacity)
        self.added += len(samples)

    def draw(self, count: int, random: np.random.Generator) -> Samples:
        """Some samples, each as likely as the others."""
        assert self.samples is not None
        return self.samples[random.integers(self.size, size=count)]

    def tensors(self, most: int) -> dict[str, np.ndarray]:
        """The newest samples for a checkpoint, the oldest of them first."""
        if self.samples is None:
            return {}
        count = min(self.size, most)
        rows = (self.next - count + np.arange(count)) % self.capacity
        return {f"replay.{e.name}": getattr(self.samples, e.name)[rows] for e in fields(Samples)}
