"""Texts as they are read aloud: a table of what people write, and what holds of any text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sixarts_speech.reading import LONGEST, MARKS, normalize, sentences, tokens

pytestmark = pytest.mark.quick

#: What is written to what is said.
READ = {
    # Whole numbers.
    "0": "zero",
    "7 men": "seven men",
    "21": "twenty one",
    "100": "one hundred",
    "1,024": "one thousand twenty four",
    "12345": "twelve thousand three hundred forty five",
    "1,234,567": "one million two hundred thirty four thousand five hundred sixty seven",
    "007": "zero zero seven",
    "-5": "minus five",
    "3 - 5": "three, five",
    "1234567890123456": "one two three four five six seven eight nine zero one two three four five six",
    # Decimals.
    "3.14": "three point one four",
    "0.5": "zero point five",
    ".5": "zero point five",
    "-2.05": "minus two point zero five",
    "1,000.5": "one thousand point five",
    # Ordinals.
    "1st": "first",
    "2nd and 3rd": "second and third",
    "21st": "twenty first",
    "112th": "one hundred twelfth",
    # Years.
    "in 1066": "in one thousand sixty six",
    "in 1985": "in nineteen eighty five",
    "in 1905": "in nineteen oh five",
    "in 1900": "in nineteen hundred",
    "in 2000": "in two thousand",
    "in 2005": "in two thousand five",
    "in 2024": "in twenty twenty four",
    "1914-1918": "nineteen fourteen to nineteen eighteen",
    "1939–45": "nineteen thirty nine to forty five",
    "the 1990s": "the nineteen nineties",
    "the '60s": "the sixties",
    "2010s": "twenty tens",
    "1800s": "eighteen hundreds",
    # Dates.
    "March 5": "march fifth",
    "March 5, 2024": "march fifth twenty twenty four",
    "March 5th, 2024,": "march fifth twenty twenty four,",
    "5 March 2024": "march fifth twenty twenty four",
    "the 4th of July": "the july fourth",
    "Jan. 3, 1999": "january third nineteen ninety nine",
    "May 2020": "may twenty twenty",
    "2024-03-05": "march fifth twenty twenty four",
    "12/25/1999": "december twenty fifth nineteen ninety nine",
    "9/11/01": "september eleventh two thousand one",
    "in Sept. last year": "in september last year",
    # Times.
    "3:45": "three forty five",
    "3:05 pm": "three oh five pee em",
    "12:00": "twelve o'clock",
    "9:00 a.m.": "nine ay em.",
    "15:30": "fifteen thirty",
    "20:00": "twenty hundred",
    "7 p.m. sharp": "seven pee em sharp",
    "9 AM": "nine ay em",
    "1:02:03": "one oh two and three seconds",
    # Money.
    "$1": "one dollar",
    "$3.50": "three dollars and fifty cents",
    "$1.01": "one dollar and one cent",
    "$0.99": "ninety nine cents",
    "$1,200": "one thousand two hundred dollars",
    "$5 million": "five million dollars",
    "$2.5 billion": "two point five billion dollars",
    "$5M": "five million dollars",
    "$10k": "ten thousand dollars",
    "US$20": "twenty dollars",
    "£2": "two pounds",
    "£1.01": "one pound and one penny",
    "€9.99": "nine euros and ninety nine cents",
    "¥500": "five hundred yen",
    "5¢": "five cents",
    # Percentages, units, temperatures.
    "50%": "fifty percent",
    "12.5 %": "twelve point five percent",
    "-3%": "minus three percent",
    "10 km": "ten kilometers",
    "1 km": "one kilometer",
    "5kg": "five kilograms",
    "60 mph": "sixty miles per hour",
    "6 ft": "six feet",
    "2.5 hrs": "two point five hours",
    "-5 °C": "minus five degrees celsius",
    "72°F": "seventy two degrees fahrenheit",
    "90°": "ninety degrees",
    "16 GB": "sixteen gigabytes",
    "3 in the morning": "three in the morning",
    "5 m": "five meters",
    "100 m/s": "one hundred meters per second",
    # Fractions and ranges.
    "1/2": "one half",
    "3/4": "three quarters",
    "2/3": "two thirds",
    "2 1/2": "two and a half",
    "1½": "one and a half",
    "¾": "three quarters",
    "10-20": "ten to twenty",
    "5–6": "five to six",
    "1.5-2.5": "one point five to two point five",
    # Telephone, page and other numbers.
    "(555) 123-4567": "five five five one two three four five six seven",
    "555-123-4567": "five five five one two three four five six seven",
    "555-1234": "five five five one two three four",
    "No. 5": "number five",
    "#7": "number seven",
    "p. 12": "page twelve",
    "pp. 12": "pages twelve",
    # Titles and abbreviations.
    "Dr. Smith": "doctor smith",
    "Mr. and Mrs. Jones": "mister and missus jones",
    "Prof. Lee": "professor lee",
    "Gen. Grant": "general grant",
    "Smith Jr.": "smith junior.",
    "12 Main St.": "twelve main street.",
    "St. Paul": "saint paul",
    "In St. Louis": "in saint louis",
    "Fifth Ave. is long": "fifth avenue is long",
    "Acme Inc. grew": "acme incorporated grew",
    "Mt. Everest": "mount everest",
    "etc.": "et cetera.",
    "cats vs. dogs": "cats versus dogs",
    "e.g. this": "for example this",
    "i.e. that": "that is that",
    "w/o salt": "without salt",
    # Capitals.
    "NASA": "nasa",
    "the FBI": "the eff bee eye",
    "U.S.A.": "you ess ay.",
    "the U.S. army": "the you ess army",
    "CDs": "see dee's",
    "AT&T's": "ay tee and tee's",
    "J. R. R. Tolkien": "jay ar ar tolkien",
    "I am OK": "i am oh kay",
    "STOP THE CAR": "stop the car",
    "it is NOT so": "it is not so",
    # Letters with digits.
    "MP3": "em pee three",
    "B2B": "bee two bee",
    "F-16": "eff sixteen",
    "COVID-19": "covid nineteen",
    "3D": "three dee",
    "CO2": "see oh two",
    # Roman numerals.
    "Henry VIII": "henry the eighth",
    "Louis XIV's": "louis the fourteenth's",
    "World War II": "world war two",
    "Chapter IV": "chapter four",
    "Part I": "part one",
    "I saw": "i saw",
    # Addresses.
    "www.example.com": "double you double you double you dot example dot com",
    "https://example.org/a-b": "example dot org slash ay dash bee",
    "me@site.org": "me at site dot org",
    "go to example.com.": "go to example dot com.",
    # Signs and marks.
    "you & me": "you and me",
    "1 + 1 = 2": "one plus one equals two",
    "well-known": "well known",
    "and/or": "and or",
    "“Stop!” he said": "stop! he said",
    "wait... what?!": "wait. what?",
    "one — two": "one, two",
    "(yes)": "yes",
    "it’s o’clock": "it's o'clock",
    "hello 🎉 world": "hello world",
    "a, b; c: d. e? f!": "a, b; c: d. e? f!",
    "café naïve": "café naïve",
    "": "",
    "🎉": "",
}


@pytest.mark.parametrize("written", READ)
def test_read_as_people_read(written: str) -> None:
    assert normalize(written) == READ[written]


@pytest.mark.parametrize("written", READ)
def test_what_was_read_is_read_as_it_stands(written: str) -> None:
    assert normalize(READ[written]) == READ[written]


alphabet = st.sampled_from(
    [*"abcXYZIVM019.,;:-–/'\"()$€%°&@# \n½é²٣字🎉", "Dr.", "St. ", "1st", "p.m.", "3:45", "2020", "km", "etc"]
)


@settings(derandomize=True, database=None, deadline=None, max_examples=300)
@given(st.lists(alphabet, max_size=14).map("".join) | st.text(max_size=30))
def test_any_text_is_read_and_what_was_read_stays(written: str) -> None:
    once = normalize(written)
    assert normalize(once) == once
    assert not any(letter.isascii() and not (letter.isalpha() or letter in f"{MARKS}' ") for letter in once)


def test_tokens_keep_what_is_written() -> None:
    found = tokens('"Dr. Who" paid $3.50, then left.', "en")
    assert [token.written for token in found] == ["Dr.", "Who", "paid", "$3.50", "then", "left"]
    assert [token.mark for token in found] == ["", "", "", ",", "", "."]
    assert found[3].spoken == ("three", "dollars", "and", "fifty", "cents")


@pytest.mark.parametrize(
    ("language", "written", "said"),
    [
        ("fr", "J'ai 25 chiens.", "J'ai vingt cinq chiens."),
        ("de", "21 Hunde", "einundzwanzig Hunde"),
        ("es", "3,5", "tres punto cinco"),
        ("xx", "21 things", "21 things"),
    ],
)
def test_other_languages_read_their_numbers(language: str, written: str, said: str) -> None:
    assert normalize(written, language) == said


def test_sentences_are_cut_as_they_are_asked_for() -> None:
    text = "Dr. Smith came. He left! Why?\n\nA new paragraph"
    assert list(sentences(text, "en")) == ["Dr. Smith came.", "He left!", "Why?", "A new paragraph"]
    long = "word, " * 300
    found = list(sentences(long, "en"))
    assert all(len(part) <= LONGEST for part in found) and " ".join(found).split() == long.split()
    assert [len(part) for part in sentences("x" * 1000, "en")] == [400, 400, 200]
