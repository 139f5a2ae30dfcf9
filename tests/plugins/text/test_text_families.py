"""The families for texts against the published implementations, on every backend that is installed."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import text_reference as reference
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sixarts as sa
from everywhere import everywhere
from sixarts.checkpoint import open_weights, write_weights
from sixarts.errors import CheckpointError

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
    place = tmp_path_factory.mktemp("texts")
    yield lambda: place / str(next(numbers))


def held(folder: Any, backends: Mapping[str, Any], kind: str, config: Mapping[str, Any], seed: int) -> None:
    """Logits everywhere within 1e-4 of the published model's; saved again, the same weights."""
    place = folder()
    model = reference.saved(place, kind, config, seed)
    arrays = reference.batch(model.config.vocab_size, model.config.pad_token_id, seed)
    wanted = reference.published_logits(model, arrays)
    assert np.abs(wanted).max() > 1e-2
    for name, got in everywhere(backends, reference, "logits", place, arrays).items():
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4, err_msg=name)
    # A norm of distances is stored where no distance is looked at, too.
    unread = [] if config.get("relative_attention", True) else ["deberta.encoder.LayerNorm."]
    assert reference.saved_again(place, folder(), unread)


@st.composite
def bert_config(draw: st.DrawFn) -> dict[str, Any]:
    heads, each = draw(st.sampled_from([(1, 6), (2, 4), (3, 8)]))
    return {
        "hidden_size": heads * each,
        "num_attention_heads": heads,
        "num_hidden_layers": draw(st.integers(1, 3)),
        "intermediate_size": draw(st.sampled_from([5, 24])),
        "hidden_act": draw(st.sampled_from(["gelu", "gelu_new", "relu", "silu"])),
        "max_position_embeddings": draw(st.integers(12, 40)),
        "layer_norm_eps": draw(st.sampled_from([1e-12, 1e-5])),
        "type_vocab_size": 2,
    }


seeds = st.integers(0, 50)


@drawn
@given(config=bert_config(), seed=seeds)
def test_bert(config: dict[str, Any], seed: int, folder: Any, backends: dict[str, Any]) -> None:
    held(folder, backends, "Bert", config, seed)


@pytest.mark.parametrize("kind", ["Roberta", "XLMRoberta"])
@drawn
@given(config=bert_config(), seed=seeds)
def test_roberta(kind: str, config: dict[str, Any], seed: int, folder: Any, backends: dict[str, Any]) -> None:
    config = config | {"type_vocab_size": 1, "pad_token_id": 1}
    held(folder, backends, kind, config, seed)


@drawn
@given(data=st.data(), seed=seeds)
def test_distilbert(data: st.DataObject, seed: int, folder: Any, backends: dict[str, Any]) -> None:
    heads, each = data.draw(st.sampled_from([(1, 6), (2, 4), (3, 8)]))
    config = {
        "dim": heads * each,
        "n_heads": heads,
        "n_layers": data.draw(st.integers(1, 3)),
        "hidden_dim": data.draw(st.sampled_from([5, 24])),
        "activation": data.draw(st.sampled_from(["gelu", "relu"])),
        "max_position_embeddings": data.draw(st.integers(12, 40)),
        "sinusoidal_pos_embds": data.draw(st.booleans()),
    }
    held(folder, backends, "DistilBert", config, seed)


@st.composite
def deberta_config(draw: st.DrawFn) -> dict[str, Any]:
    """Every option that published checkpoints use: of the second version, of the third, and between."""
    config = draw(bert_config())
    longest = config["max_position_embeddings"]
    buckets = draw(st.sampled_from([-1, 4, 6, 8]))
    return config | {
        "hidden_act": draw(st.sampled_from(["gelu", "gelu_new"])),
        "type_vocab_size": draw(st.sampled_from([0, 2])),
        "relative_attention": draw(st.sampled_from([True, True, False])),
        "max_relative_positions": draw(st.sampled_from([-1, 7, longest])),
        "position_buckets": buckets,
        "norm_rel_ebd": draw(st.sampled_from(["none", "layer_norm"])),
        "share_att_key": draw(st.booleans()),
        "pos_att_type": draw(st.sampled_from(["p2c|c2p", ["c2p"], ["p2c"], ["c2p", "p2c"]])),
        "position_biased_input": draw(st.booleans()),
        "conv_kernel_size": draw(st.sampled_from([0, 3, 5])),
        "conv_act": draw(st.sampled_from(["gelu", "tanh"])),
        "embedding_size": draw(st.sampled_from([5, config["hidden_size"]])),
        "pooler_hidden_act": draw(st.sampled_from(["gelu", "tanh"])),
    }


@settings(parent=drawn, max_examples=6)
@given(config=deberta_config(), seed=seeds)
def test_deberta(config: dict[str, Any], seed: int, folder: Any, backends: dict[str, Any]) -> None:
    held(folder, backends, "DebertaV2", config, seed)


