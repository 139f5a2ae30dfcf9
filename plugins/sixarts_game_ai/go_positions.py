"""Positions of Go from what people give: moves, records of games, files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sixarts.errors import InputError, OptionError
from sixarts_game_ai.go_rules import GoPosition

_FORM = re.compile(r"\s*go\s*(?:\((.*)\))?\s*", re.IGNORECASE | re.DOTALL)
#: Parameters of the game.
PARAMETERS = ("board_size", "komi", "rules")


def start(game: str | None = None) -> GoPosition:
    """The empty board of a game.

    >>> start("go(board_size=9,komi=6.5,rules=japanese)").game
    'go(board_size=9,komi=6.5,rules=japanese)'

    Raises:
        OptionError: another game, a parameter or a value that it does not have.
    """
    match = _FORM.fullmatch(game or "go")
    if match is None:
        raise OptionError(f"game={str(game)[:100]!r}; expected go(board_size=19,komi=7.5,rules=tromp-taylor)")
    given: dict[str, Any] = {}
    for part in filter(None, (match.group(1) or "").split(",")):
        name, _, value = part.partition("=")
        given[name.strip()] = value.strip()
    return _started(given)


def _started(given: Mapping[str, Any]) -> GoPosition:
    for name in given:
        if name not in PARAMETERS:
            raise OptionError(f"Go has no parameter {str(name)[:60]!r}; expected {', '.join(PARAMETERS)}")
    size, komi = given.get("board_size", 19), given.get("komi")
    try:
        size = int(size)
        komi = None if komi is None else float(komi)
    except (TypeError, ValueError):
        raise OptionError(f"board_size={size!r}, komi={komi!r}; expected numbers") from None
    return GoPosition(size, komi, str(given.get("rules", "tromp-taylor")))


def read(x: Any, game: str | None = None) -> GoPosition:
    """A position from what people give.

    Args:
        x: a position; moves as ``"Q16 D4 pass"`` or a list of them; a record of a game (SGF) as its text or
            its file, of which the last position is taken; or ``{"moves": ..., "board_size": 9, "komi": 7.5,
            "rules": "japanese"}``.
        game: the game where ``x`` does not say it.

    Raises:
        InputError: nothing of these, a move that is illegal, with its number.
        OptionError: a game that there is not.
    """
    if isinstance(x, GoPosition):
        return x
    if isinstance(x, Path) or (isinstance(x, str) and _names_record(x)):
        from sixarts_game_ai.sgf import read_record

        return read_record(x).positions()[-1]
    if isinstance(x, Mapping):
        moves = x.get("moves", ())
        position = _started({name: value for name, value in x.items() if name != "moves"})
        return played(position, moves)
    return played(start(game), x)


def _names_record(x: str) -> bool:
    text = x.lstrip()
    return text.startswith("(") or (len(text) < 4096 and text.strip().lower().endswith(".sgf"))


def played(position: GoPosition, moves: Any) -> GoPosition:
    """The position after moves, as text or a list of texts or actions.

    Raises:
        InputError: no moves, or one that is illegal.
    """
    if isinstance(moves, str):
        moves = moves.replace(",", " ").split()
    if not isinstance(moves, Iterable) or isinstance(moves, bytes | Mapping):
        raise InputError(
            f"{type(moves).__name__} as a position of Go; expected moves such as 'Q16 D4', a record of a "
            "game (SGF), or a dictionary with moves, board_size, komi and rules"
        )
    for number, move in enumerate(moves, 1):
        if type(move) is not int and not isinstance(move, str):
            raise InputError(f"move {number} is {move!r:.60}; expected a point such as 'Q16', or 'pass'")
        try:
            position = position.play(position.parse(move) if isinstance(move, str) else move)
        except InputError as error:
            raise InputError(f"move {number}: {error.reason}") from None
    return position
