"""What each column of a record did to an answer, in words and as a picture.

An explanation shows the record's own values, since it is for whoever has the record; ``repr``, which logs
print, does not.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sixarts.explanation import Explanation

#: Raises, lowers; told apart by people who see no red or green.
UP, DOWN, FAINT = "#b45309", "#1d4ed8", "#cbd5e1"
#: Columns that a picture shows and a sentence tells at most: those that count most.
BARS, TOLD = 16, 4
#: What of the most important column's value another's must have to be told of.
LITTLE = 0.05


@dataclass(frozen=True)
class RecordScores(Explanation):
    """A value for each column, positive where it speaks for the label.

    Attributes:
        shown: each column's value in the record, for people.
    """

    shown: tuple[str, ...] = field(default=(), repr=False)

    def columns(self) -> list[tuple[str, str, float]]:
        """Each column, its value in the record, and what it did; what did most comes first."""
        order = np.argsort(-np.abs(self.values[0]), kind="stable")
        return [(self.input_labels[i], self.shown[i], float(self.values[0, i])) for i in order]

    def sentences(self, most: int = TOLD) -> list[str]:
        """In words what the columns did that count most."""
        found = self.columns()
        least = LITTLE * max((abs(value) for *_, value in found), default=0.0)
        told = [each for each in found[:most] if abs(each[2]) > least]
        return [
            f"{name} {shown} {'raises' if value > 0 else 'lowers'} {self.target} ({value:+.2f})"
            for name, shown, value in told
        ]

    def __str__(self) -> str:
        return f"{self.method}, {self.unit}: " + ("; ".join(self.sentences()) or "no column counts")

    def plot(self) -> Any:
        """A bar for each column, those that count most above, with the record's value beside its name."""
        from matplotlib.figure import Figure

        from sixarts.pictures import drawable

        told = self.columns()[:BARS]
        figure = Figure(figsize=(7.5, 1.5 + 0.32 * len(told)), layout="constrained")
        axes = figure.add_subplot()
        values = [value for *_, value in told]
        axes.barh(range(len(told)), values, color=[UP if value > 0 else DOWN for value in values], height=0.7)
        names = [f"{name}: {shown}" for name, shown, _ in told]
        axes.set_yticks(range(len(told)), drawable(names), fontsize=9)
        axes.axvline(0, color="0.3", linewidth=0.8)
        axes.invert_yaxis()
        far = max(map(abs, values), default=0.0) or 1.0
        for place, value in enumerate(values):
            side = 1 if value >= 0 else -1
            axes.annotate(
                f"{value:+.2f}",
                (value, place),
                (4 * side, 0),
                textcoords="offset points",
                va="center",
                ha="left" if side > 0 else "right",
                fontsize=8,
            )
        axes.set_xlim(-1.25 * far, 1.25 * far)
        axes.set_xlabel(f"← lowers        {self.target}        raises →\n{self.unit}", fontsize=9)
        more = len(self.input_labels) - len(told)
        title = f"{self.target}: {self.method.replace('_', ' ')}" + (f"; {more} columns more" if more else "")
        axes.set_title(title, fontsize=10, loc="left")
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(axis="y", length=0)
        return figure

    def to_html(self) -> str:
        """A row for each column, those that count most above."""
        rows = "".join(
            f"<tr><th scope='row' style='text-align:left'>{html.escape(name)}</th>"
            f"<td>{html.escape(shown)}</td>"
            f"<td style='text-align:right;color:{UP if value > 0 else DOWN}'>{value:+.3f}</td></tr>"
            for name, shown, value in self.columns()
        )
        caption = html.escape(f"{self.target}: {self.method.replace('_', ' ')}, {self.unit}")
        return (
            "<div class='sixarts-explanation'><table style='font-size:14px'>"
            f"<caption style='text-align:left'>{caption}</caption>"
            f"<thead><tr><th>column</th><th>value</th><th>{html.escape(self.target_labels[0])}</th></tr></thead>"
            f"<tbody>{rows}</tbody></table></div>"
        )


