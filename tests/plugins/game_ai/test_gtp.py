"""GTP: the protocol, its commands, garbage, and clocks; and records of games with their reviews."""

from __future__ import annotations

import io
import string
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from katago_writer import drawn_file

from sixarts.errors import InputError, OptionError, SixartsError
from sixarts_game_ai.analysis import review
from sixarts_game_ai.go_engine import GoEngine
from sixarts_game_ai.go_rules import GoPosition
from sixarts_game_ai.gtp import ANALYSES, Gtp, fixed_points
from sixarts_game_ai.gtp_clock import Clock
from sixarts_game_ai.gtp_command import serve
from sixarts_game_ai.katago import Katago
from sixarts_game_ai.sgf import read_record

MANY_NETWORKS = True


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Katago:
    return Katago.from_file(drawn_file(tmp_path_factory.mktemp("net"), 10))


@pytest.fixture
def game(model: Katago) -> Gtp:
    return Gtp(GoEngine(model, visits=6, lanes=4), size=7, version="1")


def say(game: Gtp, line: str) -> str:
    return "".join(game.answer(line))


def test_a_game_from_beginning_to_end(game: Gtp) -> None:
    script = [
        ("protocol_version", "= 2"),
        ("7 name", "=7 Sixarts"),
        ("version", "= 1"),
        ("known_command genmove", "= true"),
        ("known_command fly", "= false"),
        ("boardsize 5", "= "),
        ("clear_board", "= "),
        ("komi 0.5", "= "),
        ("play black C3", "= "),
        ("play W c4", "= "),
        ("play b C4", "? illegal move"),
        ("play b Z9", "? invalid coordinate"),
        ("play green C1", "? syntax error; expected a color"),
        ("play b", "? syntax error; expected a color and a vertex"),
        ("12 undo", "=12 "),
        ("undo", "= "),
        ("undo", "? cannot undo"),
        ("fly to the moon", "? unknown command"),
        ("99", "?99 unknown command"),
        ("# only a comment", ""),
        ("  \t ", ""),
        ("play b pass # and a comment", "= "),
        ("play w PASS", "= "),
        ("final_score", "= W+0.5"),
        ("boardsize 20", "? unacceptable size"),
        ("boardsize five", "? syntax error; expected a size"),
        ("komi nan", "? syntax error; expected a komi"),
        ("kata-set-rules house", "? no rules of Go 'house'; expected one of"),
    ]
    for line, expected in script:
        found = say(game, line)
        assert found.startswith(expected), (line, found)
        assert not found or (found.endswith("\n\n") and "\n\n" not in found[:-2])


def test_every_command_is_listed_and_known(game: Gtp) -> None:
    listed = say(game, "list_commands")[2:].split()
    assert {
        *("protocol_version", "name", "version", "known_command", "list_commands", "quit", "boardsize"),
        *("clear_board", "komi", "play", "genmove", "undo", "fixed_handicap", "place_free_handicap"),
        *("set_free_handicap", "final_score", "final_status_list", "time_settings", "time_left"),
        *("loadsgf", "showboard", "reg_genmove", "kgs-genmove_cleanup", *ANALYSES),
    } <= set(listed)
    assert all(say(game, f"known_command {name}") == "= true\n\n" for name in listed)


def test_moves_are_generated_and_trees_go_on(game: Gtp) -> None:
    first = say(game, "genmove b")[2:].strip()
    assert game.position.color(game.position.parse(first)) == 0
    tree = game.engine.tree
    again = say(game, "reg_genmove w")[2:].strip()
    assert len(game.position.history) == 1 and tree is not game.engine.tree
    known = game.engine._known(game.position)
    assert known is not None and known.visits >= 6
    assert game.position.parse(again) in range(game.position.actions)
    assert say(game, "genmove b").startswith("= ")  # a color out of turn
    assert game.position.movers == (0, 0)


