"""Attention that looks at a few points of each scale, which the query itself places around its box.

Source: Zhu et al. 2021 (Deformable DETR), section 4.1, with points relative to boxes as in its appendix A.3.
Shapes: ``b`` pictures, ``n`` queries, ``s`` cells of all scales, ``d`` width, ``h`` heads, ``l`` scales,
``p`` points.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from sixarts.layers import EncoderBlock
from sixarts_detection.transformer import mix


class DeformableAttention(keras.layers.Layer):  # type: ignore[misc]
    """Weighted means of features at points, interpolated between the four cells around each.

    Args:
        heads: number of heads; divides ``width``.
        width: of queries, features and output.
        levels: number of scales.
        points: that a head looks at on each scale.
        initializer: of the projections of values and output; ``"zeros"`` skips the pattern that points
            start from, too.
    """

    def __init__(
        self, heads: int, width: int, levels: int, points: int, initializer: str, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.heads, self.width, self.levels, self.points = heads, width, levels, points
        count = heads * levels * points

        def dense(size: int, name: str, kernel: str, bias: Any = "zeros") -> keras.layers.Dense:
            return keras.layers.Dense(
                size, kernel_initializer=kernel, bias_initializer=bias, dtype=self.dtype_policy, name=name
            )

        around = self._around if initializer != "zeros" else "zeros"
        self.offsets = dense(2 * count, "offsets", "zeros", around)
        self.weights_of = dense(count, "weights_of", "zeros")
        self.value, self.out = dense(width, "value", initializer), dense(width, "out", initializer)

    def _around(self, shape: Any, dtype: Any = None) -> Any:
        """Points in a direction for each head, the first one a step away, the next two, and so on."""
        angles = np.arange(self.heads) * (2 * math.pi / self.heads)
        steps = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
        steps /= np.abs(steps).max(axis=-1, keepdims=True)
        far = np.arange(1, self.points + 1)[None, None, :, None]
        found = np.broadcast_to(steps[:, None, None] * far, (self.heads, self.levels, self.points, 2))
        return ops.convert_to_tensor(found.reshape(-1), dtype)

    def build(self, *shapes: Any) -> None:
        for layer in (self.offsets, self.weights_of, self.value, self.out):
            layer.build((None, None, self.width))
        self.built = True

    def call(self, x: Any, memory: Any, boxes: Any, grids: Sequence[tuple[int, int]]) -> Any:
        """What each query finds, ``[b, n, d]``.

        Args:
            x: queries, ``[b, n, d]``.
            memory: features of all scales in a row, ``[b, s, d]``.
            boxes: centers and sizes of the queries' boxes as shares of the picture, ``[b, n, 4]``.
            grids: height and width of each scale.
        """
        rows, queries = ops.shape(x)[0], ops.shape(x)[1]
        cells = sum(height * width for height, width in grids)
        shape = (rows, queries, self.heads, self.levels, self.points)
        weights = ops.reshape(self.weights_of(x), (*shape[:3], -1))
        weights = ops.reshape(ops.cast(ops.softmax(weights, axis=-1), "float32"), shape)
        offsets = ops.cast(ops.reshape(self.offsets(x), (*shape, 2)), "float32")
        boxes = ops.cast(boxes, "float32")[:, :, None, None, None]
        places = boxes[..., :2] + offsets / self.points * boxes[..., 2:] * 0.5
        index, shares = corners(places, grids)
        # Every head of every picture has its features in a row of its own.
        values = ops.reshape(self.value(memory), (rows, cells, self.heads, -1))
        values = ops.reshape(ops.transpose(values, (0, 2, 1, 3)), (rows * self.heads * cells, -1))
        first = ops.arange(rows, dtype="int32")[:, None] * self.heads
        first = (first + ops.arange(self.heads, dtype="int32")[None]) * cells
        index = ops.reshape(index + first[:, None, :, None, None, None], (*shape[:3], -1))
        shares = ops.reshape(shares * weights[..., None], (*shape[:3], 1, -1))
        seen = ops.take(values, index, axis=0)
        mixed = ops.matmul(ops.cast(shares, seen.dtype), seen)
        return self.out(ops.reshape(mixed, (rows, queries, self.width)))


def corners(places: Any, grids: Sequence[tuple[int, int]]) -> tuple[Any, Any]:
    """The four cells around each place, and their shares of what is there; beyond the border is nothing.

    Args:
        places: x and y as shares of the picture, ``[b, n, h, l, p, 2]``.
        grids: height and width of each of the ``l`` scales.

    Returns:
        Numbers of cells in the row of all scales' cells, and shares, each ``[b, n, h, l, p, 4]``.
    """
    counts = [height * width for height, width in grids]
    starts = np.cumsum([0, *counts[:-1]]).astype("int32")[:, None]
    sizes = np.array([(width, height) for height, width in grids], "float32")[:, None]
    spots = places * ops.convert_to_tensor(sizes) - 0.5
    low = ops.floor(spots)
    part = spots - low
    found, shares = [], []
    for down in (0, 1):
        for across in (0, 1):
            step = np.array([across, down], "float32")
            cell = low + ops.convert_to_tensor(step)
            share = ops.prod(ops.where(ops.convert_to_tensor(step > 0), part, 1.0 - part), axis=-1)
            inside = ops.all(ops.logical_and(cell >= 0, cell < ops.convert_to_tensor(sizes)), axis=-1)
            shares.append(share * ops.cast(inside, share.dtype))
            cell = ops.cast(ops.clip(cell, 0.0, ops.convert_to_tensor(sizes - 1)), "int32")
            wide = ops.convert_to_tensor(sizes[:, :, 0].astype("int32"))
            found.append(cell[..., 1] * wide + cell[..., 0] + ops.convert_to_tensor(starts))
    return ops.stack(found, axis=-1), ops.stack(shares, axis=-1)


class DeformableBlock(EncoderBlock):
    """A decoder's block: queries look at each other, then at points around their boxes.

    Args:
        levels, points: of its :class:`DeformableAttention`; the rest as in the encoder.
    """

    def __init__(self, *, levels: int, points: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cross_attention = DeformableAttention(
            kwargs["heads"],
            kwargs["width"],
            levels,
            points,
            kwargs["initializer"],
            dtype=self.dtype_policy,
            name="cross_attention",
        )
        self.cross_attention_norm = self._norm("cross_attention_norm")

    def call(
        self,
        x: Any,
        queries: Any,
        memory: Any,
        boxes: Any,
        grids: Sequence[tuple[int, int]],
        training: bool = False,
    ) -> Any:
        """What the queries have found so far, ``[b, n, d]``.

        Args:
            x: the same before this block.
            queries: what tells one query from another, of the same shape.
            memory, boxes, grids: as in :class:`DeformableAttention`.
        """
        asked = x + queries
        mixed = mix(self.attention, asked, asked, x, None, training)
        x = self._after(x, mixed, self.attention_norm, training)
        mixed = self.cross_attention(x + queries, memory, boxes, grids=grids)
        x = self._after(x, mixed, self.cross_attention_norm, training)
        return self._close(x, training)
