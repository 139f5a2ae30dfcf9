"""What VITS does on the way in: a text's characters, or its phonemes, as symbols with blanks between."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from sixarts.batching import TRAINING_LENGTHS, bucket
from sixarts.errors import CheckpointError, InputError, MissingExtra
from sixarts.model import Processor
from sixarts.readers.json_file import read_json, read_optional_json, write_json
from sixarts.readers.sentencepiece_file import check_vocabulary

VOCABULARY, SETTINGS = "vocab.json", "tokenizer_config.json"
#: Settings of the published tokenizer, with what they are where a file is silent.
DEFAULTS: dict[str, Any] = {
    "add_blank": True,
    "normalize": True,
    "phonemize": True,
    "is_uroman": False,
    "language": None,
    "unk_token": "<unk>",
}
#: A letter that a language's checkpoints write in another way.
LETTERS = {"ron": {"ț": "ţ"}}


class VitsProcessor(Processor):
    """Texts to the numbers of their symbols.

    Args:
        vocabulary: symbol to number.
        settings: of ``tokenizer_config.json``.
    """

    def __init__(self, vocabulary: Mapping[str, int], settings: Mapping[str, Any]) -> None:
        self.vocabulary, self.settings = dict(vocabulary), dict(settings)
        said = {**DEFAULTS, **settings}
        self.blank, self.normal = bool(said["add_blank"]), bool(said["normalize"])
        self.phonemes, self.roman = bool(said["phonemize"]), bool(said["is_uroman"])
        self.language = said["language"]
        unknown = said["unk_token"]
        self.unknown = self.vocabulary.get(unknown if isinstance(unknown, str) else "")
        # As published: what stands first is kept as it is written, be it capital or several characters.
        symbols = sorted((symbol for symbol in vocabulary if symbol), key=list(vocabulary).index)
        self._kept = re.compile("|".join(map(re.escape, symbols)), re.DOTALL) if symbols else None

    @classmethod
    def from_folder(cls, folder: Path, config: Mapping[str, Any]) -> Self:
        vocabulary = read_json(folder / VOCABULARY)
        check_vocabulary(vocabulary, VOCABULARY, ())
        beyond = [symbol for symbol, number in vocabulary.items() if number >= config["vocab_size"]]
        if beyond or not vocabulary:
            raise CheckpointError(
                f"{VOCABULARY} numbers {beyond[0]!r} beyond config.json's vocab_size={config['vocab_size']}; "
                "expected numbers below it; the two are not of one model"
                if beyond
                else f"{VOCABULARY} is empty; expected symbols and their numbers"
            )
        return cls(vocabulary, read_optional_json(folder / SETTINGS))

    def save(self, folder: Path) -> None:
        write_json(folder / VOCABULARY, self.vocabulary)
        write_json(folder / SETTINGS, self.settings)

    def symbols(self, text: str) -> str:
        """The symbols that stand for a text, without blanks.

        Raises:
            InputError: the voice has none of its characters.
            MissingExtra: a library that turns letters into phonemes, or writings into Roman letters.
        """
        text = self._lowered(text) if self.normal else text
        for letter, other in LETTERS.get(str(self.language), {}).items():
            text = text.replace(letter, other)
        if self.roman and not text.isascii():
            text = _library("uroman").Uroman().romanize_string(text)
        if self.phonemes:
            text = re.sub(r"\s+", " ", _phonemized(text))
        elif self.normal:
            text = "".join(letter for letter in text if letter in self.vocabulary).strip()
        known = text if self.unknown is not None else "".join(s for s in text if s in self.vocabulary)
        if not known.strip():
            raise InputError(f"a text of which this voice has no character; expected some of {self._shown}")
        return known

    def encode(self, text: str) -> list[int]:
        """The numbers of a text's symbols, with a blank before, between and behind them where it has such."""
        numbers = [self.vocabulary.get(symbol, self.unknown or 0) for symbol in self.symbols(text)]
        if not self.blank:
            return numbers
        spread = [0] * (2 * len(numbers) + 1)
        spread[1::2] = numbers
        return spread

    def pad(self, rows: Sequence[Sequence[int]]) -> dict[str, np.ndarray]:
        """``input_ids`` and ``attention_mask``, ``[b, t]`` in int32, right-padded."""
        length = bucket(max(map(len, rows)), TRAINING_LENGTHS)
        ids = np.zeros((len(rows), length), "int32")
        mask = np.zeros_like(ids)
        for row, numbers in enumerate(rows):
            ids[row, : len(numbers)], mask[row, : len(numbers)] = numbers, 1
        return {"input_ids": ids, "attention_mask": mask}

    @property
    def _shown(self) -> str:
        return " ".join(sorted(symbol for symbol in self.vocabulary if symbol.strip())[:40])

    def _lowered(self, text: str) -> str:
        """Lower case, but for what the vocabulary has as it is written."""
        if self._kept is None:
            return text.lower()
        found, at = [], 0
        for match in self._kept.finditer(text):
            found += [text[at : match.start()].lower(), match.group()]
            at = match.end()
        return "".join([*found, text[at:].lower()])


def _phonemized(text: str) -> str:
    phonemizer = _library("phonemizer")
    try:
        return str(
            phonemizer.phonemize(
                text,
                language="en-us",
                backend="espeak",
                strip=True,
                preserve_punctuation=True,
                with_stress=True,
            )
        )
    except RuntimeError as error:
        raise MissingExtra(
            f"phonemes come from eSpeak NG, which phonemizer cannot use here ({error}); install espeak-ng"
        ) from None


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise MissingExtra(
            f"this voice needs {name}, which is not installed; pip install 'sixarts[voices]'"
        ) from None
