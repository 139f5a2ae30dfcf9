"""Summaries by the starter, which picks sentences: documents, options, long documents, reasons, bad input."""

from __future__ import annotations

import gzip
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sixarts as sa
from sixarts.errors import CheckpointError, InputError, OptionError
from sixarts.result import Failure
from sixarts_text import abstracts_recipe, oracle, rouge, summary_lessons
from sixarts_text.plugin import DOCUMENTS
from sixarts_text.sections import packed
from sixarts_text.sentences import Document, Sentence, count_words, cut, sentences_of
from sixarts_text.summarization_task import CHARACTERS

BEES = DOCUMENTS[3]
FOUND = "We show that a camera with a simple filter can do the same."
LONG = "\n\n".join(
    f"{BEES} Flight {n} was in week {n}. Nobody counted the {n} bees at gate {n * 7}." for n in range(40)
)


@pytest.fixture(scope="module")
def summarize() -> Any:
    return sa.load("summarization", device="cpu")


# Sentences.


@pytest.mark.quick
@settings(max_examples=60, deadline=None)
@given(st.text(st.sampled_from("aB. \n\t!?-#*1,。我\u2028\r'\"()"), max_size=80))
def test_sentences_stand_where_they_say(text: str) -> None:
    last = 0
    for form in ("text", "markdown"):
        last = 0
        for sentence in sentences_of(text, "en", form):
            assert last <= sentence.start < sentence.end <= len(text)
            assert sentence.text == " ".join(text[sentence.start : sentence.end].split())
            last = sentence.end


@pytest.mark.quick
def test_wrapped_lines_are_one_sentence_and_lists_are_not() -> None:
    wrapped = (
        "This sentence was wrapped by an editor at a width of\nabout fifty columns, as letters are. One.\n"
    )
    assert [s.text for s in sentences_of(wrapped)] == [
        "This sentence was wrapped by an editor at a width of about fifty columns, as letters are.",
        "One.",
    ]
    ragged = "A paragraph that somebody edited later on has\nlines of unlike lengths, that go on in small"
    assert len(list(sentences_of(ragged))) == 1
    assert [s.text for s in sentences_of("To buy:\n- bread\n- milk\n")] == ["To buy:", "bread", "milk"]


@pytest.mark.quick
def test_of_markdown_paragraphs_and_lists_are_read() -> None:
    text = "# Head\n\nA dog bit.\n\n```\ncode. here.\n```\n\n| a | b |\n|---|---|\n| c. | d |\n\n- It ran.\n"
    assert [s.text for s in sentences_of(text, form="markdown")] == ["A dog bit.", "It ran."]


@pytest.mark.quick
@settings(max_examples=40, deadline=None)
@given(st.text(st.sampled_from("ab, "), min_size=1, max_size=60), st.integers(1, 9))
def test_long_sentences_are_cut_into_parts_that_fit(text: str, most: int) -> None:
    core = text.strip()
    if not any(map(str.isalnum, core)):
        return
    start = text.index(core)
    whole = Sentence(" ".join(core.split()), start, start + len(core))
    parts = list(cut(whole, text, lambda part: len(part) <= most))
    assert all(len(part.text) <= max(most, 1) for part in parts)
    kept = [letter for part in parts for letter in part.text if letter.isalnum()]
    assert kept == [letter for letter in text if letter.isalnum()]


@pytest.mark.quick
@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=40), st.integers(9, 30))
def test_groups_fit_and_hold_everything(sizes: list[int], room: int) -> None:
    groups = packed(sizes, room)
    assert [place for first, last in groups for place in range(first, last)] == list(range(len(sizes)))
    assert all(0 < sum(sizes[first:last]) <= room for first, last in groups)


# Support.


@pytest.mark.quick
def test_support_tells_copied_from_made_up() -> None:
    document = Document.of(
        "Ada Lovelace wrote notes on the engine in 1843. Babbage built a part. It cost 17,000 pounds."
    )
    rest = document.grounds.rest
    assert rest("Ada Lovelace wrote notes on the engine in 1843.").support == 1.0
    assert rest("Ada Lovelace wrote notes on the engine in 1843.").places == ((0, 1.0),)
    shuffled, other = rest("The engine wrote Ada Lovelace notes.").support, rest("Cats sleep a lot.").support
    assert other == 0.0 < shuffled < 1.0
    two = rest("Ada Lovelace wrote notes and Babbage built a part.")
    assert [place for place, _ in two.places] == [0, 1]
    lacks = document.grounds.lacks
    assert lacks(["Ada wrote in 1844.", "It cost 17000 pounds.", "He met Turing.", "Notes cost money."]) == (
        "1844",
        "Turing",
    )
    assert lacks(["Lovelace's notes.", "NASA paid."]) == ("NASA",)


# Summaries.


