"""Ladders: chains that are caught by a sequence of ataris, and the moves that start one.

The attacker plays on one of two liberties; the defender, in atari, runs or takes a chain that is itself in
atari. Two liberties for the defender to move save it, and so do three for the attacker to move. Kos are
decided for the defender, but for a chain whose two liberties are both mouths of kos.

Every reading says which points it looked at, so that after a move only the chains near it are read again.

Source: the definition is KataGo's (Wu 2019, "Accelerating Self-Play Learning in Go", appendix A), whose
networks expect it.
"""

from __future__ import annotations

from dataclasses import dataclass

from sixarts_game_ai.go_board import Board, each

#: Moves that one reading may try; a chain that is not caught by then counts as free.
NODES = 25_000
#: Chains of a size of board whose readings are kept, and readings of each in different surroundings.
MEMORY, VARIANTS = 8192, 8


@dataclass(frozen=True, slots=True)
class Ladder:
    """What was read about one chain of one or two liberties.

    Attributes:
        caught: whether it is lost, or can be caught by the attacker who moves first.
        working: the attacker's first moves that catch it; none for a chain in atari.
        looked: every point on which the reading depends.
    """

    caught: bool
    working: int
    looked: int


def ladders(board: Board, before: Board | None = None) -> dict[tuple[int, int], Ladder]:
    """What becomes of each chain with one or two liberties.

    Args:
        board: the position.
        before: a position some moves earlier; what was read there and cannot have changed is taken over.

    Returns:
        Color and stones of a chain to its ladder.
    """
    found = board.cache.get("ladders")
    if isinstance(found, dict):
        return found
    known: dict[tuple[int, int], Ladder] = {}
    changed = 0
    if before is not None and before is not board:
        earlier = before.cache.get("ladders")
        if isinstance(earlier, dict):
            known = earlier
            changed = (
                (board.stones[0] ^ before.stones[0])
                | (board.stones[1] ^ before.stones[1])
                | board.ko
                | before.ko
            )
    made: dict[tuple[int, int], Ladder] = {}
    empty = board.empty
    for color in (0, 1):
        for stones, around in board.chains[color]:
            free = around & empty
            rest = free & (free - 1)
            if rest & (rest - 1):
                continue
            key = (color, stones)
            old = known.get(key)
            if old is None or old.looked & changed:
                old = _remembered(board, stones, free, color, bool(rest))
            made[key] = old
    board.cache["ladders"] = made
    return made


def _remembered(board: Board, stones: int, free: int, color: int, two: bool) -> Ladder:
    """A reading from memory, if all that it looked at was the same; else a new one."""
    memory = board.geometry.memory
    key = (color, stones)
    black, white = board.stones
    for looked, own_black, own_white, ko, ladder in memory.get(key, ()):
        if black & looked == own_black and white & looked == own_white and board.ko & looked == ko:
            return ladder
    ladder = _read(board, stones, free, color, two)
    looked = ladder.looked
    if len(memory) >= MEMORY:
        memory.clear()
    kept = memory.get(key, ())[-(VARIANTS - 1) :]
    memory[key] = (*kept, (looked, black & looked, white & looked, board.ko & looked, ladder))
    return ladder


def _read(board: Board, stones: int, free: int, color: int, two: bool) -> Ladder:
    """One chain, by the attacker first where it has two liberties."""
    reading = _Reading(stones & -stones, color)
    if not two:
        caught = reading.caught(board.without_ko())
        return Ladder(caught, 0, reading.looked)
    working = 0
    reading.looked |= stones | board.chain(reading.bit, color).around
    for move in each(free):
        if reading.escapes(board, free ^ move, move):
            continue
        reading.look_beside(board, move)
        if move == board.ko or board.dies(move, 1 - color):
            continue
        # Kos work for the defender of a reading that begins.
        if reading.caught(board.play(move, 1 - color).without_ko()):
            working |= move
    return Ladder(bool(working), working, reading.looked)


