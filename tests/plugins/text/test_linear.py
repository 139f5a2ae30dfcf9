"""The linear family, what can be read of it, and the parts of the recipe that made the starter."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sixarts as sa
from sixarts.compiled import to_numpy
from sixarts.errors import CheckpointError, OptionError
from sixarts_text import corpora, recipe
from sixarts_text.calibration import calibration_error, temperature
from sixarts_text.cross_validation import chosen, cross_validated
from sixarts_text.linear import log_ratios
from sixarts_text.logistic import bags, solved
from sixarts_text.ngrams import NgramProcessor, words_of

GOOD, BAD = ("great", "love", "lovely", "good"), ("awful", "hate", "bad", "boring")


def examples(count: int = 60) -> list[tuple[str, str]]:
    random = np.random.default_rng(0)
    found = []
    for number in range(count):
        words, label = ((GOOD, "positive"), (BAD, "negative"))[number % 2]
        word, thing = random.choice(words), random.choice(["film", "food", "phone", "place"])
        found.append((f"The {thing} was {word}, really {word}!", label))
        found.append((f"not {word} at all", ("negative", "positive")[number % 2]))
    return found


@pytest.fixture(scope="module")
def task() -> Any:
    made = sa.new("sentiment-analysis", family="linear", device="cpu", letters=[2, 4], decay=1e-3)
    history = made.fit(examples(), epochs=1, progress=False)
    assert history.replaced[0].endswith("n-grams and a head of 2 classes")
    return made


def test_it_learns_to_its_optimum(task: Any) -> None:
    assert task.evaluate(examples(), progress=False)["accuracy"].value == 1.0
    assert task("The place was great").label == "positive"
    assert task("not great").label == "negative"


def test_its_weights_can_be_read(task: Any) -> None:
    """What is read is what is added up."""
    weights = task.model.weights_of("positive", top=10_000)
    processor = task.model.processor
    assert len(weights) == processor.size and list(weights.values()) == sorted(weights.values(), reverse=True)
    text = "The film was lovely"
    (piece,) = processor.pieces(text)
    added = sum(weights[processor.ngrams[number - 1]] for number in piece.places)
    bias = to_numpy(task.model.bias.bias)
    chance = task(text).scores["positive"]
    place = processor.labels.index("positive")
    assert np.log(chance / (1 - chance)) == pytest.approx(added + bias[place] - bias[1 - place], abs=1e-3)
    assert len(task.model.weights_of("negative", top=7)) == 7
    with pytest.raises(CheckpointError, match="positive"):
        task.model.weights_of("neutral")


def test_word_scores_are_sums_of_weights(task: Any) -> None:
    found = task.explain("The film was lovely, not bad, lovely")
    assert found.input_labels == ("The", "film", "was", "lovely,", "not", "bad,", "lovely")
    assert found.values.sum() == pytest.approx(float(found.totals[0]), abs=1e-3)
    # The word that stands twice counts once: its two places share what it counts.
    assert found.values[0, 3] != 0 and found.values[0, 6] != 0
    lost = task.explain("a lovely film", "occlusion")
    without = task.explain("a film", "integrated_gradients", target=lost.target)
    whole = task.explain("a lovely film", "integrated_gradients", target=lost.target)
    assert lost.values[0, 1] <= float(whole.totals[0] - without.totals[0]) + 2.0


def test_it_loads_back_bit_for_bit(task: Any, tmp_path: Path) -> None:
    again = sa.load("sentiment-analysis", task.save(tmp_path), device="cpu")
    for text in ("The film was lovely", "不好", "bad!!", "nothing known 123"):
        assert again(text).to_dict() == task(text).to_dict()
    stated = json.loads((tmp_path / "ngrams.json").read_text())
    (tmp_path / "sixarts.json").unlink()  # which would tell that a file is another
    for wrong, told in (
        ({"ngrams": stated["ngrams"][1:]}, "not of one model"),
        ({"ngrams": [stated["ngrams"][0]] * len(stated["ngrams"])}, "of them different"),
        ({"ngrams": "all"}, "no list"),
        ({"sizes": [0, 2]}, "sizes"),
    ):
        (tmp_path / "ngrams.json").write_text(json.dumps(stated | wrong))
        with pytest.raises(CheckpointError, match=told):
            sa.load("sentiment-analysis", tmp_path, device="cpu")


def test_families_of_other_plugins_take_texts_as_they_are(task: Any) -> None:
    """Whoever has classes and makes arrays of texts is served; and our processors take texts of any task."""
    from types import SimpleNamespace

    text, processor = "The film was lovely", task.model.processor
    plain = SimpleNamespace(labels=processor.labels, arrays=processor.arrays)
    np.testing.assert_array_equal(
        plain.arrays([text])["input_ids"], processor.arrays(list(processor.pieces(text)))["input_ids"]
    )
    wanted = task(text)
    task.model._processor = plain
    try:
        assert task(text) == wanted
    finally:
        task.model._processor = processor


def test_classes_and_settings_are_its_users() -> None:
    topics = [
        ("the cat sleeps", "pets"),
        ("a dog barks", "pets"),
        ("rain and wind", "weather"),
        ("snow today", "weather"),
        ("a goal was scored", "sport"),
        ("they won the match", "sport"),
    ]
    task = sa.new("sentiment-analysis", family="linear", device="cpu", sizes=[1, 1], weighting="none")
    task.fit(topics, epochs=1, progress=False)
    assert [task(text).label for text, _ in topics] == [label for _, label in topics]
    assert not any(" " in ngram for ngram in task.model.processor.ngrams)
    again = [(f"{text} again", label.upper()) for text, label in topics]
    assert task.fit(again, epochs=1, progress=False).replaced[0].endswith("head of 3 classes")
    assert [task(text).label for text, _ in again] == [label for _, label in again]
    with pytest.raises(OptionError, match="decay"):
        sa.new("sentiment-analysis", family="linear", decays=1)
    with pytest.raises(CheckpointError, match="fewest first"):
        sa.new("sentiment-analysis", family="linear", sizes=[3, 1])


@pytest.mark.quick
def test_words_are_found_in_any_script() -> None:
    text = "Don’t go: 我有狗 NAÏVE re-use :) !!"
    found = words_of(text)
    assert found.words == ["don't", "go", "我", "有", "狗", "naïve", "re", "use", ":)", "!!"]
    assert [text[start:end] for start, end in found.spans][:3] == ["Don’t", "go", "我"]
    assert words_of("  \n ").words == []
    (piece,) = NgramProcessor(("a", "b"), ("not good", "#<no"), (1, 2), (2, 3)).pieces("not good, not bad")
    assert {number: len(places) for number, places in piece.places.items()} == {1: 1, 2: 2}


@pytest.mark.quick
def test_an_optimum_has_no_slope() -> None:
    """Held against scikit-learn's solver on the same problem: two columns share what one would have."""
    from sklearn.linear_model import LogisticRegression

    random = np.random.default_rng(0)
    rows = [random.choice(12, random.integers(1, 6), replace=False) for _ in range(40)]
    classes, decay = random.integers(0, 2, 40), 0.01
    seen = bags(rows, 12)
    weights, bias = solved(seen, np.ones((12, 2)), classes, decay)
    reference = LogisticRegression(C=1 / (40 * decay), tol=1e-10, max_iter=10_000).fit(seen, classes)
    np.testing.assert_allclose(weights[:, 1] - weights[:, 0], reference.coef_[0], atol=1e-3)
    assert bias[1] - bias[0] == pytest.approx(reference.intercept_[0], abs=1e-3)


