"""Summaries by models that write: options, long documents, what they rest on, reasons, learning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import summary_reference as reference

import sixarts as sa
from sixarts.errors import OptionError
from sixarts_text import summary_lessons
from sixarts_text.abstraction import Abstraction, Written
from sixarts_text.sections import sections_of
from sixarts_text.sentences import Document, count_words

SMALL = {
    "d_model": 16,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 16,
    "decoder_ffn_dim": 16,
    "max_position_embeddings": 96,
    "pad_token_id": 1,
    "eos_token_id": 2,
    "bos_token_id": 0,
    "decoder_start_token_id": 2,
    "forced_bos_token_id": None,
}
TEXT = "The quick brown fox jumps over the lazy dog. It was late."
LONG = " ".join(f"The quick brown fox jumps over dog {n}. It was late, and the dog slept." for n in range(12))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("writer")
    reference.saved(folder, "bart", SMALL, 5)
    return folder


@pytest.fixture(scope="module")
def summarize(place: Path) -> Any:
    return sa.load("summarization", place, device="cpu", max_length=12, beams=2)


@pytest.fixture
def saying(summarize: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The task with a model that says of a section what a function makes of its text."""

    def patch(say: Any) -> Any:
        def finish(self: Any, outputs: Any, batch: Any, options: Any) -> list[Written]:
            return [Written(section, say(section), -0.5) for section in batch.context]

        monkeypatch.setattr(Abstraction, "finish", finish)
        monkeypatch.setattr(Abstraction, "answer", lambda self, batch, options: batch.arrays)
        return summarize

    return patch


def test_the_text_is_what_the_published_search_writes(place: Path, summarize: Any) -> None:
    import torch
    from transformers import BartForConditionalGeneration

    model = BartForConditionalGeneration.from_pretrained(place).eval()
    ids = summarize.model.processor.encode([TEXT])[0]
    for options in (
        {"beams": 1, "max_length": 9},
        {"beams": 3, "max_length": 12, "length_penalty": 2.0, "min_length": 8, "no_repeat_ngram_size": 2},
    ):
        published = {"beams": "num_beams"}
        with torch.no_grad():
            tokens = model.generate(
                torch.tensor(ids[None]).long(),
                **{published.get(name, name): value for name, value in options.items()},
            )
        wanted = summarize.model.processor.decode(tokens[0, 1:].numpy())
        assert summarize(TEXT, **options).text == wanted


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("beams", 0),
        ("max_length", 1),
        ("max_length", 97),
        ("min_length", 13),
        ("no_repeat_ngram_size", -1),
        ("temperature", 0.0),
        ("top_p", 1.5),
        ("early_stopping", "often"),
    ],
)
def test_values_out_of_range_are_named(summarize: Any, option: str, value: Any) -> None:
    with pytest.raises(OptionError, match=option):
        summarize(TEXT, **{option: value})


def test_a_seed_gives_one_answer(summarize: Any) -> None:
    one, other = (summarize(TEXT, beams=1, sample=True, seed=seed) for seed in (1, 2))
    assert one.to_dict() == summarize(TEXT, beams=1, sample=True, seed=1).to_dict()
    assert one.text != other.text


def test_a_long_document_is_summed_up_in_rounds(saying: Any) -> None:
    sizes = []

    def first(section: Any) -> str:
        sizes.append((section.round, section.of, len(section.sentences)))
        return section.sentences[0].text

    summarize = saying(first)
    found = summarize(LONG)
    turns = dict.fromkeys(turn for turn, _, _ in sizes)
    assert len(turns) == found.rounds + 1 > 1
    assert sizes[-1][1] == 1  # the last round is one section
    assert found.text == "The quick brown fox jumps over dog 0."
    assert [LONG[s.start : s.end] for s in found.sources] == [found.text]
    assert len(found.sections) > 1 and found.sections[0][0] == 0 and found.sections[-1][1] == len(LONG)
    room = summarize.model.processor.source_limit
    encode = summarize.model.processor.encode
    assert all(len(encode([LONG[start:end]])[0]) <= room for start, end in found.sections)
    assert [each.text for each in summarize.live(LONG)][-1] == found.text


def test_rounds_end_where_nothing_gets_shorter(saying: Any) -> None:
    found = saying(lambda section: section.text)(LONG)
    assert found.rounds == 0 and found.text == LONG and set(found.support) == {1.0}


