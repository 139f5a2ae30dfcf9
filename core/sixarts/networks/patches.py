"""Pictures and clips as sequences of patches, for transformers that read them (Dosovitskiy et al. 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops


class Patches(keras.layers.Layer):  # type: ignore[misc]
    """Cuts ``[b, *sizes, channels]`` into patches and projects each: ``[b, n, width]``.

    A border that is smaller than a patch is left out. Sizes may be any, where each call states them.

    Args:
        patch: sizes of a patch, along height and width (of a clip: along frames first).
        width: of the projection.
        initializer: of its kernel.
    """

    def __init__(
        self, patch: Sequence[int], width: int, initializer: str = "glorot_uniform", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.patch, self.width = tuple(patch), width
        self.projection = keras.layers.Dense(
            width, kernel_initializer=initializer, dtype=self.dtype_policy, name="projection"
        )

    def build(self, shape: Any) -> None:
        self.projection.build((None, None, int(np.prod(self.patch)) * shape[-1]))
        self.built = True

    def grid(self, sizes: Sequence[int]) -> tuple[int, ...]:
        """How many patches there are along each axis of what has these sizes."""
        return tuple(size // patch for size, patch in zip(sizes, self.patch, strict=True))

    def compute_output_shape(self, shape: Any) -> Any:
        sizes = shape[1:-1]
        count = None if None in sizes else int(np.prod(self.grid(sizes)))
        return (shape[0], count, self.width)

    def call(self, x: Any) -> Any:
        """One product of matrices: a convolution whose stride is its size is nothing else."""
        grid, axes = self.grid(x.shape[1:-1]), len(self.patch)
        for axis, (count, patch) in enumerate(zip(grid, self.patch, strict=True), 1):
            if x.shape[axis] != count * patch:
                x = x[(slice(None),) * axis + (slice(0, count * patch),)]
        split = [size for pair in zip(grid, self.patch, strict=True) for size in pair]
        x = ops.reshape(x, (-1, *split, x.shape[-1]))
        order = (0, *range(1, 2 * axes, 2), *range(2, 2 * axes + 1, 2), 2 * axes + 1)
        x = ops.reshape(ops.transpose(x, order), (-1, int(np.prod(grid)), self._inner(x)))
        return self.projection(x)

    def _inner(self, x: Any) -> int:
        return int(np.prod(self.patch)) * int(x.shape[-1])


class Tokens(keras.layers.Layer):  # type: ignore[misc]
    """Puts learned tokens before patches, and adds a learned table of positions.

    Args:
        count: learned tokens that come first.
        grid: rows and columns of patches that the table was learned on.
        shown: rows and columns of patches that come; the table is interpolated where they differ.
        dropout: rate on the sum.
        initializer: of tokens and table.
    """

    def __init__(
        self,
        count: int,
        grid: tuple[int, int],
        shown: tuple[int, int] | None = None,
        dropout: float = 0.0,
        initializer: Any = "normal",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.count, self.grid, self.shown = count, tuple(grid), tuple(shown or grid)
        self.initializer = initializer
        self.dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy, name="dropout")

    def build(self, shape: Any) -> None:
        width, patches = shape[-1], self.grid[0] * self.grid[1]
        self.tokens = [
            self.add_weight(name=f"token_{place}", shape=(1, 1, width), initializer=self.initializer)
            for place in range(self.count)
        ]
        self.table = self.add_weight(
            name="positions", shape=(1, self.count + patches, width), initializer=self.initializer
        )
        self.built = True

    def compute_output_shape(self, shape: Any) -> Any:
        return (shape[0], self.count + self.shown[0] * self.shown[1], shape[-1])

    def positions(self) -> Any:
        """The table for the grid that is shown, ``[1, count + n, width]``."""
        if self.shown == self.grid:
            return self.table
        places = ops.reshape(self.table[0, self.count :], (*self.grid, -1))
        down, across = (
            ops.cast(bicubic(old, new), self.table.dtype)
            for old, new in zip(self.grid, self.shown, strict=True)
        )
        # Rows first, then columns: the interpolation is separable.
        places = ops.tensordot(down, places, axes=((1,), (0,)))
        places = ops.transpose(ops.tensordot(across, places, axes=((1,), (1,))), (1, 0, 2))
        flat = ops.reshape(places, (1, self.shown[0] * self.shown[1], -1))
        return ops.concatenate([self.table[:, : self.count], flat], axis=1)

    def call(self, x: Any, training: bool = False) -> Any:
        rows = ops.shape(x)[0]
        first = [
            ops.cast(ops.broadcast_to(token, (rows, 1, token.shape[-1])), x.dtype) for token in self.tokens
        ]
        x = ops.concatenate([*first, x], axis=1) if first else x
        return self.dropout(x + ops.cast(self.positions(), x.dtype), training=training)


def bicubic(old: int, new: int) -> np.ndarray:
    """The matrix ``[new, old]`` that stretches ``old`` samples over ``new`` by cubic convolution.

    Pixel centers are kept apart evenly, borders are repeated, a = -0.75: what PyTorch's ``interpolate`` does
    with ``align_corners=False`` (Keys 1981).

    >>> bicubic(2, 2).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    a = -0.75
    found = np.zeros((new, old))
    for row in range(new):
        center = (row + 0.5) * old / new - 0.5
        low = int(np.floor(center))
        for tap in range(low - 1, low + 3):
            distance = abs(center - tap)
            if distance <= 1:
                weight = (a + 2) * distance**3 - (a + 3) * distance**2 + 1
            else:
                weight = a * distance**3 - 5 * a * distance**2 + 8 * a * distance - 4 * a
            found[row, min(max(tap, 0), old - 1)] += weight
    return found.astype("float32")
