"""Marian's tokenizer against the published one, on text made to be hard."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from reference import TEXT, piece_names, pieces

from sixarts_translation.marian_processor import MarianProcessor, SubwordEncoder
from sixarts_translation.vocabulary import train_pieces, train_processor

pytestmark = pytest.mark.quick

quickly = settings(max_examples=150, deadline=None, derandomize=True, database=None)

#: Whole characters only: a lone surrogate is no text, and the task refuses it.
CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")
HARD = st.sampled_from(
    [
        *"🙂👩‍👩‍👧🇨🇳é️‍ßŒﬁ½①Ａ　 ​­﷽‮\t\n\r\x0b\x1f\x7f…—“”«»¿¡",
        "e\u0301",
        "Ⅷ",
        "我有一只狗",
        "こんにちは",
        "Привет",
        "مرحبا",
        "word" * 30,
        "<<",
        ">>",
        ">>fra<<",
        "▁",
        "▁▁a",
        "  ",
        "</",
        "<unk",
        "&amp;",
        *TEXT.split(),
    ]
)
TAGS = st.sampled_from([">>fra<<", ">>deu<< ", ">>xx<<", ">><<", ">>fra"])
TEXTS = st.one_of(
    st.lists(HARD, max_size=12).map("".join),
    st.lists(HARD, max_size=12).map(" ".join),
    st.text(CHARACTERS, max_size=40),
    st.builds("{}{}".format, TAGS, st.text(CHARACTERS)),
)


def words_of(*models: bytes) -> dict[str, int]:
    first = ["</s>", "<unk>", "<pad>", ">>fra<<", ">>deu<<"]
    names = [*first, *(name for model in models for name in piece_names(model))]
    return {word: number for number, word in enumerate(dict.fromkeys(names))}


def write(folder: Path, source: bytes, target: bytes, separate: bool) -> Path:
    folder.mkdir()
    (folder / "source.spm").write_bytes(source)
    (folder / "target.spm").write_bytes(target)
    first = words_of(source) if separate else words_of(source, target)
    # Every seventh piece is missing, as some are in published vocabularies.
    kept = [word for number, word in enumerate(first) if number < 5 or number % 7]
    (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(kept)}))
    if separate:
        (folder / "target_vocab.json").write_text(json.dumps(words_of(target)))
        (folder / "tokenizer_config.json").write_text(json.dumps({"separate_vocabs": True}))
    return folder


@pytest.fixture(scope="module", params=["joint", "separate", "bytes"])
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """The published tokenizer and ours, of the same files."""
    from transformers import MarianTokenizer

    source, target = pieces(0), pieces(1, 120)
    if request.param == "bytes":
        source = target = with_bytes()
    folder = write(tmp_path_factory.mktemp("tokenizer") / "m", source, target, request.param == "separate")
    second = {"target_vocab_file": str(folder / "target_vocab.json"), "separate_vocabs": True}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it recommends another package, which it does not use here
        theirs = MarianTokenizer(
            *(str(folder / name) for name in ("source.spm", "target.spm", "vocab.json")),
            **(second if request.param == "separate" else {}),
        )
    return theirs, MarianProcessor.from_folder(folder, {})


def with_bytes() -> bytes:
    """A model that spells what it does not know in bytes."""
    import io

    import sentencepiece

    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([TEXT] * 30),
        model_writer=out,
        vocab_size=400,
        hard_vocab_limit=False,
        byte_fallback=True,
        minloglevel=2,
    )
    return out.getvalue()


@quickly
@given(TEXTS)
@example(">>fra<< hello << there")
@example(">>fra<<")
@example("")
def test_source_tokens(both: tuple[Any, Any], text: str) -> None:
    theirs, ours = both
    assume(not any(token in text for token in theirs.all_special_tokens))
    assert ours.encode(text) == theirs(text)["input_ids"]


def test_a_text_that_spells_a_special_token_is_text(both: tuple[Any, Any]) -> None:
    """The published tokenizer takes it for the token: whoever wrote a text could end it from inside."""
    theirs, ours = both
    end = ours.encode("")[-1]
    for text in ("</s>", "hello </s> there", "a<pad>b"):
        assert end in theirs(text)["input_ids"][:-1] or theirs.pad_token_id in theirs(text)["input_ids"]
        assert end not in ours.encode(text)[:-1] and theirs.pad_token_id not in ours.encode(text)


@quickly
@given(TEXTS)
def test_target_tokens(both: tuple[Any, Any], text: str) -> None:
    """But for a leading tag, which the published tokenizer takes for a language in a target too."""
    theirs, ours = both
    assume(not any(token in text for token in theirs.all_special_tokens))
    if text.startswith(">>"):
        text = "a " + text
    assert ours.encode_target(text) == theirs(text_target=text)["input_ids"]


@quickly
@given(st.lists(st.integers(0, 10**9), max_size=20))
def test_decoding(both: tuple[Any, Any], numbers: list[int]) -> None:
    """Any tokens up to an end: what a search gives.

    The published tokenizer joins pieces by the source's model unless told otherwise.
    """
    theirs, ours = both
    size = len(ours.target_vocabulary)
    ending = {ours.target_vocabulary["</s>"], ours.target_vocabulary["<pad>"]}
    tokens = [number % size for number in numbers if number % size not in ending]
    tail = [ours.target_vocabulary["</s>"], ours.target_vocabulary["<pad>"]]
    wanted = theirs.decode(tokens + tail, skip_special_tokens=True, use_source_tokenizer=False)
    assert ours.decode(tokens + tail) == wanted
    assert ours.decode(np.array(tokens + tail)) == wanted


def test_nothing_after_the_end_is_text(both: tuple[Any, Any]) -> None:
    _, ours = both
    words = ours.target_vocabulary
    word = next(number for piece, number in words.items() if piece.startswith("▁") and len(piece) > 2)
    assert ours.decode([word, ours.target_vocabulary["</s>"], word]) == ours.decode([word])


def test_separate_vocabularies_number_padding_apart() -> None:
    """The published tokenizer looks for the source's number there, and writes ``<pad>`` into the text."""
    source, target = words_of(pieces(0)), words_of(pieces(1, 120))
    del target["<pad>"]
    target = {word: i for i, word in enumerate([*target, "<pad>"])}
    ours = MarianProcessor(pieces(0), pieces(1, 120), source, target)
    word = next(piece for piece in target if piece.startswith("▁") and len(piece) > 2)
    numbers = [target[word], target["</s>"], target["<pad>"], target["<pad>"]]
    assert ours.decode(numbers) == word[1:]


