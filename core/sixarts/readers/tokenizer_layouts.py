"""The tokenizer files that published folders have, read as their authors meant them.

Where there is a ``tokenizer.json`` it is followed as it is; else the tokenizer is put together from the files
that came before it: WordPiece from ``vocab.txt`` (BERT), byte pairs from ``vocab.json`` and ``merges.txt``
(RoBERTa, BART), a unigram model from a SentencePiece file (XLM-RoBERTa, DeBERTa, T5, Pegasus). Source:
``transformers`` 5.24, ``models/*/tokenization_*.py``, and for SentencePiece the library itself: there,
DeBERTa's own normalization is left out, with which its models were trained.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sixarts.errors import CheckpointError
from sixarts.readers.json_file import read_json, read_optional_json
from sixarts.readers.sentencepiece_file import check_vocabulary, loaded_pieces, read_pieces, rules_of
from sixarts.readers.tokenizer_file import NAME, opened_tokenizer, tokenizer_parts, told
from sixarts.readers.tokens import Frame, Tokens, bert_frame, ended_frame, roberta_frame, stated_frame
from sixarts_hub.strict_json import read_small

SETTINGS = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")
#: Settings that the files of BERT's tokenizers keep twice, under these names; ``tokenizer_config.json`` wins.
_TWICE = {
    "BertNormalizer": {
        "do_lower_case": "lowercase",
        "strip_accents": "strip_accents",
        "tokenize_chinese_chars": "handle_chinese_chars",
    },
    "ByteLevel": {"add_prefix_space": "add_prefix_space"},
}
_UNIGRAM_SPACE = "▁"
#: Most numbers that a SentencePiece layout sets aside beside its pieces.
EXTRA_CAP = 1000

Named = Mapping[str, str]
Made = tuple[Any, Mapping[str, int]]


@dataclass(frozen=True)
class Layout:
    """How the tokenizer of a family lies in a folder that has no ``tokenizer.json``.

    Attributes:
        files: what it needs.
        make: folder, settings and names of special tokens to the library's tokenizer and its vocabulary.
        frame: number of the first and last special token to the frame.
        named: what its special tokens are called, unless the folder says otherwise.
        reserved: what other tokens that stand for no text look like, as a regular expression.
    """

    files: tuple[str, ...]
    make: Callable[[Path, Mapping[str, Any], Named], Made]
    frame: Callable[[int, int], Frame]
    named: Named
    reserved: str | None = None


def read_tokens(folder: Path, layout: Layout) -> tuple[Tokens, dict[str, bytes], dict[str, Any]]:
    """The tokenizer of a folder, its files as they were read, and its settings.

    Raises:
        CheckpointError: no such files, or files that make no tokenizer.
    """
    settings = read_optional_json(folder / SETTINGS[0])
    named = {**layout.named, **_named({**read_optional_json(folder / SETTINGS[1]), **settings})}
    names = [NAME] if (folder / NAME).is_file() else list(layout.files)
    if missing := [name for name in names if not (folder / name).is_file()]:
        raise CheckpointError(
            f"{folder} has no {' and no '.join(missing)}; expected {NAME}, or {' and '.join(layout.files)}; "
            "fetch the model again, or choose another"
        )
    with told("is not a tokenizer", names[0]):
        if names == [NAME]:
            tokenizer, frame, special = _from_json(folder / NAME, settings)
            vocabulary = tokenizer.get_vocab(with_added_tokens=True)
        else:
            tokenizer, vocabulary = layout.make(folder, settings, named)
            frame, special = None, {vocabulary[name] for name in named.values() if name in vocabulary}
            if layout.reserved is not None:
                shape = re.compile(layout.reserved)
                special |= {number for name, number in vocabulary.items() if shape.fullmatch(name)}
            vocabulary = _extended(tokenizer, vocabulary, folder, settings)
            tokenizer.encode_special_tokens = True
        if frame is None:
            needed = [named["cls_token"], named["sep_token"]]
            if lost := [name for name in needed if name not in vocabulary]:
                raise CheckpointError(f"{names[0]} lacks {', '.join(lost)}; expected a vocabulary with them")
            frame = layout.frame(*(vocabulary[name] for name in needed))
        tokens = Tokens(
            tokenizer,
            frame,
            vocabulary.get(named["pad_token"], 0),
            vocabulary.get(named["unk_token"], 0),
            special,
            names[0],
        )
    kept = [name for name in (*names, *SETTINGS) if (folder / name).is_file()]
    return tokens, {name: read_small(folder / name) for name in kept}, settings


def _named(settings: Mapping[str, Any]) -> dict[str, str]:
    """The special tokens that settings name, each as a text or an object with its ``content``."""
    found = {}
    for name in ("cls_token", "sep_token", "pad_token", "unk_token", "mask_token"):
        value = settings.get(name)
        value = value.get("content") if isinstance(value, Mapping) else value
        if isinstance(value, str):
            found[name] = value
    return found


def _from_json(path: Path, settings: Mapping[str, Any]) -> tuple[Any, Frame | None, set[int]]:
    content = read_small(path)
    data = tokenizer_parts(content)
    changed = False
    for part in (data.get("normalizer"), data.get("pre_tokenizer")):
        if not isinstance(part, dict):
            continue
        for stated, name in _TWICE.get(str(part.get("type")), {}).items():
            if stated in settings and settings[stated] != part.get(name):
                part[name], changed = settings[stated], True
    if changed:
        content = json.dumps(data, ensure_ascii=False).encode()
    special = {int(entry["id"]) for entry in data["added_tokens"] if entry.get("special")}
    return opened_tokenizer(content), stated_frame(data.get("post_processor"), NAME), special


def _extended(
    tokenizer: Any, vocabulary: Mapping[str, int], folder: Path, settings: Mapping[str, Any]
) -> dict[str, int]:
    """The vocabulary with the tokens that people added to it, which the tokenizer then knows, too."""
    from tokenizers import AddedToken

    added = dict(read_optional_json(folder / SETTINGS[2]))
    kinds: dict[str, Mapping[str, Any]] = {}
    for number, entry in dict(settings.get("added_tokens_decoder") or {}).items():
        added[entry["content"]] = int(number)
        kinds[entry["content"]] = entry
    found = dict(vocabulary)
    if added:
        check_vocabulary(added, SETTINGS[2], ())
    for word, number in sorted(added.items(), key=lambda item: item[1]):
        if found.setdefault(word, number) != number or number > len(found) - 1:
            raise CheckpointError(
                f"the added token {word[:40]!r} has number {number}; expected "
                f"{vocabulary.get(word, len(found) - 1)}, which follows the vocabulary's {len(vocabulary)}"
            )
        said = kinds.get(word, {})
        flags = {name: bool(said.get(name)) for name in ("single_word", "lstrip", "rstrip", "special")}
        if word not in vocabulary or not flags["special"]:
            tokenizer.add_tokens([AddedToken(word, **flags, normalized=bool(said.get("normalized", True)))])
    return found


def _word_pieces(folder: Path, settings: Mapping[str, Any], named: Named) -> Made:
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

    kind = settings.get("tokenizer_class")
    if isinstance(kind, str) and kind.removesuffix("Fast") not in ("BertTokenizer", "DistilBertTokenizer"):
        raise CheckpointError(
            f"tokenizer_config.json has tokenizer_class={kind[:60]!r} and there is no {NAME}; expected "
            "BertTokenizer; choose a model with that file"
        )
    text = read_small(folder / "vocab.txt").decode("utf-8")
    words = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    # What follows the last line's end is no line.
    vocabulary = {word: number for number, word in enumerate(words[:-1] if not words[-1] else words)}
    check_vocabulary(vocabulary, "vocab.txt", (named["unk_token"],))
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token=named["unk_token"]))
    tokenizer.normalizer = normalizers.BertNormalizer(
        clean_text=True,
        handle_chinese_chars=settings.get("tokenize_chinese_chars", True),
        strip_accents=settings.get("strip_accents"),
        lowercase=settings.get("do_lower_case", True),
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix="##")
    return tokenizer, vocabulary


def _byte_pairs(folder: Path, settings: Mapping[str, Any], named: Named) -> Made:
    vocabulary = read_json(folder / "vocab.json")
    check_vocabulary(vocabulary, "vocab.json", ())
    tokenizer = byte_pairs(vocabulary, folder / "merges.txt", bool(settings.get("add_prefix_space", False)))
    return tokenizer, vocabulary


def byte_pairs(vocabulary: Mapping[str, int], merges: Path, add_prefix_space: bool) -> Any:
    """The library's tokenizer of GPT-2's kind.

    Args:
        vocabulary: its pieces, which :func:`check_vocabulary` took.
        merges: the file with the pairs, best first.
        add_prefix_space: whether a text begins with a space of its own.

    Raises:
        CheckpointError: a line that is no pair.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    lines = read_small(merges).decode("utf-8").split("\n")
    pairs = [line.partition(" ")[::2] for line in lines if line and not line.startswith("#version")]
    if odd := [pair for pair in pairs if not all(pair) or " " in pair[1]]:
        raise CheckpointError(f"{merges.name} has the line {' '.join(odd[0])[:60]!r}; expected two pieces")
    tokenizer = Tokenizer(models.BPE(vocab=dict(vocabulary), merges=pairs, fuse_unk=False))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _pieces(path: Path) -> tuple[list[tuple[str, float]], int, bytes]:
    """A SentencePiece model's pieces with their scores, the unknown one's place, and its rules."""
    content = read_pieces(path)
    model = loaded_pieces(content, path.name)
    count = range(model.get_piece_size())
    pieces = [(model.id_to_piece(number), model.get_score(number)) for number in count]
    return pieces, model.unk_id(), rules_of(content)


