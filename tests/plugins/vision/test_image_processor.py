"""Pictures as the published processors prepare them, and what is wrong with a preprocessor's file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sixarts.errors import CheckpointError, InputError
from sixarts.media.image_processor import ImageProcessor

pytestmark = pytest.mark.quick

sizes = st.tuples(st.integers(5, 90), st.integers(5, 90))


def reference(settings: dict[str, Any]) -> Any:
    import transformers.models.bit.image_processing_pil_bit as bit
    import transformers.models.convnext.image_processing_pil_convnext as convnext
    import transformers.models.deit.image_processing_pil_deit as deit
    import transformers.models.vit.image_processing_pil_vit as vit

    kinds = {
        "ViTImageProcessor": vit.ViTImageProcessorPil,
        "DeiTImageProcessor": deit.DeiTImageProcessorPil,
        "BitImageProcessor": bit.BitImageProcessorPil,
        "ConvNextImageProcessor": convnext.ConvNextImageProcessorPil,
    }
    kept = {name: value for name, value in settings.items() if name != "image_processor_type"}
    return kinds[settings["image_processor_type"]](**kept)


def picture(size: tuple[int, int]) -> np.ndarray:
    """Soft shapes and hard edges: both show how a resize was done."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    soft = np.stack([np.sin(rows / 7), np.cos(columns / 5), np.sin((rows + columns) / 9)], axis=-1)
    noise = np.random.default_rng(0).integers(0, 60, (*size, 3))
    return ((soft + 1) * 90 + noise + (rows[..., None] > size[0] // 2) * 15).clip(0, 255).astype("uint8")


@st.composite
def stated(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(["ViT", "DeiT", "Bit", "ConvNext"]))
    found: dict[str, Any] = {"image_processor_type": f"{kind}ImageProcessor"}
    side = st.integers(4, 60)
    if kind == "ConvNext":
        found["size"] = {"shortest_edge": draw(st.one_of(side, st.just(384)))}
        found["crop_pct"] = draw(st.sampled_from([0.875, 0.5, 0.95]))
    elif kind == "Bit" and draw(st.booleans()):
        found["size"] = {"shortest_edge": draw(side)}
    else:
        found["size"] = {"height": draw(side), "width": draw(side)}
    if kind in ("DeiT", "Bit"):
        found["crop_size"] = {"height": draw(side), "width": draw(side)}
    found["resample"] = draw(st.sampled_from([0, 1, 2, 3]))
    if draw(st.booleans()):
        found |= {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
    if draw(st.booleans()):
        found["do_normalize"] = False
    return found


@settings(deadline=None, max_examples=60, derandomize=True)
@given(settings=stated(), size=sizes)
def test_pictures_are_prepared_as_published(settings: dict[str, Any], size: tuple[int, int]) -> None:
    image = picture(size)
    ours = ImageProcessor(settings, ["a"])
    got = ours.arrays([image])["pixel_values"][0]
    wanted = np.moveaxis(reference(settings)(image, return_tensors="np")["pixel_values"][0], 0, -1)
    assert got.shape == wanted.shape
    assert ours.output_size in (None, got.shape[:2])
    # A value of the network's input is a 255th over the deviation.
    assert np.abs(got - wanted).max() <= 1 / 255 / ours.normalized.std.min() * 0.51


def test_the_part_that_is_seen() -> None:
    whole = ImageProcessor({"image_processor_type": "ViTImageProcessor", "size": 8}, ["a"])
    assert whole.seen(100, 50) == (0, 0, 100, 50)
    cropped = ImageProcessor({"image_processor_type": "BitImageProcessor", "size": 8, "crop_size": 4}, ["a"])
    assert cropped.seen(16, 32) == (4, 12, 12, 20)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"image_processor_type": "CLIPImageProcessor"}, "CLIPImageProcessor"),
        ({"size": {"height": 0, "width": 4}}, "size"),
        ({"size": {"longest_edge": 4}}, "size"),
        ({"size": {"height": 10**9, "width": 4}}, "size"),
        ({"resample": 77}, "resample"),
        ({"image_std": [0.1, 0.0, 0.2]}, "no zero"),
        ({"image_mean": [0.1, float("nan"), 0.2]}, "finite"),
        ({"image_mean": [0.1]}, "three"),
        ({"rescale_factor": "a"}, "rescale_factor"),
        (
            {"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 8}, "crop_pct": 0},
            "crop_pct",
        ),
    ],
)
def test_what_cannot_be_followed_is_refused(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(CheckpointError, match=told):
        ImageProcessor({"image_processor_type": "ViTImageProcessor", **wrong}, ["a"])


def test_a_thread_of_a_picture_is_refused_before_it_becomes_a_wall() -> None:
    """A few bytes may be a picture of one pixel's height, and of any width."""
    prepared = ImageProcessor(
        {"image_processor_type": "BitImageProcessor", "size": {"shortest_edge": 256}}, ["a"]
    )
    with pytest.raises(InputError, match="more alike"):
        prepared.arrays([np.zeros((1, 200_000, 3), "uint8")])


def test_it_is_saved_as_it_was(tmp_path: Path) -> None:
    stated = {"image_processor_type": "ViTImageProcessor", "size": 8, "something_else": [1]}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(stated))
    read = ImageProcessor.from_folder(tmp_path, {"id2label": {"0": "a"}})
    (tmp_path / "again").mkdir()
    read.save(tmp_path / "again")
    assert json.loads((tmp_path / "again/preprocessor_config.json").read_text()) == stated
