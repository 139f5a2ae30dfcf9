"""The answer of ``click-prediction``: how likely an outcome is."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

from sixarts.explanation import Explanation
from sixarts.result import Result

#: Columns that a picture of an explanation shows.
SHOWN = 20


@dataclass(frozen=True)
class Probability(Result):
    """How likely an outcome is.

    Attributes:
        probability: of ``positive``.
        label: the outcome that is answered: ``positive`` where its probability reaches the threshold.
        positive: the outcome that the probability is of.
        notes: what of the record the model did not know, e.g. values that it has never seen.

    >>> print(Probability(0.25, "not bought", "bought"))
    bought 25.0 %: not bought
    """

    probability: float
    label: str
    positive: str
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        percent = self.probability * 100
        shown = f"{percent:.1f}" if percent >= 1 else f"{percent:.2g}"
        return "; ".join([f"{self.positive} {shown} %: {self.label}", *self.notes])

    def plot(self) -> Any:
        """A bar from 0 to 1."""
        from matplotlib.figure import Figure

        from sixarts.pictures import drawable, fonts_for

        (name,) = drawable([self.positive])
        figure = Figure(figsize=(5, 1.5), layout="constrained")
        axes = figure.add_subplot()
        axes.barh([0], [1], color="#e5e7eb")
        bars = axes.barh([0], [self.probability], color="#2563eb")
        axes.bar_label(bars, [f"{self.probability:.1%}"], padding=4)
        axes.set_yticks([0], [name], family=fonts_for([name]) or ["DejaVu Sans"])
        axes.set(xlim=(0, 1), xticks=(0, 0.25, 0.5, 0.75, 1), xlabel="probability")
        axes.spines[["top", "right", "left"]].set_visible(False)
        return figure

    def _repr_html_(self) -> str:
        said = "".join(f"<li>{html.escape(note)}</li>" for note in self.notes)
        return f"<p><b>{html.escape(str(self).partition(';')[0])}</b></p>" + (
            f"<ul>{said}</ul>" if said else ""
        )


@dataclass(frozen=True)
class ColumnExplanation(Explanation):
    """What each column of a record adds to the log-odds."""

    def __str__(self) -> str:
        row = self.values[0]
        order = sorted(range(len(row)), key=lambda place: -abs(row[place]))[:5]
        made = ", ".join(f"{self.input_labels[place]} {row[place]:+.2f}" for place in order)
        return f"{self.method}: {self.target_labels[0]} ← {made}"

    def plot(self) -> Any:
        """A bar for each column, what counts most at the top."""
        from matplotlib.figure import Figure

        from sixarts.pictures import drawable, fonts_for

        row = self.values[0]
        order = sorted(range(len(row)), key=lambda place: -abs(row[place]))[:SHOWN]
        names = [
            label if len(label) <= 48 else label[:47] + "…"
            for label in drawable([self.input_labels[place] for place in order])
        ]
        values = [float(row[place]) for place in order]
        figure = Figure(figsize=(6.5, 1.2 + 0.32 * len(names)), layout="constrained")
        axes = figure.add_subplot()
        colors = ["#2563eb" if value >= 0 else "#dc2626" for value in values]
        bars = axes.barh(range(len(names)), values, color=colors)
        axes.bar_label(bars, [f"{value:+.2f}" for value in values], padding=4)
        axes.axvline(0, color="0.5", linewidth=0.8)
        axes.set_yticks(range(len(names)), names, family=fonts_for(names) or ["DejaVu Sans"])
        axes.set(xlabel=self.unit, title=self.answer)
        axes.margins(x=0.18)
        axes.invert_yaxis()
        axes.spines[["top", "right"]].set_visible(False)
        return figure
