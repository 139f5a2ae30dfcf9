"""What a text says: its class, or for several labels those that hold, and what each window of it said."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from typing import Any

from sixarts.classification import Classification
from sixarts.result import UNTOLD, Result

#: Characters of a text that pictures show.
SHOWN = 300


@dataclass(frozen=True)
class Window(Result):
    """What one window of a long text said.

    Attributes:
        label: its likeliest class.
        score: that class's probability.
        start, end: the characters of the text that it covers; of a pair, those of the longer text.
    """

    label: str
    score: float
    start: int
    end: int

    def __str__(self) -> str:
        return f"{self.start}–{self.end}: {self.label} ({self.score:.0%})"


@dataclass(frozen=True)
class TextClassification(Classification):
    """What a text says.

    Attributes:
        labels: the classes that hold: the likeliest one; where classes do not exclude one another, those
            whose probability reaches the threshold, which may be none.
        windows: what each window said, where the text was longer than the model takes at once.
        text: the text, for drawing.
    """

    labels: tuple[str, ...] = ()
    windows: tuple[Window, ...] = ()
    text: str = field(default="", repr=False, compare=False, metadata=UNTOLD)

    def __str__(self) -> str:
        shown = [label for label in self.labels if label in self.scores]
        said = ", ".join(f"{label} ({self.scores[label]:.0%})" for label in shown)
        said = said or f"none of the labels; the likeliest is {super().__str__()}"
        return f"{said}, from {len(self.windows)} windows" if self.windows else said

    def plot(self) -> Any:
        """A bar for each class shown; over a long text, what each of its windows said."""
        from matplotlib.figure import Figure

        height = max(1.6, 0.9 + 0.32 * len(self.scores))
        rows = 2 if self.windows else 1
        figure = Figure(figsize=(6, height + 2.2 * (rows - 1)), layout="constrained")
        axes = figure.subplots(rows, 1, squeeze=False, height_ratios=(height, 2.0)[:rows])[:, 0]
        self.draw_scores(axes[0])
        if self.windows:
            self._draw_windows(axes[1])
        return figure

    def _draw_windows(self, axes: Any) -> None:
        labels = list(dict.fromkeys(window.label for window in self.windows))
        for place, label in enumerate(labels):
            said = [window for window in self.windows if window.label == label]
            starts = [window.start for window in said]
            widths = [window.end - window.start for window in said]
            # Windows overlap: they are see-through, and have edges.
            axes.bar(
                starts,
                [window.score for window in said],
                widths,
                align="edge",
                label=label,
                color=f"C{place}",
                alpha=0.5,
                edgecolor=f"C{place}",
            )
        axes.set(xlabel="character", ylabel="probability", ylim=(0, 1.05))
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))

    def _repr_html_(self) -> str:
        text = self.text if len(self.text) <= SHOWN else self.text[:SHOWN] + "…"
        rows = "".join(
            f"<tr><th style='text-align:left'>{html.escape(label)}</th><td>{score:.1%}</td></tr>"
            for label, score in self.scores.items()
        )
        return f"<p>{html.escape(text)}</p><p><b>{html.escape(str(self))}</b></p><table>{rows}</table>"
