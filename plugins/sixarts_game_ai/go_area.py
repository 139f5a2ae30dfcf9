"""Who owns which points: chains that live whatever is played, territory, and what is shared in seki.

Source: Benson 1976, "Life in the game of Go"; the kinds of area are those of KataGo's rules
(lightvector.github.io/KataGo/rules.html).
"""

from __future__ import annotations

from typing import NamedTuple

from sixarts_game_ai.go_board import BLACK, WHITE, Board


class _Region(NamedTuple):
    """A connected set of points without a stone of one color, and places of chains that all of it touches."""

    points: int
    vital: tuple[int, ...]


def _regions(board: Board, color: int, suicide: bool) -> list[_Region]:
    """The regions around a color's chains."""
    shape, chains = board.geometry, board.chains[color]
    left, within = board.empty, board.empty | board.stones[1 - color]
    regions = []
    while left:
        seed = left & -left
        points = shape.filled(seed, within)
        left &= ~points
        # Where suicide is forbidden, only empty points count: the other's stones cannot fill the region.
        needed = points if suicide else points & board.empty
        near = [place for place, chain in enumerate(chains) if chain[1] & seed]
        regions.append(_Region(points, tuple([place for place in near if not needed & ~chains[place][1]])))
    return regions


def _alive(board: Board, color: int, regions: list[_Region]) -> tuple[int, int]:
    """Stones of a color that live whatever the other plays, and the points beside those that may not."""
    chains = board.chains[color]
    counts = [0] * len(chains)
    for region in regions:
        for place in region.vital:
            counts[place] += 1
    alive = set(range(len(chains)))
    sound, beside = list(regions), 0
    while True:
        failing = [place for place in alive if counts[place] < 2]
        if not failing:
            break
        alive.difference_update(failing)
        for place in failing:
            beside |= chains[place][1]
        kept = []
        for region in sound:
            if region.points & beside:
                for place in region.vital:
                    counts[place] -= 1
            else:
                kept.append(region)
        sound = kept
    stones = 0
    for place in alive:
        stones |= chains[place][0]
    return stones, beside


def _claimed(board: Board, suicide: bool, large: bool) -> tuple[int, int]:
    """Points of black and of white: chains that live, and what they surround.

    Args:
        suicide: whether a move may take its own chain.
        large: whether empty regions that one color alone borders count too, however large.
    """
    owned = [0, 0]
    for color in (BLACK, WHITE):
        if not board.chains[color]:
            continue
        regions = _regions(board, color, suicide)
        alive, unsafe = _alive(board, color, regions)
        other, beside = board.stones[1 - color], board.geometry.beside(board.stones[color])
        mine = owned[color] | alive
        theirs = owned[1 - color] & ~mine
        for region in regions:
            points = region.points
            empty = large and not points & other
            if not points & unsafe and (empty or (points & ~beside).bit_count() <= 1):
                mine |= points
                theirs &= ~points
            elif empty:
                mine |= points & ~theirs
        owned[color], owned[1 - color] = mine, theirs
    return owned[0], owned[1]


def living(board: Board, suicide: bool) -> tuple[int, int]:
    """Points that are black's and white's whatever is played: chains that live, and their small regions."""
    key = ("living", suicide)
    if key not in board.cache:
        board.cache[key] = _claimed(board, suicide, large=False)
    return board.cache[key]  # type: ignore[return-value]


def area(board: Board, suicide: bool) -> tuple[int, int]:
    """Points of black and of white by area: stones, and empty regions that one color alone borders.

    Dead stones inside of what lives for certain are the other color's.
    """
    key = ("area", suicide)
    if key not in board.cache:
        black, white = _claimed(board, suicide, large=True)
        free = ~(black | white)
        board.cache[key] = (black | board.stones[0] & free, white | board.stones[1] & free)
    return board.cache[key]  # type: ignore[return-value]


def independent(board: Board, suicide: bool, territory: bool, stones: bool) -> tuple[int, int, int]:
    """Areas that touch no shared point, as rules with a tax on seki count them.

    Args:
        territory: whether empty points and prisoners in seki count after all.
        stones: whether stones in seki do.

    Returns:
        Points of black and of white, and how many groups white has more than black.
    """
    basic = area(board, suicide)
    shape, empty = board.geometry, board.empty
    shared = empty & ~(basic[0] | basic[1])
    beside_shared = shape.beside(shared)
    result = [0, 0]
    groups = 0
    for color in (BLACK, WHITE):
        own = basic[color]
        seki = own & beside_shared
        for chain in board.chains[color]:
            free = chain[1] & empty
            if chain[0] & own and not free & (free - 1):
                seki |= chain[0] & own
        sound = own & ~shape.filled(seki, own) if seki else own
        left = sound
        while left:
            left &= ~shape.filled(left & -left, left)
            groups += 1 if color == WHITE else -1
        result[color] = sound
        if territory:
            result[color] |= own & ~board.stones[color]
        if stones:
            result[color] |= own & board.stones[color]
    return result[0], result[1], groups
