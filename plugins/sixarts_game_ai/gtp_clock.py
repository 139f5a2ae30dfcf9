"""How long a move may take, by the clocks of GTP: main time, then so many stones in so many seconds."""

from __future__ import annotations

from dataclasses import dataclass, field

#: Seconds that are kept back for what is slow on the way.
RESERVE = 0.3
#: Share of what there is that one move may take.
SHARE = 0.9


@dataclass
class Clock:
    """The clocks of both colors.

    Attributes:
        main: seconds before stones are counted.
        period: seconds of each period after that; 0 where there is none.
        stones: stones to play in a period.
        limited: whether there is a limit at all.
        left: color to seconds and stones that are left, as the controller told last.
    """

    main: float = 0.0
    period: float = 0.0
    stones: int = 0
    limited: bool = False
    left: dict[int, tuple[float, int]] = field(default_factory=dict)

    def settle(self, main: float, period: float, stones: int) -> None:
        """Sets the system of time; a period without stones means that there is no limit."""
        self.main, self.period, self.stones = main, period, stones
        self.limited = not (period > 0 and stones == 0)
        self.left = {}

    def seconds(self, color: int, moves: int, points: int) -> float | None:
        """What the next move of a color may take, or ``None`` where there is no limit.

        Args:
            moves: played so far.
            points: of the board.
        """
        if not self.limited:
            return None
        left, stones = self.left.get(color, (self.main, 0))
        if stones:
            share = left / stones
        else:
            # Games go on for some six tenths of the board, and for a while longer whatever was played.
            ahead = max(points * 0.6 - moves, points * 0.15) / 2
            share = left / max(ahead, 4.0)
            if self.period and self.stones:
                share = max(share, min(left + self.period / self.stones, self.period / self.stones))
        return max(0.05, SHARE * share - min(RESERVE, share / 3))
