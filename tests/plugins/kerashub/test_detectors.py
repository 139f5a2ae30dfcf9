"""KerasHub's D-FINE presets: the same candidates, on the whole picture."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import preset_reference as reference
import pytest

import sixarts as sa
from sixarts.errors import CheckpointError, OptionError
from sixarts.plugins import registry
from sixarts_kerashub.table import OBJECT_DETECTOR

pytest.importorskip("keras_hub", reason="KerasHub is not installed; pip install 'sixarts[kerashub]'")


@pytest.fixture(scope="module")
def preset(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A preset whose converter crops, and KerasHub's own task."""
    folder = tmp_path_factory.mktemp("detector") / "preset"
    return folder, reference.saved_detector(folder)


def same(found: Mapping[str, np.ndarray], task: Any, where: str = "here") -> None:
    """Holds ours against KerasHub's own within 1e-4; its boxes are shares of what is cropped."""
    import keras

    images = reference.pictures()
    prepared = task.preprocessor(images)
    wanted = {name: np.asarray(keras.ops.convert_to_numpy(x)) for name, x in task(prepared).items()}
    np.testing.assert_allclose(found["logits"], wanted["logits"], rtol=1e-4, atol=1e-4, err_msg=where)
    # Of a picture of 40 × 56 the middle 40 columns are seen.
    scale, start = np.array([40 / 56, 1, 40 / 56, 1]), np.array([8 / 56, 0, 0, 0])
    np.testing.assert_allclose(found["boxes"], wanted["pred_boxes"] * scale + start, rtol=1e-4, atol=1e-4)
    assert np.ptp(wanted["logits"]) > 0.1 and np.ptp(wanted["pred_boxes"]) > 0.1


def test_candidates_are_keras_hubs(preset: tuple[Path, Any], tmp_path: Path) -> None:
    """And, saved in our layout and loaded again, the same to the last bit."""
    found = reference.detections(preset[0], reference.pictures())
    same(found, preset[1])
    model = reference.detector(preset[0])
    assert model.hidden_constants() == []
    model.save(tmp_path)
    again = reference.detections(tmp_path, reference.pictures())
    assert all(np.array_equal(again[name], found[name]) for name in ("logits", "boxes"))


def test_other_backends_find_the_same(preset: tuple[Path, Any], backends: Mapping[str, Any]) -> None:
    ask = ("preset_reference:detections", preset[0], reference.pictures())
    with ThreadPoolExecutor() as pool:
        asked = {name: pool.submit(worker.call, *ask) for name, worker in backends.items()}
        for name, waiting in asked.items():
            same(waiting.result(), preset[1], name)


def test_a_detector_answers_with_boxes_in_the_picture(preset: tuple[Path, Any]) -> None:
    if not any(OBJECT_DETECTOR.signature in spec.signatures for spec in registry().tasks()):
        pytest.skip("no installed plugin has a task for detectors")
    task = sa.load("object-detection", preset[0], device="cpu")
    found = task(reference.pictures(1)[0], threshold=0.0, most=5)
    assert len(found.labels) == 5 and set(found.labels) <= {"LABEL_0", "LABEL_1", "LABEL_2"}
    with pytest.raises(OptionError, match="none can be exchanged"):
        task.model.with_labels(["cell"])
    with pytest.raises(OptionError, match="freeze"):
        task.model.freeze(True)


def test_classes_of_coco(tmp_path: Path) -> None:
    reference.saved_detector(tmp_path, classes=80, crop_to_aspect_ratio=False)
    (tmp_path / "README.md").write_text("`hf://keras/dfine_nano_coco`")
    labels = reference.detector(tmp_path).processor.labels
    assert (labels[0], labels[79], len(set(labels))) == ("person", "toothbrush", 80)


@pytest.mark.parametrize(
    ("file", "changes", "told"),
    [
        ("config.json", {"num_labels": 4}, "new network with random weights"),
        ("task.json", {"num_classes": 4}, "new network with random weights"),
        ("config.json", {"backbone": None}, "backbone of config"),
        ("config.json", {"num_queries": "many"}, "makes no"),
        ("config.json", {"backbone": {"registered_name": "os>system", "config": {}}}, "os>system"),
        ("config.json", {"backbone": {"registered_name": "keras_hub>ViTBackbone", "config": {}}}, "HGNetV2"),
    ],
)
def test_a_setting_that_will_not_do_is_named(
    file: str, changes: dict[str, Any], told: str, preset: tuple[Path, Any], tmp_path: Path
) -> None:
    from sixarts_kerashub.object_detector import ObjectDetector

    folder = Path(shutil.copytree(preset[0], tmp_path / "copy"))
    said = json.loads((folder / file).read_text())
    (folder / file).write_text(json.dumps(said | {"config": said["config"] | changes}))
    with pytest.raises(CheckpointError, match=told):
        ObjectDetector.from_folder(folder)
