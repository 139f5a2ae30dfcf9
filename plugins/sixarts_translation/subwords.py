"""Subword regularization (Kudo 2018): words are cut anew at every pass, the same way for the same seed.

SentencePiece 0.2 samples, too, but no seed fixes its draws from one process to the next, so a resumed run
would not be the unbroken one. Here cuts are drawn by forward filtering and backward sampling over the
unigram lattice, from NumPy's generator.
"""

from __future__ import annotations

import math
import re
from bisect import bisect
from functools import lru_cache
from itertools import accumulate
from typing import Any

import numpy as np

from sixarts.errors import OptionError

SPACE = "▁"
#: What an unknown character costs below the rarest piece, as in SentencePiece.
_UNKNOWN_PENALTY = 10.0
_WORD = re.compile(f"{SPACE}[^{SPACE}]*|[^{SPACE}]+")

#: For each end in a word: where a piece that ends there may start, and the running sum of their chances.
_Lattice = tuple[tuple[tuple[int, ...], tuple[float, ...]], ...]


class UnigramSampler:
    """Draws cuts of text from a unigram tokenizer's own distribution, smoothed.

    Args:
        model: a loaded SentencePiece unigram model that splits at white space.
        alpha: the smoothing exponent: 1 draws from the model, towards 0 all cuts become alike.

    Raises:
        OptionError: the tokenizer is no unigram model, or ``alpha`` is out of range.
    """

    def __init__(self, model: Any, alpha: float) -> None:
        if not 0 < alpha <= 10:
            raise OptionError(
                f"subword_sampling={alpha!r}; expected more than 0 and at most 10, or 0 for none"
            )
        self._model = model
        numbers = range(model.get_piece_size())
        usual = [n for n in numbers if not (model.is_control(n) or model.is_unknown(n) or model.is_unused(n))]
        scores = {model.id_to_piece(n): model.get_score(n) for n in usual if not model.is_byte(n)}
        if all(float(score).is_integer() for score in scores.values()):
            # A byte-pair model keeps ranks where a unigram model keeps log-probabilities.
            raise OptionError(
                "subword_sampling with a byte-pair tokenizer; expected a unigram model; leave it out"
            )
        self._scores = {piece: alpha * score for piece, score in scores.items()}
        self._unknown = alpha * (min(scores.values()) - _UNKNOWN_PENALTY)
        self._longest = max(map(len, scores))
        # Words come again and again; whole sentences without spaces do not, and would fill the memory.
        self._remembered = lru_cache(maxsize=200_000)(self._lattice)

    def pieces(self, text: str, random: np.random.Generator) -> list[str]:
        """One cut of ``text``, drawn; characters that no piece covers come as they are.

        Args:
            random: where chance comes from; the same state gives the same cut.
        """
        found: list[str] = []
        for word in _WORD.findall(self._model.normalize(text)):
            lattice = (self._remembered if len(word) <= 24 else self._lattice)(word)
            cut, end = [], len(word)
            while end:
                starts, chances = lattice[end - 1]
                start = (
                    starts[bisect(chances, random.random() * chances[-1])] if len(starts) > 1 else starts[0]
                )
                piece = word[start:end]
                if cut and piece not in self._scores and cut[-1] not in self._scores:
                    # A run of unknown characters is one piece, as in SentencePiece.
                    cut[-1] = piece + cut[-1]
                else:
                    cut.append(piece)
                end = start
            found += reversed(cut)
        return found

    def _lattice(self, word: str) -> _Lattice:
        """Forward sums over all cuts of ``word``, as choices to walk back from each end."""
        total = [0.0]
        lattice = []
        for end in range(1, len(word) + 1):
            starts, logs = [], []
            for start in range(max(0, end - self._longest), end):
                score = self._scores.get(word[start:end])
                if score is not None:
                    starts.append(start)
                    logs.append(total[start] + score)
            if not starts or starts[-1] != end - 1:
                # As in SentencePiece, an uncovered character is always a way, however unlikely.
                starts.append(end - 1)
                logs.append(total[end - 1] + self._unknown)
            top = max(logs)
            chances = tuple(accumulate(math.exp(value - top) for value in logs))
            total.append(top + math.log(chances[-1]))
            lattice.append((tuple(starts), chances))
        return tuple(lattice)
