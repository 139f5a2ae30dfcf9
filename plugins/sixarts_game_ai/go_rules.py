"""The rules of Go, and a position of a game of it.

Rules are KataGo's: Tromp-Taylor and its likes score areas as they stand after two passes; Japanese rules and
their likes go on after two passes in two phases where disputes are played out, so that a program needs no
judgment of what is dead. More than 400 lines, so that a move's whole course stands in one place.

Source: lightvector.github.io/KataGo/rules.html.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sixarts.errors import InputError, OptionError, nearest
from sixarts_game_ai.go_area import area, independent
from sixarts_game_ai.go_board import BLACK, SIZES, WHITE, Board, each, geometry

#: Letters of columns; there is no I.
COLUMNS = "ABCDEFGHJKLMNOPQRST"
#: Points beyond the board's area that a komi may have.
KOMI_CAP = 150.0


@dataclass(frozen=True)
class GoRules:
    """Rules of Go.

    Attributes:
        name: what they are called.
        ko: which repetition is forbidden: a stone's immediate recapture, a board, or a board with its mover.
        scoring: what counts at the end.
        tax: what is not counted: points in seki, or two points of every living group as well.
        suicide: whether a move may take its own chain of several stones.
        handicap_points: what white gets for black's handicap: nothing, a point a stone, or one less.
        friendly_pass: whether people end the game before every dead stone is taken off the board.
        komi: what is usual.
    """

    name: str
    ko: Literal["simple", "positional", "situational"]
    scoring: Literal["area", "territory"]
    tax: Literal["none", "seki", "all"]
    suicide: bool
    handicap_points: Literal["0", "n", "n-1"] = "0"
    friendly_pass: bool = False
    komi: float = 7.5


#: Named rules.
RULES = {
    rules.name: rules
    for rules in (
        GoRules("tromp-taylor", "positional", "area", "none", True),
        GoRules("chinese", "simple", "area", "none", False, "n", True),
        GoRules("chinese-ogs", "positional", "area", "none", False, "n", True),
        GoRules("aga", "situational", "area", "none", False, "n-1", True),
        GoRules("new-zealand", "situational", "area", "none", True, "0", True, 7.0),
        GoRules("ancient-area", "simple", "area", "all", False, "0", True),
        GoRules("japanese", "simple", "territory", "seki", False, komi=6.5),
        GoRules("ancient-territory", "simple", "territory", "all", False, komi=6.5),
    )
}
#: Other names of the same rules.
ALIASES = {
    "korean": "japanese",
    "jp": "japanese",
    "cn": "chinese",
    "tt": "tromp-taylor",
    "tromptaylor": "tromp-taylor",
    "tromp taylor": "tromp-taylor",
    "nz": "new-zealand",
    "new zealand": "new-zealand",
    "bga": "aga",
    "french": "aga",
    "chinese-kgs": "chinese-ogs",
}


def rules_named(name: str) -> GoRules:
    """Rules by name.

    >>> rules_named("Korean").scoring
    'territory'

    Raises:
        OptionError: no such rules; the nearest are printed.
    """
    plain = name.strip().lower().replace("_", "-")
    plain = ALIASES.get(plain, plain)
    if plain not in RULES:
        near = nearest(plain, [*RULES, *ALIASES]) or list(RULES)
        raise OptionError(f"no rules of Go {name[:60]!r}; expected one of {', '.join(near)}")
    return RULES[plain]


def komi_fits(komi: float, size: int) -> float:
    """A komi, if it is a multiple of a half and not absurd.

    Raises:
        OptionError: it is not.
    """
    if not abs(komi) <= size * size + KOMI_CAP or komi * 2 != int(komi * 2):
        raise OptionError(f"komi={komi!r}; expected a multiple of 0.5, at most the board's points and 150")
    return float(komi)


class GoPosition:
    """A position of a game of Go; see :class:`sixarts_game_ai.rules.Position`.

    An action is a point, rows from the top and columns from the left, or the last one, a pass.

    Attributes:
        board: the stones.
        rules, komi: of the game.
        player: who is to move: 0 is black, 1 is white.
        history: actions since the start.
        movers: who played each of them.
        recent: the board now, one and two moves ago.
        phase: 0 in the game, 1 and 2 in the phases after it that territory scoring has.
        finished: whether the game is over.
        void: whether it ended without a result, by a repetition that the rules do not forbid.
        bonus: white's points beside komi: moves and prisoners under territory scoring, handicap.
        banned: points that a repetition forbids to the mover, beside the ko.
        blocked: in the phases after the game, stones that were taken back in a ko, for which a pass is due.
        settled: black's and white's stones when the second phase began.
        valid: how many of the last moves a network may see.
    """

    __slots__ = (
        "_legal",
        "_passed",
        "_seen",
        "_taken",
        "_trodden",
        "banned",
        "blocked",
        "board",
        "bonus",
        "finished",
        "handicap",
        "history",
        "komi",
        "movers",
        "passes",
        "phase",
        "player",
        "recent",
        "rules",
        "settled",
        "start",
        "valid",
        "void",
    )

    def __init__(
        self,
        size: int = 19,
        komi: float | None = None,
        rules: str | GoRules = "tromp-taylor",
        *,
        black: Iterable[int] = (),
        white: Iterable[int] = (),
        player: int = BLACK,
        handicap: int | None = None,
    ) -> None:
        """The start of a game.

        Args:
            size: points along a side, 2 to 19.
            komi: white's points for moving second; the rules' own by default.
            rules: or their name.
            black, white: actions of stones that are there from the start.
            player: who moves first.
            handicap: stones that black was given; counted from the board by default.

        Raises:
            OptionError: a size, komi or rules that there are not.
            InputError: stones that cannot stand so.
        """
        if size not in SIZES:
            raise OptionError(f"a board of size {size!r}; expected 2 to 19")
        self.rules = rules_named(rules) if isinstance(rules, str) else rules
        self.komi = komi_fits(self.rules.komi if komi is None else komi, size)
        shape = geometry(size)
        sets = []
        for actions in (black, white):
            chosen = list(actions)
            if any(not 0 <= action < shape.count for action in chosen):
                raise InputError(f"a stone on point {chosen}; expected points of a board of size {size}")
            sets.append(sum({shape.bits[action] for action in chosen}))
        self._begin(Board.of(size, *sets), player, handicap)

    def _begin(self, board: Board, player: int, handicap: int | None) -> None:
        self.board, self.player, self.start = board, player, board
        self.recent = (board, board, board)
        self.history: tuple[int, ...] = ()
        self.movers: tuple[int, ...] = ()
        self.phase = self.passes = self.valid = 0
        self.finished = self.void = False
        counts = [stones.bit_count() for stones in board.stones]
        if handicap is None:
            handicap = counts[0] if counts[0] > 1 and not counts[1] else 0
        self.handicap = handicap
        points = {"0": 0, "n": handicap, "n-1": max(0, handicap - 1)}
        self.bonus = float(points[self.rules.handicap_points])
        if self.rules.scoring == "territory":
            self.bonus += counts[0] - counts[1]
        self.banned = self.blocked = 0
        self.settled = (0, 0)
        self._trodden = board.stones[0] | board.stones[1]
        self._seen: Any = {self._repeats(board, player, 0): 1}
        self._passed: frozenset[Any] = frozenset()
        self._taken: tuple[Any, ...] = ()
        self._legal: int | None = None

    # What every position offers.

    @property
    def game(self) -> str:
        """The game with its parameters."""
        return f"go(board_size={self.size},komi={self.komi:g},rules={self.rules.name})"

    @property
    def size(self) -> int:
        """Points along a side."""
        return self.board.geometry.size

    @property
    def actions(self) -> int:
        """Points, and the pass."""
        return self.board.geometry.count + 1

    @property
    def passing(self) -> int:
        """The action that passes."""
        return self.board.geometry.count

    def legal(self) -> NDArray[np.bool_]:
        """Which actions may be played, ``[actions]``."""
        shape = self.board.geometry
        allowed = np.zeros(shape.count + 1, bool)
        if not self.finished:
            allowed[:-1] = shape.planes([self.legal_points()])[0].reshape(-1)
            allowed[-1] = True
        return allowed

    def legal_points(self) -> int:
        """The points where the mover may play, as bits."""
        if self._legal is None:
            board, player = self.board, self.player
            allowed = board.empty & ~self.banned
            if not self.phase:
                allowed &= ~board.ko
            for bit in each(board.crowded() & allowed):
                dying = board.dies(bit, player)
                if dying and not (self.rules.suicide and dying != bit):
                    allowed ^= bit
            if self.phase and self.blocked:
                allowed |= self._passes_for_ko()
            self._legal = allowed
        return self._legal

    def play(self, action: int) -> GoPosition:
        """The position after an action.

        Raises:
            InputError: it is illegal.
        """
        shape = self.board.geometry
        if self.finished or not 0 <= action <= shape.count:
            raise self._illegal(action)
        if action == shape.count:
            return self._passing()
        bit = shape.bits[action]
        if not bit & self.legal_points():
            raise self._illegal(action)
        return self._stone(action, bit)

    def value(self) -> float:
        """The result of a finished game for black: 1, 0 or -1."""
        if self.void:
            return 0.0
        return float(np.sign(self.score()))

    def key(self) -> Hashable | None:
        """``None``: which moves are legal depends on how a position came about."""
        return None

    def notation(self, action: int) -> str:
        """A point as people write it, e.g. ``"Q16"``, or ``"pass"``."""
        size = self.size
        if action == self.passing:
            return "pass"
        return f"{COLUMNS[action % size]}{size - action // size}"

    def parse(self, text: str) -> int:
        """The action that people write so; it need not be legal.

        Raises:
            InputError: it is no point of this board and no pass.
        """
        plain, size = text.strip().upper(), self.size
        if plain == "PASS":
            return self.passing
        column = COLUMNS.find(plain[:1]) if plain else -1
        row = plain[1:]
        if not (0 <= column < size and row.isascii() and row.isdecimal() and len(row) <= 2):
            row = "0"
        if not 1 <= int(row) <= size:
            raise InputError(
                f"{text[:40]!r} is no point of a board of size {size}; expected a letter from A to "
                f"{COLUMNS[size - 1]} without I and a number from 1 to {size}, or pass"
            )
        return (size - int(row)) * size + column

    def picture(self) -> Mapping[str, Any]:
        """What plots draw."""
        size = self.size
        signs = {BLACK: "x", WHITE: "o", None: ""}
        return {
            "grid": [
                [signs[self.color(row * size + column)] for column in range(size)] for row in range(size)
            ],
            "points": {action: divmod(action, size) for action in range(size * size)},
            "style": "stones",
        }

    def __str__(self) -> str:
        size = self.size
        signs = {BLACK: "X", WHITE: "O", None: "."}
        rows = [
            f"{size - row:2} " + " ".join(signs[self.color(row * size + column)] for column in range(size))
            for row in range(size)
        ]
        return "\n".join([*rows, "   " + " ".join(COLUMNS[:size])])

    def __repr__(self) -> str:
        return f"<{self.game}, move {len(self.history)}, {('black', 'white')[self.player]} to move>"

    # What Go has beside.

    def color(self, action: int) -> int | None:
        """Who has a stone on a point."""
        bit = self.board.geometry.bits[action]
        return next((color for color in (BLACK, WHITE) if self.board.stones[color] & bit), None)

    def with_player(self, player: int) -> GoPosition:
        """The same position with the other color to move, and no ko, if ``player`` is not the mover."""
        if player == self.player or self.finished:
            return self
        new = self._copy()
        new.board = self.board.without_ko()
        new.recent = (new.board, *self.recent[1:])
        new.player, new.banned, new._legal = player, 0, None
        return new

    def with_komi(self, komi: float) -> GoPosition:
        """The same position with another komi."""
        new = self._copy()
        new.komi = komi_fits(komi, self.size)
        return new

    def resumed(self) -> GoPosition:
        """A finished game as if it went on: the same stones and mover, and no pass that counts."""
        new = self._copy()
        new.finished = new.void = False
        new.passes, new.valid = 0, min(self.valid, 1)
        new._passed = frozenset()
        new._seen = {self._repeats(self.board, self.player, self.blocked): 1} | dict(self._seen)
        new._legal = None
        return new

    def score(self) -> float:
        """Black's points more than white's, komi counted, by the stones as they stand."""
        black, white, tax = self.owners()
        return float(black.bit_count() - white.bit_count() + 2 * tax - self.komi - self.bonus)

    def owners(self) -> tuple[int, int, int]:
        """Points that count for black and for white, and living groups that white has more and pays for."""
        rules, board = self.rules, self.board
        groups = 0
        if rules.scoring == "area":
            if rules.tax == "none":
                black, white = area(board, rules.suicide)
            else:
                black, white, groups = independent(board, rules.suicide, territory=False, stones=True)
        else:
            black, white, groups = independent(
                board, rules.suicide, territory=rules.tax == "none", stones=False
            )
            # Stones of the second phase count nowhere; those from before it stand for a point each.
            standing = self.settled if self.phase == 2 else board.stones
            free = ~(black | white)
            black |= board.stones[0] & standing[0] & free
            white |= board.stones[1] & standing[1] & free
        return black, white, groups if rules.tax == "all" else 0

    def dead_removed(self, dead: Iterable[int]) -> GoPosition:
        """The position without these stones, to score it: they count as taken.

        Args:
            dead: actions.
        """
        shape = self.board.geometry
        gone = sum({shape.bits[action] for action in dead})
        black, white = self.board.stones
        new = self._copy()
        new.board = Board.of(self.size, black & ~gone, white & ~gone)
        new.recent = (new.board, *self.recent[1:])
        new._legal = None
        return new

    # How a move goes.

    def _illegal(self, action: int) -> InputError:
        from sixarts_game_ai.rules import illegal

        named = self.notation(action) if 0 <= action <= self.passing else action
        return illegal(named, self)

    def _copy(self) -> GoPosition:
        new = object.__new__(GoPosition)
        for name in GoPosition.__slots__:
            if hasattr(self, name):
                setattr(new, name, getattr(self, name))
        return new

    def _after(self, board: Board, action: int) -> GoPosition:
        """What is common to all moves; the caller sees to repetitions."""
        new = object.__new__(GoPosition)
        new.rules, new.komi, new.start, new.handicap = self.rules, self.komi, self.start, self.handicap
        new.board, new.player = board, 1 - self.player
        new.recent = (board, self.recent[0], self.recent[1])
        new.history, new.movers = (*self.history, action), (*self.movers, self.player)
        new.phase, new.passes, new.valid = self.phase, 0, self.valid + 1
        new.finished = new.void = False
        new.bonus, new.banned, new.blocked = self.bonus, 0, self.blocked
        new.settled, new._trodden = self.settled, self._trodden
        new._seen, new._passed, new._taken = self._seen, self._passed, self._taken
        new._legal = None
        return new

    def _repeats(self, board: Board, player: int, blocked: int) -> Hashable:
        """What must not, or should not, come again."""
        if self.phase or self.rules.ko != "positional":
            return (board.stones, player, blocked)
        return board.stones

    def _stone(self, action: int, bit: int) -> GoPosition:
        board, player = self.board, self.player
        for_ko = self._ko_that_a_pass_lifts(bit) if self.phase else 0
        if for_ko:
            new = self._after(board.without_ko(), action)
            new.blocked &= ~for_ko
        else:
            after = board.play(bit, player)
            new = self._after(after, action)
            if self.phase:
                if after.ko:
                    new.blocked |= bit
                    new._taken = (*self._taken, (board.stones, bit, player))
                    new.board = after.without_ko()
                    new.recent = (new.board, *new.recent[1:])
                new.blocked &= ~new.board.empty
            if self.rules.scoring == "territory" and self.phase <= 1:
                new.bonus += 1.0 if player == BLACK else -1.0
        new._trodden |= bit
        key = new._repeats(new.board, new.player, new.blocked)
        times = self._seen.get(key, 0) + 1
        new._seen = {**self._seen, key: times}
        if (self.phase or self.rules.ko == "simple") and times >= 3:
            new.void = new.finished = True
        if self.phase:
            for stones, point, mover in new._taken:
                if mover == new.player and stones == new.board.stones:
                    new.banned |= point
        elif self.rules.ko != "simple":
            new.banned = new._repetitions()
        return new

    def _passing(self) -> GoPosition:
        new = self._after(self.board.without_ko(), self.passing)
        key = self._repeats(self.board, self.player, self.blocked)
        mark = (key, self.player)
        clears = self._passes_clear()
        ends = self.pass_ends_phase()
        new.passes = self.passes + 1
        if clears:
            new._seen = {}
        new._passed = self._passed | {mark}
        after = new._repeats(new.board, new.player, new.blocked)
        new._seen = {**new._seen, after: new._seen.get(after, 0) + 1}
        if not self.phase and self.rules.ko != "simple":
            new.banned = new._repetitions()
        elif self.phase:
            for stones, point, mover in new._taken:
                if mover == new.player and stones == new.board.stones:
                    new.banned |= point
        if ends:
            if self.rules.scoring == "area" or self.phase == 2:
                new.finished = True
            else:
                new._next_phase()
        return new

    def _next_phase(self) -> None:
        self.phase += 1
        self.passes = self.valid = self.banned = self.blocked = 0
        if self.phase == 2:
            self.settled = self.board.stones
        self._passed, self._taken = frozenset(), ()
        self._seen = {self._repeats(self.board, self.player, 0): 1}

    def _passes_clear(self) -> bool:
        """Whether a pass lets boards come again, and a second one in the same situation ends the phase."""
        return self.phase > 0 or self.rules.ko == "simple"

    def again(self) -> bool:
        """Whether the mover already passed in this very situation, where that ends the phase."""
        key = self._repeats(self.board, self.player, self.blocked)
        return self._passes_clear() and (key, self.player) in self._passed

    def pass_ends_phase(self) -> bool:
        """Whether a pass now ends the game, or this phase of it."""
        return self.passes + 1 >= 2 or self.again()

    def pass_ends_game(self) -> bool:
        """Whether a pass now ends the game."""
        return self.pass_ends_phase() and (self.rules.scoring == "area" or self.phase == 2)

    def _repetitions(self) -> int:
        """Points where the mover would make a board that was there before."""
        board, player = self.board, self.player
        shape = board.geometry
        crowded = board.crowded()
        other = board.stones[1 - player]
        banned = 0
        # Only where a stone once was, or by suicide, can a board come again.
        candidates = board.empty & self._trodden & ~board.ko
        if self.rules.suicide:
            candidates |= crowded & ~board.ko
        seen = self._seen
        for bit in each(candidates):
            taken = 0
            if shape.beside(bit) & other:
                for chain in board.chains[1 - player]:
                    if chain[1] & bit and chain[1] & board.empty == bit:
                        taken |= chain[0]
            own = board.stones[player] | bit
            theirs = other ^ taken
            if not taken and bit & crowded:
                dying = board.dies(bit, player)
                if dying:
                    if not self.rules.suicide or dying == bit:
                        continue
                    own &= ~dying
            stones = (theirs, own) if player else (own, theirs)
            key: Hashable = stones if self.rules.ko == "positional" else (stones, 1 - player, 0)
            if key in seen:
                banned |= bit
        return banned

    def _passes_for_ko(self) -> int:
        """In the phases after the game: moves that stand for a pass, for a ko that is blocked."""
        found = 0
        board, other = self.board, 1 - self.player
        for chain in board.chains[other]:
            stones = chain[0]
            if not stones & (stones - 1) and stones & self.blocked:
                free = chain[1] & board.empty
                if not free & (free - 1):
                    found |= stones
                    if board.takes_in_ko(free, self.player) == stones:
                        found |= free
        return found

    def _ko_that_a_pass_lifts(self, bit: int) -> int:
        """The blocked stone for which a move stands for a pass, or 0."""
        if bit & self.board.stones[1 - self.player]:
            return bit
        taken = self.board.takes_in_ko(bit, self.player)
        return taken & self.blocked
