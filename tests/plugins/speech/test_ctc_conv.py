"""The network of the digits starter: faint sound, voices of other throats; and what it learns from."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from sixarts.compiled import to_numpy
from sixarts.device import Device
from sixarts.errors import CheckpointError
from sixarts.media.log_mel import DECIBEL
from sixarts_speech import corpora
from sixarts_speech.ctc_conv import CtcConv, CtcConvProcessor, warped
from sixarts_speech.vocabulary import Vocabulary

pytestmark = pytest.mark.quick
#: XLA is left out: see ``without_xla``.
MANY_NETWORKS = True

WORDS = Vocabulary(("", "one", "two"), 0, None)


def network(**config: Any) -> Any:
    keras.utils.set_random_seed(3)
    small = {"bands": 16, "widths": [4, 4, 4], "hidden_size": 8, "blocks": 1, "kernel": 3, "words": True}
    full = CtcConv.configure(vocab_size=3, **small, **config)
    processor = CtcConvProcessor(WORDS, 8000, 16, full["top_db"])
    return CtcConv(full, processor, Device.of("cpu"))


def sounds() -> list[np.ndarray]:
    """One that begins in silence, and a shorter one."""
    draw = np.random.default_rng(0)
    first = draw.normal(0, 0.3, 4000) * np.repeat([1e-5, 1.0], 2000)
    return [each.astype("float32") for each in (first, draw.normal(0, 0.1, 2500))]


def test_hearing_ends_below_the_loud_frames() -> None:
    whole = CtcConvProcessor(WORDS, 8000, 16).arrays(sounds(), 4096)["input_features"]
    ended = CtcConvProcessor(WORDS, 8000, 16, 35.0).arrays(sounds(), 4096)
    heard = ended["mask"] > 0
    floor = 1.0 - 35.0 * DECIBEL / 4.0
    assert whole[heard].min() < floor - 1
    assert ended["input_features"][heard].min() >= floor - 1e-5
    # What is loud is left as it was; what fills a batch up is nothing.
    loud = whole > floor + 1.5
    assert np.abs(ended["input_features"] - whole)[loud].max() < 0.01
    assert not ended["input_features"][~heard].any()


@pytest.mark.parametrize("warp", [-0.15, 0.0, 0.2])
def test_warped_bands_are_what_was_between_two(warp: float) -> None:
    features = np.random.default_rng(1).normal(size=(2, 5, 16)).astype("float32")
    found = to_numpy(warped(keras.ops.convert_to_tensor(features), warp))
    places = np.clip(np.arange(16) * np.exp(warp), 0, 15)
    wanted = [[np.interp(places, np.arange(16), row) for row in each] for each in features]
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_answers_are_means_over_throats() -> None:
    plain, several = network(), network(warps=[-0.1, 0.1])
    several.network.set_weights(plain.network.get_weights())
    arrays = plain.processor.arrays(sounds(), 4096)
    features = keras.ops.convert_to_tensor(arrays["input_features"])
    parts = []
    for warp in (0.0, -0.1, 0.1):
        moved = {**arrays, "input_features": to_numpy(warped(features, warp))}
        logits = plain(moved)["logits"]
        parts.append(logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True)))
    assert np.abs(parts[1] - parts[0]).max() > 1e-3
    np.testing.assert_allclose(several(arrays)["logits"], np.mean(parts, axis=0), atol=1e-4)


@pytest.mark.parametrize(
    "config", [*({"top_db": each} for each in (-1.0, 0, "35", True)), {"warps": [1.0]}, {"warps": 0.1}]
)
def test_settings_that_make_no_sense(config: dict[str, Any]) -> None:
    with pytest.raises(CheckpointError, match=r"top_db=|warps="):
        CtcConv.configure(**config)
    assert CtcConv.configure(top_db=35.0)["top_db"] == 35.0
    assert CtcConv.configure()["top_db"] is None


def test_every_voice_of_espeak_is_told_ten_digits() -> None:
    voices = list(corpora.espeak_voices())
    assert len({name for name, _ in voices}) == len(voices)
    assert all(len(spelled) == len(corpora.DIGITS) and all(spelled) for _, spelled in voices)
    throats = {name.split("+")[1] for name, _ in voices}
    assert throats == set(corpora.THROATS.split())
