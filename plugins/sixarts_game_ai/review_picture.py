"""The picture of a reviewed game: black's chance and lead, and where most was lost."""

from __future__ import annotations

from typing import Any

import numpy as np

from sixarts.pictures import fonts_for

#: Moves that are marked.
MARKED = 5
BLACK, WHITE, LINE, POINTS = "#1a1a1a", "#f4f4f4", "#2a6fb0", "#b0602a"


def review_figure(review: Any) -> Any:
    """A figure of a :class:`sixarts_game_ai.analysis.Review`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, 5.2), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    moves = np.arange(len(review.win_rates))
    chances = 100 * np.array(review.win_rates)
    above.fill_between(moves, chances, 0, color=BLACK, alpha=0.16, linewidth=0)
    above.plot(moves, chances, color=LINE, linewidth=1.6)
    above.axhline(50, color="#888888", linewidth=0.8, linestyle=":")
    above.set(ylim=(0, 100), ylabel="black wins, %")
    below.plot(moves, review.leads, color=POINTS, linewidth=1.6)
    below.axhline(0, color="#888888", linewidth=0.8, linestyle=":")
    below.set(ylabel="black leads, points", xlabel="move", xlim=(0, max(1, len(moves) - 1)))
    marked = sorted((each for each in review.worst(MARKED) if each.lost_win_rate > 0), key=lambda m: m.number)
    for place, worst in enumerate(marked):
        at, height = worst.number, 100 * worst.win_rate
        face = BLACK if worst.color == "black" else WHITE
        above.plot([at], [height], marker="o", markersize=8, color=face, markeredgecolor=BLACK, zorder=3)
        # Labels go to the side where the curve is not, in turns where marks stand close.
        up = height < 50
        above.annotate(
            f"{worst.number} {worst.move}, −{100 * worst.lost_win_rate:.0f} %",
            (at, height),
            xytext=(0, (14 + 13 * (place % 3)) * (1 if up else -1)),
            textcoords="offset points",
            ha="right" if at > 0.8 * len(moves) else "left",
            va="center",
            fontsize=8,
        )
    # A name that no font of this machine can draw is left out.
    names = review.names if fonts_for(review.names) else ("", "")
    who = " – ".join(name or color for name, color in zip(names, ("black", "white"), strict=True))
    title = f"{who}   {review.game}   {review.result}"
    above.set_title(title, fontsize=10, loc="left", fontfamily=fonts_for([title]) or ["DejaVu Sans"])
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
    return figure
