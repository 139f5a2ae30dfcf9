"""Which candidate learns which object. NumPy and SciPy, on what the network says now.

Sources: Feng et al. 2021 (TOOD, task-aligned assignment), Carion et al. 2020 (DETR, matching one to one).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from sixarts_detection.boxes import corners, generalized_overlaps, overlaps

#: Candidates that learn one object.
SEVERAL = 10
#: Powers of score and overlap in the alignment.
ALPHA, BETA = 0.5, 6.0
#: Weights of score, distance and overlap in the cost of a match.
COST = (2.0, 5.0, 2.0)


class Assigned(NamedTuple):
    """What the candidates of one picture learn.

    Attributes:
        objects: ``[n]``, number of the object that each learns, or -1.
        quality: ``[n]``, how well it should say that it knows it, from 0 to 1; 0 where it learns none.
    """

    objects: np.ndarray
    quality: np.ndarray


def aligned(
    scores: np.ndarray, boxes: np.ndarray, places: np.ndarray, gold: np.ndarray, classes: np.ndarray
) -> Assigned:
    """The candidates in each object that classify and locate it best, together.

    Args:
        scores: ``[n, classes]``, probabilities.
        boxes: ``[n, 4]``, center x, center y, width, height.
        places: ``[n, 2]``, x and y where each candidate stands.
        gold: ``[m, 4]``, the objects' boxes, as ``boxes``.
        classes: ``[m]``, their classes.
    """
    count = len(boxes)
    if not len(gold):
        return Assigned(np.full(count, -1), np.zeros(count, "float32"))
    truth = corners(gold)
    shared = overlaps(corners(boxes), truth)
    away = np.minimum(places[:, None] - truth[None, :, :2], truth[None, :, 2:] - places[:, None])
    inside = away.min(axis=-1) > 0
    # An object between the places is learned by the nearest one.
    distance = np.abs(places[:, None] - gold[None, :, :2]).sum(axis=-1)
    inside[distance.argmin(axis=0), np.arange(len(gold))] = True
    alignment = scores[:, classes] ** ALPHA * shared**BETA * inside
    several = min(SEVERAL, count)
    best = np.argpartition(-alignment, several - 1, axis=0)[:several]
    chosen = np.zeros_like(inside)
    np.put_along_axis(chosen, best, True, axis=0)
    chosen &= inside
    # A candidate that several objects want takes the one that it covers best.
    objects = np.where(chosen.any(axis=1), np.where(chosen, shared + 1e-9, 0.0).argmax(axis=1), -1)
    learns = objects[:, None] == np.arange(len(gold))
    strongest = np.where(learns, alignment, 0.0).max(axis=0)
    closest = np.where(learns, shared, 0.0).max(axis=0)
    quality = np.where(learns, alignment * closest / np.maximum(strongest, 1e-12), 0.0).max(axis=1)
    return Assigned(objects, quality.astype("float32"))


def matched(scores: np.ndarray, boxes: np.ndarray, gold: np.ndarray, classes: np.ndarray) -> Assigned:
    """One candidate for each object, so that the whole costs least (Kuhn 1955).

    Args:
        as :func:`aligned` has them.

    Returns:
        The overlaps are the qualities.
    """
    count = len(boxes)
    objects, quality = np.full(count, -1), np.zeros(count, "float32")
    if len(gold):
        distance = np.abs(boxes[:, None] - gold[None]).sum(axis=-1)
        shape = generalized_overlaps(corners(boxes), corners(gold))
        cost = -COST[0] * scores[:, classes] + COST[1] * distance - COST[2] * shape
        rows, columns = linear_sum_assignment(np.nan_to_num(cost, nan=1e6, posinf=1e6, neginf=-1e6))
        objects[rows] = columns
        quality[rows] = overlaps(corners(boxes), corners(gold))[rows, columns]
    return Assigned(objects, quality)
