"""Matches between players of a game, side by side in one batch, and Elo from their results."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from sixarts.classification import wilson
from sixarts_game_ai.evaluator import evaluator
from sixarts_game_ai.search import Evaluate, search
from sixarts_game_ai.search_settings import SearchSettings


class Player(Protocol):
    """Chooses moves for several positions of one game."""

    def __call__(self, positions: Sequence[Any]) -> list[int]: ...


def searching(
    evaluate: Evaluate, settings: SearchSettings, seed: int = 0
) -> Callable[[Sequence[Any]], list[int]]:
    """A player that searches."""

    def choose(positions: Sequence[Any]) -> list[int]:
        return [found.best for found in search(positions, evaluate, settings, seed)]

    return choose


def random_player(seed: int = 0) -> Callable[[Sequence[Any]], list[int]]:
    """A player that plays anything legal."""
    random = np.random.default_rng(seed)
    return lambda positions: [int(random.choice(np.flatnonzero(each.legal()))) for each in positions]


def spiel_mcts(game: str, simulations: int, seed: int = 0) -> Callable[[Sequence[Any]], list[int]]:
    """OpenSpiel's own tree search with random playouts and its solver, as its examples set it up."""
    import pyspiel

    loaded = pyspiel.load_game(game)
    judge = pyspiel.RandomRolloutEvaluator(1, seed)
    bot = pyspiel.MCTSBot(loaded, judge, 2.0, simulations, 1000, True, seed, False)

    def choose(positions: Sequence[Any]) -> list[int]:
        found = []
        for position in positions:
            state = loaded.new_initial_state()
            for action in position.history:
                state.apply_action(action)
            found.append(int(bot.step(state)))
        return found

    return choose


class Match:
    """Results of games between two players.

    Attributes:
        wins, draws, losses: of the first player that was named.
    """

    def __init__(self, wins: int, draws: int, losses: int) -> None:
        self.wins, self.draws, self.losses = wins, draws, losses

    @property
    def games(self) -> int:
        return self.wins + self.draws + self.losses

    @property
    def score(self) -> float:
        """Wins and half of the draws, as a share of the games."""
        return (self.wins + self.draws / 2) / self.games

    @property
    def elo(self) -> float:
        """How much stronger the first player is; a game is added to each side, so that it is finite."""
        share = (self.wins + self.draws / 2 + 0.5) / (self.games + 1)
        return 400 * math.log10(share / (1 - share))

    def __str__(self) -> str:
        low, high = wilson(self.wins, self.games)
        return (
            f"{self.wins} won, {self.draws} drawn, {self.losses} lost of {self.games} "
            f"(won {self.wins / self.games:.3f} [{low:.3f}, {high:.3f}]; Elo {self.elo:+.0f})"
        )


def match(one: Player, other: Player, starts: Sequence[Any], first: str = "both") -> Match:
    """Plays games side by side.

    Args:
        one, other: the players.
        starts: positions that games begin with.
        first: who moves there: ``"one"``, ``"other"``, or ``"both"``: each start is played twice.
    """
    games = [(start, 0) for start in starts if first in ("one", "both")]
    games += [(start, 1) for start in starts if first in ("other", "both")]
    # Who plays whom: the player that is to move at the start is ``one`` where the mark is 0.
    sides = [start.player if mark == 0 else 1 - start.player for start, mark in games]
    positions = [start for start, _ in games]
    while True:
        for player, side in ((one, 0), (other, 1)):
            mine = [
                place
                for place, position in enumerate(positions)
                if not position.finished and (position.player == sides[place]) == (side == 0)
            ]
            if mine:
                for place, action in zip(mine, player([positions[place] for place in mine]), strict=True):
                    positions[place] = positions[place].play(action)
        if all(position.finished for position in positions):
            break
    results = [position.value() * (1 - 2 * side) for position, side in zip(positions, sides, strict=True)]
    return Match(results.count(1.0), results.count(0.0), results.count(-1.0))


def openings(start: Any, count: int, plies: int, seed: int) -> list[Any]:
    """Positions after random moves, all different where there are enough."""
    random = np.random.default_rng(seed)
    found: dict[Any, Any] = {}
    tries = 0
    while len(found) < count and tries < 50 * count:
        tries += 1
        position = start
        for _ in range(plies):
            if position.finished:
                break
            position = position.play(int(random.choice(np.flatnonzero(position.legal()))))
        if not position.finished:
            key = position.key()
            found.setdefault(position.history if key is None else key, position)
    made = list(found.values())
    return [made[place % len(made)] for place in range(count)]


class Ladder:
    """Plays what learns against its earlier selves and a random player, every few iterations.

    Args:
        model: what learns.
        start: the position that games begin with.
        training: ``ladder`` says how often.
    """

    GAMES, PLIES = 16, 2

    def __init__(self, model: Any, start: Any, training: Any) -> None:
        self.model, self.start, self.training = model, start, training
        self.settings = replace(training.search(model.config["discount"]), gumbel_noise=0.0)
        self.before: list[np.ndarray] | None = None
        self.elo = 0.0

    def __call__(self, learner: Any) -> dict[str, float]:
        """The Elo above the first self, ``nan`` between matches."""
        from sixarts_game_ai.self_play_learner import as_array

        if self.before is not None and learner.place["iteration"] % self.training.ladder:
            return {"elo": math.nan}
        now = [as_array(variable) for variable in self.model.network.variables]
        if self.before is not None:
            starts = openings(self.start, self.GAMES, self.PLIES, self.training.seed)
            new = searching(evaluator(self.model, 2 * self.GAMES), self.settings)
            old = self._frozen(self.before)
            self.elo += match(new, old, starts).elo
        self.before = now
        return {"elo": self.elo}

    def _frozen(self, values: Sequence[np.ndarray]) -> Player:
        other = type(self.model)(self.model.config, self.model.processor, self.model.device)
        for variable, value in zip(other.network.variables, values, strict=True):
            variable.assign(value)
        return searching(evaluator(other, 2 * self.GAMES), self.settings)
