"""Records of games of Go in SGF: stones set up, the main line of moves, komi, rules, handicap.

sgfmill reads the format; what the moves mean is checked here.

Source: www.red-bean.com/sgf (FF[4]).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sixarts.errors import InputError, MissingExtra, OptionError
from sixarts_game_ai.go_rules import GoPosition, komi_fits, rules_named

#: Bytes and moves that a record may have.
BYTES_CAP, MOVES_CAP = 2**22, 5000
COLORS = {"b": 0, "w": 1}


@dataclass(frozen=True)
class GameRecord:
    """A game as it was written down.

    Attributes:
        start: the position before the first move.
        moves: ``(player, action)`` each.
        names: of black and of white; empty where the record has none.
        result: as it is written, e.g. ``"B+3.5"``.
        source: where it came from, for messages.
    """

    start: GoPosition
    moves: tuple[tuple[int, int], ...]
    names: tuple[str, str] = ("", "")
    result: str = ""
    source: str = "the record"

    def positions(self, last: int | None = None) -> list[GoPosition]:
        """The position before the first move and after each one, up to move ``last``.

        Raises:
            InputError: a move that the rules forbid, with its number.
        """
        position = self.start
        found = [position]
        for number, (player, action) in enumerate(self.moves[:last], 1):
            if position.finished:
                # People who pass and then go on have agreed to.
                position = position.resumed()
            position = position.with_player(player)
            try:
                position = position.play(action)
            except InputError as error:
                raise InputError(f"{self.source}, move {number}: {error.reason}") from None
            found.append(position)
        return found


def read_record(source: str | Path) -> GameRecord:
    """A record from a file's path or from its text.

    Args:
        source: a path, or text that begins with ``(``.

    Raises:
        InputError: no such file; no record of a game of Go; a point outside of the board.
        OptionError: a size, komi or rules that are not known.
    """
    raw, name = _raw(source)
    try:
        from sgfmill import sgf
    except ImportError as error:
        raise MissingExtra(
            "records of games need sgfmill, which is not installed; pip install 'sixarts[game-ai]'"
        ) from error
    try:
        game = sgf.Sgf_game.from_bytes(raw)
        size = game.get_size()
    except ValueError as error:
        raise InputError(
            f"{name} is no record of a game ({str(error)[:200]}); expected SGF, which begins with (;"
        ) from None
    try:
        return _record(game, size, name)
    except (ValueError, KeyError) as error:
        if isinstance(error, InputError | OptionError):
            raise
        raise InputError(f"{name} has a property that cannot be read: {str(error)[:200]}") from None


def _raw(source: str | Path) -> tuple[bytes, str]:
    if isinstance(source, str) and source.lstrip().startswith("("):
        raw, name = source.encode("utf-8", "replace"), "the record"
    else:
        path = Path(source)
        name = str(path)
        try:
            if not path.is_file():
                raise InputError(f"{name} is no file; expected a record of a game, *.sgf")
            with path.open("rb") as file:
                raw = file.read(BYTES_CAP + 1)
        except (OSError, ValueError) as error:
            raise InputError(f"{name[:200]} cannot be read: {error}") from None
    if len(raw) > BYTES_CAP:
        raise InputError(f"{name} has more than {BYTES_CAP} bytes; expected a record of one game")
    return raw, name


def _record(game: Any, size: int, name: str) -> GameRecord:
    root = game.get_root()
    if root.has_property("GM") and root.get_raw("GM").strip() not in (b"1", b""):
        raise InputError(f"{name} is of game GM[{root.get_raw('GM')[:20]!r}]; expected GM[1], Go")
    nodes = game.get_main_sequence()
    rules = _rules(root)
    komi = komi_fits(_number(root, "KM", rules.komi), size) if root.has_property("KM") else rules.komi
    handicap = int(_number(root, "HA", 0)) if root.has_property("HA") else 0
    stones: tuple[set[int], set[int]] = (set(), set())
    moves: list[tuple[int, int]] = []
    player = 0
    for node in nodes:
        if node.has_setup_stones():
            if moves:
                raise InputError(
                    f"{name} sets stones up after move {len(moves)}; expected all of them before the first"
                )
            black, white, empty = node.get_setup_stones()
            for points, color in ((black, 0), (white, 1), (empty, None)):
                for point in points:
                    action = _action(point, size, name, "a stone")
                    stones[0].discard(action)
                    stones[1].discard(action)
                    if color is not None:
                        stones[color].add(action)
        if node.has_property("PL") and not moves:
            player = 1 if node.get_raw("PL").strip().lower()[:1] in (b"w", b"2") else 0
        color_name, point = node.get_move()
        if color_name is not None:
            passing = size * size
            where = f"move {len(moves) + 1}"
            moves.append(
                (COLORS[color_name], passing if point is None else _action(point, size, name, where))
            )
            if len(moves) > MOVES_CAP:
                raise InputError(f"{name} has more than {MOVES_CAP} moves; expected a record of one game")
    if moves:
        player = moves[0][0]
    elif stones[0] and not stones[1]:
        player = 1
    try:
        start = GoPosition(
            size,
            komi,
            rules,
            black=stones[0],
            white=stones[1],
            player=player,
            handicap=handicap if handicap > 1 else None,
        )
    except InputError as error:
        raise InputError(f"{name}: {error.reason}") from None
    names = tuple(_text(root, key) for key in ("PB", "PW"))
    return GameRecord(start, tuple(moves), (names[0], names[1]), _text(root, "RE"), name)


def _rules(root: Any) -> Any:
    """The rules that a record names; Japanese ones are meant by those that name none."""
    text = _text(root, "RU").strip()
    if not text:
        return rules_named("japanese")
    try:
        return rules_named(text)
    except OptionError:
        plain = text.lower()
        for part, known in (
            ("japan", "japanese"),
            ("korea", "japanese"),
            ("chin", "chinese"),
            ("aga", "aga"),
            ("nz", "new-zealand"),
            ("zealand", "new-zealand"),
            ("goe", "tromp-taylor"),
            ("ing", "tromp-taylor"),
            ("tromp", "tromp-taylor"),
        ):
            if part in plain:
                return rules_named(known)
        raise


def _action(point: tuple[int, int], size: int, name: str, where: str) -> int:
    row, column = point
    if not (0 <= row < size and 0 <= column < size):
        raise InputError(f"{name}, {where}: a point outside of the board; expected one of {size} by {size}")
    return (size - 1 - row) * size + column


def _number(root: Any, key: str, usual: float) -> float:
    text = _text(root, key).strip()
    if not text:
        return usual
    try:
        value = float(text)
    except ValueError:
        raise InputError(f"{key}[{text[:40]}] in the record; expected a number") from None
    if not abs(value) < 1e6:
        raise InputError(f"{key}[{text[:40]}] in the record; expected a number")
    # Chinese records count stones where others count points: 3.75 are 7.5.
    return 2 * value if key == "KM" and value * 2 != int(value * 2) and value * 4 == int(value * 4) else value


def _text(root: Any, key: str) -> str:
    if not root.has_property(key):
        return ""
    return str(root.get_raw(key).decode("utf-8", "replace"))[:200]
