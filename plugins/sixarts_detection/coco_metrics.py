"""COCO's average precision, as pycocotools computes it (Lin et al. 2014)."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from sixarts.errors import InputError, MissingExtra
from sixarts.result import Metric, Metrics
from sixarts_detection.detections import Detections
from sixarts_detection.objects import Objects

#: Draws of the bootstrap, each of as many pictures as there are.
DRAWS = 200


def measured(results: Sequence[Detections], targets: Sequence[Objects]) -> Metrics:
    """Average precision at an overlap of one half, at three quarters, and over 0.5 to 0.95.

    Args:
        results: what was found in each picture, with no threshold.
        targets: what is in it.

    Returns:
        ``mAP50``, ``mAP75``, ``mAP50-95`` and ``AP50 LABEL`` of each class, with percentile intervals over
        pictures (bootstrap, seed 0).

    Raises:
        InputError: there is no object at all.
        MissingExtra: pycocotools is not installed.
    """
    labels = sorted({label for target in targets for label in target.labels})
    if not labels:
        raise InputError("no object in any of the pictures; expected at least one to judge by")
    judged = _evaluated(results, targets, labels)
    figures = _figures(judged, labels)
    random = np.random.default_rng(0)
    drawn = [_figures(_resampled(judged, random), labels) for _ in range(DRAWS)]
    values = {}
    for name, value in figures.items():
        low, high = np.nanpercentile([draw[name] for draw in drawn], [2.5, 97.5])
        values[name] = Metric(value, min(float(low), value), max(float(high), value))
    protocol = "COCO (pycocotools), at most 100 detections; interval: bootstrap over pictures"
    return Metrics(values, protocol, len(targets))


def _evaluated(results: Sequence[Detections], targets: Sequence[Objects], labels: Sequence[str]) -> Any:
    """pycocotools' evaluation, its pictures matched and not yet summed up."""
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError:
        raise MissingExtra("COCO's metrics need pycocotools; pip install 'sixarts[eval]'") from None
    numbers = {label: number for number, label in enumerate(labels, 1)}
    truth = []
    for image, target in enumerate(targets):
        for (left, top, right, bottom), label in zip(target.boxes.tolist(), target.labels, strict=True):
            box = [left, top, right - left, bottom - top]
            truth.append(
                {
                    "id": len(truth) + 1,
                    "image_id": image,
                    "category_id": numbers[label],
                    "bbox": box,
                    "area": box[2] * box[3],
                    "iscrowd": 0,
                }
            )
    # A class that no picture has cannot be judged, and costs nothing: so COCO has it.
    found = [
        entry
        for image, result in enumerate(results)
        for entry in result.only([*numbers]).to_coco(numbers, image)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        gold = COCO()
        gold.dataset = {
            "info": {},
            "images": [{"id": image} for image in range(len(targets))],
            "categories": [{"id": number, "name": label} for label, number in numbers.items()],
            "annotations": truth,
        }
        gold.createIndex()
        judged = COCOeval(gold, gold.loadRes(found) if found else _none(COCO, gold), "bbox")
        judged.params.areaRng, judged.params.areaRngLbl = judged.params.areaRng[:1], ["all"]
        judged.params.maxDets = [100]
        judged.evaluate()
        judged.accumulate()
    return judged


def _none(kind: Any, gold: Any) -> Any:
    """Results that hold no detection, which ``loadRes`` does not take."""
    empty = kind()
    empty.dataset = {**gold.dataset, "annotations": []}
    empty.createIndex()
    return empty


def _figures(judged: Any, labels: Sequence[str]) -> dict[str, float]:
    # [overlaps, recalls, classes, areas, limits], of which there is one area and one limit.
    precision = judged.eval["precision"][..., 0, 0]

    def mean(part: np.ndarray) -> float:
        known = part[part > -1]
        return float(known.mean()) if known.size else float("nan")

    found = {"mAP50": mean(precision[0]), "mAP75": mean(precision[5]), "mAP50-95": mean(precision)}
    return found | {f"AP50 {label}": mean(precision[0, :, place]) for place, label in enumerate(labels)}


def _resampled(judged: Any, random: np.random.Generator) -> Any:
    """The same evaluation with pictures drawn with repetition; matches are kept, and summed up anew."""
    from pycocotools.cocoeval import COCOeval

    images = judged.params.imgIds
    drawn = random.integers(0, len(images), len(images))
    other = COCOeval(iouType="bbox")
    other.params = judged.params
    other._paramsEval = judged._paramsEval
    # One entry for each class, area and picture, in this order.
    entries = np.array(judged.evalImgs, dtype=object).reshape(-1, len(images))
    other.evalImgs = list(entries[:, drawn].ravel())
    with contextlib.redirect_stdout(io.StringIO()):
        other.accumulate()
    return other
