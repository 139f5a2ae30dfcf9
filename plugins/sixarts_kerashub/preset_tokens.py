"""The tokenizers of KerasHub's presets, from ``tokenizer.json`` as Keras serializes it and its assets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sixarts.errors import CheckpointError
from sixarts.readers.json_file import read_json
from sixarts.readers.sentencepiece_file import check_vocabulary, loaded_pieces, read_pieces
from sixarts.readers.tokenizer_file import told
from sixarts.readers.tokenizer_layouts import byte_pairs
from sixarts.readers.tokens import Frame, Tokens, bert_frame, roberta_frame
from sixarts_hub.strict_json import read_small, short
from sixarts_kerashub.preset_pieces import SentencePieces, WordPieces
from sixarts_kerashub.reading import stated

FILE, ASSETS = "tokenizer.json", "assets/tokenizer"
#: Most pieces of a vocabulary.
PIECES_CAP = 1 << 20
#: Settings that change what comes out, to the only value that a classifier's tokenizer has.
_FIXED = {"sequence_length": None, "split": True, "split_on_cjk": True, "add_bos": False, "add_eos": False}

#: The library's tokenizer (or one with its face), its vocabulary, and the number of what is unknown.
Made = tuple[Any, Mapping[str, int], int | None]


@dataclass(frozen=True)
class Kind:
    """How a kind of preset reads texts.

    Attributes:
        files: what it needs, below :data:`ASSETS`.
        make: the folder of those and the settings of ``tokenizer.json`` to the tokenizer.
        frame: number of the first and last special token to the frame.
        named: what the first special token, the last and the padding are called.
        special: other tokens that stand for no text.
    """

    files: tuple[str, ...]
    make: Callable[[Path, Mapping[str, Any]], Made]
    frame: Callable[[int, int], Frame]
    named: tuple[str, str, str]
    special: tuple[str, ...]


def read_tokens(folder: Path, stem: str) -> tuple[Tokens, dict[str, bytes]]:
    """The tokenizer of a preset, and its files as they were read.

    Args:
        folder: the preset's.
        stem: what the names of its classes begin with, e.g. ``"Bert"``.

    Raises:
        CheckpointError: no such files, or files that make no tokenizer of this kind.
    """
    kind = KINDS[stem]
    name, settings = stated(read_json(folder / FILE), FILE)
    if name != f"{stem}Tokenizer":
        raise CheckpointError(f"{FILE} states {short(name)}; expected {stem}Tokenizer, as of its network")
    for setting, only in _FIXED.items():
        if (value := settings.get(setting, only)) != only:
            raise CheckpointError(f"{FILE} has {setting} {short(value)}; expected {only!r}")
    names = [f"{ASSETS}/{file}" for file in kind.files]
    if missing := [each for each in names if not (folder / each).is_file()]:
        raise CheckpointError(
            f"{folder} has no {' and no '.join(missing)}; expected a preset as save_to_preset writes it; "
            "fetch it again"
        )
    with told("makes no tokenizer", names[0]):
        tokenizer, vocabulary, unknown = kind.make(folder / ASSETS, settings)
        if lost := [each for each in kind.named if each not in vocabulary]:
            raise CheckpointError(f"{names[0]} lacks {', '.join(lost)}; expected a vocabulary with them")
        first, last, pad = (vocabulary[each] for each in kind.named)
        special = {vocabulary[each] for each in (*kind.named, *kind.special) if each in vocabulary}
        tokens = Tokens(
            tokenizer, kind.frame(first, last), pad, pad if unknown is None else unknown, special, names[0]
        )
    return tokens, {each: read_small(folder / each) for each in (FILE, *names)}


def _word_pieces(place: Path, settings: Mapping[str, Any]) -> Made:
    unknown, prefix = (
        _named(settings, *each) for each in (("oov_token", "[UNK]"), ("suffix_indicator", "##"))
    )
    text = read_small(place / "vocabulary.txt").decode("utf-8")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    # What follows the last line's end is no line. Of two that are alike KerasHub takes the later one.
    words = [line.rstrip() for line in (lines if lines[-1] else lines[:-1])]
    vocabulary = {word: number for number, word in enumerate(words)}
    _check(vocabulary, "vocabulary.txt", (unknown,))
    cased = (settings.get(each, False) is True for each in ("lowercase", "strip_accents"))
    return WordPieces(vocabulary, unknown, prefix, *cased), vocabulary, vocabulary[unknown]


def _byte_pairs(place: Path, settings: Mapping[str, Any]) -> Made:
    vocabulary = read_json(place / "vocabulary.json")
    _check(vocabulary, "vocabulary.json", ())
    spaced = settings.get("add_prefix_space", False) is True
    made = byte_pairs(vocabulary, place / "merges.txt", spaced)
    return made, vocabulary, vocabulary.get("<unk>")


def _sentence_pieces(place: Path, settings: Mapping[str, Any]) -> Made:
    model = loaded_pieces(read_pieces(place / "vocabulary.spm"), "vocabulary.spm")
    made = SentencePieces(model, int, {})
    return made, made.get_vocab(), model.unk_id()


def _with_first_as_padding(place: Path, settings: Mapping[str, Any]) -> Made:
    """Llama's and Moonshine's: whatever has the number 0 is padding, too."""
    made, vocabulary, unknown = _sentence_pieces(place, settings)
    return made, {**vocabulary, _FIRST: 0}, unknown


def _as_fairseq(place: Path, settings: Mapping[str, Any]) -> Made:
    """XLM-RoBERTa: four special tokens in fairseq's order, SentencePiece's own moved up, the mask last."""
    model = loaded_pieces(read_pieces(place / "vocabulary.spm"), "vocabulary.spm")
    beside = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "<mask>": model.get_piece_size() + 1}
    # SentencePiece's first is what is unknown.
    made = SentencePieces(model, lambda piece: piece + 1 if piece else 3, beside)
    return made, made.get_vocab(), 3


def _check(vocabulary: Mapping[str, Any], name: str, needed: tuple[str, ...]) -> None:
    if len(vocabulary) > PIECES_CAP:
        raise CheckpointError(f"{name} has {len(vocabulary)} pieces; expected at most {PIECES_CAP}")
    check_vocabulary(vocabulary, name, needed)


def _named(settings: Mapping[str, Any], name: str, default: str) -> str:
    value = settings.get(name, default)
    if not isinstance(value, str) or not 0 < len(value) < 100:
        raise CheckpointError(f"{FILE} has {name} {short(value)}; expected a short text, e.g. {default!r}")
    return value


#: What stands for the first piece, which no piece is called.
_FIRST = ""
_BERT, _SPM, _ROBERTA = ("[CLS]", "[SEP]", "[PAD]"), ("[CLS]", "[SEP]", "<pad>"), ("<s>", "</s>", "<pad>")
_WORDS = Kind(("vocabulary.txt",), _word_pieces, bert_frame, _BERT, ("[MASK]",))
_ALBERT = Kind(("vocabulary.spm",), _sentence_pieces, bert_frame, _SPM, ("[MASK]",))
_PAIRS = Kind(("vocabulary.json", "merges.txt"), _byte_pairs, roberta_frame, _ROBERTA, ("<mask>",))
KINDS = {
    "Albert": _ALBERT,
    "Bart": _PAIRS,
    "Bert": _WORDS,
    "DebertaV3": Kind(("vocabulary.spm",), _sentence_pieces, bert_frame, _BERT, ("[MASK]",)),
    "DistilBert": _WORDS,
    "FNet": _ALBERT,
    "Moonshine": Kind(
        ("vocabulary.spm",), _with_first_as_padding, roberta_frame, ("<s>", "</s>", _FIRST), ()
    ),
    "Roberta": _PAIRS,
    "XLMRoberta": Kind(("vocabulary.spm",), _as_fairseq, roberta_frame, _ROBERTA, ("<mask>",)),
}