def _as_fairseq(folder: Path, settings: Mapping[str, Any], named: Named) -> Made:
    """XLM-RoBERTa: four special tokens in fairseq's order, SentencePiece's own left out, the mask last."""
    pieces, _, rules = _pieces(folder / "sentencepiece.bpe.model")
    first = [(name, 0.0) for name in ("<s>", named["pad_token"], "</s>", named["unk_token"])]
    return _by_words(_unigram([*first, *pieces[3:], (named["mask_token"], 0.0)], 3, rules, [], []))


def _by_words(made: Made) -> Made:
    """The same, cut at white space first."""
    from tokenizers import pre_tokenizers

    made[0].pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(_UNIGRAM_SPACE, "always")]
    )
    return made


def _as_t5(folder: Path, settings: Mapping[str, Any], named: Named) -> Made:
    """T5: SentencePiece's own numbers, then sentinels, the first one last."""
    pieces, unknown, rules = _pieces(folder / "spiece.model")
    count = settings.get("extra_ids", 100)
    if type(count) is not int or not 0 <= count <= EXTRA_CAP:
        raise CheckpointError(f"extra_ids={str(count)[:60]}; expected a whole number from 0 to {EXTRA_CAP}")
    extra = [(f"<extra_id_{number}>", 0.0) for number in reversed(range(count))]
    return _by_words(_unigram([*pieces, *extra], unknown, rules, [], []))


