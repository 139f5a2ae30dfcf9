"""The task ``text-to-speech``: options, files, sentences, batches, VITS beside its reference, learning."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import soundfile
import vits_reference as reference
import voice_reference
from test_vits import CONFIG

import sixarts as sa
from sixarts.errors import InputError, MissingExtra, OptionError, TrainingError
from sixarts_speech.speech import Mark, Speech
from sixarts_speech.synthesis_options import RANGES

#: XLA is left out: see ``without_xla``.
MANY_NETWORKS = True


@pytest.fixture(scope="module")
def speak(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A small random voice that spells with the first letters of the alphabet."""
    return sa.load("text-to-speech", voice_reference.saved(tmp_path_factory.mktemp("voice") / "small"))


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """A small random VITS model of three voices: the published one, and ours."""
    folder = tmp_path_factory.mktemp("vits") / "three"
    model = reference.saved(folder, {**CONFIG, "num_speakers": 3, "speaker_embedding_size": 4}, 3)
    return model, sa.load("tts", folder)


# What is answered.


@pytest.mark.quick
@pytest.mark.parametrize(("suffix", "close"), [(".wav", 1e-4), (".flac", 1e-4), (".ogg", 0.2)])
def test_a_sound_is_written_and_read_again(suffix: str, close: float, tmp_path: Path) -> None:
    wave = (0.5 * np.sin(np.arange(200_000) / 20)).astype("float32")
    speech = Speech(wave, 16000, (Mark("hm", 0.0, 12.5),), "hm")
    speech.save(tmp_path / f"x{suffix}")
    samples, rate = soundfile.read(tmp_path / f"x{suffix}", dtype="float32")
    assert rate == 16000 and samples.shape == wave.shape and np.abs(samples - wave).max() < close


@pytest.mark.quick
def test_other_forms(tmp_path: Path) -> None:
    speech = Speech(np.array([2.0, -2.0, 0.5] * 100, "float32"), 8000, (Mark("a <b>", 0.0, 0.02),), "a <b>")
    speech.save(tmp_path / "x.json")
    told = json.loads((tmp_path / "x.json").read_text())
    assert told["marks"] == [{"word": "a <b>", "start": 0.0, "end": 0.02}] and told["duration"] == 0.0375
    page = speech._repr_html_()
    assert "data:audio/flac;base64," in page and "a &lt;b&gt;" in page
    # What is too loud is cut, not turned around.
    samples, _ = soundfile.read(io.BytesIO(speech.encoded()))
    assert samples[:3] == pytest.approx([1.0, -1.0, 0.5], abs=1e-3)
    with pytest.raises(InputError, match=r"expected a name that ends in one of \.wav"):
        speech.save(tmp_path / "x.mp3")
    with pytest.raises(AttributeError):
        speech.rate = 3  # type: ignore[misc]


# Options.


@pytest.mark.quick
@pytest.mark.parametrize("name", RANGES)
def test_ranges_are_named(speak: Any, name: str) -> None:
    low, high = RANGES[name]
    kind = int if name in ("seed", "speaker") else float
    for value in (kind(low - 1), kind(high + 1), float("nan") if kind is float else -5):
        with pytest.raises(OptionError, match=f"{name}=.*expected"):
            speak("abc", **{name: value})


def test_rate_and_pitch(speak: Any) -> None:
    plain, slow = speak("abc def ghi"), speak("abc def ghi", rate=0.5)
    assert slow.duration == pytest.approx(2 * plain.duration, rel=0.25)
    high = speak("abc def ghi", pitch=5)
    assert len(high.waveform) == len(plain.waveform) and not np.allclose(high.waveform, plain.waveform)
    assert high.marks == plain.marks


def test_seeds(speak: Any) -> None:
    one, again, other = speak("abc"), speak("abc"), speak("abc", seed=1)
    assert np.array_equal(one.waveform, again.waveform) and not np.allclose(one.waveform, other.waveform)
    # A sentence that is said twice is not breathed twice the same way.
    both = speak("abc. abc.", pause=0)
    half = len(both.waveform) // 2
    assert len(both.waveform) == 2 * half and not np.allclose(both.waveform[:half], both.waveform[half:])


@pytest.mark.quick
def test_options_of_other_voices_are_refused(speak: Any) -> None:
    for options in ({"speaker": 1}, {"noise_scale": 0.5}, {"noise_scale_duration": 0.5}):
        with pytest.raises(OptionError, match="expected"):
            speak("abc", **options)


