"""YOLOS against the published implementation, on every backend that is installed."""

from __future__ import annotations

from typing import Any

import detection_reference as reference
import numpy as np
import pytest
from detection_reference import drawn, held
from hypothesis import given
from hypothesis import strategies as st

PREPARED = {"image_processor_type": "YolosImageProcessor"}


@st.composite
def configs(draw: st.DrawFn) -> dict[str, Any]:
    heads, each = draw(st.sampled_from([(1, 6), (2, 4), (3, 8)]))
    patch = draw(st.sampled_from([4, 8]))
    return {
        "hidden_size": heads * each,
        "num_attention_heads": heads,
        "num_hidden_layers": draw(st.integers(1, 3)),
        "intermediate_size": 5,
        "patch_size": patch,
        "image_size": [patch * draw(st.integers(1, 4)), patch * draw(st.integers(1, 4))],
        "hidden_act": draw(st.sampled_from(["gelu", "relu"])),
        "qkv_bias": draw(st.booleans()),
        "layer_norm_eps": draw(st.sampled_from([1e-12, 1e-6])),
        "num_detection_tokens": draw(st.integers(1, 5)),
    }


def published(config: dict[str, Any], seed: int = 0) -> Any:
    import transformers

    return reference.published("Yolos", transformers.YolosConfig(id2label=reference.named(), **config), seed)


@pytest.mark.parametrize("between", [False, True])
@drawn
@given(config=configs(), rows=st.integers(1, 6), columns=st.integers(1, 6), rest=st.integers(0, 3))
def test_yolos(
    between: bool,
    config: dict[str, Any],
    rows: int,
    columns: int,
    rest: int,
    tmp_path_factory: Any,
    backends: dict[str, Any],
) -> None:
    """Positions are learned on one grid and stretched over another; one network takes both sizes."""
    config |= {"use_mid_position_embeddings": between and config["num_hidden_layers"] > 1}
    patch = config["patch_size"]
    size = (rows * patch + rest, columns * patch)
    pixels = np.random.default_rng(0).normal(size=(2, *size, 3)).astype("float32")
    theirs = published(config)
    folder = held(tmp_path_factory, backends, "yolos", theirs, PREPARED, {"pixel_values": pixels})
    learned = np.random.default_rng(1).normal(size=(1, *config["image_size"], 3)).astype("float32")
    wanted = reference.published_answers(theirs, learned)
    got = reference.answers(folder, "yolos", {"pixel_values": learned})
    np.testing.assert_allclose(got["logits"], wanted["logits"], rtol=1e-4, atol=1e-4)
