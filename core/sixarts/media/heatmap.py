"""An explanation over a picture: which part of it counted, drawn where it is."""

from __future__ import annotations

import base64
import html
import io
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sixarts.explanation import Explanation
from sixarts.result import UNTOLD

#: Most rows and columns of cells: finer values are added up, so that totals stay.
CELLS = 32


@dataclass(frozen=True)
class Heatmap(Explanation):
    """Values of the cells of a grid over a picture, a row a part of the answer.

    Attributes:
        grid: rows and columns; ``values`` is ``[t, rows * columns]``.
        region: top, left, bottom, right of the grid, in pixels of the picture.
        picture: ``[height, width, 3]``, ``uint8``.
    """

    grid: tuple[int, int] = (1, 1)
    region: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    picture: np.ndarray | None = field(default=None, repr=False, metadata=UNTOLD)

    def plot(self) -> Any:
        """The picture, and over it what counted; red against the answer where values are signed."""
        from matplotlib.figure import Figure

        shown = self._shown()
        figure = Figure(figsize=(3.4 * (1 + len(self.values)), 3.6), layout="constrained")
        first, *others = figure.subplots(1, 1 + len(self.values), squeeze=False)[0]
        first.imshow(shown)
        first.set_title("picture")
        first.set_axis_off()
        top, left, bottom, right = self.region
        image: Any = None
        for axes, values, target in zip(others, self.values, self.target_labels, strict=True):
            axes.imshow(shown.mean(axis=2), cmap="gray", vmin=0, vmax=320)
            high = float(np.abs(self.values).max()) or 1.0
            image = axes.imshow(
                values.reshape(self.grid),
                cmap="RdBu" if self.signed else "magma",
                vmin=-high if self.signed else 0.0,
                vmax=high,
                alpha=0.6,
                extent=(left - 0.5, right - 0.5, bottom - 0.5, top - 0.5),
                interpolation="bilinear",
            )
            axes.set(xlim=(-0.5, shown.shape[1] - 0.5), ylim=(shown.shape[0] - 0.5, -0.5))
            axes.set_title(f"{target}: {self.method.replace('_', ' ')}")
            axes.set_axis_off()
        figure.colorbar(image, ax=others, label=self.unit, shrink=0.8)
        return figure

    def to_html(self) -> str:
        """The picture as SVG; a cell is darker where it counted more, and tells its value when pointed at."""
        shown = self._shown()
        height, width = shown.shape[:2]
        figures = "".join(
            f"<figure style='display:inline-block;margin:4px'>"
            f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' width='256'>"
            f"<image href='{_png(shown)}' width='{width}' height='{height}'/>{self._cells(values)}</svg>"
            f"<figcaption>{html.escape(target)}</figcaption></figure>"
            for target, values in zip(self.target_labels, self.values, strict=True)
        )
        caption = html.escape(f"{self.method.replace('_', ' ')}: {self.unit}".rstrip(": "))
        return f"<div class='sixarts-explanation'>{figures}<p>{caption}</p></div>"

    def _cells(self, values: np.ndarray) -> str:
        high = float(np.abs(self.values).max()) or 1.0
        top, left, bottom, right = self.region
        tall, wide = (bottom - top) / self.grid[0], (right - left) / self.grid[1]
        return "".join(
            f"<rect x='{left + wide * (place % self.grid[1]):.2f}' "
            f"y='{top + tall * (place // self.grid[1]):.2f}' "
            f"width='{wide:.2f}' height='{tall:.2f}' fill='{'#2563eb' if value >= 0 else '#dc2626'}' "
            f"fill-opacity='{0.75 * abs(float(value)) / high:.2f}'>"
            f"<title>{html.escape(label)}: {float(value):.4g}</title></rect>"
            for place, (label, value) in enumerate(zip(self.input_labels, values, strict=True))
        )

    def _shown(self) -> np.ndarray:
        if self.picture is not None:
            return self.picture
        return np.full((*(max(side, 1) for side in self.grid), 3), 200, "uint8")


def heatmap(
    method: str,
    target: str,
    values: np.ndarray,
    picture: np.ndarray,
    region: tuple[float, float, float, float],
    **said: Any,
) -> Heatmap:
    """A heatmap of one part of the answer.

    Args:
        method, target: as :class:`Explanation` has them.
        values: ``[rows, columns]``; more than :data:`CELLS` of either are put together.
        picture: what is drawn, ``[height, width, 3]``.
        region: of the picture, what the values cover: top, left, bottom, right.
        **said: other fields of the explanation.
    """
    values = np.asarray(values, "float64")
    # Attributions add up; of maps, the mean of a cell is told.
    cells = summed(values, CELLS)
    if said.get("totals") is None:
        cells = cells / summed(np.ones_like(values), CELLS)
    labels = tuple(f"row {row + 1}, column {column + 1}" for row, column in np.ndindex(*cells.shape))
    return Heatmap(
        method=method,
        target=target,
        input_labels=labels,
        target_labels=(target,),
        values=cells.reshape(1, -1),
        grid=(cells.shape[0], cells.shape[1]),
        region=region,
        picture=picture,
        **said,
    )


def summed(values: np.ndarray, most: int) -> np.ndarray:
    """Values added up in cells, so that there are at most ``most`` rows and columns.

    >>> summed(np.ones((4, 2)), 2).tolist()
    [[2.0, 2.0], [2.0, 2.0]]
    """
    for axis in (0, 1):
        count = min(values.shape[axis], most)
        starts = (np.arange(count) * values.shape[axis]) // count
        values = np.add.reduceat(values, starts, axis=axis)
    return values


def _png(picture: np.ndarray) -> str:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(picture).save(out, "PNG")
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode("ascii")
