"""What is made of tokens' probabilities: paths, beams, times, models of words, transcripts, error rates."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sixarts.errors import CheckpointError, InputError, OptionError
from sixarts.media.sound_windows import windows
from sixarts.media.transcript import Segment, Transcript, Word, segments_of
from sixarts_speech.ctc_paths import Frames, aligned, beam_search, greedy, likeliest, words_of
from sixarts_speech.language_model import ArpaModel, FunctionModel, language_model
from sixarts_speech.vocabulary import Vocabulary
from sixarts_speech.word_errors import error_rates, normalized

pytestmark = pytest.mark.quick
drawn = settings(deadline=None, max_examples=30, derandomize=True, database=None)
LETTERS = Vocabulary(("<pad>", "|", "a", "b"))


def random_scores(seed: int, frames: int, tokens: int = 4) -> np.ndarray:
    logits = np.random.default_rng(seed).standard_normal((frames, tokens)) * 2
    return np.asarray(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))


def every_text(scores: np.ndarray, blank: int = 0) -> dict[tuple[int, ...], float]:
    """The probability of every text, by going through every path."""
    found: dict[tuple[int, ...], float] = {}
    for path in itertools.product(range(scores.shape[1]), repeat=len(scores)):
        chance = math.exp(sum(scores[frame, token] for frame, token in enumerate(path)))
        text = tuple(token for token, _ in itertools.groupby(path) if token != blank)
        found[text] = found.get(text, 0.0) + chance
    return found


@drawn
@given(seed=st.integers(0, 10_000), frames=st.integers(1, 5))
def test_a_wide_beam_finds_the_likeliest_text(seed: int, frames: int) -> None:
    scores = random_scores(seed, frames)
    texts = every_text(scores)
    assert math.isclose(sum(texts.values()), 1.0, rel_tol=1e-6)
    found = tuple(token.number for token in beam_search(likeliest(scores, 0, 4), LETTERS, beams=2_000))
    assert texts[found] == pytest.approx(max(texts.values()), rel=1e-6)


@drawn
@given(seed=st.integers(0, 10_000), frames=st.integers(1, 5))
def test_a_wide_beam_with_a_model_finds_the_best_sum(seed: int, frames: int) -> None:
    """Against every text, with what its complete words score."""
    scores = random_scores(seed, frames)
    model = FunctionModel(lambda words: -float(len(words[-1])) - 0.1 * len(words))

    def told(text: tuple[int, ...]) -> float:
        words = LETTERS.text(text).split()
        return sum(0.7 * model.score(tuple(words[:n]), word)[0] + 0.3 for n, word in enumerate(words))

    texts = every_text(scores)
    best = max(math.log(chance) + told(text) for text, chance in texts.items())
    found = tuple(t.number for t in beam_search(likeliest(scores, 0, 4), LETTERS, 2_000, model, 0.7, 0.3))
    assert math.log(texts[found]) + told(found) == pytest.approx(best, rel=1e-5)


@drawn
@given(seed=st.integers(0, 10_000), frames=st.integers(3, 7))
def test_alignment_is_the_best_path(seed: int, frames: int) -> None:
    scores = random_scores(seed, frames)
    text = [2, 2, 3][: max(1, frames // 2)]
    if frames < len(text) + sum(a == b for a, b in itertools.pairwise(text)):
        return
    best, wanted = -math.inf, None
    for path in itertools.product(range(4), repeat=frames):
        if [t for t, _ in itertools.groupby(path) if t] == text:
            score = sum(scores[frame, token] for frame, token in enumerate(path))
            if score > best:
                best, wanted = score, path
    assert wanted is not None
    found = aligned(likeliest(scores, 10, 4), text, 0)
    spans = [(token.first - 10, token.last - 10, token.number) for token in found]
    assert _spans(wanted) == spans


def _spans(path: tuple[int, ...]) -> list[tuple[int, int, int]]:
    place, found = 0, []
    for token, run in itertools.groupby(path):
        length = len(list(run))
        if token:
            found.append((place, place + length, token))
        place += length
    return found


def test_words_and_their_times() -> None:
    path = np.array([0, 2, 2, 0, 3, 1, 0, 0, 3, 3], "int32")[:, None]
    frames = Frames(100, path, np.full((10, 1), math.log(0.5), "float32"))
    words = words_of(greedy(frames, 0), LETTERS, 0.02)
    assert [(word.text, word.start, word.end) for word in words] == [("ab", 2.02, 2.1), ("b", 2.16, 2.2)]
    assert all(word.confidence == pytest.approx(0.5) for word in words)


def test_long_silence_parts_utterances() -> None:
    """A beam over an hour is a beam over each of its utterances."""
    scores = np.full((400, 4), math.log(1e-5))
    scores[:, 0] = math.log(0.99997)
    for place, token in ((10, 2), (12, 1), (14, 3), (350, 3)):
        scores[place] = math.log(1e-5)
        scores[place, token] = math.log(0.99997)
    found = beam_search(likeliest(scores, 0, 4), LETTERS, 4)
    assert [(token.number, token.first) for token in found] == [(2, 10), (1, 12), (3, 14), (3, 350)]


ARPA = """\\data\\
ngram 1=5
ngram 2=2