def test_moves_are_the_same_every_time(model: Katago) -> None:
    found = []
    for _ in range(2):
        game = Gtp(GoEngine(model, visits=12, lanes=4, seed=3), size=7)
        found.append([say(game, f"genmove {'bw'[turn % 2]}") for turn in range(6)])
    assert found[0] == found[1]


STARS = "D4 Q16 D16 Q4 D10 Q10 K16 K4 K10"


def test_handicap_stones_are_where_the_protocol_puts_them(game: Gtp) -> None:
    names = {size: GoPosition(size).notation for size in (9, 13, 19)}
    assert [names[19](p) for p in fixed_points(19, 9)] == STARS.split(" ")
    assert {names[9](p) for p in fixed_points(9, 5)} == {"C3", "G7", "C7", "G3", "E5"}
    say(game, "boardsize 9")
    assert say(game, "fixed_handicap 3") == "= C3 G7 C7\n\n" and game.position.player == 1
    assert say(game, "fixed_handicap 2").startswith("? board not empty")
    say(game, "clear_board")
    assert say(game, "fixed_handicap 12").startswith("? invalid number")
    assert len(say(game, "place_free_handicap 12")[2:].split()) == 12
    say(game, "clear_board")
    assert say(game, "set_free_handicap A1 A1").startswith("? bad vertex")
    assert say(game, "set_free_handicap A1 B9") == "= \n\n"
    assert game.position.board.stones[0].bit_count() == 2


def test_dead_and_living_stones_are_told_apart(game: Gtp, monkeypatch: pytest.MonkeyPatch) -> None:
    say(game, "boardsize 5")
    for move in ("b B3", "w D3", "b B2", "w D2", "b B4", "w D4", "b B1", "w D1", "b B5", "w D5", "b E3"):
        assert say(game, f"play {move}").startswith("=")
    owned = np.tile(np.array([1.0, 1.0, 0.0, -1.0, -1.0]), (5, 1))
    monkeypatch.setattr(game.engine, "ownership", lambda position: owned)
    assert say(game, "final_status_list dead") == "= E3\n\n"
    assert "E3" not in say(game, "final_status_list alive") and "B1" in say(game, "final_status_list alive")
    assert say(game, "final_status_list sleeping").startswith("? syntax error")
    say(game, "komi 0.5")
    assert say(game, "final_score") == "= W+0.5\n\n"  # ten points each, and komi