def test_a_written_end_token_is_text_and_ends_nothing(both: tuple[Any, Any]) -> None:
    """The published tokenizer makes the three letters of an end token an end: a text could cut itself."""
    theirs, ours = both
    text = "the </s> fox <pad> <unk>"
    assert theirs(text)["input_ids"].count(theirs.eos_token_id) == 2
    assert ours.encode(text).count(ours.eos) == 1


def test_languages(both: tuple[Any, Any]) -> None:
    _, ours = both
    assert ours.languages == ("fra", "deu")
    assert ours.encode(">>deu<< the fox")[0] == ours.vocabulary[">>deu<<"]


def test_saved_and_read_again(both: tuple[Any, Any], tmp_path: Path) -> None:
    _, ours = both
    ours.save(tmp_path)
    again = MarianProcessor.from_folder(tmp_path, {})
    assert again.encode(TEXT) == ours.encode(TEXT)
    assert again.encode_target(TEXT) == ours.encode_target(TEXT)
    assert again.vocabulary == ours.vocabulary and again.target_vocabulary == ours.target_vocabulary


# New ones.


@pytest.fixture(scope="module")
def trained() -> MarianProcessor:
    pairs = [(f"I have {n} dogs.", f"我有{n}只狗。") for n in range(40)]
    return train_processor(pairs, 60, 60, source_language="en", target_language="zh")


def test_a_new_tokenizer_gives_its_text_back(trained: MarianProcessor) -> None:
    """Full-width punctuation too, which the usual normalization would fold."""
    for text in ("我有3只狗。", "我有只狗。"):
        assert trained.decode(trained.encode_target(text)) == text
    assert trained.vocabulary["<pad>"] == trained.target_vocabulary["<pad>"]
    assert trained.settings["target_lang"] == "zh"


def test_a_new_tokenizer_is_the_same_again() -> None:
    texts = [f"I have {n} dogs and {n * 7} cats." for n in range(50)]
    assert train_pieces(texts, 50, 0, "nmt_nfkc") == train_pieces(texts, 50, 0, "nmt_nfkc")


def test_too_little_text_for_a_tokenizer() -> None:
    from sixarts.errors import TrainingError

    with pytest.raises(TrainingError, match="give more text"):
        train_pieces([""], 50, 0, "nmt_nfkc")


def test_words_are_cut_anew_by_seed(trained: MarianProcessor) -> None:
    text = "I have 12 dogs."

    def cuts(seed: int) -> list[list[int]]:
        encoder = trained.encoder(0.1, seed)
        return [encoder.source(text) for _ in range(8)]

    assert cuts(1) == cuts(1)
    assert cuts(1) != cuts(2)
    assert len({tuple(cut) for cut in cuts(1)}) > 1
    best = SubwordEncoder(trained, 0.0, 1)
    assert best.source(text) == best.source(text) == trained.encode(text)