class _Reading:
    """A search for one chain; ``looked`` grows with what it looks at."""

    __slots__ = ("bit", "color", "left", "looked")

    def __init__(self, bit: int, color: int) -> None:
        self.bit, self.color, self.looked, self.left = bit, color, 0, NODES

    def caught(self, board: Board) -> bool:
        """Whether the defender, to move, is caught; depth first, without recursion, as ladders are long."""
        self.left = NODES
        first = self._defender(board)
        if isinstance(first, bool):
            return first
        #: Positions on the way down, with the moves that are left to try; defender and attacker alternate.
        way: list[tuple[Board, list[int]]] = [(board, first)]
        longest = board.geometry.count * 3 // 2
        answer: bool | None = None  # of the position that was just left
        while True:
            board, moves = way[-1]
            defends = len(way) % 2 == 1
            if answer is not None and answer is not defends:  # the mover found what it looked for
                way.pop()
                if not way:
                    return answer
                continue
            answer = None
            if not moves:
                way.pop()
                answer = defends
                if not way:
                    return answer
                continue
            move, mover = moves.pop(), self.color if defends else 1 - self.color
            if move == board.ko:
                continue
            if not board.geometry.beside(move) & board.empty:
                self.look_beside(board, move)
                if board.dies(move, mover):
                    continue
            self.left -= 1
            if self.left <= 0:
                return False
            after = board.play(move, mover)
            self.looked |= after.touched
            if len(way) >= longest:
                answer = True
                continue
            reached = self._attacker(after) if defends else self._defender(after)
            if isinstance(reached, bool):
                answer = reached
            else:
                way.append((after, reached))

    def look_beside(self, board: Board, bit: int) -> None:
        """Counts what a move on a point depends on as looked at."""
        self.looked |= bit | board.geometry.beside(bit)
        for chains in board.chains:
            for stones, around in chains:
                if around & bit:
                    self.looked |= stones | around

    def escapes(self, board: Board, move: int, without: int) -> bool:
        """Whether the defender's move on a liberty gives three others beside ``without``, the attacker's."""
        beside = board.geometry.beside(move)
        self.looked |= beside
        gained = beside & board.empty
        if (gained & ~without).bit_count() < 3 and beside & board.stones[self.color]:
            for chain in board.chains[self.color]:
                if chain[1] & move and not chain[0] & self.bit:
                    self.looked |= chain[0] | chain[1]
                    gained |= chain[1] & board.empty
        return (gained & ~(without | move)).bit_count() >= 3

    def _defender(self, board: Board) -> bool | list[int]:
        """Whether the defender, to move, is caught, or the moves to try, the best last."""
        stones, around = board.chain(self.bit, self.color)
        self.looked |= stones | around
        empty = board.empty
        free = around & empty
        if free & (free - 1) or board.ko:
            return False
        beside = board.geometry.beside(free)
        self.looked |= beside
        gained = beside & empty
        for chain in board.chains[self.color]:
            if chain[1] & free:
                self.looked |= chain[0] | chain[1]
                gained |= chain[1] & empty
        gained &= ~free
        taking = 0
        for chain in board.chains[1 - self.color]:
            if chain[1] & stones or chain[1] & free:
                self.looked |= chain[0] | chain[1]
                liberties = chain[1] & empty
                if not liberties & (liberties - 1):
                    if liberties == free:
                        gained |= chain[0] & beside
                    if chain[1] & stones:
                        taking |= liberties
        rest = gained & (gained - 1)
        if rest & (rest - 1):
            return False
        moves = [move for move in each(taking) if move != free]
        return [*moves, free]

    def _attacker(self, board: Board) -> bool | list[int]:
        """The same with the attacker to move."""
        stones, around = board.chain(self.bit, self.color)
        self.looked |= stones | around
        empty = board.empty
        free = around & empty
        one = free & -free
        other = free ^ one
        if not other:
            return True
        if other & (other - 1):
            return False
        beside = board.geometry.beside
        beside_one, beside_other = beside(one), beside(other)
        self.looked |= beside_one | beside_other
        gains_one, gains_other = beside_one & empty, beside_other & empty
        if not gains_one and not gains_other and self._two_kos(board, stones, one, other):
            return True
        if not beside_one & other:
            many_one, many_other = gains_one.bit_count() >= 3, gains_other.bit_count() >= 3
            if many_one and many_other:
                return False
            if many_one:
                return [one]
            if many_other:
                return [other]
        # The point where the defender would gain more is tried first, so it comes last.
        if self._room(board, one, gains_one) < self._room(board, other, gains_other):
            return [one, other]
        return [other, one]

    def _room(self, board: Board, bit: int, gains: int) -> int:
        """About how much a defender's move there gains, in half liberties."""
        room = 2 * gains.bit_count()
        for chain in board.chains[self.color]:
            if chain[1] & bit and not chain[0] & self.bit:
                room += max(0, 2 * (chain[1] & board.empty).bit_count() - 3)
        return room

    def _two_kos(self, board: Board, stones: int, one: int, other: int) -> bool:
        """Whether both liberties are mouths of kos that the defender cannot win both."""
        attacker = 1 - self.color
        self.look_beside(board, one)
        self.look_beside(board, other)
        if not board.takes_in_ko(one, attacker) or not board.takes_in_ko(other, attacker):
            return False
        for bit in (one, other):
            after = board.play(bit, self.color)
            if (after.chain(bit, self.color)[1] & after.empty).bit_count() > 2:
                return False
        sound = True
        for chain in board.chains[attacker]:
            if chain[1] & stones:
                self.looked |= chain[0] | chain[1]
                sound &= (chain[1] & board.empty).bit_count() != 1
        return sound
