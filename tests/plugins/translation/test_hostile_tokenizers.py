"""Tokenizer files made or damaged to hurt their reader: a tokenizer that works, or a typed error."""

from __future__ import annotations

import functools
import json
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from reference import pieces, write_tokenizer

from hostile import NUMBERS, confined, mutated, mutated_json, within
from sixarts.errors import CheckpointError
from sixarts.readers.sentencepiece_file import EXPANSION_CAP, PIECE_CAP, SIZE_CAP, loaded_pieces
from sixarts.readers.tokenizer_file import JsonPieces
from sixarts_translation.marian_processor import MarianProcessor

pytestmark = pytest.mark.quick

CONFIG = {"vocab_size": 40}
TEXTS = [
    "",
    "I have a dog.",
    ">>fra<< 我有一只狗。",
    "ﬁ ½ Ａ　 e\u0301 🙂",
    "<unk> </s> <0x41>",
    "word" * 200,
]


def attempt(name: str, data: bytes, **others: bytes) -> str:
    """Read a folder in which one file is this and use what was read; what was said if it is refused."""
    with tempfile.TemporaryDirectory() as place, within():
        folder = Path(place)
        write_tokenizer(folder)
        for other, content in ({name: data} | others).items():
            (folder / other).write_bytes(content)
        try:
            processor = MarianProcessor.from_folder(folder, CONFIG)
        except CheckpointError as error:
            assert len(str(error)) < 2000 and str(error).isprintable()
            return str(error)
        for text in TEXTS:
            tokens = processor.encode_target(text)
            assert all(0 <= token < 40 for token in [*processor.encode(text), *tokens])
            processor.decode(tokens)
        processor.save(folder)
        return ""


@functools.cache
def vocabulary() -> dict[str, int]:
    with tempfile.TemporaryDirectory() as place:
        write_tokenizer(Path(place))
        words: dict[str, int] = json.loads((Path(place) / "vocab.json").read_text())
        return words


SETTINGS = {
    "tokenizer_class": "MarianTokenizer",
    "source_lang": "en",
    "target_lang": "zh",
    "model_max_length": 512,
    "separate_vocabs": False,
    "special": {"eos": ["</s>"]},
}
few = settings(max_examples=80, deadline=None)


@few
@given(mutated_json(vocabulary()))
def test_a_vocabulary_that_lies(data: bytes) -> None:
    attempt("vocab.json", data)


@few
@given(mutated_json(vocabulary()))
def test_a_second_vocabulary_that_lies(data: bytes) -> None:
    attempt("target_vocab.json", data, **{"tokenizer_config.json": b'{"separate_vocabs": true}'})


@few
@given(mutated_json(SETTINGS))
def test_settings_that_lie(data: bytes) -> None:
    attempt("tokenizer_config.json", data)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"</s>": 0, "<unk>": 1, "a": True}, "numbers 'a' as True"),
        ({"</s>": 0, "<unk>": 1, "a": 2**31}, "numbers 'a'"),
        ({"</s>": 0, "<unk>": 1, "a" * (PIECE_CAP + 1): 2}, f"{PIECE_CAP + 1} characters"),
        ({"</s>": 0, "<unk>": 1, "a": 40}, "vocab_size=40"),
        ({"</s>": 0}, "lacks <unk>"),
    ],
)
def test_what_is_no_vocabulary(words: dict[str, Any], said: str) -> None:
    assert said in attempt("vocab.json", json.dumps(words).encode())
    assert said in attempt(
        "target_vocab.json",
        json.dumps(words).encode(),
        **{"tokenizer_config.json": b'{"separate_vocabs": 1}'},
    )


# SentencePiece ---------------------------------------------------------------------------------------


def model(seed: int = 0) -> Any:
    """A model as its library's own classes hold it."""
    from sentencepiece import sentencepiece_model_pb2

    return sentencepiece_model_pb2.ModelProto.FromString(pieces(seed))


