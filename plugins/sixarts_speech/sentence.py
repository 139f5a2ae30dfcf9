"""A sentence that is to be said, and what all voices share in saying it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sixarts_speech.reading import Token

#: Frames that batches are filled up to: steps of a quarter at most, since frames cost more than compiling.
LENGTHS = tuple(sorted({round(2**power * part) for power in range(5, 15) for part in (1, 1.25, 1.5, 1.75)}))


class Sentence(NamedTuple):
    """A piece of a text.

    Attributes:
        text: as it is written.
        tokens: its words.
        spelled: its symbols, as the voice's processor makes them.
        number: which of the text's sentences it is; its noise is drawn by that and the seed.
    """

    text: str
    tokens: Sequence[Token]
    spelled: Any
    number: int


def filled(count: int, lengths: Sequence[int]) -> int:
    """The smallest of the lengths that holds so many; beyond the last, a multiple of it.

    >>> filled(33, LENGTHS), filled(20_000, (32, 64))
    (40, 20032)
    """
    return next((size for size in lengths if count <= size), -(-count // lengths[-1]) * lengths[-1])


def raised(semitones: float) -> float:
    """The ratio of frequencies that semitones are.

    >>> raised(12)
    2.0
    """
    return float(2 ** (semitones / 12))
