"""A document to its sentences, each with the characters where it stands.

Sentence boundaries come from ``sentencex``. Lines of a paragraph that was wrapped at a width are one; every
other line ends its sentence, as in lists and headings.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import sentencex

from sixarts_text.ngrams import UNSPACED
from sixarts_text.support import Grounds

#: Fewest columns of a paragraph whose lines are taken for wrapped ones.
NARROWEST = 40
#: Indentation, quotation and list markers at the head of a line.
_MARKER = re.compile(r"\s*(?:(?:[-*+•>]|\d{1,3}[.)])\s+)*")
_LIST = re.compile(r"\s*(?:[-*+•>|#]|\d{1,3}[.)]\s)")
_WORD = re.compile(rf"{UNSPACED}|(?:(?!{UNSPACED})\S)+")
_UNSPACED = re.compile(UNSPACED)
#: What a line ends with that is no wrapped one.
_ENDS = tuple(".!?:;…。！？：；\"'”’)]")
#: After what an over-long sentence is cut: a clause, else a word, else any character.
_CUTS = (re.compile(r"[,;:，；、：]\s*"), re.compile(r"\s+"), re.compile(r".", re.DOTALL))


@dataclass(frozen=True)
class Sentence:
    """A sentence of a document.

    Attributes:
        text: with single spaces.
        start, end: the characters of the document where it stands.
    """

    text: str
    start: int
    end: int


@dataclass(frozen=True, eq=False)
class Document:
    """A text and its sentences, in order."""

    text: str = field(repr=False)
    sentences: tuple[Sentence, ...] = field(repr=False)

    @cached_property
    def grounds(self) -> Grounds:
        """What summaries of it may rest on."""
        return Grounds((sentence.text for sentence in self.sentences), self.text)

    @classmethod
    def of(cls, text: str, language: str = "en", form: str = "text") -> Document:
        """Cuts a text; see :func:`sentences_of`."""
        return cls(text, tuple(sentences_of(text, language, form)))


def sentences_of(text: str, language: str = "en", form: str = "text") -> Iterator[Sentence]:
    """The sentences of a text; what has no letter or digit is none.

    Args:
        text: any text.
        language: ISO code, for sentence boundaries; what ``sentencex`` does not know is read as English.
        form: ``"text"``, or ``"markdown"``, of which only paragraphs and list items are read.

    >>> [found.text for found in sentences_of("Dr. Lee left. It was 3.5\\nmiles!\\n\\n- A dog")]
    ['Dr. Lee left.', 'It was 3.5', 'miles!', 'A dog']
    """
    place = 0
    for line in _FORMS[form](text).split("\n"):
        marker = _MARKER.match(line)
        at = marker.end() if marker else 0
        for piece in sentencex.segment(language, line[at:]):
            at = line.index(piece, at)
            core = piece.strip()
            if any(character.isalnum() for character in core):
                start = place + at + piece.index(core)
                yield Sentence(" ".join(core.split()), start, start + len(core))
            at += len(piece)
        place += len(line) + 1


def _plain(text: str) -> str:
    """The text with the breaks inside wrapped paragraphs turned to spaces, at its length.

    A break is taken for a wrap where the next word would not have fitted into the paragraph's width, or where
    a line without an end goes on in lower case.
    """
    lines = re.sub(r"[\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]", " ", text).split("\n")
    out: list[str] = []
    for blank, group in itertools.groupby(lines, lambda line: not line.strip()):
        block = list(group)
        width = 0 if blank else max(len(line.rstrip()) for line in block)
        for line, after in itertools.pairwise([*block, ""]):
            word = re.match(r"\s*\S+", after)
            wraps = width >= NARROWEST and word is not None and not _LIST.match(after)
            begins = word.group().strip() if word else ""
            full = len(line.rstrip()) + 1 + len(begins) > width
            goes_on = begins[:1].islower() and line.rstrip()[-1:] not in _ENDS
            out.append(line + (" " if wraps and (full or goes_on) else "\n"))
    return "".join(out)[:-1]


def _markdown(text: str) -> str:
    """The text's paragraphs and list items where they stand, and spaces in the place of all else."""
    from markdown_it import MarkdownIt

    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    kept: set[int] = set()
    for before, token in itertools.pairwise(tokens):
        if token.type == "inline" and before.type == "paragraph_open" and token.map:
            kept.update(range(*token.map))
    lines = text.split("\n")
    return _plain("\n".join(line if number in kept else " " * len(line) for number, line in enumerate(lines)))


_FORMS: dict[str, Callable[[str], str]] = {"text": _plain, "markdown": _markdown}


def count_words(text: str) -> int:
    """How many words a text has: runs without white space that hold a letter or digit.

    In scripts that write no spaces each letter counts.

    >>> count_words("It cost 3.5 – a lot"), count_words("我有狗。")
    (5, 3)
    """
    return sum(1 for _ in _words(text))


def beginning(text: str, count: int) -> str:
    """The first so many words of a text, and an ellipsis.

    >>> beginning("One, two, three.", 2)
    'One, two …'
    """
    last = next(itertools.islice(_words(text), count - 1, None)).end()
    return text[:last].rstrip(",;:，；、：") + " …"


def joined(texts: Sequence[str]) -> str:
    """Sentences as one text, without a space where a script writes none.

    >>> joined(["A dog.", "It bit."]), joined(["我有狗。", "它很大。"])
    ('A dog. It bit.', '我有狗。它很大。')
    """
    out = ""
    for text in texts:
        spaced = not (out and _UNSPACED.match(text) and not out[-1].isascii())
        out += (" " if out and spaced else "") + text
    return out


def _words(text: str) -> Iterator[re.Match[str]]:
    return (match for match in _WORD.finditer(text) if any(map(str.isalnum, match.group())))


def cut(sentence: Sentence, document: str, fits: Callable[[str], bool]) -> Iterator[Sentence]:
    """A sentence in parts that fit, cut at a clause near its middle, else a word, else a character."""
    text = document[sentence.start : sentence.end]
    if len(text) < 2 or fits(sentence.text):
        yield sentence
        return
    middle, at = len(text) / 2, 0
    for pattern in _CUTS:
        places = [match.end() for match in pattern.finditer(text) if 0 < match.end() < len(text)]
        # A comma near an end would leave a part as long as the whole.
        places = [place for place in places if 0.2 < place / len(text) < 0.8] if len(text) > 4 else places
        if places:
            at = min(places, key=lambda place: abs(place - middle))
            break
    for start, end in ((0, at), (at, len(text))):
        core = text[start:end].strip()
        if any(character.isalnum() for character in core):
            begin = sentence.start + start + text[start:end].index(core)
            part = Sentence(" ".join(core.split()), begin, begin + len(core))
            yield from cut(part, document, fits)
