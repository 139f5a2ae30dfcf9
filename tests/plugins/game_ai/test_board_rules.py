"""Positions: our quick boards against OpenSpiel's rules, and what people give for a position."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pyspiel
import pytest

from sixarts.errors import InputError, OptionError
from sixarts_game_ai.board_processor import BoardProcessor
from sixarts_game_ai.connect_four import ConnectFour
from sixarts_game_ai.games import canonical, checked, start_of
from sixarts_game_ai.positions import read_position, readable
from sixarts_game_ai.spiel import SpielPosition

pytestmark = pytest.mark.quick

QUICK = ("connect_four", "breakthrough(rows=6,columns=6)", "breakthrough")
OTHERS = ("tic_tac_toe", "hex(board_size=4)", "othello", "chess", "checkers", "havannah(board_size=3)")


def playouts(game: str, count: int) -> Any:
    """Pairs of OpenSpiel's state and our position along random games."""
    draw = random.Random(game)
    for _ in range(count):
        state, position = pyspiel.load_game(game).new_initial_state(), start_of(game)
        while not state.is_terminal():
            yield state, position
            action = draw.choice(state.legal_actions())
            state.apply_action(action)
            position = position.play(action)
        yield state, position


@pytest.mark.parametrize("game", QUICK)
def test_quick_boards_keep_openspiels_rules(game: str) -> None:
    for state, position in playouts(game, 40):
        assert position.finished == state.is_terminal()
        assert str(position).split() == str(state).split()
        assert np.flatnonzero(position.legal()).tolist() == state.legal_actions()
        assert position.actions == state.num_distinct_actions()
        if position.finished:
            assert position.value() == state.returns()[0]
            continue
        assert position.player == state.current_player()
        wins, found = _winning(state), position.winning()
        assert found in wins if wins else found is None
        if not wins:
            safe = [a for a in state.legal_actions() if not _winning(state.child(a))]
            told = position.safe()
            assert sorted(told if told is not None else state.legal_actions()) == safe
        for action in state.legal_actions():
            assert position.parse(position.notation(action)) == action
            spelled = getattr(position, "spelled", position.notation)
            assert spelled(action) == state.action_to_string(position.player, action)


def _winning(state: Any) -> list[int]:
    """Moves that win at once, by OpenSpiel."""
    if state.is_terminal():
        return []
    player = state.current_player()
    return [action for action in state.legal_actions() if state.child(action).returns()[player] > 0]


@pytest.mark.parametrize("game", OTHERS)
def test_other_games_are_openspiels(game: str) -> None:
    for state, position in playouts(game, 3):
        assert isinstance(position, SpielPosition)
        assert (position.finished, position.history) == (state.is_terminal(), tuple(state.history()))
        assert np.flatnonzero(position.legal()).tolist() == sorted(state.legal_actions())
        if position.finished:
            assert position.value() == np.sign(state.returns()[0])
        else:
            names = {position.notation(action) for action in position.moves()}
            assert len(names) == len(position.moves())
            assert position.parse(position.notation(position.moves()[-1])) == position.moves()[-1]


def test_equal_keys_are_equal_positions() -> None:
    for game in (*QUICK, "tic_tac_toe", "hex(board_size=3)"):
        seen: dict[Any, Any] = {}
        for state, position in playouts(game, 60 if game == "tic_tac_toe" else 10):
            before = seen.setdefault(position.key(), state.clone())
            assert str(before) == str(state)
            assert before.current_player() == state.current_player()
    # In chess, history decides on repetition: nothing is shared.
    assert start_of("chess").key() is None


def test_observations_tell_positions_apart() -> None:
    for game in (*QUICK, "tic_tac_toe", "hex(board_size=3)", "othello"):
        planes: dict[bytes, Any] = {}
        for _, position in playouts(game, 8):
            if position.finished:
                continue
            found = type(position).observations([position, position])
            assert found.shape[0] == 2
            assert found.ndim == 4
            assert (found[0] == found[1]).all()
            mark = found[0].tobytes()
            assert planes.setdefault(mark, position.key()) == position.key() or game == "connect_four"


@pytest.mark.parametrize("game", ["breakthrough", "breakthrough(rows=6,columns=6)", "tic_tac_toe"])
def test_policies_in_a_mirror(game: str) -> None:
    """What is legal on the swapped board is what is legal, swapped."""
    start = start_of(game)
    processor = BoardProcessor.of(start, 1.0)
    draw = random.Random(3)
    actions = np.arange(start.actions)
    (turned,) = processor.mirrored(actions[None])
    for _ in range(10):
        position = other = start
        while not position.finished:
            assert (processor.mirrored(position.legal()[None])[0] == other.legal()).all()
            planes = type(position).observations([position])
            assert (planes[:, :, ::-1] == type(other).observations([other])).all()
            action = int(draw.choice(np.flatnonzero(position.legal())))
            position, other = position.play(action), other.play(int(np.flatnonzero(turned == action)[0]))


def test_connect_four_in_a_mirror() -> None:
    for _, position in playouts("connect_four", 5):
        turned = position.mirrored()
        assert (ConnectFour.observations([position])[:, :, ::-1] == ConnectFour.observations([turned])).all()
        assert (position.legal()[::-1] == turned.legal()).all()


