"""What people give for a position: moves in a game's notation, numbers, OpenSpiel's states, mappings, FEN."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sixarts.errors import InputError, OptionError
from sixarts_game_ai.games import QUICK, canonical, start_of
from sixarts_game_ai.rules import Position, illegal

#: Games whose moves are single digits, so that a position may be written without blanks.
_DIGITS = ("connect_four", "tic_tac_toe")
_FEN = re.compile(
    r"(?:[1-8pnbrqkPNBRQK]+/){7}[1-8pnbrqkPNBRQK]+ [wb] (?:-|[KQkq]+) (?:-|[a-h][36])(?: \d+ \d+)?"
)
#: Most moves that an input may have; the longest games of OpenSpiel stay below.
MOST_MOVES = 4096


def read_position(x: Any, game: str) -> Any:
    """The position that an input stands for.

    Args:
        x: moves as text in the game's notation (``"4455"``, ``"e4 e5 Nf3"``, ``"a5 b4"``), a FEN and moves
            after it for chess, a list of action numbers or of moves, an OpenSpiel state, a position, or a
            mapping with ``moves`` and, if need be, ``game`` and ``fen``.
        game: the game's name with its parameters.

    Raises:
        InputError: nothing of that, an illegal move (named with the position), or another game.

    >>> read_position("4455", "connect_four").history
    (3, 3, 4, 4)
    """
    name = canonical(game)
    if name.partition("(")[0] == "go":
        from sixarts_game_ai.go_positions import read

        return read(x, game)
    if isinstance(x, Mapping):
        return _from_mapping(x, name)
    if isinstance(x, str):
        return _from_text(x, start_of(name), name)
    if isinstance(x, list | tuple | np.ndarray):
        return _from_moves(list(x), start_of(name))
    if _is_state(x):
        return _from_state(x, name)
    if all(hasattr(x, part) for part in ("game", "history", "legal", "play", "finished")):
        if x.game != start_of(name).game:
            raise InputError(f"a position of {x.game}; expected one of {game}")
        return x
    shown = repr(x)
    shown = shown if len(shown) <= 60 else shown[:57] + "…"
    raise InputError(f"{shown} of type {type(x).__name__}; expected {expected(name)}")


def expected(game: str) -> str:
    """In words, what a position of a game is given as."""
    short = game.partition("(")[0]
    own = {
        "connect_four": 'columns 1 to 7 as text, such as "4455"',
        "tic_tac_toe": 'cells 1 to 9 as text, such as "519"',
        "chess": 'moves as text ("e4 e5") or a FEN',
    }.get(short, f"moves of {short} as text with blanks between them")
    return f"{own}, a list of action numbers, an OpenSpiel state, or a mapping with 'moves'"


def readable(position: Any, asked: Any) -> Any:
    """A position that can be searched; else the error for one that is over."""
    if position.finished:
        value = position.value()
        told = "a draw" if not value else f"won by {'the first' if value > 0 else 'the second'} player"
        raise InputError(
            f"{str(asked)[:80]!r} is a finished game of {position.game} ({told}):\n{position}\n"
            "expected a position that is not over"
        )
    return position


def _from_mapping(x: Mapping[Any, Any], game: str) -> Any:
    unknown = [key for key in x if key not in ("game", "moves", "fen")]
    if unknown or not ({"moves", "fen"} & set(x)):
        keys = ", ".join(map(repr, x)) or "nothing"
        raise InputError(f"a mapping with {keys}; expected 'moves', and if need be 'game' and 'fen'")
    own = x.get("game", game)
    if not isinstance(own, str):
        raise InputError(f"game={own!r}; expected a name such as {game!r}")
    try:
        start = start_of(own)
    except OptionError as error:
        raise InputError(str(error)) from None
    if start.game != start_of(game).game:
        raise InputError(
            f"a position of {start.game}; expected one of {game}; load a model with game={own!r}"
        )
    if "fen" in x:
        start = _from_fen(x["fen"], canonical(own))
    moves = x.get("moves", "")
    if isinstance(moves, str):
        return _from_text(moves, start, canonical(own))
    if isinstance(moves, list | tuple | np.ndarray):
        return _from_moves(list(moves), start)
    raise InputError(f"moves={str(moves)[:60]!r}; expected {expected(game)}")


def _from_text(text: str, start: Any, game: str) -> Any:
    text = text.strip()
    if game == "chess" and "/" in text.partition(" ")[0]:
        fen = _FEN.match(text)
        start = _from_fen(fen[0] if fen else text, game)
        text = text[fen.end() :].strip() if fen else ""
    words = text.replace(",", " ").split()
    if game in _DIGITS:
        words = [digit for word in words for digit in word]
    # What stands before the moves in a game record: "1.", "1...".
    words = [word for word in words if not re.fullmatch(r"\d+\.+", word)]
    return _from_moves([re.sub(r"^\d+\.+", "", word) for word in words], start)


def _from_fen(fen: Any, game: str) -> Any:
    if game != "chess" or not isinstance(fen, str) or not _FEN.fullmatch(fen.strip()):
        raise InputError(f"fen={str(fen)[:80]!r} for {game}; expected a FEN of chess")
    import pyspiel

    from sixarts_game_ai.games import checked
    from sixarts_game_ai.spiel import SpielPosition

    full = fen.strip() if len(fen.split()) == 6 else f"{fen.strip()} 0 1"
    for row in full.split()[0].split("/"):
        if sum(int(each) if each.isdigit() else 1 for each in row) != 8:
            raise InputError(f"fen={fen!r}: the row {row!r} is not 8 squares long; expected a FEN of chess")
    board = full.split()[0]
    if board.count("k") != 1 or board.count("K") != 1:
        raise InputError(f"fen={fen!r}: expected one king of each side")
    try:
        return SpielPosition(checked(game).new_initial_state(full), game)
    except pyspiel.SpielError:
        raise InputError(f"fen={fen!r} is refused by OpenSpiel; expected a FEN of chess") from None


def _from_moves(moves: Sequence[Any], start: Any) -> Any:
    if len(moves) > MOST_MOVES:
        raise InputError(f"{len(moves):,} moves; expected {MOST_MOVES:,} at most")
    position: Position = start
    for number, move in enumerate(moves, 1):
        try:
            if isinstance(move, str):
                position = position.play(position.parse(move))
            elif isinstance(move, int | np.integer) and not isinstance(move, bool):
                position = position.play(int(move))
            else:
                raise InputError(f"{move!r} of type {type(move).__name__}; expected a move or its number")
        except InputError as error:
            raise InputError(f"move {number}: {error.reason}") from None
    return position


def _is_state(x: Any) -> bool:
    return all(hasattr(x, part) for part in ("get_game", "legal_actions", "apply_action", "is_terminal"))


def _from_state(state: Any, game: str) -> Any:
    from sixarts_game_ai.games import full_name
    from sixarts_game_ai.spiel import SpielPosition

    own = full_name(state.get_game())
    start = start_of(game)
    if own != start.game:
        raise InputError(f"a state of {own}; expected one of {game}; load a model with game={own!r}")
    if own in QUICK:
        for action in state.history():
            start = start.play(action)
        return start
    return SpielPosition(state.clone(), own)


__all__ = ["expected", "illegal", "read_position", "readable"]
