"""The translation task: layout, options, bad input, explanations, training and judging."""

from __future__ import annotations

import copy
import itertools
import json
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from reference import WORDS, configuration, piece_names, pieces, saved

import sixarts as sa
from sixarts.errors import InputError, MissingExtra, OptionError, TrainingError

PAIRS = [
    ("I have a dog.", "我有一只狗。"),
    ("I have a cat.", "我有一只猫。"),
    ("He has a dog.", "他有一只狗。"),
    ("She has a cat.", "她有一只猫。"),
    ("I like the dog.", "我喜欢狗。"),
    ("He likes the cat.", "他喜欢猫。"),
]
TINY = {
    "d_model": 32,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
    "max_position_embeddings": 32,
    "activation_function": "relu",
    "scale_embedding": True,
    "dropout": 0.0,
    "num_beams": 2,
    "max_length": 20,
    "early_stopping": False,
}
LEARNING: dict[str, Any] = {
    "epochs": 100,
    "batch_size": 6,
    "learning_rate": 1e-2,
    "label_smoothing": 0.0,
    "source_vocabulary": 60,
    "target_vocabulary": 60,
    "source_language": "en",
    "target_language": "zh",
}


@pytest.fixture(scope="module")
def taught() -> Any:
    """A network that knows six sentences by heart."""
    task = sa.new("translation", family="marian", device="cpu", **TINY)
    history = task.fit(PAIRS, **LEARNING)
    assert history.metrics["loss"][-1] < 0.2 * history.metrics["loss"][0]
    assert history.replaced and "tokenizers" in history.replaced[0]
    return task


def parroting(task: Any, say: Any = str.upper) -> Any:
    """The task with its own segmentation and tokenizer, and a network that only says what it was given."""
    parrot = copy.copy(task)
    parrot.heard = []

    def answer_batch(texts: Any, options: Any) -> list[list[tuple[str, float]]]:
        parrot.heard += texts
        return [[(say(text), -1.0)] for text in texts]

    parrot.prepare = lambda texts, options: list(texts)
    parrot.answer_batch = answer_batch
    return parrot


@pytest.fixture
def parrot(taught: Any) -> Any:
    return parroting(taught)


@pytest.fixture
def spaced(parrot: Any) -> Any:
    """A parrot whose target language has spaces."""
    parrot.model = copy.copy(parrot.model)
    parrot.model._processor = copy.copy(parrot.model.processor)
    parrot.model._processor.settings = {"source_lang": "en", "target_lang": "fr"}
    return parrot


@pytest.fixture(scope="module")
def starter() -> Any:
    return sa.load("translation", device="cpu")