def test_a_lost_game_is_given_up(model: Katago, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = GoEngine(model, visits=2, resign=0.4)
    game = Gtp(engine, size=5)
    real = engine.think
    hopeless = np.array([0.01, 0.0, 0.99])
    monkeypatch.setattr(engine, "think", lambda *given: replace(real(*given), wdl=hopeless))
    answers = [say(game, f"genmove {'bw'[turn % 2]}")[2:].strip() for turn in range(12)]
    assert "resign" in answers and answers.index("resign") > 4


def test_clocks_give_time_and_no_more() -> None:
    clock = Clock()
    assert clock.seconds(0, 0, 361) is None
    clock.settle(600, 0, 0)
    early = clock.seconds(0, 0, 361)
    assert early is not None and 2 < early < 12
    clock.left[0] = (3.0, 0)
    assert 0 < clock.seconds(0, 250, 361) < 1  # type: ignore[operator]
    clock.settle(0, 30, 5)
    assert 4 < clock.seconds(0, 0, 361) < 6  # type: ignore[operator]
    clock.left[0] = (10.0, 2)
    assert 3 < clock.seconds(0, 90, 361) < 5  # type: ignore[operator]
    clock.settle(0, 1, 0)
    assert clock.seconds(0, 0, 361) is None


def test_time_ends_a_search(model: Katago) -> None:
    game = Gtp(GoEngine(model, visits=50_000, lanes=4), size=7)
    say(game, "time_settings 2 0 0")
    assert say(game, "genmove b").startswith("= ")
    assert say(game, "time_left b 1 0") == "= \n\n" and say(game, "time_left x 1 0").startswith("?")
    assert say(game, "time_settings -1 0 0").startswith("?")


def test_analysis_tells_of_moves_until_the_next_line(model: Katago) -> None:
    out = io.StringIO()
    lines = ["boardsize 7\n", "play b D4\n", "3 kata-analyze w 10\n", "lz-analyze 10\n"]
    lines += ["kata-genmove_analyze w\n", "showboard\n", "quit\n", "name\n"]
    serve(Gtp(GoEngine(model, visits=8, lanes=4), size=7, version="1"), lines, out)
    told = out.getvalue()
    assert "=3\ninfo move " in told and " scoreLead " in told and " pv " in told and "\nplay " in told
    assert " winrate " in told and told.count("Sixarts") == 0  # nothing after quit
    assert " X " in told or "X" in told


def test_raw_answers_are_told_as_katago_does(game: Gtp) -> None:
    told = say(game, "kata-raw-nn 0")
    assert told.startswith("= symmetry 0\nwhiteWin ") and told.count("\n") == 7 + 7 + 9 + 1


WORDS = (
    "play genmove boardsize komi undo b w black D4 A1 pass 7 5 -1 1e9 resign final_score showboard time_left "
    "clear_board fixed_handicap place_free_handicap set_free_handicap final_status_list dead alive seki "
    "loadsgf /dev/null reg_genmove kata-set-rules japanese kata-raw-nn lz-analyze known_command \x00 é # 12 "
    "time_settings kgs-genmove_cleanup kata-genmove_analyze"
)
words = st.sampled_from(WORDS.split(" "))
garbage = st.one_of(
    st.lists(words, max_size=5).map(" ".join), st.text(max_size=40), st.text(string.printable, max_size=40)
)


@settings(derandomize=True, max_examples=40, deadline=None, database=None)
@given(lines=st.lists(garbage, min_size=1, max_size=8))
def test_whatever_comes_is_answered_as_the_protocol_says(model: Katago, lines: list[str]) -> None:
    game = Gtp(GoEngine(model, visits=2, lanes=2), size=5)
    for line in lines:
        found = "".join(game.answer(line, lambda: True))
        if found:
            assert found[0] in "=?" and found.endswith("\n\n") and "\n\n" not in found[:-2], (line, found)
        assert len(game.position.legal()) == game.position.actions
    assert say(game, "name") == "= Sixarts\n\n"


# Records of games.


RECORD = (
    "(;GM[1]FF[4]SZ[7]KM[6.5]RU[Japanese]PB[Ada]PW[Bo]RE[W+3.5];B[dd];W[cc](;B[dc];W[cd];B[de])"
    "(;B[ee];W[ff]))"
)


def test_the_main_line_of_a_record_is_read(tmp_path: Path) -> None:
    path = tmp_path / "game.sgf"
    path.write_text(RECORD)
    for source in (RECORD, path, str(path)):
        record = read_record(source)
        assert record.start.game == "go(board_size=7,komi=6.5,rules=japanese)"
        assert record.names == ("Ada", "Bo") and record.result == "W+3.5"
        last = record.positions()[-1]
        assert [last.notation(action) for action in last.history] == ["D4", "C5", "D5", "C4", "D3"]


@pytest.mark.quick
def test_setup_handicap_and_passes_are_read() -> None:
    record = read_record("(;SZ[9]HA[2]KM[0.5]RU[Chinese]AB[cc][gg]AW[ee];W[ec];B[];W[tt];B[aa])")
    assert record.start.board.stones[0].bit_count() == 2 and record.start.player == 1
    assert record.start.bonus == 2
    positions = record.positions()
    assert len(positions) == 5 and positions[3].finished and not positions[4].finished
    assert read_record("(;SZ[9]KM[3.75]RU[cn])").start.komi == 7.5
    assert read_record("(;SZ[9]AB[aa:bb]PL[B])").start.board.stones[0].bit_count() == 4


@pytest.mark.quick
@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("(;SZ[9];B[aa];W[aa])", InputError, "move 2: .* illegal"),
        ("(;SZ[5];B[ba];W[aa])", InputError, None),
        ("(;SZ[9];B[zz])", InputError, "no record|read|outside"),
        ("(;SZ[99];B[aa])", SixartsError, "no record|2 to 19"),
        ("(;SZ[25];B[aa])", OptionError, "2 to 19"),
        ("(;GM[2]SZ[8])", InputError, "expected GM"),
        ("(;SZ[9]KM[nan])", InputError, "expected a number"),
        ("(;SZ[9]KM[0.3])", OptionError, "multiple of 0.5"),
        ("(;SZ[9]KM[seven])", InputError, "expected a number"),
        ("(;SZ[9]RU[house])", OptionError, "no rules"),
        ("(;SZ[9]AB[aa][ba]AW[aa])", InputError, None),
        ("(;SZ[2]AB[aa]AW[ab][ba])", InputError, "liberty"),
        ("(;SZ[9];B[aa];AB[bb];W[cc])", InputError, "after move 1"),
        ("(", InputError, "no record"),
        ("(;SZ[9];B[aa]", InputError, "no record"),
        ("({}", InputError, "no record"),
    ],
)
def test_records_that_break_their_rules_are_refused(text: str, kind: Any, message: str | None) -> None:
    if message is None:  # what SGF allows, and the rules with it
        assert read_record(text).positions()
        return
    with pytest.raises(kind, match=message):
        read_record(text).positions()


