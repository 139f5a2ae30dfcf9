"""Where each cell of a feature map lies on its picture, as vectors that attention can tell apart."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from sixarts.errors import InputError
from sixarts_detection.backbone import cells_of

#: Rows and columns that a learned table has (Carion et al. 2020, as published).
LEARNED = 50


class SinePlaces(keras.layers.Layer):  # type: ignore[misc]
    """Sines and cosines of a cell's row and column as shares of the picture.

    Source: Carion et al. 2020, appendix A.4.

    Args:
        width: of the vectors, a multiple of 4; the first half is the row's.
        stride: pixels between two cells.
    """

    def __init__(self, width: int, stride: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.width, self.stride = width, stride

    def compute_output_shape(self, x_shape: Any, extent_shape: Any) -> Any:
        return flat_shape(x_shape, self.width)

    def call(self, x: Any, extent: Any) -> Any:
        """``[b, height * width, d]`` of the grid ``x`` and pictures of ``extent`` ``[b, 2]`` in pixels."""
        height, width = x.shape[1:3]
        cells = ops.cast(cells_of(extent, self.stride), "float32")
        rows = self._waves(height, cells[:, 0])[:, :, None]
        columns = self._waves(width, cells[:, 1])[:, None, :]
        shape = (ops.shape(x)[0], height, width, self.width // 2)
        both = [ops.broadcast_to(rows, shape), ops.broadcast_to(columns, shape)]
        flat = ops.reshape(ops.concatenate(both, axis=-1), (-1, height * width, self.width))
        return ops.cast(flat, self.compute_dtype)

    def _waves(self, count: int, whole: Any) -> Any:
        """``[b, count, d / 2]`` of positions 1 to ``count`` of ``whole`` ``[b]``, sines between cosines."""
        half = self.width // 2
        lengths = ops.convert_to_tensor(10000.0 ** (np.arange(0, half, 2, dtype="float32") / half))
        shares = ops.arange(1, count + 1, dtype="float32")[None] / (whole[:, None] + 1e-6) * (2 * math.pi)
        angles = shares[:, :, None] / lengths
        waves = ops.stack([ops.sin(angles), ops.cos(angles)], axis=-1)
        return ops.reshape(waves, (-1, count, half))


class GridPlaces(keras.layers.Layer):  # type: ignore[misc]
    """Sines and cosines of a cell's row, then of its column, counted in cells.

    Source: Zhao et al. 2024, section 4.2, as published.

    Args:
        width: of the vectors, a multiple of 4.
        temperature: how slow the slowest wave is.
        learning: whether places are told in training alone, as published for an ``eval_size``.
    """

    def __init__(self, width: int, temperature: float, learning: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.width, self.temperature, self.learning = width, temperature, learning

    def compute_output_shape(self, shape: Any) -> Any:
        return flat_shape(shape, self.width)

    def call(self, x: Any, training: bool = False) -> Any:
        """``[b, height * width, d]`` of the grid ``x``."""
        height, width = x.shape[1:3]
        lengths = self.temperature ** -(np.arange(self.width // 4) / (self.width // 4))
        rows, columns = (np.arange(count)[:, None] * lengths for count in (height, width))
        waves = [
            np.broadcast_to(angles, (height, width, self.width // 4))
            for grid in (rows[:, None], columns[None])
            for angles in (np.sin(grid), np.cos(grid))
        ]
        flat = np.concatenate(waves, axis=-1).reshape(1, height * width, self.width)
        told = flat if training or not self.learning else np.zeros_like(flat)
        shape = (ops.shape(x)[0], height * width, self.width)
        return ops.broadcast_to(ops.convert_to_tensor(told, self.compute_dtype), shape)


class LearnedPlaces(keras.layers.Layer):  # type: ignore[misc]
    """A learned vector for each column beside one for each row.

    Args:
        width: of both together.
        initializer: of the tables.
    """

    def __init__(self, width: int, initializer: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.width = width
        self.initializer = initializer if initializer == "zeros" else "random_uniform"

    def build(self, *shapes: Any, **named: Any) -> None:
        self.rows, self.columns = (
            self.add_weight(name=name, shape=(LEARNED, self.width // 2), initializer=self.initializer)
            for name in ("rows", "columns")
        )
        self.built = True

    def compute_output_shape(self, x_shape: Any, extent_shape: Any) -> Any:
        return flat_shape(x_shape, self.width)

    def call(self, x: Any, extent: Any) -> Any:
        """``[b, height * width, d]`` of the grid ``x``; how much of it a picture covers makes no difference.

        Raises:
            InputError: a grid with more rows or columns than the tables.
        """
        height, width = x.shape[1:3]
        if max(height, width) > LEARNED:
            raise InputError(
                f"a picture of {height} × {width} cells; this model has learned {LEARNED} places each way; "
                "expected a smaller size in preprocessor_config.json"
            )
        shape = (ops.shape(x)[0], height, width, self.width // 2)
        both = [
            ops.broadcast_to(ops.cast(table, self.compute_dtype), shape)
            for table in (self.columns[None, None, :width], self.rows[None, :height, None])
        ]
        return ops.reshape(ops.concatenate(both, axis=-1), (-1, height * width, self.width))


def flat_shape(shape: Any, width: int) -> tuple[Any, ...]:
    """Of a grid's cells in a row, with vectors of this width."""
    count = None if None in shape[1:3] else shape[1] * shape[2]
    return (shape[0], count, width)
