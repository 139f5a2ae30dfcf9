"""What people say is in a picture: boxes and their classes, in any of the usual forms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from sixarts.errors import InputError
from sixarts.media.images import check_image
from sixarts_detection.detections import Detections


class Objects(NamedTuple):
    """The objects of a picture.

    Attributes:
        boxes: ``[n, 4]``: left, top, right, bottom, in pixels.
        labels: the class of each.
    """

    boxes: np.ndarray
    labels: tuple[str, ...]


def objects_of(target: Any) -> Objects:
    """Objects from a mapping with ``boxes`` and ``labels``, a pair of them, or :class:`Detections`.

    >>> objects_of({"boxes": [[0, 0, 2, 3]], "labels": ["cat"]}).boxes.tolist()
    [[0.0, 0.0, 2.0, 3.0]]

    Raises:
        InputError: anything else; boxes that are not finite or have no area; as many labels as boxes there
            are not.
    """
    if isinstance(target, Objects):
        return target
    if isinstance(target, Detections):
        return Objects(np.asarray(target.boxes, "float32"), target.labels)
    expected = 'expected {"boxes": [[left, top, right, bottom], …], "labels": ["name", …]}'
    if isinstance(target, Mapping) and {"boxes", "labels"} <= set(target):
        boxes, labels = target["boxes"], target["labels"]
    elif isinstance(target, tuple) and len(target) == 2:
        boxes, labels = target
    else:
        raise InputError(f"objects {repr(target)[:60]}; {expected}")
    try:
        numbers = np.asarray(boxes, "float32").reshape(-1, 4) if len(boxes) else np.zeros((0, 4), "float32")
    except (TypeError, ValueError):
        raise InputError(f"boxes {repr(boxes)[:60]}; {expected}") from None
    if len(labels) != len(numbers):
        raise InputError(f"{len(numbers)} boxes and {len(labels)} labels; expected a label for each box")
    for box in numbers:
        if not np.isfinite(box).all() or (box[2:] <= box[:2]).any():
            raise InputError(f"box {box.tolist()}; expected left, top, right, bottom, with an area")
    for label in labels:
        if not (isinstance(label, str) and label.strip()):
            raise InputError(f"label {label!r}; expected the name of a class")
    return Objects(numbers, tuple(labels))


def check_pair(example: Any) -> None:
    """Looks at a picture and what is said to be in it.

    Raises:
        InputError: one of the two will not do.
    """
    check_image(example[0])
    objects_of(example[1])
