"""How a window of sound is to be recognized, and what was heard in it."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Decoding:
    """How windows are recognized.

    Attributes:
        task: ``"transcribe"``, or ``"translate"`` into English.
        language: code of what is spoken; ``None`` to tell it from the sound.
        times: whether the text is to hold times.
        beams: hypotheses of the search at temperature 0.
        max_new_tokens: most tokens of a window; by default as many as the model's authors allow.
        temperatures: tried in turn, 0 for the likeliest, until an answer looks right.
        compression_ratio: an answer that can be made smaller by more than this repeats itself.
        log_probability: an answer whose tokens have a mean logarithm below this looks wrong.
        no_speech: an answer that looks wrong where nobody speaks, with more than this probability, is none.
        word_times: whether the time and probability of each token is told.
        seed: of sampling.
    """

    task: str = "transcribe"
    language: str | None = None
    times: bool = True
    beams: int = 1
    max_new_tokens: int | None = None
    temperatures: tuple[float, ...] = (0.0,)
    compression_ratio: float | None = None
    log_probability: float | None = None
    no_speech: float | None = None
    word_times: bool = False
    seed: int = 0


@dataclass(frozen=True)
class Heard:
    """What was heard in a window.

    Attributes:
        tokens: numbers, times among them, the end left out.
        language: code, and how probable it is (1 where it was told); ``None`` of a model of English only.
        log_probability: mean over the tokens, the end included.
        compression: how much smaller the tokens can be made.
        no_speech: probability that nobody speaks; ``None`` where nobody asked.
        temperature: at which it was found.
        ended: whether the model came to an end.
        skipped: whether nobody speaks, so that the tokens mean nothing.
        times: seconds in the window at which each token ends; ``None`` where nobody asked.
        probabilities: of each token among those of text; likewise.
    """

    tokens: tuple[int, ...]
    language: str | None
    language_probability: float
    log_probability: float
    compression: float
    no_speech: float | None
    temperature: float
    ended: bool = True
    skipped: bool = False
    times: np.ndarray | None = None
    probabilities: np.ndarray | None = None


def compression_ratio(tokens: Sequence[int], words: int) -> float:
    """How many times smaller zlib makes the numbers of tokens.

    Args:
        tokens: numbers.
        words: size of the vocabulary, which says how many bytes a number takes.

    >>> compression_ratio([7] * 100, 51865) > 10 > compression_ratio(range(100), 51865)
    True
    """
    size = int(math.log2(words) / 8) + 1
    content = b"".join(int(token).to_bytes(size, "little") for token in tokens)
    return len(content) / len(zlib.compress(content))
