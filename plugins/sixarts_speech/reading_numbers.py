"""Numbers in English words, the American way; ``num2words`` knows them, and what surrounds them is here."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Literal

#: Digits of a number that is read as one.
MOST_DIGITS = 15


@cache
def words(value: int, to: Literal["cardinal", "ordinal", "year"] = "cardinal") -> str:
    from num2words import num2words

    said = str(num2words(value, lang="en", to=to))
    return re.sub(r"[-,]| and\b", lambda sign: " " if sign.group() in "-," else "", said)


def whole(digits: str) -> str:
    """A whole number without a sign.

    >>> whole("1,024"), whole("007")
    ('one thousand twenty four', 'zero zero seven')
    """
    digits = digits.replace(",", "")
    try:
        digits = str(digits) if digits.isascii() else "".join(str(unicodedata.digit(sign)) for sign in digits)
    except ValueError:
        return ""
    if len(digits) > MOST_DIGITS or (digits[0] == "0" and len(digits) > 1):
        return digits_of(digits)
    return " ".join(words(int(digits)).split())


def digits_of(digits: str) -> str:
    names = {".": "point", "-": "minus", "+": "plus", "%": "percent"}
    said = [
        words(unicodedata.digit(sign)) if sign.isdigit() and unicodedata.digit(sign, None) is not None
        else names.get(sign, "") for sign in digits
    ]  # fmt: skip
    return " ".join(part for part in said if part)


def number(written: str) -> str:
    """Any number.

    >>> number("-3.14")
    'minus three point one four'
    """
    sign = {"-": "minus ", "+": "plus "}.get(written[0], "")
    before, _, behind = written.lstrip("+-").partition(".")
    said = whole(before) if before else "zero"
    return sign + said + (f" point {digits_of(behind)}" if behind else "")


def year(digits: str) -> str:
    """A year.

    >>> year("1985"), year("1905"), year("2005"), year("1900")
    ('nineteen eighty five', 'nineteen oh five', 'two thousand five', 'nineteen hundred')
    """
    return " ".join(words(int(digits), "year").split())


def ordinal(digits: str) -> str:
    return " ".join(words(int(re.sub(r"\D", "", digits)), "ordinal").split())