@pytest.mark.parametrize(
    ("x", "game", "history"),
    [
        ("4455", "connect_four", (3, 3, 4, 4)),
        ("4 4, 55", "connect-four", (3, 3, 4, 4)),
        ("", "connect_four", ()),
        ([3, 3], "connect_four", (3, 3)),
        ((3, "4"), "connect_four", (3, 3)),
        (np.array([3, 3]), "connect_four", (3, 3)),
        ({"moves": "44"}, "connect_four", (3, 3)),
        ({"game": "connect4", "moves": [3]}, "connect_four", (3,)),
        ("519", "tic_tac_toe", (4, 0, 8)),
        ("d3 c3", "othello", (19, 18)),
        ("a1 b2", "hex(board_size=5)", (0, 6)),
        ("a5b4 a2a3", "breakthrough(rows=6,columns=6)", None),
        ("e4 e5 Nf3", "chess", None),
        ("1. e4 e5 2. Nf3", "chess", None),
        ("e2e4 e7e5 g1f3", "chess", None),
        (ConnectFour.start().play(3), "connect_four", (3,)),
    ],
)
def test_what_people_give(x: Any, game: str, history: Any) -> None:
    position = read_position(x, game)
    assert history is None or position.history == history
    if game == "chess":
        assert position.history == read_position("e4 e5 Nf3", game).history


def test_openspiels_states_and_fen() -> None:
    for game in ("connect_four", "tic_tac_toe", "breakthrough(rows=6,columns=6)"):
        for state, position in playouts(game, 2):
            assert read_position(state, game).history == position.history
    fen = "4k3/8/8/8/8/8/4P3/4K3 w - - 0 1"
    assert read_position(f"{fen} e4 Kd7", "chess").player == 1  # white, as OpenSpiel numbers them
    assert read_position({"fen": fen, "moves": "e4"}, "chess").player == 0


@pytest.mark.parametrize(
    ("x", "game", "words"),
    [
        ("48", "connect_four", "move 2: the column '8'; expected 1 to 7"),
        ("4444444", "connect_four", "move 7: the action '4' is illegal"),
        ("11", "tic_tac_toe", "expected one of 2, 3"),
        ("e5", "chess", "move 1: the action 'e5' is illegal"),
        ([9], "connect_four", "move 1: the action 9 is illegal"),
        ([True], "connect_four", "of type bool"),
        (["4", 3.0], "connect_four", "move 2: 3.0 of type float"),
        (3.5, "connect_four", "expected columns 1 to 7"),
        (b"44", "connect_four", "of type bytes"),
        ({"board": "4"}, "connect_four", "expected 'moves'"),
        ({"moves": 4}, "connect_four", "moves='4'"),
        ({"game": "hex", "moves": ""}, "connect_four", "a position of hex; expected one of connect_four"),
        ({"game": 4, "moves": ""}, "connect_four", "game=4"),
        ({"fen": "x", "moves": ""}, "connect_four", "expected a FEN of chess"),
        ("9/8/8/8/8/8/4P3/4K3 w - - 0 1", "chess", "expected a FEN of chess"),
        ("8/8/8/8/8/8/4P3/4K3 w - - 0 1", "chess", "one king of each side"),
        ("4k3/8/8/8/8/8/4P3/4K4 w - - 0 1", "chess", "is not 8 squares long"),
        (start_of("tic_tac_toe"), "connect_four", "a position of tic_tac_toe"),
        ("1" * 5000, "hex", "expected one of"),
        ([0] * 5000, "hex", "5,000 moves; expected 4,096 at most"),
    ],
)
def test_bad_positions_are_named(x: Any, game: str, words: str) -> None:
    with pytest.raises(InputError, match="expected") as told:
        read_position(x, game)
    assert words in str(told.value)


def test_a_state_of_another_game_and_a_finished_one() -> None:
    with pytest.raises(InputError, match="a state of tic_tac_toe"):
        read_position(pyspiel.load_game("tic_tac_toe").new_initial_state(), "connect_four")
    with pytest.raises(InputError, match="won by the first player"):
        readable(read_position("1212121", "connect_four"), "1212121")
    with pytest.raises(InputError, match="expected a position that is not over"):
        read_position("12121212", "connect_four")


@pytest.mark.parametrize(
    ("game", "words"),
    [
        ("connect_fuor", "the nearest: connect_four"),
        ("(hex)", "expected a name"),
        ("qqqq", "is no game of OpenSpiel"),
        ("hex(size=3)", "no parameter 'size'; the nearest: board_size"),
        ("hex(board_size=wide)", "expected other parameters"),
        ("backgammon", "a game of chance"),
        ("kuhn_poker", "a game of"),
        ("dark_chess", "a game of hidden information"),
        ("oshi_zumo", "a game of moves made at once"),
        ("chinese_checkers(players=3)", "3 players"),
        ("morpion_solitaire", "players"),
    ],
)
def test_games_that_cannot_be_searched(game: str, words: str) -> None:
    with pytest.raises(OptionError, match=r"expected|nearest") as told:
        checked(game)
    assert words in str(told.value)


def test_one_spelling_for_one_game() -> None:
    assert canonical(" Connect-Four() ") == canonical("connect4") == "connect_four"
    assert start_of("breakthrough(columns=6, rows=6)").game == start_of("breakthrough(rows=6,columns=6)").game
    assert start_of("breakthrough(columns=8, rows=8)").game == start_of("breakthrough").game == "breakthrough"
    assert start_of("hex(board_size=5)").game == "hex(board_size=5)"
