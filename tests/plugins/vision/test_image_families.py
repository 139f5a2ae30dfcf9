"""The families for pictures against the published implementations, on every backend that is installed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
import vision_reference as reference
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from everywhere import everywhere

#: Examples are the same in every run: a compile is dear, and what fails must fail again.
drawn = settings(
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
    place = tmp_path_factory.mktemp("sight")
    yield lambda: place / str(next(numbers))


def processor(kind: str, height: int, width: int | None = None) -> dict[str, Any]:
    return {
        "image_processor_type": f"{kind}ImageProcessor",
        "size": {"height": height, "width": width or height},
        "crop_size": {"height": height, "width": width or height},
    }


def held(
    folder: Any,
    backends: Mapping[str, Any],
    kind: str,
    config: Mapping[str, Any],
    prepared: Mapping[str, Any],
    size: tuple[int, int],
) -> None:
    """Logits everywhere within 1e-4 of the published model's; saved again, the same weights."""
    place = folder()
    model = reference.saved(place, kind, config, prepared, seed=sum(size))
    pixels = np.random.default_rng(0).normal(size=(2, *size, 3)).astype("float32")
    wanted = reference.published_logits(model, pixels)
    assert np.abs(wanted).max() > 1e-2
    for name, got in everywhere(backends, reference, "logits", place, pixels).items():
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4, err_msg=name)
    assert reference.saved_again(place, folder())


@st.composite
def transformers_config(draw: st.DrawFn) -> dict[str, Any]:
    heads, each = draw(st.sampled_from([(1, 6), (2, 4), (3, 8)]))
    patch = draw(st.sampled_from([3, 4, 8]))
    return {
        "hidden_size": heads * each,
        "num_attention_heads": heads,
        "num_hidden_layers": draw(st.integers(1, 3)),
        "patch_size": patch,
        "image_size": patch * draw(st.integers(1, 4)) + draw(st.integers(0, 2)),
        "hidden_act": draw(st.sampled_from(["gelu", "gelu_new", "relu"])),
        "qkv_bias": draw(st.booleans()),
        "layer_norm_eps": draw(st.sampled_from([1e-12, 1e-6])),
    }


@drawn
@given(config=transformers_config(), inner=st.sampled_from([5, 24]))
def test_vit(config: dict[str, Any], inner: int, folder: Any, backends: dict[str, Any]) -> None:
    config |= {"intermediate_size": inner, "architectures": ["ViTForImageClassification"]}
    size = config["image_size"]
    held(folder, backends, "ViT", config, processor("ViT", size), (size, size))


@pytest.mark.parametrize("head", ["DeiTForImageClassification", "DeiTForImageClassificationWithTeacher"])
@drawn
@given(config=transformers_config())
def test_deit(head: str, config: dict[str, Any], folder: Any, backends: dict[str, Any]) -> None:
    config |= {"intermediate_size": 20, "architectures": [head]}
    size = config["image_size"]
    held(folder, backends, "DeiT", config, processor("DeiT", size), (size, size))


@pytest.mark.parametrize("gated", [False, True])
@drawn
@given(config=transformers_config(), rows=st.integers(1, 6), columns=st.integers(1, 6))
def test_dinov2(
    gated: bool, config: dict[str, Any], rows: int, columns: int, folder: Any, backends: dict[str, Any]
) -> None:
    """Positions are learned on one grid and stretched over another."""
    config |= {"use_swiglu_ffn": gated, "architectures": ["Dinov2ForImageClassification"]}
    size = (rows * config["patch_size"], columns * config["patch_size"] + 1)
    held(folder, backends, "Dinov2", config, processor("Bit", *size), size)


@pytest.mark.parametrize("layer", ["basic", "bottleneck"])
@drawn
@given(data=st.data())
def test_resnet(layer: str, data: st.DataObject, folder: Any, backends: dict[str, Any]) -> None:
    stages = data.draw(st.integers(1, 3))
    config = {
        "layer_type": layer,
        "embedding_size": data.draw(st.sampled_from([4, 8])),
        "hidden_sizes": [8 * 2**stage for stage in range(stages)],
        "depths": data.draw(st.lists(st.integers(1, 2), min_size=stages, max_size=stages)),
        "hidden_act": data.draw(st.sampled_from(["relu", "gelu"])),
        "downsample_in_first_stage": data.draw(st.booleans()),
        "downsample_in_bottleneck": data.draw(st.booleans()),
        "architectures": ["ResNetForImageClassification"],
    }
    size = (data.draw(st.integers(33, 48)), data.draw(st.integers(33, 48)))
    held(folder, backends, "ResNet", config, processor("ViT", *size), size)


@drawn
@given(data=st.data())
def test_convnext(data: st.DataObject, folder: Any, backends: dict[str, Any]) -> None:
    stages = data.draw(st.integers(1, 3))
    config = {
        "num_stages": stages,
        "hidden_sizes": [4 * 2**stage for stage in range(stages)],
        "depths": data.draw(st.lists(st.integers(1, 2), min_size=stages, max_size=stages)),
        "patch_size": data.draw(st.sampled_from([2, 4])),
        "layer_scale_init_value": data.draw(st.sampled_from([0.0, 1e-6])),
        "architectures": ["ConvNextForImageClassification"],
    }
    size = (data.draw(st.integers(24, 40)), data.draw(st.integers(24, 40)))
    held(folder, backends, "ConvNext", config, processor("ViT", *size), size)
