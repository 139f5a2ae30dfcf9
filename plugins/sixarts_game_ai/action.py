"""What an agent answers: an action, and an episode of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sixarts.result import UNTOLD, Result

#: Pictures of an episode that a plot shows.
SHOWN = 5


@dataclass(frozen=True)
class Action(Result):
    """What to do now.

    Attributes:
        action: as the environment takes it: a number, or an array for continuous actions.
        value: what is expected from here on, discounted, in the environment's rewards; of the action for a
        DQN. name: of the action, where it is known.
        probabilities: of each action, of a policy with numbered actions; else empty.
        values: of each action, of a DQN; else empty.
        deviation: of each number of a continuous action, when it is drawn; else empty.
        names: of the actions, in order.
    """

    action: int | np.ndarray
    value: float
    name: str = ""
    probabilities: tuple[float, ...] = ()
    values: tuple[float, ...] = ()
    deviation: tuple[float, ...] = ()
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        if isinstance(self.action, np.ndarray):
            numbers = ", ".join(f"{number:.3g}" for number in self.action)
            return f"[{numbers}], value {self.value:.4g}"
        named = f" ({self.name})" if self.name else ""
        sure = f", probability {max(self.probabilities):.2f}" if self.probabilities else ""
        return f"{self.action}{named}{sure}, value {self.value:.4g}"

    def plot(self) -> Any:
        """Each action's probability or value; the numbers of a continuous one."""
        from matplotlib.figure import Figure

        continuous = isinstance(self.action, np.ndarray)
        heights = self.action if continuous else self.probabilities or self.values
        what = "number" if continuous else "probability" if self.probabilities else "value"
        figure = Figure(figsize=(max(3.5, 1.2 + 0.8 * len(heights)), 3), layout="constrained")
        axes = figure.add_subplot()
        errors = self.deviation or None
        best = -1 if continuous else int(np.argmax(heights))
        colors = ["#2563eb" if place == best or continuous else "#c7d2e5" for place in range(len(heights))]
        axes.bar(range(len(heights)), heights, color=colors, yerr=errors, capsize=4)
        axes.set_xticks(range(len(heights)), self.names or [str(place) for place in range(len(heights))])
        if len(heights) > 4:
            axes.tick_params(axis="x", rotation=45)
        axes.set(ylabel=what, title=f"value {self.value:.4g}")
        axes.spines[["top", "right"]].set_visible(False)
        return figure


@dataclass(frozen=True)
class Episode(Result):
    """An episode that an agent played.

    Attributes:
        total: the return, the sum of the rewards.
        length: steps.
        ended: ``"terminated"`` by the environment itself, or ``"truncated"`` by a limit of steps.
        environment: its id.
        seed: of the environment.
        rewards: ``[length]``.
        values: what the agent expected before each step, ``[length]``.
        actions: ``[length]``, or ``[length, n]``.
        observations: ``[length, …]``, before each step.
        frames: some pictures by step, where the episode was rendered.
        path: of the video, where one was written.
    """

    total: float
    length: int
    ended: str
    environment: str
    seed: int | None
    rewards: np.ndarray = field(repr=False)
    values: np.ndarray = field(repr=False)
    actions: np.ndarray = field(repr=False)
    observations: np.ndarray = field(repr=False, metadata=UNTOLD)
    frames: dict[int, np.ndarray] = field(default_factory=dict, repr=False, metadata=UNTOLD)
    path: str = ""

    def __str__(self) -> str:
        written = f", {self.path}" if self.path else ""
        return f"{self.environment}: return {self.total:.4g} in {self.length} steps, {self.ended}{written}"

    def _repr_html_(self) -> str:
        import html

        return f"<p>{html.escape(str(self))}</p>"

    def plot(self) -> Any:
        """The agent's value over the episode, the return so far, and pictures from it."""
        from matplotlib.figure import Figure

        shown = sorted(self.frames)
        shown = [shown[round(place)] for place in np.linspace(0, len(shown) - 1, min(SHOWN, len(shown)))]
        figure = Figure(figsize=(8, 4.6 if shown else 3), layout="constrained")
        rows = figure.subfigures(2, 1, height_ratios=(1, 1.3)) if shown else [figure]
        for axes, step in zip(np.atleast_1d(rows[0].subplots(1, max(len(shown), 1))), shown, strict=False):
            if shown:
                axes.imshow(self.frames[step])
                axes.set_title(f"step {step}", fontsize=9)
                axes.set_axis_off()
        if not shown:
            figure.clear()
            rows = [figure]
        axes = rows[-1].subplots()
        steps = np.arange(self.length)
        axes.plot(steps, self.values, color="#2563eb", label="value: expected from here on, discounted")
        beside = axes.twinx()
        beside.plot(steps, np.cumsum(self.rewards), color="0.6", label="return so far")
        for step in shown:
            axes.axvline(step, color="0.9", linewidth=1, zorder=0)
        axes.set(xlabel="step", ylabel="value", title=str(self).partition(", /")[0])
        beside.set_ylabel("return so far")
        lines = [*axes.get_lines()[:1], *beside.get_lines()]
        axes.legend(lines, [str(line.get_label()) for line in lines], frameon=False, fontsize=8)
        for each in (axes, beside):
            each.spines["top"].set_visible(False)
        return figure
