"""The network's candidates to detections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from sixarts_detection.boxes import corners, coverings, suppressed
from sixarts_detection.learning import scores_of

#: What two detections of one thing, seen in two tiles, have in common of the smaller one.
COVERED = 0.6


class Found(NamedTuple):
    """Detections of one view, in pixels of the whole picture, the surest first.

    Attributes:
        boxes: ``[n, 4]``: left, top, right, bottom.
        classes: ``[n]``, their numbers.
        scores: ``[n]``.
        candidates: ``[n]``, which of the network's candidates each is.
    """

    boxes: np.ndarray
    classes: np.ndarray
    scores: np.ndarray
    candidates: np.ndarray

    def at(self, places: np.ndarray) -> Found:
        """Those at some places."""
        return Found(*(array[places] for array in self))


def decoded(model: Any, outputs: Mapping[str, np.ndarray], row: int, view: Any, options: Any) -> Found:
    """What a row of the network's outputs says of a view, by the family's own rules.

    Args:
        model: of the family.
        outputs: ``logits`` and ``boxes``.
        row: of them.
        view: with ``size``, ``left`` and ``top``.
        options: ``overlap`` and ``most``; and ``threshold``, which is a number here.
    """
    scores, boxes = scores_of(model, outputs["logits"][row]), corners(outputs["boxes"][row])
    if model.scoring == "softmax":
        # A candidate is of its likeliest class, or of none.
        candidates, classes = np.arange(len(scores)), scores.argmax(axis=-1)
        sure = scores.max(axis=-1)
    else:
        candidates, classes = (grid.ravel() for grid in np.indices(scores.shape))
        sure = scores.ravel()
    places = np.flatnonzero(sure > options.threshold)
    order = places[np.argsort(-sure[places], kind="stable")]
    most = min(filter(None, (model.most, options.most)))
    # Suppression takes many for one, so it is given more than are wanted.
    order = order[: 10 * most if model.overlapping else most]
    height, width = view.size
    scale = np.array([width, height, width, height], "float64")
    moved = boxes[candidates[order]] * scale + [view.left, view.top, view.left, view.top]
    found = Found(moved, classes[order], sure[order], candidates[order])
    if model.overlapping:
        kept = suppressed(found.boxes, found.scores, found.classes, options.overlap)
        found = found.at(kept[:most])
    return found


def merged(parts: list[Found], most: int) -> Found:
    """Detections of several tiles as one: of those that lie in each other, the surest.

    An object that a tile cuts off is seen whole by its neighbor, and the part lies in the whole.
    """
    together = Found(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
    kept = suppressed(together.boxes, together.scores, together.classes, COVERED, coverings)
    return together.at(kept[:most])
