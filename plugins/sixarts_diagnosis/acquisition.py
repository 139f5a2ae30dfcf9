"""How else the same thing might have been imaged: small random changes of pictures while a network learns.

All of them are one resampling, so that pictures are blurred once; in NumPy, so that a seed means the same
everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

#: How pictures may lie: as they come; or also mirrored; or mirrored and turned by quarters, as tissue may.
Orientation = Literal["fixed", "mirrored", "any"]


@dataclass(frozen=True)
class Acquisition:
    """Random changes, each drawn evenly for every picture.

    Attributes:
        shift: how far at most, as a share of the sides.
        rotate: degrees at most, either way.
        zoom: how much larger or smaller at most, as a share.
        contrast: how much stronger or weaker at most, as a share.
        brightness: how much lighter or darker at most, in units of the network's input.
        orientation: which ways of lying are alike.
    """

    shift: float = 0.0
    rotate: float = 0.0
    zoom: float = 0.0
    contrast: float = 0.0
    brightness: float = 0.0
    orientation: Orientation = "fixed"

    def __call__(self, pixels: np.ndarray, key: tuple[int, ...]) -> np.ndarray:
        """Changed pictures ``[b, h, w, c]``; the same ``key`` gives the same changes."""
        random = np.random.default_rng(key)
        count = len(pixels)
        moves = np.linalg.inv(self._moves(random, count, pixels.shape[1:3]))
        if not np.allclose(moves, np.eye(3)):
            pixels = resampled(pixels, moves)
        scale = np.exp(_even(random, count, np.log1p(self.contrast)))
        light = _even(random, count, self.brightness)
        found = pixels * scale[:, None, None, None] + light[:, None, None, None]
        return np.asarray(found, "float32")

    def _moves(self, random: np.random.Generator, count: int, size: tuple[int, ...]) -> np.ndarray:
        """Matrices ``[b, 3, 3]`` over (down, across, 1), about the middle, in halves of sides."""
        angle = np.deg2rad(_even(random, count, self.rotate))
        larger = np.exp(_even(random, count, np.log1p(self.zoom)))
        down, across = (_even(random, count, 2 * self.shift) for _ in range(2))
        mirrored, turned = random.integers(0, 2, count), random.integers(0, 4, count)
        if self.orientation == "any" and size[0] == size[1]:
            angle = angle + turned * np.pi / 2
        across_sign = np.where(mirrored & (self.orientation != "fixed"), -1.0, 1.0)
        moves = np.zeros((count, 3, 3))
        # A turn keeps shapes in pixels, so sides of unlike length are taken into account.
        tall, wide = size
        moves[:, 0, 0] = larger * np.cos(angle)
        moves[:, 0, 1] = -larger * np.sin(angle) * across_sign * wide / tall
        moves[:, 1, 0] = larger * np.sin(angle) * tall / wide
        moves[:, 1, 1] = larger * np.cos(angle) * across_sign
        moves[:, 0, 2], moves[:, 1, 2], moves[:, 2, 2] = down, across, 1.0
        return moves


def resampled(pixels: np.ndarray, sources: np.ndarray) -> np.ndarray:
    """Pictures whose every place shows what lies at another; between pixels linear, mirrored at borders.

    Args:
        pixels: ``[b, h, w, c]``.
        sources: ``[b, 3, 3]``, where each place (down, across, 1) looks, from -1 to 1 over the picture.

    >>> same = np.eye(3)[None]
    >>> picture = np.arange(6.0).reshape(1, 2, 3, 1)
    >>> np.allclose(resampled(picture, same), picture)
    True
    """
    count, tall, wide, _ = pixels.shape
    rows, columns = _middles(tall), _middles(wide)
    grid = np.stack([*np.meshgrid(rows, columns, indexing="ij"), np.ones((tall, wide))])
    down, across, _ = np.moveaxis(np.tensordot(sources, grid, axes=1), 1, 0)
    low_row, high_row, row_share = _neighbors((down + 1) * tall / 2 - 0.5, tall)
    low_column, high_column, column_share = _neighbors((across + 1) * wide / 2 - 0.5, wide)
    which = np.arange(count)[:, None, None]
    row_share, column_share = row_share[..., None], column_share[..., None]
    above = pixels[which, low_row, low_column] * (1 - column_share)
    above += pixels[which, low_row, high_column] * column_share
    below = pixels[which, high_row, low_column] * (1 - column_share)
    below += pixels[which, high_row, high_column] * column_share
    return np.asarray(above * (1 - row_share) + below * row_share)


def _middles(count: int) -> np.ndarray:
    """The middles of so many pixels, from -1 to 1."""
    return (np.arange(count) + 0.5) * 2 / count - 1


def _neighbors(places: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels on both sides of places, and how near the second is; beyond a border it goes back."""
    if count == 1:
        zeros = np.zeros(places.shape, int)
        return zeros, zeros, np.zeros(places.shape, "float32")
    back = 2 * (count - 1)
    places = np.abs(places) % back
    places = np.where(places > count - 1, back - places, places)
    low = np.minimum(np.floor(places).astype(int), count - 2)
    return low, low + 1, (places - low).astype("float32")


def _even(random: np.random.Generator, count: int, most: float) -> np.ndarray:
    return random.uniform(-most, most, count)
