"""Tokens against the reference tokenizers on hard strings, and tokenizer files that make none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import text_reference as reference
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hostile import mutated_json, within
from sixarts.errors import CheckpointError
from sixarts.readers.text_processor import TextProcessor
from sixarts_text import text_processors

pytestmark = pytest.mark.quick

#: Kind of the published tokenizer to our processor.
PROCESSORS: dict[str, type[TextProcessor]] = {
    "Bert": TextProcessor,
    "DistilBert": TextProcessor,
    "Roberta": text_processors.RobertaProcessor,
    "XLMRoberta": text_processors.XLMRobertaProcessor,
    "DebertaV2": text_processors.DebertaProcessor,
}
CONFIG = {"vocab_size": 1000, "max_position_embeddings": 60_010, "pad_token_id": 1, "num_labels": 2}
HARD = [
    "I love it 😀👍🏽, don't you? ❤️‍🔥 🇨🇭",
    "我有一只狗。你好！ 私は猫が好きです。한국어",
    "Él comió piñas; Größe, na\u00efve vs nai\u0308ve, Å Å Å, ﬁ ½ Ａ　Ｂ ① ²",
    "tab\tnew\nline\r\nreturn\r\x0b\x0c bell\x07 escape\x1b zero\u200bwidth\u00adsoft \u202eright",
    "שלום عالم हिन्दी ไทยไม่มีช่องว่าง",
    "a" * 10_000,
    "not" * 3_333 + " !" + "💥" * 50,
    "1,234.56 $%&@#^*()_+-=[]{}|;':\",./<>?`~",
    "  leading,  double   and trailing  ",
    "it's can't 'quoted' I'LL",
]
#: What stands for any text but halves of surrogate pairs; names of special tokens are told apart below.
texts = st.text(max_size=40) | st.lists(st.sampled_from(HARD), min_size=1, max_size=2).map(" ".join)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Makes a folder with a tokenizer of a kind, in the files that it came in first or in one."""
    made: dict[Any, tuple[Path, Any]] = {}

    def make(kind: str, single: bool, **stated: Any) -> tuple[Path, Any]:
        import transformers

        key = (kind, single, *stated.items())
        if key not in made:
            place = tmp_path_factory.mktemp(kind)
            reference.WRITE[kind](place, **stated)
            theirs = getattr(transformers, f"{kind}Tokenizer").from_pretrained(place)
            if single:
                place = tmp_path_factory.mktemp(f"{kind}-one")
                theirs.save_pretrained(place)
                assert (place / "tokenizer.json").is_file()
                theirs = getattr(transformers, f"{kind}Tokenizer").from_pretrained(place)
            made[key] = place, theirs
        return made[key]

    return make


def ours(kind: str, place: Path) -> TextProcessor:
    return PROCESSORS[kind].from_folder(place, CONFIG)


def rows(processor: TextProcessor, x: Any) -> tuple[list[int], list[int]]:
    """The numbers and segments of one input, without padding."""
    (piece,) = processor.pieces(x)
    arrays = processor.arrays([piece])
    count = int(arrays["attention_mask"].sum())
    return arrays["input_ids"][0, :count].tolist(), arrays["token_type_ids"][0, :count].tolist()


CASES = [
    ("Bert", False, {}),
    ("Bert", True, {"do_lower_case": False}),
    ("Bert", False, {"do_lower_case": False, "strip_accents": True}),
    ("Bert", False, {"do_lower_case": True, "strip_accents": False, "tokenize_chinese_chars": False}),
    ("DistilBert", True, {}),
    ("Roberta", False, {}),
    ("Roberta", True, {"add_prefix_space": True}),
    ("XLMRoberta", False, {}),
    ("XLMRoberta", True, {}),
    ("DebertaV2", True, {}),
]


@pytest.mark.parametrize(("kind", "single", "stated"), CASES)
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(text=texts, other=texts)
@example(text=HARD[3], other=HARD[2])
@example(text=HARD[5], other=HARD[6])
def test_tokens_are_the_reference_tokenizers(
    kind: str, single: bool, stated: dict[str, Any], text: str, other: str, folder: Any
) -> None:
    place, theirs = folder(kind, single, **stated)
    processor = ours(kind, place)
    alone, paired = (theirs(*given, split_special_tokens=True) for given in ((text,), (text, other)))
    if len(alone["input_ids"]) > processor.tokens.frame.added(False):
        ids, _ = rows(processor, text)
        assert ids == alone["input_ids"]
    if processor.tokens.encode(text).ids and processor.tokens.encode(other).ids:
        ids, segments = rows(processor, (text, other))
        assert ids == paired["input_ids"]
        assert segments == paired.get("token_type_ids", segments)


