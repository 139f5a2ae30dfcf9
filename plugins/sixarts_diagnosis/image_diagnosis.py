"""Answers for pictures: a diagnosis that knows where its picture lies, and that of a slide with its map."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sixarts.errors import SixartsError
from sixarts.media.images import read_image, thumbnail
from sixarts_diagnosis.diagnosis import UNLIKE, Diagnosis, percent
from sixarts_diagnosis.slides import opened_slide

#: Longest side of a slide's picture under its map.
SHOWN = 1024


@dataclass(frozen=True)
class ImageDiagnosis(Diagnosis):
    """What a model makes of one picture.

    Attributes:
        source: where the picture lies, where it came by path; it is read again when it is drawn.
    """

    source: str = ""

    def __str__(self) -> str:
        return f"{self.source}: {super().__str__()}" if self.source else super().__str__()

    def plot(self) -> Any:
        """The picture beside the bars of its labels; the bars alone where the picture is gone."""
        shown = self._shown()
        return super().plot() if shown is None else self._beside(shown)

    def _shown(self) -> np.ndarray | None:
        try:
            return thumbnail(read_image(self.source), SHOWN) if self.source else None
        except SixartsError:
            return None

    def _beside(self, shown: np.ndarray) -> Any:
        """A figure with a picture on the left, which ``_draw_picture`` draws, and the bars on the right."""
        import textwrap

        from matplotlib.figure import Figure

        from sixarts.pictures import drawable

        lines = [line for said in self.warnings() for line in textwrap.wrap(drawable([said])[0], 60)]
        bars = 1.9 + 0.42 * min(len(self.probabilities), 10) + 0.2 * len(lines)
        figure = Figure(figsize=(10.5, max(4.0, bars)), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.25))
        self._draw_picture(figure, left, shown)
        self.draw_probabilities(right)
        title = UNLIKE if self.abstained else f"{self.label}: {self.of_what} {percent(self.probability)}"
        color = "#b91c1c" if self.abstained else "#111827"
        figure.suptitle(drawable([title])[0], x=0.01, ha="left", color=color, fontweight="bold", fontsize=11)
        right.set_title("\n".join(lines), loc="left", fontsize=8.5, color="#92400e")
        figure.supxlabel(self.notice, fontsize=7, color="0.35", x=0.01, ha="left", wrap=True)
        return figure

    def _draw_picture(self, figure: Any, axes: Any, shown: np.ndarray) -> None:
        axes.imshow(shown)
        axes.set_axis_off()


@dataclass(frozen=True, eq=False)
class SlideDiagnosis(ImageDiagnosis):
    """What a model makes of a whole slide, tile by tile.

    Where tiles are judged one by one, ``probabilities`` are their means, and there is no prediction set: its
    coverage was measured of single pictures. Where a model pools tiles, they are the slide's own.

    Attributes:
        size: height and width of the slide, in pixels of its finest level.
        side: of a tile, in the same pixels.
        places: top and left of each tile ``[n, 2]``, in the same pixels.
        scores: of each tile ``[n]``: its probability of the disease (of ``label`` where there are several),
            or its attention as a share of the largest.
        unit: what ``scores`` are, in words.
        tiles: how many were judged.
    """

    size: tuple[int, int] = (0, 0)
    side: float = 0.0
    places: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)), repr=False)
    scores: np.ndarray = field(default_factory=lambda: np.zeros(0), repr=False)
    unit: str = ""
    tiles: int = 0

    def heatmap(self, rows: int | None = None) -> np.ndarray:
        """The map ``[rows, columns]``: each cell's mean score, NaN where there is no tile.

        Args:
            rows: how many; a row a tile when left out. Columns follow the slide's shape.
        """
        rows = rows or max(1, round(self.size[0] / max(self.side, 1)))
        columns = max(1, round(rows * self.size[1] / self.size[0]))
        cell = np.array([self.size[0] / rows, self.size[1] / columns])
        sums, counts = np.zeros((rows, columns)), np.zeros((rows, columns))
        for (top, left), score in zip(self.places, self.scores, strict=True):
            middle = (np.array([top, left]) + self.side / 2) / cell
            at = np.minimum(middle.astype(int), (rows - 1, columns - 1))
            sums[tuple(at)] += score
            counts[tuple(at)] += 1
        return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)

    def _shown(self) -> np.ndarray | None:
        try:
            with opened_slide(self.source) as slide:
                return slide.overview(SHOWN)
        except SixartsError:
            return np.full((*self._aspect(), 3), 245, "uint8")

    def _aspect(self) -> tuple[int, int]:
        tall, wide = self.size
        scale = SHOWN / max(tall, wide, 1)
        return max(1, round(tall * scale)), max(1, round(wide * scale))

    def _draw_picture(self, figure: Any, axes: Any, shown: np.ndarray) -> None:
        """The slide in gray, and each tile over it in the color of its score."""
        from matplotlib.collections import PatchCollection
        from matplotlib.patches import Rectangle

        scale = shown.shape[0] / self.size[0]
        axes.imshow(shown.mean(axis=2), cmap="gray", vmin=0, vmax=280)
        cells = PatchCollection(
            [
                Rectangle((left * scale - 0.5, top * scale - 0.5), self.side * scale, self.side * scale)
                for top, left in self.places
            ],
            cmap="YlOrRd",
            alpha=0.55,
            linewidth=0,
        )
        cells.set_array(np.asarray(self.scores))
        cells.set_clim(0, 1)
        axes.add_collection(cells)
        axes.set_axis_off()
        figure.colorbar(cells, ax=axes, label=self.unit, shrink=0.7)
