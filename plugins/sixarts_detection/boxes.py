"""Geometry of boxes, in NumPy. A box is left, top, right, bottom unless something else is said."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def corners(boxes: np.ndarray) -> np.ndarray:
    """Center x, center y, width, height ``[..., 4]`` to left, top, right, bottom.

    >>> corners(np.array([0.5, 0.5, 1.0, 0.5])).tolist()
    [0.0, 0.25, 1.0, 0.75]
    """
    center, half = boxes[..., :2], boxes[..., 2:] / 2
    return np.concatenate([center - half, center + half], axis=-1)


def centers(boxes: np.ndarray) -> np.ndarray:
    """The inverse of :func:`corners`.

    >>> centers(np.array([0.0, 0.25, 1.0, 0.75])).tolist()
    [0.5, 0.5, 1.0, 0.5]
    """
    low, high = boxes[..., :2], boxes[..., 2:]
    return np.concatenate([(low + high) / 2, high - low], axis=-1)


def areas(boxes: np.ndarray) -> np.ndarray:
    """Area of each box; 0 where its ends are the wrong way round."""
    sides = np.maximum(boxes[..., 2:] - boxes[..., :2], 0)
    return np.asarray(sides[..., 0] * sides[..., 1])


def overlaps(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union of each box of ``a`` ``[n, 4]`` with each of ``b`` ``[m, 4]``: ``[n, m]``.

    >>> overlaps(np.array([[0, 0, 2, 2]]), np.array([[1, 0, 3, 2], [5, 5, 6, 6]])).round(3).tolist()
    [[0.333, 0.0]]
    """
    shared = _intersections(a, b)
    union = areas(a)[:, None] + areas(b)[None] - shared
    return np.asarray(shared / np.maximum(union, 1e-12))


def generalized_overlaps(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Generalized intersection over union (Rezatofighi et al. 2019), ``[n, m]``, from -1 to 1."""
    shared = _intersections(a, b)
    union = np.maximum(areas(a)[:, None] + areas(b)[None] - shared, 1e-12)
    low = np.minimum(a[:, None, :2], b[None, :, :2])
    high = np.maximum(a[:, None, 2:], b[None, :, 2:])
    hull = np.maximum(areas(np.concatenate([low, high], axis=-1)), 1e-12)
    return np.asarray(shared / union - (hull - union) / hull)


def _intersections(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Area that each box of ``a`` shares with each of ``b``, ``[n, m]``."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    return areas(np.concatenate([low, high], axis=-1))


def coverings(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """What each box of ``a`` shares with each of ``b``, of the smaller one's area: ``[n, m]``.

    >>> coverings(np.array([[0, 0, 4, 4]]), np.array([[0, 0, 2, 2], [3, 0, 5, 4]])).tolist()
    [[1.0, 0.5]]
    """
    smaller = np.minimum(areas(a)[:, None], areas(b)[None])
    return np.asarray(_intersections(a, b) / np.maximum(smaller, 1e-12))


def suppressed(
    boxes: np.ndarray,
    scores: np.ndarray,
    classes: np.ndarray,
    most: float,
    measure: Callable[[np.ndarray, np.ndarray], np.ndarray] = overlaps,
) -> np.ndarray:
    """Places that are left when, of boxes of a class that overlap, only the best is kept, best first.

    Args:
        boxes: ``[n, 4]``.
        scores: ``[n]``.
        classes: ``[n]``, a number for each class.
        most: what two boxes of a class may have in common.
        measure: of what they have in common; intersection over union by default.

    >>> boxes = np.array([[0, 0, 4, 4], [0, 0, 4, 3], [8, 8, 9, 9]])
    >>> suppressed(boxes, np.array([0.5, 0.9, 0.7]), np.zeros(3), 0.5).tolist()
    [1, 2]
    """
    order = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while order.size:
        best, rest = order[0], order[1:]
        kept.append(int(best))
        near = measure(boxes[best][None], boxes[rest])[0] > most
        order = rest[~(near & (classes[rest] == classes[best]))]
    return np.array(kept, "int64")