\\1-grams:
-1.0\t<unk>
-99\t<s>\t-0.5
-1.2\t</s>
-0.5\tone\t-0.25
-0.75\ttwo

\\2-grams:
-0.1\t<s> one
-0.2\tone two

\\end\\
"""


def test_arpa_files(tmp_path: Path) -> None:
    """With back-off, as KenLM has it where that is installed."""
    path = tmp_path / "model.arpa"
    path.write_text(ARPA)
    model = ArpaModel.read(path)
    texts = [["one", "two"], ["two", "one"], ["three", "one"], ["one", "one", "two"]]

    def total(model: Any, words: list[str]) -> float:
        state, sum_ = model.start(), 0.0
        for word in words:
            score, state = model.score(state, word)
            sum_ += score
        return sum_

    assert total(model, texts[0]) == pytest.approx(-0.3 * math.log(10))
    assert total(model, texts[1]) == pytest.approx(-(0.5 + 0.75 + 0.5) * math.log(10))
    pytest.importorskip("kenlm")
    other = language_model(path)
    assert type(other).__name__ == "KenModel"
    for words in texts:
        assert total(other, words) == pytest.approx(total(model, words), rel=1e-4)


@pytest.mark.parametrize("content", ["", "no model", "\\1-grams:\nx y\n", "\\99-grams:\n-1 a\n"])
def test_other_files_are_no_models(tmp_path: Path, content: str) -> None:
    path = tmp_path / "bad.arpa"
    path.write_text(content)
    with pytest.raises(OptionError, match="ARPA"):
        ArpaModel.read(path)


@drawn
@given(
    pieces=st.lists(st.integers(0, 40), min_size=1, max_size=12),
    left=st.integers(0, 9),
    step=st.integers(1, 12),
    right=st.integers(0, 6),
    whole=st.integers(0, 60),
)
def test_windows_count_every_sample_once(
    pieces: list[int], left: int, step: int, right: int, whole: int
) -> None:
    total = sum(pieces)
    sound = np.arange(total, dtype="float32")
    blocks = np.split(sound, np.cumsum(pieces)[:-1])
    found = list(windows(blocks, left, step, right, whole))
    assert [sample for w in found for sample in range(w.first, w.last)] == list(range(total))
    for window in found:
        np.testing.assert_array_equal(
            window.samples, sound[window.start : window.start + len(window.samples)]
        )
        assert window.start == max(0, window.first - left)
        assert len(window.samples) <= max(left + step + right, whole)


@pytest.mark.parametrize(
    ("said", "heard", "wer"),
    [
        ("one two three", "one two three", 0.0),
        ("One, two — THREE!", "one two three", 0.0),
        ("don’t stop", "don't stop", 0.0),
        ("one two three four", "one too four", 0.5),
        ("", "one", 0.0),
    ],
)
def test_word_errors(said: str, heard: str, wer: float) -> None:
    found = error_rates([said, "a b c d"], [heard, "a b c d"])
    errors = wer * len(normalized(said).split()) + (0 if said else 1)
    assert found["wer"].value == pytest.approx(errors / (len(normalized(said).split()) + 4))
    assert found["wer"].low <= found["wer"].value <= found["wer"].high


def test_transcripts_are_written(tmp_path: Path) -> None:
    words = tuple(Word(f"w{n}", n * 1.0, n + 0.5, 0.9) for n in range(20))
    said = Transcript(" ".join(w.text for w in words), segments_of(words), words, "en", 20.0)
    assert all(part.end - part.start <= 7.0 for part in said.segments)
    assert " ".join(part.text for part in said.segments) == said.text
    for suffix in ("srt", "vtt", "txt", "json"):
        said.save(tmp_path / f"a.{suffix}")
    assert (tmp_path / "a.srt").read_text().startswith("1\n00:00:00,000 --> ")
    assert (tmp_path / "a.vtt").read_text().startswith("WEBVTT\n\n00:00:00.000 --> ")
    assert json.loads((tmp_path / "a.json").read_text())["words"][3]["text"] == "w3"
    with pytest.raises(InputError, match=r"\.srt"):
        said.save(tmp_path / "a.doc")
    figure = said.plot()
    assert len(figure.axes) == 2  # twelve seconds a row
    assert Transcript("", (Segment("a", 0, 1),)).plot().axes


def test_vocabularies() -> None:
    upper = Vocabulary(("<pad>", "|", "A", "B"))
    assert upper.numbers("ab a") == upper.numbers("AB A") == [2, 3, 1, 2]
    with pytest.raises(InputError, match="'x'"):
        LETTERS.numbers("x")
    with pytest.raises(CheckpointError, match="blank 9"):
        Vocabulary(("<pad>", "a"), 9)
