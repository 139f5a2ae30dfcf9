"""Text to n-grams of words, and the pieces of words: what the ``linear`` family weighs.

A word is a run of letters and digits, with apostrophes inside it; runs of ``!`` and ``?`` count as words, and
so do simple smileys. Scripts without spaces are cut into letters. N-grams lie in a file that can be read.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from sixarts.batching import bucket
from sixarts.errors import CheckpointError
from sixarts.labeled import labels_of
from sixarts.model import Processor, read_json, write_json
from sixarts.readers.limits import check, some, whole
from sixarts.readers.pieces import Stretch

FILE = "ngrams.json"
#: Counts of distinct n-grams that are rounded up to.
COUNTS = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
#: Longest word whose pieces are looked at; what is longer is no word.
LONGEST = 64
#: Most characters of an n-gram in a file.
NGRAM_CAP = 1000

#: Letters of scripts that write no spaces between words.
UNSPACED = r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\u0e00-\u0eff\u1000-\u109f]"
_INSIDE = rf"(?:(?!{UNSPACED})[^\W_])+"
_WORD = re.compile(rf"{UNSPACED}|{_INSIDE}(?:['’]{_INSIDE})*|[!?]+|[:;=]-?[()DP]")

#: What an n-gram's occurrences stand for: first and last word, from 0.
Place = tuple[int, int]


class Words(NamedTuple):
    """The words of a text, and where each stands in it."""

    words: list[str]
    spans: list[tuple[int, int]]


class Grams(NamedTuple):
    """What of a text the network sees.

    Attributes:
        places: n-gram's number to the stretches of words where it occurs.
        words: the text's words.
        start, end: characters of the text that are covered.
        share: how many words there are.
    """

    places: Mapping[int, Sequence[Place]]
    words: Words
    start: int
    end: int
    share: int

    @property
    def count(self) -> int:
        """How many columns it takes."""
        return len(self.places)


class NgramProcessor(Processor):
    """Texts to the numbers of their n-grams, and classes to their names.

    Args:
        labels: the network's classes, in order.
        ngrams: what the network weighs, in order; words are joined by a space, and a piece of a word is
            marked by ``#``.
        sizes: fewest and most words of an n-gram.
        letters: fewest and most letters of the pieces of words; none where it is empty.
    """

    exclusive = True

    def __init__(
        self, labels: Sequence[str], ngrams: Sequence[str], sizes: Sequence[int], letters: Sequence[int] = ()
    ) -> None:
        self.labels, self.ngrams = tuple(labels), tuple(ngrams)
        self.sizes, self.letters = tuple(sizes), tuple(letters)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """N-gram to its number; 0 is padding's."""
        return {ngram: number for number, ngram in enumerate(self.ngrams, 1)}

    @property
    def size(self) -> int:
        """How many n-grams there are."""
        return len(self.ngrams)

    @classmethod
    def learned_from(
        cls,
        texts: Sequence[str],
        labels: Sequence[str],
        sizes: Sequence[int],
        letters: Sequence[int],
        least: int,
    ) -> Self:
        """A processor of the n-grams of some texts, the commonest first.

        Args:
            least: in how many texts a piece of a word must occur; n-grams of words are all kept.
        """
        blank = cls(labels, (), sizes, letters)
        seen: Counter[str] = Counter()
        for text in texts:
            seen.update({ngram for ngram, _ in blank.found(words_of(text))})
        kept = [ngram for ngram, count in seen.items() if count >= (least if ngram.startswith("#") else 1)]
        return cls(labels, sorted(kept, key=lambda ngram: (-seen[ngram], ngram)), sizes, letters)

    @classmethod
    def from_folder(cls, folder: Path, config: Mapping[str, Any]) -> Self:
        stated = read_json(folder / FILE)
        check(stated, {"sizes": some(whole(1, 8), 2), "letters": some(whole(1, 32), 2)}, optional=True)
        ngrams = stated.get("ngrams")
        if not isinstance(ngrams, list) or not all(
            isinstance(n, str) and len(n) <= NGRAM_CAP for n in ngrams
        ):
            raise CheckpointError(f"{folder / FILE} has no list of n-grams; expected texts; fetch it again")
        if len(set(ngrams)) < len(ngrams) or len(ngrams) != config.get("num_ngrams"):
            raise CheckpointError(
                f"{folder / FILE} has {len(ngrams)} n-grams, {len(set(ngrams))} of them different, and "
                f"config.json states {config.get('num_ngrams')}; the two are not of one model"
            )
        return cls(labels_of(config), ngrams, stated.get("sizes") or (1, 1), stated.get("letters") or ())

    def save(self, folder: Path) -> None:
        stated: dict[str, Any] = {"sizes": list(self.sizes)}
        if self.letters:
            stated["letters"] = list(self.letters)
        write_json(folder / FILE, {**stated, "ngrams": list(self.ngrams)})

    def relabeled(self, labels: Sequence[str]) -> Self:
        """The same for other classes."""
        return type(self)(labels, self.ngrams, self.sizes, self.letters)

    def found(self, words: Words) -> Iterator[tuple[str, Place]]:
        """Every n-gram of some words, with the words that it stands for."""
        low, high = self.sizes[0], self.sizes[-1]
        for size in range(low, high + 1):
            for start in range(len(words.words) - size + 1):
                yield " ".join(words.words[start : start + size]), (start, start + size - 1)
        if self.letters:
            for place, word in enumerate(words.words):
                for piece in letters_of(word, self.letters[0], self.letters[-1]):
                    yield piece, (place, place)

    def pieces(self, x: Any, long: str = "windows", stride: int | None = None) -> Iterator[Grams]:
        """The n-grams of a text; the model takes any length at once, and of a pair both texts as one."""
        text = x if isinstance(x, str) else "\n".join(x)
        words = words_of(text)
        places: dict[int, list[Place]] = {}
        numbers = self.numbers
        for ngram, place in self.found(words):
            if (number := numbers.get(ngram)) is not None:
                places.setdefault(number, []).append(place)
        yield Grams(places, words, 0, len(text), max(1, len(words.words)))

    def arrays(self, pieces: Sequence[Any]) -> dict[str, np.ndarray]:
        """``input_ids`` ``[b, n]``: the numbers of each text's different n-grams, 0 behind them."""
        found = [piece if isinstance(piece, Grams) else next(self.pieces(piece)) for piece in pieces]
        length = bucket(max(1, *(grams.count for grams in found)), COUNTS)
        ids = np.zeros((len(found), length), "int32")
        for row, grams in enumerate(found):
            # In one order, so that the same n-grams give the same sum to the last bit.
            ids[row, : grams.count] = sorted(grams.places)
        return {"input_ids": ids}

    # For explanations.

    def baseline(self, arrays: Mapping[str, np.ndarray], piece: Grams) -> np.ndarray:
        """A text without n-grams."""
        return np.zeros_like(arrays["input_ids"])

    def places(self, piece: Grams) -> list[list[list[Stretch]]]:
        """For each column its occurrences, each with the stretches of text that it stands for."""
        spans = piece.words.spans
        return [
            [[(0, *spans[word]) for word in range(first, last + 1)] for first, last in piece.places[number]]
            for number in sorted(piece.places)
        ]

    def without(self, arrays: Mapping[str, np.ndarray], row: int, columns: Sequence[int]) -> None:
        """Takes some columns out of a row, in place."""
        arrays["input_ids"][row, list(columns)] = 0


@functools.lru_cache(maxsize=100_000)
def letters_of(word: str, low: int, high: int) -> tuple[str, ...]:
    """The pieces of a word, of so many letters; its ends count as letters, so that a beginning is told.

    >>> letters_of("not", 3, 4)
    ('#<no', '#not', '#ot>', '#<not', '#not>')
    """
    if not word[0].isalnum() or len(word) > LONGEST:
        return ()
    marked = f"<{word}>"
    return tuple(
        "#" + marked[start : start + size]
        for size in range(low, high + 1)
        for start in range(len(marked) - size + 1)
    )


def words_of(text: str) -> Words:
    """The words of a text in lower case, composed, and where each stands.

    >>> words_of("It's GREAT!!").words
    ["it's", 'great', '!!']
    """
    words, spans = [], []
    for match in _WORD.finditer(text):
        words.append(unicodedata.normalize("NFKC", match.group()).lower().replace("’", "'"))
        spans.append(match.span())
    return Words(words, spans)
