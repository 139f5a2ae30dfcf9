"""What a video shows, over time: the answer, its windows, and the frames that speak most for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sixarts.classification import Classification
from sixarts.result import UNTOLD
from sixarts_vision.windows import opened_picture

#: Most stretches that a printed answer tells; most frames that stay with it.
SAID, STRONGEST = 6, 4
#: One for each class of a timeline: Okabe and Ito's, which color-blind people tell apart.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8a8a8a")


@dataclass(frozen=True)
class Window:
    """What a stretch of a video shows.

    Attributes:
        start, end: seconds from the video's start.
        label: its likeliest class.
        scores: in it, the probability of each class that the whole answer shows.
    """

    start: float
    end: float
    label: str
    scores: Mapping[str, float]


@dataclass(frozen=True)
class Moment:
    """A frame that speaks for the answer.

    Attributes:
        time: seconds from the video's start.
        score: probability of the answer in the window around it.
    """

    time: float
    score: float


@dataclass(frozen=True)
class VideoClassification(Classification):
    """What a video shows; ``scores`` are the means over its windows.

    Attributes:
        source: where the video lies, where it came by path.
        windows: the answer over time, in order.
        strongest: the frames in the middle of the windows that speak most for the answer, best first; of
            windows in which it is at least half as likely as in the best.
        pictures: those frames, made small, each ``[height, width, 3]``.
    """

    source: str = ""
    windows: tuple[Window, ...] = field(default=(), repr=False)
    strongest: tuple[Moment, ...] = field(default=(), repr=False)
    pictures: tuple[np.ndarray, ...] = field(default=(), repr=False, compare=False, metadata=UNTOLD)

    def __str__(self) -> str:
        told = super().__str__()
        parts = self.parts()
        if len(parts) > 1:
            told += ": " + ", ".join(
                f"{start:.1f} to {end:.1f} s {label}" for start, end, label in parts[:SAID]
            )
            told += ", …" if len(parts) > SAID else ""
        return f"{self.source}: {told}" if self.source else told

    def parts(self) -> list[tuple[float, float, str]]:
        """Start, end and likeliest class of each stretch in which that class stays the same."""
        found: list[tuple[float, float, str]] = []
        for window in self.windows:
            if found and found[-1][2] == window.label:
                found[-1] = (found[-1][0], window.end, window.label)
            else:
                found.append((window.start, window.end, window.label))
        return found

    def plot(self) -> Any:
        """The strongest frames in order, and below them each class's probability over time."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(8.5, 5.2 if self.pictures else 3.2), layout="constrained")
        if not self.pictures:
            self.draw_timeline(figure.add_subplot())
            return figure
        above, below = figure.subfigures(2, 1, height_ratios=(1, 1.5))
        order = sorted(range(len(self.pictures)), key=lambda place: self.strongest[place].time)
        for axes, place in zip(above.subplots(1, STRONGEST, squeeze=False)[0], order, strict=False):
            moment = self.strongest[place]
            axes.imshow(self.pictures[place])
            axes.set_title(f"{moment.time:.1f} s: {moment.score:.0%}", fontsize=10)
        for axes in above.axes:
            axes.set_axis_off()
        self.draw_timeline(below.add_subplot())
        return figure

    def draw_timeline(self, axes: Any) -> None:
        """Draws the probability of each class shown, a bar as long as its window, over the time."""
        from sixarts.pictures import drawable, fonts_for

        names = drawable(self.scores)
        starts, ends = ([getattr(w, end) for w in self.windows] for end in ("start", "end"))
        middles = np.add(starts, ends) / 2
        for place, (label, name) in enumerate(zip(self.scores, names, strict=True)):
            color = COLORS[min(place, len(COLORS) - 1)]
            values = [window.scores[label] for window in self.windows]
            axes.plot(middles, values, color=color, linewidth=1, alpha=0.3)
            axes.hlines(
                values, starts, ends, color=color, linewidth=3, label=f"{name} {self.scores[label]:.0%}"
            )
        for moment in self.strongest:
            axes.plot(moment.time, 1.06, marker="v", color="0.35", markersize=6, clip_on=False)
        axes.set(
            xlabel="seconds",
            ylabel="probability",
            ylim=(-0.02, 1.08),
            yticks=(0, 0.5, 1),
            xlim=(0, max(ends, default=1)),
        )
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(
            loc="upper left",
            bbox_to_anchor=(1, 1),
            frameon=False,
            prop={"family": fonts_for(names) or ["DejaVu Sans"]},
        )


@dataclass(frozen=True)
class Part:
    """The answer for one window, as :func:`joined` takes it.

    Attributes:
        start, end: seconds from the video's start.
        probabilities: ``[classes]``.
        picture: the frame in its middle, as a JPEG file.
    """

    start: float
    end: float
    probabilities: np.ndarray
    picture: bytes


def joined(parts: Sequence[Part], labels: Sequence[str], top: int, source: str) -> VideoClassification:
    """The answer for a whole video.

    Args:
        parts: of its windows, in order; one at least.
        labels: the classes.
        top: how many of them are shown; 0 for all.
        source: where it lies.
    """
    each = np.stack([part.probabilities for part in parts])
    whole = each.mean(axis=0)
    order = np.argsort(-whole, kind="stable")
    shown = order[: top or len(order)]
    windows = tuple(
        Window(
            part.start,
            part.end,
            labels[int(part.probabilities.argmax())],
            {labels[place]: float(part.probabilities[place]) for place in shown},
        )
        for part in parts
    )
    speaks = each[:, order[0]]
    best = [i for i in np.argsort(-speaks, kind="stable")[:STRONGEST] if speaks[i] >= speaks.max() / 2]
    return VideoClassification(
        label=labels[order[0]],
        score=float(whole[order[0]]),
        scores={labels[place]: float(whole[place]) for place in shown},
        source=source,
        windows=windows,
        strongest=tuple(Moment((parts[i].start + parts[i].end) / 2, float(speaks[i])) for i in best),
        pictures=tuple(opened_picture(parts[i].picture) for i in best),
    )
