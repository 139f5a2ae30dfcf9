"""The ``videomae`` family against the published implementation, on every backend that is installed."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import video_reference
import vision_reference as reference
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sixarts as sa
from sixarts.checkpoint import open_weights, write_weights
from sixarts.errors import CheckpointError
from sixarts_vision.video_processor import VideoProcessor

#: Examples are the same in every run: a compile is dear, and what fails must fail again.
compiled = settings(
    derandomize=True,
    database=None,
    deadline=None,
    print_blob=False,
    max_examples=3,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Makes folders of their own: models are remembered by their folder's name."""
    numbers = itertools.count()
    place = tmp_path_factory.mktemp("videomae")
    yield lambda: place / str(next(numbers))


def saved(place: Path, config: Mapping[str, Any], seed: int = 0) -> Any:
    """A published model in a folder, with a processor of its size."""
    size = config["image_size"]
    height, width = (size, size) if isinstance(size, int) else size
    prepared = {
        "image_processor_type": "VideoMAEImageProcessor",
        "size": {"height": height, "width": width},
        "crop_size": {"height": height, "width": width},
    }
    return reference.saved(place, "VideoMAE", config, prepared, seed)


@st.composite
def configs(draw: st.DrawFn) -> dict[str, Any]:
    heads, each = draw(st.sampled_from([(1, 6), (2, 4), (3, 8)]))
    patch, deep = draw(st.sampled_from([3, 4, 8])), draw(st.integers(1, 3))
    side = st.integers(patch, 3 * patch + 1)
    return {
        "architectures": ["VideoMAEForVideoClassification"],
        "hidden_size": heads * each,
        "num_attention_heads": heads,
        "num_hidden_layers": draw(st.integers(1, 3)),
        "intermediate_size": draw(st.sampled_from([5, 24])),
        "patch_size": patch,
        "tubelet_size": deep,
        # A rest of frames, rows or columns fills no patch.
        "num_frames": draw(st.integers(deep, 3 * deep + 1)),
        "image_size": draw(side) if draw(st.booleans()) else [draw(side), draw(side)],
        "hidden_act": draw(st.sampled_from(["gelu", "gelu_new", "relu"])),
        "layer_norm_eps": draw(st.sampled_from([1e-12, 1e-6])),
    }


@pytest.mark.parametrize("biased", [True, False], ids=["biases", "plain"])
@pytest.mark.parametrize("pooled", [True, False], ids=["mean", "first"])
@compiled
@given(config=configs())
def test_videomae(
    pooled: bool, biased: bool, config: dict[str, Any], folder: Any, backends: dict[str, Any]
) -> None:
    """Logits everywhere within 1e-4 of the published model's; saved again, the same weights."""
    place = folder()
    model = saved(place, config | {"use_mean_pooling": pooled, "qv_bias": biased}, config["num_frames"])
    size = config["image_size"]
    shape = (2, config["num_frames"], *((size, size) if isinstance(size, int) else size), 3)
    pixels = np.random.default_rng(0).normal(size=shape).astype("float32")
    wanted = video_reference.published_logits(model, pixels)
    assert np.abs(wanted).max() > 1e-2
    with ThreadPoolExecutor() as pool:
        waiting = {
            name: pool.submit(worker.call, "video_reference:logits", place, pixels)
            for name, worker in backends.items()
        }
        found = {"here": video_reference.logits(place, pixels)}
        found |= {name: future.result() for name, future in waiting.items()}
    for name, got in found.items():
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4, err_msg=name)
    again = folder()
    reference.task(place, "video-classification").save(again)
    before, after = open_weights(place), open_weights(again)
    assert set(before) == set(after)
    assert all(np.array_equal(before.read(name), after.read(name)) for name in before)


TINY = {
    "architectures": ["VideoMAEForVideoClassification"],
    "hidden_size": 8,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "intermediate_size": 8,
    "patch_size": 8,
    "image_size": 16,
    "num_frames": 4,
    "tubelet_size": 2,
}


def test_biases_under_their_newer_names_are_read(folder: Any) -> None:
    """Files call them ``q_bias``; the implementation itself has ``query.bias`` in memory."""
    place, other = folder(), folder()
    saved(place, TINY)
    saved(other, TINY)
    weights = open_weights(place)
    renamed = {
        name.replace("q_bias", "query.bias").replace("v_bias", "value.bias"): weights.read(name)
        for name in weights
    }
    assert set(renamed) != set(weights)
    write_weights(other / "model.safetensors", renamed, "float32")
    pixels = np.random.default_rng(1).normal(size=(1, 4, 16, 16, 3)).astype("float32")
    assert np.array_equal(*(video_reference.logits(each, pixels) for each in (place, other)))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"num_frames": 1}, "as one patch is deep"),
        ({"num_frames": 10**6}, "num_frames"),
        ({"tubelet_size": 0}, "tubelet_size"),
        ({"num_attention_heads": 3}, "divide"),
        ({"patch_size": 32}, "at least one patch"),
        ({"image_size": 24}, "of one model"),
        ({"image_size": 4096, "patch_size": 1, "num_frames": 1024, "tubelet_size": 1}, "table of positions"),
        ({"use_mean_pooling": "yes"}, "use_mean_pooling"),
        ({"use_mean_pooling": False}, "videomae.layernorm"),
        ({"qv_bias": False}, "q_bias"),
        ({"architectures": ["VideoMAEForPreTraining"]}, "VideoMAEForVideoClassification"),
    ],
)
def test_a_damaged_configuration_is_named(wrong: dict[str, Any], told: str, tmp_path: Path) -> None:
    saved(tmp_path, TINY)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | wrong))
    with pytest.raises(CheckpointError, match=told):
        sa.load("video-classification", tmp_path)


