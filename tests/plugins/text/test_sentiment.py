"""The task for texts: answers, long texts, pairs, several labels, explanations, bad input."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import text_reference as reference

import sixarts as sa
from sixarts.errors import InputError, OptionError
from sixarts.readers.pieces import spans
from sixarts.result import Failure
from sixarts_text.sentiment_task import CHARACTERS

SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 24,
}
LONG = "the quick brown fox " * 12 + "over a lazy dog " * 9


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("emotions")
    reference.saved(folder, "Bert", SMALL, 2)
    return folder


@pytest.fixture(scope="module")
def feel(place: Path) -> Any:
    return sa.load("sentiment-analysis", place, device="cpu")


@pytest.fixture(scope="module")
def tags(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A model whose labels do not exclude one another."""
    folder = tmp_path_factory.mktemp("tags")
    reference.saved(
        folder,
        "Roberta",
        SMALL
        | {
            "problem_type": "multi_label_classification",
            "pad_token_id": 1,
            "type_vocab_size": 1,
        },
        3,
    )
    return sa.load("sentiment-analysis", folder, device="cpu")


def test_it_goes_by_its_short_name(place: Path, feel: Any) -> None:
    assert sa.load("sentiment", place, device="cpu")("good dog") == feel("good dog")


def test_answers_are_the_pipelines(place: Path, feel: Any) -> None:
    """Labels and probabilities of the published pipeline, one text or many, any length within a batch."""
    import transformers

    texts = ["good", "I love the quick brown fox!", "Él comió piñas; 我有一只狗。", "no"]
    pipe = transformers.pipeline("text-classification", model=str(place), device="cpu", top_k=None)
    for wanted, got in zip(pipe(texts), feel(texts), strict=True):
        assert list(got.scores) == [entry["label"] for entry in wanted]
        np.testing.assert_allclose(list(got.scores.values()), [e["score"] for e in wanted], atol=1e-5)
        assert got.labels == (got.label,) and got.windows == ()


def test_one_and_many_are_the_same(feel: Any) -> None:
    texts = ["good", LONG, "bad film " * 5, "why", "yes " * 21] * 3
    alone = [feel(text) for text in texts]
    for found in (feel(texts), list(feel.stream(iter(texts), batch_size=4, progress=False))):
        for one, other in zip(alone, found, strict=True):
            assert one.label == other.label and len(one.windows) == len(other.windows)
            np.testing.assert_allclose(
                [one.scores[label] for label in one.scores],
                [other.scores[label] for label in one.scores],
                atol=1e-5,
            )


def test_pairs_are_read_as_two_segments(place: Path, feel: Any) -> None:
    import transformers

    pipe = transformers.pipeline("text-classification", model=str(place), device="cpu", top_k=None)
    (wanted,) = pipe([{"text": "good dog", "text_pair": "bad fox"}])
    got = feel(("good dog", "bad fox"))
    np.testing.assert_allclose(
        [got.scores[entry["label"]] for entry in wanted], [entry["score"] for entry in wanted], atol=1e-5
    )
    assert got != feel(("bad fox", "good dog")) and got != feel("good dog bad fox")
    assert feel([("good dog", "bad fox")])[0] == got


# Long texts.


def test_windows_cover_all_of_a_text(feel: Any) -> None:
    found = feel(LONG)
    assert len(found.windows) > 2 and "windows" in str(found)
    assert found.windows[0].start == 0 and found.windows[-1].end == len(LONG.rstrip())
    for one, other in zip(found.windows, found.windows[1:], strict=False):
        assert one.start < other.start < one.end < other.end
    parts = [feel(LONG[window.start : window.end]) for window in found.windows]
    for window, part in zip(found.windows, parts, strict=True):
        assert part.score == pytest.approx(window.score, abs=1e-5) and part.label == window.label
    best = feel(LONG, pool="max").scores
    top = {label: max(part.scores[label] for part in parts) for label in best}
    assert best["joy"] == pytest.approx(top["joy"] / sum(top.values()), abs=1e-5)
    low, high = (f(part.scores["joy"] for part in parts) for f in (min, max))
    assert low - 1e-6 <= found.scores["joy"] <= high + 1e-6


def test_the_stride_is_as_stated(feel: Any) -> None:
    words = LONG.split()
    count, room = len(words), SMALL["max_position_embeddings"] - 2
    for stride in (1, 5, room):
        assert len(feel(LONG, stride=stride).windows) == len(spans(count, room, stride))
    with pytest.raises(OptionError, match="expected 1 to 22"):
        feel(LONG, stride=23)


def test_nothing_is_cut_in_silence(feel: Any) -> None:
    with pytest.warns(UserWarning, match="84 tokens is longer than the 22"):
        cut = feel(LONG, long="truncate")
    assert cut.windows == () and cut == feel(" ".join(LONG.split()[:22]))
    with pytest.raises(InputError, match=r"input 1: a text of 84 tokens; expected at most 22"):
        feel(["good", LONG], long="refuse")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        feel("good dog", long="truncate")


