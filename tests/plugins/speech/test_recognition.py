"""Speech recognition by CTC: windows, streams, silence, search, learning, and what is refused."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import sixarts as sa
from sixarts.errors import InputError, OptionError
from sixarts.media.audio import whole_audio
from sixarts_speech.plugin import SAID, sample

#: XLA is left out: see ``without_xla``.
MANY_NETWORKS = True

RATE = 8_000


@pytest.fixture(scope="module")
def listen() -> Any:
    return sa.load("automatic-speech-recognition", device="cpu")


@pytest.fixture(scope="module")
def sounds() -> dict[str, np.ndarray]:
    return {text: whole_audio(sample(name), RATE) for name, text in SAID.items()}


@pytest.fixture(scope="module")
def long(sounds: dict[str, np.ndarray]) -> np.ndarray:
    """A minute of digits."""
    return np.concatenate([np.pad(sound, 2_000) for sound in sounds.values()] * 8)[: 60 * RATE]


def test_any_rate_and_channels(listen: Any, sounds: dict[str, np.ndarray]) -> None:
    import soxr

    text, sound = next(iter(sounds.items()))
    loud = soxr.resample(sound, RATE, 48_000)
    eight = np.stack([loud] * 8, axis=1)
    assert [listen(x).text for x in ((sound, RATE), (eight, 48_000))] == [listen((sound, RATE)).text] * 2
    # A starter that understands nothing would pass all the rest.
    assert listen((sound, RATE)).text == text


def test_times_are_where_words_are(listen: Any, sounds: dict[str, np.ndarray]) -> None:
    sound = sounds["four seven"]
    said = listen((np.pad(sound, (2 * RATE, 0)), RATE))
    first, second = said.words
    assert 2.0 <= first.start < first.end <= second.start < second.end <= said.duration
    assert said.duration == pytest.approx(2 + len(sound) / RATE, abs=0.01)
    assert all(0 < word.confidence <= 1 for word in said.words)


@pytest.mark.parametrize("level", [0.0, 1e-4])
def test_silence_does_not_become_words(listen: Any, level: float) -> None:
    noise = np.random.default_rng(0).standard_normal(3 * RATE) * level
    said = listen((noise, RATE))
    assert said.text == "" and said.words == () and said.segments == ()
    assert said.duration == 3.0 and said.to_srt() == ""
    assert said.plot().axes


def test_windows_say_what_the_whole_says(listen: Any, long: np.ndarray) -> None:
    whole = listen((long, RATE), window=90.0)
    cut = listen((long, RATE), window=8.0, overlap=2.0)
    assert len(whole.words) > 30
    same = _edits(cut.text.split(), whole.text.split())
    assert same <= 2, f"{same} words of {len(whole.words)} differ"
    starts = [word.start for word in cut.words]
    assert starts == sorted(starts)


def _edits(one: list[str], other: list[str]) -> int:
    import jiwer

    found = jiwer.process_words(" ".join(other), " ".join(one))
    return int(found.substitutions + found.deletions + found.insertions)


def test_streams_are_heard_with_bounded_delay(listen: Any, long: np.ndarray) -> None:
    taken = 0

    def microphone() -> Iterator[np.ndarray]:
        nonlocal taken
        for start in range(0, len(long), RATE // 4):
            taken += 1
            yield long[start : start + RATE // 4]

    heard: list[tuple[float, Any]] = []
    for partial in listen.live((microphone(), RATE), delay=1.0):
        heard.append((taken / 4, partial))
    # What is written down reaches to within the delay, half a second behind it, and two chunks.
    assert all(seconds - partial.duration <= 1.0 + 0.5 + 0.5 for seconds, partial in heard[:-1])
    assert len(heard) > 40
    texts = [partial.text for _, partial in heard]
    assert all(after.startswith(before[: before.rfind(" ")]) for before, after in itertools.pairwise(texts))
    assert _edits(texts[-1].split(), listen((long, RATE), window=90.0).text.split()) <= 4


def test_a_pipe_that_closes(listen: Any, sounds: dict[str, np.ndarray]) -> None:
    def closing() -> Iterator[np.ndarray]:
        yield sounds["four seven"]
        raise BrokenPipeError("gone")

    assert listen((closing(), RATE)).text == listen((sounds["four seven"], RATE), window=90.0).text


def test_hours_take_constant_memory(listen: Any, long: np.ndarray) -> None:
    """What is held of a sound does not grow with it, but for its words and a picture of ten minutes."""
    import tracemalloc

    def stream(minutes: int) -> Iterator[np.ndarray]:
        for _ in range(minutes):
            yield (long * 32767).astype("int16")

    class Counted:
        """A network that answers nothing, so that only what is around it is measured."""

        def __call__(self, arrays: Any) -> dict[str, np.ndarray]:
            rows, frames, _ = arrays["input_features"].shape
            logits = np.zeros((rows, frames // 4, 11), "float32")
            logits[:, :, 0] = 9.0
            return {"logits": logits}

    peaks = []
    from unittest import mock

    with mock.patch.object(type(listen.model), "__call__", lambda self, arrays: Counted()(arrays)):
        for minutes in (12, 36):
            tracemalloc.start()
            said = listen((stream(minutes), RATE), delay=20.0, batch_size=1)
            assert said.duration == pytest.approx(60 * minutes, abs=1)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert peaks[1] < peaks[0] + 4_000_000


def test_beams_and_language_models(listen: Any, sounds: dict[str, np.ndarray], tmp_path: Path) -> None:
    sound = (sounds["two"], RATE)
    assert listen(sound, beams=8).text == listen(sound).text

    def eights(words: tuple[str, ...]) -> float:
        return 0.0 if words[-1] == "eight" else -60.0

    assert set(listen(sound, beams=8, language_model=eights, lm_weight=3.0).text.split()) <= {"eight"}
    arpa = tmp_path / "eights.arpa"
    arpa.write_text(_arpa({"eight": -0.001, **dict.fromkeys(("two", "one", "zero"), -30.0)}))
    for model in (arpa, str(arpa)):
        found = listen(sound, beams=8, language_model=model, lm_weight=3.0)
        assert set(found.text.split()) <= {"eight"}


def _arpa(words: dict[str, float]) -> str:
    grams = "\n".join(
        f"{score}\t{word}\t0" for word, score in {**words, "<unk>": -40.0, "<s>": -99.0, "</s>": -1.0}.items()
    )
    pairs = "-0.01\t<s> eight\n-0.01\teight eight"
    head = f"\\data\\\nngram 1={len(words) + 3}\nngram 2=2"
    return f"{head}\n\n\\1-grams:\n{grams}\n\n\\2-grams:\n{pairs}\n\n\\end\\\n"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"language_model": "none.arpa", "beams": 4}, "no file"),
        ({"language_model": print}, "beams"),
        ({"window": 3.0, "overlap": 2.0}, "two overlaps"),
        ({"silence": 3.0}, "silence"),
        ({"beams": 0}, "beams"),
        ({"language": "fr"}, "Whisper"),
        ({"translate": True}, "Whisper"),
    ],
)
def test_options_are_refused(listen: Any, options: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        listen(sample("jackson_2"), **options)


def test_subtitles_from_the_command_line(
    listen: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from sixarts.cli import main

    sound = tmp_path / "talk.flac"
    soundfile.write(sound, whole_audio(sample("theo_47"), RATE), RATE)
    wanted = listen(sound)
    for suffix in ("srt", "vtt", "json", "txt"):
        out = tmp_path / f"talk.{suffix}"
        arguments = ["run", "automatic-speech-recognition", str(sound), "--output", str(out)]
        assert main([*arguments, "--device", "cpu"]) == 0, capsys.readouterr().err
        text = out.read_text(encoding="utf-8")
        other = {"srt": wanted.to_srt(), "vtt": wanted.to_vtt(), "txt": wanted.text + "\n"}.get(suffix)
        assert json.loads(text)["text"] == wanted.text if other is None else text == other


def test_examples_from_a_file(listen: Any, tmp_path: Path, sounds: dict[str, np.ndarray]) -> None:
    soundfile.write(tmp_path / "a.wav", sounds["two"], RATE)
    (tmp_path / "pairs.tsv").write_text("a.wav\ttwo\n")
    assert listen.read_examples(tmp_path / "pairs.tsv") == [(str(tmp_path / "a.wav"), "two")]
    found = listen.evaluate(tmp_path / "pairs.tsv", progress=False)
    assert set(found.values) == {"wer", "cer"} and "jiwer" in found.protocol


def test_new_words_are_learned(sounds: dict[str, np.ndarray]) -> None:
    """Other words get a head of their own, on what the network knows of sound; nothing is kept in silence."""
    task = sa.load("automatic-speech-recognition", device="cpu")
    said = {"two": "stop", "three six": "go on", "four seven": "turn left"}
    pairs = [((sounds[text], RATE), other) for text, other in said.items()]
    history = task.fit(pairs, epochs=50, batch_size=3, learning_rate=3e-3, progress=False)
    assert history.replaced == ("head of 11 tokens by one of 6",)
    assert history.metrics["loss"][-1] < history.metrics["loss"][0] / 3
    # Three sounds are few: one word may be wrong yet.
    heard = " ".join(task(x).text for x, _ in pairs).split()
    assert _edits(heard, " ".join(said.values()).split()) <= 1


def test_characters_are_learned(sounds: dict[str, np.ndarray], tmp_path: Path) -> None:
    """A network that spells letters begins anew, learns, and is the same after a save."""
    task = sa.new("automatic-speech-recognition", family="ctc_conv", hidden_size=16, blocks=1, device="cpu")
    pairs = [((sound, RATE), text) for text, sound in list(sounds.items())[:2]]
    task.fit(
        pairs, epochs=2, batch_size=2, speed=0.1, noise=1.0, gain=6.0, tilt=3.0, mask=0.1, progress=False
    )
    vocabulary = task.model.processor.vocabulary
    assert vocabulary.delimiter == "|" and vocabulary.text(vocabulary.numbers("four seven")) == "four seven"
    again = sa.load("automatic-speech-recognition", task.save(tmp_path / "model"), device="cpu")
    assert again(pairs[0][0]) == task(pairs[0][0])
    with pytest.raises(InputError, match="'x'"):
        vocabulary.numbers("xylophone")


def test_too_short_to_learn(sounds: dict[str, np.ndarray]) -> None:
    task = sa.new("automatic-speech-recognition", family="ctc_conv", words=True, device="cpu")
    with pytest.raises(InputError, match="long enough"):
        task.fit([((sounds["two"][:800], RATE), "one two three four")], epochs=1, progress=False)


def test_explanations_point_at_the_word(listen: Any, sounds: dict[str, np.ndarray]) -> None:
    sound = np.concatenate([np.zeros(RATE), sounds["four seven"], np.zeros(RATE)])
    for method in ("occlusion", "integrated_gradients"):
        found = listen.explain((sound, RATE), method, target="seven")
        assert found.target_labels == ("seven",)
        word = listen((sound, RATE)).words[1]
        strongest = found.edges[int(np.abs(found.values[0]).argmax())]
        assert word.start - 0.4 <= strongest <= word.end + 0.2
    assert listen.explain((sound, RATE), target=0).target_labels == ("four",)
    with pytest.raises(OptionError, match="'four'"):
        listen.explain((sound, RATE), target="nine")
    with pytest.raises(InputError, match="nothing was heard"):
        listen.explain((np.zeros(RATE), RATE))
    with pytest.raises(InputError, match="stream"):
        listen.explain((iter([sound]), RATE))


def test_blank_elsewhere_than_first() -> None:
    """The loss is the same wherever a vocabulary has its blank, on every length, and with nothing said."""
    from sixarts_speech.ctc_loss import CTCLoss, targets

    random = np.random.default_rng(0)
    logits = random.standard_normal((3, 9, 5)).astype("float32")
    texts = [[1, 1, 3], [4], []]
    first = np.asarray(CTCLoss(0).call(targets(texts, [9, 4, 6], 4), logits))
    # The blank moved to place 3: tokens 1, 2 and 3 move down.
    moved = logits[..., [1, 2, 3, 0, 4]]
    renamed = [[token - (token <= 3) for token in text] for text in texts]
    last = np.asarray(CTCLoss(3).call(targets(renamed, [9, 4, 6], 4), moved))
    np.testing.assert_allclose(first, last, rtol=1e-5)
    scores = logits[2, :6] - np.log(np.exp(logits[2, :6]).sum(-1, keepdims=True))
    assert math.isclose(first[2], -scores[:, 0].sum(), rel_tol=1e-4)
