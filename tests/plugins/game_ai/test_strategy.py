"""The task: answers, options, live, explanations, learning, playing, the starters, bad input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyspiel
import pytest
import strategy_reference as reference

import sixarts as sa
from sixarts.cli import main
from sixarts.errors import InputError, OptionError, TrainingError
from sixarts_game_ai.board_recipe import solved
from sixarts_game_ai.games import start_of
from sixarts_game_ai.ladder import match, random_player, searching
from sixarts_game_ai.strategy_play import Session


@pytest.fixture(scope="module")
def play() -> Any:
    return sa.load("game-strategy", game="connect_four", simulations=120, device="cpu")


@pytest.fixture(scope="module")
def noughts() -> Any:
    return sa.load("game-strategy", game="tic-tac-toe", device="cpu")


def test_the_inputs_notation_comes_back(play: Any) -> None:
    text, numbers = play("4455"), play([3, 3, 4, 4])
    assert text.action in ("3", "6")
    assert numbers.action == text.number == int(text.action) - 1
    assert play({"moves": "4455"}).action == text.action
    assert play({"moves": [3, 3, 4, 4]}).action == text.number
    assert text.notation == f"x{text.number}"
    state = pyspiel.load_game("connect_four").new_initial_state()
    for action in (3, 3, 4, 4):
        state.apply_action(action)
    assert play(state).number == text.number
    state.apply_action(text.number)
    assert text.proven == "win in 3"
    assert (text.value, text.wdl) == (1.0, (1.0, 0.0, 0.0))
    assert len(text.variation) == 3
    assert "win in 3" in str(text)


def test_shares_and_values(play: Any) -> None:
    move = play("44")
    assert move.simulations == 120
    assert sum(move.visits.values()) == 120
    assert np.isclose(sum(move.policy.values()), 1, atol=1e-4)
    assert next(iter(move.policy)) == move.action
    assert np.isclose(sum(move.wdl), 1, atol=1e-5)
    assert np.isclose(move.value, move.wdl[0] - move.wdl[2], atol=1e-5)
    assert move.proven is None
    assert set(move.visits) == set("1234567")
    board = start_of("connect_four").play(3).play(3)
    for name in move.variation:
        board = board.play(board.parse(name))


def test_many_inputs_and_none(play: Any) -> None:
    assert play([]) == []
    many = play(["44", [3, 3], {"moves": "44"}])
    assert [move.number for move in many] == [many[0].number] * 3
    with pytest.raises(InputError, match="input 1: "):
        play(["44", "48"])


def test_live_deepens(play: Any) -> None:
    counts = [move.simulations for move in play.live("44")]
    assert counts == sorted(counts)
    assert len(counts) > 3
    assert counts[-1] == 120


def test_budgets_and_temperature(play: Any) -> None:
    assert play("44", simulations=7).simulations == 7
    assert play("44", simulations=10_000_000, seconds=0.05).simulations < 10_000_000
    drawn = {play("44", temperature=3.0, simulations=40, seed=seed).action for seed in range(12)}
    assert len(drawn) > 1
    one, other = (play("44", temperature=3.0, seed=4, simulations=40) for _ in range(2))
    assert one == other
    # What wins for sure is played whatever is drawn.
    assert {play("4455", temperature=100.0, seed=seed).proven for seed in range(3)} == {"win in 3"}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"simulations": 0}, "simulations=0; expected 1 to 10,000,000"),
        ({"seconds": 0.0}, "seconds=0.0; expected more than 0"),
        ({"temperature": -1.0}, "temperature=-1.0; expected 0 to 100"),
        ({"seed": -1}, "seed=-1"),
        ({"lanes": 0}, "lanes=0"),
        ({"exploration": 0.0}, "exploration=0.0"),
        ({"root": "ucb"}, "expected one of 'auto', 'puct', 'gumbel'"),
        ({"root": "gumbel", "simulations": 10**6}, "expected 100,000 at most"),
        ({"simulation": 5}, "the nearest: simulations"),
    ],
)
def test_bad_options(play: Any, wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError) as told:
        play("44", **wrong)
    assert words in str(told.value)


@pytest.mark.parametrize(
    ("game", "words"),
    [
        ("connect_fuor", "the nearest: connect_four"),
        ("backgammon", "a game of chance"),
        ("dark_chess", "hidden information"),
        ("hex(size=3)", "no parameter 'size'"),
        ("othello", "no model in the catalog with game='othello'; there are:"),
        (5, "expected a name"),
    ],
)
def test_games_without_a_model(game: Any, words: str) -> None:
    with pytest.raises(OptionError) as told:
        sa.load("game-strategy", game=game)
    assert words in str(told.value)


def test_a_position_of_another_game(play: Any, noughts: Any) -> None:
    for task, x in (
        (play, pyspiel.load_game("tic_tac_toe").new_initial_state()),
        (noughts, start_of("connect_four")),
        (noughts, {"game": "hex", "moves": ""}),
    ):
        with pytest.raises(InputError, match="expected one of"):
            task(x)


# Explaining.


def test_explanations_are_of_the_board(play: Any, tmp_path: Path) -> None:
    for method in ("integrated_gradients", "occlusion"):
        for target, label in ((None, "move"), ("value", "value"), ("3", "move 3")):
            found = play.explain("4455", method, target, simulations=20)
            assert found.values.shape == (1, 42)
            assert found.target_labels[0].startswith(label)
            # Empty cells count for nothing: their planes are empty already.
            filled = np.zeros((6, 7), bool)
            filled[:2, 3:5] = True
            assert not found.values.reshape(6, 7)[~filled].any()
            found.plot().savefig(tmp_path / "why.png", dpi=40)
        with pytest.raises(InputError, match=r"illegal|expected"):
            play.explain("444444", method, "4")
        with pytest.raises(OptionError, match="expected 'move', 'value', or a move"):
            play.explain("44", method, 3.5)
    tree = play.explain("44", "tree")
    assert np.isclose(tree.values.sum(), 1, atol=1e-6)
    with pytest.raises(OptionError, match="expected 'visits'"):
        play.explain("44", "tree", "move")


def test_pictures_of_unlike_games(tmp_path: Path) -> None:
    for game in ("tic_tac_toe", "hex(board_size=3)", "breakthrough(columns=6,rows=6)"):
        task = reference.new(game)
        task.begin(None)
        move = task({"moves": ""}, simulations=30)
        move.plot().savefig(tmp_path / "board.png", dpi=40)
        move.plot_tree().savefig(tmp_path / "tree.png", dpi=40)
        assert move.game == game


# Learning from examples.


def test_fit_learns_moves_and_values() -> None:
    task = reference.new(filters=16)
    entries = [(position, value) for position, value in solved(start_of("tic_tac_toe")).values()]
    draw = np.random.default_rng(0).permutation(len(entries))
    examples = [(list(entries[i][0].history) or {"moves": ""}, {"value": float(entries[i][1])}) for i in draw]
    history = task.fit(
        examples[:600],
        examples[600:800],
        epochs=6,
        batch_size=64,
        learning_rate=5e-3,
        mirror=True,
        progress=False,
    )
    assert history.metrics["val_loss"][-1] < history.metrics["val_loss"][0] - 0.1
    assert "a network for tic_tac_toe" in history.replaced
    # Eight simulations prove little: the network tells the rest.
    found = task.evaluate(examples[800:830], simulations=8, progress=False)
    assert found["value"].value > 0.5


def test_targets(play: Any) -> None:
    found = play.evaluate(
        [
            ("4455", "3"),
            ("4455", ["3", "6"]),
            ("4455", 2),
            ("4455", 1.0),
            ("4455", {"scores": {"3": 18, "6": 18, "1": -2}}),
        ],
        progress=False,
    )
    assert set(found.values) == {"best", "value", "kept"}
    assert found["kept"].value == found["value"].value == 1
    for bad, words in (
        ("8", "expected 1 to 7"),
        ({"worst": "3"}, "expected a move"),
        ({}, "expected a move"),
        (2.0, "expected -1"),
        ({"value": "won"}, "expected a number"),
        ([], "no best move"),
        ({"scores": {"3": float("nan")}}, "expected a number"),
        (None, "of type NoneType"),
    ):
        with pytest.raises(InputError) as told:
            play.evaluate([("4455", "3"), ("4455", bad)])
        assert told.value.index == 1
        assert words in str(told.value)
    with pytest.raises(InputError, match="expected a pair"):
        play.evaluate(["4455"])


def test_a_new_task_needs_to_learn() -> None:
    task = reference.new()
    with pytest.raises(TrainingError, match="fit"):
        task("5")
    with pytest.raises(OptionError, match="no setting 'filter'"):
        sa.new("game-strategy", family="alphazero", filter=3)


def test_trained_tasks_save_and_load(tmp_path: Path) -> None:
    task = reference.new("hex(board_size=3)")
    task.train(iterations=1, positions=60, games=8, simulations=8, batch_size=16, progress=False)
    again = sa.load("game-strategy", task.save(tmp_path / "hex"), device="cpu")
    assert again("b2").to_dict() == task("b2").to_dict()
    assert again.model.processor.game == "hex(board_size=3)"


# Playing.


def typed(*lines: str) -> Any:
    waiting = iter(lines)
    return lambda question: next(waiting, None)


def test_a_person_plays(noughts: Any) -> None:
    told = list(Session(noughts, True, "").go(typed("5", "5", "hint", "z9", "", "undo", "1", "undo", "quit")))
    text = "\n".join(told)
    assert "expected one of" in text
    assert "simulations" in text
    assert told[-1] == "bye"
    # Against a mistake it wins; otherwise nobody does.
    session = Session(noughts, False, "5 2")
    told = list(session.go(typed("3", "4", "6", "7", "8", "9", "1", "2")))
    assert told[-1] in ("You lost.", "A draw.")
    assert list(Session(noughts, True, "").go(typed("undo")))[1] == "There is nothing to take back."


def test_the_command_plays(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    waiting = iter(["9", "quit"])
    monkeypatch.setattr("builtins.input", lambda question: next(waiting))
    assert main(["play", "tic_tac_toe", "--simulations", "60", "--start", "1425"]) == 0
    told = capsys.readouterr().out
    assert "Type a move, or: quit" in told
    assert "model: " in told


# The starters.


def test_tic_tac_toe_is_never_lost(noughts: Any) -> None:
    """Every position after few or many moves has its solved value, and no move gives it away."""
    entries = list(solved(start_of("tic_tac_toe")).items())
    known = {key: value for key, (_, value) in entries}
    picked = np.random.default_rng(1).choice(len(entries), 150, replace=False)
    positions = [entry[1][0] for entry in entries[:6]] + [entries[i][1][0] for i in picked]
    for move, position in zip(noughts(positions), positions, strict=True):
        value = known[position.key()]
        assert int(np.argmax(move.wdl)) == 1 - value
        after = position.play(move.number)
        left = after.value() * (1 - 2 * position.player) if after.finished else -known[after.key()]
        assert left == value
    ours = searching(noughts.evaluator(noughts.options), noughts.options.settings(noughts.model.processor))
    assert match(ours, random_player(3), [start_of("tic_tac_toe")] * 10).losses == 0


def test_connect_four_sees_tactics(play: Any) -> None:
    for moves, best, proven in (
        ("112233", "4", "win in 1"),
        ("4455", None, "win in 3"),
        ("172737", "4", "win in 1"),
        ("44444326", None, None),
    ):
        move = play(moves)
        assert best is None or move.action == best
        assert proven is None or move.proven == proven
    assert play("").action == "4"
    assert play("", simulations=800).value > 0