def test_pairs_too_long_for_the_model(place: Path, feel: Any) -> None:
    import transformers

    found = feel((LONG, "good dog"))
    assert len(found.windows) > 2 and found.windows[-1].end == len(LONG.rstrip())
    assert len(feel(("good dog", LONG)).windows) == len(found.windows)
    with pytest.raises(InputError, match="in windows"):
        feel((LONG, LONG))
    theirs = transformers.BertTokenizer.from_pretrained(place)
    for pair in ((LONG, LONG), (LONG, "good dog"), ("good dog", LONG), (LONG, "a " * 11), ("a " * 12, LONG)):
        wanted = theirs(*pair, truncation="longest_first", max_length=24)["input_ids"]
        with pytest.warns(UserWarning, match="left out"):
            (piece,) = feel.model.processor.pieces(pair, "truncate")
        arrays = feel.model.processor.arrays([piece])
        assert arrays["input_ids"][0, : piece.count].tolist() == wanted


@pytest.mark.quick
def test_windows_start_every_step() -> None:
    assert spans(3, 4, 3) == [(0, 3)]
    assert spans(9, 4, 4) == [(0, 4), (4, 8), (8, 9)]


# Several labels.


def test_several_labels_hold_or_none(tags: Any) -> None:
    found = tags("I love the quick brown fox", threshold=0.01)
    assert set(found.labels) == {"anger", "joy", "love"} and found.labels[0] == found.label
    assert sum(found.scores.values()) != pytest.approx(1, abs=1e-3)
    none = tags("I love the quick brown fox", threshold=0.999)
    assert none.labels == () and "none of the labels" in str(none) and none.label == found.label
    middle = sorted(found.scores.values())[1]
    assert len(tags("I love the quick brown fox", threshold=middle - 1e-4).labels) == 2
    assert tags("I love the quick brown fox", top=1).scores == {found.label: found.score}


def test_a_single_label_is_told_by_itself(tmp_path: Path) -> None:
    reference.saved(
        tmp_path,
        "DistilBert",
        {
            "dim": 8,
            "n_heads": 2,
            "n_layers": 1,
            "hidden_dim": 8,
            "id2label": {0: "toxic"},
        },
        1,
    )
    found = sa.load("sentiment-analysis", tmp_path, device="cpu")("good dog")
    assert found.label == "toxic" and 0 < found.score < 1 and found.labels in ((), ("toxic",))


# Bad input.


BAD = [
    ("", "empty"),
    (" \n\t\u3000", "empty"),
    (b"caf\xe9", "bytes"),
    ("a\x00b", "binary"),
    ("half \ud800", "Unicode"),
    ("x" * 5_000_000, f"at most {CHARACTERS:,}"),
    (3, "int '3'"),
    (None, "NoneType"),
    (["one", 2], "list"),
    (("one",), "tuple of 1"),
    (("one", 2), "int '2'"),
    ({"text": "one"}, "dict"),
]


@pytest.mark.parametrize(("bad", "told"), BAD, ids=[str(told) for _, told in BAD])
def test_bad_input_is_named_with_its_index(feel: Any, bad: Any, told: str) -> None:
    with pytest.raises(InputError, match=told) as caught:
        feel(["good", bad])
    assert caught.value.index == 1 and len(str(caught.value)) < 300
    found = feel(["good", bad, "dog"], on_error="return")
    assert isinstance(found[1], Failure) and found[0].label and found[2].label


def test_texts_without_tokens_are_named(feel: Any) -> None:
    with pytest.raises(InputError, match="makes nothing"):
        feel("\u200b\u200b")


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ({"threshold": 0.0}, "more than 0"),
        ({"threshold": 1.0}, "less than 1"),
        ({"stride": 0}, "1 or more"),
        ({"top": -1}, "0 or more"),
        ({"long": "ignore"}, "windows"),
        ({"pool": "sum"}, "mean"),
        ({"strides": 3}, "stride"),
    ],
)
def test_options_out_of_range_name_it(feel: Any, option: dict[str, Any], told: str) -> None:
    with pytest.raises(OptionError, match=told):
        feel("good", **option)


# Files.


def test_pairs_come_from_json_lines(feel: Any, tmp_path: Path) -> None:
    file = tmp_path / "pairs.jsonl"
    rows = [{"input": ["good dog", "bad fox"], "target": "joy"}, {"input": "good", "target": "love"}]
    file.write_text("\n".join(map(json.dumps, rows)))
    assert type(feel).read_examples(file) == [(("good dog", "bad fox"), "joy"), ("good", "love")]
    assert feel.evaluate(file, progress=False).count == 2


# Explanations.


