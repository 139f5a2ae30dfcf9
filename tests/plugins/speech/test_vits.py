"""The ``vits`` family against the published implementation, on every backend that is installed."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import vits_reference as reference
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sixarts.checkpoint import open_weights
from sixarts.errors import CheckpointError, InputError, MissingExtra
from sixarts_speech.vits import Vits
from sixarts_speech.vits_processor import VitsProcessor

CONFIG: dict[str, Any] = {
    "hidden_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "window_size": 2,
    "ffn_dim": 12,
    "flow_size": 6,
    "spectrogram_bins": 5,
    "upsample_initial_channel": 8,
    "upsample_rates": [4, 2],
    "upsample_kernel_sizes": [8, 4],
    "resblock_kernel_sizes": [3, 5],
    "resblock_dilation_sizes": [[1, 3], [1, 2]],
    "duration_predictor_flow_bins": 5,
    "duration_predictor_filter_channels": 10,
    "duration_predictor_num_flows": 2,
    "prior_encoder_num_flows": 2,
    "prior_encoder_num_wavenet_layers": 2,
    "posterior_encoder_num_wavenet_layers": 1,
}
drawn = settings(
    derandomize=True,
    database=None,
    deadline=None,
    print_blob=False,
    max_examples=4,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


def everywhere(backends: Mapping[str, Any], *args: Any) -> dict[str, Any]:
    """Our waveforms here and in each worker, all at once."""
    with ThreadPoolExecutor() as pool:
        waiting = {
            name: pool.submit(worker.call, "vits_reference:waveforms", *args)
            for name, worker in backends.items()
        }
        here = reference.waveforms(*args)
        return {"here": here, **{name: future.result() for name, future in waiting.items()}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Makes folders of their own: models are remembered by their folder's name."""
    numbers = itertools.count()
    place = tmp_path_factory.mktemp("voices")
    yield lambda: place / str(next(numbers))


configs = st.fixed_dictionaries(
    {
        "hidden_act": st.sampled_from(["relu", "gelu"]),
        "use_bias": st.booleans(),
        "window_size": st.integers(1, 4),
        "ffn_kernel_size": st.integers(1, 4),
        "num_hidden_layers": st.integers(1, 2),
        "use_stochastic_duration_prediction": st.booleans(),
        "duration_predictor_num_flows": st.integers(1, 3),
        "depth_separable_num_layers": st.integers(1, 3),
        "wavenet_kernel_size": st.sampled_from([3, 5]),
        "wavenet_dilation_rate": st.integers(1, 2),
        "leaky_relu_slope": st.sampled_from([0.1, 0.2]),
        "noise_scale": st.sampled_from([0.0, 0.667]),
    }
) | st.just(
    {"upsample_rates": [3], "upsample_kernel_sizes": [5], "use_stochastic_duration_prediction": False}
)


@drawn
@given(configs, st.sampled_from([1, 3]), st.integers(1, 12), st.integers(0, 2**31 - 1), st.booleans())
def test_waveforms_are_the_published_ones(
    backends: Mapping[str, Any],
    folder: Any,
    config: Mapping[str, Any],
    speakers: int,
    length: int,
    seed: int,
    old_names: bool,
) -> None:
    full = {**CONFIG, **config, "num_speakers": speakers, "speaker_embedding_size": 4 if speakers > 1 else 0}
    place, random = folder(), np.random.default_rng(seed)
    model = reference.saved(place, full, seed, old_names)
    speaker = 2 if speakers > 1 else None
    ids = random.integers(0, len(reference.SYMBOLS), (1, length)).astype("int32")
    noise = random.standard_normal((1, length, 2)).astype("float32")
    expected, frames = reference.published(model, ids, noise, seed, speaker)
    assert np.abs(expected).max() > 1e-3
    for name, found in everywhere(backends, place, ids, noise, frames, speaker, 5).items():
        assert found["frames"] == len(frames), name
        for kind in ("alone", "followed", "whole"):
            assert np.abs(found[kind] - expected).max() < 1e-4, (name, kind)
        assert not found["hidden"], name


