"""What a case says: label, calibrated probability, a set of labels that holds the right one, and warnings.

What a clinician must not miss is part of the answer and of how it prints: that a case is unlike those that
the model learned from, what was missing, and that a program like this is no medical device.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sixarts.result import Result

#: Part of every answer.
NOTICE = (
    "Decision support for a qualified professional; this is no medical device, was not tested as one, and "
    "its answer is no diagnosis."
)
#: What stands before an answer that the model has no ground for.
UNLIKE = "ABSTAINED: this case is unlike those that the model learned from"
#: The label, others of the set, what is outside of it; told apart by people who see no red or green.
CHOSEN, IN_SET, OUTSIDE = "#1d4ed8", "#93c5fd", "#d1d5db"


@dataclass(frozen=True)
class Diagnosis(Result):
    """What a model makes of one case.

    It never holds the case itself: no value of a record, no pixel of a picture.

    Attributes:
        label: the likeliest label. It is given when the model abstains, too, so that a list of answers keeps
            its shape, and then it must not be acted on: read ``abstained`` first, or take ``decided``.
        probability: of the disease, calibrated, where two labels are told apart and one of them is the
            disease; of ``label`` where there are several.
        probabilities: of each label, the likeliest first.
        prediction_set: labels of which one is right in the share ``coverage`` of cases like those that the
            model was calibrated with (split conformal prediction); several labels mean that the model does
            not know better. ``label`` is among them. Empty where the model was never calibrated.
        coverage: of the set, e.g. 0.9; 0 where the model was never calibrated.
        abstained: whether the case is unlike those that the model learned from, so that neither the
            probability nor the set means what it says.
        distance: how far the case lies from those that the model learned from, as a share of the distance
            at which it abstains; 0 where nobody measured.
        disease: which label is the disease; ``""`` where there are several.
        missing: columns whose value was missing and was filled in.
        unusual: columns whose value is possible and outside of its usual range.
        notice: a plain sentence on what the answer is for.
    """

    label: str
    probability: float
    probabilities: Mapping[str, float] = field(repr=False)
    prediction_set: tuple[str, ...] = ()
    coverage: float = 0.0
    abstained: bool = False
    distance: float = 0.0
    disease: str = ""
    missing: tuple[str, ...] = ()
    unusual: tuple[str, ...] = ()
    notice: str = field(default=NOTICE, repr=False)

    @property
    def decided(self) -> str | None:
        """The label where the model stands by it: not abstained, and alone in its set; else ``None``."""
        alone = len(self.prediction_set) < 2
        return self.label if alone and not self.abstained else None

    def __str__(self) -> str:
        return ". ".join([self._said(), *self.warnings(), self.notice])

    def _said(self) -> str:
        if self.abstained:
            return f"{UNLIKE} ({self.distance:.1f} times as far as its limit)"
        return f"{self.label} ({self.of_what} {percent(self.probability)}{self._set()})"

    def _set(self) -> str:
        if not self.prediction_set:
            return ""
        return f"; {self.coverage:.0%} set: {' or '.join(self.prediction_set)}"

    @property
    def of_what(self) -> str:
        """What ``probability`` is of, in words."""
        return f"probability of {self.disease}" if self.disease else "probability"

    def warnings(self) -> list[str]:
        """What speaks against relying on the answer, a sentence each, without full stops."""
        found = []
        if self.abstained:
            found.append(f"The model would have said {self.label}; do not rely on it")
        if self.missing:
            found.append(f"Missing, filled in: {_some(self.missing)}")
        if self.unusual:
            found.append(f"Outside of the usual range: {_some(self.unusual)}")
        if not self.abstained and len(self.prediction_set) > 1:
            found.append("The model cannot tell these labels apart for this case")
        return found

    def plot(self) -> Any:
        """A bar for each label, those of the set marked; what was missing or unlike stands above them."""
        import textwrap

        from matplotlib.figure import Figure

        from sixarts.pictures import drawable

        lines = [
            line for said in self.warnings() for line in textwrap.wrap(drawable([said])[0], 84) or [said]
        ]
        shown = min(len(self.probabilities), 10)
        figure = Figure(figsize=(7, 1.75 + 0.42 * shown + 0.2 * len(lines)), layout="constrained")
        axes = figure.add_subplot()
        self.draw_probabilities(axes)
        title = UNLIKE if self.abstained else f"{self.label}: {self.of_what} {percent(self.probability)}"
        color = "#b91c1c" if self.abstained else "#111827"
        figure.suptitle(drawable([title])[0], x=0.01, ha="left", color=color, fontweight="bold", fontsize=11)
        axes.set_title("\n".join(lines), loc="left", fontsize=8.5, color="#92400e")
        figure.supxlabel(self.notice, fontsize=7, color="0.35", x=0.01, ha="left", wrap=True)
        return figure

    def draw_probabilities(self, axes: Any) -> None:
        """Draws a bar for each label (the ten likeliest), and which of them are in the set."""
        from sixarts.pictures import drawable, fonts_for

        pairs = list(self.probabilities.items())[:10]
        names = drawable(label for label, _ in pairs)
        colors = [self._color(label) for label, _ in pairs]
        bars = axes.barh(range(len(pairs)), [value for _, value in pairs], color=colors, height=0.62)
        notes = [
            f"{value:.1%}" + ("   in the set" if label in self.prediction_set else "")
            for label, value in pairs
        ]
        axes.bar_label(bars, notes, padding=4, fontsize=9)
        axes.set_yticks(range(len(names)), names, family=fonts_for(names) or ["DejaVu Sans"])
        axes.invert_yaxis()
        axes.set(xlim=(0, 1.35), xticks=(0, 0.5, 1))
        of = f", set that holds the right label in {self.coverage:.0%} of cases" if self.coverage else ""
        axes.set_xlabel(f"calibrated probability{of}", fontsize=9)
        axes.spines[["top", "right"]].set_visible(False)

    def _color(self, label: str) -> str:
        if self.abstained:
            return OUTSIDE
        if label == self.label:
            return CHOSEN
        return IN_SET if label in self.prediction_set else OUTSIDE

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{html.escape(label)}</th><td>{value:.1%}</td>"
            f"<td>{'in the set' if label in self.prediction_set else ''}</td></tr>"
            for label, value in self.probabilities.items()
        )
        said = "".join(f"<p style='color:#92400e'>{html.escape(line)}.</p>" for line in self.warnings())
        return (
            f"<p><b>{html.escape(self._said())}</b></p>{said}<table>{rows}</table>"
            f"<p style='font-size:12px;opacity:.7'>{html.escape(self.notice)}</p>"
        )


def percent(share: float) -> str:
    """A probability in words that never claim to be certain.

    >>> percent(0.998), percent(0.42), percent(0.001)
    ('over 99%', '42%', 'under 1%')
    """
    return "over 99%" if share > 0.99 else "under 1%" if share < 0.01 else f"{share:.0%}"


def _some(names: tuple[str, ...], most: int = 6) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