@pytest.fixture(scope="module")
def explained(feel: Any) -> Iterator[Any]:
    yield {m: feel.explain("I love the dog, not 你好 <b>!", m) for m in ("integrated_gradients", "occlusion")}


def test_word_scores_add_up(explained: Any) -> None:
    found = explained["integrated_gradients"]
    assert found.values.sum() == pytest.approx(float(found.totals[0]), rel=0.02, abs=1e-3)
    assert found.input_labels == ("I", "love", "the", "dog,", "not", "你", "好", "<b>!")
    assert found.target == found.answer and found.signed


def test_occlusion_is_what_is_lost(feel: Any, explained: Any) -> None:
    """Hiding a word is not reading its tokens."""
    text, found = "I love the dog, not 你好 <b>!", explained["occlusion"]
    (piece,) = feel.model.processor.pieces(text)
    arrays = feel.model.processor.arrays([piece])

    def odds(arrays: Any) -> float:
        chances = feel.chances(feel.model(arrays)["logits"])[0]
        chance = float(chances[feel.model.processor.labels.index(found.target)])
        return float(np.log(chance / (1 - chance)))

    whole = odds(arrays)
    arrays["attention_mask"][0, 2] = 0  # "love", after the first special token and "I"
    assert found.values[0, 1] == pytest.approx(whole - odds(arrays), abs=1e-4)


def test_explanations_are_drawn(explained: Any, tmp_path: Path) -> None:
    for found in explained.values():
        page = found.to_html()
        assert "&lt;b&gt;!" in page and "<b>!" not in page and page.count("<span") == 8
        figure = found.plot()
        figure.savefig(tmp_path / "words.png")
        assert [label.get_text() for label in figure.axes[0].get_yticklabels()][1] == "love"
        json.dumps(found.to_dict())


def test_other_classes_and_pairs_are_explained(feel: Any) -> None:
    text = "I love the dog"
    rows = [feel.explain(text, target=label) for label in ("anger", "joy", "love")]
    assert [row.target for row in rows] == ["anger", "joy", "love"]
    assert not np.allclose(rows[0].values, rows[1].values)
    pair = feel.explain(("good dog", "bad fox"))
    assert pair.input_labels == ("good", "dog", "bad", "fox") and pair.to_html().count("<p>") == 2
    with pytest.raises(OptionError, match="joy"):
        feel.explain(text, target="joyy")
    with pytest.raises(InputError, match="windows"):
        feel.explain(LONG)


def test_several_labels_are_explained_alone(tags: Any) -> None:
    found = tags.explain("I love the dog", target="joy")
    assert found.values.sum() == pytest.approx(float(found.totals[0]), rel=0.02, abs=1e-3)


# Learning.


def test_a_checkpoint_learns_other_classes(place: Path, tmp_path: Path) -> None:
    task = sa.load("sentiment-analysis", place, device="cpu")
    examples = [
        (f"the {word} fox {number}", label)
        for number in range(8)
        for word, label in (
            ("good", "joy"),
            ("bad", "gloom"),
            ("great", "joy"),
            ("awful", "gloom"),
        )
    ]
    history = task.fit(examples, epochs=10, batch_size=8, learning_rate=5e-3, progress=False)
    assert history.replaced == ("head of 3 classes by one of 2, 1 of them kept",)
    assert task.evaluate(examples, progress=False)["accuracy"].value > 0.9
    again = sa.load("sentiment-analysis", task.save(tmp_path), device="cpu")
    assert again("the good fox").to_dict() == task("the good fox").to_dict()


def test_several_labels_are_learned(tags: Any, tmp_path: Path) -> None:
    task = sa.load("sentiment-analysis", tags.save(tmp_path / "before"), device="cpu")
    examples = [
        (f"{text} {number}", labels)
        for number in range(8)
        for text, labels in (("love the dog", ["joy", "love"]), ("hate the film", ["anger"]), ("12", []))
    ]
    history = task.fit(examples, epochs=30, batch_size=8, learning_rate=5e-3, progress=False)
    assert history.metrics["loss"][-1] < history.metrics["loss"][0]
    found = task.evaluate(examples, progress=False)
    assert found["accuracy"].value > 0.8 and "all right" in found.protocol
    again = sa.load("sentiment-analysis", task.save(tmp_path / "after"), device="cpu")
    assert set(again("love the dog 3").labels) == {"joy", "love"} and again("12 3").labels == ()
    with pytest.raises(InputError, match="example: labels 3"):
        task.fit([("good", 3)], epochs=1, progress=False)


def test_long_answers_are_drawn(feel: Any, tmp_path: Path) -> None:
    found = feel(LONG)
    found.plot().savefig(tmp_path / "long.png")
    feel("good").plot().savefig(tmp_path / "short.png")
    assert "…" not in feel("good")._repr_html_() and "<table>" in found._repr_html_()
    assert json.loads(json.dumps(found.to_dict()))["windows"][0]["start"] == 0
    assert "text" not in found.to_dict()
