"""A searched tree as a picture: the most visited positions, wider where the search went more often."""

from __future__ import annotations

import heapq
from typing import Any


def tree_figure(move: Any, nodes: int = 40) -> Any:
    """The figure of a move's tree, its most visited ``nodes``."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    root = move.tree
    chosen, below = _chosen(root, nodes)
    places: dict[int, tuple[float, int]] = {}
    leaves = [0]

    def place(key: int, depth: int) -> float:
        spots = [place(child, depth + 1) for child in below[key]]
        if not spots:
            spots = [float(leaves[0])]
            leaves[0] += 1
        places[key] = (sum(spots) / len(spots), depth)
        return places[key][0]

    place(0, 0)
    depth = max(level for _, level in places.values())
    figure = Figure(figsize=(max(6.0, 0.55 * leaves[0] + 1), 1.2 + 1.0 * (depth + 1)), layout="constrained")
    axes = figure.add_subplot()
    hues = colormaps["RdYlGn"]
    first = root.position.player
    for key, (across, level) in places.items():
        parent, action, visits, tree = chosen[key]
        if parent is not None:
            x, y = places[parent]
            width = 0.6 + 5.0 * visits / max(root.visits, 1)
            axes.plot([x, across], [-y, -level], color="0.6", linewidth=width, zorder=1)
            name = chosen[parent][3].position.notation(action)
            axes.text(
                (x + 2 * across) / 3, -(y + 2 * level) / 3, name, fontsize=8, ha="center", va="center",
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6}, zorder=2,
            )  # fmt: skip
        sign = 1 if tree.position.player == first else -1
        value = sign * tree.value
        proof = tree.proven
        told = f"{value:+.2f}\n{tree.visits}"
        if proof is not None:
            word = {1: "won", 0: "draw", -1: "lost"}[sign * proof.value]
            told = f"{word}\n{tree.visits}"
        ink = "white" if abs(value) > 0.7 else "black"
        box = {"boxstyle": "round,pad=0.25", "facecolor": hues((value + 1) / 2), "edgecolor": "0.3"}
        axes.text(across, -level, told, fontsize=7, ha="center", va="center", bbox=box, color=ink, zorder=3)
    axes.set_xlim(-0.8, leaves[0] - 0.2)
    axes.set_ylim(-depth - 0.5, 0.5)
    axes.set_title("value for the player to move at the top, and visits", fontsize=10)
    axes.axis("off")
    return figure


def _chosen(root: Any, nodes: int) -> tuple[dict[int, Any], dict[int, list[int]]]:
    """The most visited nodes with parent, action, visits and tree, and the children of each."""
    chosen: dict[int, Any] = {0: (None, None, root.visits, root)}
    below: dict[int, list[int]] = {0: []}
    waiting: list[Any] = []

    def offer(key: int, tree: Any) -> None:
        for number, (action, visits, child) in enumerate(tree.children()):
            if visits:
                heapq.heappush(waiting, (-visits, key, number, action, child))

    offer(0, root)
    while waiting and len(chosen) < nodes:
        negative, parent, _, action, child = heapq.heappop(waiting)
        key = len(chosen)
        chosen[key] = (parent, action, -negative, child)
        below[key] = []
        below[parent].append(key)
        offer(key, child)
    return chosen, below
