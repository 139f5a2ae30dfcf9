"""The Go Text Protocol, version 2: a network that any program for Go boards can play with.

What comes in is a line of text; what it cannot do is answered with ``?`` and the reason, whatever it was.
More than 400 lines, so that all commands stand in one place.

Source: Farneback 2002, "Specification of the Go Text Protocol, version 2, draft 2"; the analysis commands are
those of Leela Zero and KataGo.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator

from sixarts.errors import SixartsError
from sixarts_game_ai.go_board import SIZES
from sixarts_game_ai.go_engine import GoEngine
from sixarts_game_ai.go_rules import RULES, GoPosition, rules_named
from sixarts_game_ai.gtp_analysis import info, report
from sixarts_game_ai.gtp_clock import Clock

NAME = "Sixarts"
#: Bytes of a line, and moves of a game.
LINE_CAP, MOVES_CAP = 2**16, 3000
#: Largest search that an analysis makes when nobody stops it.
ANALYSIS_VISITS = 20_000


class Refused(Exception):
    """A command that cannot be carried out; the text is the answer."""


class Gtp:
    """A game over GTP.

    Args:
        engine: what plays.
        size, komi, rules: of the game to begin with.
        version: of the program.
    """

    def __init__(
        self,
        engine: GoEngine,
        size: int = 19,
        komi: float | None = None,
        rules: str = "tromp-taylor",
        version: str = "",
    ) -> None:
        self.engine, self.version = engine, version
        self.position = GoPosition(size, komi, rules)
        self.before: list[GoPosition] = []
        self.clock = Clock()
        self.over = False
        self.commands: dict[str, Callable[[list[str]], str]] = {
            name.removeprefix("do_").replace("__", "-"): getattr(self, name)
            for name in dir(self)
            if name.startswith("do_")
        }

    # The protocol.

    def answer(self, line: str, waiting: Callable[[], bool] | None = None) -> Iterator[str]:
        """Pieces of the answer to a line, which come as they are ready; none for an empty line.

        Args:
            line: as it was read.
            waiting: whether another line is there, which ends an analysis.
        """
        tokens = self._tokens(line)
        if not tokens:
            return
        number = ""
        if re.fullmatch(r"[0-9]{1,20}", tokens[0]):
            number = tokens.pop(0)
        try:
            if len(line) > LINE_CAP:
                raise Refused("a line that is too long")
            if not tokens:
                raise Refused("unknown command")
            name, *arguments = tokens
            if name in ANALYSES:
                yield f"={number}\n"
                yield from self._analyze(name, arguments, waiting)
                yield "\n"
                return
            command = self.commands.get(name)
            if command is None:
                raise Refused("unknown command")
            text = command(arguments)
            yield f"={number} {text}\n\n" if text else f"={number} \n\n"
        except (Refused, SixartsError) as error:
            yield f"?{number} {_one_line(str(error))}\n\n"
        except Exception as error:  # a controller must get an answer, whatever a stranger's line did
            yield f"?{number} {type(error).__name__}: {_one_line(str(error))}\n\n"

    @staticmethod
    def _tokens(line: str) -> list[str]:
        """The words of a line without comments and control characters."""
        line = line.partition("#")[0].replace("\t", " ")
        return "".join(char for char in line if char >= " " and char != "\x7f").split()

    # Administration.

    def do_protocol_version(self, words: list[str]) -> str:
        _none(words)
        return "2"

    def do_name(self, words: list[str]) -> str:
        _none(words)
        return NAME

    def do_version(self, words: list[str]) -> str:
        _none(words)
        return self.version

    def do_known_command(self, words: list[str]) -> str:
        return "true" if len(words) == 1 and words[0] in self._names() else "false"

    def do_list_commands(self, words: list[str]) -> str:
        _none(words)
        return "\n".join(self._names())

    def do_quit(self, words: list[str]) -> str:
        _none(words)
        self.over = True
        return ""

    # Setup.

    def do_boardsize(self, words: list[str]) -> str:
        size = _integer(words, 0, "a size")
        if size not in SIZES:
            raise Refused("unacceptable size")
        self._begin(GoPosition(size, self.position.komi, self.position.rules))
        return ""

    def do_clear_board(self, words: list[str]) -> str:
        _none(words)
        self._begin(GoPosition(self.position.size, self.position.komi, self.position.rules))
        return ""

    def do_komi(self, words: list[str]) -> str:
        komi = _number(words, 0, "a komi")
        self.position = self.position.with_komi(round(2 * komi) / 2)
        self.before = [position.with_komi(round(2 * komi) / 2) for position in self.before]
        self.engine.forget()
        return ""

    def do_fixed_handicap(self, words: list[str]) -> str:
        return self._handicap(fixed_points(self.position.size, _integer(words, 0, "a number of stones")))

    def do_place_free_handicap(self, words: list[str]) -> str:
        count = _integer(words, 0, "a number of stones")
        size = self.position.size
        if not 2 <= count <= size * size - 1:
            raise Refused("invalid number of stones")
        most = len(fixed_points(size, 9, strict=False))
        points = fixed_points(size, min(count, most), strict=False) if most else []
        while len(points) < count:
            # The network places what star points are too few for.
            position = GoPosition(size, self.position.komi, self.position.rules, black=points)
            policy = self.engine.look(position.with_player(0)).policy[0][:-1]
            policy[points] = 0
            points.append(int(policy.argmax()))
        return self._handicap(points)

    def do_set_free_handicap(self, words: list[str]) -> str:
        points = [self._vertex(word) for word in words]
        if len(points) < 2 or len(set(points)) != len(points) or self.position.passing in points:
            raise Refused("bad vertex list")
        self._handicap(points)
        return ""

    def _handicap(self, points: list[int]) -> str:
        if self.position.history or self.position.board.stones != (0, 0):
            raise Refused("board not empty")
        old = self.position
        self._begin(GoPosition(old.size, old.komi, old.rules, black=points, player=1))
        return " ".join(self.position.notation(point) for point in points)

    # The game.

    def do_play(self, words: list[str]) -> str:
        if len(words) != 2:
            raise Refused("syntax error; expected a color and a vertex")
        player = _color(words[0])
        if words[1].lower() == "resign":
            return ""
        action = self._vertex(words[1])
        position = self._turn(player)
        if not position.legal()[action]:
            raise Refused("illegal move")
        self._play(position, action)
        return ""

    def do_genmove(self, words: list[str]) -> str:
        return self._generated(words, keep=True, clean=False)

    def do_reg_genmove(self, words: list[str]) -> str:
        return self._generated(words, keep=False, clean=False)

    def do_kgs__genmove_cleanup(self, words: list[str]) -> str:
        return self._generated(words, keep=True, clean=True)

    def _generated(self, words: list[str], keep: bool, clean: bool) -> str:
        player = _color(words[0] if len(words) == 1 else "")
        position = self._turn(player)
        seconds = self.clock.seconds(player, len(position.history), position.board.geometry.count)
        if clean:
            action: int | None = self.engine.cleaning(position, seconds)
        elif position.phase and keep:
            # After both passed, people decide what is dead; the network has nothing more to ask for.
            action = position.passing
        else:
            action = self.engine.move(position, seconds)
        if action is None:
            return "resign"
        if keep:
            self._play(position, action)
        return position.notation(action)

    def do_undo(self, words: list[str]) -> str:
        _none(words)
        if not self.before:
            raise Refused("cannot undo")
        self.position = self.before.pop()
        self.engine.forget()
        return ""

    def do_loadsgf(self, words: list[str]) -> str:
        if not 1 <= len(words) <= 2:
            raise Refused("syntax error; expected a file and a number of a move")
        from pathlib import Path

        from sixarts_game_ai.sgf import read_record

        last = None
        if len(words) == 2:
            # "Before move n" is after n - 1 of them.
            last = max(0, _integer(words, 1, "a number of a move") - 1)
        positions = read_record(Path(words[0])).positions(last)
        self._begin(positions[-1])
        self.before = positions[:-1]
        return ""

    # Time.

    def do_time_settings(self, words: list[str]) -> str:
        main, period = _number(words, 0, "main time"), _number(words, 1, "a period")
        stones = _integer(words, 2, "stones")
        if min(main, period, stones) < 0:
            raise Refused("syntax error; expected times that are not negative")
        self.clock.settle(main, period, stones)
        return ""

    def do_time_left(self, words: list[str]) -> str:
        player = _color(words[0] if words else "")
        left, stones = _number(words, 1, "seconds"), _integer(words, 2, "stones")
        self.clock.limited = True
        self.clock.left[player] = (max(0.0, left), max(0, stones))
        return ""

    # What there is to see.

    def do_showboard(self, words: list[str]) -> str:
        _none(words)
        position = self.position
        mover = ("black", "white")[position.player]
        return f"\n{position}\n{position.game}, {mover} to move, {len(position.history)} moves"

    def do_final_score(self, words: list[str]) -> str:
        _none(words)
        score = self.engine.final_score(self.position)
        if self.position.void or not score:
            return "0"
        return f"{'B' if score > 0 else 'W'}+{abs(score):g}"

    def do_final_status_list(self, words: list[str]) -> str:
        status = words[0].lower() if len(words) == 1 else ""
        if status not in ("alive", "dead", "seki"):
            raise Refused("syntax error; expected alive, dead or seki")
        position = self.position
        dead = self.engine.dead(position)
        found = set(dead)
        if status != "dead":
            found = set(self.engine.seki(position, dead))
        if status == "alive":
            stones = {a for a in range(position.passing) if position.color(a) is not None}
            found = stones - found - set(dead)
        lines = []
        # A line for each chain, as the protocol asks.
        for chains in position.board.chains:
            for chain in chains:
                points = [a for a in sorted(found) if position.board.geometry.bits[a] & chain.stones]
                if points:
                    lines.append(" ".join(position.notation(point) for point in points))
        return "\n".join(lines)

    def do_kata__raw__nn(self, words: list[str]) -> str:
        return report(self.engine, self.position)

    def do_kata__set__rules(self, words: list[str]) -> str:
        rules = rules_named(" ".join(words))
        if self.position.history:
            raise Refused("the game has begun; expected a cleared board")
        old = self.position
        self._begin(GoPosition(old.size, old.komi, rules, player=old.player))
        return ""

    def do_kata__get__rules(self, words: list[str]) -> str:
        _none(words)
        return self.position.rules.name

    def do_kata__list__rules(self, words: list[str]) -> str:
        _none(words)
        return " ".join(RULES)

    # Analysis.

    def _analyze(self, name: str, words: list[str], waiting: Callable[[], bool] | None) -> Iterator[str]:
        player, interval = self.position.player, 1.0
        for word in words:
            if word.lower() in ("b", "black", "w", "white"):
                player = _color(word)
            elif re.fullmatch(r"[0-9]{1,7}", word):
                interval = max(0.1, int(word) / 100)
            # Other words are options of programs that have more to say; they are left alone.
        try:
            position = self._turn(player)
        except Refused as error:
            yield f"{error}\n"
            return
        moves = name.startswith(("lz-genmove", "kata-genmove"))
        search = self.engine.begin(position, None, None if moves else ANALYSIS_VISITS)
        told = 0.0
        while search.round() and not (not moves and waiting is not None and waiting()):
            found = search.results()[0]
            if found.seconds - told >= interval:
                told = found.seconds
                yield info(self.engine, found, lz=name.startswith("lz")) + "\n"
        found = search.results()[0]
        self.engine.tree = found.tree
        yield info(self.engine, found, lz=name.startswith("lz")) + "\n"
        if moves:
            self._play(position, found.best)
            yield f"play {position.notation(found.best)}\n"

    # What commands share.

    def _names(self) -> list[str]:
        return sorted([*self.commands, *ANALYSES])

    def _begin(self, position: GoPosition) -> None:
        self.position, self.before = position, []
        self.engine.forget()

    def _turn(self, player: int) -> GoPosition:
        """The position with a color to move; a game that was over goes on."""
        position = self.position.resumed() if self.position.finished else self.position
        return position.with_player(player)

    def _play(self, position: GoPosition, action: int) -> None:
        if len(self.before) >= MOVES_CAP:
            raise Refused("the game is too long")
        after = position.play(action)
        self.before.append(self.position)
        self.position = after

    def _vertex(self, word: str) -> int:
        try:
            return self.position.parse(word)
        except SixartsError:
            raise Refused("invalid coordinate") from None


#: Commands that answer as they go, until another line comes.
ANALYSES = ("kata-analyze", "lz-analyze", "kata-genmove_analyze", "lz-genmove_analyze")


def fixed_points(size: int, count: int, strict: bool = True) -> list[int]:
    """Where the protocol puts handicap stones.

    Args:
        count: 2 to 9.
        strict: whether a number that the board has no place for is refused, or cut.

    >>> [GoPosition(9).notation(point) for point in fixed_points(9, 2)]
    ['C3', 'G7']
    """
    line = 3 if size >= 13 else 2
    middle = size % 2 == 1 and size >= 9
    most = 0 if size < 7 else 9 if middle else 4
    if not strict:
        count = min(count, most)
        if count < 2:
            return []
    if not 2 <= count <= most:
        raise Refused("invalid number of stones")
    low, high, half = line, size - 1 - line, size // 2
    points = [(high, low), (low, high), (low, low), (high, high)][: min(count, 4)]
    if count >= 6:
        points += [(half, low), (half, high)]
    if count >= 8:
        points += [(low, half), (high, half)]
    if count in (5, 7, 9):
        points.append((half, half))
    return [row * size + column for row, column in points]


def _color(word: str) -> int:
    found = {"b": 0, "black": 0, "w": 1, "white": 1}.get(word.lower())
    if found is None:
        raise Refused("syntax error; expected a color")
    return found


def _none(words: list[str]) -> None:
    """Arguments that a command does not take are left alone, as the protocol's programs do."""


def _integer(words: list[str], place: int, what: str) -> int:
    word = words[place] if place < len(words) else ""
    if not re.fullmatch(r"-?[0-9]{1,9}", word):
        raise Refused(f"syntax error; expected {what}")
    return int(word)


def _number(words: list[str], place: int, what: str) -> float:
    try:
        value = float(words[place])
    except (IndexError, ValueError):
        raise Refused(f"syntax error; expected {what}") from None
    if not math.isfinite(value):
        raise Refused(f"syntax error; expected {what}")
    return value


def _one_line(text: str) -> str:
    """An error's text as the protocol has it: never an empty line within."""
    return " / ".join(part.strip() for part in text.splitlines() if part.strip())[:500] or "error"
