"""A slide cut into tiles: where there is tissue, in rows, one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sixarts.errors import InputError
from sixarts.result import UNTOLD, Result
from sixarts_diagnosis.slides import Slide

#: Longest side of the overview that tissue is looked for in.
OVERVIEW = 1024
#: Spread of saturation below which a slide has no stain to find tissue by.
STAINED = 12
#: Saturation above which anything is tissue: a slide may be full of it, and hold no glass to tell it from.
COLORED = 50
#: Share of a tile that must be tissue.
TISSUE = 0.1


@dataclass(frozen=True)
class Grid:
    """How a slide is cut.

    Attributes:
        size: height and width of the slide, in pixels of its finest level.
        side: of a tile, in the same pixels.
        source: where the slide lies, where it came by path.
    """

    size: tuple[int, int]
    side: int
    source: str = ""


@dataclass(frozen=True)
class Tile:
    """A tile, read when it is asked for.

    Attributes:
        grid: what it is of.
        top, left: of it, in pixels of the finest level.
        pixels: its side once read.
    """

    grid: Grid
    top: int
    left: int
    pixels: int
    slide: Any = field(repr=False, compare=False)

    def read(self) -> np.ndarray:
        """The picture ``[pixels, pixels, 3]``."""
        return np.asarray(self.slide.region(self.top, self.left, self.grid.side, self.pixels))


@dataclass(frozen=True)
class TileFeatures(Result):
    """What a network sees in each tile of a slide: what a model that pools tiles takes.

    Attributes:
        features: ``[n, d]``.
        places: top and left of each tile ``[n, 2]``, in pixels of the slide's finest level.
        grid: how the slide was cut.
    """

    features: np.ndarray = field(repr=False)
    places: np.ndarray = field(repr=False)
    grid: Grid = field(metadata=UNTOLD)

    def __str__(self) -> str:
        count, width = self.features.shape
        return f"{count} tiles of {self.grid.source or 'a slide'}, {width} features each"


def tissue(overview: np.ndarray) -> np.ndarray:
    """Where there is tissue, ``[height, width]`` of truth values.

    Stain has color and glass has none: Otsu's threshold (1979) on saturation. Where nothing has color, as in
    a gray picture, everything is tissue.
    """
    high, low = overview.max(axis=2).astype("float32"), overview.min(axis=2).astype("float32")
    saturation = np.divide(255 * (high - low), high, out=np.zeros_like(high), where=high > 0)
    if float(np.percentile(saturation, 99.5) - np.percentile(saturation, 0.5)) < STAINED:
        return np.ones(saturation.shape, bool)
    whole = saturation.astype(int)
    return np.asarray(whole > min(otsu(whole), COLORED))


def otsu(values: np.ndarray) -> int:
    """The threshold that parts whole numbers from 0 to 255 into two groups as unlike as can be (Otsu 1979).

    The second group lies above it.

    >>> otsu(np.array([10, 10, 200, 210]))
    10
    """
    counts = np.bincount(values.ravel(), minlength=256).astype("float64")
    below = counts.cumsum()
    sums = (counts * np.arange(256)).cumsum()
    above = below[-1] - below
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return int(np.argmax(np.nan_to_num(apart, nan=-1.0)))


def tiles(slide: Slide, side: int, pixels: int, share: float = TISSUE, source: str = "") -> Iterator[Tile]:
    """The tiles of a slide that hold tissue, row by row.

    Args:
        slide: an open one; it stays open while tiles are read.
        side: of a tile, in pixels of the finest level.
        pixels: side of a tile once it is read.
        share: of a tile that must be tissue; 0 takes all.
        source: where the slide lies, where it came by path.

    Raises:
        InputError: a slide smaller than a tile, or without tissue.
    """
    tall, wide = slide.size
    if min(tall, wide) < side:
        raise InputError(
            f"a slide of {tall} × {wide} pixels; expected {side} at least, a tile; choose a smaller tile="
        )
    there = tissue(slide.overview(OVERVIEW)) if share else np.ones((1, 1), bool)
    grid = Grid(slide.size, side, source)
    found = False
    for top in _starts(tall, side):
        for left in _starts(wide, side):
            if _share(there, slide.size, top, left, side) >= share:
                found = True
                yield Tile(grid, top, left, pixels, slide)
    if not found:
        raise InputError(
            "a slide without tissue, as its colors tell; expected some; tissue=0 takes every tile"
        )


def _starts(length: int, side: int) -> range:
    """Where tiles begin; what is left at the end is less than half a tile."""
    return range(0, length - (side + 1) // 2 + 1, side)


def _share(there: np.ndarray, size: tuple[int, int], top: int, left: int, side: int) -> float:
    rows, columns = there.shape
    down, across = rows / size[0], columns / size[1]
    high, low = int(top * down), max(int(np.ceil((top + side) * down)), int(top * down) + 1)
    first, last = int(left * across), max(int(np.ceil((left + side) * across)), int(left * across) + 1)
    return float(there[high:low, first:last].mean())
