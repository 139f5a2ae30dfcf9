"""Options of ``game-strategy``."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from sixarts.errors import OptionError
from sixarts.task import Options
from sixarts.training import Training
from sixarts_game_ai.search_settings import SearchSettings

#: Simulations below which Gumbel's halving chooses at the root, where the caller leaves it open.
FEW = 64
#: Most simulations that the halving plans.
PLANNED = 100_000


@dataclass(frozen=True)
class StrategyOptions(Options):
    """Options of a call of ``game-strategy``.

    Attributes:
        batch_size: positions that are searched side by side.
        simulations: positions that the search looks at; more play better.
        seconds: wall time after which a search ends early; ``None`` knows no clock. Answers depend on the
            machine then.
        temperature: 0 plays the best move; above, moves are drawn by their share of visits to the power of
            ``1 / temperature``, so that games differ.
        seed: of what is drawn.
        lanes: positions of one search that the network sees at once.
        exploration: how much the search tries beside what looks best.
        root: how the search chooses at the root: ``"puct"``, ``"gumbel"`` (better with few simulations), or
            ``"auto"``.
    """

    simulations: int = 800
    seconds: float | None = None
    temperature: float = 0.0
    seed: int = 0
    lanes: int = 32
    exploration: float = 1.25
    root: Literal["auto", "puct", "gumbel"] = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.simulations <= 10_000_000:
            raise OptionError(f"simulations={self.simulations!r}; expected 1 to 10,000,000")
        if self.seconds is not None and not 0 < self.seconds < math.inf:
            raise OptionError(f"seconds={self.seconds!r}; expected more than 0, or None")
        if not 0 <= self.temperature <= 100:
            raise OptionError(f"temperature={self.temperature!r}; expected 0 to 100")
        if not 1 <= self.lanes <= 4096:
            raise OptionError(f"lanes={self.lanes!r}; expected 1 to 4096")
        if not 0 < self.exploration <= 100:
            raise OptionError(f"exploration={self.exploration!r}; expected more than 0, and 100 at most")
        if self.root == "gumbel" and self.simulations > PLANNED:
            raise OptionError(
                f"root='gumbel' with simulations={self.simulations:,}; expected {PLANNED:,} at most: it "
                "plans each of them"
            )
        if self.seed < 0:
            raise OptionError(f"seed={self.seed!r}; expected 0 or more")

    def settings(self, processor: Any) -> SearchSettings:
        """What the search is told, for a model with this processor."""
        few = "gumbel" if self.simulations < FEW else "puct"
        return SearchSettings(
            simulations=self.simulations,
            seconds=self.seconds,
            lanes=self.lanes,
            exploration=self.exploration,
            discount=getattr(processor, "discount", 1.0),
            root=few if self.root == "auto" else self.root,
            together=False,
        )


@dataclass(frozen=True)
class StrategyTraining(Training):
    """Options of ``fit``: positions with their best moves and values, e.g. of strong players' games.

    Attributes:
        mirror: whether boards are mirrored half of the time; for games whose left and right are alike.
    """

    learning_rate: float = 1e-3
    mirror: bool = False
