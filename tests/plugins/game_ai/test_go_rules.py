"""Rules of Go: against OpenSpiel's, against a slow reading of their text, and by well-known positions."""

from __future__ import annotations

import random

import numpy as np
import pyspiel
import pytest

from sixarts.errors import InputError, OptionError
from sixarts_game_ai.go_area import living
from sixarts_game_ai.go_board import Board, geometry
from sixarts_game_ai.go_ladders import ladders
from sixarts_game_ai.go_positions import read, start
from sixarts_game_ai.go_rules import RULES, GoPosition, rules_named

pytestmark = pytest.mark.quick


def placed(
    size: int, rows: str, komi: float = 0.5, rules: str = "tromp-taylor", player: int = 0
) -> GoPosition:
    """A position drawn with X, O and dots, rows from the top."""
    cells = [cell for row in rows.split() for cell in row]
    black = [place for place, cell in enumerate(cells) if cell == "X"]
    white = [place for place, cell in enumerate(cells) if cell == "O"]
    return GoPosition(size, komi, rules, black=black, white=white, player=player)


@pytest.mark.parametrize("size", [5, 9])
def test_moves_and_scores_are_openspiels(size: int) -> None:
    """OpenSpiel forbids suicide and positional repetition, and counts areas: as chinese-ogs does."""
    draw = random.Random(size)
    loaded = pyspiel.load_game(f"go(board_size={size},komi=7.5,max_game_length={4 * size * size})")
    finished = 0
    for _ in range(12):
        state, position = loaded.new_initial_state(), GoPosition(size, 7.5, "chinese-ogs")
        while not position.finished and not state.is_terminal():
            legal = {position.notation(int(action)).lower() for action in np.flatnonzero(position.legal())}
            theirs = {state.action_to_string(action).split()[-1].lower() for action in state.legal_actions()}
            assert legal == theirs, f"{position}\n{state}"
            names = {state.action_to_string(a).split()[-1].lower(): a for a in state.legal_actions()}
            moves = sorted(theirs - {"pass"})
            move = draw.choice(moves) if moves and draw.random() > 0.02 else "pass"
            state.apply_action(names[move])
            position = position.play(position.parse(move))
        if position.finished:
            finished += 1
            assert state.is_terminal() and position.value() == state.returns()[0]
    assert finished > 2


def plain(position: GoPosition) -> dict[int, int]:
    """Stones by action."""
    return {a: c for a in range(position.passing) if (c := position.color(a)) is not None}


def around(action: int, size: int) -> list[int]:
    row, column = divmod(action, size)
    found = [(row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)]
    return [r * size + c for r, c in found if 0 <= r < size and 0 <= c < size]


def chain_of(stones: dict[int, int], action: int, size: int) -> tuple[set[int], set[int]]:
    """A chain and its liberties, by walking from stone to stone."""
    chain, free, waiting = {action}, set(), [action]
    while waiting:
        for beside in around(waiting.pop(), size):
            if beside not in stones:
                free.add(beside)
            elif stones[beside] == stones[action] and beside not in chain:
                chain.add(beside)
                waiting.append(beside)
    return chain, free


def played(stones: dict[int, int], action: int, color: int, size: int) -> dict[int, int]:
    """The stones after a move, dead ones taken: the other's first, then one's own."""
    after = {**stones, action: color}
    for owner in (1 - color, color):
        gone: set[int] = set()
        for each in [a for a, c in after.items() if c == owner]:
            chain, free = chain_of(after, each, size)
            gone |= chain if not free else set()
        after = {a: c for a, c in after.items() if a not in gone}
    return after


@pytest.mark.parametrize("rules", ["tromp-taylor", "aga", "new-zealand"])
def test_moves_are_what_the_text_of_the_rules_says(rules: str) -> None:
    draw, size = random.Random(rules), 4
    for _ in range(20):
        position = GoPosition(size, 0.5, rules)
        seen = {(frozenset(), 1)}
        for _ in range(60):
            if position.finished:
                break
            stones = plain(position)
            legal = position.legal()
            for action in range(position.passing):
                after = played(stones, action, position.player, size)
                alone = not any(stones.get(b) == position.player for b in around(action, size))
                suicide = action not in after
                key = (frozenset(after.items()), position.player)
                repeats = key in seen or (
                    position.rules.ko == "positional" and key[0] in {board for board, _ in seen}
                )
                allowed = action not in stones and not (suicide and (alone or not position.rules.suicide))
                assert legal[action] == (allowed and not repeats), (str(position), action)
            moves = [int(action) for action in np.flatnonzero(legal)]
            action = draw.choice(moves if draw.random() < 0.1 or len(moves) == 1 else moves[:-1])
            mover = position.player
            if action != position.passing:
                stones = played(stones, action, mover, size)
            position = position.play(action)
            assert plain(position) == stones
            seen.add((frozenset(stones.items()), mover))


