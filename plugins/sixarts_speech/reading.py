"""A text as it is read aloud: its sentences, and the words that are said for what is written.

>>> normalize("Dr. Smith paid $3.50 on 5/1/1985.")
'doctor smith paid three dollars and fifty cents on may first nineteen eighty five.'
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

#: Marks that make a pause.
MARKS = ",;:.?!"
#: Characters of a sentence at most: a longer one is cut at a mark, or else between words.
LONGEST = 400
#: What is written in another way before anything is read.
_ALIKE = str.maketrans(
    {
        **dict.fromkeys("‘’ʼ′`´", "'"),
        **dict.fromkeys("“”„″«»", '"'),
        **dict.fromkeys("‐‑", "-"),
        **dict.fromkeys("\u00a0\u202f\u2009\u200a\u2007\t\r\n\v\f", " "),
        "…": ". ",
        "−": "-",
        "。": ". ",
        "、": ", ",
        "，": ", ",
        "？": "? ",
        "！": "! ",
        "؟": "? ",
        "،": ", ",
        "।": ". ",
        "¿": " ",
        "¡": " ",
    }
)
#: Dashes that stand for a pause, and what else does so.
_DASH = re.compile(r"\s*(?:—|--+|―)\s*|\s+[-–]\s+")
#: Marks behind a word, within what closes around it.
_BEHIND = re.compile(r"""["')\]}»]*([,;:.?!]["')\]}»,;:.?!]*)?""")


class Token(NamedTuple):
    """What stands between two spaces, or is read as one, and how.

    Attributes:
        written: as it stands in the text, without marks around it.
        spoken: the words that are said for it.
        mark: the mark that makes a pause behind it, one of ``,;:.?!``; empty for none.
    """

    written: str
    spoken: tuple[str, ...]
    mark: str = ""


def sentences(text: str, language: str) -> Iterator[str]:
    """A text's sentences, each of at most :data:`LONGEST` characters, as they are asked for.

    Args:
        language: ISO code; of one that has no rules of its own, marks tell.
    """
    import sentencex

    for paragraph in re.split(r"\n\s*\n|\r\n\s*\r\n", text):
        for sentence in sentencex.segment(language, " ".join(paragraph.split())):
            rest = sentence.strip()
            while len(rest) > LONGEST:
                head = rest[:LONGEST]
                places = [match.end() for match in re.finditer(r"[,;:]\s", head)] or [head.rfind(" ")]
                at = places[-1] if places[-1] > 0 else LONGEST
                yield rest[:at].strip()
                rest = rest[at:].strip()
            if rest:
                yield rest


def tokens(sentence: str, language: str) -> list[Token]:
    """A sentence's tokens, each with the words that are said for it."""
    text = unicodedata.normalize("NFC", sentence).translate(_ALIKE)
    text = _DASH.sub(", ", text)
    found: list[Token] = []
    rules = _rules(language)
    at = 0
    for match in rules.master.finditer(text) if rules.master is not None else ():
        if match.start() < at:
            continue
        said = rules.read(match)
        if said is None:
            continue
        _plain(text[at : match.start()], rules.word, found)
        end = match.end()
        # A full stop that is part of an abbreviation ends a sentence, too, where nothing follows.
        behind = _BEHIND.match(text, end)
        mark = _mark(behind[1] if behind else None)
        if not mark and match.group().endswith(".") and not text[end:].strip(" \"')]}"):
            mark = "."
        found.append(Token(match.group().strip(), tuple(said.lower().split()), mark))
        at = behind.end() if behind else end
    _plain(text[at:], rules.word, found)
    return [token for token in found if token.spoken or token.mark]


def normalize(text: str, language: str = "en") -> str:
    """A text as words alone, with its marks: what a voice is given to say.

    Args:
        language: ISO code. English is read in full; of others, numbers are, where ``num2words`` knows them.
    """
    said = (spoken_text(tokens(sentence, language)) for sentence in sentences(text, language))
    return " ".join(part for part in said if part)


def spoken_text(found: list[Token]) -> str:
    """Words and marks of a sentence.

    >>> spoken_text([Token("Mr.", ("mister",)), Token("X", ("ex",), ".")])
    'mister ex.'
    """
    return " ".join(" ".join(token.spoken) + token.mark for token in found if token.spoken)


class Rules(NamedTuple):
    """How a language is read.

    Attributes:
        master: what is not read as it is written; ``None`` for nothing.
        read: such a match to words, or ``None`` to leave it as it stands.
        word: any other word to words.
    """

    master: re.Pattern[str] | None
    read: Callable[[re.Match[str]], str | None]
    word: Callable[[str], str]


@functools.cache
def _rules(language: str) -> Rules:
    if language == "en":
        from sixarts_speech.reading_english import MASTER, read, word

        return Rules(MASTER, read, word)
    known = _numbers(language)
    if known is None:
        return Rules(None, lambda match: None, lambda written: written)
    return Rules(re.compile(r"\d[\d.,]*\d|\d"), lambda match: known(match.group()), lambda written: written)


def _numbers(language: str) -> Callable[[str], str | None] | None:
    """Digits to words in a language that ``num2words`` knows."""
    from num2words import CONVERTER_CLASSES, num2words

    code = next((each for each in (language, language.split("_")[0]) if each in CONVERTER_CLASSES), None)
    if code is None:
        return None

    def said(digits: str) -> str | None:
        # Which of the two parts thousands, a language's text tells: three digits behind it, and no more.
        plain = re.sub(r"[.,](?=\d{3}(?:\D|$))", "", digits).replace(",", ".")
        try:
            value: Any = float(plain) if "." in plain else int(plain)
            return str(num2words(value, lang=code)).replace("-", " ").replace(",", "")
        except (ValueError, OverflowError, NotImplementedError, TypeError, IndexError, KeyError):
            return None

    return said


def _plain(text: str, word: Callable[[str], str], found: list[Token]) -> None:
    """Adds the tokens of a stretch without anything to be read in a way of its own."""
    for chunk in text.split():
        start = next(
            (place for place, letter in enumerate(chunk) if letter.isalnum() or letter in "&+=@#%"), None
        )
        if start is None:
            mark = _mark(chunk)
            if mark and found and not found[-1].mark:
                found[-1] = found[-1]._replace(mark=mark)
            continue
        end = max(place for place, letter in enumerate(chunk) if letter.isalnum() or letter in "&+=@#%") + 1
        # Signs that change the letter before them are part of it.
        while end < len(chunk) and unicodedata.category(chunk[end])[0] == "M":
            end += 1
        core = chunk[start:end]
        said = tuple(word(core).split())
        found.append(Token(core, said, _mark(chunk[end:])))


def _mark(behind: str | None) -> str:
    """The strongest of the marks behind a word."""
    held = [mark for mark in behind or "" if mark in MARKS]
    return max(held, key=",;:.!?".index) if held else ""