@pytest.mark.quick
def test_ratios_are_naive_bayes() -> None:
    """Against the definition, written out (Wang and Manning 2012, section 2.3)."""
    seen = np.array([[0, 0], [3, 1], [0, 2.0]])
    p, q = seen[:, 0] + 1, seen[:, 1] + 1
    wanted = np.log((p / p.sum()) / (q / q.sum()))
    np.testing.assert_allclose(log_ratios(seen, 1.0)[:, 0], wanted)
    np.testing.assert_allclose(log_ratios(seen, 1.0)[:, 1], -wanted)


@pytest.mark.quick
def test_calibration_is_measured_and_mended() -> None:
    random = np.random.default_rng(0)
    logits = random.normal(0, 2, (4000, 2))
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    classes = (random.random(4000) > chances[:, 0]).astype(int)
    assert calibration_error(chances, classes) < 0.02
    assert temperature(logits * 3, classes) == pytest.approx(3, rel=0.1)
    sure = np.exp(3 * logits) / np.exp(3 * logits).sum(axis=1, keepdims=True)
    assert calibration_error(sure, classes) > 0.1


def sentences() -> list[corpora.Sentence]:
    made = [
        corpora.Sentence(text, label, f"place {number % 3 % 2}")
        for number, (text, label) in enumerate(examples(80))
    ]
    unlike = {text: one for one in made for text in [one.text]}
    more = [corpora.Sentence(f"{one.text} {number}", *one[1:]) for number, one in enumerate(made)]
    # What is negated is beyond single words.
    return [one for one in (*unlike.values(), *more) if not one.text.startswith("not")]


