"""RT-DETR against the published implementation, on every backend that is installed."""

from __future__ import annotations

from typing import Any

import detection_reference as reference
import numpy as np
import pytest
from detection_reference import drawn, held
from hypothesis import assume, given
from hypothesis import strategies as st


@st.composite
def trunks(draw: st.DrawFn, layer: str) -> dict[str, Any]:
    stages = draw(st.integers(2, 3))
    first = layer == "bottleneck" and draw(st.booleans())
    width = 8
    return {
        "layer_type": layer,
        "embedding_size": 16 if first else width,
        "hidden_sizes": [width * 2**stage for stage in range(stages)],
        "depths": draw(st.lists(st.integers(1, 2), min_size=stages, max_size=stages)),
        "hidden_act": draw(st.sampled_from(["relu", "silu"])),
        "downsample_in_first_stage": draw(st.booleans()),
        "downsample_in_bottleneck": draw(st.booleans()),
        "out_features": [f"stage{stage}" for stage in range(draw(st.integers(1, stages)), stages + 1)],
    }


@st.composite
def configs(draw: st.DrawFn, levels: int) -> dict[str, Any]:
    heads, each = draw(st.sampled_from([(1, 4), (2, 4), (4, 3)]))
    width = draw(st.sampled_from([heads * each, heads * each * 2]))
    return {
        "d_model": width,
        "encoder_hidden_dim": heads * each,
        "encoder_attention_heads": heads,
        "decoder_attention_heads": heads,
        "encoder_layers": draw(st.integers(0, 2)),
        "decoder_layers": draw(st.integers(1, 3)),
        "encoder_ffn_dim": 5,
        "decoder_ffn_dim": 6,
        "num_queries": draw(st.integers(2, 5)),
        "num_feature_levels": levels + (draw(st.integers(0, 1)) if width == heads * each else 0),
        "decoder_n_points": draw(st.integers(1, 4)),
        "decoder_in_channels": [heads * each] * levels,
        "encoder_in_channels": [1] * levels,
        "feat_strides": [8] * levels,
        "encode_proj_layers": draw(st.sampled_from([[levels - 1], list(range(levels)), [0]])),
        "positional_encoding_temperature": draw(st.sampled_from([10000, 20])),
        "encoder_activation_function": draw(st.sampled_from(["gelu", "relu"])),
        "decoder_activation_function": draw(st.sampled_from(["relu", "silu"])),
        "activation_function": draw(st.sampled_from(["silu", "relu"])),
        "hidden_expansion": draw(st.sampled_from([1.0, 0.5])),
        "eval_size": draw(st.sampled_from([None, 64])),
        "normalize_before": draw(st.booleans()),
        "batch_norm_eps": draw(st.sampled_from([1e-5, 1e-3])),
        "layer_norm_eps": draw(st.sampled_from([1e-5, 1e-3])),
        "num_denoising": draw(st.sampled_from([0, 100])),
        "with_box_refine": draw(st.booleans()),
        "learn_initial_query": draw(st.booleans()),
        "freeze_backbone_batch_norms": draw(st.booleans()),
    }


def published(trunk: dict[str, Any], config: dict[str, Any], seed: int = 0) -> Any:
    import transformers

    made = transformers.RTDetrConfig(
        backbone_config=transformers.RTDetrResNetConfig(**trunk), id2label=reference.named(), **config
    )
    model = reference.published("RTDetr", made, seed)
    if config.get("learn_initial_query"):
        # The published network asks a layer for what only its weight has (transformers 5.24).
        layer = model.model.weight_embedding
        layer.tile = lambda repeats: layer.weight.tile(repeats)
    return model


def clear(model: Any, pixels: np.ndarray, queries: int) -> bool:
    """Whether cells are told apart by more than rounding: else any order of them is right."""
    import torch

    with torch.no_grad():
        given = torch.from_numpy(np.ascontiguousarray(np.transpose(pixels, (0, 3, 1, 2))))
        scores = model(pixel_values=given).enc_outputs_class.max(-1).values.sort(-1, descending=True).values
    gaps = -np.diff(np.asarray(scores)[:, : queries + 1])
    # Cells at the border promise nothing, all the same: their order makes no difference.
    return bool(((gaps > 1e-4) | (gaps < 1e-6)).all())


@pytest.mark.parametrize("layer", ["basic", "bottleneck"])
@drawn
@given(data=st.data())
def test_rt_detr(layer: str, data: st.DataObject, tmp_path_factory: Any, backends: dict[str, Any]) -> None:
    trunk = data.draw(trunks(layer))
    config = data.draw(configs(len(trunk["out_features"])))
    size = data.draw(st.sampled_from([(64, 96), (96, 32)]))
    if data.draw(st.booleans()):
        config["anchor_image_size"] = list(size)
        finest = 4 if trunk["downsample_in_first_stage"] else 2
        config["feat_strides"] = [finest * 2 ** int(name[-1]) for name in trunk["out_features"]]
        config["num_feature_levels"] = len(trunk["out_features"])
    pixels = np.random.default_rng(0).normal(size=(2, *size, 3)).astype("float32")
    theirs = published(trunk, config)
    assume(clear(theirs, pixels, config["num_queries"]))
    prepared = {
        "image_processor_type": "RTDetrImageProcessor",
        "size": {"height": size[0], "width": size[1]},
    }
    held(tmp_path_factory, backends, "rt_detr", theirs, prepared, {"pixel_values": pixels})