def test_ko_is_taken_back_after_a_move_elsewhere() -> None:
    position = placed(5, ".XO.. X.XO. .XO.. ..... .....", player=1).play(6)
    assert position.color(7) is None and not position.legal()[7]
    with pytest.raises(InputError, match="'C4' is illegal"):
        position.play(7)
    elsewhere = position.play(24).play(20)
    assert elsewhere.legal()[7] and elsewhere.play(7).color(6) is None


def test_suicide_of_several_stones_goes_by_the_rules() -> None:
    rows = "XXO.. .XO.. OOO.. ..... ....."
    position = placed(5, rows, rules="tromp-taylor")
    assert position.legal()[5] and not placed(5, rows, rules="chinese").legal()[5]
    assert all(position.play(5).color(action) is None for action in (0, 1, 5, 6))
    # A single stone may not take itself under any rules: nothing would have changed.
    lone = placed(5, ".OXX. OXX.. XX... ..... .....", player=0)
    assert not placed(5, ".O... O.... ..... ..... .....", rules="tromp-taylor").legal()[0]
    assert lone.legal()[0]  # it takes two


def test_areas_and_territories_are_counted() -> None:
    rows = ".XO.. .XO.. .XO.. .XO.. .XO.."
    area = placed(5, rows, komi=0.5)
    assert area.score() == 10 - 15 - 0.5
    territory = placed(5, rows, komi=0.5, rules="japanese")
    assert territory.score() == 5 - 10 - 0.5
    ended = area.play(area.passing).play(area.passing)
    assert ended.finished and ended.value() == -1.0 and not ended.legal().any()
    with pytest.raises(InputError, match="finished"):
        ended.play(0)


def test_dead_stones_are_prisoners_where_people_agree() -> None:
    rows = ".XO.. .XO.. .XOX. .XO.. .XO.."
    for rules, expected in (("japanese", 5 - (10 + 1) - 0.5), ("tromp-taylor", 10 - 15 - 0.5)):
        position = placed(5, rows, rules=rules)
        assert position.dead_removed([13]).score() == expected


def test_japanese_games_go_on_in_two_phases() -> None:
    position = GoPosition(5, 0.5, "japanese")
    phases = []
    for _ in range(6):
        position = position.play(position.passing)
        phases.append((position.phase, position.finished))
    assert phases == [(0, False), (1, False), (1, False), (2, False), (2, False), (2, True)]
    assert position.value() == -1.0


def test_a_position_that_comes_a_third_time_ends_a_game_without_result() -> None:
    draw, void = random.Random(3), 0
    for rules in ("chinese", "japanese", "chinese-ogs"):
        for _ in range(60):
            position, seen = GoPosition(3, 0.5, rules), [((0, 0), 0)]
            while not position.finished and len(seen) < 200:
                moves = [int(a) for a in np.flatnonzero(position.legal())]
                action = draw.choice(moves[:-1] or moves)
                # A pass, and a phase that begins with it, lets positions come again.
                seen = [] if action == position.passing and position.rules.ko == "simple" else seen
                position = position.play(action)
                seen.append((position.board.stones, position.player))
            if position.void:
                void += 1
                assert rules != "chinese-ogs" and position.value() == 0.0
                assert position.phase or seen.count(seen[-1]) == 3
    assert void >= 4


def test_chains_that_live_whatever_is_played() -> None:
    alive = Board.of(5, *[stones_of(".X.X. XXXXX ..... OOOOO O.O.O", color) for color in "XO"])
    black, white = living(alive, suicide=False)
    assert black.bit_count() == 10 and white.bit_count() == 10
    one_eye = Board.of(5, stones_of(".XXXX XXXX. ..... ..... .....", "X"))
    assert living(one_eye, suicide=False)[0] == 0
    board = Board.of(5, stones_of(".X.XX XX.X. .XXXX ..... .....", "X"))
    assert living(board, suicide=False)[0].bit_count() == 10 + 4  # stones and four eyes


def stones_of(rows: str, sign: str) -> int:
    cells = [cell for row in rows.split() for cell in row]
    size = len(rows.split())
    return sum(geometry(size).bits[place] for place, cell in enumerate(cells) if cell == sign)


