"""What KataGo's networks read of a position: 22 planes and 19 numbers, its inputs of version 7.

Planes, for the mover: 0 the board; 1, 2 own and other stones; 3 to 5 chains of one, two and three liberties;
6 what ko forbids; 7 kos that wait for a pass; 8 is never set; 9 to 13 the last five moves; 14 to 16 chains in
ladders now, one and two moves ago; 17 moves that start one; 18, 19 own and other area; 20, 21 stones of when
the last phase began. Numbers: 0 to 4 passes among the last moves, 5 komi, 6 to 11 rules, 12 and 13
the phase, 14 whether a pass ends it, 15 and 16 are never set here, 17 is of a rule that is not offered, and
18 how komi and the parity of the board go together.

Source: Wu 2019, "Accelerating Self-Play Learning in Go", appendix A, and the inputs that KataGo's own program
gives to g170's networks, with which these are compared in the tests.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from sixarts_game_ai.go_area import area, independent
from sixarts_game_ai.go_board import Board
from sixarts_game_ai.go_ladders import Ladder, ladders
from sixarts_game_ai.go_rules import GoPosition

PLANES, NUMBERS = 22, 19
#: Komi beyond the board's points that a network is told of.
KOMI_RADIUS = 20.0
#: Numbers of the rule about repetitions.
KO_NUMBERS = {"simple": (0.0, 0.0), "positional": (1.0, 0.5), "situational": (1.0, -0.5)}


def planes(positions: Sequence[GoPosition], always_suicide: bool = False) -> dict[str, np.ndarray]:
    """Positions of one size as a network's inputs.

    Args:
        positions: at least one.
        always_suicide: whether chains are alive only if they are where suicide is allowed, whatever the rules
            say; some networks were trained so.

    Returns:
        ``spatial`` ``[b, size, size, 22]`` and ``global`` ``[b, 19]``, float32.
    """
    shape = positions[0].board.geometry
    sets: list[int] = []
    numbers = np.zeros((len(positions), NUMBERS), "float32")
    for row, position in enumerate(positions):
        found, told = _one(position, always_suicide)
        sets += found
        numbers[row] = told
    bits = shape.planes(sets).reshape(len(positions), PLANES, shape.size, shape.size)
    return {
        "spatial": np.ascontiguousarray(bits.transpose(0, 2, 3, 1)).astype("float32"),
        "global": numbers,
    }


def _one(position: GoPosition, always_suicide: bool) -> tuple[list[int], list[float]]:
    board, mover, rules = position.board, position.player, position.rules
    own, other = board.stones[mover], board.stones[1 - mover]
    sets = [board.geometry.whole, own, other, *_by_liberties(board)]
    sets += [board.ko | position.banned, 0] if not position.phase else [position.banned, position.blocked]
    sets.append(0)
    numbers = [0.0] * NUMBERS
    suppressed = _hides_pass(position)
    shown = 0 if suppressed else min(1, position.valid) if position.finished else min(5, position.valid)
    moves = _recent_moves(position, shown)
    for place in range(5):
        if place < len(moves) and moves[place] != position.passing:
            sets.append(board.geometry.bits[moves[place]])
        else:
            numbers[place] = float(place < len(moves))
            sets.append(0)
    sets += _ladder_sets(position, len(moves))
    black, white = _areas(position, rules.suicide or always_suicide)
    sets += [white, black] if mover else [black, white]
    if position.phase == 2:
        sets += [position.settled[mover], position.settled[1 - mover]]
    else:
        sets += [0, 0]
    points = board.geometry.count
    komi = position.komi + position.bonus
    bound = points + KOMI_RADIUS
    komi = max(-bound, min(bound, komi if mover else -komi))
    numbers[5] = komi / 20.0
    numbers[6], numbers[7] = KO_NUMBERS[rules.ko]
    numbers[8] = float(rules.suicide)
    numbers[9] = float(rules.scoring == "territory")
    numbers[10], numbers[11] = float(rules.tax != "none"), float(rules.tax == "all")
    numbers[12], numbers[13] = float(position.phase > 0), float(position.phase > 1)
    numbers[14] = float(not suppressed and position.pass_ends_phase())
    if rules.scoring == "area" or position.phase == 2:
        numbers[18] = _wave(komi, points)
    return sets, numbers


def _by_liberties(board: Board) -> list[int]:
    """Stones of chains with one, two and three liberties."""
    found, empty = [0, 0, 0, 0], board.empty
    for chains in board.chains:
        for stones, around in chains:
            count = (around & empty).bit_count()
            if count <= 3:
                found[count] |= stones
    return found[1:]


def _hides_pass(position: GoPosition) -> bool:
    """Whether a pass would end the game, and the network is not to know, as people would play on."""
    return (
        position.rules.friendly_pass
        and position.rules.scoring == "area"
        and position.passes == 1
        and not position.again()
    )


def _recent_moves(position: GoPosition, most: int) -> list[int]:
    """The last moves, latest first, as long as the colors take turns."""
    moves: list[int] = []
    mover = 1 - position.player
    for action, by in zip(position.history[: -most - 1 : -1], position.movers[: -most - 1 : -1], strict=True):
        if by != mover or len(moves) == most:
            break
        moves.append(action)
        mover = 1 - mover
    return moves


def _ladder_sets(position: GoPosition, shown: int) -> list[int]:
    """Chains in ladders now, one and two moves ago, and the mover's moves that start one."""
    now, before, earlier = position.recent
    if shown < 1:
        before = earlier = now
    elif shown < 2:
        earlier = before
    # The oldest first, so that what was read there helps with the next.
    tables = [ladders(earlier), ladders(before, earlier), ladders(now, before)]
    sets = [_caught(table) for table in reversed(tables)]
    working = 0
    for (color, _), ladder in tables[2].items():
        if color != position.player:
            working |= ladder.working
    return [*sets, working]


def _caught(table: dict[tuple[int, int], Ladder]) -> int:
    found = 0
    for (_, stones), ladder in table.items():
        if ladder.caught:
            found |= stones
    return found


def _areas(position: GoPosition, suicide: bool) -> tuple[int, int]:
    """Points that are black's and white's, as far as the rules let a network know."""
    rules, board = position.rules, position.board
    if rules.scoring == "area":
        if rules.tax == "none":
            return area(board, suicide)
        return independent(board, suicide, territory=False, stones=True)[:2]
    if position.phase < 2:
        return 0, 0
    black, white, _ = independent(board, suicide, territory=rules.tax == "none", stones=False)
    free = ~(black | white)
    return (
        black | board.stones[0] & position.settled[0] & free,
        white | board.stones[1] & position.settled[1] & free,
    )


def _wave(komi: float, points: int) -> float:
    """How near komi is to one with which a draw is possible: a triangle of period 2.

    >>> [_wave(komi, 81) for komi in (6.5, 7.0, 7.5, 8.0)]
    [-0.5, 0.0, 0.5, 0.0]
    """
    floor = math.floor((komi - points % 2) / 2) * 2 + points % 2
    delta = komi - floor
    if delta < 0.5:
        return delta
    return 1.0 - delta if delta < 1.5 else delta - 2.0
