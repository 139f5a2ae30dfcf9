"""Whisper as the task's model: windows of several sounds together, silence, streams, words, explanations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import whisper_reference as reference
from whisper_reference import configuration, saved

from sixarts.spec import TaskSpec
from sixarts_speech.recognition import RecognitionTask

#: XLA is left out: see ``without_xla``.
MANY_NETWORKS = True

RATE = 16_000
SPEC = TaskSpec(
    name="automatic-speech-recognition",
    summary="What was said.",
    task="sixarts_speech.recognition:RecognitionTask",
    signatures=("audio -> transcript",),
    default_model="starter/none",
    samples=(),
    explanations={"occlusion": ("word",)},
)


@pytest.fixture(scope="module")
def listen(tmp_path_factory: pytest.TempPathFactory) -> Any:
    place = tmp_path_factory.mktemp("listening") / "whisper"
    saved(place, configuration(), seed=3)
    return RecognitionTask(SPEC, reference.opened(str(place)), {"temperatures": (0.0,)})


def sound(seed: int, seconds: float) -> np.ndarray:
    random = np.random.default_rng(seed)
    count = int(seconds * RATE)
    swell = np.abs(np.sin(np.arange(count) / 2500 + seed))
    return (random.standard_normal(count) * swell * 0.2).astype("float32")


def test_sounds_alone_and_together(listen: Any) -> None:
    """Windows of several sounds share batches, and each sound is answered as it is alone."""
    sounds = [(sound(seed, seconds), RATE) for seed, seconds in ((0, 0.7), (1, 2.6), (2, 1.0))]
    together = listen(sounds, words=True)
    for given, answer in zip(sounds, together, strict=True):
        alone = listen(given, words=True)
        assert alone.text == answer.text
        assert [s.text for s in alone.segments] == [s.text for s in answer.segments]
        assert answer.duration == pytest.approx(len(given[0]) / RATE, abs=0.02)
        assert answer.language in reference.LANGUAGES
        starts = [segment.start for segment in answer.segments]
        assert starts == sorted(starts)
        for word in answer.words:
            assert 0 <= word.start <= word.end <= answer.duration + 1.0
            assert 0 <= word.confidence <= 1
        assert "".join(word.text for word in answer.words) == answer.text.replace(" ", "")
    assert any(answer.text for answer in together)


def test_silence_does_not_become_words(listen: Any) -> None:
    quiet = listen((np.zeros(3 * RATE, "float32"), RATE))
    assert quiet.text == "" and not quiet.segments and quiet.duration == pytest.approx(3.0, abs=0.02)
    # Nor does a silent second among others.
    given = np.concatenate([sound(1, 1.0), np.zeros(2 * RATE, "float32")])
    for segment in listen((given, RATE)).segments:
        assert segment.start < 2.0


def test_a_file_is_read_as_its_samples_are(listen: Any, tmp_path: Path) -> None:
    import soundfile

    samples = sound(4, 2.2)
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    assert listen(tmp_path / "a.wav").text == listen((samples, RATE)).text


def test_a_stream_is_answered_as_it_comes(listen: Any) -> None:
    samples, taken = sound(5, 3.0), []

    def chunks() -> Iterator[np.ndarray]:
        for start in range(0, len(samples), RATE // 4):
            taken.append(start)
            yield samples[start : start + RATE // 4]

    partial = listen.live((chunks(), RATE), delay=0.5)
    first = next(partial)
    assert len(taken) < 6, "an answer waits for no more than it needs"
    *_, last = (first, *partial)
    assert last.duration == pytest.approx(3.0, abs=0.02)
    assert last.text.startswith(first.text)


def test_options_reach_the_search(listen: Any) -> None:
    given = (sound(6, 1.0), RATE)
    german, chinese = (listen(given, language=language) for language in ("de", "Chinese"))
    assert (german.language, chinese.language) == ("de", "zh")
    assert listen(given, translate=True).language == "en"
    short = listen(given, language="de", max_new_tokens=3, words=True)
    assert len(listen.model.processor.tokens.encode(short.text)) <= 3
    assert listen(given, prompt=" the cat", build_on=True, beams=2) is not None


def test_a_stretch_that_makes_a_word(listen: Any) -> None:
    found = listen.explain((sound(1, 1.0), RATE), "occlusion")
    assert found.values.shape == (len(found.target_labels), len(found.edges) - 1)
    assert np.isfinite(found.values).all() and found.values.max() > 0


def test_fit_learns_what_was_said(listen: Any, tmp_path: Path) -> None:
    listen.model.save(tmp_path / "again")
    task = RecognitionTask(SPEC, type(listen.model).from_folder(tmp_path / "again"), {"temperatures": (0.0,)})
    examples = [((sound(seed, 0.9), RATE), text) for seed, text in enumerate(("the cat", "that hat") * 2)]
    losses = task.fit(examples, epochs=8, batch_size=4, learning_rate=3e-3).metrics["loss"]
    assert losses[-1] < 0.7 * losses[0]
