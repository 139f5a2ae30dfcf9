"""Games by name: which OpenSpiel offers, which of them can be searched, and the quick ones of our own."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from sixarts.errors import OptionError, nearest
from sixarts_game_ai.breakthrough import Breakthrough
from sixarts_game_ai.connect_four import ConnectFour

#: Games with bitboards of our own, by what :func:`canonical` makes of their name.
QUICK: dict[str, Callable[[], Any]] = {
    "connect_four": ConnectFour.start,
    "breakthrough(columns=6,rows=6)": lambda: Breakthrough.start(6, 6),
    "breakthrough": lambda: Breakthrough.start(8, 8),
    "breakthrough(columns=8,rows=8)": lambda: Breakthrough.start(8, 8),
}
#: Names that people use beside OpenSpiel's.
ALIASES = {
    "connect4": "connect_four",
    "connectfour": "connect_four",
    "tictactoe": "tic_tac_toe",
    "noughts_and_crosses": "tic_tac_toe",
    "reversi": "othello",
    "draughts": "checkers",
}
_FORM = re.compile(r"([a-z0-9_]+)(?:\((.*)\))?")


def canonical(game: str) -> str:
    """One spelling for one game: parameters sorted, aliases resolved.

    >>> canonical("Connect-Four()"), canonical("hex(num_rows=5, num_cols=4)")
    ('connect_four', 'hex(num_cols=4,num_rows=5)')

    Raises:
        OptionError: no name with parameters.
    """
    text = game.strip().lower().replace("-", "_").replace(" ", "")
    found = _FORM.fullmatch(text)
    if found is None:
        raise OptionError(
            f'game={game!r}; expected a name of OpenSpiel, with parameters if need be: "hex(board_size=5)"'
        )
    name = ALIASES.get(found[1], found[1])
    parameters = sorted(part for part in (found[2] or "").split(",") if part)
    return f"{name}({','.join(parameters)})" if parameters else name


def start_of(game: str) -> Any:
    """The first position of a game.

    Raises:
        OptionError: no game of this name, or one that cannot be searched; see :func:`checked`.
    """
    name = canonical(game)
    if name in QUICK:
        return QUICK[name]()
    from sixarts_game_ai.spiel import SpielPosition

    loaded = checked(name)
    return SpielPosition(loaded.new_initial_state(), full_name(loaded))


def playable(game: str) -> str:
    """The canonical name of a game, once it is one that can be searched; Go's are taken as they are.

    Raises:
        OptionError: as for :func:`checked`.
    """
    name = canonical(game)
    if name not in QUICK and name.partition("(")[0] != "go":
        return full_name(checked(name))
    return name


def full_name(loaded: Any) -> str:
    """A loaded game's name in our spelling."""
    return canonical(str(loaded))


def checked(game: str) -> Any:
    """OpenSpiel's game of a name, where two players see everything and move in turns.

    Raises:
        OptionError: an unknown name, with the nearest; unknown parameters; a game of chance, of hidden
            information, of one or of many players, or of moves made at once.
    """
    import pyspiel

    name = canonical(game)
    short, _, rest = name.partition("(")
    types = {kind.short_name: kind for kind in pyspiel.registered_games()}
    if short not in types:
        near = nearest(short, types) or ["connect_four", "tic_tac_toe", "breakthrough", "chess"]
        raise OptionError(f"game={game!r} is no game of OpenSpiel; the nearest: {', '.join(near)}")
    known = set(types[short].parameter_specification)
    given = [part.partition("=")[0] for part in rest.rstrip(")").split(",") if part]
    for each in given:
        if each not in known:
            near = nearest(each, known) or sorted(known) or ["none"]
            raise OptionError(f"game={game!r}: no parameter {each!r}; the nearest: {', '.join(near)}")
    reason = unfit(types[short])
    if reason:
        raise OptionError(
            f"game={game!r} is {reason}; expected a game of two players who see everything and move in "
            "turns, such as connect_four, breakthrough, othello, hex or chess"
        )
    try:
        loaded = pyspiel.load_game(name)
    except pyspiel.SpielError as error:
        raise OptionError(f"game={game!r}: {str(error).splitlines()[0]}; expected other parameters") from None
    if loaded.num_players() != 2:
        raise OptionError(f"game={game!r} has {loaded.num_players()} players; expected 2")
    return loaded


def unfit(kind: Any) -> str:
    """Why a type of game cannot be searched, in words; empty where it can."""
    import pyspiel

    given = pyspiel.GameType
    if kind.chance_mode != given.ChanceMode.DETERMINISTIC:
        return "a game of chance"
    if kind.information != given.Information.PERFECT_INFORMATION:
        return "a game of hidden information"
    if kind.dynamics != given.Dynamics.SEQUENTIAL:
        return "a game of moves made at once"
    if not kind.min_num_players <= 2 <= kind.max_num_players:
        return f"a game of {kind.min_num_players} to {kind.max_num_players} players"
    if kind.utility != given.Utility.ZERO_SUM:
        return "no contest: what one wins the other need not lose"
    if kind.reward_model != given.RewardModel.TERMINAL:
        return "a game that is rewarded on the way"
    return ""
