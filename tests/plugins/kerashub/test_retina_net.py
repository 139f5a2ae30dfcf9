"""KerasHub's RetinaNet presets: the same scores and boxes, on the whole picture."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import preset_reference as reference
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sixarts as sa
from hostile import mutated_json
from sixarts.errors import CheckpointError, OptionError, SixartsError
from sixarts.plugins import registry
from sixarts.readers.json_file import json_object
from sixarts_kerashub.table import RETINA_NET

keras_hub = pytest.importorskip(
    "keras_hub", reason="KerasHub is not installed; pip install 'sixarts[kerashub]'"
)

#: Anchors unlike those that KerasHub chooses by itself.
ANCHORS = {"num_scales": 2, "aspect_ratios": [0.4, 1.0, 3.0], "anchor_size": 3.5}


@pytest.fixture(scope="module")
def preset(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A preset with norms in its heads, and KerasHub's own task."""
    folder = tmp_path_factory.mktemp("retina_net") / "preset"
    anchors = keras_hub.layers.AnchorGenerator("yxyx", 3, 7, **ANCHORS)
    task = reference.saved_retina_net(
        folder,
        bounding_box_format="xywh",
        anchor_generator=anchors,
        use_prediction_head_norm=True,
        prediction_decoder=keras_hub.layers.NonMaxSuppression("xywh", True, confidence_threshold=0.3),
    )
    return folder, task


def array(x: Any) -> np.ndarray:
    import keras

    return np.asarray(keras.ops.convert_to_numpy(x))


def shown(height: int, width: int) -> np.ndarray:
    """Where left, top, width and height of the canvas are, as shares of a picture that is not as wide."""
    tall, wide = reference.CANVAS
    around = (int(height * wide / tall) - width) // 2
    return np.array([-around / width, 0, (width + 2 * around) / width, 1])


def same(found: Mapping[str, np.ndarray], task: Any, where: str = "here") -> None:
    """Holds ours against KerasHub's own within 1e-4, before anything is suppressed."""
    import keras

    images, (height, width) = reference.pictures(), reference.CANVAS
    # In float32, since KerasHub pads no uint8 on TensorFlow; then it does not round.
    prepared = array(task.preprocessor(images.astype("float32")))
    off = np.abs(found["pixel_values"] - prepared) / reference.CONVERTER["scale"]
    assert off.max() <= 0.501, where
    raw = task(found["pixel_values"])
    boxes = keras.utils.bounding_boxes.decode_deltas_to_boxes(
        anchors=keras.ops.concatenate(list(task.anchor_generator(prepared).values())),
        boxes_delta=raw["bbox_regression"],
        encoded_format="center_xywh",
        anchor_format=task.anchor_generator.bounding_box_format,
        box_format="center_xywh",
        image_shape=(height, width, 3),
    )
    wanted, window = array(boxes) / [width, height, width, height], shown(*images.shape[1:3])
    wanted = wanted * np.tile(window[2:], 2) + [*window[:2], 0, 0]
    np.testing.assert_allclose(found["logits"], array(raw["cls_logits"]), rtol=1e-4, atol=1e-4, err_msg=where)
    np.testing.assert_allclose(found["boxes"], wanted, rtol=1e-4, atol=1e-4, err_msg=where)
    assert np.ptp(found["logits"]) > 0.1 and np.ptp(array(raw["bbox_regression"])) > 0.1


def test_candidates_are_keras_hubs(preset: tuple[Path, Any], tmp_path: Path) -> None:
    """And, saved in our layout and loaded again, the same to the last bit."""
    found = reference.detections(preset[0], reference.pictures())
    same(found, preset[1])
    model = reference.detector(preset[0])
    assert model.hidden_constants() == [] and model.config["threshold"] == 0.3
    model.save(tmp_path)
    again = reference.detections(tmp_path, reference.pictures())
    assert all(np.array_equal(again[name], found[name]) for name in ("logits", "boxes"))
    assert reference.detector(tmp_path).config == model.config


def test_other_backends_find_the_same(preset: tuple[Path, Any], backends: Mapping[str, Any]) -> None:
    ask = ("preset_reference:detections", preset[0], reference.pictures())
    with ThreadPoolExecutor() as pool:
        asked = {name: pool.submit(worker.call, *ask) for name, worker in backends.items()}
        for name, waiting in asked.items():
            same(waiting.result(), preset[1], name)


def test_anchors_are_keras_hubs() -> None:
    from sixarts_kerashub.anchors import anchors

    kinds = ({"num_scales": 3, "aspect_ratios": [0.5, 1.0, 2.0], "anchor_size": 4.0}, ANCHORS)
    for size, kind in itertools.product(((64, 96), (97, 33), (8, 200)), kinds):
        levels = {"min_level": 3, "max_level": 6}
        made = keras_hub.layers.AnchorGenerator("center_xywh", **levels, **kind)(
            np.zeros((*size, 3), "float32")
        )
        wanted = np.concatenate([array(level) for level in made.values()])
        np.testing.assert_array_equal(anchors({**levels, **kind}, size), wanted)