@pytest.mark.quick
def test_files_that_are_no_records(tmp_path: Path) -> None:
    (tmp_path / "large.sgf").write_bytes(b"(" * (2**22 + 5))
    (tmp_path / "bytes.sgf").write_bytes(bytes(range(256)))
    for name, message in (("none.sgf", "is no file"), ("large.sgf", "more than"), ("bytes.sgf", "no record")):
        with pytest.raises(InputError, match=message):
            read_record(tmp_path / name)
    with pytest.raises(InputError, match="is no file"):
        read_record(tmp_path)


@pytest.mark.quick
@settings(derandomize=True, max_examples=150, deadline=None, database=None)
@given(data=st.data())
def test_damaged_records_are_errors_of_ours(data: st.DataObject) -> None:
    text = list("(;GM[1]SZ[9]KM[6.5]HA[2]AB[cc][gg]RU[Japanese];W[dd];B[ee](;W[];B[fe])(;W[aa]))")
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(text) - 1))
        text[place] = data.draw(st.sampled_from([*"[]();:AB19-.é\x00\\ \n", ""]))
    try:
        found = read_record("(" + "".join(text)[1:]).positions()
    except SixartsError:
        return
    assert found[0].size in range(2, 20)


def test_a_review_is_exact_and_has_a_picture(model: Katago, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    done = review(RECORD, model, simulations=8, lanes=4, progress=lambda *given: told.append(given))
    assert told[-1] == (6, 6) and len(done.moves) == 5 and len(done.win_rates) == len(done.leads) == 6
    for place, move in enumerate(done.moves):
        sign = 1 if move.color == "black" else -1
        assert move.number == place + 1 and move.win_rate == done.win_rates[place + 1]
        lost = sign * (done.win_rates[place] - done.win_rates[place + 1])
        assert move.lost_win_rate == pytest.approx(0.0 if move.move == move.best else lost, abs=2e-6)
    # Black's lead is the network's own word on the last position.
    last = read_record(RECORD).positions()[-1]
    said = model.processor.read(model(model.processor.arrays([last])), [last]).extras["lead"][0]
    assert done.leads[-1] == pytest.approx(-said, abs=2e-3)
    assert done.worst(2) == tuple(sorted(done.moves, key=lambda m: -m.lost_win_rate))[:2]
    assert "Ada" in done.plot().axes[0].get_title(loc="left") and "lost most" in str(done)
    assert done.to_dict()["names"] == ["Ada", "Bo"]
    with pytest.raises(InputError, match="no moves"):
        review("(;SZ[7])", model)
    with pytest.raises(OptionError, match="family"):
        review(RECORD, object())
