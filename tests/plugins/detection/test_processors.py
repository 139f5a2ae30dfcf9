"""Pictures as the published processors of detectors prepare them, and what is wrong with their files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sixarts.errors import CheckpointError, InputError
from sixarts_detection.detection_processor import (
    STEP,
    CanvasProcessor,
    PublishedProcessor,
    ScaledProcessor,
    WholeProcessor,
    edges,
    patches,
)

pytestmark = pytest.mark.quick

sizes = st.tuples(st.integers(17, 90), st.integers(17, 90))


def reference(settings: dict[str, Any]) -> Any:
    import transformers.models.detr.image_processing_pil_detr as detr
    import transformers.models.rt_detr.image_processing_pil_rt_detr as rt_detr
    import transformers.models.yolos.image_processing_pil_yolos as yolos

    kinds = {
        "DetrImageProcessor": detr.DetrImageProcessorPil,
        "YolosImageProcessor": yolos.YolosImageProcessorPil,
        "RTDetrImageProcessor": rt_detr.RTDetrImageProcessorPil,
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
    kind = draw(st.sampled_from(["Detr", "Yolos", "RTDetr"]))
    side = st.integers(20, 90)
    shapes = [
        {"shortest_edge": draw(side), "longest_edge": draw(side)},
        {"max_height": draw(side), "max_width": draw(side)},
        {"height": draw(side), "width": draw(side)},
    ]
    found: dict[str, Any] = {
        "image_processor_type": f"{kind}ImageProcessor",
        "size": draw(st.sampled_from(shapes)),
    }
    if kind != "RTDetr" and draw(st.booleans()):
        # As the first files state it: a number, and the longest side beside it.
        found |= {"size": draw(side), "max_size": draw(side)}
    found["resample"] = draw(st.sampled_from([0, 1, 2, 3]))
    if draw(st.booleans()):
        found["do_normalize"] = draw(st.booleans())
    if draw(st.booleans()):
        found["do_resize"] = False
    return found


@settings(deadline=None, max_examples=60, derandomize=True)
@given(settings=stated(), size=sizes)
def test_pictures_are_prepared_as_published(settings: dict[str, Any], size: tuple[int, int]) -> None:
    image = picture(size)
    ours = PublishedProcessor(settings, ["a"])
    try:
        target = ours.target(*size)
    except InputError:
        assume(False)
    got = ours.arrays([image])["pixel_values"][0]
    wanted = np.moveaxis(reference(settings)(image, return_tensors="np")["pixel_values"][0], 0, -1)
    assert got.shape == wanted.shape == (*target, 3)
    # A value of the network's input is a 255th over the deviation.
    assert np.abs(got - wanted).max() <= 1 / 255 / ours.normalized.std.min() * 0.51


@settings(deadline=None, max_examples=300, derandomize=True)
@given(
    size=st.tuples(st.integers(1, 3000), st.integers(1, 3000)),
    low=st.integers(1, 900),
    high=st.integers(1, 1400),
)
def test_sizes_are_rounded_as_published(size: tuple[int, int], low: int, high: int) -> None:
    from transformers.image_transforms import get_size_with_aspect_ratio
    from transformers.models.yolos.image_processing_pil_yolos import get_size_with_aspect_ratio_yolos

    assert edges(size, low, high) == get_size_with_aspect_ratio(size, low, high)
    assert patches(size, low, high) == get_size_with_aspect_ratio_yolos(size, low, high)


def test_files_of_2021_are_read() -> None:
    old = {"feature_extractor_type": "DetrFeatureExtractor", "size": 800, "max_size": 1333}
    assert CanvasProcessor(old, ["a"]).target(480, 640) == (800, 1066)
    assert CanvasProcessor({"feature_extractor_type": "DetrFeatureExtractor", "size": 600}, ["a"]).target(
        300, 900
    ) == (444, 1333)


def test_canvases_come_in_few_shapes() -> None:
    ours = CanvasProcessor({}, ["a"])
    shapes = {ours.canvas(height, width) for height in range(300, 700, 9) for width in range(300, 700, 9)}
    assert len(shapes) < 30
    assert all(side % STEP == 0 for shape in shapes for side in shape)


def test_pictures_lie_on_the_top_left_of_their_canvas() -> None:
    ours = CanvasProcessor({"size": {"shortest_edge": 60, "longest_edge": 100}}, ["a"])
    images = [picture((60, 90)), picture((60, 99)), picture((30, 48))]
    assert {ours.canvas(*image.shape[:2]) for image in images} == {(64, 128)}
    arrays = ours.arrays(images)
    assert arrays["extent"].tolist() == [[60, 90], [60, 99], [60, 96]]
    assert arrays["pixel_values"].shape == (3, 64, 128, 3)
    for row, (height, width) in enumerate(arrays["extent"]):
        assert not arrays["pixel_values"][row, height:].any()
        assert not arrays["pixel_values"][row, :, width:].any()
        alone = ours.arrays([images[row]])["pixel_values"][0]
        np.testing.assert_array_equal(arrays["pixel_values"][row], alone)


def test_a_canvas_may_be_stated() -> None:
    ours = CanvasProcessor(
        {"size": {"height": 50, "width": 40}, "pad_size": {"height": 70, "width": 80}}, ["a"]
    )
    assert ours.canvas(10, 10) == (70, 80)
    assert ours.arrays([picture((20, 20))])["pixel_values"].shape == (1, 70, 80, 3)
    small = CanvasProcessor(
        {"size": {"height": 50, "width": 40}, "pad_size": {"height": 45, "width": 80}}, ["a"]
    )
    with pytest.raises(InputError, match="pad_size"):
        small.canvas(10, 10)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"image_processor_type": "CLIPImageProcessor"}, "CLIPImageProcessor"),
        ({"size": {"shortest_edge": 800}}, "shortest_edge and longest_edge"),
        ({"size": {"height": 0, "width": 4}}, "size"),
        ({"size": {"height": 5000, "width": 4}}, "4096"),
        ({"size": 5000}, "size"),
        ({"size": "all"}, "size"),
        ({"image_processor_type": "RTDetrImageProcessor", "size": 640}, "size"),
        ({"resample": 77}, "resample"),
        ({"image_std": [0.1, 0.0, 0.2]}, "no zero"),
        ({"pad_size": {"height": 4}}, "pad_size"),
        ({"pad_size": {"height": 4, "width": 10**9}}, "pad_size"),
        ({"rescale_factor": "a"}, "rescale_factor"),
    ],
)
def test_what_cannot_be_followed_is_refused(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(CheckpointError, match=told):
        CanvasProcessor({"image_processor_type": "DetrImageProcessor", **wrong}, ["a"])


def test_networks_without_a_mask_are_given_no_canvas() -> None:
    with pytest.raises(CheckpointError, match="pad_size"):
        WholeProcessor({"pad_size": {"height": 64, "width": 64}}, ["a"])
    assert WholeProcessor({"size": {"height": 40, "width": 50}}, ["a"]).canvas(9, 9) == (40, 50)


def test_scales_must_fit_on_each_other() -> None:
    with pytest.raises(CheckpointError, match="multiples of 32"):
        ScaledProcessor({"size": {"height": 640, "width": 650}}, ["a"])
    ours = ScaledProcessor({"size": {"max_height": 64, "max_width": 64}}, ["a"])
    assert ours.canvas(64, 64) == (64, 64)
    with pytest.raises(InputError, match="multiples of 32"):
        ours.canvas(64, 100)


@pytest.mark.parametrize("kind", [CanvasProcessor, WholeProcessor])
def test_a_thread_of_a_picture_is_refused(kind: Any) -> None:
    """A few bytes may be a picture of one pixel's height, and of any width."""
    ours = kind({"image_processor_type": "DetrImageProcessor"}, ["a"])
    with pytest.raises(InputError, match="more alike"):
        ours.canvas(1, 200_000)


@pytest.mark.parametrize("kind", [CanvasProcessor, WholeProcessor, ScaledProcessor])
def test_it_is_saved_as_it_was(kind: Any, tmp_path: Path) -> None:
    stated = {"size": {"height": 64, "width": 64}, "something_else": [1]}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(stated))
    read = kind.from_folder(tmp_path, {"id2label": {"0": "a"}})
    assert read.relabeled(["b"]).labels == ("b",)
    assert read.relabeled(["b"]).target(9, 9) == (64, 64)
    (tmp_path / "again").mkdir()
    read.save(tmp_path / "again")
    assert json.loads((tmp_path / "again/preprocessor_config.json").read_text()) == stated
