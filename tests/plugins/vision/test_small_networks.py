"""The networks that this project trains from nothing: the same on every backend, and saved as they are."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import vision_reference as reference

import sixarts as sa
from sixarts.errors import SixartsError

#: Family to the settings of a small one, of pictures of 16 × 16.
SMALL: dict[str, dict[str, Any]] = {
    "wide_resnet": {"image_size": 16, "width": 4, "blocks": 2},
}


@pytest.mark.parametrize("family", SMALL)
@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_the_same_everywhere(family: str, optimizer: str, tmp_path: Path, backends: dict[str, Any]) -> None:
    random = np.random.default_rng(0)
    pictures = [(random.integers(0, 255, (16, 16, 3), dtype=np.uint8), str(n % 3)) for n in range(16)]
    task = sa.new("image-classification", family=family, device="cpu", **SMALL[family])
    rate = 0.01 if optimizer == "adamw" else 0.05
    history = task.fit(
        pictures,
        epochs=8,
        batch_size=8,
        optimizer=optimizer,
        learning_rate=rate,
        shift=0.0,
        erase=0.0,
        progress=False,
    )
    assert history.metrics["loss"][-1] < history.metrics["loss"][0]
    folder = task.save(tmp_path / "model")
    pixels = random.normal(size=(3, 16, 16, 3)).astype("float32")
    wanted = task.model({"pixel_values": pixels})["logits"]
    np.testing.assert_array_equal(reference.logits(folder, pixels), wanted)
    for name, worker in backends.items():
        found = worker.call("vision_reference:logits", folder, pixels)
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4, err_msg=name)
    assert task.model.hidden_constants() == []
    assert reference.saved_again(folder, tmp_path / "again")
    if optimizer == "adamw":
        _mirrored(folder, pixels, wanted, backends)


def _mirrored(folder: Path, pixels: np.ndarray, plain: np.ndarray, backends: dict[str, Any]) -> None:
    """The same weights, asked for the mean of a picture and its mirror image."""
    turned = reference.logits(folder, pixels[:, :, ::-1].copy())
    folder = Path(shutil.copytree(folder, folder.with_name("mirrored")))
    (folder / "sixarts.json").unlink()
    config = folder / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"mirrored": True}))
    assert np.abs(turned - plain).max() > 1e-3
    for name, worker in {"here": None, **backends}.items():
        found = (
            worker.call("vision_reference:logits", folder, pixels)
            if worker
            else reference.logits(folder, pixels)
        )
        np.testing.assert_allclose(found, (plain + turned) / 2, rtol=1e-4, atol=1e-4, err_msg=name)


@pytest.mark.parametrize("wrong", [{"image_size": 30}, {"blocks": 0}, {"widths": 3}, {"mirrored": 2}])
def test_settings_are_held_to_limits(wrong: dict[str, Any]) -> None:
    with pytest.raises(SixartsError, match=next(iter(wrong))):
        sa.new("image-classification", family="wide_resnet", **wrong)


def test_an_unknown_optimizer_is_refused() -> None:
    task = sa.new("image-classification", family="wide_resnet", **SMALL["wide_resnet"])
    with pytest.raises(SixartsError, match="optimizer='adam'; expected one of adamw, sgd"):
        task.fit([(np.zeros((16, 16, 3), "uint8"), "a")], optimizer="adam")
