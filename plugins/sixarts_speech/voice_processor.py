"""What the ``source_filter`` family does on the way in: words to phones or letters, and pauses."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from sixarts.batching import TRAINING_LENGTHS, bucket
from sixarts.errors import CheckpointError, InputError
from sixarts.model import Processor
from sixarts.readers.json_file import read_json, write_json
from sixarts_speech.letter_to_sound import Pronouncer
from sixarts_speech.reading import Token

VOICE = "voice.json"
#: The pause before a sentence, and the marks that stand for one within and behind it.
START, MARKS = "^", ",;:.?!"
#: How a symbol stands in its word; 0 is for what fills a batch up.
NOWHERE, ALONE, FIRST, WITHIN, LAST = 1, 2, 3, 4, 5


class Spelled(NamedTuple):
    """A sentence as the network reads it.

    Attributes:
        numbers: of its symbols.
        places: how each stands in its word.
        owners: the number of the token that each is of; -1 for a pause.
    """

    numbers: list[int]
    places: list[int]
    owners: list[int]


class VoiceProcessor(Processor):
    """Words to symbols.

    Args:
        symbols: all that the voice knows: phones or letters, :data:`START` and :data:`MARKS` for pauses.
        language: of its texts, for numbers and abbreviations.
        pronouncer: how letters sound; ``None`` for a voice whose symbols are letters.
    """

    def __init__(self, symbols: Sequence[str], language: str, pronouncer: Pronouncer | None) -> None:
        self.symbols, self.language, self.pronouncer = tuple(symbols), language, pronouncer
        self.numbers = {symbol: number for number, symbol in enumerate(self.symbols)}

    @classmethod
    def from_folder(cls, folder: Path, config: Mapping[str, Any]) -> Self:
        said = read_json(folder / VOICE)
        symbols, language = said.get("symbols"), said.get("language")
        if not (
            isinstance(symbols, list)
            and len(symbols) == len(set(map(str, symbols)))
            and all(isinstance(symbol, str) and symbol for symbol in symbols)
            and {START, *MARKS} <= set(symbols)
            and isinstance(language, str)
        ):
            raise CheckpointError(
                f"{VOICE} lists no symbols, each once, with {START} {' '.join(MARKS)}, or no language"
            )
        pronouncer = Pronouncer.from_folder(folder) if said.get("phones") else None
        if pronouncer is not None and (unknown := pronouncer.phones - set(symbols)):
            raise CheckpointError(
                f"the pronunciations give {', '.join(sorted(unknown)[:5])}, which {VOICE} does not list"
            )
        return cls(symbols, language, pronouncer)

    @classmethod
    def of_letters(cls, words: Iterable[str], language: str) -> Self:
        """For a new voice: the letters of these words."""
        letters = sorted({letter for word in words for letter in word.lower()} - {START, *MARKS})
        return cls((START, *MARKS, *letters), language, None)

    def save(self, folder: Path) -> None:
        write_json(
            folder / VOICE,
            {
                "symbols": list(self.symbols),
                "language": self.language,
                "phones": self.pronouncer is not None,
            },
        )
        if self.pronouncer is not None:
            self.pronouncer.save(folder)

    def sounds(self, word: str) -> list[str]:
        """The symbols of a word, without those that the voice has not."""
        if self.pronouncer is not None:
            # A letter that it does not know, with a sign, sounds like the letter without.
            plain = unicodedata.normalize("NFKD", word)
            return list(self.pronouncer("".join(sign for sign in plain if not unicodedata.combining(sign))))
        return [letter for letter in word.lower() if letter in self.numbers and letter not in MARKS]

    def spell(self, tokens: Sequence[Token]) -> Spelled:
        """A sentence's symbols.

        Raises:
            InputError: nothing of it can be said.
        """
        words = [(owner, self.sounds(word)) for owner, token in enumerate(tokens) for word in token.spoken]
        ends = {owner: token.mark for owner, token in enumerate(tokens) if token.mark}
        return self.lay(words, ends)

    def lay(self, words: Sequence[tuple[int, Sequence[str]]], marks: Mapping[int, str]) -> Spelled:
        """Symbols of words that were already turned into them.

        Args:
            words: each with the token that it is of.
            marks: token to the mark behind it; the last one ends with a full stop if it has none.
        """
        words = [(owner, sounds) for owner, sounds in words if sounds]
        if not words:
            raise InputError(
                "a text of which this voice can say nothing; expected some of "
                + " ".join(symbol for symbol in self.symbols if symbol not in (START, *MARKS))[:200]
            )
        symbols, places, owners = [START], [NOWHERE], [-1]
        for number, (owner, sounds) in enumerate(words):
            symbols += sounds
            places += _places(len(sounds))
            owners += [owner] * len(sounds)
            last = number == len(words) - 1
            # A mark may stand behind a token of which nothing is said.
            end = max([owner, *marks]) + 1 if last else words[number + 1][0]
            found = "".join(marks.get(place, "") for place in range(owner, max(end, owner)))
            if found or last:
                symbols.append(found[-1] if found else ".")
                places.append(NOWHERE)
                owners.append(-1)
        return Spelled([self.numbers[symbol] for symbol in symbols], places, owners)

    def pad(self, rows: Sequence[Spelled], length: int | None = None) -> dict[str, np.ndarray]:
        """``input_ids`` and ``places``, ``[b, t]`` in int32, right-padded."""
        length = length or bucket(max(len(row.numbers) for row in rows), TRAINING_LENGTHS)
        ids = np.zeros((len(rows), length), "int32")
        places = np.zeros_like(ids)
        for place, row in enumerate(rows):
            ids[place, : len(row.numbers)] = row.numbers
            places[place, : len(row.numbers)] = row.places
        return {"input_ids": ids, "places": places}


def _places(count: int) -> list[int]:
    return [ALONE] if count == 1 else [FIRST, *[WITHIN] * (count - 2), LAST]


def frames_of(rows: Sequence[tuple[np.ndarray, np.ndarray]], length: int) -> dict[str, np.ndarray]:
    """``frames`` ``[b, length]`` and ``inside`` ``[b, length, 3]`` of rows.

    Args:
        rows: each symbol's frames ``[t]`` and each frame's pitch in octaves ``[n]``.
        length: frames that the batch is filled up to.
    """
    frames = np.full((len(rows), length), -1, "int32")
    inside = np.zeros((len(rows), length, 3), "float32")
    for place, (durations, pitch) in enumerate(rows):
        count = int(durations.sum())
        numbers = np.repeat(np.arange(len(durations)), durations)
        starts = np.repeat(np.cumsum(durations) - durations, durations)
        lasting = durations[numbers].astype("float32")
        frames[place, :count] = numbers
        inside[place, :count, 0] = (np.arange(count) - starts + 0.5) / lasting
        inside[place, :count, 1] = np.log(lasting) - 1.8
        inside[place, :count, 2] = pitch
    return {"frames": frames, "inside": inside}
