"""The ``whisper`` family against the published implementation: features, tokens, network, search."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import whisper_reference as reference
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from whisper_reference import (
    BANDS,
    EOS,
    FIRST_TIME,
    NUMBERS,
    ROOM,
    SOURCES,
    WORDS,
    configuration,
    saved,
    sounds,
)

from everywhere import everywhere
from sixarts.errors import CheckpointError, OptionError
from sixarts_speech.whisper_features import Frames, LogMel, filters, peak_of, scaled

#: XLA is left out: see ``without_xla``.
MANY_NETWORKS = True

drawn = settings(
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Makes folders of their own: models are remembered by their folder's name."""
    numbers = itertools.count()
    place = tmp_path_factory.mktemp("whisper")
    yield lambda: place / str(next(numbers))


@pytest.fixture(scope="module")
def small(folder: Any) -> tuple[Path, Any]:
    """One network, for what does not depend on the architecture."""
    place = folder()
    return place, saved(place, configuration(), seed=3)


# Features.


@pytest.mark.quick
@pytest.mark.parametrize("bands", [80, 128])
def test_filters_are_slaneys(bands: int) -> None:
    import librosa

    wanted = librosa.filters.mel(sr=16000, n_fft=400, n_mels=bands, fmax=8000.0).T
    np.testing.assert_allclose(filters(bands, 400, 16000), wanted, atol=1e-7)


