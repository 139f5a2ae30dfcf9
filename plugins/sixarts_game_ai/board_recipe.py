"""The recipes of the board games' starters: self-play, then measuring the weights that ship, and the card.

Self-play needs no data: that of ``connect-four`` judges alone. A run that is killed goes on. It takes the
iterations of its plan; ``SIXARTS_MINUTES`` ends it earlier (0 measures what a run left in its folder), and
with ``SIXARTS_WORKERS`` as many processes play beside the one that learns.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sixarts.card import Measured as OnCard
from sixarts.classification import wilson
from sixarts.result import Metric, Metrics
from sixarts_game_ai import board_cards
from sixarts_game_ai.board_plans import PLANS
from sixarts_game_ai.self_play_learner import Learner
from sixarts_game_ai.self_play_learning import reinforce


def learn(name: str, folder: Path, minutes: float | None, workers: int) -> Any:
    """Learns a starter's network by self-play, or goes on; its newest weights lie in ``newest.npz``."""
    from sixarts_game_ai.fresh_model import fresh_model
    from sixarts_game_ai.games import start_of
    from sixarts_game_ai.self_play_crew import NEWEST, publish

    plan = PLANS[name]
    folder.mkdir(parents=True, exist_ok=True)
    model = fresh_model(plan.game, plan.network)
    begun = time.monotonic()

    def told(learner: Learner) -> dict[str, float]:
        last = {key: round(values[-1], 4) for key, values in learner.metrics.items() if "loss" in key}
        publish(learner.network, folder / NEWEST)
        print(f"{name} {time.monotonic() - begun:.0f} s: {learner.place} {last}", flush=True)
        return {}

    training = replace(plan.training, minutes=minutes, workers=workers, folder=folder, progress=False)
    print(f"{name}: {reinforce(model, start_of(plan.game), training, told)}", flush=True)
    return model


# Connect Four.

#: Test sets of Pascal Pons whose columns are all scored; files that end otherwise tell positions alone.
SETS = {
    "L1_R1": "Test_L1_R1_first200.percolumn.txt",
    "L2_R1": "Test_L2_R1.percolumn.txt",
    "L3_R1": "Test_L3_R1.percolumn.txt",
}


def scored(data: Path, name: str) -> list[tuple[str, dict[str, Any]]]:
    """Positions of a test set with the score of each column."""
    found = []
    for line in (data / SETS[name]).read_text(encoding="utf-8").splitlines():
        moves, _, *columns = line.split()
        scores = {str(place): int(score) for place, score in enumerate(columns, 1) if score != "x"}
        found.append((moves, {"scores": scores}))
    return found


# Shipping.


def shipped(name: str, folder: Path) -> Any:
    """The task on half-precision weights, from what was learned in a folder."""
    import sixarts as sa
    from sixarts.plugins import registry
    from sixarts_game_ai.fresh_model import fresh_model
    from sixarts_game_ai.self_play_crew import NEWEST, read_newest
    from sixarts_game_ai.strategy import StrategyTask

    minutes = float(os.environ["SIXARTS_MINUTES"]) if "SIXARTS_MINUTES" in os.environ else None
    workers = int(os.environ.get("SIXARTS_WORKERS", "0"))
    plan = PLANS[name]
    if minutes != 0:
        model = learn(name, folder, minutes, workers)
    else:
        model = read_newest(fresh_model(plan.game, plan.network), folder / NEWEST)
    spec = registry().task("game-strategy")
    task = StrategyTask(spec, model, reference=f"new {name}")
    task.model.stored_dtype = "float16"
    return sa.load("game-strategy", task.save(folder / "draft"), device="cpu")


def against_mcts(task: Any, simulations: int, games: int, plies: int, own: int = 800) -> Any:
    """Games as the first player against OpenSpiel's tree search, from openings of random moves.

    Args:
        simulations: of OpenSpiel's search.
        games: how many.
        plies: random moves that games begin with, so that they differ.
        own: simulations of ours.
    """
    from sixarts_game_ai.games import start_of
    from sixarts_game_ai.ladder import match, openings, spiel_mcts

    game = task.model.processor.game
    start = start_of(game)
    starts = openings(start, games, plies, 0) if plies else [start] * games
    return match(player_of(task, own), spiel_mcts(game, simulations), starts, first="one")


