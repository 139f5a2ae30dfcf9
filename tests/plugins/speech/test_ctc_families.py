"""wav2vec 2.0 and HuBERT against the published implementations, on every backend that is installed."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import ctc_reference as reference
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sixarts.checkpoint import open_weights
from sixarts.errors import CheckpointError
from sixarts_speech.ctc_paths import Frames, greedy
from sixarts_speech.vocabulary import Vocabulary

#: XLA is left out: see ``without_xla``.
MANY_NETWORKS = True

drawn = settings(
    derandomize=True,
    database=None,
    deadline=None,
    print_blob=False,
    max_examples=2,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
SMALL = {
    "hidden_size": 24,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "conv_dim": [12, 12],
    "conv_kernel": [10, 3],
    "conv_stride": [5, 4],
    "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 4,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Makes folders of their own: models are remembered by their folder's name."""
    numbers, place = itertools.count(), tmp_path_factory.mktemp("sounds")
    yield lambda: place / str(next(numbers))


@st.composite
def configs(draw: st.DrawFn) -> dict[str, Any]:
    heads, each = draw(st.sampled_from([(1, 8), (2, 8), (4, 6)]))
    count = draw(st.integers(1, 3))
    return {
        "hidden_size": heads * each,
        "num_attention_heads": heads,
        "num_hidden_layers": draw(st.integers(1, 2)),
        "intermediate_size": draw(st.sampled_from([7, 32])),
        "hidden_act": draw(st.sampled_from(["gelu", "relu"])),
        "conv_dim": [draw(st.sampled_from([8, 12])) for _ in range(count)],
        "conv_kernel": [10, *(draw(st.integers(1, 3)) for _ in range(count - 1))],
        "conv_stride": [5, *(draw(st.integers(1, 3)) for _ in range(count - 1))],
        "num_feat_extract_layers": count,
        "conv_bias": draw(st.booleans()),
        "num_conv_pos_embeddings": draw(st.sampled_from([7, 16])),
        "num_conv_pos_embedding_groups": draw(st.sampled_from([1, 2, 4])) if heads * each % 4 == 0 else 1,
        "feat_extract_norm": draw(st.sampled_from(["group", "layer"])),
        "do_stable_layer_norm": draw(st.booleans()),
        "layer_norm_eps": draw(st.sampled_from([1e-5, 1e-3])),
    }


def held(folder: Any, backends: Mapping[str, Any], kind: str, config: Mapping[str, Any], seed: int) -> None:
    """Logits everywhere within 1e-4 of the published model's, alone and in a batch."""
    place, random = folder(), np.random.default_rng(seed)
    model = reference.saved(place, kind, config, seed, old_names=bool(seed % 2))
    sounds = [random.standard_normal(int(random.integers(700, 3_000))).astype("float32") for _ in range(3)]
    wanted = reference.published_logits(model, config, sounds)
    assert min(np.abs(row).max() for row in wanted) > 1e-2
    with ThreadPoolExecutor() as pool:
        waiting = {n: pool.submit(w.call, "ctc_reference:logits", place, sounds) for n, w in backends.items()}
        found = {"here": reference.logits(place, sounds), **{n: f.result() for n, f in waiting.items()}}
    for name, rows in found.items():
        for got, row in zip(rows, wanted, strict=True):
            np.testing.assert_allclose(got, row, rtol=1e-4, atol=1e-4, err_msg=name)
    if config.get("feat_extract_norm") == "layer":
        batch = reference.published_batch(model, config, sounds)
        for got, row in zip(found["here"], batch, strict=True):
            np.testing.assert_allclose(got, row[: len(got)], rtol=1e-4, atol=1e-4)


@drawn
@given(config=configs(), seed=st.integers(0, 99))
@pytest.mark.parametrize("kind", ["wav2vec2", "hubert"])
def test_logits(
    folder: Any, backends: Mapping[str, Any], kind: str, config: dict[str, Any], seed: int
) -> None:
    held(folder, backends, kind, config, seed)


@pytest.mark.parametrize(
    "options",
    [
        {"feat_extract_norm": "group", "do_stable_layer_norm": False},
        {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True},
    ],
    ids=["base", "large"],
)
def test_published_kinds(folder: Any, options: dict[str, Any]) -> None:
    """The two kinds that are published, in both namings of the positions' kernel."""
    for seed in (2, 3):
        held(folder, {}, "wav2vec2", {**SMALL, **options}, seed)