@settings(drawn, max_examples=12)
@given(
    st.sampled_from([80, 128]),
    st.integers(0, 2**20),
    st.sampled_from(["noise", "tone", "chirp", "clicks", "zeros"]),
    st.integers(1_000, 32_000),
)
def test_features_are_the_published_ones(bands: int, seed: int, kind: str, length: int) -> None:
    from transformers import WhisperFeatureExtractor

    random, t = np.random.default_rng(seed), np.arange(length) / 16000
    samples = {
        "noise": random.standard_normal(length) * 10 ** random.uniform(-4, -0.5),
        "tone": np.sin(2 * np.pi * random.uniform(50, 7900) * t) + 3e-3 * random.standard_normal(length),
        "chirp": np.sin(2 * np.pi * (100 * t + 1000 * t * t)) + 3e-3 * random.standard_normal(length),
        "clicks": (random.random(length) < 0.001) * 1.0,
        "zeros": np.zeros(length),
    }[kind].astype("float32")
    extractor = WhisperFeatureExtractor(feature_size=bands, chunk_length=2)
    ours = LogMel(feature_size=bands, chunk_length=2)
    wanted = extractor(samples, sampling_rate=16000, return_tensors="np")["input_features"][0].T
    # Quiet bands beside loud ones are what rounding in float32 leaves there, up to 1e-3 beside a pure tone.
    pure = kind in ("tone", "chirp")
    np.testing.assert_allclose(ours.window(samples), wanted, atol=1e-3 if pure else 1e-4)
    np.testing.assert_allclose(ours(samples), in_float64(samples, bands), atol=1e-5)
    # A whole sound, as long ones are read.
    whole = extractor(samples, sampling_rate=16000, return_tensors="np", padding="longest", truncation=False)
    whole = whole["input_features"][0].T[: length // 160]
    np.testing.assert_allclose(ours(samples), whole, atol=1e-3 if pure else 1e-4)


def in_float64(samples: np.ndarray, bands: int) -> np.ndarray:
    """The features by the definition."""
    padded = np.pad(samples.astype("float64"), 200, mode="reflect")
    frames = np.stack([padded[start : start + 400] for start in range(0, len(samples) // 160 * 160, 160)])
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    power = np.abs(np.fft.rfft(frames * window)) ** 2 @ filters(bands, 400, 16000).astype("float64")
    raw = np.log10(np.maximum(power, 1e-10))
    return (np.maximum(raw, raw.max() - 8) + 4) / 4


@settings(drawn, max_examples=30)
@given(st.integers(0, 2**20), st.lists(st.integers(0, 5000), min_size=1, max_size=6))
def test_blocks_give_what_the_whole_gives(seed: int, sizes: list[int]) -> None:
    mel = LogMel(feature_size=BANDS, chunk_length=1)
    samples = np.random.default_rng(seed).standard_normal(sum(sizes)).astype("float32")
    blocks = np.split(samples, np.cumsum(sizes)[:-1])
    parts = list(mel.blocks(blocks))
    if len(samples) > 200:
        np.testing.assert_allclose(
            np.concatenate(parts or [np.zeros((0, BANDS))]), mel.raw(samples), atol=1e-5
        )
    frames = Frames(mel, blocks, peak_of(mel, blocks))
    found = [frames.window(start) for start in range(0, len(samples) // 160 + 100, 70)]
    assert frames.count == len(samples) // 160
    if len(samples) > 200:
        whole = scaled(mel.raw(samples))
        for start, (window, count) in zip(range(0, 10**9, 70), found, strict=False):
            assert window.shape == (100, BANDS) and not window[count:].any()
            np.testing.assert_allclose(window[:count], whole[start : start + 100], atol=1e-5)


# Tokens.


@pytest.fixture(scope="module")
def tokenizers(small: tuple[Path, Any], folder: Any) -> list[tuple[Any, Any]]:
    """Ours and the published one, of the older layout and of ``tokenizer.json``."""
    from transformers import WhisperTokenizer

    from sixarts_speech.whisper_tokens import WhisperTokens

    vocabulary, merges = reference.pieces(400)
    old, new = folder(), folder()
    old.mkdir()
    (old / "vocab.json").write_text(json.dumps(vocabulary))
    (old / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
    names = [*NUMBERS, *(f"<|{tick * 0.02:.2f}|>" for tick in range(SOURCES + 1))]
    added = {name: len(vocabulary) + place for place, name in enumerate(names)}
    (old / "added_tokens.json").write_text(json.dumps(added))
    published = WhisperTokenizer(vocab=vocabulary, merges=merges)
    published.add_tokens([name for name in names if name not in NUMBERS], special_tokens=False)
    published = WhisperTokenizer(vocab=vocabulary, merges=merges)
    published.add_tokens(names, special_tokens=True)
    published.save_pretrained(new)
    return [(WhisperTokens.from_folder(place), published) for place in (old, new)]


TEXTS = st.text(max_size=30) | st.lists(
    st.sampled_from(
        [" the", " cat", "'s", "hat", "é", "猫", "🙂", "  ", "\n", " 12", "!", " (", '"', ")", "."]
    )
).map("".join)


@settings(drawn, max_examples=100)
@given(TEXTS)
def test_texts_are_the_published_tokens(tokenizers: Any, text: str) -> None:
    for ours, published in tokenizers:
        tokens = published.encode(text, add_special_tokens=False)
        assert ours.encode(text) == tokens
        assert ours.decode(tokens) == published.decode(tokens, skip_special_tokens=True)


@settings(drawn, max_examples=100)
@given(st.lists(st.integers(0, 460), max_size=20))
def test_tokens_are_the_published_texts(tokenizers: Any, tokens: list[int]) -> None:
    for ours, published in tokenizers:
        # What stands after a prompt alone is shown there.
        tokens = [token for token in tokens if token != ours.added["<|startofprev|>"]]
        assert ours.decode(tokens) == published.decode(tokens, skip_special_tokens=True)


@settings(drawn, max_examples=60)
@given(TEXTS, st.sampled_from(["en", "ja"]))
def test_words_are_the_published_ones(tokenizers: Any, text: str, language: str) -> None:
    from transformers.models.whisper.tokenization_whisper import _combine_tokens_into_words

    for ours, published in tokenizers:
        tokens = ours.encode(text)
        if not tokens or "<|" in text:
            continue
        name = {"en": "english", "ja": "japanese"}[language]
        wanted, _, places = _combine_tokens_into_words(published, tokens, name)
        found = ours.words(tokens, language)
        assert [word.text for word in found] == wanted
        assert [list(range(word.first, word.last + 1)) for word in found] == places


def test_a_text_never_steers(tokenizers: Any) -> None:
    for ours, _ in tokenizers:
        text = " a<|endoftext|> <|en|><|0.04|>"
        assert not set(ours.encode(text)) & set(ours.added.values())


# Network.


@st.composite
def configurations(draw: st.DrawFn) -> dict[str, Any]:
    heads, others = draw(st.sampled_from([(1, 2), (2, 4), (4, 1)]))
    return configuration(
        d_model=draw(st.sampled_from([8, 16])),
        encoder_layers=draw(st.integers(1, 3)),
        decoder_layers=draw(st.integers(1, 3)),
        encoder_attention_heads=heads,
        decoder_attention_heads=others,
        encoder_ffn_dim=draw(st.sampled_from([5, 40])),
        decoder_ffn_dim=draw(st.sampled_from([7, 33])),
        num_mel_bins=draw(st.sampled_from([3, BANDS])),
        scale_embedding=draw(st.booleans()),
        activation_function=draw(st.sampled_from(["gelu", "relu", "gelu_new"])),
        max_target_positions=draw(st.sampled_from([12, ROOM])),
        tie_word_embeddings=draw(st.sampled_from([True, True, False])),
    )


def test_network_and_cached_steps(folder: Any, backends: dict[str, Any]) -> None:
    @settings(drawn, max_examples=3)
    @given(configurations(), st.integers(0, 2**20), st.integers(2, 9))
    def check(config: dict[str, Any], seed: int, length: int) -> None:
        place = folder()
        model = saved(place, config, seed, reference.generation(alignment_heads=[[0, 0]]))
        tokens = np.random.default_rng(seed).integers(0, WORDS, (2, length)).astype("int32")
        features = sounds(seed, bands=config["num_mel_bins"])
        wanted = reference.teacher_forced(model, features, tokens)
        for backend, found in everywhere(
            backends, reference, "answers", str(place), features, tokens
        ).items():
            for name, theirs in (
                ("encoder", "encoder"),
                ("logits", "logits"),
                ("read", "logits"),
                ("steps", "logits"),
                ("attention", "attention"),
            ):
                np.testing.assert_allclose(
                    found[name], wanted[theirs], rtol=1e-4, atol=1e-4, err_msg=f"{name} on {backend}"
                )

    check()


# Search.


@pytest.mark.parametrize("beams", [1, 4])
def test_tokens_are_the_published_ones(small: tuple[Path, Any], backends: dict[str, Any], beams: int) -> None:
    """Language told and detected, both tasks, with times and without."""
    place, model = small
    features = sounds(1, rows=4)
    for language, task, times in (("de", "transcribe", True), (None, "translate", False)):
        wanted = reference.generated(
            model, features, num_beams=beams, language=language, task=task, return_timestamps=times
        )
        assert len({len(tokens) for tokens in wanted}) > 1, "some end, and some do not"
        how = {"language": language, "task": task, "times": times, "beams": beams}
        for backend, found in everywhere(
            backends, reference, "recognized", str(place), features, how
        ).items():
            assert [list(heard["tokens"]) for heard in found] == wanted, (backend, how)


def test_figures_of_an_answer_are_the_published_ones(small: tuple[Path, Any]) -> None:
    """Language, mean log-probability, silence, compression: each as the published code computes it."""
    import torch

    place, model = small
    features = sounds(5, rows=2)
    how = {"task": "transcribe", "times": True, "no_speech": 0.5, "log_probability": -9.0}
    found = reference.recognized(str(place), features, how)
    for row, heard in zip(features, found, strict=True):
        inputs = torch.tensor(row.T[None])
        language = int(model.detect_language(inputs)[0])
        assert NUMBERS[f"<|{heard['language']}|>"] == language
        prompt = [reference.SOT, language, NUMBERS["<|transcribe|>"]]
        with torch.no_grad():
            first = model(inputs, decoder_input_ids=torch.tensor([prompt[:1]])).logits[0, 0]
        assert heard["no_speech"] == pytest.approx(
            float(first.softmax(-1)[NUMBERS["<|nospeech|>"]]), abs=1e-5
        )
        shares = first[[NUMBERS[f"<|{code}|>"] for code in reference.LANGUAGES]].softmax(-1)
        assert heard["language_probability"] == pytest.approx(float(shares.max()), abs=1e-5)
        out = model.generate(
            inputs, task="transcribe", return_timestamps=True, force_unique_generate_call=True,
            return_dict_in_generate=True, output_scores=True, logprob_threshold=-9.0, temperature=0.0,
        )  # fmt: skip
        tokens = out["sequences"][0][len(prompt) :]
        mean = float(model._retrieve_avg_logprobs([s[0] for s in out["scores"]], tokens, 0.0))
        assert heard["log_probability"] == pytest.approx(mean, abs=1e-4)
        assert heard["compression"] == model._retrieve_compression_ratio(tokens, WORDS)


def test_rows_do_not_depend_on_each_other(small: tuple[Path, Any]) -> None:
    """Alone or together, with prompts of unlike length, sampled or not."""
    place, _ = small
    features = sounds(2, rows=2)
    previous = [(), (NUMBERS["<|startofprev|>"], 4, 5, 6)]
    for how in (
        {"language": "de"},
        {"language": "de", "beams": 3},
        {"language": "de", "temperatures": (0.0, 0.8), "log_probability": 9.0, "no_speech": 0.9, "seed": 4},
    ):
        together = reference.recognized(str(place), features, how, previous)
        for row, heard in enumerate(together):
            (alone,) = reference.recognized(str(place), features[row : row + 1], how, previous[row : row + 1])
            assert heard["tokens"] == alone["tokens"], (how, row)
            assert heard["log_probability"] == pytest.approx(alone["log_probability"], abs=1e-4)


def test_another_try_where_an_answer_looks_wrong(small: tuple[Path, Any]) -> None:
    place, _ = small
    features = sounds(3, rows=2)

    def heard(**how: Any) -> list[dict[str, Any]]:
        return reference.recognized(str(place), features, {"language": "de", **how})

    steady = heard()
    temperatures = (0.0, 0.4, 1.0)
    # Nothing is wrong: the first temperature stands.
    assert [h["temperature"] for h in heard(temperatures=temperatures, log_probability=-99.0)] == [0.0, 0.0]
    # All is wrong: the last one does.
    for wrong in ({"log_probability": 9.0}, {"compression_ratio": 0.0}):
        assert [h["temperature"] for h in heard(temperatures=temperatures, **wrong)] == [1.0, 1.0]
    # One is wrong.
    means = [h["log_probability"] for h in steady]
    between = heard(temperatures=(0.0, 1.0), log_probability=sum(means) / 2)
    assert {h["temperature"] for h in between} == {0.0, 1.0}
    kept = int(np.argmax(means))
    assert between[kept]["tokens"] == steady[kept]["tokens"]
    # Nobody speaks: no other try, and the answer counts for nothing.
    quiet = heard(temperatures=temperatures, log_probability=9.0, no_speech=0.0)
    assert all(h["skipped"] and h["temperature"] == 0.0 for h in quiet)
    assert not any(h["skipped"] for h in heard(log_probability=9.0, no_speech=1.0))


def test_options_that_a_model_has_not(small: tuple[Path, Any], folder: Any) -> None:
    from sixarts_speech.whisper_decoding import Decoding

    recognizer = reference.opened(str(small[0])).recognizer
    for how in (
        {"language": "fr"},
        {"language": "klingon"},
        {"task": "sing"},
        {"temperatures": ()},
        {"temperatures": (-1.0,)},
        {"max_new_tokens": ROOM + 1},
    ):
        with pytest.raises(OptionError):
            recognizer.check(Decoding(**how))
    for language in ("de", "German", "DE", "de-AT"):
        recognizer.check(Decoding(language=language))
    place = folder()
    english = reference.generation(is_multilingual=False)
    del english["lang_to_id"], english["task_to_id"]
    model = saved(place, configuration(), 3, english)
    ours = reference.opened(str(place))
    with pytest.raises(OptionError, match="English only"):
        ours.recognizer.check(Decoding(task="translate"))
    wanted = reference.generated(model, sounds(1), return_timestamps=False)
    found = reference.recognized(str(place), sounds(1), {"times": False})
    assert [list(heard["tokens"]) for heard in found] == wanted
    assert found[0]["language"] is None


# Times of words.


def test_times_of_tokens_are_the_published_ones(small: tuple[Path, Any]) -> None:
    import torch

    place, model = small
    features = sounds(7, rows=2)
    for beams in (1, 3):
        found = reference.recognized(
            str(place), features, {"language": "de", "times": True, "word_times": True, "beams": beams}
        )
        for row, heard in zip(features, found, strict=True):
            with torch.no_grad():
                out = model.generate(
                    torch.tensor(row.T[None]), language="de", task="transcribe", return_timestamps=True,
                    return_token_timestamps=True, force_unique_generate_call=True, num_beams=beams,
                )  # fmt: skip
            tokens = reference.after_prompt(out["sequences"][0].tolist())
            times = out["token_timestamps"][0].tolist()[-len(tokens) :]
            count = len(heard["tokens"])
            assert list(heard["tokens"]) == tokens[:count]
            np.testing.assert_allclose(heard["times"], times[:count], atol=0.0201)
            assert (np.diff(heard["times"]) >= 0).all()
            assert ((heard["probabilities"] >= 0) & (heard["probabilities"] <= 1)).all()


@settings(drawn, max_examples=30)
@given(st.integers(1, 12), st.integers(1, 30), st.integers(0, 2**20))
def test_the_cheapest_way_is_the_published_one(rows: int, columns: int, seed: int) -> None:
    from transformers.models.whisper.generation_whisper import _dynamic_time_warping, _median_filter

    from sixarts_speech.whisper_alignment import median_filtered, warped

    # Few values, so that ways tie.
    costs = np.random.default_rng(seed).integers(0, 4, (rows, columns)).astype("float64")
    for ours, theirs in zip(warped(costs), _dynamic_time_warping(costs), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    import torch

    wanted = _median_filter(torch.tensor(costs)[None, None], 7)[0, 0].numpy()
    np.testing.assert_array_equal(median_filtered(costs, 7), wanted)


# Long sounds.


class Whole:
    """Windows of features that are all there, as the published code cuts them."""

    def __init__(self, features: np.ndarray) -> None:
        self.features = features

    def window(self, start: int) -> tuple[np.ndarray, int]:
        found = np.zeros((2 * SOURCES, self.features.shape[1]), "float32")
        part = self.features[start : start + 2 * SOURCES]
        found[: len(part)] = part
        return found, len(part)


@pytest.mark.parametrize(("build_on", "prompt"), [(False, ()), (True, ()), (True, (4, 5, 6))])
def test_long_sounds_give_the_published_segments(
    small: tuple[Path, Any], build_on: bool, prompt: tuple[int, ...]
) -> None:
    import torch

    from sixarts_speech.whisper_decoding import Decoding
    from sixarts_speech.whisper_longform import Listening

    place, model = small
    ours = reference.opened(str(place))
    length = 5 * SOURCES + 30
    features = sounds(11, rows=1, frames=length)[0]
    told = {} if not prompt else {"prompt_ids": torch.tensor([NUMBERS["<|startofprev|>"], *prompt])}
    with torch.no_grad():
        wanted = model.generate(
            torch.tensor(features.T[None]), language="de", task="transcribe", return_timestamps=True,
            return_segments=True, condition_on_prev_tokens=build_on, temperature=0.0, **told,
        )["segments"][0]  # fmt: skip
    how = Decoding(language="de")
    listening = Listening(ours.speech, ours.longest, 0.01, build_on, prompt, "de")
    steps = listening.passages(Whole(features), length)
    windows, heard = [], None
    while True:
        try:
            window = next(steps) if heard is None else steps.send(heard)
        except StopIteration as end:
            found = end.value
            break
        windows.append(window)
        (heard,) = ours.recognizer.recognize(window.features[None], how, [window.previous])
    assert len(windows) > 2, "more than the sound's length asks for"
    assert any(window.previous for window in windows) == build_on
    assert [list(passage.tokens) for passage in found] == [part["tokens"].tolist() for part in wanted]
    for passage, part in zip(found, wanted, strict=True):
        assert passage.start == pytest.approx(float(part["start"]), abs=1e-6)
        assert passage.end == pytest.approx(float(part["end"]), abs=1e-6)


# Files.


def test_what_does_not_fit_together_is_named(small: tuple[Path, Any], tmp_path: Path) -> None:
    from sixarts_speech.whisper import Whisper

    def broken(name: str, **changes: Any) -> Path:
        place = tmp_path / str(len(list(tmp_path.iterdir())))
        shutil.copytree(small[0], place)
        content = json.loads((place / name).read_text()) | changes
        (place / name).write_text(json.dumps(content))
        return place

    config, generation = "config.json", "generation_config.json"
    for place, said in (
        (broken(config, d_model=2**20), "d_model"),
        (broken(config, d_model=24, encoder_attention_heads=7), "divisor"),
        (broken(config, max_source_positions=2**18, d_model=2**14), "positions"),
        (broken(config, max_source_positions=60), "window"),
        (broken(config, num_mel_bins=BANDS + 1), "feature_size"),
        (broken(config, median_filter_width=4), "odd"),
        (broken(config, decoder_layers=3), "layers.2"),
        (broken(config, vocab_size=40), "from 0 to 39"),
        (broken(generation, alignment_heads=[[9, 0]]), "alignment_heads"),
        (broken(generation, alignment_heads="all"), "alignment_heads"),
        (broken(generation, lang_to_id={"<|en|>": 10**6}), "lang_to_id"),
        (broken(generation, suppress_tokens=[-1]), "suppress_tokens"),
        (broken(generation, no_timestamps_token_id=True), "no_timestamps"),
        (broken("preprocessor_config.json", n_fft=0), "n_fft"),
        (broken("preprocessor_config.json", dither=0.1), "dither"),
        (broken("added_tokens.json", **{"<|x|>": -3}), "added_tokens"),
    ):
        with pytest.raises(CheckpointError, match=said):
            Whisper.from_folder(place)
    for name in ("vocab.json", "merges.txt"):
        place = broken(config)
        (place / name).unlink()
        with pytest.raises(CheckpointError, match=name):
            Whisper.from_folder(place)


def test_saved_is_what_was_read(small: tuple[Path, Any], tmp_path: Path) -> None:
    place, _ = small
    model = reference.opened(str(place))
    model.save(tmp_path / "again")
    features, tokens = sounds(1), np.full((2, 3), FIRST_TIME, "int32")
    tokens[:, 0] = EOS
    one, other = (reference.answers(str(p), features, tokens)["logits"] for p in (place, tmp_path / "again"))
    np.testing.assert_array_equal(one, other)
    assert not model.hidden_constants()