VERSIONS = {
    "v3": {
        "position_buckets": 256,
        "norm_rel_ebd": "layer_norm",
        "share_att_key": True,
        "pos_att_type": "p2c|c2p",
        "position_biased_input": False,
        "type_vocab_size": 0,
        "relative_attention": True,
    },
    "v2": {
        "position_buckets": 256,
        "norm_rel_ebd": "layer_norm",
        "share_att_key": True,
        "pos_att_type": "p2c|c2p",
        "position_biased_input": False,
        "type_vocab_size": 0,
        "relative_attention": True,
        "conv_kernel_size": 3,
        "conv_act": "gelu",
        "attention_head_size": 8,
    },
}


@pytest.mark.parametrize("version", VERSIONS)
def test_deberta_over_the_whole_of_its_length(version: str, folder: Any, backends: dict[str, Any]) -> None:
    """As published, with buckets for distances up to 512: every bucket is met."""
    config = VERSIONS[version] | {
        "hidden_size": 16,
        "num_attention_heads": 2,
        "num_hidden_layers": 2,
        "intermediate_size": 20,
        "max_position_embeddings": 512,
    }
    place = folder()
    model = reference.saved(place, "DebertaV2", config, 4)
    arrays = reference.batch(model.config.vocab_size, 0, 5, rows=2, length=512)
    wanted = reference.published_logits(model, arrays)
    for name, got in everywhere(backends, reference, "logits", place, arrays).items():
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4, err_msg=name)


# What files say.


SMALL = {
    "hidden_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 12,
    "max_position_embeddings": 20,
}


@pytest.fixture(scope="module")
def bert(folder: Any) -> Path:
    place: Path = folder()
    reference.saved(place, "Bert", SMALL, 0)
    return place


def changed(place: Path, copy: Path, weights: Any = None, **config: Any) -> Path:
    """A copy of a folder with other values in its configuration, and its weights through a function."""
    for file in place.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    stated = json.loads((copy / "config.json").read_text()) | config
    (copy / "config.json").write_text(json.dumps(stated))
    if weights is not None:
        before = open_weights(place)
        write_weights(copy / "model.safetensors", weights({name: before.read(name) for name in before}))
    return copy


def test_old_names_are_read(bert: Path, tmp_path: Path) -> None:
    """Norms as TensorFlow's checkpoints named them, and counters that old files store."""

    def old(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        found = {
            name.replace("Norm.weight", "Norm.gamma").replace("Norm.bias", "Norm.beta"): value
            for name, value in weights.items()
        }
        return found | {"bert.embeddings.position_ids": np.arange(20)[None]}

    place = changed(bert, tmp_path, old)
    arrays = reference.batch(60, 0, 1)
    np.testing.assert_array_equal(reference.logits(place, arrays), reference.logits(bert, arrays))


def test_weights_that_do_not_fit_are_named(bert: Path, tmp_path: Path) -> None:
    def lost(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        del weights["classifier.weight"]
        return weights | {"bert.encoder.layer.7.output.dense.bias": np.zeros(8, "float32")}

    with pytest.raises(CheckpointError) as caught:
        sa.load("sentiment-analysis", changed(bert, tmp_path, lost))
    assert "classifier.weight" in str(caught.value) and "layer.7" in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "wrong", "told"),
    [
        ("Bert", {"position_embedding_type": "relative_key"}, "position_embedding_type"),
        ("Bert", {"is_decoder": True}, "is_decoder"),
        ("Bert", {"num_attention_heads": 3}, "divide"),
        ("Bert", {"problem_type": "regression"}, "problem_type='regression'"),
        ("Bert", {"hidden_act": "swoosh"}, "swoosh"),
        ("Bert", {"architectures": ["BertForMaskedLM"]}, "BertForSequenceClassification"),
        ("Bert", {"max_position_embeddings": 4}, "expected"),
        ("Bert", {"vocab_size": 20}, "vocab_size=20"),
        ("DebertaV2", {"pos_att_type": "p2p"}, "pos_att_type"),
        ("DebertaV2", {"conv_kernel_size": 4}, "odd"),
        ("DebertaV2", {"conv_kernel_size": 3, "conv_groups": 2}, "conv_groups"),
        ("DebertaV2", {"position_buckets": 3, "relative_attention": True}, "position_buckets"),
        ("DebertaV2", {"pooler_hidden_size": 12}, "pooler_hidden_size"),
    ],
)
def test_configurations_that_cannot_be_followed_are_named(
    kind: str, wrong: dict[str, Any], told: str, folder: Any, tmp_path: Path
) -> None:
    place = folder()
    reference.saved(place, kind, SMALL, 0)
    with pytest.raises(CheckpointError, match=told):
        sa.load("sentiment-analysis", changed(place, tmp_path, **wrong))


def test_new_transformers_say_where_their_tokenizer_comes_from() -> None:
    from sixarts.errors import TrainingError

    task = sa.new("sentiment-analysis", family="bert", device="cpu", hidden_size=8, num_attention_heads=2)
    with pytest.raises(TrainingError, match="family='linear'"):
        task.fit([("good", "positive"), ("bad", "negative")], epochs=1, progress=False)
