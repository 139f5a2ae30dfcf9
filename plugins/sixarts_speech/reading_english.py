"""How English is read aloud, in the American way: numbers, dates, money, abbreviations, capitals, addresses.

One pattern finds what is not read as it is written, from left to right, the most special first; each kind has
a reader. Whole numbers, years and ordinals are ``num2words``'.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from sixarts_speech.reading_numbers import digits_of, number, ordinal, whole, words, year
from sixarts_speech.reading_tables import (
    CAPITAL_WORDS,
    CAREFUL,
    COUNTED,
    DOTTED,
    FRACTIONS,
    LETTERS,
    MONEY,
    MONTHS,
    SEPARATORS,
    SHORT_MONTHS,
    SIGNS,
    SMALL,
    TITLES,
    UNITS,
)

MAGNITUDES = ("hundred", "thousand", "million", "billion", "trillion")
_NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?"
_MONTH = "|".join([*MONTHS, *(f"{short}\\.?" for short in sorted(SHORT_MONTHS, key=len, reverse=True))])
_DAY = r"(?:[12]\d|3[01]|0?[1-9])(?:st|nd|rd|th)?"
_SMALL = "|".join(map(re.escape, sorted(SMALL, key=len, reverse=True)))
_UNIT = "|".join(map(re.escape, sorted(UNITS, key=len, reverse=True)))
_TITLE = "|".join(sorted(TITLES, key=len, reverse=True))
_DOTTED = "|".join(sorted(DOTTED, key=len, reverse=True))
_SIGN = "".join(map(re.escape, MONEY))
_ROMAN = r"(?=[IVXL])(?:XL|X{0,3})(?:IX|IV|V?I{0,3})"
_DOMAIN = r"(?:com|org|net|edu|gov|io|co|uk|us|info|dev|ai|de|fr)"

#: Kind to its pattern, the most special first; none may match within a word or a number.
KINDS: dict[str, str] = {
    "address": rf"(?:https?://|www\.)[^\s<>\"]*[\w/]|[\w.+-]+@[\w-]+(?:\.[\w-]+)+|[\w-]+(?:\.[\w-]+)*\.{_DOMAIN}\b(?:/[^\s<>\"]*\w)?",
    "iso_date": r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])",
    "us_date": r"(?:0?[1-9]|1[0-2])/(?:0?[1-9]|[12]\d|3[01])/(?:\d{4}|\d\d)",
    "month_first": rf"(?:{_MONTH})\s+{_DAY}(?:,?\s+\d{{4}})?(?![\d:/,]\d|\w)",
    "day_first": rf"{_DAY}\s+(?:of\s+)?(?:{_MONTH})(?:,?\s+\d{{4}})?(?!\w)",
    "month_year": rf"(?:{_MONTH}),?\s+(?:1[1-9]|20)\d\d(?!\w)",
    "clock": r"(?:[01]?\d|2[0-4]):[0-5]\d(?::[0-5]\d)?(?:\s*[AaPp]\.?[Mm]\b\.?)?",
    "hour": r"(?:1[0-2]|0?[1-9])\s*(?:[ap]\.m\.|[AP]\.M\.|[ap]m\b|[AP]M\b)",
    "money": rf"(?:US|A|C)?[{_SIGN}]\s?{_NUMBER}(?:\s(?:{'|'.join(MAGNITUDES)})\b|[kKMB]n?\b)?",
    "cents": r"\d+\s?¢",
    "percent": rf"[-+]?{_NUMBER}\s?%",
    "phone": r"(?:\+?1[ -.])?\(\d{3}\)\s?\d{3}-\d{4}|(?:\+?1[-.])?\d{3}[-.]\d{3}[-.]\d{4}|\d{3}-\d{4}",
    "years": r"(?:1[1-9]|20)\d\d\s?[-–]\s?(?:(?:1[1-9]|20)\d\d|\d\d)(?!\d|-\d)",
    "decade": r"(?:'|1[1-9]|20)\d0'?s\b",
    "mixed": r"\d+\s+\d{1,2}/\d{1,2}(?![/\d])|\d*[" + "".join(FRACTIONS) + "]",
    "fraction": r"\d{1,2}/\d{1,3}(?![/\d])",
    "range": rf"{_NUMBER}\s?[-–]\s?{_NUMBER}(?![-–\d.]*\d)",
    "ordinal": r"\d{1,3}(?:,\d{3})*(?:st|nd|rd|th)\b|\d+(?:st|nd|rd|th)\b",
    "measure": rf"[-+]?{_NUMBER}\s?(?:{_UNIT})(?!\w|['-]\w|\.\w)",
    "numbered": r"(?:No\.|Nos\.|#)\s?\d+",
    "pages": r"pp?\.\s?\d+",
    "number": rf"[-+]?{_NUMBER}(?![\w])|[-+]?\.\d+(?!\w)",
    "saint": r"St\.?(?=[\s,.;:?!)\"']|$)",
    "title": rf"(?:{_TITLE})\b\.?",
    "dotted": rf"(?:{_DOTTED})\.",
    "month": rf"(?:{'|'.join(sorted(SHORT_MONTHS, key=len, reverse=True))})\.",
    "small": rf"(?i:{_SMALL})(?:\.|\b|(?<=/))(?!\w|'\w)",
    "initials": r"(?:[A-Z]\.){2,}|[A-Z](?:\.[A-Z])+\b\.?",
    "initial": r"[A-Z]\.(?=\s[A-Z])",
    "roman": rf"{_ROMAN}(?:'s)?(?=[\s,.;:?!)\"']|$)",
    "capitals": r"[A-Z]+(?:&[A-Z]+)+(?:'?s)?(?!\w)|[A-Z]{2,}(?:'?s)?(?!\w)",
    "coded": r"[A-Za-z]*\d+[A-Za-z]+[A-Za-z\d]*|[A-Za-z]+-?\d+(?:\.\d+)?[A-Za-z\d]*",
    "degrees": r"°[CF]?",
}
MASTER = re.compile("|".join(rf"(?<![\w])(?P<{kind}>{pattern})" if kind not in ("degrees",)
                             else rf"(?P<{kind}>{pattern})" for kind, pattern in KINDS.items()))  # fmt: skip


def read(match: re.Match[str]) -> str | None:
    """What is said for a match of :data:`MASTER`; ``None`` where it is read as it is written, after all."""
    kind = str(match.lastgroup)
    before = match.string[: match.start()]
    # A point or a sign before it makes it a part of something else.
    if kind in ("number", "range", "percent", "measure") and re.search(r"[\d][.,:/]$", before):
        return digits_of(match.group())
    return READERS[kind](match.group(), before, match.string[match.end() :])


def word(written: str) -> str:
    """What is said for a word as it stands: hyphens part words, and signs have names.

    >>> word("well-known"), word("AT&T's"), word("café")
    ('well known', "at and t's", 'café')
    """
    found: list[str] = []
    for part in re.split(r"[-–/_|~^*<>\\()\[\]{}]+", written):
        for piece in re.split(r"([&+=@#%×÷])", part):
            if piece in SIGNS:
                found.append(SIGNS[piece])
                continue
            if re.search(r"\d", piece):
                found += _pieces(piece)
                continue
            kept = (
                letter if letter.isalpha() or letter == "'" or _attached(letter) else " " for letter in piece
            )
            plain = (part.strip("'").lower() for part in "".join(kept).split())
            found += (SMALL.get(part, part) for part in plain)
    return " ".join(part for part in found if part)


def _attached(letter: str) -> bool:
    return unicodedata.category(letter)[0] == "M"


def _pieces(written: str) -> list[str]:
    """Letters and digits in a row, each by itself."""
    found: list[str] = []
    for piece in re.findall(r"[^\W\d_]+|\d+", written):
        letters = "".join(letter for letter in piece if letter.isalpha())
        if piece.isdigit() or letters:
            found.append(whole(piece) if piece.isdigit() else _letters_or_word(letters))
    return found


def _counted(written: str, before: str, after: str) -> str:
    """A number, or a year where it looks like one."""
    digits = written.lstrip("+-")
    if re.fullmatch(r"1[1-9]\d\d|20\d\d", written) and not re.match(
        r"\s(?:people|men|women|feet|miles|pounds|dollars|of)\b", after
    ):
        return year(digits)
    if written[0] in "+-" and before[-1:].isalnum():
        return number(digits)
    return number(written)


def _month(written: str) -> str:
    name = written.rstrip(".")
    return SHORT_MONTHS.get(name, name.lower())


def _dated(written: str, before: str, after: str) -> str | None:
    parts = re.findall(r"[A-Za-z]+\.?|\d+", written)
    month = next((_month(part) for part in parts if part[0].isalpha() and part.rstrip(".") in _MONTHS), None)
    numbers = [part for part in parts if part.isdigit()]
    stated = next((part for part in numbers if len(part) == 4), None)
    day = next((part for part in numbers if len(part) < 3), None)
    if month is None:
        return None
    said = month if day is None else f"{month} {ordinal(day)}"
    return said + (f" {year(stated)}" if stated else "")


_MONTHS = {*MONTHS, *SHORT_MONTHS}


def _by_numbers(written: str, before: str, after: str) -> str:
    first, second, third = re.split(r"[-/]", written)
    stated, month, day = (first, second, third) if len(first) == 4 else (third, first, second)
    if len(stated) == 2:
        stated = ("19" if int(stated) > 40 else "20") + stated
    return f"{MONTHS[int(month) - 1].lower()} {ordinal(day)} {year(stated)}"


def _clock(written: str, before: str, after: str) -> str:
    found = re.match(r"(\d+):(\d\d)(?::(\d\d))?\s*([AaPp])?", written)
    hour, minute, second, half = found.groups() if found else ("0", "00", None, None)
    said = [whole(str(int(hour)))]
    if minute != "00":
        said.append(f"oh {whole(minute[1])}" if minute[0] == "0" else whole(minute))
    elif half is None and 1 <= int(hour) <= 12 and second is None:
        said.append("o'clock")
    elif half is None and second is None:
        said.append("hundred" if int(hour) > 12 else "o'clock")
    if second is not None:
        said.append(f"and {whole(str(int(second)))} seconds")
    return " ".join([*said, *([LETTERS[half.lower()] + " em"] if half else [])])


def _hour(written: str, before: str, after: str) -> str:
    half = next(letter for letter in written if letter.isalpha()).lower()
    return f"{whole(str(int(re.match(r'[0-9]+', written).group())))} {LETTERS[half]} em"  # type: ignore[union-attr]


def _money(written: str, before: str, after: str) -> str:
    sign = next(letter for letter in written if letter in MONEY)
    one, many, part, parts = MONEY[sign]
    amount = re.search(_NUMBER, written)
    value = amount.group() if amount else "0"
    tail = written[amount.end() :].strip() if amount else ""
    short = {
        "k": "thousand",
        "K": "thousand",
        "M": "million",
        "B": "billion",
        "Bn": "billion",
        "Mn": "million",
    }
    magnitude = short.get(tail, tail)
    if magnitude:
        return f"{number(value)} {magnitude} {many}"
    amounts, _, cents = value.partition(".")
    if len(cents) not in (0, 2):
        return f"{number(value)} {many}"
    count, rest = int(amounts.replace(",", "")), int(cents or 0)
    said = [f"{whole(amounts)} {one if count == 1 else many}"] if count or not rest else []
    if rest:
        said.append(f"{whole(str(rest))} {part if rest == 1 else parts}")
    return " and ".join(said)


def _phone(written: str, before: str, after: str) -> str:
    return " ".join(digits_of(group) for group in re.findall(r"\d+", written))


def _years(written: str, before: str, after: str) -> str:
    first, last = re.findall(r"\d+", written)
    return f"{year(first)} to {year(last) if len(last) == 4 else whole(str(int(last)))}"


def _decade(written: str, before: str, after: str) -> str:
    digits = re.sub(r"\D", "", written)
    tens = whole(digits[-2:]) if digits[-2:] != "00" else "hundred"
    plural = re.sub(r"y$", "ies", tens) if tens != "hundred" else "hundreds"
    if tens == "ten":
        plural = "tens"
    return f"{whole(digits[:2])} {plural}" if len(digits) == 4 else plural


#: Denominators with names of their own.
_PARTS = {"2": ("half", "halves"), "4": ("quarter", "quarters")}


def _fraction(written: str, before: str = "", after: str = "") -> str:
    above, below = written.split("/")
    if not int(below) or int(above) >= 100:
        return f"{whole(above)} over {whole(below)}"
    one, many = _PARTS.get(below, (ordinal(below), ordinal(below) + "s"))
    if below == "1":
        return f"{whole(above)} over one"
    return f"{whole(above)} {one if above == '1' else many}"


def _mixed(written: str, before: str, after: str) -> str:
    for sign, stated in FRACTIONS.items():
        written = written.replace(sign, f" {stated}")
    *before_it, part = written.split()
    said = _fraction(part)
    if not before_it:
        return said
    return f"{whole(before_it[0])} and {re.sub('^one (half|quarter)', r'a ' + chr(92) + '1', said)}"


def _range(written: str, before: str, after: str) -> str:
    first, last = re.findall(_NUMBER, written)
    return f"{number(first)} to {number(last)}"


def _measure(written: str, before: str, after: str) -> str | None:
    found = re.match(rf"([-+]?{_NUMBER})(\s?)({_UNIT})$", written)
    if found is None:
        return None
    amount, space, unit = found.groups()
    # "3 in the morning" is no length, and "5 m" is one where nothing else can be meant.
    if unit in CAREFUL and space and re.match(r"\s+[a-z]", after):
        return None
    one, many = UNITS[unit]
    return f"{number(amount)} {one if amount == '1' else many}"


def _saint(written: str, before: str, after: str) -> str:
    """A saint before a name, unless a name or a number stands before it: that is a street."""
    named = re.search(r"\S\s+(?:[A-Z][\w']*|\d+(?:st|nd|rd|th)?)\s+$", before)
    return "saint" if re.match(r"\s+[A-Z]", after) and not named else "street"


def _initials(written: str, before: str = "", after: str = "") -> str:
    return " ".join(LETTERS[letter.lower()] for letter in written if letter.isalpha())


def _roman(written: str, before: str, after: str) -> str | None:
    last = re.search(r"([A-Za-z]+)\s+$", before)
    if last is None or not written:
        return None
    numeral = written.removesuffix("'s")
    tail = written[len(numeral) :]
    value = _roman_value(numeral)
    if last[1].lower() in COUNTED:
        return words(value) + tail
    # A king's number; one letter may be a word or an initial.
    if len(numeral) > 1 and last[1][0].isupper() and not last[1].isupper():
        return f"the {ordinal(str(value))}{tail}"
    return None


def _roman_value(written: str) -> int:
    values = [{"I": 1, "V": 5, "X": 10, "L": 50}[letter] for letter in written]
    return sum(
        -value if place + 1 < len(values) and value < values[place + 1] else value
        for place, value in enumerate(values)
    )


def _capitals(written: str, before: str, after: str) -> str:
    """A word in capitals: by letters, where it is no word and not all around it is in capitals, too."""
    core, ending = re.match(r"([A-Z&]+)('?s)?$", written).groups()  # type: ignore[union-attr]
    tail = "s" if ending else ""
    if "&" in core:
        return _possessive(" and ".join(_initials(part) for part in core.split("&")), tail)
    shouted = not re.search(r"[a-z]", before + after) and re.search(r"[A-Z]{2}", before + after)
    vowels = re.search(r"[AEIOUY]", core)
    if core in CAPITAL_WORDS or (vowels and (shouted or len(core) > 5)):
        return core.lower() + (("'" + tail) if tail else "")
    return _possessive(_initials(core), tail)


def _possessive(said: str, tail: str) -> str:
    return said + (f"'{tail}" if tail else "")


def _letters_or_word(piece: str) -> str:
    if piece.isupper() and piece.isascii() and (len(piece) < 4 and piece not in CAPITAL_WORDS):
        return _initials(piece)
    if len(piece) == 1 and piece.isascii():
        return LETTERS[piece.lower()]
    if piece.lower() in SMALL:
        return SMALL[piece.lower()]
    if not re.search(r"[aeiouy]", piece.lower()) and piece.isascii():
        return _initials(piece)
    return piece.lower()


def _coded(written: str, before: str, after: str) -> str:
    """Letters and digits in one: a product, a room, a road."""
    said: list[str] = []
    for piece in re.findall(r"[A-Za-z]+|\d+(?:\.\d+)?", written):
        said.append(number(piece) if piece[0].isdigit() else _letters_or_word(piece))
    return " ".join(said)


def _address(written: str, before: str, after: str) -> str:
    said: list[str] = []
    plain = re.sub(r"^https?://", "", written)
    for piece in re.findall(r"[A-Za-z]+|\d+|[^\W\d_]+|\S", plain):
        if piece.isdigit():
            said.append(whole(piece) if len(piece) < 5 else digits_of(piece))
        elif piece.isalpha():
            said.append(_letters_or_word(piece.lower()))
        else:
            said.append(SEPARATORS.get(piece, ""))
    return " ".join(part for part in said if part)


Reader = Callable[[str, str, str], str | None]
READERS: dict[str, Reader] = {
    "address": _address,
    "iso_date": _by_numbers,
    "us_date": _by_numbers,
    "month_first": _dated,
    "day_first": _dated,
    "month_year": _dated,
    "clock": _clock,
    "hour": _hour,
    "money": _money,
    "cents": lambda written, before, after: f"{whole(re.sub(chr(92) + 'D', '', written))} cents",
    "percent": lambda written, before, after: f"{number(written.rstrip('% '))} percent",
    "phone": _phone,
    "years": _years,
    "decade": _decade,
    "mixed": _mixed,
    "fraction": _fraction,
    "range": _range,
    "ordinal": lambda written, before, after: ordinal(written),
    "measure": _measure,
    "numbered": lambda written, before, after: "number " + whole(re.sub(r"\D", "", written)),
    "pages": lambda written, before, after: (
        ("pages " if written.startswith("pp") else "page ") + whole(re.sub(r"\D", "", written))
    ),
    "number": _counted,
    "saint": _saint,
    "title": lambda written, before, after: TITLES[written.rstrip(".")],
    "dotted": lambda written, before, after: DOTTED[written.rstrip(".")],
    "month": lambda written, before, after: SHORT_MONTHS[written.rstrip(".")],
    "small": lambda written, before, after: SMALL[written.rstrip(".").lower()],
    "initials": _initials,
    "initial": _initials,
    "roman": _roman,
    "capitals": _capitals,
    "coded": _coded,
    "degrees": lambda written, before, after: UNITS[written][1],
}