@pytest.mark.quick
def test_folds_keep_what_is_alike_together() -> None:
    data = [*sentences(), *sentences()]
    found = corpora.folds(data, 10, seed=1)
    by_words: dict[Any, set[int]] = {}
    for sentence, fold in zip(data, found, strict=True):
        by_words.setdefault(tuple(words_of(sentence.text).words), set()).add(int(fold))
    assert all(len(folds) == 1 for folds in by_words.values())
    counts = np.bincount(found, minlength=10)
    assert counts.min() > 0.6 * counts.mean()


def test_cross_validation_looks_at_no_held_out_fold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is learned from or chosen by in a fold is of the other nine."""
    from sixarts_text import cross_validation

    # Each fold takes a compile or two.
    for name, count in (("OUTER", 3), ("INNER", 2), ("TURNS", 1)):
        monkeypatch.setattr(cross_validation, name, count)
    data = sentences()
    outer = corpora.folds(data, 3, 0)
    words = {s.text: fold for s, fold in zip(data, outer, strict=True)}
    seen: list[set[int]] = []
    before = cross_validation.chosen

    def watched(rest: Any, grid: Any, seed: int) -> Any:
        seen.append({words[s.text] for s in rest})
        return before(rest, grid, seed)

    monkeypatch.setattr(cross_validation, "chosen", watched)
    grid = [{"sizes": [1, 1], "decay": decay} for decay in (1e-3, 1e-2)]
    found = cross_validated(data, grid)
    assert [set(range(3)) - part for part in seen] == [{fold} for fold in range(3)]
    metrics = recipe.figures(data, found)
    assert list(metrics) == ["place 0", "place 1", "all"]
    assert metrics["all"]["accuracy"].value > 0.6 and metrics["all"].count == len(data)
    assert chosen(data, grid, 0).loss < np.log(2)


@pytest.fixture(scope="module")
def starter() -> Any:
    return sa.load("sentiment-analysis", device="cpu")


def test_the_starter_knows_opinions(starter: Any) -> None:
    assert starter("I love this phone").label == "positive"
    assert starter("This was a complete waste of money").label == "negative"
    assert starter("The food was not good").label == "negative"
    folder = Path(recipe.__file__).parent / "starters" / "reviews"
    assert sum(file.stat().st_size for file in folder.iterdir()) <= 2_000_000
    strongest = starter.model.weights_of("positive", 30)
    assert any("great" in ngram for ngram in strongest)


def test_the_starters_card_states_calibration(starter: Any) -> None:
    assert "expected calibration error" in starter.card and "| amazon |" in starter.card