# What is done to frames.


def frames_of(size: tuple[int, int], count: int = 3) -> np.ndarray:
    """Soft shapes and hard edges that move."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    time = np.arange(count)[:, None, None]
    soft = np.stack(
        [np.sin((rows + 2 * time) / 7), np.cos((columns - time) / 5), np.sin((rows + columns + time) / 9)],
        axis=-1,
    )
    noise = np.random.default_rng(0).integers(0, 60, (count, *size, 3))
    return ((soft + 1) * 90 + noise + (rows[..., None] > size[0] // 2) * 15).clip(0, 255).astype("uint8")


@st.composite
def stated(draw: st.DrawFn) -> dict[str, Any]:
    side = st.integers(4, 60)
    square = {"height": draw(side), "width": draw(side)}
    found: dict[str, Any] = {
        "size": draw(st.sampled_from([{"shortest_edge": draw(side)}, square])),
        "crop_size": {"height": draw(side), "width": draw(side)},
        "do_center_crop": draw(st.booleans()),
        "resample": draw(st.sampled_from([0, 1, 2, 3])),
    }
    if draw(st.booleans()):
        found |= {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.3, 0.5]}
    if draw(st.booleans()):
        found["do_normalize"] = False
    if draw(st.booleans()):
        found["do_resize"] = False
    if draw(st.booleans()):
        found |= {"rescale_factor": 1 / 128}
    return found


@pytest.mark.quick
@settings(deadline=None, max_examples=60, derandomize=True)
@given(stated=stated(), size=st.tuples(st.integers(5, 90), st.integers(5, 90)))
def test_frames_are_prepared_as_published(stated: dict[str, Any], size: tuple[int, int]) -> None:
    from transformers.models.videomae.image_processing_pil_videomae import VideoMAEImageProcessorPil

    video = frames_of(size)
    ours = VideoProcessor({"image_processor_type": "VideoMAEImageProcessor", **stated}, ["a"])
    got = ours.arrays([np.stack([ours.shaped(frame) for frame in video])])["pixel_values"]
    published = VideoMAEImageProcessorPil(**stated)(list(video), return_tensors="np")["pixel_values"]
    wanted = np.moveaxis(published, 2, -1)
    assert got.shape == wanted.shape and got.dtype == np.float32
    # A value of the network's input is a 255th over the deviation, where pixels are scaled by a 255th.
    scale = stated.get("rescale_factor", 1 / 255)
    assert np.abs(got - wanted).max() <= scale / ours.frames.normalized.std.min() * 0.51


@pytest.mark.quick
def test_what_the_file_leaves_out_is_as_published() -> None:
    from transformers.models.videomae.image_processing_pil_videomae import VideoMAEImageProcessorPil

    video = frames_of((240, 320), 2)
    for named in (
        {},
        {"feature_extractor_type": "VideoMAEFeatureExtractor", "size": 224, "image_mean": None},
        {"video_processor_type": "VideoMAEVideoProcessor", "do_sample_frames": False},
    ):
        ours = VideoProcessor(named, ["a"])
        got = ours.arrays([np.stack([ours.shaped(frame) for frame in video])])["pixel_values"]
        wanted = VideoMAEImageProcessorPil()(list(video), return_tensors="np")["pixel_values"]
        assert np.abs(got - np.moveaxis(wanted, 2, -1)).max() <= 1 / 255


@pytest.mark.quick
def test_the_file_is_read_under_both_names_and_saved_as_it_was(tmp_path: Path) -> None:
    stated = {"video_processor_type": "VideoMAEVideoProcessor", "size": {"shortest_edge": 8}, "more": [1]}
    (tmp_path / "video_preprocessor_config.json").write_text(json.dumps(stated))
    read = VideoProcessor.from_folder(tmp_path, {"id2label": {"0": "a"}})
    (tmp_path / "again").mkdir()
    read.relabeled(["b"]).save(tmp_path / "again")
    assert json.loads((tmp_path / "again/video_preprocessor_config.json").read_text()) == stated
    with pytest.raises(CheckpointError, match="VivitImageProcessor"):
        VideoProcessor({"image_processor_type": "VivitImageProcessor"}, ["a"])
