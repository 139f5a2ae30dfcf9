"""Whisper's tokens: byte pairs of text, and special ones for languages, tasks and times.

A text is never read as a special token, whatever it spells. Source: ``transformers`` 5.24,
``models/whisper/tokenization_whisper.py``.
"""

from __future__ import annotations

import json
import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from sixarts.errors import CheckpointError
from sixarts.readers.json_file import read_json, read_optional_json
from sixarts.readers.sentencepiece_file import check_vocabulary
from sixarts.readers.tokenizer_file import NAME, opened_tokenizer, tokenizer_parts, told
from sixarts_hub.strict_json import read_small
from sixarts_speech.whisper_languages import UNSPACED, token_code

#: Files beside those that hold the pieces.
SETTINGS = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "normalizer.json")
PIECES = ("vocab.json", "merges.txt")
END, START, PREVIOUS = "<|endoftext|>", "<|startoftranscript|>", "<|startofprev|>"
NO_TIMES = "<|notimestamps|>"
#: Seconds from one time token to the next.
TICK = 0.02
#: Signs that go with the word after them, and with the word before them.
BEFORE, AFTER = "\"'“¡¿([{-", "\"'.。,，!！?？:：”)]}、"

_TIME = re.compile(r"<\|(\d+\.\d+)\|>")
_UNREADABLE = "\ufffd"


@dataclass(frozen=True)
class Spoken:
    """A word of a text, and which of its tokens it is.

    Attributes:
        text: with the space before it.
        first, last: places of its first token and its last.
    """

    text: str
    first: int
    last: int


