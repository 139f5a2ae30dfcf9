"""The answer: filtered, cut out, drawn, and in other programs' forms; and COCO's own numbers."""

from __future__ import annotations

import contextlib
import io
import json
from typing import Any

import numpy as np
import pytest

from sixarts.errors import InputError, OptionError
from sixarts_detection.coco_metrics import measured
from sixarts_detection.detections import Detections, VideoDetections
from sixarts_detection.objects import Objects, objects_of


@pytest.fixture
def found() -> Detections:
    picture = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    boxes = np.array([[10.0, 5, 30, 25], [-4, 40, 20, 70], [50, 10, 60, 20]])
    return Detections(
        boxes, ("cell", "cell", "plate"), np.array([0.9, 0.6, 0.4]), (60, 80), "", None, picture
    )


def test_filters(found: Detections) -> None:
    assert found.only("cell").labels == ("cell", "cell")
    assert found.only(["plate", "none"]).scores.tolist() == [0.4]
    assert len(found.only(score=0.6)) == 2
    assert found.only(area=(150, 500)).boxes.tolist() == [[10, 5, 30, 25]]
    assert found.only("cell").counts == {"cell": 2}
    assert str(found) == "2 cell, 1 plate"
    assert str(found.only("none")) == "nothing" and bool(found.only("none"))


def test_crops_stay_in_the_picture(found: Detections) -> None:
    first, second, third = found.crop()
    assert first.shape == (20, 20, 3) and second.shape == (20, 20, 3) and third.shape == (10, 10, 3)
    assert (first == found.image[5:25, 10:30]).all()
    assert found.crop(around=0.5)[2].shape == (20, 20, 3)
    with pytest.raises(InputError, match="hold no picture"):
        Detections(found.boxes, found.labels, found.scores, found.size).crop()


def test_yolo_says_the_same(found: Detections) -> None:
    for line, box in zip(found.to_yolo().splitlines(), found.boxes, strict=True):
        _, x, y, width, height, _ = (float(word) for word in line.split())
        back = [(x - width / 2) * 80, (y - height / 2) * 60, (x + width / 2) * 80, (y + height / 2) * 60]
        np.testing.assert_allclose(back, box, atol=1e-3)
    with pytest.raises(OptionError, match="categories lacks 'plate'"):
        found.to_yolo({"cell": 3})
    assert [entry["category_id"] for entry in found.to_coco({"cell": 7, "plate": 2})] == [7, 7, 2]


def test_pictures_are_drawn(found: Detections) -> None:
    changed = (found.drawn() != found.image).any(axis=-1)
    assert changed[5, 10:30].all() and not changed[50:, 70:].any()
    assert found.plot().axes and found.only("none").plot().axes
    json.dumps(found.to_dict())
    video = VideoDetections((found, found.only("plate")), (0.0, 0.5))
    assert str(video) == "up to 2 cell, up to 1 plate in 2 frames"
    assert video.plot().axes and json.dumps(video.to_dict())


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("cat", "expected"),
        ({"boxes": [[0, 0, 1]], "labels": ["a"]}, "boxes"),
        ({"boxes": [[0, 0, 1, 1]], "labels": []}, "1 boxes and 0 labels"),
        ({"boxes": [[3, 0, 1, 1]], "labels": ["a"]}, "with an area"),
        ({"boxes": [[0, 0, 1, float("nan")]], "labels": ["a"]}, "with an area"),
        ({"boxes": [[0, 0, 1, 1]], "labels": [""]}, "name of a class"),
    ],
)
def test_bad_objects_are_named(target: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        objects_of(target)


def random_case(seed: int) -> tuple[list[Detections], list[Objects]]:
    """Objects, and detections that hit some of them."""
    random = np.random.default_rng(seed)
    results, targets = [], []
    for _ in range(12):
        count = int(random.integers(0, 6))
        low = random.uniform(0, 60, (count, 2))
        gold = np.concatenate([low, low + random.uniform(5, 40, (count, 2))], axis=1)
        kinds = random.choice(["a", "b", "c"], count)
        targets.append(Objects(gold.astype("float32"), tuple(map(str, kinds))))
        near = gold + random.normal(0, 3, gold.shape)
        far = random.uniform(0, 50, (2, 4))
        far[:, 2:] += far[:, :2] + 1
        boxes = np.concatenate([near, far])
        labels = (*map(str, kinds), "a", "z")
        results.append(Detections(boxes, labels, random.uniform(0, 1, len(boxes)), (100, 100)))
    return results, targets


@pytest.mark.parametrize("seed", range(3))
def test_figures_are_pycocotools_own(seed: int) -> None:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    results, targets = random_case(seed)
    numbers = {"a": 1, "b": 2, "c": 3}
    annotations: list[dict[str, Any]] = []
    for image, target in enumerate(targets):
        for box, label in zip(target.boxes.tolist(), target.labels, strict=True):
            wide, tall = box[2] - box[0], box[3] - box[1]
            entry = {"image_id": image, "category_id": numbers[label], "bbox": [*box[:2], wide, tall]}
            annotations.append({"id": len(annotations) + 1, "area": wide * tall, "iscrowd": 0, **entry})
    with contextlib.redirect_stdout(io.StringIO()):
        gold = COCO()
        gold.dataset = {
            "images": [{"id": image} for image in range(len(targets))],
            "categories": [{"id": number, "name": name} for name, number in numbers.items()],
            "annotations": annotations,
            "info": {},
        }
        gold.createIndex()
        told = [
            entry
            for image, result in enumerate(results)
            for entry in result.to_coco(numbers | {"z": 9}, image)
            if entry["category_id"] != 9
        ]
        judge = COCOeval(gold, gold.loadRes(told), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    ours = measured(results, targets)
    assert ours["mAP50-95"].value == pytest.approx(judge.stats[0], abs=1e-12)
    assert ours["mAP50"].value == pytest.approx(judge.stats[1], abs=1e-12)
    assert ours["mAP75"].value == pytest.approx(judge.stats[2], abs=1e-12)
    assert ours["mAP50"].low < ours["mAP50"].value < ours["mAP50"].high
    assert ours.count == 12


def test_nothing_found_is_zero() -> None:
    _, targets = random_case(0)
    empty = Detections(np.zeros((0, 4)), (), np.zeros(0), (9, 9))
    assert measured([empty] * len(targets), targets)["mAP50"].value == 0
    with pytest.raises(InputError, match="no object"):
        measured([empty], [Objects(np.zeros((0, 4)), ())])