def _as_pegasus(folder: Path, settings: Mapping[str, Any], named: Named) -> Made:
    """Pegasus: padding, end, two masks, the unknown words of its pretraining; then SentencePiece's pieces."""
    pieces, unknown, rules = _pieces(folder / "spiece.model")
    offset = settings.get("offset", 103)
    if type(offset) is not int or not 2 <= offset <= EXTRA_CAP:
        raise CheckpointError(f"offset={str(offset)[:60]}; expected a whole number from 2 to {EXTRA_CAP}")
    first = [(named["pad_token"], 0.0), ("</s>", 0.0), ("<mask_1>", 0.0), ("<mask_2>", 0.0)]
    first += [(f"<unk_{number}>", -100.0) for number in range(2, offset)]
    return _by_words(_unigram([*first, *pieces[2:]], unknown + offset, rules, [], []))


def _as_deberta(folder: Path, settings: Mapping[str, Any], named: Named) -> Made:
    from tokenizers import Regex, normalizers, pre_tokenizers

    pieces, unknown, rules = _pieces(folder / "spm.model")
    before = [normalizers.Lowercase()] if settings.get("do_lower_case") else []
    made = _unigram(
        pieces,
        unknown,
        rules,
        [*before, normalizers.Strip()],
        [normalizers.Replace(Regex(" {2,}"), " ")],
    )
    spaces = pre_tokenizers.Metaspace(_UNIGRAM_SPACE, "always")
    alone = pre_tokenizers.Punctuation("isolated")
    made[0].pre_tokenizer = pre_tokenizers.Sequence(
        [alone, spaces] if settings.get("split_by_punct") else [spaces]
    )
    return made


def _unigram(
    pieces: list[tuple[str, float]], unknown: int, rules: bytes, before: list[Any], after: list[Any]
) -> Made:
    from tokenizers import Tokenizer, decoders, models, normalizers

    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=unknown, byte_fallback=False))
    steps = [*before, *([normalizers.Precompiled(rules)] if rules else []), *after]
    if steps:
        tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.decoder = decoders.Metaspace(_UNIGRAM_SPACE, "always")
    return tokenizer, {piece: number for number, (piece, _) in enumerate(pieces)}


_BERT = {
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "mask_token": "[MASK]",
}
_ROBERTA = {
    "cls_token": "<s>",
    "sep_token": "</s>",
    "pad_token": "<pad>",
    "unk_token": "<unk>",
    "mask_token": "<mask>",
}
WORD_PIECES = Layout(("vocab.txt",), _word_pieces, bert_frame, _BERT)
BYTE_PAIRS = Layout(("vocab.json", "merges.txt"), _byte_pairs, roberta_frame, _ROBERTA)
FAIRSEQ = Layout(("sentencepiece.bpe.model",), _as_fairseq, roberta_frame, _ROBERTA)
DEBERTA = Layout(("spm.model",), _as_deberta, bert_frame, _BERT)
#: What ends a text of an encoder–decoder stands alone, and is its first special token as well as its last.
_ENDED = {"cls_token": "</s>", "sep_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
T5 = Layout(("spiece.model",), _as_t5, ended_frame, _ENDED, r"<extra_id_\d+>")
PEGASUS = Layout(("spiece.model",), _as_pegasus, ended_frame, _ENDED, r"<mask_[12]>|<unk_\d+>")