def test_features_without_norm(folder: Any) -> None:
    held(folder, {}, "hubert", {**SMALL, "feat_proj_layer_norm": False}, 4)


@given(path=st.lists(st.integers(0, len(reference.TOKENS) - 1), max_size=40))
@settings(deadline=None, max_examples=40, derandomize=True, database=None)
@pytest.mark.parametrize("lowered", [False, True])
def test_greedy_text_is_the_published_tokenizers(tokenizers: Any, lowered: bool, path: list[int]) -> None:
    tokenizer = tokenizers[lowered]
    frames = Frames(0, np.array(path, "int32").reshape(-1, 1), np.zeros((len(path), 1), "float32"))
    vocabulary = Vocabulary(reference.TOKENS, 0, "|", lowered)
    assert vocabulary.text(token.number for token in greedy(frames, 0)) == tokenizer.decode(path)


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Any]:
    from transformers import Wav2Vec2CTCTokenizer

    path = tmp_path_factory.mktemp("tokens") / "vocab.json"
    path.write_text(json.dumps({token: number for number, token in enumerate(reference.TOKENS)}))
    return {lowered: Wav2Vec2CTCTokenizer(str(path), do_lower_case=lowered) for lowered in (False, True)}


def test_saved_again(folder: Any) -> None:
    """A folder that is read and saved has every weight and token that is needed, and reads the same."""
    place, again = folder(), folder()
    reference.saved(place, "wav2vec2", SMALL, 1, old_names=True)
    model = reference.ours(place)
    model.save(again)
    other = type(model).from_folder(again)
    assert other.processor.vocabulary == model.processor.vocabulary
    assert (other.processor.rate, other.processor.normalized) == (16_000, True)
    sound = np.random.default_rng(0).standard_normal(2_000).astype("float32")
    arrays = model.processor.arrays([sound], 2_000)
    np.testing.assert_array_equal(model(arrays)["logits"], other(arrays)["logits"])
    names = set(open_weights(again).keys())
    assert set(open_weights(place).keys()) - names <= {
        "wav2vec2.masked_spec_embed",
        "wav2vec2.encoder.pos_conv_embed.conv.weight_g",
        "wav2vec2.encoder.pos_conv_embed.conv.weight_v",
    }


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"add_adapter": True}, "add_adapter"),
        ({"adapter_attn_dim": 16}, "adapter_attn_dim"),
        ({"conv_pos_batch_norm": True}, "conv_pos_batch_norm"),
        ({"conv_kernel": [3]}, "unlike lengths"),
        ({"num_attention_heads": 5}, "divisors"),
        ({"pad_token_id": 500}, "pad_token_id"),
        ({"feat_extract_norm": "batch"}, "feat_extract_norm"),
    ],
)
def test_other_configurations_are_refused(folder: Any, change: dict[str, Any], words: str) -> None:
    place = folder()
    reference.saved(place, "wav2vec2", SMALL, 0)
    config = json.loads((place / "config.json").read_text())
    (place / "config.json").write_text(json.dumps({**config, **change}))
    with pytest.raises(CheckpointError, match=words):
        reference.ours(place)


def test_languages_of_one_vocabulary(folder: Any) -> None:
    """MMS's vocabularies hold a table a language; the tokenizer's settings choose."""
    place = folder()
    reference.saved(place, "wav2vec2", SMALL, 0)
    table = {token: number for number, token in enumerate(reference.TOKENS)}
    (place / "vocab.json").write_text(json.dumps({"eng": table, "fra": {**table, "é": 5}}))
    settings_file = place / "tokenizer_config.json"
    stated = json.loads(settings_file.read_text())
    settings_file.write_text(json.dumps({**stated, "target_lang": "eng"}))
    assert reference.ours(place).processor.vocabulary.tokens == reference.TOKENS
    reference.ours.cache_clear()
    settings_file.write_text(json.dumps({**stated, "target_lang": None}))
    with pytest.raises(CheckpointError, match="target_lang"):
        reference.ours(place)


def test_lengths(folder: Any) -> None:
    """Frames of any number of samples, and samples of one frame."""
    place = folder()
    reference.saved(place, "wav2vec2", SMALL, 0)
    model = reference.ours(place)
    assert model.frames(model.shortest) == 1 and model.frames(model.shortest - 1) == 0
    assert model.stride == 20 and model.frames(0) == 0
    assert Path(place).is_dir()
