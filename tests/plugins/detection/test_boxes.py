"""Boxes, what is assigned to them, and what is left of many."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sixarts_detection.assignment import aligned, matched
from sixarts_detection.boxes import centers, corners, generalized_overlaps, overlaps, suppressed
from sixarts_detection.decoding import Found, merged
from sixarts_detection.views import starts

BOX = st.tuples(*[st.integers(0, 12)] * 2, *[st.integers(1, 12)] * 2).map(
    lambda box: [box[0], box[1], box[0] + box[2], box[1] + box[3]]
)


def counted(a: list[int], b: list[int]) -> float:
    """Overlap of two boxes of whole pixels, by counting pixels."""
    grids = [np.zeros((25, 25), bool) for _ in range(2)]
    for grid, (left, top, right, bottom) in zip(grids, (a, b), strict=True):
        grid[top:bottom, left:right] = True
    return float((grids[0] & grids[1]).sum() / (grids[0] | grids[1]).sum())


@pytest.mark.quick
@given(BOX, BOX)
def test_overlap_is_a_share_of_pixels(a: list[int], b: list[int]) -> None:
    found = overlaps(np.array([a], float), np.array([b], float))[0, 0]
    assert found == pytest.approx(counted(a, b))
    generalized = generalized_overlaps(np.array([a], float), np.array([b], float))[0, 0]
    assert -1 <= generalized <= found + 1e-9
    np.testing.assert_allclose(corners(centers(np.array(a, float))), a)


@pytest.mark.quick
@given(st.lists(st.tuples(BOX, st.integers(0, 1)), min_size=1, max_size=12), st.floats(0.1, 0.9))
def test_suppression_keeps_what_nothing_better_covers(
    found: list[tuple[list[int], int]], most: float
) -> None:
    boxes, classes = np.array([box for box, _ in found], float), np.array([kind for _, kind in found])
    scores = np.linspace(0.9, 0.1, len(found))
    kept = suppressed(boxes, scores, classes, most)
    wanted: list[int] = []
    for place in range(len(found)):
        rivals = [other for other in wanted if classes[other] == classes[place]]
        if all(counted(boxes[place].astype(int), boxes[other].astype(int)) <= most for other in rivals):
            wanted.append(place)
    assert kept.tolist() == wanted


def test_matching_costs_least() -> None:
    gold = np.array([[0.2, 0.2, 0.1, 0.1], [0.7, 0.7, 0.2, 0.2]])
    boxes = np.array([[0.7, 0.7, 0.2, 0.2], [0.5, 0.5, 0.1, 0.1], [0.2, 0.2, 0.1, 0.1]])
    found = matched(np.full((3, 2), 0.5), boxes, gold, np.array([0, 1]))
    assert found.objects.tolist() == [1, -1, 0]
    assert found.quality.tolist() == pytest.approx([1, 0, 1])
    none = matched(np.full((3, 2), 0.5), boxes, np.zeros((0, 4)), np.zeros(0, int))
    assert none.objects.tolist() == [-1, -1, -1]


def test_places_in_an_object_learn_it() -> None:
    places = np.array([[0.1, 0.1], [0.3, 0.3], [0.6, 0.6], [0.9, 0.9]])
    boxes = np.array([[0.3, 0.3, 0.4, 0.4], [0.3, 0.3, 0.5, 0.5], [0.6, 0.6, 0.1, 0.1], [0.9, 0.9, 0.1, 0.1]])
    gold = np.array([[0.3, 0.3, 0.5, 0.5], [0.62, 0.62, 0.02, 0.02]])
    found = aligned(np.full((4, 1), 0.2), boxes, places, gold, np.array([0, 0]))
    # The first two stand in the first object; the second lies between places, and has the nearest.
    assert found.objects.tolist() == [0, 0, 1, -1]
    assert found.quality[1] == pytest.approx(1.0)
    assert 0 < found.quality[0] < found.quality[1]
    assert found.quality[3] == 0


@pytest.mark.quick
@given(st.integers(1, 500), st.integers(32, 128))
def test_tiles_cover_all(length: int, side: int) -> None:
    found = starts(length, side)
    assert found[0] == 0
    assert length <= side or found[-1] + side == length
    gaps = np.diff(found)
    assert (gaps <= side * 0.75 + 1).all()


def test_a_part_in_another_tile_is_no_second_object() -> None:
    whole = Found(np.array([[10.0, 10, 50, 50]]), np.array([0]), np.array([0.8]), np.array([3]))
    part = Found(
        np.array([[10.0, 10, 30, 50], [10, 10, 30, 50]]),
        np.array([0, 1]),
        np.array([0.6, 0.5]),
        np.array([1, 2]),
    )
    found = merged([part, whole], 10)
    assert found.candidates.tolist() == [3, 2]
    assert len(merged([part, whole], 1).scores) == 1