def test_detections_are_keras_hubs(tmp_path: Path) -> None:
    """Where there is one class, and both suppress by the same numbers."""
    if not any(RETINA_NET.signature in spec.signatures for spec in registry().tasks()):
        pytest.skip("no installed plugin has a task for detectors")
    decoder = keras_hub.layers.NonMaxSuppression("xyxy", True, 0.4, 0.6, 1161)
    theirs = reference.saved_retina_net(tmp_path, 1, bounding_box_format="xyxy", prediction_decoder=decoder)
    task, image = sa.load("object-detection", tmp_path, device="cpu"), reference.pictures(1)[0]
    assert task.model.family == RETINA_NET.family
    found = task(image, overlap=0.4, most=1161)
    pixels = task.model.processor.arrays([image])["pixel_values"]
    wanted = theirs.decode_predictions(theirs(pixels), pixels)
    count, window = int(array(wanted["num_detections"])[0]), shown(40, 56)
    # What lies wholly left of the canvas and above it stands for nothing there.
    kept = (found.boxes > [window[0] * 56, 0, window[0] * 56, 0]).any(axis=1)
    assert kept.sum() == count > 100
    sure = array(wanted["confidence"])[0, :count]
    np.testing.assert_allclose(found.scores[kept], sure, rtol=1e-4, atol=1e-4)
    boxes = array(wanted["boxes"])[0, :count] / np.tile(reference.CANVAS[::-1], 2)
    boxes = (boxes * np.tile(window[2:], 2) + np.tile(window[:2], 2)) * [56, 40, 56, 40]
    np.testing.assert_allclose(found.boxes[kept], boxes, rtol=1e-4, atol=1e-2)
    for ask in (
        lambda: task.fit([(image, {"boxes": [[1, 1, 9, 9]], "labels": ["LABEL_0"]})], progress=False),
        lambda: task.model.with_labels(["cell"]),
        lambda: task.model.freeze(True),
    ):
        with pytest.raises(OptionError, match="does not learn here"):
            ask()


# What will not do.


@pytest.fixture
def copy(preset: tuple[Path, Any], tmp_path: Path) -> Path:
    """A preset to damage."""
    return Path(shutil.copytree(preset[0], tmp_path / "copy"))


def change(file: Path, changes: Mapping[str, Any]) -> None:
    """Puts values into the ``config`` of a JSON file; of objects in it, into theirs."""
    said = json.loads(file.read_text())
    for name, value in changes.items():
        part = said["config"].get(name)
        if isinstance(part, dict) and isinstance(value, dict) and "registered_name" not in value:
            part["config"] |= value
        else:
            said["config"][name] = value
    file.write_text(json.dumps(said))


def test_classes_of_coco(copy: Path) -> None:
    from sixarts_kerashub.retina_net import RetinaNet

    change(copy / "task.json", {"num_classes": 91})
    (copy / "README.md").write_text("`hf://keras/retinanet_resnet50_fpn_coco`")
    named = RetinaNet.read_config(copy)["id2label"]
    assert (len(named), named["1"], named["90"]) == (91, "person", "toothbrush")


@pytest.mark.parametrize("lost", ["prediction_head_1/prediction_layer", "prediction_head/group_norm_layers"])
def test_a_head_that_the_file_lacks_is_named(lost: str, copy: Path) -> None:
    import h5py

    with h5py.File(copy / "task.weights.h5", "r+") as weights:
        del weights[f"layers/{lost}"]
    with pytest.raises(CheckpointError, match=f"missing .*'head/layers/{lost}"):
        reference.detector(copy)


@pytest.mark.parametrize(
    ("file", "changes", "told"),
    [
        ("config.json", {"image_encoder": None}, "image_encoder of config"),
        ("config.json", {"image_encoder": {"registered_name": "os>system", "config": {}}}, "os>system"),
        (
            "config.json",
            {"image_encoder": {"registered_name": "keras_hub>ViTBackbone", "config": {}}},
            "ResNet",
        ),
        ("config.json", {"max_level": 6}, "check that both are of one preset"),
        ("config.json", {"max_level": 2**20}, "from 2 to 9"),
        ("config.json", {"use_p5": {"registered_name": "os>system"}}, "plain values"),
        ("task.json", {"anchor_generator": None}, "anchor_generator of task"),
        ("task.json", {"anchor_generator": {"aspect_ratios": [0.0]}}, "aspect_ratios"),
        ("task.json", {"anchor_generator": {"num_scales": 10**6}}, "num_scales"),
        ("task.json", {"anchor_generator": {"registered_name": "os>system", "config": {}}}, "os>system"),
        ("task.json", {"bounding_box_format": "rel_xyxy"}, "rel_xyxy"),
        ("task.json", {"prediction_decoder": {"from_logits": False}}, "gives logits"),
        ("task.json", {"prediction_decoder": {"confidence_threshold": 2}}, "threshold"),
    ],
)
def test_a_setting_that_will_not_do_is_named(
    file: str, changes: dict[str, Any], told: str, copy: Path
) -> None:
    change(copy / file, changes)
    with pytest.raises(CheckpointError, match=told):
        reference.detector(copy)


def test_a_size_with_too_many_anchors_is_told(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sixarts_kerashub.retina_net.ANCHORS", 6 * 64 * 96 - 1)
    with pytest.raises(CheckpointError, match="6 anchors in each cell"):
        reference.detector(copy)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_json_is_a_configuration_or_an_error(preset: tuple[Path, Any], data: Any) -> None:
    from sixarts_kerashub.retina_net import RetinaNet

    base = json.loads((preset[0] / "config.json").read_text())
    base["head"] = json.loads((preset[0] / "task.json").read_text())
    try:
        RetinaNet.configure(**json_object(data.draw(mutated_json(base)), "config.json"))
    except SixartsError as error:
        assert len(str(error)) < 5000


def test_a_size_that_has_other_anchors_is_told(copy: Path) -> None:
    """The levels of such a picture do not lie on each other; KerasHub fails, too."""
    for file in ("task.json", "preprocessor.json", "image_converter.json"):
        said = (copy / file).read_text()
        (copy / file).write_text(said.replace("64,\n", "72,\n").replace("[64, 96]", "[72, 96]"))
    with pytest.raises(CheckpointError, match="a multiple of 32"):
        reference.detector(copy)
