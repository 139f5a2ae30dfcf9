"""The ``source_filter`` family and what it is made of: backends, sources, filter, alignment, letters."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import voice_reference as reference
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from everywhere import everywhere
from sixarts.errors import CheckpointError, InputError
from sixarts_speech.alignment_search import durations_of
from sixarts_speech.letter_to_sound import Pronouncer
from sixarts_speech.letter_to_sound_recipe import accuracy, aligned, grown, words_of
from sixarts_speech.pitch_tracking import pitch_of
from sixarts_speech.reading import tokens
from sixarts_speech.source_filter import SourceFilterVoice
from sixarts_speech.voice_layers import Filter
from sixarts_speech.voice_measures import cepstra, distortion
from sixarts_speech.voice_processor import FIRST, LAST, NOWHERE, WITHIN, VoiceProcessor
from sixarts_speech.voice_sound import REFERENCE, bands_of, contour, points_of, pulses

#: XLA is left out: see ``without_xla``.
MANY_NETWORKS = True

drawn = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=3,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@drawn
@given(
    st.fixed_dictionaries({"kernel": st.sampled_from([1, 5]), "encoder_blocks": st.integers(0, 2)}),
    st.integers(2, 9),
    st.integers(0, 2**31 - 1),
)
def test_backends_agree(
    backends: Mapping[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
    config: dict[str, Any],
    count: int,
    seed: int,
) -> None:
    folder = reference.saved(tmp_path_factory.mktemp("voice"), **config)
    random = np.random.default_rng(seed)
    ids = random.integers(0, len(reference.SYMBOLS), (1, count)).astype("int32")
    places = random.integers(1, 6, (1, count)).astype("int32")
    durations = random.integers(0, 5, count) + (np.arange(count) == 0)
    found = everywhere(backends, reference, "told", folder, ids, places, durations, seed)
    ours = found["here"]
    assert np.abs(ours["alone"]).max() > 1e-3
    for name, other in found.items():
        for kind, value in ours.items():
            assert np.abs(other[kind] - value).max() < 1e-4, (name, kind)
        # What fills a batch up is not heard.
        for kind in ("followed", "whole alone", "whole followed"):
            assert np.abs(other[kind] - other["alone"]).max() < 1e-5, (name, kind)


def test_no_weight_is_hidden_or_lost(tmp_path: Path) -> None:
    model = reference.voice()
    assert not model.hidden_constants()
    saved = {id(target.variable) for target in model.targets(frozenset()).values()}
    assert all(id(variable) in saved for variable in model.network.trainable_variables)
    again = SourceFilterVoice.from_folder(reference.saved(tmp_path))
    for one, other in zip(model.network.variables, again.network.variables, strict=True):
        assert np.array_equal(np.asarray(one), np.asarray(other)) or "seed" in one.path


@pytest.mark.quick
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"hop": 41}, "an even number"),
        ({"kernel": 4}, "an odd number"),
        ({"bands": 10**9}, "bands"),
        ({"colour": 1}, "colour"),
        ({"sampling_rate": 10}, "sampling_rate"),
        ({"dropout": 2}, "dropout"),
    ],
)
def test_settings_have_limits(change: dict[str, Any], said: str) -> None:
    with pytest.raises((CheckpointError, ValueError), match=said):
        SourceFilterVoice.configure(**change)


# Sources and filter.


@pytest.mark.quick
@pytest.mark.parametrize("hertz", [80.0, 150.0, 333.0])
def test_pulses_sound_at_their_pitch_with_power_one(hertz: float) -> None:
    pitch = np.full(100, np.log2(hertz / REFERENCE))
    wave = pulses(pitch, 160, 16000)
    assert np.isfinite(wave).all() and np.mean(wave**2) == pytest.approx(1, abs=0.05)
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave))))
    peak = np.argmax(spectrum[: int(1.5 * hertz)])
    assert peak == pytest.approx(hertz, abs=1.5)
    higher = pulses(pitch, 160, 16000, 1.0)
    assert np.argmax(np.abs(np.fft.rfft(higher * np.hanning(len(wave))))[: int(3 * hertz)]) == pytest.approx(
        2 * hertz, abs=2
    )


@pytest.mark.quick
def test_a_flat_filter_changes_nothing() -> None:
    layer = Filter(40, 8000, 6, 4, dtype="float32", name="filter")
    sources = np.random.default_rng(0).standard_normal((2, 800, 2)).astype("float32")
    flat = np.zeros((2, 20, 20), "float32")
    everywhere_heard = np.ones((2, 20, 1), "float32")
    sounded = np.asarray(layer(flat, sources, everywhere_heard))
    both = sources.sum(axis=-1)
    # The first half frame begins from silence, the last ends in it.
    assert np.abs(sounded - both)[:, 20:-20].max() < 1e-4
    louder = flat.copy()
    louder[..., :] = np.log(2.0)
    assert np.abs(np.asarray(layer(louder, sources, everywhere_heard)) - 2 * both)[:, 20:-20].max() < 1e-3


@pytest.mark.quick
def test_a_filter_sounds_only_after_what_it_hears() -> None:
    layer = Filter(40, 8000, 6, 4, dtype="float32", name="filter")
    levels = np.random.default_rng(1).normal(0, 1.5, (1, 20, 20)).astype("float32")
    sources = np.zeros((1, 800, 2), "float32")
    sources[0, 410, 0] = 1
    sounded = np.abs(np.asarray(layer(levels, sources, np.ones((1, 20, 1), "float32")))[0])
    energy = sounded**2
    assert energy[:405].sum() < 0.02 * energy.sum() and energy[410:].sum() > 0.5 * energy.sum()


@pytest.mark.quick
@settings(derandomize=True, database=None, deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=8), st.integers(0, 99))
def test_a_contour_goes_through_its_points(lasting: list[int], seed: int) -> None:
    durations = np.array(lasting)
    points = np.random.default_rng(seed).uniform(-1, 1, (len(durations), 3))
    drawn = contour(points, durations)
    assert len(drawn) == durations.sum()
    if len(drawn):
        assert points.min() - 1e-6 <= drawn.min() and drawn.max() <= points.max() + 1e-6
    steady = np.full(int(durations.sum()), 0.25, "float32")
    if len(steady):
        assert np.allclose(points_of(steady, durations, 3), 0.25)


@pytest.mark.quick
@pytest.mark.parametrize("hertz", [70.0, 110.0, 220.0, 440.0])
def test_pitch_is_found(hertz: float) -> None:
    pitch = np.full(60, np.log2(hertz / REFERENCE))
    found = pitch_of(0.1 * pulses(pitch, 160, 16000).astype("float32"), 16000, 160)
    assert len(found) == 60 and np.abs(found[5:-5] - pitch[5:-5]).max() < 0.02
    assert np.array_equal(pitch_of(np.zeros(1600, "float32"), 16000, 160), np.zeros(10))


# Alignment.


@pytest.mark.quick
@settings(derandomize=True, database=None, deadline=None, max_examples=40)
@given(st.integers(1, 4), st.integers(0, 4), st.integers(0, 999))
def test_the_best_alignment_is_found(symbols: int, more: int, seed: int) -> None:
    import itertools

    costs = np.random.default_rng(seed).uniform(0, 1, (symbols, symbols + more))
    found = durations_of(costs)

    def cost(durations: Any) -> float:
        return float(costs[np.repeat(np.arange(symbols), durations), np.arange(symbols + more)].sum())

    every = (
        parts
        for parts in itertools.product(range(1, more + 2), repeat=symbols)
        if sum(parts) == symbols + more
    )
    assert found.min() >= 1 and cost(found) == pytest.approx(min(map(cost, every)))


# Letters.


WORDS = {
    "cat": ("k", "ae1", "t"),
    "city": ("s", "ih1", "t", "iy0"),
    "box": ("b", "aa1", "k", "s"),
    "though": ("dh", "ow1"),
    "dog": ("d", "ao1", "g"),
    "tack": ("t", "ae1", "k"),
    "a": ("ax0",),
}


@pytest.fixture(scope="module")
def pronouncer() -> Pronouncer:
    return grown(aligned(WORDS))


@pytest.mark.quick
def test_a_lexicon_is_kept_and_goes_on(pronouncer: Pronouncer) -> None:
    assert accuracy(pronouncer, WORDS) == 1.0
    assert pronouncer("Cat") == ["k", "ae1", "t"] and pronouncer("日") == []
    phones = sorted({phone for sounds in WORDS.values() for phone in sounds})
    processor = VoiceProcessor(("^", *",;:.?!", *phones), "en", pronouncer)
    assert processor.sounds("Cät") == ["k", "ae1", "t"] and processor.sounds("猫") == []
    assert pronouncer("tog")[-1] == "g" and pronouncer("x" * 999)
    assert words_of(["cat K AE T", "cat(2) K AE", "a.m. X", ""]) == ["cat"]


@pytest.mark.quick
def test_a_tree_is_saved_read_and_held_against_its_limits(pronouncer: Pronouncer, tmp_path: Path) -> None:
    pronouncer.save(tmp_path)
    again = Pronouncer.from_folder(tmp_path)
    assert all(tuple(again(word)) == phones for word, phones in WORDS.items())
    circle = Pronouncer(
        pronouncer.letters,
        pronouncer.table,
        pronouncer.letter,
        pronouncer.sound,
        np.zeros_like(pronouncer.children),
    )
    circle.save(tmp_path)
    with pytest.raises(CheckpointError, match="no tree"):
        Pronouncer.from_folder(tmp_path)
    pronouncer.save(tmp_path)
    told = json.loads((tmp_path / "pronunciation.json").read_text())
    (tmp_path / "pronunciation.json").write_text(json.dumps({**told, "sounds": [["k"]]}))
    with pytest.raises(CheckpointError, match="no tree"):
        Pronouncer.from_folder(tmp_path)


@pytest.mark.quick
def test_words_stand_between_pauses() -> None:
    processor = VoiceProcessor(reference.SYMBOLS, "en", None)
    spelled = processor.spell(tokens("abc, de (zzz)!", "en"))
    assert [reference.SYMBOLS[number] for number in spelled.numbers] == ["^", *"abc", ",", *"de", "!"]
    assert spelled.owners == [-1, 0, 0, 0, -1, 1, 1, -1]
    assert spelled.places[:5] == [NOWHERE, FIRST, WITHIN, LAST, NOWHERE]
    with pytest.raises(InputError, match="expected some of"):
        processor.spell(tokens("zzz", "en"))


@pytest.mark.quick
def test_a_voice_file_is_held_against_its_limits(tmp_path: Path) -> None:
    for told in (
        {},
        {"symbols": ["^"], "language": "en"},
        {"symbols": [*reference.SYMBOLS, "a"], "language": "en"},
    ):
        (tmp_path / "voice.json").write_text(json.dumps(told))
        with pytest.raises(CheckpointError, match="lists no symbols"):
            VoiceProcessor.from_folder(tmp_path, {})


# Measures.


@pytest.mark.quick
def test_distortion_is_none_of_itself_and_grows() -> None:
    random = np.random.default_rng(0)
    sound = random.standard_normal(16000).astype("float32") * 0.1
    other = np.convolve(sound, [1, 0.9], "same").astype("float32")
    mine = cepstra(sound, 16000)
    assert distortion(mine, mine) == pytest.approx(0, abs=1e-6)
    # Slower is not otherwise.
    assert distortion(mine, np.repeat(mine, 2, axis=0)) == pytest.approx(0, abs=1e-6)
    assert distortion(mine, cepstra(2 * sound, 16000)) < 0.1 < distortion(mine, cepstra(other, 16000))


@pytest.mark.quick
def test_bands_show_where_a_tone_is() -> None:
    times = np.arange(16000) / 16000
    bands = bands_of(np.sin(2 * np.pi * 1000 * times).astype("float32"), 16000, 160, 40)
    assert bands.shape == (100, 40) and len(set(bands[10:90].argmax(axis=1))) == 1
    assert bands_of(np.zeros(0, "float32"), 16000, 160, 40).shape == (0, 40)