def test_a_summary_says_where_it_stands(summarize: Any) -> None:
    found = summarize(BEES)
    assert found.text == FOUND == str(found)
    (source,) = found.sources
    assert BEES[source.start : source.end] == source.text == FOUND
    assert 0 < source.strength <= 1 and source.sentences == (0,)
    assert found.support == (1.0,) and found.unsupported == () and not found.cut
    assert found.sections == () and found.rounds == 0
    assert found.score == pytest.approx(source.strength)
    page = found.to_html()
    assert page.count("<mark") == 1 and "Bees find" in page
    figure = found.plot()
    assert {"camera", "Summary"} <= {text.get_text() for text in figure.axes[0].texts}
    assert 1 <= len(figure.axes[0].patches) <= 2  # the lines that it stands on


def test_one_sentence_is_its_own_summary(summarize: Any) -> None:
    assert summarize("It rained.").text == "It rained."
    assert summarize("  no full stop ").text == "no full stop"


@pytest.mark.parametrize(
    "options",
    [
        {"sentences": 2},
        {"max_words": 30},
        {"ratio": 0.4},
        {"max_words": 40, "sentences": 1},
    ],
)
def test_options_are_held_to(summarize: Any, options: dict[str, Any]) -> None:
    found = summarize(BEES, **options)
    starts = [source.start for source in found.sources]
    assert starts == sorted(starts) and len(starts) == len(found.sentences) == len(found.support)
    assert " ".join(found.sentences) == found.text and not found.cut
    assert len(found.sentences) == min(options.get("sentences", 7), len(found.sentences))
    allowed = options.get("max_words") or options.get("ratio", 1) * count_words(BEES)
    assert count_words(found.text) <= allowed
    if options.get("sentences") == 2:
        assert len(found.sentences) == 2 and FOUND in found.sentences


def test_where_no_sentence_fits_a_beginning_does(summarize: Any) -> None:
    found = summarize(BEES, max_words=4)
    assert found.cut and found.text == "We show that a …" and count_words(found.text) == 4


def test_said_twice_is_taken_once(summarize: Any) -> None:
    twice = f"{FOUND} Bees are small insects with wings. {FOUND} It was late in the year."
    assert summarize(twice, sentences=2).text.count("camera") == 1


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("ratio", 0.0, "more than 0"),
        ("ratio", 1.5, "at most 1"),
        ("max_words", 0, "1 or more"),
        ("sentences", 0, "1 or more"),
        ("seed", -1, "0 or more"),
        ("beams", 4, "picks sentences"),
        ("max_length", 20, "picks sentences"),
        ("sample", True, "picks sentences"),
        ("ratio", "half", "type str"),
    ],
)
def test_options_that_do_not_fit(summarize: Any, option: str, value: Any, words: str) -> None:
    with pytest.raises(OptionError, match=words) as told:
        summarize(BEES, **{option: value})
    assert option in str(told.value)


# Long documents.


