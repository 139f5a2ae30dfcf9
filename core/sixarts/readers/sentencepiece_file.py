"""SentencePiece models from strangers: opened only after what the library does not bound was looked at.

The library itself refuses, from 0.2.2 on, pieces and tries that would have it read beyond its memory. What it
takes is a normalization rule that turns one character into megabytes: twenty characters of text then take
gigabytes. So the rules are read here, from the file's own coding (Protocol Buffers' wire format), as they are
laid out in ``sentencepiece_model.proto``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sixarts.errors import CheckpointError
from sixarts_hub.strict_json import read_small, short

#: Most bytes of a model: one of 256,000 pieces takes 5 million.
SIZE_CAP = 32 << 20
#: Most pieces; an empty one takes 40 times the memory of its two bytes.
PIECES_CAP = 1 << 20
#: Most bytes that one character may become, or that stand for an unknown one; Unicode's own rules make 33.
EXPANSION_CAP = 1000
#: Most characters of a piece in a vocabulary: an answer has as many pieces as the search allows.
PIECE_CAP = 1000

_PIECE, _TRAINER, _RULES, _REVERSE_RULES = 1, 2, 3, 5
_CHARSMAP, _UNKNOWN_SURFACE = 2, 44


def read_pieces(path: Path) -> bytes:
    """A SentencePiece model's content, if it is of a size that such a file has.

    Raises:
        FileNotFoundError: it is not there.
        CheckpointError: it is too large, or no file.
    """
    try:
        return read_small(path, SIZE_CAP)
    except ValueError as error:
        raise CheckpointError(f"{path} is no SentencePiece model ({error}); fetch the model again") from error


def loaded_pieces(content: bytes, name: str) -> Any:
    """The ``SentencePieceProcessor`` of a serialized model.

    Args:
        content: the model.
        name: what its file is called, for messages.

    Raises:
        CheckpointError: it is none, or one that turns a few characters into very many.
    """
    import sentencepiece

    if not content:
        # SentencePiece takes no bytes for no model, and fails at the first text.
        raise CheckpointError(f"{name} is empty; expected a SentencePiece model; fetch the model again")
    try:
        _check(content)
        return sentencepiece.SentencePieceProcessor(model_proto=content)
    except (LookupError, RuntimeError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{name} is no SentencePiece model ({str(error)[:300]}); fetch the model again"
        ) from error


def rules_of(content: bytes) -> bytes:
    """The map of characters by which a model that was loaded normalizes text; empty where it has none."""
    return b"".join(
        content[first:last]
        for field, start, end in _fields(content, 0, len(content))
        if field == _RULES
        for inner, first, last in _fields(content, start, end)
        if inner == _CHARSMAP
    )


def check_vocabulary(words: Mapping[str, Any], name: str, needed: tuple[str, ...]) -> None:
    """Hold a vocabulary's pieces and numbers against what a tokenizer can use.

    Raises:
        CheckpointError: a piece that is needed is not there; a number is none; a piece is very long.
    """
    if lost := [word for word in needed if word not in words]:
        raise CheckpointError(f"{name} lacks {', '.join(lost)}; expected a vocabulary that has them")
    odd = [word for word, number in words.items() if type(number) is not int or not 0 <= number < 2**31]
    if odd:
        raise CheckpointError(
            f"{name} numbers {short(odd[0])} as {short(words[odd[0]])}; expected whole numbers from 0"
        )
    if long := [word for word in words if len(word) > PIECE_CAP]:
        raise CheckpointError(
            f"{name} has a piece of {len(long[0])} characters; expected at most {PIECE_CAP}; it starts with "
            f"{short(long[0][:40])}"
        )


def _check(content: bytes) -> None:
    """Hold a model against this module's caps.

    Raises:
        ValueError, LookupError: it is beyond one, or is no message.
    """
    if len(content) > SIZE_CAP:
        raise ValueError(f"{len(content)} bytes, more than {SIZE_CAP}")
    pieces = 0
    for field, start, end in _fields(content, 0, len(content)):
        if field == _PIECE:
            pieces += 1
        elif field in (_RULES, _REVERSE_RULES):
            for inner, first, last in _fields(content, start, end):
                longest = longest_rule(content[first:last]) if inner == _CHARSMAP else 0
                if longest > EXPANSION_CAP:
                    raise ValueError(f"a rule that makes {longest} bytes of one character")
        elif field == _TRAINER:
            for inner, first, last in _fields(content, start, end):
                if inner == _UNKNOWN_SURFACE and last - first > EXPANSION_CAP:
                    raise ValueError(f"{last - first} bytes for an unknown character")
    if pieces > PIECES_CAP:
        raise ValueError(f"{pieces} pieces, more than {PIECES_CAP}")


def longest_rule(rules: bytes) -> int:
    """The most bytes that a map of characters makes of one.

    Args:
        rules: the size of a trie, the trie, and what it points to, each with a zero after it.
    """
    size = int.from_bytes(rules[:4], "little")
    return max(map(len, rules[4 + size :].split(b"\0")))


def _fields(content: bytes, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Number, start and end of each field of a message."""
    while start < end:
        key, start = _varint(content, start)
        kind = key & 7
        if kind == 2:
            length, start = _varint(content, start)
        elif kind == 0:
            length = _varint(content, start)[1] - start
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:
            raise ValueError(f"a field of kind {kind}")
        if start + length > end:
            raise ValueError("an end inside a field")
        yield key >> 3, start, start + length
        start += length


def _varint(content: bytes, start: int) -> tuple[int, int]:
    """A number of seven bits a byte, and where it ends."""
    number = 0
    for shift in range(0, 70, 7):
        byte = content[start]
        start += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, start
    raise ValueError("a number without end")
