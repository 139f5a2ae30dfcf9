"""Boards as Matplotlib draws them, by what a position's ``picture`` says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

#: Colors of the first and the second player's pieces.
COLORS = {"x": "#c0392b", "o": "#f1c40f"}
GO_COLORS = {"x": "#111111", "o": "#fafafa"}


def draw_board(axes: Any, picture: Mapping[str, Any], game: str) -> None:
    """Draws the pieces of a board into axes."""
    style, grid = picture["style"], picture["grid"]
    if style == "text":
        lines = "\n".join("".join(row) for row in grid)
        axes.text(0.5, 0.5, lines, family="monospace", ha="center", va="center", transform=axes.transAxes)
        axes.axis("off")
        return
    rows, columns = len(grid), max(map(len, grid))
    go = game.startswith("go")
    axes.set_aspect("equal")
    axes.set_xlim(-0.6, columns - 0.4)
    axes.set_ylim(rows - 0.4, -0.6)
    axes.axis("off")
    if go:
        axes.set_facecolor("#dcb35c")
        axes.hlines(range(rows), 0, columns - 1, color="0.35", linewidth=0.7)
        axes.vlines(range(columns), 0, rows - 1, color="0.35", linewidth=0.7)
    else:
        edges = {"color": "0.75", "linewidth": 0.8}
        axes.hlines(np.arange(rows + 1) - 0.5, -0.5, columns - 0.5, **edges)
        axes.vlines(np.arange(columns + 1) - 0.5, -0.5, rows - 0.5, **edges)
    colors = GO_COLORS if go else COLORS
    for row, cells in enumerate(grid):
        for column, cell in enumerate(cells):
            if not cell:
                continue
            if style == "marks" or cell not in colors:
                axes.text(column, row, cell, ha="center", va="center", fontsize=26)
            else:
                axes.add_patch(_stone(column, row, colors[cell]))


def _stone(column: float, row: float, color: str) -> Any:
    from matplotlib.patches import Circle

    return Circle((column, row), 0.42, facecolor=color, edgecolor="0.2", linewidth=0.8, zorder=3)