def test_a_long_document_is_mapped_and_reduced(summarize: Any) -> None:
    found = summarize(LONG, sentences=3)
    assert len(found.sentences) == 3 and found.rounds >= 1
    assert len(found.sections) == -(-len(Document.of(LONG).sentences) // 32)
    assert all(first[1] <= second[0] for first, second in itertools.pairwise(found.sections))
    for source in found.sources:
        assert LONG[source.start : source.end] == source.text
    assert found.to_dict() == summarize([BEES, LONG], sentences=3)[1].to_dict()
    assert summarize(LONG, sentences=100).rounds == 0
    assert len({text.get_position()[1] for text in found.plot().axes[0].texts}) < 70


def test_live_tells_what_was_found_so_far(summarize: Any) -> None:
    partial = list(summarize.live(LONG))
    assert len(partial) > len(partial[0].sections) > 0
    assert all(each.text for each in partial)
    assert partial[-1].to_dict() == summarize(LONG).to_dict()


def test_a_hundred_thousand_words(summarize: Any) -> None:
    book = "\n\n".join(f"{BEES} Chapter {n} ends." for n in range(1200))
    assert count_words(book) > 90_000
    found = summarize(book, max_words=50, batch_size=64)
    assert 0 < count_words(found.text) <= 50 and found.rounds > 1


# Reasons.


def test_reasons_add_up_over_words(summarize: Any) -> None:
    found = summarize.explain(BEES, target=0)
    assert found.values.shape == (1, len(found.input_labels))
    assert found.values.sum() == pytest.approx(float(found.totals[0]), rel=0.02)
    assert {"camera", "sentence 3", "other sentences"} <= set(found.input_labels)
    words = dict(zip(found.input_labels, found.values[0], strict=True))
    assert words["We"] + words["show"] > 0
    with pytest.raises(OptionError, match="0 to 0"):
        summarize.explain(BEES, target=1)
    with pytest.raises(InputError, match="sections"):
        summarize.explain(LONG)


# Bad input.


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("... !! —", "no letter or digit"),
        (b"text", "bytes"),
        ("\x00\x01", "binary"),
        ("\ud800", "Unicode"),
        (["one", "two", 3], "int"),
        ("word " * (CHARACTERS // 5 + 1), "at most"),
    ],
)
def test_bad_input_is_told(summarize: Any, bad: Any, words: str) -> None:
    with pytest.raises(InputError, match=words) as told:
        summarize([BEES, bad] if not isinstance(bad, list) else bad)
    assert told.value.index == (2 if isinstance(bad, list) else 1)


def test_markdown_without_a_paragraph(summarize: Any) -> None:
    with pytest.raises(InputError, match="without a paragraph"):
        summarize("# Only a head", format="markdown")
    assert isinstance(summarize(["# Head"], format="markdown", on_error="return")[0], Failure)


# Files, learning, judging.


@pytest.mark.quick
def test_a_file_is_one_document(tmp_path: Path) -> None:
    from sixarts_text.summarization_task import SummarizationTask

    (tmp_path / "report.md").write_text("# Bees\n\nA dog bit.\n")
    text, options = SummarizationTask.read_document(tmp_path / "report.md")
    assert text == "# Bees\n\nA dog bit." and options == {"format": "markdown"}


@pytest.mark.quick
def test_the_oracle_takes_what_raises_rouge() -> None:
    sentences = ["It rained all day.", "A dog bit a man.", "The man ran home.", "Dogs bite."]
    assert oracle.oracle(sentences, "A dog bit a man, the man ran home.") == [1, 2]
    assert int(oracle.gains(sentences, "A man was bit by a dog.").argmax()) == 1
    assert oracle.oracle(sentences, "Nothing whatsoever") == []
    shares = summary_lessons.wanted(sentences, "A dog bit a man, the man ran home.")
    assert shares.sum() == pytest.approx(1.0) and shares[[1, 2]].min() > 0.25 > shares[[0, 3]].max()


@pytest.mark.quick
def test_rouge_of_several_references_is_that_of_the_best() -> None:
    pytest.importorskip("rouge_score")
    one = rouge.of_one("the cats sat", ["dogs run", "the cat sits"])
    assert one == rouge.of_one("the cats sat", "the cat sits") and one[0] > 60
    found = rouge.measure(["a b c d", "x"], ["a b c e", ["x", "y"]])
    assert found["rouge1"].value == pytest.approx((75 + 100) / 2)
    assert found["rouge1"].low <= found["rouge1"].value <= found["rouge1"].high == 100
    assert "several references" in found.protocol and "stemming" in found.protocol


def test_a_new_model_learns_what_to_pick() -> None:
    random = np.random.default_rng(0)
    words = [f"word{letter}" for letter in "abcdefghij"]

    def sentence() -> str:
        return " ".join(random.choice(words, 6)).capitalize() + "."

    pairs = []
    for _ in range(24):
        key = "Behold " + sentence().lower()
        said = [sentence() for _ in range(4)]
        said.insert(int(random.integers(5)), key)
        pairs.append(("\n".join(said), key))
    task = sa.new("summarization", family="extractive", d_model=8, num_heads=2, least=1, device="cpu")
    history = task.fit(pairs, epochs=12, learning_rate=1e-2, progress=False)
    assert "features of sentences" in history.replaced[0]
    answers = task([x for x, _ in pairs])
    assert sum(answer.text == key for answer, (_, key) in zip(answers, pairs, strict=True)) >= 20
    assert task.model.config["summary_sentences"] == 1


def test_examples_are_checked(summarize: Any) -> None:
    for bad in [("A dog.", 3), ("A dog.", []), ("A dog.", ["fine", ""]), ("A dog.",)]:
        with pytest.raises(InputError) as told:
            summarize.evaluate([("A dog.", "dog"), bad])
        assert told.value.index == 1


def test_a_folder_that_does_not_fit_is_told(summarize: Any, tmp_path: Path) -> None:
    summarize.save(tmp_path / "one")
    stated = json.loads((tmp_path / "one" / "features.json").read_text())
    for broken, words in [
        ({"features": stated["features"][:-1]}, "config.json states"),
        ({"features": [*stated["features"][:-1], "a" * 2000]}, "no list of features"),
        ({"features": [*stated["features"][:-1], stated["features"][0]]}, "different"),
        ({}, "no list of features"),
    ]:
        folder = tmp_path / "two"
        folder.mkdir(exist_ok=True)
        for name in ("config.json", "model.safetensors"):
            (folder / name).write_bytes((tmp_path / "one" / name).read_bytes())
        (folder / "features.json").write_text(json.dumps(broken))
        with pytest.raises(CheckpointError, match=words):
            sa.load("summarization", folder)


@pytest.mark.quick
def test_the_recipe_reads_its_data(tmp_path: Path) -> None:
    entry = {"source": ["A  dog.", "It\nbit."], "target": ["A dog bit.", "Bite."], "title": "Dog"}
    with gzip.open(tmp_path / "dev.jsonl.gz", "wt") as file:
        file.write(json.dumps(entry) + "\n")
    (paper,) = abstracts_recipe.papers(tmp_path, "dev")
    assert paper.abstract == "A dog.\nIt bit." and paper.summaries == entry["target"]
    assert [sentence.text for sentence in sentences_of(paper.abstract)] == paper.sentences
    assert abstracts_recipe.baselines([paper])["lead-1"].count == 1
