"""What a preset does to a picture, held against KerasHub's own converter."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sixarts.device import backend
from sixarts.errors import CheckpointError
from sixarts_kerashub.image_processor import ConverterProcessor
from sixarts_kerashub.resizing import INTERPOLATIONS, cropped, padded, resized

keras_hub = pytest.importorskip(
    "keras_hub", reason="KerasHub is not installed; pip install 'sixarts[kerashub]'"
)

#: Height and width of pictures: larger and smaller than what comes out, wide, high, square.
SIZES = ((40, 56), (57, 31), (8, 9), (24, 24), (100, 24))


def picture(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height).integers(0, 256, (height, width, 3)).astype("uint8")


def published(settings: dict[str, Any], image: np.ndarray) -> np.ndarray:
    """What KerasHub makes of a picture, its steps in float32."""
    import keras

    return np.asarray(keras.ops.convert_to_numpy(keras_hub.layers.ViTImageConverter(**settings)(image)))


def ours(settings: dict[str, Any], image: np.ndarray) -> np.ndarray:
    return ConverterProcessor("ViTImageConverter", settings, ("a",)).arrays([image])["pixel_values"][0]


@pytest.mark.parametrize("shape", ["crop_to_aspect_ratio", "pad_to_aspect_ratio", "neither"])
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_pictures_are_resized_as_by_keras_hub(interpolation: str, shape: str) -> None:
    if backend() == "torch" and interpolation not in ("nearest", "bilinear"):
        pytest.skip("PyTorch has no lanczos, and another filter by the name of bicubic")
    if backend() == "tensorflow" and shape == "pad_to_aspect_ratio":
        pytest.skip("KerasHub pads no uint8 on TensorFlow")
    aspect = {"crop_to_aspect_ratio": False, "pad_to_aspect_ratio": False} | (
        {} if shape == "neither" else {shape: True}
    )
    for (height, width), antialias in itertools.product(SIZES, (False, True)):
        if interpolation == "nearest" and antialias:
            continue
        settings = {"image_size": (24, 20), "interpolation": interpolation, "antialias": antialias, **aspect}
        image = picture(height, width)
        off = np.abs(ours(settings, image) - published(settings, image).astype("float32"))
        # A sum that is a half ends on either side of it; in pictures this small many are.
        assert off.max() <= 1 and (off > 0).mean() < 0.06, (height, width, antialias)


@pytest.mark.parametrize(
    "settings",
    [
        {"scale": 1 / 255},
        {"scale": [0.01, 0.02, 0.03], "offset": [-1.0, 0.5, 2.0]},
        {"scale": 1 / 127.5, "offset": -1},
    ],
)
def test_values_are_scaled_as_by_keras_hub(settings: dict[str, Any]) -> None:
    settings, image = {"image_size": (24, 20), **settings}, picture(24, 20)
    np.testing.assert_allclose(ours(settings, image), published(settings, image), rtol=1e-6, atol=1e-5)


def test_settings_of_the_first_versions() -> None:
    old: dict[str, Any] = {"height": 24, "width": 20, "scale": 1 / 255}
    old |= {"mean": [0.4, 0.5, 0.6], "variance": [0.04, 0.05, 0.06]}
    image = picture(24, 20)
    np.testing.assert_allclose(ours(old, image), published(old, image), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, "image_size"),
        ({"image_size": [24]}, "height and width"),
        ({"image_size": [24, 10**6]}, "up to"),
        ({"image_size": [24, 24], "interpolation": "area"}, "interpolation"),
        ({"image_size": [24, 24], "scale": "a"}, "scale"),
        ({"image_size": [24, 24], "scale": [1.0, 2.0]}, "or three"),
        ({"image_size": [24, 24], "pad_to_aspect_ratio": True}, "one of the two"),
        ({"image_size": [24, 24], "mean": [0, 0, 0], "variance": [1, 0, 1]}, "no zero"),
        ({"image_size": [24, 24], "mean": [0, 0, 0], "variance": [1, -1, 1]}, "variance"),
    ],
)
def test_a_setting_that_cannot_be_followed_is_named(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(CheckpointError, match=told):
        ConverterProcessor("ViTImageConverter", settings, ("a",))


def test_a_picture_that_is_a_thread_costs_no_more_than_its_pixels() -> None:
    thread = np.zeros((400_000, 1, 3), "uint8")
    for windows in (cropped, padded):
        there = windows(thread.shape[:2], (512, 512))
        assert resized(thread, there, (512, 512), "bilinear", False).shape == (512, 512, 3)


def test_the_converter_is_found_where_keras_hub_takes_it_from(tmp_path: Path) -> None:
    config = {"num_labels": 1}
    with pytest.raises(CheckpointError, match="says nowhere"):
        ConverterProcessor.from_folder(tmp_path, config)

    def converter(side: int) -> dict[str, Any]:
        return {"registered_name": "keras_hub>ViTImageConverter", "config": {"image_size": [side, side]}}

    def around(name: str, **parts: Any) -> dict[str, Any]:
        return {"registered_name": f"keras_hub>{name}", "config": parts}

    preprocessor = "ViTImageClassifierPreprocessor"
    task = around("ViTImageClassifier", preprocessor=around(preprocessor, image_converter=converter(3)))
    written = {
        "image_converter.json": converter(1),
        "preprocessor.json": around(preprocessor, image_converter=converter(2)),
        "task.json": task,
    }
    for side, (name, value) in enumerate(written.items(), 1):
        (tmp_path / name).write_text(json.dumps(value))
        assert ConverterProcessor.from_folder(tmp_path, config).output_size == (side, side)
    (tmp_path / "task.json").write_text(json.dumps(around("ViTImageClassifier", preprocessor=converter(3))))
    assert ConverterProcessor.from_folder(tmp_path, config).output_size == (2, 2)
    (tmp_path / "task.json").write_text('{"registered_name": "os>system", "config": {}}')
    with pytest.raises(CheckpointError, match="os>system"):
        ConverterProcessor.from_folder(tmp_path, config)
