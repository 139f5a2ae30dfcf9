"""Tokens of summarizers against the reference tokenizers on hard strings, and files that make none."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import summary_reference as reference
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from test_text_tokenizers import HARD
from test_text_tokenizers import texts as any_texts

from hostile import mutated_json, within
from sixarts.errors import CheckpointError
from sixarts_text.summary_processor import (
    BartProcessor,
    PegasusProcessor,
    SummaryProcessor,
    T5Processor,
)

pytestmark = pytest.mark.quick

PROCESSORS: dict[str, type[SummaryProcessor]] = {
    "bart": BartProcessor,
    "pegasus": PegasusProcessor,
    "t5": T5Processor,
}
CONFIG = {"vocab_size": 1000, "max_position_embeddings": 64, "n_positions": None}
many = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def spaced(text: str) -> str:
    """With one space between words: at other white space published tokenizers of one model differ."""
    return " ".join("".join(c for c in text if unicodedata.category(c)[0] != "C").split())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Makes a folder with a tokenizer of a kind, in the files that it came in first or in one."""
    made: dict[Any, tuple[Path, Any]] = {}

    def make(kind: str, single: bool, **stated: Any) -> tuple[Path, Any]:
        import transformers

        key = (kind, single, *stated.items())
        if key not in made:
            place = tmp_path_factory.mktemp(kind)
            reference.write_tokenizer(place, kind, **stated)
            load = getattr(transformers, f"{reference.KINDS[kind]}Tokenizer").from_pretrained
            theirs = load(place)
            if single:
                place = tmp_path_factory.mktemp(f"{kind}-one")
                theirs.save_pretrained(place)
                assert (place / "tokenizer.json").is_file()
                theirs = load(place)
            made[key] = place, theirs
        return made[key]

    return make


def ours(kind: str, place: Path, **config: Any) -> SummaryProcessor:
    return PROCESSORS[kind].from_folder(place, CONFIG | config)


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("kind", PROCESSORS)
@many
@given(text=any_texts)
@example(text=HARD[0])
@example(text="a<n>b <n> c")
def test_tokens_and_texts_are_the_reference_tokenizers(
    kind: str, single: bool, text: str, folder: Any
) -> None:
    place, theirs = folder(kind, single)
    processor = ours(kind, place)
    text = text if kind == "bart" else spaced(text)
    wanted = theirs(text, split_special_tokens=True)["input_ids"]
    (found,) = processor.encode([text])
    assert found.tolist() == wanted and found.dtype == np.int32
    said = theirs.decode(wanted, skip_special_tokens=True)
    assert processor.decode(found) == (said.replace("<n>", "\n") if kind == "pegasus" else said).strip()
    if len(wanted) > 3:
        (cut,) = processor.encode([text], len(wanted) - 1)
        shorter = theirs(text, split_special_tokens=True, max_length=len(wanted) - 1, truncation=True)
        assert cut.tolist() == shorter["input_ids"]


@many
@given(text=any_texts.map(lambda text: "".join(c for c in text if unicodedata.category(c)[0] != "C")))
@example(text=HARD[8])
def test_a_sentencepiece_file_of_pegasus_is_read_as_sentencepiece_does(text: str, folder: Any) -> None:
    """Also where there is more than one space, which the reference's conversion takes as a piece."""
    import sentencepiece

    place, _ = folder("pegasus", False)
    model = sentencepiece.SentencePieceProcessor(model_proto=reference.pieces("pegasus"))
    wanted = [number + 103 for number in model.encode(text)]
    assert ours("pegasus", place).encode([text])[0].tolist() == [*wanted, 1]


@pytest.mark.parametrize("kind", PROCESSORS)
@pytest.mark.parametrize("single", [False, True])
def test_what_the_decoder_writes_is_read_without_special_tokens(kind: str, single: bool, folder: Any) -> None:
    """Any numbers, sentinels and those beyond the tokenizer among them."""
    place, theirs = folder(kind, single)
    processor = ours(kind, place)
    random = np.random.default_rng(4)
    for _ in range(20):
        ids = random.integers(0, 460, 12)
        said = theirs.decode(ids.tolist(), skip_special_tokens=True)
        assert processor.decode(ids) == (said.replace("<n>", "\n") if kind == "pegasus" else said).strip()
    for word in ("<pad>", "</s>", "<unk>"):
        assert processor.is_special(theirs.convert_tokens_to_ids(word))


@pytest.mark.parametrize("kind", PROCESSORS)
@pytest.mark.parametrize("single", [False, True])
def test_special_tokens_in_a_text_are_text(kind: str, single: bool, folder: Any) -> None:
    processor = ours(kind, folder(kind, single)[0])
    around = [int(number) for number in processor.encode([""])[0]]
    text = "a <s> b </s> <pad> <mask> <mask_1> <extra_id_0> <unk_7>"
    (found,) = processor.encode([text])
    inside = [int(number) for number in found if number not in around]
    assert sum(number in around for number in found) == len(around)
    unknown = processor._tokens._plain[around[-1]]
    assert all(number == unknown or not processor.is_special(number) for number in inside)