@pytest.fixture(scope="module")
def multilingual(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An untrained network with three target languages."""
    folder = tmp_path_factory.mktemp("multilingual")
    saved(folder, configuration(), seed=1)
    head = ["</s>", "<unk>", ">>fra<<", ">>deu<<", ">>cmn_Hans<<"]
    words = [*head, *piece_names(pieces())[: WORDS - len(head) - 1], "<pad>"]
    (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    return sa.load("translation", folder, device="cpu")


# Answers.


def test_it_learned_its_sentences(taught: Any) -> None:
    found = taught([source for source, _ in PAIRS])
    assert [result.text for result in found] == [target for _, target in PAIRS]
    assert all(result.score < 0 for result in found)
    assert found[0].sentences == (PAIRS[0],)
    assert str(found[0]) == PAIRS[0][1]


def test_one_is_batch_is_stream(taught: Any) -> None:
    texts = [source for source, _ in PAIRS] + ["A dog. The cat!", "I have\n\na dog."]
    batch = taught(texts)
    streamed = list(taught.stream(iter(texts), progress=False))
    alone = [taught(text) for text in texts]
    small = taught(texts, batch_size=3)
    for one, *others in zip(batch, streamed, alone, small, strict=True):
        for other in others:
            assert other.text == one.text
            assert other.score == pytest.approx(one.score, abs=1e-5)


def test_search_options_are_used(taught: Any) -> None:
    text = "A cat has the dog."
    assert taught(text, beams=1).text
    assert taught(text, max_length=3).text != taught(text).text
    drawn = {taught(text, sample=True, temperature=3.0, seed=seed).text for seed in range(6)}
    assert len(drawn) > 1
    assert taught(text, sample=True, seed=1) == taught(text, sample=True, seed=1)
    assert taught(text, sample=True, top_k=1).text == taught(text, beams=1).text


def test_half_precision_answers_alike(taught: Any, tmp_path: Path) -> None:
    folder = taught.save(tmp_path / "m")
    narrow = sa.load("translation", folder, device="cpu", precision="bfloat16")
    assert [result.text for result in narrow([s for s, _ in PAIRS])] == [t for _, t in PAIRS]


def test_saved_and_loaded_answers_are_equal(taught: Any, tmp_path: Path) -> None:
    again = sa.load("translation", taught.save(tmp_path / "m"), device="cpu")
    texts = [source for source, _ in PAIRS]
    assert again(texts) == taught(texts)


# Layout.


@pytest.mark.quick
@pytest.mark.parametrize(
    "text",
    [
        "one. two! three?",
        "one.\n\n\ntwo.\n",
        "  - one\n  - two\n    1. three\n    2) four\n",
        "one.\r\n\r\n\ttwo.\r\n",
        "> one two\n> > three\n",
        "* one. two.\n• three\n+ four",
        "one\x0btwo\x0cthree\u2028four",
        " \u3000one\u00a0two  three ",
        "---\none\n***\n",
    ],
)
def test_layout_is_kept(spaced: Any, text: str) -> None:
    assert spaced(text).text == text.upper()
    assert spaced(text, segment="line").text == text.upper()
    assert spaced(text, segment="none").text == text.upper()


@pytest.mark.quick
def test_markers_are_not_translated(spaced: Any) -> None:
    spaced("> - one. two.\n\n12) three\n...\n")
    assert spaced.heard == ["one.", "two.", "three"] or sorted(spaced.heard) == ["one.", "three", "two."]


@pytest.mark.quick
def test_what_holds_no_words_stays_as_it_is(spaced: Any) -> None:
    result = spaced("— … !\n***")
    assert result.text == "— … !\n***" and result.sentences == () and result.score == 0.0
    assert not spaced.heard
    assert [result.text for result in spaced(["\n", " \n\n"])] == ["\n", " \n\n"]


@pytest.mark.quick
def test_sentences_of_an_unspaced_language_are_joined_without_spaces(taught: Any) -> None:
    chinese = parroting(taught, lambda text: f"「{len(text)}」")
    assert chinese("One two. Three four.").text == "「8」「11」"
    assert chinese("One two.\nThree four.").text == "「8」\n「11」"
    assert chinese("- One two.  Three.").text == "- 「8」  「6」"


@pytest.mark.quick
def test_a_sentence_beyond_the_limit_is_split_and_told(spaced: Any) -> None:
    words = [f"w{n}" + "," * (n % 9 == 8) for n in range(120)]
    text = " ".join(words) + "."
    with pytest.warns(UserWarning, match="longer than the model's 32"):
        result = spaced(text)
    assert result.text == text.upper()
    encode = spaced.model.processor.encode
    assert len(spaced.heard) > 3
    assert max(len(encode(piece)) for piece in spaced.heard) <= 32


@pytest.mark.quick
def test_a_word_beyond_the_limit_is_split(spaced: Any) -> None:
    text = "abcdefgh" * 30
    with pytest.warns(UserWarning, match="several parts"):
        assert spaced(text).text == text.upper()


def test_a_sentence_beyond_the_limit_is_answered(taught: Any) -> None:
    """By the network itself: a first clause that alone is too long, then short ones."""
    text = "the dog has a cat " * 12 + "he has, a dog, a cat."
    with pytest.warns(UserWarning):
        assert len(taught(text).sentences) > 2


@pytest.mark.quick
def test_no_warning_within_the_limit(spaced: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        spaced("I have a dog.")


# Several target languages.


@pytest.mark.quick
def test_a_target_is_chosen(multilingual: Any) -> None:
    parrot = parroting(multilingual)
    assert parrot("One. Two.", target="fra").text == ">>FRA<< ONE. >>FRA<< TWO."
    assert parrot.heard == [">>fra<< One.", ">>fra<< Two."]
    tokens = multilingual.prepare([">>fra<< One."], multilingual.options).arrays["input_ids"]
    assert tokens[0, 0] == multilingual.model.processor.vocabulary[">>fra<<"]


@pytest.mark.quick
def test_a_target_is_chosen_when_it_is_loaded(multilingual: Any) -> None:
    parrot = parroting(multilingual)
    parrot.options = parrot.options.changed(target="deu")
    parrot("One.")
    assert parrot.heard == [">>deu<< One."]


@pytest.mark.quick
def test_a_text_may_carry_its_own_tag(multilingual: Any) -> None:
    parrot = parroting(multilingual)
    parrot(">>deu<< One. Two.\nThree.")
    assert sorted(parrot.heard) == [">>deu<< One.", ">>deu<< Three.", ">>deu<< Two."]
    with pytest.raises(InputError, match=r"input 1: a text for 'dei'.*nearest: deu"):
        parrot([">>deu<< One.", ">>dei<< One."])


@pytest.mark.quick
def test_an_unknown_or_missing_target_is_refused(multilingual: Any, taught: Any) -> None:
    parrot = parroting(multilingual)
    with pytest.raises(OptionError, match=r"'frx' is none of this model's 3 languages; the nearest: fra"):
        parrot("One.", target="frx")
    with pytest.raises(OptionError, match="3 languages and none is chosen"):
        parrot("One.")
    assert not parrot.heard
    with pytest.raises(OptionError, match="this model's target is 'zh'"):
        taught("One.", target="fra")


@pytest.mark.quick
def test_the_chosen_language_decides_how_sentences_are_joined(multilingual: Any) -> None:
    parrot = parroting(multilingual, lambda text: "好。")
    assert parrot("One. Two.", target="cmn_Hans").text == "好。好。"
    assert parrot("One. Two.", target="fra").text == "好。 好。"
    assert parrot(">>cmn_Hans<< One. Two.").text.strip() == "好。好。"


def test_a_tag_changes_the_answer(multilingual: Any) -> None:
    assert multilingual("the fox", target="fra", max_length=12) != multilingual(
        "the fox", target="deu", max_length=12
    )


# Options and bad input.


@pytest.mark.quick
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"beams": 0}, "beams=0"),
        ({"beams": 2.5}, "beams=2.5"),
        ({"beam": 4}, "nearest: beams"),
        ({"temperature": 0.0}, "temperature=0"),
        ({"temperature": -1}, "temperature=-1"),
        ({"top_k": -1}, "top_k=-1"),
        ({"top_p": 0.0}, "top_p=0"),
        ({"top_p": 1.5}, "top_p=1.5"),
        ({"sample": True, "beams": 2}, "sample"),
        ({"sample": "yes"}, "sample='yes'"),
        ({"max_length": 1}, "max_length=1"),
        ({"max_length": 33}, "max_length=33; expected at most 32"),
        ({"segment": "paragraph"}, "segment='paragraph'"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"seed": -1}, "seed=-1"),
        ({"length_penalty": float("nan")}, "length_penalty=nan"),
        ({"temperature": float("inf")}, "temperature=inf"),
    ],
)
def test_options_out_of_range_are_refused(parrot: Any, options: dict[str, Any], words: str) -> None:
    for call in (parrot, parrot.stream, parrot.live, parrot.explain):
        with pytest.raises(OptionError) as caught:
            call("I have a dog.", **options)
        assert words in str(caught.value)
    assert not parrot.heard


BAD = [
    ("", "an empty text"),
    (" \t", "an empty text"),
    (b"dog", "bytes"),
    (7, "int"),
    (None, "NoneType"),
    ("dog\x00", "NUL"),
    ("\ud800 dog", "not valid Unicode"),
]


@pytest.mark.quick
@pytest.mark.parametrize(("bad", "words"), BAD)
def test_bad_input_is_named_before_any_compute(parrot: Any, bad: Any, words: str) -> None:
    with pytest.raises(InputError, match=f"^input 2: .*{words}") as caught:
        parrot(["One.", "Two.", bad, "Three."])
    assert caught.value.index == 2 and not parrot.heard
    with pytest.raises(InputError, match=words) as caught:
        parrot(bad)
    assert caught.value.index is None
    for call in (parrot.live, parrot.explain):
        with pytest.raises(InputError, match=words):
            call(bad)


@pytest.mark.quick
def test_bad_input_may_be_returned_in_its_place(parrot: Any) -> None:
    texts = ["One."]
    for bad, _ in BAD:
        texts += [bad, "Two."]
    for results in (
        parrot(texts, on_error="return", batch_size=2),
        list(parrot.stream(texts, on_error="return", batch_size=2, progress=False)),
    ):
        assert [bool(result) for result in results] == [True] + [False, True] * len(BAD)
        assert [r.index for r in results if isinstance(r, sa.Failure)] == list(range(1, len(texts), 2))
        assert results[1].kind == "InputError" and "empty" in results[1].error
    with pytest.raises(OptionError, match="on_error"):
        parrot("One.", on_error="ignore")


@pytest.mark.quick
def test_a_stream_gives_what_came_before_a_bad_input(parrot: Any) -> None:
    found = []
    with pytest.raises(InputError, match=r"^input 3: "):
        for result in parrot.stream(["a.", "b.", "c.", "", "d."], batch_size=1, progress=False):
            found.append(result.text)
    assert found == ["A.", "B.", "C."]


@pytest.mark.quick
def test_live_grows_sentence_by_sentence(spaced: Any) -> None:
    text = "- One. Two.\n\n- Three!\n"
    seen = [result.text for result in spaced.live(text)]
    assert seen == ["- ONE. ", "- ONE. TWO.\n\n- ", text.upper()]
    assert [result.text for result in spaced.live("***")] == ["***"]


# Explanations.


@pytest.mark.parametrize("method", ["attention", "integrated_gradients", "occlusion"])
def test_explanations(taught: Any, method: str) -> None:
    text = "I have a dog."
    found = taught.explain(text, method)
    assert found.method == method and found.answer == taught(text).text
    assert found.values.shape == (len(found.target_labels), len(found.input_labels))
    assert "".join(found.target_labels) == found.answer
    assert found.input_labels[-1] == "</s>"
    assert np.isfinite(found.values).all()
    if method == "attention":
        np.testing.assert_allclose(found.values.sum(axis=1), 1, atol=1e-5)
    if method == "integrated_gradients":
        np.testing.assert_allclose(
            found.values.sum(axis=1), found.totals, rtol=0.02, atol=0.02 * np.abs(found.totals).max()
        )
    one = taught.explain(text, method, target=1)
    assert one.target_labels == found.target_labels[1:2]
    np.testing.assert_allclose(one.values[0], found.values[1], atol=1e-5)
    json.dumps(found.to_dict())


@pytest.mark.quick
def test_hiding_a_word_costs_the_word_that_it_means(taught: Any) -> None:
    """Its translation becomes less probable."""
    found = taught.explain("I have a dog.", "occlusion")
    lost = dict(zip(found.target_labels, found.values.max(axis=1), strict=True))
    animal = next(label for label in lost if "狗" in label or "只" in label)
    assert lost[animal] > 0


@pytest.mark.quick
def test_targets_that_are_not_there_are_refused(taught: Any) -> None:
    for target in (99, -1, "dog", 1.0, True):
        with pytest.raises(OptionError, match="expected a token of the translation"):
            taught.explain("I have a dog.", target=target)
    with pytest.raises(OptionError, match="no explanation method 'atention'; expected one of attention"):
        taught.explain("I have a dog.", "atention")
    with pytest.raises(InputError, match="expected one that the model takes whole"):
        taught.explain("!!!")


@pytest.fixture
def only_latin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine with no other font than Matplotlib's own."""
    from sixarts import pictures

    fonts = [font for font in pictures._fonts() if font[0] == "DejaVu Sans"]
    monkeypatch.setattr(pictures, "_fonts", lambda: tuple(fonts))
    yield


def drawn_labels(figure: Any) -> list[str]:
    """Tick labels of a figure that was drawn without a missing glyph."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.savefig(__import__("io").BytesIO(), format="png")
    axes = figure.axes[0]
    return [tick.get_text() for tick in (*axes.get_xticklabels(), *axes.get_yticklabels())]


@pytest.mark.quick
def test_characters_without_a_font_are_code_points_not_boxes(taught: Any, only_latin: None) -> None:
    found = taught.explain("I have a dog.", "attention")
    labels = drawn_labels(found.plot())
    assert not any(ord(character) > 0x2E80 for label in labels for character in label)
    assert any("U+6211" in label for label in labels)
    assert "我" in found.to_html() and "U+6211" not in found.to_html()
    drawn_labels_of_text(taught("I have a dog.").plot())


def drawn_labels_of_text(figure: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.savefig(__import__("io").BytesIO(), format="png")
    assert "U+6211" in figure.texts[0].get_text()


# Judging.


def test_evaluate(taught: Any, tmp_path: Path) -> None:
    examples = [*PAIRS, ("He has a cat.", "他有一只猫。"), ("She likes the dog.", "她喜欢狗。")]
    found = taught.evaluate(examples, progress=False)
    assert set(found.values) == set(taught.spec.metrics) == {"bleu", "chrf"}
    assert found.count == len(examples)
    for metric in found.values.values():
        assert 0 <= metric.low <= metric.value <= metric.high <= 100
        assert metric.value > 20
    assert "tok:zh" in found.protocol and "version:" in found.protocol and "chrf|" in found.protocol
    perfect = taught.evaluate(PAIRS, progress=False)
    assert perfect["bleu"].value == pytest.approx(100)
    path = tmp_path / "pairs.tsv"
    path.write_text("".join(f"{source}\t{target}\n" for source, target in PAIRS), encoding="utf-8")
    assert taught.evaluate(path, progress=False) == perfect
    assert found.plot().axes


@pytest.mark.quick
def test_bleu_on_lower_case_tokens_sees_neither_case_nor_kinds_of_quotes() -> None:
    from sixarts_translation.metrics import measure, measure_tokens

    targets = ["Ein Mann sagt: „Hallo!“", "Zwei Hunde laufen über das Feld."]
    answers = ['ein mann sagt: "hallo!"', "zwei Hunde Laufen über das feld ."]
    found = measure_tokens(answers, targets, "de")["bleu_tokens"]
    assert found.value == pytest.approx(100) and measure(answers, targets, "de")["bleu"].value < 60
    worse = measure_tokens([answers[0], "zwei hunde."], targets, "de")
    assert worse["bleu_tokens"].value < 80 and "lower-case Moses tokens" in worse.protocol


@pytest.mark.quick
def test_evaluate_without_sacrebleu_says_how_to_get_it(parrot: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("sacrebleu", "sacrebleu.metrics"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtra, match=r"pip install 'sixarts\[eval\]'"):
        parrot.evaluate(PAIRS, progress=False)


@pytest.mark.quick
@pytest.mark.parametrize(
    ("examples", "error", "words"),
    [
        ([], TrainingError, "at least one pair"),
        ([PAIRS[0], ("a.",)], InputError, "input 1: example"),
        ([PAIRS[0], "ab"], InputError, "input 1: example"),
        ([PAIRS[0], PAIRS[1], ("a.", "")], InputError, "input 2: example: an empty text"),
    ],
)
def test_bad_examples_are_named(parrot: Any, examples: Any, error: Any, words: str) -> None:
    for use in (parrot.fit, lambda pairs: parrot.evaluate(pairs, progress=False)):
        with pytest.raises(error, match=words):
            use(examples)


# Alternatives, glossaries, documents.


def test_alternatives_are_the_next_best(starter: Any) -> None:
    text = "I have a dog. He is big."
    plain, rich = starter(text), starter(text, n_best=3)
    assert rich.text == plain.text and plain.alternatives == ()
    scores = [rich.score, *(other.score for other in rich.alternatives)]
    assert 2 <= len(scores) <= 3 and scores == sorted(scores, reverse=True)
    assert len({rich.text, *(other.text for other in rich.alternatives)}) == len(scores)
    # Two sentences, three ways each: the best whole texts, not three ways of one sentence.
    ways = [starter(sentence, n_best=3) for sentence in ("I have a dog.", "He is big.")]
    firsts = [[way.score, *(other.score for other in way.alternatives)] for way in ways]
    best = sorted(((a + b) / 2 for a in firsts[0] for b in firsts[1]), reverse=True)[: len(scores)]
    np.testing.assert_allclose(scores, best, atol=1e-4)
    with pytest.raises(OptionError, match="n_best"):
        starter(text, n_best=5, beams=4)


def test_a_glossary_forces_its_terms(starter: Any, tmp_path: Path) -> None:
    texts = ["He went to the station.", "I have a dog.", "Thank you.", "The dog is at the Station."]
    terms = {"station": "火车站", "dog": "小狗"}
    plain, forced = starter(texts), starter(texts, glossary=terms)
    assert plain[0].text != forced[0].text == "他去火车站了。"
    assert "小狗" in forced[1].text and "火车站" in forced[3].text and "小狗" in forced[3].text
    # What holds no term is what it was, and one is as many.
    assert forced[2].text == plain[2].text
    assert [starter(text, glossary=terms).text for text in texts] == [answer.text for answer in forced]
    file = tmp_path / "terms.tsv"
    file.write_text("station\t火车站\ndog\t小狗\n", encoding="utf-8")
    assert [answer.text for answer in starter(texts, glossary=str(file))] == [
        answer.text for answer in forced
    ]


@pytest.mark.parametrize(
    ("glossary", "message"),
    [
        ({"dog": ""}, "not empty"),
        (["dog"], "Mapping"),
        ({"dog": "\U0001f415"}, "only write"),
        ("no.tsv", "no.tsv"),
    ],
)
def test_a_glossary_that_cannot_be_used(starter: Any, glossary: Any, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        starter("I have a dog.", glossary=glossary)


def test_subtitles_come_back_as_subtitles(starter: Any) -> None:
    film = "1\n00:00:01,000 --> 00:00:04,000\n<i>I have a dog.</i>\n"
    assert starter(film, format="srt").text == film.replace("I have a dog.", starter("I have a dog.").text)


def test_partial_answers_grow_by_a_sentence(starter: Any) -> None:
    text = "I have a dog. I have a cat. Thank you."
    grown = [answer.text for answer in starter.live(text)]
    assert len(grown) == 3 and grown[-1] == starter(text).text
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(grown))


def test_one_language_by_name(starter: Any) -> None:
    text = "I have a dog."
    assert starter(text, source="English", target="Chinese").text == starter(text).text
    assert sa.load("translation", source="en", target="Chinese").reference == "starter/en-zh"
    assert sa.load("translation", target="Japanese").reference == "starter/en-ja"
    with pytest.raises(OptionError, match="this model's target is 'zh'"):
        starter(text, target="French")
    with pytest.raises(OptionError, match="no model in the catalog"):
        sa.load("translation", source="zh", target="en")


@pytest.mark.parametrize(
    ("reference", "text", "answer"),
    [
        ("starter/en-zh", "I have a dog.", "我有一只狗。"),
        ("starter/en-ja", "I have a dog.", "私は犬を飼っている。"),
    ],
)
def test_a_starter_is_small_and_answers_with_its_card(reference: str, text: str, answer: str) -> None:
    from sixarts.card_check import check
    from sixarts.plugins import registry

    folder = registry().starter_folder(reference)
    assert folder is not None
    assert sum(path.stat().st_size for path in folder.iterdir()) < 8e6
    translate = sa.load("translation", reference, device="cpu")
    assert translate(text).text == answer
    assert check(translate.card, "translation") == []


# Training.


def fitted(folder: Path | None = None, stop_at: int | None = None, **changes: Any) -> tuple[Any, Any]:
    """A tiny network after four epochs, or interrupted in the middle of one."""
    task = sa.new("translation", family="marian", device="cpu", **TINY | {"d_model": 8, "dropout": 0.2})
    learn = task.learn

    def lessons(examples: Any, training: Any, epoch: int) -> Any:
        if epoch == stop_at:
            raise KeyboardInterrupt
        return learn(examples, training, epoch)

    task.learn = lessons
    options = LEARNING | {"epochs": 4, "batch_size": 2, "subword_sampling": 0.3, "folder": folder} | changes
    return task, task.fit(PAIRS, PAIRS[:2], **options)


def weights_of(task: Any) -> list[np.ndarray]:
    return [np.asarray(keras.ops.convert_to_numpy(variable)) for variable in task.model.network.weights]


def test_interrupted_training_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole, history = fitted()
    _, stopped = fitted(tmp_path, stop_at=2)
    assert stopped.stopped == "interrupted" and len(stopped.metrics["loss"]) == 2
    resumed, again = fitted(tmp_path)
    assert again == history
    assert all(np.array_equal(a, b) for a, b in zip(weights_of(whole), weights_of(resumed), strict=True))
    other, _ = fitted(seed=1)
    assert not all(np.array_equal(a, b) for a, b in zip(weights_of(whole), weights_of(other), strict=True))


def test_a_loaded_checkpoint_is_fine_tuned(taught: Any, tmp_path: Path) -> None:
    task = sa.load("translation", taught.save(tmp_path / "m"), device="cpu")
    extra = [("He likes a dog.", "他喜欢一只狗。")]
    before = task(extra[0][0]).text
    history = task.fit([*PAIRS, *extra], epochs=25, learning_rate=3e-3, label_smoothing=0.0, batch_size=7)
    assert history.replaced == ()
    assert history.metrics["loss"][-1] < history.metrics["loss"][0]
    assert before != extra[0][1] == task(extra[0][0]).text


@pytest.mark.quick
def test_a_new_task_asks_for_fit() -> None:
    task = sa.new("translation", family="marian", device="cpu", **TINY)
    with pytest.raises(TrainingError, match="call fit"):
        task("I have a dog.")
