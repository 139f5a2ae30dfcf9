"""Cutting a text into sentences loses nothing, and puts nothing together wrongly."""

from __future__ import annotations

import doctest
import warnings
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sixarts_translation import segments

pytestmark = pytest.mark.quick

LINES = st.lists(
    st.sampled_from(
        [
            "One.",
            "Two! ",
            "Mr. X ",
            "\n",
            "\r\n",
            "\r",
            "- ",
            "1. ",
            "> ",
            "\t",
            "。",
            "我有狗。",
            "a,b; c",
            " ",
            "\x85",
        ]
    )
    | st.text(max_size=6)
).map("".join)


@settings(deadline=None, derandomize=True, database=None)
@given(LINES, st.sampled_from(["sentence", "line", "none"]), st.sampled_from(["en", "zh", "xx", ""]))
def test_parts_joined_are_the_text(text: str, unit: str, language: str) -> None:
    found = segments.parts(text, unit, language)
    assert "".join(part.text for part in found) == text
    for part in found:
        if part.translated:
            assert part.text == part.text.strip() and any(map(str.isalnum, part.text))
    same = [part.text for part in found if part.translated]
    assert segments.joined(found, same, "en") == text


@settings(deadline=None, derandomize=True, database=None, max_examples=200)
@given(LINES, st.integers(4, 12), st.sampled_from([len, lambda text: len(text.encode())]))
def test_fitted_loses_nothing_and_fits(text: str, most: int, length: Any) -> None:
    found = segments.parts(text, "none")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cut = list(segments.fitted(found, length, most))
    assert "".join(part.text for part in cut) == text
    assert all(length(part.text) <= most for part in cut if part.translated)


def test_cuts_prefer_clauses_to_words_to_characters() -> None:
    def cut(text: str, most: int) -> list[str]:
        with pytest.warns(UserWarning):
            found = segments.fitted([segments.Part(text, True)], len, most)
            return [part.text for part in found if part.translated]

    assert cut("one two, three four", 12) == ["one two,", "three four"]
    assert cut("one two three four", 12) == ["one two", "three four"]
    assert cut("onetwothree", 4) == ["onet", "woth", "ree"]
    assert cut("a very long first clause, b, c", 12) == ["a very long", "first", "clause,", "b, c"]


def test_doctests() -> None:
    assert doctest.testmod(segments).attempted and not doctest.testmod(segments).failed
