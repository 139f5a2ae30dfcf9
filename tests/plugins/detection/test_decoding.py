"""Final detections, beside those of the published post-processing at every threshold; ours everywhere."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import detection_reference as reference
import numpy as np
import pytest

from sixarts_detection.decoding import decoded
from sixarts_detection.fcos import Fcos
from sixarts_detection.object_task import DetectionOptions
from sixarts_detection.views import View

SIZE = (90, 120)


@pytest.mark.parametrize(
    ("kind", "scoring", "most"),
    [("Detr", "softmax", None), ("Yolos", "softmax", None), ("RTDetr", "sigmoid", 30)],
)
@pytest.mark.parametrize("threshold", [0.0, 0.2, 0.5, 0.9])
def test_as_published(kind: str, scoring: str, most: int | None, threshold: float) -> None:
    import torch
    import transformers

    random = np.random.default_rng(3)
    logits = random.normal(0, 2, (1, 30, 5)).astype("float32")
    boxes = random.uniform(0.1, 0.6, (1, 30, 4)).astype("float32")
    processor = getattr(transformers, f"{kind}ImageProcessor")()
    answer = SimpleNamespace(logits=torch.from_numpy(logits), pred_boxes=torch.from_numpy(boxes))
    (wanted,) = processor.post_process_object_detection(answer, threshold, torch.tensor([SIZE]))
    order = wanted["scores"].argsort(descending=True).numpy()
    family = SimpleNamespace(scoring=scoring, overlapping=False, most=most)
    options = DetectionOptions(threshold=threshold)
    found = decoded(family, {"logits": logits, "boxes": boxes}, 0, View(None, SIZE), options)
    np.testing.assert_allclose(found.scores, wanted["scores"].numpy()[order], atol=1e-6)
    np.testing.assert_allclose(found.boxes, wanted["boxes"].numpy()[order], rtol=1e-5, atol=1e-4)
    assert found.classes.tolist() == wanted["labels"].numpy()[order].tolist()
    np.testing.assert_allclose(
        boxes[0, found.candidates, :2] * SIZE[::-1], (found.boxes[:, :2] + found.boxes[:, 2:]) / 2, rtol=1e-4
    )


def test_fcos_is_the_same_everywhere(tmp_path: Path, backends: dict[str, Any]) -> None:
    config = Fcos.configure(
        image_size=[64, 96], stem=4, widths=[4, 8, 8, 8], pyramid=8, id2label=reference.LABELS
    )
    processor = Fcos(config, None).processor_for(list(reference.LABELS.values()))
    model = Fcos(config, processor)
    random = np.random.default_rng(0)
    for variable in model.variables:
        value = random.normal(0, 0.3, variable.shape)
        variable.assign(np.abs(value) + 0.5 if "variance" in variable.path else value)
    model.save(tmp_path / "model")
    pictures = [
        random.integers(0, 255, (*size, 3), dtype=np.uint8) for size in ((30, 40), (64, 96), (200, 100))
    ]
    arrays = processor.arrays(pictures)
    assert arrays["extent"].tolist() == [[64, 85], [64, 96], [64, 32]]
    found = reference.everywhere(backends, "answers", tmp_path / "model", "fcos", arrays)
    wanted = model(arrays)
    places = 8 * 12 + 4 * 6 + 2 * 3
    assert wanted["logits"].shape == (3, places, 3) and wanted["boxes"].shape == (3, places, 4)
    for backend, got in found.items():
        for name, value in wanted.items():
            np.testing.assert_allclose(got[name], value, rtol=1e-4, atol=1e-4, err_msg=backend)
    alone = model(processor.arrays(pictures[:1]))
    np.testing.assert_allclose(alone["boxes"][0], wanted["boxes"][0], rtol=1e-5, atol=1e-5)
    reference.saved_again(tmp_path / "model", "fcos", tmp_path / "again")