@dataclass(frozen=True)
class Turn:
    """A change of one column alone at which the answer turns.

    Attributes:
        column: its name for people.
        label: what the answer would be.
        at: the value from which it turns, for people.
        share: how far that is, as a share of the usual range; of a category 1.
        place: where it is in the usual range, 0 to 1; of a category ``None``.
    """

    column: str
    label: str
    at: str
    share: float
    place: float | None = None


@dataclass(frozen=True)
class Counterfactual(RecordScores):
    """Which single changes, within the usual range of a column, would turn the answer.

    ``values`` tell how far each column alone could move the log-odds towards another answer.

    Attributes:
        turns: the changes, the nearest first; none where no column alone turns the answer.
        places: where the record's own values lie in the usual ranges, 0 to 1; ``None`` for categories.
        ranges: what was tried of each column, for people; ``""`` where its value is missing.
    """

    turns: tuple[Turn, ...] = field(default=(), repr=False)
    places: tuple[float | None, ...] = field(default=(), repr=False)
    ranges: tuple[str, ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        if not self.turns:
            return f"counterfactual: no change of one column within its usual range turns {self.answer!r}"
        own = dict(zip(self.input_labels, self.shown, strict=True))
        told = [f"{turn.column} {turn.at} (now {own[turn.column]})" for turn in self.turns[:TOLD]]
        return f"counterfactual: would turn to {self.turns[0].label} at {', or at '.join(told)}"

    def plot(self) -> Any:
        """For each column its usual range, the record's value, and where the answer would turn."""
        from matplotlib.figure import Figure

        from sixarts.pictures import drawable

        turns = {turn.column: turn for turn in self.turns}
        order = sorted(range(len(self.input_labels)), key=lambda i: self._rank(i, turns))[:BARS]
        figure = Figure(figsize=(8.5, 1.5 + 0.36 * len(order)), layout="constrained")
        axes = figure.add_subplot()
        for row, place in enumerate(order):
            self._draw_row(axes, row, place, turns.get(self.input_labels[place]))
        names = [f"{self.input_labels[place]}: {self.shown[place]}" for place in order]
        axes.set_yticks(range(len(order)), drawable(names), fontsize=9)
        axes.set(xlim=(-0.05, 1.8), ylim=(len(order) - 0.4, -0.6), xticks=(0, 1))
        axes.set_xticklabels(["low end of\nthe usual range", "high end"], fontsize=8)
        found = f"would turn to {self.turns[0].label}" if self.turns else "no single change turns it"
        axes.set_title(f"now {self.answer}; ● now, ◆ {found}", fontsize=10, loc="left")
        axes.spines[["top", "right", "left", "bottom"]].set_visible(False)
        axes.tick_params(length=0)
        return figure

    def _rank(self, place: int, turns: Mapping[str, Turn]) -> tuple[bool, float]:
        """Columns that turn the answer come first, the nearest above; then those that move it most."""
        turn = turns.get(self.input_labels[place])
        return turn is None, float(self.values[0, place]) if turn is None else turn.share

    def _draw_row(self, axes: Any, row: int, place: int, turn: Turn | None) -> None:
        now = self.places[place]
        if now is not None:
            axes.plot((0, 1), (row, row), color=FAINT, linewidth=3, solid_capstyle="round", zorder=1)
            axes.plot(min(max(now, 0), 1), row, "o", color="#111827", markersize=6, zorder=3)
            if turn is not None and turn.place is not None:
                axes.annotate(
                    "",
                    (turn.place, row),
                    (min(max(now, 0), 1), row),
                    arrowprops={"arrowstyle": "-|>", "color": UP, "lw": 1.6},
                    zorder=2,
                )
                axes.plot(turn.place, row, "D", color=UP, markersize=5, zorder=3)
        stays = f"does not turn in {self.ranges[place]}" if self.ranges[place] else "not known, not tried"
        said = f"turns at {turn.at}" if turn else stays
        axes.text(1.06, row, said, va="center", fontsize=8.5, color=UP if turn else "0.45")

    def to_html(self) -> str:
        """What turns the answer, above what each column could do."""
        return f"<p>{html.escape(str(self))}</p>{super().to_html()}"


def labels_of(names: Sequence[str]) -> tuple[str, ...]:
    """Columns' names for people, each once."""
    seen: dict[str, int] = {}
    found = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return tuple(found)
