"""The network on every backend, self-play, what it teaches, and runs that go on after a kill."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import strategy_reference as reference

from everywhere import everywhere
from sixarts.errors import CheckpointError, OptionError, TrainingError
from sixarts_game_ai.alphazero import AlphaZero
from sixarts_game_ai.board_processor import BoardProcessor
from sixarts_game_ai.evaluation import uniform
from sixarts_game_ai.games import start_of
from sixarts_game_ai.ladder import Match, match, openings, random_player, searching, spiel_mcts
from sixarts_game_ai.search_settings import SearchSettings
from sixarts_game_ai.searched import Proof
from sixarts_game_ai.self_play import HALVED, Game, Replay, Samples, SelfPlay, Turn, lessons_of
from sixarts_game_ai.self_play_learner import Learner
from sixarts_game_ai.self_play_options import SelfPlayTraining

#: XLA is left out: see ``without_xla``.
MANY_NETWORKS = True

TINY = {"positions": 120, "games": 16, "simulations": 8, "batch_size": 32, "progress": False}


NETWORKS: list[tuple[str, dict[str, Any]]] = [
    ("connect_four", {"blocks": 2}),
    ("tic_tac_toe", {}),
    ("breakthrough(columns=6,rows=6)", {"filters": 4}),
]


def test_backends_agree_with_plain_numpy(backends: Any) -> None:
    found = everywhere(backends, reference, "outputs", NETWORKS, 3)
    for place, (game, settings) in enumerate(NETWORKS):
        model = reference.filled(game, settings, 3)
        positions = openings(start_of(game), 5, 3, 3)
        wanted = reference.by_hand(model, model.processor.arrays(positions)["planes"])
        for name, outputs in found.items():
            assert outputs[place].keys() == wanted.keys()
            for part, value in wanted.items():
                told = f"{game} on {name}: {part}"
                np.testing.assert_allclose(outputs[place][part], value, rtol=1e-4, atol=1e-4, err_msg=told)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"filters": 0}, "filters=0; expected"),
        ({"filters": 10**9}, "filters=1000000000; expected"),
        ({"blocks": "many"}, "blocks='many'"),
        ({"planes": [6, 7]}, "rows, columns and planes"),
        ({"planes": [6, 7, 10**9]}, "rows, columns and planes"),
        ({"discount": 2}, "discount=2"),
        ({"game": 5}, "game=5"),
    ],
)
def test_bad_configurations(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(CheckpointError) as told:
        AlphaZero.configure(**wrong)
    assert words.split("=")[0] in str(told.value)


def test_a_network_for_another_game() -> None:
    model = reference.filled("hex(board_size=3)", {}, 0)
    with pytest.raises(ValueError, match="for a network of hex"):
        model.processor.check(start_of("hex(board_size=4)"))
    with pytest.raises(OptionError, match="columns or cells"):
        BoardProcessor.of(start_of("chess"), 1.0).mirrored(np.zeros((1, 4674)))


def test_lessons_lead_the_end_back() -> None:
    """Every position of a game of known proofs and values, by hand."""
    start = start_of("connect_four")
    positions = [start]
    for action in (0, 1, 0, 1, 0, 1, 0):
        positions.append(positions[-1].play(action))
    blank, mean = np.full(7, 1 / 7), np.array([0.5, 0.3, 0.2])
    turns = [Turn(position, 0, blank, 0.2, mean, False, None) for position in positions[:-1]]
    turns[4] = turns[4]._replace(proven=Proof(1, 3))
    turns[1] = turns[1]._replace(tested=True)
    found = lessons_of(Game(positions[-1], turns), 0.9)
    assert found.planes.shape == (7, 6, 7, 2)
    value = 0.9  # the last move wins
    wanted = [0.3 * 0.2 + 0.7 * value]
    value = wanted[-1]
    wanted.append(0.3 * 0.2 + 0.7 * 0.9 * -value)
    wanted.append(0.9**3)  # proven
    wanted.append(0.3 * 0.2 + 0.7 * 0.9 * -(0.9**3))
    wanted.append(0.3 * 0.2 + 0.7 * 0.9 * -wanted[-1])
    wanted.append(0.2)  # a test says nothing of what stands before it
    wanted.append(0.3 * 0.2 + 0.7 * 0.9 * -0.2)
    np.testing.assert_allclose(found.value, wanted[::-1], rtol=1e-5)
    np.testing.assert_allclose(found.wdl[4], [1, 0, 0])
    np.testing.assert_allclose(found.wdl[6], 0.3 * mean + 0.7 * np.array([1, 0, 0]), atol=1e-3)
    np.testing.assert_allclose(found.wdl[1], mean, atol=1e-3)
    np.testing.assert_allclose(found.wdl.sum(axis=1), 1, atol=2e-3)


def test_self_play_goes_on_game_after_game() -> None:
    settings = SelfPlayTraining(simulations=6).search(0.98)
    # In two halves, and all together: a search does not hang on its companions.
    play = SelfPlay(start_of("connect_four"), HALVED, settings, openings=6, seed=1)
    again = SelfPlay(start_of("connect_four"), HALVED, settings, openings=6, seed=1, halves=False)
    assert play.halves and not again.halves
    over: list[Game] = []
    for _ in range(45):
        mine, other = play.turn(uniform), again.turn(uniform)
        assert [game.position.history for game in mine] == [game.position.history for game in other]
        over += mine
    assert len(over) == play.finished > HALVED
    for game in over:
        assert game.position.finished
        assert len({turn.position.history for turn in game.turns}) == len(game.turns)
        samples = lessons_of(game, 0.98)
        assert len(samples) == len(game.turns)
        assert np.isfinite(samples.value).all()
        assert np.abs(samples.value).max() <= 1
        np.testing.assert_allclose(samples.policy.sum(axis=1), 1, atol=5e-3)
    assert len({game.position.history for game in over}) > len(over) // 2


def test_replay_keeps_the_newest() -> None:
    def some(first: int, count: int) -> Samples:
        rows = np.arange(first, first + count, dtype="float32")
        return Samples(rows[:, None, None, None], rows[:, None], np.zeros((count, 3)), rows)

    replay = Replay(10)
    replay.add(some(0, 7))
    replay.add(some(7, 7))
    assert replay.size == 10
    assert sorted(replay.tensors(10)["replay.value"].tolist()) == list(range(4, 14))
    assert replay.tensors(3)["replay.value"].tolist() == [11, 12, 13]
    drawn = replay.draw(500, np.random.default_rng(0))
    assert set(drawn.value.tolist()) == set(range(4, 14))
    assert (drawn.value == drawn.planes[:, 0, 0, 0]).all()


def test_it_learns_and_goes_on_after_a_kill(tmp_path: Path) -> None:
    """A run that is cut short goes on with weights, optimizer and replay as they were."""
    task = reference.new()
    folder = tmp_path / "run"
    told: list[int] = []

    def killed(learner: Any) -> dict[str, float]:
        told.append(learner.place["iteration"])
        if len(told) == 2:
            shutil.copytree(folder, tmp_path / "left")
            raise KeyboardInterrupt
        return {}

    from sixarts_game_ai.self_play_learning import reinforce

    task.begin(None)
    training = SelfPlayTraining(iterations=4, folder=folder, seed=5, **TINY)
    history = reinforce(task.model, start_of("tic_tac_toe"), training, killed)
    assert history.stopped == "interrupted"
    # What a kill leaves is the checkpoint of the iteration before, whole.
    left = Learner(reference.new_built(), replace(training, folder=tmp_path / "left"))
    assert left.place["iteration"] == 1
    assert left.replay.size >= TINY["positions"]
    assert left.place["step"] > 0
    resumed = reference.new()
    history = resumed.train(iterations=4, folder=str(tmp_path / "left"), seed=5, **TINY)
    assert history.stopped == "iterations"
    assert len(history.metrics["loss"]) == 4
    assert history.metrics["positions"][0] < history.metrics["positions"][3]
    assert np.mean(history.metrics["loss"][2:]) < history.metrics["loss"][0]
    assert "Self-play of tic_tac_toe" in resumed.record.trained[-1]
    with pytest.raises(TrainingError, match="other options"):
        reference.new().train(iterations=4, folder=str(tmp_path / "left"), seed=6, **TINY)
    notes = json.loads(next((tmp_path / "left").glob("checkpoint-*/state.json")).read_text())
    assert notes["place"]["iteration"] == 4


def test_a_crew_plays_for_the_learner(tmp_path: Path) -> None:
    task = reference.new("connect_four")
    history = task.train(iterations=2, workers=1, folder=tmp_path, mirror=True, openings=8, **TINY)
    assert history.stopped == "iterations"
    assert all(map(math.isfinite, history.metrics["loss"]))
    assert history.metrics["games"][-1] > 0
    assert (tmp_path / "newest.npz").exists()
    assert task("44", simulations=20).simulations == 20


def test_ladder_measures_strength() -> None:
    history = reference.new().train(iterations=3, ladder=2, **TINY)
    elo = history.metrics["elo"]
    assert len(elo) == 3
    assert elo[0] == 0
    assert math.isfinite(elo[1])
    assert math.isnan(elo[2])
    assert history.plot().axes
    assert "3 iterations" in str(history)


def test_matches() -> None:
    start = start_of("tic_tac_toe")
    # With so many, the search keeps the value of every position that can be reached.
    strong = searching(uniform, SearchSettings(simulations=300, lanes=1))
    found = match(strong, random_player(1), [start] * 12)
    assert found.games == 24
    assert found.losses == 0
    assert found.wins > 15
    assert found.elo > 200
    assert "24" in str(found)
    reverse = match(random_player(1), strong, [start] * 6, first="one")
    assert reverse.wins == 0
    bot = spiel_mcts("connect_four", 50)
    single = match(bot, random_player(0), [start_of("connect_four")] * 4, first="other")
    assert single.wins + single.draws + single.losses == 4
    assert Match(5, 0, 5).elo == 0


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"iterations": 0}, "iterations=0; expected 1 or more"),
        ({"minutes": 0.0}, "minutes=0.0; expected more than 0"),
        ({"reuse": 0.0}, "reuse=0.0"),
        ({"workers": 2}, "workers without a folder"),
        ({"openings": -1}, "openings=-1"),
        ({"itertions": 3}, "the nearest: iterations"),
    ],
)
def test_bad_training_options(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError) as told:
        reference.new().train(**wrong)
    assert words in str(told.value)


def test_training_another_game_is_refused() -> None:
    task = reference.new()
    task.begin(None)
    with pytest.raises(OptionError, match="for a model of tic_tac_toe"):
        task.train("connect_four", iterations=1)
    with pytest.raises(OptionError, match="a game of chance"):
        reference.new().train("backgammon", iterations=1)