@dataclass(frozen=True)
class WhisperTokens:
    """A tokenizer.

    Attributes:
        added: every token that stands for no text, to its number.
        files: the files that it was read from, by name.
    """

    tokenizer: Any = field(repr=False)
    added: Mapping[str, int] = field(repr=False)
    files: Mapping[str, bytes] = field(repr=False)

    @classmethod
    def from_folder(cls, folder: Path) -> WhisperTokens:
        """Reads ``tokenizer.json``, or the files that came before it.

        Raises:
            CheckpointError: they are not there, or make no tokenizer.
        """
        whole = (folder / NAME).is_file()
        names = (NAME,) if whole else PIECES
        if missing := [name for name in names if not (folder / name).is_file()]:
            raise CheckpointError(
                f"{folder} has no {' and no '.join(missing)}; expected {NAME}, or {' and '.join(PIECES)}; "
                "fetch the model again, or choose another"
            )
        kept = [name for name in (*names, *SETTINGS) if (folder / name).is_file()]
        files = {name: read_small(folder / name) for name in kept}
        with told("is not a tokenizer", names[0]):
            tokenizer, added = _from_json(files[NAME]) if whole else _from_pieces(folder)
            added = {**added, **_stated(folder)}
            check_vocabulary(added, "added_tokens.json", ())
            if odd := {name for name, number in added.items() if number >= 2**24}:
                raise CheckpointError(f"the token {min(odd)[:40]!r} has number {added[min(odd)]}")
            if END not in added and (end := tokenizer.token_to_id(END)) is not None:
                added[END] = end
        return cls(tokenizer, added, files)

    def save(self, folder: Path) -> None:
        """Writes the files that it was read from."""
        for name, content in self.files.items():
            (folder / name).write_bytes(content)

    def number(self, token: str) -> int | None:
        """The number of a special token."""
        return self.added.get(token)

    @property
    def languages(self) -> dict[str, int]:
        """Codes of languages to their tokens' numbers."""
        found = {token_code(token): number for token, number in self.added.items()}
        return {code: number for code, number in found.items() if code is not None}

    def encode(self, text: str) -> list[int]:
        """A text's numbers; what looks like a special token in it is text."""
        with told("cannot read this text"):
            found = self.tokenizer.encode(text, add_special_tokens=False).ids
        return list(found)

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of numbers, without special tokens and times."""
        with told("cannot write this text"):
            text = str(self.tokenizer.decode(self.plain(tokens), skip_special_tokens=False))
        return _TIME.sub("", text)

    def plain(self, tokens: Sequence[int]) -> list[int]:
        """Those that stand for text."""
        special = self._special
        return [number for number in map(int, tokens) if number not in special]

    @property
    def plain_size(self) -> int:
        """One more than the largest number of a piece of text."""
        special = self._special
        numbers = self.tokenizer.get_vocab(with_added_tokens=False).values()
        return max((number for number in numbers if number not in special), default=-1) + 1

    @property
    def size(self) -> int:
        """One more than the largest number of all."""
        return max(self.plain_size, *(number + 1 for number in self.added.values()))

    @cached_property
    def _special(self) -> frozenset[int]:
        return frozenset(self.added.values())

    def words(self, tokens: Sequence[int], language: str | None = None) -> list[Spoken]:
        """The words of tokens that all stand for text; signs go with the word that they stand by.

        Args:
            tokens: numbers.
            language: code; of one without spaces, each character is a word.
        """
        parts = self._readable(list(tokens))
        if language not in UNSPACED:
            parts = _by_spaces(parts)
        return _with_signs(parts)

    def _readable(self, tokens: list[int]) -> list[Spoken]:
        """The smallest groups of tokens that are whole characters."""
        full = self.decode(tokens)
        found: list[Spoken] = []
        first = offset = 0
        for place in range(len(tokens)):
            text = self.decode(tokens[first : place + 1])
            at = text.find(_UNREADABLE)
            # A sign that is unreadable in the whole is one of the text's own.
            if at < 0 or offset + at >= len(full) or full[offset + at] == _UNREADABLE:
                found.append(Spoken(text, first, place))
                first, offset = place + 1, offset + len(text)
        return found


def _by_spaces(parts: Sequence[Spoken]) -> list[Spoken]:
    found: list[Spoken] = []
    for part in parts:
        alone = part.text.startswith(" ") or part.text.strip() in string.punctuation
        if alone or not found:
            found.append(part)
        else:
            found[-1] = Spoken(found[-1].text + part.text, found[-1].first, part.last)
    return found


def _with_signs(parts: Sequence[Spoken]) -> list[Spoken]:
    """Signs put to the words that they belong to, as published."""
    words = list(parts)
    after = len(words) - 1
    for place in range(len(words) - 2, -1, -1):
        word, following = words[place], words[after]
        if word.text.startswith(" ") and word.text.strip() in BEFORE:
            words[after] = Spoken(word.text + following.text, word.first, following.last)
            words[place] = Spoken("", word.first, word.first)
        else:
            after = place
    before = 0
    for place in range(1, len(words)):
        word, previous = words[place], words[before]
        if not previous.text.endswith(" ") and word.text in AFTER:
            if word.text:
                first = previous.first if previous.text else word.first
                words[before] = Spoken(previous.text + word.text, first, word.last)
                words[place] = Spoken("", word.first, word.first)
        else:
            before = place
    return [word for word in words if word.text]


def _from_json(content: bytes) -> tuple[Any, dict[str, int]]:
    data = tokenizer_parts(content)
    added = {entry["content"]: entry["id"] for entry in data["added_tokens"]}
    # Without them, no text is read as one of them.
    return opened_tokenizer(json.dumps({**data, "added_tokens": [], "post_processor": None}).encode()), added


def _from_pieces(folder: Path) -> tuple[Any, dict[str, int]]:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    vocabulary = read_json(folder / PIECES[0])
    check_vocabulary(vocabulary, PIECES[0], ())
    lines = read_small(folder / PIECES[1]).decode("utf-8").split("\n")
    merges: Any = [tuple(line.split(" ")) for line in lines if line and not line.startswith("#version")]
    if odd := [merge for merge in merges if len(merge) != 2]:
        raise CheckpointError(f"merges.txt has the line {' '.join(odd[0])[:60]!r}; expected two pieces")
    settings = read_optional_json(folder / SETTINGS[0])
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, fuse_unk=False))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(
        add_prefix_space=bool(settings.get("add_prefix_space", False))
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer, {}


def _stated(folder: Path) -> dict[str, int]:
    """Added tokens that the settings state."""
    settings = read_optional_json(folder / SETTINGS[0])
    found = {
        entry["content"]: int(number)
        for number, entry in dict(settings.get("added_tokens_decoder") or {}).items()
    }
    return {**read_optional_json(folder / SETTINGS[2]), **found}