def player_of(task: Any, simulations: int) -> Any:
    """The task as a player of many games side by side."""
    from sixarts_game_ai.evaluator import evaluator
    from sixarts_game_ai.ladder import searching
    from sixarts_game_ai.strategy_options import StrategyOptions

    settings = StrategyOptions(simulations=simulations).settings(task.model.processor)
    return searching(evaluator(task.model, 256), replace(settings, together=True))


# Judging by every position.


def solved(start: Any) -> dict[Any, tuple[Any, int]]:
    """Every reachable position that is not over, by its key, with its value for the player to move."""
    found: dict[Any, tuple[Any, int]] = {}

    def value(position: Any) -> int:
        if position.finished:
            return round(position.value()) * (1 - 2 * position.player)
        key = position.key()
        if key not in found:
            best = max(
                (1 if after.player == position.player else -1) * value(after)
                for after in (position.play(action) for action in position.moves())
            )
            found[key] = (position, best)
        return found[key][1]

    value(start)
    return found


def whole_game(task: Any) -> Metrics:
    """Every reachable position: whether the value is told rightly, and whether the move keeps it."""
    from sixarts_game_ai.games import start_of

    known = solved(start_of(task.model.processor.game))
    positions = [position for position, _ in known.values()]
    moves = list(task.stream(iter(positions), batch_size=64, progress=False))
    told = kept = 0
    for move, (position, value) in zip(moves, known.values(), strict=True):
        told += int(np.argmax(move.wdl)) == 1 - value
        after = position.play(move.number)
        if after.finished:
            left = round(after.value()) * (1 - 2 * position.player)
        else:
            left = known[after.key()][1] * (1 if after.player == position.player else -1)
        kept += left == value
    count = len(known)
    figures = {"value": shared(told, count), "kept": shared(kept, count)}
    protocol = f"search of {task.options.simulations} simulations a move; minimax over all positions"
    return Metrics(figures, protocol, count)


def shared(right: int, count: int) -> Metric:
    """A share with its 95 % interval."""
    return Metric(right / count, *wilson(right, count))


# The starters.


def connect_four(data: Path, folder: Path) -> None:
    """Connect Four, judged by positions whose every column is scored, and by games."""
    task = shipped("connect-four", folder)
    measured = []
    for name in SETS:
        found = task.evaluate(scored(data, name), progress=False)
        print(f"{name}: {found}", flush=True)
        measured.append(OnCard(found, f"Pons's Connect Four test set {name}"))
    games = {f"OpenSpiel's MCTS with {n:,} simulations": against_mcts(task, n, 100, 0) for n in (100, 1000)}
    for name, result in games.items():
        print(f"{name}: {result}", flush=True)
    task.card = str(board_cards.connect_four_card(task, measured, games))
    print(task.save(folder / "connect-four"), flush=True)


def tic_tac_toe(data: Path, folder: Path) -> None:
    """Tic-tac-toe, judged by every position that can be reached, and by games."""
    task = shipped("tic-tac-toe", folder)
    found = whole_game(task)
    print(f"every position: {found}", flush=True)
    games = {"a random player, 500 games on each side": _against_random(task, 500)}
    games["OpenSpiel's MCTS with 100 simulations"] = against_mcts(task, 100, 100, 0)
    for name, result in games.items():
        print(f"{name}: {result}", flush=True)
    task.card = str(board_cards.tic_tac_toe_card(task, found, games))
    print(task.save(folder / "tic-tac-toe"), flush=True)


def breakthrough(data: Path, folder: Path) -> None:
    """Breakthrough on 8 by 8, judged by games against OpenSpiel's search."""
    task = shipped("breakthrough", folder)
    games = {"OpenSpiel's MCTS with 1,000 simulations": against_mcts(task, 1000, 100, 4)}
    for name, result in games.items():
        print(f"{name}: {result}", flush=True)
    task.card = str(board_cards.breakthrough_card(task, games))
    print(task.save(folder / "breakthrough"), flush=True)


def _against_random(task: Any, games: int) -> Any:
    from sixarts_game_ai.games import start_of
    from sixarts_game_ai.ladder import match, random_player

    start = start_of(task.model.processor.game)
    return match(player_of(task, 800), random_player(0), [start] * games, first="both")
