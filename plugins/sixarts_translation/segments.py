"""A text to the sentences that are translated, and back with its layout kept.

Sentence boundaries come from ``sentencex``; blank lines, indentation and list markers stay as they are.
"""

from __future__ import annotations

import itertools
import re
import textwrap
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import sentencex

#: Indentation, quotation and list markers at the head of a line.
_MARKER = re.compile(r"\s*(?:(?:[-*+•>]|\d{1,3}[.)])\s+)*")
#: After what an over-long sentence is cut: a clause, else a word, else any character.
_CUTS = (re.compile(r"[,;:，；、：]\s*"), re.compile(r"\s+"), re.compile(r".", re.DOTALL))
#: Languages written without spaces between sentences.
_UNSPACED = frozenset({"zh", "zho", "cmn", "ja", "jpn", "th", "tha", "lo", "km", "my", "yue"})


@dataclass(frozen=True)
class Part:
    """A stretch of text.

    Attributes:
        text: as it stands.
        translated: whether it is a sentence; layout is kept as it is.
        lines: how many lines its translation takes, as in subtitles.
    """

    text: str
    translated: bool
    lines: int = 1


def parts(text: str, unit: str, language: str = "en") -> list[Part]:
    """The text in parts whose texts, joined, are the text again.

    Args:
        text: any text.
        unit: ``"sentence"``, ``"line"``, or ``"none"`` for the whole text as one.
        language: ISO code of the text, for sentence boundaries.

    >>> [part.text for part in parts("- Hi. Ho!\\n\\nYes.", "sentence") if part.translated]
    ['Hi.', 'Ho!', 'Yes.']
    """
    if unit == "none":
        return list(stripped(text))
    found: list[Part] = []
    for line in text.splitlines(keepends=True):
        marker = _MARKER.match(line)
        head = marker.group() if marker else ""
        if head:
            found.append(Part(head, False))
        body = line[len(head) :]
        sentences = sentencex.segment(language, body) if unit == "sentence" else [body]
        for sentence in sentences:
            found += stripped(sentence)
    return found


def stripped(text: str) -> Iterator[Part]:
    """A text as one part, the white space around it as layout; what has no letter or digit is layout too."""
    core = text.strip()
    if not any(character.isalnum() for character in core):
        yield Part(text, False)
        return
    start = text.index(core)
    for piece, translated in ((text[:start], False), (core, True), (text[start + len(core) :], False)):
        if piece:
            yield Part(piece, translated)


def fitted(found: Sequence[Part], length: Callable[[str], int], most: int) -> Iterator[Part]:
    """The parts with every sentence over ``most`` tokens cut, at clauses if it can be, with a warning."""
    for part in found:
        if not part.translated or length(part.text) <= most:
            yield part
            continue
        warnings.warn(
            f"a sentence of {length(part.text)} tokens is longer than the model's {most}; it is translated "
            f"in several parts: {part.text[:60]!r}…",
            stacklevel=2,
        )
        for piece in _cut(part.text, length, most):
            yield from stripped(piece)


def _cut(
    text: str, length: Callable[[str], int], most: int, cuts: Sequence[re.Pattern[str]] = _CUTS
) -> Iterator[str]:
    """As many whole units as fit; a unit that alone is too long is cut more finely."""
    if not cuts or length(text) <= most:
        yield text
        return
    ends = [match.end() for match in cuts[0].finditer(text)]
    packed = ""
    for begin, end in itertools.pairwise([0, *ends, len(text)]):
        unit = text[begin:end]
        if packed and length(packed + unit) > most:
            yield from _cut(packed, length, most, cuts[1:])
            packed = ""
        packed += unit
    yield from _cut(packed, length, most, cuts[1:])


def is_unspaced(language: str) -> bool:
    """Whether a language, by any code, is written without spaces between words."""
    return re.split("[-_]", language.lower())[0] in _UNSPACED


def joined(found: Sequence[Part], translations: Sequence[str], language: str) -> str:
    """The parts with their translations put in.

    A single space between two sentences goes where the target language writes none. With fewer translations
    than sentences it ends before the first that is not translated yet.
    """
    answers = iter(translations)
    unspaced = is_unspaced(language)
    out: list[str] = []
    for place, part in enumerate(found):
        if part.translated:
            answer = next(answers, None)
            if answer is None:
                break
            out.append(_lines(answer, part.lines, unspaced))
        elif not (part.text == " " and unspaced and 0 < place < len(found) - 1):
            out.append(part.text)
    return "".join(out)


def _lines(text: str, count: int, unspaced: bool) -> str:
    """A text in at most ``count`` lines of about the same length."""
    if count < 2 or len(text) < 2 * count:
        return text
    width = -(-len(text) // count)
    if unspaced:
        return "\n".join(text[start : start + width] for start in range(0, len(text), width))
    # The narrowest width that takes no more lines than there were.
    while len(found := textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)) > count:
        width += 1
    return "\n".join(found)
