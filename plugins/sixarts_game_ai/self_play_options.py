"""Options of self-play, and the history that it gives."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sixarts.errors import OptionError
from sixarts.result import Result
from sixarts_game_ai.search_settings import SearchSettings


@dataclass(frozen=True)
class SelfPlayTraining:
    """Options of self-play.

    Attributes:
        iterations: rounds of playing and learning.
        minutes: wall time after which it ends, whatever ``iterations`` says; ``None`` knows no clock.
        positions: new ones in each iteration.
        games: side by side in one batch (in each worker).
        simulations: of a move.
        openings: most random moves that a game begins with.
        replay: samples that are kept.
        reuse: how often a sample is learned from, on average.
        batch_size: samples a step.
        learning_rate: at the start; it falls to zero by a cosine.
        weight_decay: as in ``fit``.
        mirror: whether boards are mirrored half of the time; for games whose left and right are alike.
        workers: processes that play; 0 plays in this one.
        seed: of everything that is drawn.
        folder: where checkpoints are kept; a run with the same folder goes on there.
        ladder: iterations between two matches against earlier selves; 0 plays none.
        progress: whether a bar is shown; ``None`` shows it on a terminal.
    """

    iterations: int = 20
    minutes: float | None = None
    positions: int = 4096
    games: int = 64
    simulations: int = 32
    openings: int = 0
    replay: int = 200_000
    reuse: float = 4.0
    batch_size: int = 256
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    mirror: bool = False
    workers: int = 0
    seed: int = 0
    folder: str | Path | None = None
    ladder: int = 0
    progress: bool | None = None

    def __post_init__(self) -> None:
        for name in ("iterations", "positions", "games", "simulations", "replay", "batch_size"):
            if getattr(self, name) < 1:
                raise OptionError(f"{name}={getattr(self, name)!r}; expected 1 or more")
        for name in ("openings", "workers", "ladder"):
            if getattr(self, name) < 0:
                raise OptionError(f"{name}={getattr(self, name)!r}; expected 0 or more")
        for name in ("reuse", "learning_rate"):
            if not 0 < getattr(self, name) < math.inf:
                raise OptionError(f"{name}={getattr(self, name)!r}; expected more than 0")
        if self.minutes is not None and not self.minutes > 0:
            raise OptionError(f"minutes={self.minutes!r}; expected more than 0")
        if self.workers and self.folder is None:
            raise OptionError("workers without a folder; expected one, where they find the newest weights")

    def search(self, discount: float) -> SearchSettings:
        """How moves are searched while learning."""
        return SearchSettings(
            simulations=self.simulations,
            lanes=1,
            root="gumbel",
            gumbel_noise=1.0,
            discount=discount,
            shortest=False,
        )


@dataclass(frozen=True)
class SelfPlayHistory(Result):
    """What self-play did, an entry an iteration.

    Attributes:
        metrics: ``loss`` and its parts, ``games``, ``positions``, and ``elo`` where there were matches.
        stopped: why it ended: ``"iterations"``, ``"minutes"`` or ``"interrupted"``.
    """

    metrics: dict[str, list[float]] = field(default_factory=dict)
    stopped: str = "iterations"

    def __str__(self) -> str:
        if not self.metrics.get("loss"):
            return f"nothing learned ({self.stopped})"
        last = ", ".join(f"{name} {values[-1]:.4g}" for name, values in self.metrics.items() if values)
        return f"{len(self.metrics['loss'])} iterations ({self.stopped}): {last}"

    def plot(self) -> Any:
        """Losses over iterations, and strength, where it was measured."""
        from matplotlib.figure import Figure

        elo = self.metrics.get("elo", [])
        figure = Figure(figsize=(6, 3.6), layout="constrained")
        axes = figure.add_subplot()
        for name in ("loss", "policy_loss", "wdl_loss", "value_loss"):
            if values := self.metrics.get(name):
                axes.plot(range(1, len(values) + 1), values, label=name.replace("_", " "), marker=".")
        axes.set(xlabel="iteration", ylabel="loss")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, loc="upper left")
        known = [(place, value) for place, value in enumerate(elo, 1) if math.isfinite(value)]
        if known:
            right = axes.twinx()
            right.plot(*zip(*known, strict=True), color="black", marker="o")
            right.set_ylabel("Elo above the first self (black)")
        return figure