SCORES = [0.0, -1.0, 3e38, -3e38, float("nan"), float("inf"), float("-inf")]
TEXT = st.sampled_from(
    ["", "a", "▁", "▁the", "<unk>", "</s>", "<0x41>", "<0xZZ>", "x" * 3000, "\0", "é", " "]
)


@st.composite
def models(draw: st.DrawFn) -> bytes:
    """A model whose parts are well coded and do not fit."""
    changed = model()
    for _ in range(draw(st.integers(1, 4))):
        match draw(st.sampled_from(["piece", "add", "lose", "rules", "rules", "trie", "trainer", "flags"])):
            case "piece":
                piece = changed.pieces[draw(st.integers(0, len(changed.pieces) - 1))]
                piece.piece = draw(TEXT)
                piece.score = draw(st.sampled_from(SCORES))
                piece.type = draw(st.integers(1, 6))
            case "add":
                changed.pieces.add(
                    piece=draw(TEXT), score=draw(st.sampled_from(SCORES)), type=draw(st.integers(1, 6))
                )
            case "lose":
                del changed.pieces[draw(st.integers(0, 3)) : draw(st.integers(0, 200))]
                if not changed.pieces:
                    changed.pieces.add(piece="<unk>", type=2)
            case "rules":
                rules = changed.normalizer_spec.precompiled_charsmap
                changed.normalizer_spec.precompiled_charsmap = draw(mutated(rules))
            case "trie":
                rules = bytearray(changed.normalizer_spec.precompiled_charsmap)
                for _ in range(draw(st.integers(1, 50)) if len(rules) > 2000 else 0):
                    at = 4 * draw(st.integers(0, 255 if draw(st.booleans()) else len(rules) // 4 - 2))
                    struct.pack_into("<I", rules, at, draw(st.sampled_from(NUMBERS)) % 2**32)
                changed.normalizer_spec.precompiled_charsmap = bytes(rules)
            case "trainer":
                changed.trainer_spec.model_type = draw(st.integers(1, 4))
                changed.trainer_spec.byte_fallback = draw(st.booleans())
                changed.trainer_spec.treat_whitespace_as_suffix = draw(st.booleans())
                for name in ("unk_id", "bos_id", "eos_id", "pad_id", "vocab_size"):
                    setattr(
                        changed.trainer_spec, name, draw(st.sampled_from([-1, 0, 1, 2, 2**31 - 1, -(2**31)]))
                    )
                changed.trainer_spec.unk_surface = draw(TEXT)
            case "flags":
                changed.normalizer_spec.add_dummy_prefix = draw(st.booleans())
                changed.normalizer_spec.remove_extra_whitespaces = draw(st.booleans())
                changed.normalizer_spec.escape_whitespaces = draw(st.booleans())
                changed.denormalizer_spec.precompiled_charsmap = draw(
                    st.binary(max_size=20) | st.just(changed.normalizer_spec.precompiled_charsmap)
                )
    coded: bytes = changed.SerializeToString()
    return draw(mutated(coded)) if draw(st.integers(0, 3)) == 0 else coded


USE = """
import pathlib
from sixarts.errors import CheckpointError
from sixarts.readers.sentencepiece_file import loaded_pieces
texts = eval(sys.argv[2])
read = 0
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    print(path.name, file=sys.stderr, flush=True)  # the last one is what ended the process
    try:
        model = loaded_pieces(path.read_bytes(), "source.spm")
    except CheckpointError as error:
        assert len(str(error)) < 500
        continue
    read += 1
    for text in texts:
        pieces = model.encode(text, out_type=str)
        assert len("".join(pieces)) <= 400 * (len(text) + 1)
        model.decode_pieces(pieces)
    model.decode_pieces(["▁a", "<0x41>", "<0xZZ>", "zzz", "<unk>", "</s>", ""])
assert not {"keras", "tensorflow"} & sys.modules.keys()
print(read)
"""


def test_no_model_ends_the_process_or_takes_its_memory(tmp_path: Path) -> None:
    """In a process of its own, since the library is no Python: it could crash."""
    made: list[bytes] = [pieces()]

    @settings(
        max_examples=200, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    @given(models() | mutated(pieces()))
    def collect(data: bytes) -> None:
        made.append(data)

    collect()
    for number, data in enumerate(made):
        (tmp_path / f"{number:04}").write_bytes(data)
    assert int(confined(USE, str(tmp_path), repr(TEXTS))) >= 1


def coded(number: int, content: bytes) -> bytes:
    """A field of a message."""
    out = b""
    for value in (number << 3 | 2, len(content)):
        while value > 127:
            out, value = out + bytes([value & 127 | 128]), value >> 7
        out += bytes([value])
    return out + content


def with_rule(length: int) -> bytes:
    """A model in which every character that is normalized becomes this many letters."""
    changed = model()
    rules = changed.normalizer_spec.precompiled_charsmap
    end = 4 + struct.unpack_from("<I", rules)[0]
    units = [unit for (unit,) in struct.iter_unpack("<I", rules[4:end])]
    place = len(rules) - end
    units = [2**31 | place if unit >> 31 else unit for unit in units]
    trie = struct.pack(f"<{len(units)}I", *units)
    changed.normalizer_spec.precompiled_charsmap = rules[:4] + trie + rules[end:] + b"x" * length + b"\0"
    made: bytes = changed.SerializeToString()
    return made


def test_a_character_does_not_become_a_book() -> None:
    honest = loaded_pieces(with_rule(EXPANSION_CAP), "source.spm")
    assert "".join(honest.encode("Ａ", out_type=str)).count("x") == EXPANSION_CAP
    assert f"makes {EXPANSION_CAP + 1} bytes" in attempt("source.spm", with_rule(EXPANSION_CAP + 1))
    assert "makes 5000000 bytes" in attempt("target.spm", with_rule(5_000_000))
    twice = with_rule(5_000_000) + coded(3, model().normalizer_spec.SerializeToString())
    assert "makes 5000000 bytes" in attempt("target.spm", twice)


NONE: dict[str, tuple[Callable[[], bytes], str]] = {
    "too large": (lambda: pieces() + coded(60, bytes(SIZE_CAP)), f"more than {SIZE_CAP} bytes"),
    "too many pieces": (lambda: b"\x0a\x00" * (2**20 + 1), f"{2**20 + 1} pieces"),
    "an unknown of two megabytes": (
        lambda: pieces() + coded(2, coded(44, b"x" * 2_000_000)),
        "2000000 bytes for an unknown",
    ),
    "a field longer than the file": (
        lambda: b"\x0a\xff\xff\xff\xff\x0f" + bytes(100),
        "an end inside a field",
    ),
    "a group": (lambda: pieces() + b"\x0b" * 100_000, "a field of kind 3"),
    "a number without end": (lambda: pieces() + b"\xff" * 1000, "a number without end"),
    "nothing": (lambda: b"", "is empty"),
    "text": (lambda: b"version https://git-lfs.github.com/spec/v1\n", "no SentencePiece model"),
}


@pytest.mark.parametrize("kind", NONE)
def test_a_model_that_is_none_is_refused_by_name(kind: str) -> None:
    make, said = NONE[kind]
    message = attempt("source.spm", make())
    assert "source.spm" in message and said in message


# One file for all ------------------------------------------------------------------------------------


def tokenizer_json() -> dict[str, Any]:
    return {
        "version": "1.0",
        "added_tokens": [
            {"id": 3, "content": "<unk>", "special": True, "normalized": False}
            | dict.fromkeys(("single_word", "lstrip", "rstrip"), False),
        ],
        "normalizer": {"type": "NFKC"},
        "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True},
        "post_processor": None,
        "decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True},
        "model": {
            "type": "Unigram",
            "unk_id": 0,
            "vocab": [["<unk>", 0.0], ["▁", -1.0], ["a", -2.0], ["▁the", -3.5]],
            "byte_fallback": False,
        },
    }


SPLIT = {"type": "Split", "pattern": {"Regex": "a+"}, "behavior": "Isolated", "invert": False}
MERGED = {
    "type": "BPE",
    "vocab": {"<unk>": 0, "a": 1, "b": 2, "ab": 3},
    "merges": [["a", "b"]],
    "unk_token": "<unk>",
}


def bpe_json() -> dict[str, Any]:
    return tokenizer_json() | {"model": MERGED | {"continuing_subword_prefix": None}, "pre_tokenizer": SPLIT}


def attempt_json(data: bytes) -> str:
    """Open a ``tokenizer.json`` and use it; what was said if it is refused."""
    with within():
        try:
            found = JsonPieces(data)
            for text in TEXTS:
                tokens = found.encode(text)
                assert len(found.decode(tokens)) <= 1000 * (len(text) + 2)
                assert all(isinstance(found.piece(token), str) for token in tokens)
            found.decode([0, 1, 99, 2**31])
        except CheckpointError as error:
            assert "tokenizer.json" in str(error) and len(str(error)) < 500
            return str(error)
    return ""


@settings(max_examples=300, deadline=None)
@given(mutated_json(tokenizer_json()) | mutated_json(bpe_json()))
def test_a_tokenizer_json_that_lies(data: bytes) -> None:
    attempt_json(data)


def test_a_tokenizer_json_that_makes_the_library_panic() -> None:
    """A prefix longer than the pieces: its panic is no ``Exception``."""
    hostile = bpe_json()
    hostile["model"]["continuing_subword_prefix"] = "cpu"
    assert "is not a tokenizer" in attempt_json(json.dumps(hostile).encode())


def test_a_pattern_that_never_ends_is_given_up() -> None:
    hostile = bpe_json() | {"pre_tokenizer": SPLIT | {"pattern": {"Regex": "(a+)+$"}}}
    found = JsonPieces(json.dumps(hostile).encode())
    with within(), pytest.raises(CheckpointError, match="cannot read this text"):
        found.encode("a" * 5000 + "b")


REPLACE = {"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}


@pytest.mark.parametrize(
    "changes",
    [
        {"normalizer": REPLACE | {"content": "a" * 2000}},
        {"normalizer": {"type": "Sequence", "normalizers": [REPLACE] * 30}},
        {"normalizer": {"type": "Sequence", "normalizers": [{"type": "NFKC"}] * 1000}},
        {"normalizer": {"type": "Precompiled", "precompiled_charsmap": "BAAAAAAAAAB" + "4" * 20_000}},
        {"normalizer": {"type": "Prepend", "prepend": "a" * 2000}},
        {"decoder": {"type": "Sequence", "decoders": [REPLACE] * 30}},
        {"added_tokens": [{"id": 3, "content": "a" * 2000}]},
        {"model": {"type": "Unigram", "vocab": [["a" * 2000, -1.0]]}},
        {"model": {"type": "BPE", "vocab": {"a" * 2000: 1}, "merges": []}},
        {"model": []},
    ],
)
def test_a_tokenizer_json_that_writes_books_of_letters(changes: dict[str, Any]) -> None:
    assert not attempt_json(json.dumps(tokenizer_json() | {"normalizer": REPLACE}).encode())
    assert attempt_json(json.dumps(tokenizer_json() | changes).encode())


def test_a_tokenizer_json_without_languages_is_of_no_use(tmp_path: Path) -> None:
    from sixarts_translation.multilingual_processor import MultilingualProcessor

    (tmp_path / "tokenizer.json").write_text(json.dumps(tokenizer_json()))
    with pytest.raises(CheckpointError, match="0 languages"):
        MultilingualProcessor.from_folder(tmp_path, {"model_type": "mbart", "vocab_size": 100})