def test_what_is_made_up_is_named(saying: Any) -> None:
    summarize = saying(lambda section: "The quick fox was late. Rex bit 7 cats.")
    found = summarize(TEXT)
    assert found.support[0] > 0.4 and found.support[1] == 0.0
    assert found.unsupported == ("7",) and found.sentences[1] == "Rex bit 7 cats."
    assert {source.start for source in found.sources} == {0, TEXT.index("It was")}
    assert "Not in the document: 7" in found.to_html()
    told = " ".join(text.get_text() for text in found.plot().axes[0].texts)
    assert "Not in the document: 7" in told and "Support: " in told


def test_words_allowed_are_whole_sentences(saying: Any) -> None:
    summarize = saying(lambda section: "The fox ran. A dog slept all day. It rained.")
    assert summarize(TEXT, max_words=8).text == "The fox ran. A dog slept all day."
    assert summarize(TEXT, max_words=7).text == "The fox ran."
    assert summarize(TEXT, sentences=2).text == "The fox ran. A dog slept all day."
    assert summarize(TEXT, ratio=0.3).text == "The fox ran."
    cut = summarize(TEXT, max_words=2)
    assert cut.text == "The fox …" and cut.cut and count_words(cut.text) == 2


def test_nothing_said_is_an_empty_summary(saying: Any) -> None:
    found = saying(lambda section: "")(TEXT)
    assert found.text == "" and found.sources == () and found.support == ()
    found.plot()


def test_over_long_sentences_are_read_in_parts(saying: Any) -> None:
    text = "the quick brown fox jumps over the lazy dog, " * 30
    found = saying(lambda section: "The fox.")(text)
    assert len(found.sections) > 3
    assert found.sections[0][0] == 0 and found.sections[-1][1] == len(text.rstrip())


@pytest.mark.parametrize("method", ["integrated_gradients", "attention", "occlusion"])
def test_reasons(summarize: Any, method: str) -> None:
    found = summarize.explain(TEXT, method)
    assert found.input_labels[0] == "0: The quick brown fox jumps ov…" and len(found.input_labels) == 3
    if method == "integrated_gradients":
        assert found.values.sum(axis=1) == pytest.approx(np.asarray(found.totals), rel=0.02, abs=0.01)
    if method == "attention":
        assert found.values.sum(axis=1) == pytest.approx(1.0, abs=1e-3)
    finer = summarize.explain(TEXT, method, target=0)
    assert finer.values.shape[0] == 1 and len(finer.input_labels) > 3
    assert finer.values.sum() == pytest.approx(found.values[0].sum(), rel=0.02, abs=1e-3)
    with pytest.raises(OptionError, match="expected"):
        summarize.explain(TEXT, method, target="no such token")


def test_lessons_are_what_the_published_network_learns_from(place: Path, summarize: Any) -> None:
    import torch
    from transformers import BartForConditionalGeneration

    pairs = [(TEXT, "The fox jumps."), ("It was late.", "Late.")]
    lessons = summary_lessons.writing(summarize.model, pairs, summarize.Training(batch_size=1), 0)
    model = BartForConditionalGeneration.from_pretrained(place).eval()
    network = summarize.model.network
    seen = []
    for arrays, targets, weights in lessons:
        labels = np.where(weights["logits"] > 0, targets["logits"], -100)
        with torch.no_grad():
            wanted = model(
                input_ids=torch.tensor(arrays["input_ids"]).long(),
                attention_mask=torch.tensor(arrays["attention_mask"]).long(),
                labels=torch.tensor(labels).long(),
            ).loss.item()
        network.compile(loss=summarize.loss(summarize.Training(label_smoothing=0.0)))
        assert network.test_on_batch(arrays, targets, weights) == pytest.approx(wanted, rel=1e-4)
        seen.append(int((weights["logits"] > 0).sum()))
    assert len(seen) == 2


def test_a_few_epochs_of_fit_lower_the_loss(place: Path) -> None:
    task = sa.load("summarization", place, device="cpu", max_length=12)
    pairs = [(TEXT, ["The fox jumps.", "A fox."]), ("It was late.", "Late.")]
    history = task.fit(pairs, epochs=6, learning_rate=1e-2, label_smoothing=0.0, progress=False)
    assert history.metrics["loss"][-1] < 0.8 * history.metrics["loss"][0]


@pytest.mark.quick
def test_sections_know_where_they_are() -> None:
    document = Document.of("One. Two two. Three.")
    made = sections_of(document, document.sentences, [4, 3, 2], 5, 0)
    assert [section.text for section in made] == ["One.", "Two two. Three."]
    assert [section.span for section in made] == [(0, 4), (5, 20)] and {s.of for s in made} == {2}
