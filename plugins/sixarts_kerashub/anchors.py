"""Anchors: the boxes that a RetinaNet's candidates begin from, and how its answers move and stretch them.

Sources: Lin et al. 2017 (RetinaNet, section 4) and Ren et al. 2015 (the coding), as
``keras_hub.layers.AnchorGenerator`` and ``keras.utils.bounding_boxes.decode_deltas_to_boxes`` have them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from sixarts.readers.limits import Limit, number, one_of, some, whole

#: Names of the order that KerasHub tells a box's numbers in. Anchors are the same in all of them; with the
#: others, which are shares of a picture, its own detector fails.
FORMATS = ("xyxy", "yxyx", "xywh", "center_xywh", "center_yxhw")
LIMITS: dict[str, Limit] = {
    "bounding_box_format": one_of(*FORMATS),
    "min_level": whole(2, 9),
    "max_level": whole(2, 9),
    "num_scales": whole(1, 16),
    "aspect_ratios": some(number(1 / 64, 64), 16),
    "anchor_size": number(1 / 16, 64),
}
#: The largest exponent of a side, so that every box is finite; no anchor is stretched as far.
REACH = 60.0


def cells(size: tuple[int, int], level: int) -> tuple[int, int]:
    """Rows and columns of cells that a level has, a part of a cell counted as one.

    >>> cells((800, 640), 6)
    (13, 10)
    """
    return math.ceil(size[0] / 2**level), math.ceil(size[1] / 2**level)


def anchors(settings: Mapping[str, Any], size: tuple[int, int]) -> np.ndarray:
    """Center x, center y, width and height of each anchor in pixels, ``[n, 4]`` in float32.

    Level by level; of a level cell by cell, in rows; of a cell ratio by ratio, and of a ratio scale by scale.

    >>> settings = {"min_level": 3, "max_level": 3, "num_scales": 1, "aspect_ratios": [4.0], "anchor_size": 2}
    >>> anchors(settings, (8, 16)).tolist()
    [[0.0, 0.0, 8.0, 32.0], [8.0, 0.0, 8.0, 32.0]]

    Args:
        settings: of an ``AnchorGenerator``. A ratio is of height to width, whatever its documentation says.
        size: height and width of the array that the network sees.
    """
    ratios, scales = np.sqrt(np.array(settings["aspect_ratios"], "float32")), settings["num_scales"]
    found = []
    for level in range(settings["min_level"], settings["max_level"] + 1):
        rows, columns = cells(size, level)
        down, across = np.mgrid[:rows, :columns].reshape(2, -1) * [[size[0] // rows], [size[1] // columns]]
        lengths = [int(2**level * settings["anchor_size"] * 2 ** (scale / scales)) for scale in range(scales)]
        sides = np.stack(
            [(shape[:, None] * np.array(lengths, "float32")).ravel() for shape in (1 / ratios, ratios)],
            axis=1,
        )
        centers = np.repeat(np.stack([across, down], axis=1), len(sides), axis=0)
        found.append(np.hstack([centers, np.tile(2 * np.round(sides / 2), (rows * columns, 1))]))
    return np.concatenate(found).astype("float32")


class Anchored(keras.layers.Layer):  # type: ignore[misc]
    """What a network says of its anchors, as boxes: center and sides as shares of the canvas.

    Args:
        anchors: center x, center y, width and height of each, in pixels ``[n, 4]``.
        size: height and width of the canvas.
    """

    def __init__(self, anchors: np.ndarray, size: tuple[int, int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.anchors, self.sides = anchors, np.array(size[::-1], "float32")

    def compute_output_shape(self, shape: Any) -> Any:
        return shape

    def call(self, deltas: Any) -> Any:
        """``deltas`` ``[b, n, 4]``: moves in the anchor's sides, and logarithms of what those grow by."""
        anchors, sides = ops.convert_to_tensor(self.anchors), ops.convert_to_tensor(self.sides)
        centers = deltas[..., :2] * anchors[:, 2:] + anchors[:, :2]
        lengths = ops.exp(ops.minimum(deltas[..., 2:], REACH)) * anchors[:, 2:]
        return ops.concatenate([centers / sides, lengths / sides], axis=-1)
