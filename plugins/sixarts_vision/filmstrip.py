"""An explanation of a clip: which of its frames counted, and where in them."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sixarts.explanation import Explanation
from sixarts.media.heatmap import summed
from sixarts.result import UNTOLD

#: Most rows and columns of cells in a frame.
CELLS = 8
#: Frames in a row of the plot.
ACROSS = 6


@dataclass(frozen=True)
class Filmstrip(Explanation):
    """Values of the cells of a grid over each frame of a clip.

    Attributes:
        times: of the frames, in seconds from the video's start.
        grid: frames, rows and columns; ``values`` is ``[1, frames * rows * columns]``.
        region: top, left, bottom, right of the grid, in pixels of the pictures.
        pictures: the frames, ``[frames, height, width, 3]``, ``uint8``.
    """

    times: tuple[float, ...] = ()
    grid: tuple[int, int, int] = (1, 1, 1)
    region: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    pictures: np.ndarray = field(
        default_factory=lambda: np.zeros((1, 1, 1, 3), "uint8"), repr=False, metadata=UNTOLD
    )

    @property
    def cells(self) -> np.ndarray:
        """The values where they belong: ``[frames, rows, columns]``."""
        return self.values.reshape(self.grid)

    @property
    def curve(self) -> np.ndarray:
        """How much each frame counts: the sum over its cells, ``[frames]``."""
        return self.cells.sum(axis=(1, 2))

    def __str__(self) -> str:
        when = int(np.abs(self.curve).argmax())
        row, column = np.unravel_index(np.abs(self.cells[when]).argmax(), self.grid[1:])
        return (
            f"{self.method}: {self.target} ← most at {self.times[when]:.2f} s, "
            f"row {row + 1} of {self.grid[1]}, column {column + 1} of {self.grid[2]}"
        )

    def plot(self) -> Any:
        """How much each frame counts, and the frames with what counted in them; red is against the answer."""
        from matplotlib.figure import Figure

        frames = self.grid[0]
        rows = -(-frames // ACROSS)
        figure = Figure(figsize=(9, 2.2 + 1.4 * rows), layout="constrained")
        above, below = figure.subfigures(2, 1, height_ratios=(2.2, 1.5 * rows))
        axes = above.add_subplot()
        width = 0.8 * (self.times[1] - self.times[0] if frames > 1 else 1.0)
        colors = ["#2563eb" if value >= 0 else "#dc2626" for value in self.curve]
        axes.bar(self.times, self.curve, width=width, color=colors)
        axes.axhline(0, color="0.6", linewidth=0.8)
        axes.set(xlabel="seconds", ylabel=self.unit, title=f"{self.target}: {self.method.replace('_', ' ')}")
        axes.spines[["top", "right"]].set_visible(False)
        strip = below.subplots(rows, min(frames, ACROSS), squeeze=False).ravel()
        high = float(np.abs(self.values).max()) or 1.0
        top, left, bottom, right = self.region
        for place, axes in enumerate(strip):
            axes.set_axis_off()
            if place >= frames:
                continue
            shown = self.pictures[place]
            axes.imshow(shown.mean(axis=2), cmap="gray", vmin=0, vmax=320)
            axes.imshow(
                self.cells[place],
                cmap="RdBu" if self.signed else "magma",
                vmin=-high if self.signed else 0.0,
                vmax=high,
                alpha=0.6,
                extent=(left - 0.5, right - 0.5, bottom - 0.5, top - 0.5),
                interpolation="bilinear",
            )
            axes.set(xlim=(-0.5, shown.shape[1] - 0.5), ylim=(shown.shape[0] - 0.5, -0.5))
            axes.set_title(f"{self.times[place]:.2f} s", fontsize=9)
        return figure

    def to_html(self) -> str:
        """The frames as SVG; a cell is darker where it counted more, and tells its value when pointed at."""
        frames = "".join(self._figure(place) for place in range(self.grid[0]))
        caption = f"{self.method.replace('_', ' ')}: {' '.join(self.unit.split())}".rstrip(": ")
        return (
            f"<div class='sixarts-explanation'><p><b>{html.escape(self.target)}</b> "
            f"{html.escape(caption)}</p>{frames}</div>"
        )

    def _figure(self, place: int) -> str:
        height, width = self.pictures[place].shape[:2]
        _, rows, columns = self.grid
        high = float(np.abs(self.values).max()) or 1.0
        top, left, bottom, right = self.region
        tall, wide = (bottom - top) / rows, (right - left) / columns
        labels = self.input_labels[place * rows * columns :]
        cells = "".join(
            f"<rect x='{left + wide * column:.2f}' y='{top + tall * row:.2f}' width='{wide:.2f}' "
            f"height='{tall:.2f}' fill='{'#2563eb' if value >= 0 else '#dc2626'}' "
            f"fill-opacity='{0.75 * abs(value) / high:.2f}'>"
            f"<title>{html.escape(labels[row * columns + column])}: {value:.4g}</title></rect>"
            for (row, column), value in np.ndenumerate(self.cells[place].astype(float))
        )
        return (
            "<figure style='display:inline-block;margin:4px'>"
            f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' width='160'>"
            f"<image href='{_jpeg(self.pictures[place])}' width='{width}' height='{height}'/>{cells}</svg>"
            f"<figcaption>{self.times[place]:.2f} s: {self.curve[place]:.3g}</figcaption></figure>"
        )


def filmstrip(
    method: str,
    target: str,
    values: np.ndarray,
    times: Sequence[float],
    pictures: np.ndarray,
    region: tuple[float, float, float, float],
    **said: Any,
) -> Filmstrip:
    """An explanation of one class over a clip.

    Args:
        method, target: as :class:`Explanation` has them.
        values: ``[frames, rows, columns]``; more than :data:`CELLS` rows or columns are put together.
        times: of the frames, in seconds.
        pictures: ``[frames, height, width, 3]``.
        region: of each picture, what the values cover: top, left, bottom, right.
        **said: other fields of the explanation.
    """
    values = np.asarray(values, "float64")
    cells = np.stack([summed(frame, CELLS) for frame in values])
    if said.get("totals") is None:
        # Attributions add up; of maps, the mean of a cell is told.
        cells = cells / summed(np.ones(values.shape[1:]), CELLS)
    labels = tuple(
        f"{times[frame]:.2f} s, row {row + 1}, column {column + 1}"
        for frame, row, column in np.ndindex(*cells.shape)
    )
    return Filmstrip(
        method=method,
        target=target,
        input_labels=labels,
        target_labels=(target,),
        values=cells.reshape(1, -1),
        times=tuple(map(float, times)),
        grid=(cells.shape[0], cells.shape[1], cells.shape[2]),
        region=region,
        pictures=pictures,
        **said,
    )


def _jpeg(picture: np.ndarray) -> str:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(picture).save(out, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode("ascii")
