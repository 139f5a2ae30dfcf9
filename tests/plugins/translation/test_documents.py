"""Documents: what is text is translated, and everything else stays where it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sixarts.errors import InputError
from sixarts_translation.documents import FORMATS, parts_of, read_document, unwrapped
from sixarts_translation.segments import joined

pytestmark = pytest.mark.quick

MARKDOWN = """---
title: Not text
---
# A heading

A paragraph with `code`, a [link](https://example.org/a_(b) "title") and <b>HTML</b>. See ![a picture](p.png).
It goes on at https://example.org/path?q=1, as said.

- one
  - [x] *two*
1. three

> Quoted words.

```python
print("not text")
```

    not text either

| Name | Value |
|------|:-----:|
| left | `x` |

Under
=====

<div>
not text
</div>
"""
SRT = """1
00:00:01,000 --> 00:00:04,000
<i>Hello there,
my friend.</i>

2
00:00:05,000 --> 00:00:06,500
- Who is there?
- Nobody.

3
00:00:07,000 --> 00:00:09,000
{\\an8}Look up!
"""
VTT = """WEBVTT - a film

NOTE
not text

STYLE
::cue { color: red }

intro
00:01.000 --> 00:04.000 align:start position:10%
<v Bob>Hello there.

00:05.000 --> 00:06.000
Bye <00:05.500>now.
"""


def texts(text: str, form: str) -> list[str]:
    return [part.text for part in parts_of(text, form, "sentence", "en") if part.translated]


def shouted(text: str, form: str, language: str = "de") -> str:
    found = parts_of(text, form, "sentence", "en")
    return joined(found, [part.text.upper() for part in found if part.translated], language)


def test_markdown_keeps_all_but_text() -> None:
    assert texts(MARKDOWN, "markdown") == [
        "A heading",
        "A paragraph with",
        ", a",
        "link",
        "and",
        "HTML",
        "See",
        "a picture",
        "It goes on at",
        "as said.",
        "one",
        "two",
        "three",
        "Quoted words.",
        "Name",
        "Value",
        "left",
        "Under",
    ]
    changed = shouted(MARKDOWN, "markdown")
    assert changed.casefold() == MARKDOWN.casefold().replace("(p.png).\n", "(p.png). ")
    for kept in (
        "title: Not text",
        "`code`",
        '(https://example.org/a_(b) "title")',
        "not text",
        "|:-----:|",
        "*TWO*",
    ):
        assert kept in changed


def test_emphasis_inside_a_sentence_does_not_cut_it() -> None:
    assert texts("I have a *very* big __dog__.", "markdown") == ["I have a very big dog."]
    assert shouted("**Whole stretch.**", "markdown") == "**WHOLE STRETCH.**"
    assert texts("2 * 3 is snake_case_name \\*here\\*.", "markdown")[0].startswith("2 * 3 is snake_case_name")


def test_subtitles_keep_cues_and_lines() -> None:
    assert texts(SRT, "srt") == ["Hello there, my friend.", "Who is there?", "Nobody.", "Look up!"]
    assert shouted(SRT, "srt") == SRT.replace("Hello there", "HELLO THERE").replace(
        "my friend", "MY FRIEND"
    ).replace("Who is there", "WHO IS THERE").replace("Nobody", "NOBODY").replace("Look up", "LOOK UP")
    found = parts_of(SRT, "srt", "sentence", "en")
    assert "<i>你好，我的\n朋友。好吗</i>" in joined(
        found, ["你好，我的朋友。好吗", "谁？", "没人。", "看！"], "zh"
    )


def test_webvtt_keeps_notes_styles_and_settings() -> None:
    assert texts(VTT, "vtt") == ["Hello there.", "Bye", "now."]
    changed = shouted(VTT, "vtt")
    assert changed.casefold() == VTT.casefold()
    assert "<v Bob>HELLO THERE." in changed and "::cue { color: red }" in changed


@given(
    st.text(alphabet="ab *_`[]()<>#-|\n\\!.1&:~>{}", max_size=80),
    st.sampled_from(sorted(set(FORMATS.values()))),
)
def test_no_document_is_refused_or_loses_layout(text: str, form: str) -> None:
    """Put together untranslated, a document is what it was, but for wrapped lines and emphasis."""
    found = parts_of(text, form, "sentence", "en")
    whole = "".join(part.text for part in found)
    light = str.maketrans("", "", " \n*_~")
    assert whole.translate(light) == text.translate(light)
    if form == "text":
        assert whole == unwrapped(text)


def test_only_hard_wrapped_lines_are_joined() -> None:
    wrapped = (
        "It was the best of times, it was the worst of\ntimes, it was the age of wisdom, it was the\n"
        "age of foolishness.\n\nThe next paragraph.\n"
    )
    assert unwrapped(wrapped).splitlines() == [
        "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of "
        "foolishness.",
        "",
        "The next paragraph.",
    ]
    poem = (
        "Roses are red,\nViolets are blue,\nSugar is sweet,\nAnd so are you, my very dear and only friend.\n"
    )
    assert unwrapped(poem) == poem


def test_a_file_says_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "film.SRT"
    path.write_bytes(b"\xef\xbb\xbf" + SRT.replace("\n", "\r\n").encode())
    text, options = read_document(path)
    assert (text, options) == (SRT, {"format": "srt"})
    (tmp_path / "bad.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"bad\.txt"):
        read_document(tmp_path / "bad.txt")
