"""Explanations of moves: what on the board made the network say so, and where the search went."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from keras import ops

from sixarts.errors import OptionError
from sixarts.explanation import Attribution, Explanation
from sixarts.result import UNTOLD
from sixarts.testing import Failed, promise
from sixarts_game_ai.board_drawing import draw_board


@dataclass(frozen=True)
class BoardExplanation(Explanation):
    """An explanation by the cells of a board."""

    board: Any = field(default=None, repr=False, compare=False, metadata=UNTOLD)
    cells: Any = field(default=None, repr=False, compare=False, metadata=UNTOLD)

    def plot(self) -> Any:
        """The board, with the cells in the color of what they did: red for, blue against."""
        from matplotlib.figure import Figure

        count = len(self.target_labels)
        figure = Figure(figsize=(4.6 * count, 4.2), layout="constrained")
        high = float(np.abs(self.values).max()) or 1.0
        for place, label in enumerate(self.target_labels):
            axes = figure.add_subplot(1, count, place + 1)
            picture = self.board.picture()
            draw_board(axes, picture, self.board.game)
            shades = self.values[place].reshape(self.cells)
            if picture["style"] == "text":
                axes.clear()
            elif picture.get("bottom_first", False):
                shades = shades[::-1]
            image = axes.imshow(shades, cmap="RdBu_r", vmin=-high, vmax=high, alpha=0.55, zorder=4)
            axes.set_title(f"{self.method.replace('_', ' ')}: {label}", fontsize=10)
        figure.colorbar(image, ax=figure.axes, shrink=0.7, label=self.unit)
        return figure


@dataclass(frozen=True)
class TreeExplanation(Explanation):
    """Where the search went: for each candidate, the share of the simulations with each reply."""

    move: Any = field(default=None, repr=False, compare=False, metadata=UNTOLD)

    def plot(self) -> Any:
        """The searched tree."""
        return self.move.plot_tree()


@promise("tree")
def shares_of_simulations(found: Explanation) -> None:
    """A tree's values are shares of the simulations: none negative, 1 in all at most."""
    if (found.values < 0).any() or found.values.sum() > 1 + 1e-6:
        raise Failed(
            f"shares from {found.values.min():.3g}, {found.values.sum():.3g} in all; expected 0 to 1"
        )


def explained(task: Any, x: Any, method: str, target: Any, options: Any) -> Explanation:
    """Explains a position's move; see :meth:`StrategyTask.attribute`."""
    position = task.position(x)
    if method == "tree":
        if target not in (None, "visits"):
            raise OptionError(f"target={target!r}; expected 'visits'")
        return _tree(task(x, **_vars(options)))
    number, label = _target(task, position, x, target, options)
    model = task.model
    arrays = {name: np.asarray(array) for name, array in model.processor.arrays([position]).items()}
    shape = arrays[model.cut].shape[1:]
    attribution = _attribution(task)
    baseline = np.zeros_like(arrays[model.cut])
    totals = None
    if method == "integrated_gradients":
        values, totals = attribution.integrated_gradients(arrays, baseline, [number])
        values = values.reshape(1, -1)
    else:
        values = _occluded(attribution, arrays, model.cut, number).reshape(1, -1)
    rows, columns = shape[:2]
    labels = tuple(f"row {row + 1}, column {column + 1}" for row in range(rows) for column in range(columns))
    return BoardExplanation(
        method=method,
        target="value" if number < 0 else "move",
        input_labels=labels,
        target_labels=(label,),
        values=values,
        signed=True,
        totals=totals,
        answer=label,
        unit="of the network's value" if number < 0 else "of the move's logit",
        board=position,
        cells=(rows, columns),
    )


def _attribution(task: Any) -> Attribution:
    """The task's, made once for its model: what it compiles is used again."""
    kept = vars(task).get("_attributed")
    if kept is None or kept[0] is not task.model:
        kept = task._attributed = (task.model, Attribution(task.model, _score))
    return kept[1]  # type: ignore[no-any-return]


def _vars(options: Any) -> dict[str, Any]:
    return dict(vars(options))


def _target(task: Any, position: Any, x: Any, target: Any, options: Any) -> tuple[int, str]:
    """The action that is explained, or -1 for the value, and its name."""
    if target == "value":
        return -1, "value"
    if target is None or target == "move":
        number = task(x, **_vars(options)).number
    elif isinstance(target, str):
        number = position.parse(target)
    elif isinstance(target, int) and not isinstance(target, bool) and 0 <= target < position.actions:
        position.play(target)
        number = target
    else:
        raise OptionError(f"target={target!r}; expected 'move', 'value', or a move")
    return number, f"move {position.notation(number)}"


def _score(outputs: Any, place: Any) -> Any:
    """The logit of an action above the mean of all, or win minus loss, of each row."""
    policy = ops.reshape(outputs["policy"], (-1, outputs["policy"].shape[-1]))
    chosen = ops.take(policy, ops.maximum(place, 0), axis=1) - ops.mean(policy, axis=1)
    chances = ops.softmax(outputs["wdl"], axis=-1)
    return ops.where(place < 0, chances[:, 0] - chances[:, 2], chosen)


def _occluded(attribution: Any, arrays: Any, cut: str, number: int) -> np.ndarray:
    """How much the score falls when a cell's planes are emptied, ``[rows, columns]``."""
    planes = arrays[cut]
    rows, columns = planes.shape[1:3]
    many = np.repeat(planes, rows * columns + 1, axis=0)
    cells = np.arange(rows * columns)
    many[cells, cells // columns, cells % columns] = 0
    others = {name: np.repeat(array, len(many), axis=0) for name, array in arrays.items() if name != cut}
    scores = attribution.score({cut: many, **others}, number)
    return np.asarray(scores[-1] - scores[:-1]).reshape(rows, columns)


def _tree(move: Any) -> TreeExplanation:
    root = move.tree
    total = max(sum(visits for _, visits, _ in root.children()), 1)
    candidates = [(action, visits, tree) for action, visits, tree in root.children() if visits][:8]
    replies: list[str] = []
    for _, _, tree in candidates:
        replies += [tree.position.notation(reply) for reply, visits, _ in tree.children() if visits]
    names = list(dict.fromkeys(replies))[:12]
    values = np.zeros((max(len(candidates), 1), len(names) + 1))
    for row, (_, visits, tree) in enumerate(candidates):
        inside = {tree.position.notation(reply): count for reply, count, _ in tree.children()}
        # Equal positions share what was searched of them: their own visits may be more than ours.
        whole = max(sum(inside.values()), visits)
        for column, name in enumerate(names):
            values[row, column] = inside.get(name, 0) / whole * visits / total
        values[row, -1] = max(visits / total - values[row, :-1].sum(), 0.0)
    labels = [f"{move.board.notation(action)}" for action, _, _ in candidates] or [str(move.action)]
    return TreeExplanation(
        method="tree",
        target="visits",
        input_labels=(*(f"reply {name}" for name in names), "the move itself"),
        target_labels=tuple(f"move {label}" for label in labels),
        values=values,
        answer=str(move.action),
        unit="share of the simulations",
        move=move,
    )
