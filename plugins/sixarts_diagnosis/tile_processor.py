"""The tiles of slides as a network takes them: rows of features, filled up to one length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from sixarts.batching import bucket
from sixarts.errors import InputError
from sixarts.labeled import labels_of
from sixarts.model import Processor
from sixarts_diagnosis.tiles import TileFeatures

#: Numbers of tiles that bags are filled up to.
COUNTS = tuple(2**power for power in range(4, 18))


class TileProcessor(Processor):
    """Bags of tile features to arrays.

    Args:
        labels: the network's classes, in order.
        width: how many features a tile has.
    """

    def __init__(self, labels: Sequence[str], width: int) -> None:
        self.labels, self.width = tuple(labels), width

    @classmethod
    def from_folder(cls, folder: Path, config: Mapping[str, Any]) -> Self:
        return cls(labels_of(config), config["feature_size"])

    def save(self, folder: Path) -> None:
        """Nothing beside ``config.json``."""

    def relabeled(self, labels: Sequence[str]) -> Self:
        """The same for other classes."""
        return type(self)(labels, self.width)

    def check(self, x: Any) -> None:
        """Looks at the features of a slide's tiles.

        Raises:
            InputError: something else, or of another width.
        """
        found = read_tiles(x)
        if found.shape[1] != self.width:
            raise InputError(
                f"tiles of {found.shape[1]} features; expected {self.width}, as this model learned from; "
                "take them from the same encoder"
            )

    def read(self, x: Any) -> np.ndarray:
        """The features ``[n, d]``."""
        return read_tiles(x)

    def arrays(self, bags: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """``features`` ``[b, n, d]``, and ``mask`` ``[b, n]``, which is 1 where there is a tile."""
        length = bucket(max(map(len, bags)), COUNTS)
        features = np.zeros((len(bags), length, self.width), "float32")
        mask = np.zeros((len(bags), length), "float32")
        for row, bag in enumerate(bags):
            features[row, : len(bag)], mask[row, : len(bag)] = bag, 1.0
        return {"features": features, "mask": mask}


def read_tiles(x: Any) -> np.ndarray:
    """The features of a slide's tiles ``[n, d]`` in float32.

    Raises:
        InputError: neither :class:`TileFeatures` nor an array of finite floats ``[n, d]``.
    """
    found = x.features if isinstance(x, TileFeatures) else x
    if not isinstance(found, np.ndarray):
        raise InputError(
            f"{type(x).__name__}; expected the features of a slide's tiles, as a picture model's features() "
            "gives them, or an array [tiles, features]"
        )
    if found.ndim != 2 or not found.size or found.dtype.kind != "f":
        raise InputError(
            f"an array of {found.dtype} {list(found.shape)}; expected floats [tiles, features], one at least"
        )
    if not np.isfinite(found).all():
        raise InputError("features that are not finite; expected numbers")
    return np.asarray(found, "float32")
