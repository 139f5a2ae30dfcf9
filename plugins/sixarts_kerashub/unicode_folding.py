"""Texts without accents and without case, with where each character came from.

Sources: The Unicode Standard, section 3.13 (NFKC_Casefold), as ``tensorflow_text.case_fold_utf8`` applies it.
"""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Sequence

import regex

#: The first character that another one was made of, and the one after its last.
Span = tuple[int, int]

#: Characters that nobody sees: NFKC_Casefold drops them.
_IGNORABLE = regex.compile(r"\p{Default_Ignorable_Code_Point}")


def unaccented(text: str) -> tuple[str, list[Span]]:
    """A text in decomposed form without its nonspacing marks, and the span of each character.

    >>> unaccented("né")
    ('ne', [(0, 1), (1, 2)])
    """
    if text.isascii():
        return text, [(place, place + 1) for place in range(len(text))]
    signs = [
        (sign, (place, place + 1))
        for place, letter in enumerate(text)
        for sign in unicodedata.normalize("NFD", letter)
    ]
    start = 0
    while start < len(signs):
        end = start + 1
        if unicodedata.combining(signs[start][0]):
            while end < len(signs) and unicodedata.combining(signs[end][0]):
                end += 1
            # Marks that follow one another stand in the order of their classes.
            signs[start:end] = sorted(signs[start:end], key=lambda found: unicodedata.combining(found[0]))
        start = end
    kept = [(sign, span) for sign, span in signs if unicodedata.category(sign) != "Mn"]
    return "".join(sign for sign, _ in kept), [span for _, span in kept]


def folded(word: str, spans: Sequence[Span]) -> tuple[str, list[Span]]:
    """A word in the form that words alike but for case share, and the span of each character.

    Args:
        word: any text.
        spans: of its characters.

    >>> folded("Straße", [(place, place + 1) for place in range(6)])[0]
    'strasse'
    """
    if word.isascii():
        return word.lower(), list(spans)
    whole = _fold(word)
    starts = [place for place, sign in enumerate(word) if not place or not unicodedata.combining(sign)]
    clusters = [
        (start, end, _fold(word[start:end])) for start, end in itertools.pairwise([*starts, len(word)])
    ]
    if "".join(part for _, _, part in clusters) != whole:
        # What stands in several clusters became one.
        clusters = [(0, len(word), whole)]
    return whole, [
        (spans[start][0], max(last for _, last in spans[start:end]))
        for start, end, part in clusters
        for _ in part
    ]


def _fold(text: str) -> str:
    text = unicodedata.normalize("NFKC", text).casefold()
    return _IGNORABLE.sub("", unicodedata.normalize("NFKC", text))