@pytest.mark.parametrize("kind", PROCESSORS)
def test_batches_are_padded_to_a_few_widths(kind: str, folder: Any) -> None:
    processor = ours(kind, folder(kind, False)[0])
    assert processor.source_limit == (512 if kind == "t5" else 64)
    rows = processor.encode(["a good dog", "great " * 30, "a"], 40)
    arrays = processor.pad(rows)
    assert {name: array.shape for name, array in arrays.items()} == {
        "input_ids": (3, 64),
        "attention_mask": (3, 64),
    }
    assert arrays["attention_mask"].sum(axis=1).tolist() == [len(row) for row in rows]
    for row, ids, mask in zip(rows, *arrays.values(), strict=True):
        np.testing.assert_array_equal(ids[mask == 1], row)
    assert processor.pad([np.arange(600, dtype="int32")])["input_ids"].shape[1] >= 600


@pytest.mark.parametrize("kind", PROCESSORS)
def test_tokens_say_where_they_stand_and_what_they_are(kind: str, folder: Any) -> None:
    processor = ours(kind, folder(kind, False)[0])
    text = "a good dog, not bad"
    (ids,) = processor.encode([text])
    spans, pieces = processor.spans(text), processor.tokens(ids)
    assert len(spans) == len(pieces) == len(ids)
    for number, (start, end), piece in zip(ids, spans, pieces, strict=True):
        if processor.is_special(number):
            assert (start, end) == (0, 0) and piece.startswith("<")
        else:
            # A space that is a piece of its own stands at the word that it precedes.
            assert piece.strip() in ("", text[start:end].strip())
    plain = [piece for number, piece in zip(ids, pieces, strict=True) if not processor.is_special(number)]
    assert "".join(plain).strip() == text


def test_what_settings_say(folder: Any, tmp_path: Path) -> None:
    place, _ = folder("t5", False, extra_ids=7, model_max_length=20, clean_up_tokenization_spaces=True)
    task = {"task_specific_params": {"summarization": {"prefix": "summarize: "}}}
    processor = ours("t5", place, **task)
    assert processor.source_limit == 20 and processor.prefix == "summarize: "
    assert ours("t5", place, n_positions=9).source_limit == 9
    (ids,) = processor.encode(["a dog , not bad ."])
    assert processor.decode(ids) == "a dog, not bad."
    processor.save(tmp_path)
    again = ours("t5", tmp_path, **task)
    assert again.source_limit == 20 and again.decode(ids) == "a dog, not bad."


# Files that make no tokenizer.


def refused(kind: str, place: Path, **config: Any) -> str:
    with within(), pytest.raises(CheckpointError) as caught:
        ours(kind, place, **config)
    return str(caught.value)


@pytest.mark.parametrize(
    ("kind", "stated", "config", "told"),
    [
        ("t5", {"extra_ids": 10**9}, {}, "extra_ids=1000000000"),
        ("t5", {"extra_ids": "many"}, {}, "extra_ids=many"),
        ("pegasus", {"offset": -1}, {}, "offset=-1"),
        ("t5", {"model_max_length": 2}, {}, "a model of 2 tokens"),
        ("bart", {}, {"vocab_size": 300}, "not of one model"),
        ("t5", {}, {"vocab_size": 100}, "not of one model"),
        ("t5", {}, {"task_specific_params": {"summarization": {"prefix": 7}}}, "prefix='7'"),
    ],
)
def test_settings_that_cannot_be_followed_are_named(
    kind: str, stated: dict[str, Any], config: dict[str, Any], told: str, tmp_path: Path
) -> None:
    reference.write_tokenizer(tmp_path, kind)
    settings_file = tmp_path / "tokenizer_config.json"
    settings_file.write_text(json.dumps(json.loads(settings_file.read_text()) | stated))
    assert told in refused(kind, tmp_path, **config)


@pytest.mark.parametrize(("kind", "file"), [("bart", "merges.txt"), ("t5", "spiece.model")])
def test_missing_and_damaged_files_are_named(kind: str, file: str, tmp_path: Path) -> None:
    reference.write_tokenizer(tmp_path, kind)
    (tmp_path / file).write_bytes(b"\xff\xfe no")
    assert file in refused(kind, tmp_path) or "tokenizer" in refused(kind, tmp_path)
    (tmp_path / file).unlink()
    assert f"no {file}" in refused(kind, tmp_path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_tokenizer_json_that_lies(data: st.DataObject, folder: Any, tmp_path: Path) -> None:
    place, _ = folder("t5", True)
    whole = json.loads((place / "tokenizer.json").read_text())
    # Small enough that most changes hit something else than a piece.
    whole["model"]["vocab"] = whole["model"]["vocab"][:120]
    whole["added_tokens"] = [entry for entry in whole["added_tokens"] if entry["id"] < 120]
    (tmp_path / "tokenizer.json").write_bytes(data.draw(mutated_json(whole)))
    with within():
        try:
            processor = ours("t5", tmp_path)
            (ids,) = processor.encode(["ﬁ 😀 <s>"])
            processor.decode(ids), processor.tokens(ids)
        except CheckpointError as error:
            assert len(str(error)) < 2000