def test_a_ladder_works_unless_a_stone_is_in_its_way() -> None:
    rows = [list(".........") for _ in range(9)]
    for row, column, sign in [(2, 2, "O"), (1, 2, "X"), (2, 1, "X"), (1, 3, "X"), (3, 1, "X")]:
        rows[row][column] = sign
    free = placed(9, " ".join("".join(row) for row in rows))
    caught = [ladder for (color, _), ladder in ladders(free.board).items() if color == 1]
    assert [each.caught for each in caught] == [True] and caught[0].working.bit_count() == 2
    rows[6][6] = "O"
    broken = placed(9, " ".join("".join(row) for row in rows))
    assert [ladder.caught for (color, _), ladder in ladders(broken.board).items() if color == 1][:1] == [
        False
    ]


def test_ladders_read_again_near_a_move_are_those_read_anew() -> None:
    draw = random.Random(5)
    compared = 0
    for size in (7, 9, 13):
        position = GoPosition(size, 7.5, "chinese")
        before = position.board
        for _ in range(size * size):
            moves = np.flatnonzero(position.legal())[:-1]
            if position.finished or not len(moves):
                break
            position = position.play(int(draw.choice(list(moves))))
            quick = ladders(position.board, before)
            anew = ladders(
                Board(
                    position.board.geometry,
                    position.board.stones,
                    position.board.chains,
                    position.board.empty,
                    position.board.ko,
                )
            )
            assert {k: (v.caught, v.working) for k, v in quick.items()} == {
                k: (v.caught, v.working) for k, v in anew.items()
            }
            before, compared = position.board, compared + len(anew)
    assert compared > 500


def test_handicap_gives_points_as_the_rules_say() -> None:
    for rules, bonus in (("tromp-taylor", 0), ("chinese", 3), ("aga", 2)):
        assert GoPosition(9, 0.5, rules, black=[20, 24, 60], player=1).bonus == bonus


def test_points_are_written_without_an_i() -> None:
    position = GoPosition(19)
    assert (
        position.notation(0) == "A19" and position.notation(8) == "J19" and position.notation(361) == "pass"
    )
    for action in range(position.actions):
        assert position.parse(position.notation(action).lower()) == action
    for text in ("I5", "T20", "A0", "", "A1 ", "Z9", "A1B", "A٣"):
        if text.strip() == "A1":
            assert position.parse(text) == 18 * 19
            continue
        with pytest.raises(InputError, match="is no point"):
            position.parse(text)


def test_what_people_give_for_a_position() -> None:
    position = read("E5 E3 pass", "go(board_size=9,komi=6.5,rules=japanese)")
    assert position.game == "go(board_size=9,komi=6.5,rules=japanese)" and len(position.history) == 3
    assert read(["E5", 40 + 9], "go(board_size=9)").history == (40, 49)
    assert read({"moves": "E5", "board_size": 9, "komi": 0.5}).history == (40,)
    assert read("").history == () and read(position) is position
    assert start("Go").size == 19
    for given, message in (
        ("E5 E5", "move 2: .* illegal"),
        ("E5 Z9", "move 2: .* is no point"),
        (b"E5", "bytes as a position"),
        (3.5, "float as a position"),
        ([2.5], "move 1 is 2.5"),
    ):
        with pytest.raises(InputError, match=message):
            read(given, "go(board_size=9)")
    for game, message in (
        ("go(board_size=20)", "expected 2 to 19"),
        ("go(komi=0.3)", "multiple of 0.5"),
        ("go(rules=house)", "no rules of Go"),
        ("go(board=9)", "no parameter"),
        ("chess", "expected go"),
        ("go(board_size=nine)", "expected numbers"),
    ):
        with pytest.raises(OptionError, match=message):
            start(game)


def test_rules_have_names_and_positions_have_pictures() -> None:
    assert rules_named("Chinese_OGS").name == "chinese-ogs" and len(RULES) == 8
    with pytest.raises(OptionError, match="japanese"):
        rules_named("japanse")
    with pytest.raises(InputError, match="liberty"):
        GoPosition(5, black=[0], white=[1, 5])
    with pytest.raises(InputError, match="one point"):
        GoPosition(5, black=[0], white=[0])
    picture = GoPosition(3, 0.5).play(4).picture()
    assert picture["grid"][1][1] == "x" and picture["points"][5] == (1, 2) and picture["style"] == "stones"
    assert "X" in str(GoPosition(3, 0.5).play(4))


@pytest.mark.parametrize("rules", RULES)
def test_a_game_of_random_moves_ends_and_is_counted(rules: str) -> None:
    draw = random.Random(rules)
    position = GoPosition(5, 0.5, rules)
    for _ in range(600):
        if position.finished:
            break
        moves = np.flatnonzero(position.legal())
        position = position.play(int(draw.choice(list(moves))) if draw.random() < 0.95 else position.passing)
    assert position.finished and (position.void or abs(position.score()) <= 60)
    assert position.value() in (-1.0, 0.0, 1.0)
