"""A move as a picture: the board with candidates, and how the search divided its simulations."""

from __future__ import annotations

from typing import Any

from sixarts_game_ai.board_drawing import draw_board

#: Candidates that are marked on the board, and listed beside it.
MARKED, LISTED = 5, 8


def move_figure(move: Any) -> Any:
    """The figure of a :class:`~sixarts_game_ai.move.Move`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.6, 4.2), layout="constrained")
    board, bars = figure.subplots(1, 2, width_ratios=(1.15, 1))
    picture = move.board.picture()
    draw_board(board, picture, move.game)
    board.set_title(f"{_mover(move)} to move in {move.game.partition('(')[0].replace('_', ' ')}", fontsize=11)
    names = list(move.policy)
    seen = {}
    for number, name in reversed(list(enumerate(names[:MARKED]))):
        action = _action(move, name)
        if action in picture["points"]:
            seen[tuple(picture["points"][action])] = (number, name)
    for (row, column), (number, name) in seen.items():
        best = number == 0
        board.text(
            column,
            row,
            f"{move.proofs.get(name) or format(move.values[name], '+.2f')}".replace(" in ", "\nin "),
            ha="center",
            va="center",
            fontsize=9,
            zorder=5,
            fontweight="bold" if best else "normal",
            bbox={
                "boxstyle": "circle,pad=0.25",
                "facecolor": "#d5f0d5" if best else "#eeeeee",
                "edgecolor": "#2e8b57" if best else "0.6",
            },
        )
    shown = names[:LISTED]
    shares = [move.visits.get(name, 0) / max(sum(move.visits.values()), 1) for name in shown]
    colors = ["#2e8b57" if name == names[0] else "#9bb7c9" for name in shown]
    bars.barh(range(len(shown)), shares, color=colors)
    for place, name in enumerate(shown):
        told = move.proofs.get(name) or f"{move.values[name]:+.2f}"
        bars.text(shares[place] + 0.01, place, told, va="center", fontsize=9)
    bars.set_yticks(range(len(shown)), shown)
    bars.invert_yaxis()
    bars.set_xlim(0, max([*shares, 0.2]) * 1.25)
    bars.set(xlabel="share of the simulations", title="candidates, with their value or proof")
    bars.title.set_fontsize(11)
    bars.spines[["top", "right"]].set_visible(False)
    return figure


#: What the players are called where they have no better names.
_NAMES = {"go": ("black", "white"), "hex": ("black", "white"), "othello": ("black", "white")}
_NAMES |= {"chess": ("black", "white"), "breakthrough": ("black", "white"), "tic_tac_toe": ("x", "o")}


def _mover(move: Any) -> str:
    names = _NAMES.get(move.game.partition("(")[0], ("first player", "second player"))
    return names[move.board.player]


def _action(move: Any, name: str) -> int:
    """The number of a candidate by its name."""
    return int(move.board.parse(name))
