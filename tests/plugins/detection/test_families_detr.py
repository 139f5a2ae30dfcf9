"""DETR against the published implementation, on every backend that is installed."""

from __future__ import annotations

from typing import Any

import detection_reference as reference
import numpy as np
import pytest
from detection_reference import drawn, held
from hypothesis import given
from hypothesis import strategies as st

PREPARED = {"image_processor_type": "DetrImageProcessor"}
#: Sizes of pictures on a canvas of 64 × 96; one fills it.
EXTENTS = [(64, 96), (33, 95), (64, 7), (18, 50)]


def canvas(extents: Any, size: tuple[int, int]) -> dict[str, np.ndarray]:
    """Random pictures on the top left of canvases that are zero elsewhere."""
    random = np.random.default_rng(0)
    pixels = np.zeros((len(extents), *size, 3), "float32")
    for row, (height, width) in enumerate(extents):
        pixels[row, :height, :width] = random.normal(size=(height, width, 3))
    return {"pixel_values": pixels, "extent": np.array(extents, "int32")}


@st.composite
def trunks(draw: st.DrawFn, layer: str) -> dict[str, Any]:
    stages = draw(st.integers(1, 3))
    return {
        "model_type": "resnet",
        "layer_type": layer,
        "embedding_size": draw(st.sampled_from([4, 8])),
        "hidden_sizes": [8 * 2**stage for stage in range(stages)],
        "depths": draw(st.lists(st.integers(1, 2), min_size=stages, max_size=stages)),
        "hidden_act": draw(st.sampled_from(["relu", "gelu"])),
        "downsample_in_first_stage": draw(st.booleans()),
        "downsample_in_bottleneck": draw(st.booleans()),
        "out_features": [f"stage{stages}"],
    }


@st.composite
def configs(draw: st.DrawFn) -> dict[str, Any]:
    heads, each = draw(st.sampled_from([(1, 4), (2, 4), (4, 3)]))
    return {
        "d_model": heads * each,
        "encoder_attention_heads": heads,
        "decoder_attention_heads": heads,
        "encoder_layers": draw(st.integers(0, 2)),
        "decoder_layers": draw(st.integers(1, 2)),
        "encoder_ffn_dim": 5,
        "decoder_ffn_dim": 6,
        "num_queries": draw(st.integers(2, 6)),
        "activation_function": draw(st.sampled_from(["relu", "gelu"])),
        "auxiliary_loss": draw(st.booleans()),
    }


def published(trunk: dict[str, Any], config: dict[str, Any], seed: int = 0) -> Any:
    import transformers

    made = transformers.DetrConfig(
        use_timm_backbone=False,
        backbone_config=transformers.ResNetConfig(**trunk),
        id2label=reference.named(),
        **config,
    )
    return reference.published("Detr", made, seed)


@pytest.mark.parametrize("layer", ["basic", "bottleneck"])
@pytest.mark.parametrize("places", ["sine", "learned"])
@drawn
@given(data=st.data())
def test_detr(
    layer: str, places: str, data: st.DataObject, tmp_path_factory: Any, backends: dict[str, Any]
) -> None:
    """Pictures of different sizes on one canvas: each as the published network answers it alone."""
    config = {**data.draw(configs()), "position_embedding_type": places}
    theirs = published(data.draw(trunks(layer)), config)
    held(tmp_path_factory, backends, "detr", theirs, PREPARED, canvas(EXTENTS, (64, 96)))
