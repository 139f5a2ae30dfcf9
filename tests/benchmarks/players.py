"""What ``bench_games`` measures, in a worker of one backend: the starter's network in unlike hands."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pyspiel
from open_spiel.python.algorithms import mcts

import sixarts as sa
from sixarts_game_ai.connect_four import ConnectFour
from sixarts_game_ai.evaluator import evaluator
from sixarts_game_ai.ladder import openings
from sixarts_game_ai.self_play import SelfPlay
from sixarts_game_ai.self_play_options import SelfPlayTraining

#: Positions that each side searches, after so many random moves; simulations of a move in self-play.
POSITIONS, PLIES, MOVE = 4, 6, 32


@functools.cache
def task() -> Any:
    """The starter, loaded once."""
    return sa.load("game-strategy", game="connect_four", device="cpu")


class OneByOne(mcts.Evaluator):  # type: ignore[misc]
    """The network as OpenSpiel's search asks it: for one position, twice."""

    def __init__(self) -> None:
        self.evaluate_one = evaluator(task().model, 1)
        self.last: tuple[Any, Any] = (None, None)

    def _asked(self, state: Any) -> Any:
        key = tuple(state.history())
        if self.last[0] != key:
            position = ConnectFour.start()
            for action in key:
                position = position.play(action)
            self.last = key, self.evaluate_one([position])
        return self.last[1]

    def evaluate(self, state: Any) -> np.ndarray:
        value = float(self._asked(state).value[0])
        return np.array([value, -value] if state.current_player() == 0 else [-value, value])

    def prior(self, state: Any) -> list[tuple[int, float]]:
        policy = self._asked(state).policy[0]
        return [(action, float(policy[action])) for action in state.legal_actions()]


def searches(simulations: int, repeats: int) -> tuple[list[float], list[float]]:
    """Simulations a second of ours and of OpenSpiel's, in turn."""
    # A win that is there for the taking asks the network for nothing: such positions measure no search.
    drawn = openings(ConnectFour.start(), 4 * POSITIONS, PLIES, 0)
    positions = [position for position in drawn if position.winning() is None][:POSITIONS]
    game = pyspiel.load_game("connect_four")

    def ours() -> int:
        return sum(
            task()(list(position.history), simulations=simulations).simulations for position in positions
        )

    def theirs() -> int:
        for position in positions:
            state = game.new_initial_state()
            for action in position.history:
                state.apply_action(action)
            bot = mcts.MCTSBot(
                game,
                1.25,
                simulations,
                OneByOne(),
                solve=False,
                random_state=np.random.RandomState(0),
                child_selection_fn=mcts.SearchNode.puct_value,
            )
            bot.mcts_search(state)
        return simulations * len(positions)

    return timed(ours, theirs, repeats)


def plays(games: int, repeats: int) -> tuple[list[float], list[float]]:
    """Positions a second in self-play of many games and of one, in turn.

    Games last some twenty moves: after the first round, which does not count, they stand at every stage, as
    in a long run. In the middle of a game the network is asked more than near its end.
    """
    settings = SelfPlayTraining(simulations=MOVE).search(task().model.config["discount"])

    def side(count: int, turns: int) -> Callable[[], int]:
        play = SelfPlay(ConnectFour.start(), count, settings, openings=10, seed=0)
        evaluate = evaluator(task().model, count)

        def run() -> int:
            for _ in range(turns):
                play.turn(evaluate)
            return turns * count

        return run

    return timed(side(games, 24), side(1, 96), repeats)


def timed(one: Callable[[], int], other: Callable[[], int], repeats: int) -> tuple[list[float], list[float]]:
    """How many a second each does, taken in turn after a round that compiles."""
    found: tuple[list[float], list[float]] = ([], [])
    for turn in range(repeats + 1):
        for rates, side in zip(found, (one, other), strict=True):
            begun = time.perf_counter()
            count = side()
            if turn:
                rates.append(count / (time.perf_counter() - begun))
    return found