def test_word_pieces_of_a_config_that_disagrees_with_its_file(folder: Any, tmp_path: Path) -> None:
    """As the reference does, ``tokenizer_config.json`` is followed where the two differ."""
    import transformers

    place, _ = folder("Bert", True)
    for file in place.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    stated = json.loads((tmp_path / "tokenizer_config.json").read_text())
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(stated | {"do_lower_case": False}))
    theirs = transformers.BertTokenizer.from_pretrained(tmp_path)
    assert rows(ours("Bert", tmp_path), "Él")[0] == theirs("Él")["input_ids"]
    assert rows(ours("Bert", place), "Él")[0] != theirs("Él")["input_ids"]


@pytest.mark.parametrize("text", [HARD[1], HARD[2], *reference.LINES, "Ａ Ｂ  ﬁ  double", "undoing"])
def test_a_sentencepiece_file_of_deberta_is_read_as_sentencepiece_does(text: str, folder: Any) -> None:
    """The reference is the library that its models were trained with, normalization and all."""
    import sentencepiece

    place, _ = folder("DebertaV2", False)
    model = sentencepiece.SentencePieceProcessor(model_proto=reference.pieces("[PAD]"))
    assert ours("DebertaV2", place).tokens.encode(text).ids == model.encode(text)


@pytest.mark.parametrize("kind", PROCESSORS)
def test_special_tokens_in_a_text_are_text(kind: str, folder: Any) -> None:
    place, _ = folder(kind, False)
    processor = ours(kind, place)
    special = set(processor.tokens.framed([], None))
    for text in ("a [CLS] b [SEP] [PAD]", "a <s> b </s> <pad> <mask>"):
        assert special.isdisjoint(processor.tokens.encode(text).ids)


@pytest.mark.parametrize("kind", PROCESSORS)
@pytest.mark.parametrize("single", [False, True])
def test_a_saved_tokenizer_is_the_same(kind: str, single: bool, folder: Any, tmp_path: Path) -> None:
    place, _ = folder(kind, single)
    before = ours(kind, place)
    before.save(tmp_path)
    after = ours(kind, tmp_path)
    for text in HARD[:5]:
        assert before.tokens.encode(text) == after.tokens.encode(text)


def test_places_are_those_of_the_text(folder: Any) -> None:
    for kind in PROCESSORS:
        processor = ours(kind, folder(kind, False)[0])
        text = "a good dog 😀, not bad"
        (piece,) = processor.pieces((text, "yes"))
        places = processor.places(piece)
        assert len(places) == piece.count
        # Several byte tokens may be of one character, and the space before it.
        spans = [(start, end) for column in places for ((of, start, end),) in column if of == 0]
        covered = {place for start, end in spans for place in range(start, end)}
        assert covered >= {place for place, letter in enumerate(text) if letter != " "}, kind
        assert spans == sorted(spans) and max(covered) == len(text) - 1


@pytest.mark.parametrize("kind", PROCESSORS)
def test_texts_are_taken_for_pieces(kind: str, folder: Any) -> None:
    """Tasks of other plugins give a processor texts."""
    processor = ours(kind, folder(kind, False)[0])
    given = ["a good dog", "a lazy fox, not bad"]
    wanted = processor.arrays([piece for text in given for piece in processor.pieces(text)])
    for name, array in processor.arrays(given).items():
        np.testing.assert_array_equal(array, wanted[name])
        assert array.dtype == np.int32 and array.shape[0] == 2


def test_added_tokens_are_known(tmp_path: Path) -> None:
    import transformers

    count = reference.write_word_pieces(tmp_path)
    theirs = transformers.BertTokenizer.from_pretrained(tmp_path)
    theirs.add_tokens(["newword", "[NAME]"])
    theirs.save_pretrained(tmp_path)
    (tmp_path / "added_tokens.json").write_text(json.dumps({"newword": count, "[NAME]": count + 1}))
    text = "a newword for [NAME], newwords"
    wanted = theirs(text)["input_ids"]
    assert count in wanted and count + 1 in wanted
    assert rows(ours("Bert", tmp_path), text)[0] == wanted
    (tmp_path / "tokenizer.json").unlink()
    if not (tmp_path / "vocab.txt").exists():
        reference.write_word_pieces(tmp_path)
    assert rows(ours("Bert", tmp_path), text)[0] == wanted


