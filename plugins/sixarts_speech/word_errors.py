"""How far a transcript is from what was said: word and character error rates, by jiwer.

Texts are made alike first: Unicode NFKC, lowercase, punctuation but for apostrophes inside words as spaces,
digits as they are, white space as one space.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import numpy as np

from sixarts.errors import MissingExtra
from sixarts.result import Metric, Metrics

#: Draws of a bootstrap.
DRAWS = 1000
PROTOCOL = (
    "jiwer {version}; NFKC, lowercase, punctuation as spaces; errors over all words or characters; "
    "95 % interval by bootstrap over examples"
)


def normalized(text: str) -> str:
    """A text as error rates compare it.

    >>> normalized("Don't  stop, “Bob”!")
    "don't stop bob"
    """
    text = unicodedata.normalize("NFKC", text).lower().replace("’", "'")
    text = re.sub(r"[^\w\s']|_|(?<!\w)'|'(?!\w)", " ", text)
    return " ".join(text.split())


def error_rates(said: Sequence[str], heard: Sequence[str], seed: int = 0) -> Metrics:
    """Word and character error rates, with bootstrap intervals (Bisani and Ney 2004).

    Args:
        said: what was said.
        heard: what was transcribed.
        seed: of the bootstrap.

    Raises:
        MissingExtra: jiwer is not installed.
    """
    try:
        import jiwer
    except ImportError:
        raise MissingExtra(
            "error rates need jiwer, which is not installed; pip install 'sixarts[eval]'"
        ) from None
    from importlib.metadata import version

    pairs = [(normalized(one), normalized(other)) for one, other in zip(said, heard, strict=True)]
    words = np.array([_counts(jiwer.process_words, *pair) for pair in pairs], float)
    letters = np.array([_counts(jiwer.process_characters, *pair) for pair in pairs], float)
    values = {"wer": _rate(words, seed), "cer": _rate(letters, seed)}
    return Metrics(values, PROTOCOL.format(version=version("jiwer")), len(pairs))


def _counts(process: object, said: str, heard: str) -> tuple[int, int]:
    """Errors, and of how many."""
    if not said:  # which jiwer has no rate for: everything heard is too much
        return len(heard.split()) if "words" in process.__name__ else len(heard), 0  # type: ignore[attr-defined]
    found = process(said, heard)  # type: ignore[operator]
    return (
        found.substitutions + found.deletions + found.insertions,
        found.hits + found.substitutions + found.deletions,
    )


def _rate(counts: np.ndarray, seed: int) -> Metric:
    random = np.random.default_rng(seed)
    draws = counts[random.integers(len(counts), size=(DRAWS, len(counts)))].sum(axis=1)
    rates = draws[:, 0] / np.maximum(draws[:, 1], 1)
    errors, total = counts.sum(axis=0)
    rate = float(errors / max(total, 1))
    low, high = np.quantile(rates, (0.025, 0.975))
    return Metric(rate, min(float(low), rate), max(float(high), rate))