def test_saved_and_read_again(folder: Any, tmp_path: Path) -> None:
    place = folder()
    reference.saved(place, {**CONFIG, "num_speakers": 2, "speaker_embedding_size": 3}, 0, old_names=True)
    Vits.from_folder(place).save(tmp_path)
    before, after = open_weights(place), open_weights(tmp_path)
    new = {
        name.replace("weight_g", "parametrizations.weight.original0").replace(
            "weight_v", "parametrizations.weight.original1"
        ): name
        for name in before
        if not any(fnmatch(name, pattern) for pattern in Vits.ignored)
    }
    assert set(after) == set(new)
    assert all(np.array_equal(before.read(old), after.read(name)) for name, old in new.items())
    ids = VitsProcessor.from_folder(tmp_path, {"vocab_size": len(reference.SYMBOLS)}).encode("abc")
    assert ids == [0, 1, 0, 2, 0, 3, 0]


def test_a_text_without_end_is_refused(folder: Any) -> None:
    place = folder()
    reference.saved(place, CONFIG, 0)
    model = Vits.from_folder(place)
    arrays = model.processor.pad([[1, 2, 3]])
    noise = np.zeros((1, arrays["input_ids"].shape[1], 2), "float32")
    with pytest.raises(InputError, match="in shorter pieces"):
        model.plan(arrays, noise, 1e-9)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"upsample_kernel_sizes": [8]}, "upsample_kernel_sizes has 1 entries; expected 2"),
        ({"upsample_kernel_sizes": [7, 4]}, "an upsampling of 4 with a kernel of 7"),
        ({"upsample_initial_channel": 3}, "expected enough to be halved 2 times"),
        ({"hidden_size": 9}, "expected heads that divide the width"),
        ({"num_speakers": 2}, "speaker_embedding_size=0"),
        ({"wavenet_kernel_size": 4}, "an odd number"),
        ({"flow_size": 7}, "an even number"),
        ({"resblock_dilation_sizes": [[1]]}, "expected 2, one for each block"),
        ({"upsample_rates": [4, 10**9]}, "upsample_rates="),
    ],
)
@pytest.mark.quick
def test_what_cannot_be_built_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        Vits.configure(**{**CONFIG, **changes})


# Symbols.


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Any, VitsProcessor]]:
    """The published tokenizer and ours, by settings."""
    from transformers import VitsTokenizer

    found = {}
    for name, said in {
        "plain": {"phonemize": False},
        "without blanks": {"phonemize": False, "add_blank": False},
        "Romanian": {"phonemize": False, "language": "ron"},
    }.items():
        place = tmp_path_factory.mktemp("symbols")
        vocabulary = {**reference.SYMBOLS, "ţ": len(reference.SYMBOLS)}
        (place / "vocab.json").write_text(json.dumps(vocabulary))
        (place / "tokenizer_config.json").write_text(json.dumps(said))
        ours = VitsProcessor.from_folder(place, {"vocab_size": len(vocabulary)})
        found[name] = VitsTokenizer.from_pretrained(place), ours
    return found


@pytest.mark.parametrize("kind", ["plain", "without blanks", "Romanian"])
@settings(drawn, max_examples=80)
@given(text=st.text(st.sampled_from("abcjzABJÉé '_,.?țţ\n0"), min_size=1, max_size=12))
def test_symbols_are_the_published_ones(tokenizers: Any, kind: str, text: str) -> None:
    published, ours = tokenizers[kind]
    expected = published(text)["input_ids"]
    if not ours_has(ours, expected):
        with pytest.raises(InputError, match="no character"):
            ours.encode(text)
    else:
        assert ours.encode(text) == expected


def ours_has(ours: VitsProcessor, numbers: list[int]) -> bool:
    """Whether there is anything to say: more than spaces."""
    return any(number != ours.vocabulary[" "] for number in (numbers[1::2] if ours.blank else numbers))


@pytest.mark.quick
@pytest.mark.parametrize(("setting", "library"), [("phonemize", "phonemizer"), ("is_uroman", "uroman")])
def test_a_missing_library_is_named(setting: str, library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import sixarts_speech.vits_processor as module

    def absent(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(module.importlib, "import_module", absent)
    said = {"phonemize": False, "is_uroman": False, setting: True}
    with pytest.raises(MissingExtra, match=library):
        VitsProcessor(reference.SYMBOLS, said).encode("дом")


@pytest.mark.quick
def test_a_vocabulary_of_another_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "vocab.json").write_text(json.dumps({"a": 5}))
    with pytest.raises(CheckpointError, match="vocab_size=3"):
        VitsProcessor.from_folder(tmp_path, {"vocab_size": 3})