# Texts.


def test_alone_as_in_a_batch(speak: Any) -> None:
    texts = ["abc", "a big cab had a bead, dad", "ace. bad! cab?", "hi"]
    for one, other in zip(map(speak, texts), speak(texts), strict=True):
        assert one.marks == other.marks and one.waveform.shape == other.waveform.shape
        assert np.abs(one.waveform - other.waveform).max() < 1e-5


def test_sentences_come_as_they_are_made(speak: Any) -> None:
    made: list[int] = []
    answer = speak.answer

    def watched(batch: Any, options: Any) -> Any:
        made.append(len(batch.context))
        return answer(batch, options)

    text = " ".join(["Abc def."] * 10)
    with mock.patch.object(speak, "answer", watched):
        partial = speak.live(text, pause=0.5)
        first = next(partial)
        assert made == [1] and [mark.word for mark in first.marks] == ["Abc", "def"]
        whole = [first, *partial]
    assert made == [1] * 10 and len(whole) == 10
    assert np.array_equal(np.concatenate([each.latest for each in whole]), whole[-1].waveform)
    at_once = speak(text, pause=0.5)
    assert np.abs(at_once.waveform - whole[-1].waveform).max() < 1e-5
    # Half a second of nothing after the first sentence.
    silent = at_once.waveform[len(first.waveform) :][: at_once.rate // 2]
    assert len(silent) == at_once.rate // 2 and not silent.any()
    assert at_once.marks[2].start >= first.duration + 0.5


@pytest.mark.quick
def test_words_are_marked_as_they_are_written(speak: Any) -> None:
    found = speak("Dad, a cab! (Zzz) FBI 8")
    assert [mark.word for mark in found.marks] == ["Dad", "a", "cab", "FBI", "8"]
    times = [time for mark in found.marks for time in (mark.start, mark.end)]
    assert times == sorted(times) and times[0] > 0 and times[-1] <= found.duration
    assert [mark.word for mark in speak("Dad 8 cab", normalize=False).marks] == ["Dad", "cab"]


@pytest.mark.quick
@pytest.mark.parametrize(
    ("x", "said"),
    [
        ("", "an empty text"),
        (" \n", "an empty text"),
        ("🎉🎉", "nothing can be said"),
        ("...", "nothing can be said"),
        ("zzz xyz.", "say nothing; expected some of"),
        ("你好。", "say nothing; expected some of"),
        ("a" * 1_000_001, "1000001 characters; expected at most"),
        (b"abc", "type bytes; expected a text"),
    ],
)
def test_what_cannot_be_said_is_refused_before_any_compute(speak: Any, x: Any, said: str) -> None:
    with (
        mock.patch.object(speak, "prepare", side_effect=AssertionError),
        pytest.raises(InputError, match=said),
    ):
        speak(x)


def test_what_cannot_be_said_within_a_text_is_left_out(speak: Any) -> None:
    assert [mark.word for mark in speak("Zzz! 你好. Abc.").marks] == ["Abc"]


# VITS.


@pytest.mark.parametrize(
    "options",
    [{}, {"speaker": 2, "rate": 1.5}, {"speaker": 1, "noise_scale": 0.3, "noise_scale_duration": 0.0}],
)
def test_vits_says_what_the_published_model_says(several: Any, options: dict[str, Any]) -> None:
    import torch

    model, task = several
    text, seed = "abc dig; feed!", 7
    found = task(text, seed=seed, normalize=False, **options)
    ids = torch.tensor([task.model.processor.encode(text)])
    draw = np.random.default_rng([seed, 0])
    model.speaking_rate = options.get("rate", 1.0)
    model.noise_scale = options.get("noise_scale", model.config.noise_scale)
    model.noise_scale_duration = options.get("noise_scale_duration", model.config.noise_scale_duration)

    def durations(*_: Any, **__: Any) -> Any:
        return torch.from_numpy(draw.standard_normal((ids.shape[1], 2), "float32").T[None].copy())

    def latents(like: Any) -> Any:
        frames = draw.standard_normal((like.shape[2], like.shape[1]), "float32")
        return torch.from_numpy(frames.T[None].copy())

    with mock.patch("torch.randn", durations), mock.patch("torch.randn_like", latents), torch.no_grad():
        wanted = model(ids, speaker_id=options.get("speaker", 0)).waveform[0].numpy()
    assert found.waveform.shape == wanted.shape and np.abs(wanted).max() > 1e-3
    assert np.abs(found.waveform - wanted).max() < 1e-3


def test_vits_marks_speakers_batches_and_pitch(several: Any) -> None:
    task = several[1]
    texts = ["abc dig", "a big bad cab; feed it", "hi"]
    for one, other in zip([task(text, speaker=1) for text in texts], task(texts, speaker=1), strict=True):
        assert np.abs(one.waveform - other.waveform).max() < 1e-5 and one.marks == other.marks
    assert [mark.word for mark in task("Abc, 8 dig!").marks] == ["Abc", "8", "dig"]
    plain, high = task("abc dig"), task("abc dig", pitch=7)
    # Higher by resampling of what was said as much slower: as long as before but for whole frames.
    assert high.duration == pytest.approx(plain.duration, rel=0.5)
    with pytest.raises(OptionError, match=r"speaker=3; expected a number from 0 to 2: .* 3 voices"):
        task("abc", speaker=3)
    with pytest.raises(TrainingError, match="discriminator"):
        task.fit([("abc", (np.ones(8000, "float32"), 16000))])


@pytest.mark.quick
@pytest.mark.parametrize(
    ("settings", "library"),
    [({"phonemize": True}, "phonemizer"), ({"phonemize": False, "is_uroman": True}, "uroman")],
)
def test_front_ends_that_are_not_installed_are_named(
    several: Any, settings: dict[str, Any], library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sixarts_speech.vits_processor import VitsProcessor

    monkeypatch.setitem(__import__("sys").modules, library, None)
    processor = VitsProcessor(reference.SYMBOLS, settings)
    with pytest.raises(MissingExtra, match=f"needs {library}"):
        processor.symbols("абв")


# Learning, and why.


def test_a_new_voice_learns(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    times = np.arange(6400) / 8000
    # Each letter is a tone, so that there is something to align and to learn.
    tone = {"a": 200, "b": 400, "c": 800}
    pairs = []
    for _ in range(4):
        text = "".join(random.choice(list("abc"), 6))
        parts = [np.sin(2 * np.pi * tone[letter] * times[:1200]) for letter in text]
        pairs.append((text, ((0.3 * np.concatenate(parts)).astype("float32"), 8000)))
    small = {**voice_reference.SMALL, "hidden_size": 24}
    task = sa.new("text-to-speech", family="source_filter", **small)
    with pytest.raises(TrainingError, match="fit"):
        task("abc")
    history = task.fit(pairs, epochs=6, learning_rate=1e-2, progress=False, batch_size=4)
    assert "symbols" in history.replaced[0]
    losses = history.metrics["loss"]
    assert losses[-1] < 0.8 * losses[0]
    again = sa.load("tts", task.save(tmp_path / "own"))
    assert np.array_equal(again("abc cab").waveform, task("abc cab").waveform)
    found = task.evaluate(pairs, progress=False)["mcd"]
    assert 0 < found.low <= found.value <= found.high
    with pytest.raises(InputError, match=r"input 0: .*expected the recording of this very text"):
        task.fit([("abc" * 100, (np.ones(4000, "float32"), 8000))], progress=False)


def test_why_a_word_sounds_as_it_does(speak: Any, several: Any) -> None:
    for task in (speak, several[1]):
        for method in ("integrated_gradients", "occlusion"):
            found = task.explain("abc dig", method)
            assert found.target_labels == ("abc", "dig")
            assert [label for label in found.input_labels if label in "abcdig"] == list("abcdig")
            if found.totals is not None:
                assert np.allclose(found.values.sum(axis=1), found.totals, rtol=0.02, atol=0.02)
        assert task.explain("abc dig", target="dig").target_labels == ("dig",)
        with pytest.raises(OptionError, match="expected a word of the text"):
            task.explain("abc dig", target="zzz")
        with pytest.raises(InputError, match="2 sentences; expected one"):
            task.explain("Abc. Dig.")
    # Neighbors matter, and what is far away does not reach so small a network.
    far = speak.explain("abc dig abc dig abc dig", "occlusion", target=0)
    assert far.values[0, -1] == 0 < far.values[0, 1]