# Files that make no tokenizer.


def refused(kind: str, place: Path, config: dict[str, Any] = CONFIG) -> str:
    with within(), pytest.raises(CheckpointError) as caught:
        PROCESSORS[kind].from_folder(place, config)
    return str(caught.value)


@pytest.mark.parametrize(
    ("kind", "missing", "told"),
    [
        ("Bert", "vocab.txt", "no vocab.txt"),
        ("Roberta", "merges.txt", "no merges.txt"),
        ("XLMRoberta", "sentencepiece.bpe.model", "sentencepiece.bpe.model"),
        ("DebertaV2", "spm.model", "spm.model"),
    ],
)
def test_missing_files_are_named(kind: str, missing: str, told: str, tmp_path: Path) -> None:
    reference.WRITE[kind](tmp_path)
    (tmp_path / missing).unlink()
    assert told in refused(kind, tmp_path)


def test_what_is_no_tokenizer_is_refused(tmp_path: Path) -> None:
    size = reference.write_word_pieces(tmp_path)
    assert f"has {size} tokens" in refused("Bert", tmp_path, CONFIG | {"vocab_size": size - 1})
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "BertJapaneseTokenizer"}')
    assert "BertJapaneseTokenizer" in refused("Bert", tmp_path)
    (tmp_path / "tokenizer_config.json").write_text("{}")
    (tmp_path / "vocab.txt").write_bytes(b"[UNK]\n\xff\xfe")
    assert "vocab.txt is not a tokenizer" in refused("Bert", tmp_path)
    (tmp_path / "vocab.txt").write_text("[UNK]\nword\n")
    assert "lacks [CLS], [SEP]" in refused("Bert", tmp_path)
    (tmp_path / "vocab.txt").write_text("[UNK]\n" + "a" * 2000 + "\n")
    assert "2000 characters" in refused("Bert", tmp_path)
    assert "of 4 tokens" in _short(tmp_path)


def _short(place: Path) -> str:
    reference.write_word_pieces(place, model_max_length=4)
    return refused("Bert", place)


def _one(place: Path) -> dict[str, Any]:
    import transformers

    reference.write_byte_pairs(place)
    transformers.RobertaTokenizer.from_pretrained(place).save_pretrained(place)
    found: dict[str, Any] = json.loads((place / "tokenizer.json").read_text())
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    found = _one(tmp_path_factory.mktemp("whole"))
    # Small enough that most changes hit something else than a piece.
    keep = dict(list(found["model"]["vocab"].items())[:270])
    found["model"] |= {"vocab": keep, "merges": []}
    found["added_tokens"] = [entry for entry in found["added_tokens"] if entry["content"] in keep]
    return found


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_tokenizer_json_that_lies(data: st.DataObject, whole: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes(data.draw(mutated_json(whole)))
    with within():
        try:
            processor = PROCESSORS["Roberta"].from_folder(tmp_path, CONFIG)
            for text in ("I have a dog.", "ﬁ 😀 <s>"):
                for piece in processor.pieces((text, text)):
                    assert np.max(processor.arrays([piece])["input_ids"]) < 2**31
        except CheckpointError as error:
            assert len(str(error)) < 2000
        except Exception as error:
            assert type(error).__name__ == "InputError", error


@pytest.mark.parametrize(
    ("part", "told"),
    [
        ({"post_processor": {"type": "Unheard"}}, "is not a tokenizer"),
        (
            {
                "post_processor": {
                    "type": "TemplateProcessing",
                    "single": [{"Sequence": {"id": "B", "type_id": 0}}],
                    "pair": [
                        {"Sequence": {"id": "A", "type_id": 0}},
                        {"Sequence": {"id": "B", "type_id": 0}},
                    ],
                    "special_tokens": {},
                }
            },
            "single template without A",
        ),
        ({"normalizer": {"type": "Prepend", "prepend": "x" * 2000}}, "characters"),
    ],
)
def test_parts_that_cannot_be_followed_are_named(
    part: dict[str, Any], told: str, whole: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "tokenizer.json").write_text(json.dumps(whole | part))
    assert told in refused("Roberta", tmp_path)
