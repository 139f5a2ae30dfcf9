"""Documents to the sentences that are translated, and what around them stays as it is.

Plain text keeps its lines, paragraphs and lists; Markdown its blocks, code, links and HTML; subtitles
(SubRip, WebVTT) their cues, times and tags.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from sixarts.files import lines
from sixarts_translation.segments import Part, parts, stripped

#: Suffix of a file to its format.
FORMATS = {".txt": "text", ".md": "markdown", ".markdown": "markdown", ".srt": "srt", ".vtt": "vtt"}

#: What is no text inside a line of Markdown (CommonMark 0.31, section 6): not translated, and not moved.
_INLINE = re.compile(
    r"(?P<code>`+)(?!`).+?(?<!`)(?P=code)(?!`)"  # code
    r"|!?\[(?=[^\]\[]*\]\()|\]\((?:<[^>]*>|[^()\s]|\([^()]*\))*(?:\s+(?:\"[^\"]*\"|'[^']*'))?\s*\)"  # links
    r"|!?\[(?=[^\]\[]*\]\[)|\]\[[^\]]*\]"  # links by reference
    r"|<(?:https?|mailto):[^>\s]*>|https?://[^\s)>\]]+|</?[A-Za-z][^>]*>|<!--.*?-->"  # addresses, HTML
    r"|\\(?=[!-/:-@\[-`{-~])|\[[ xX]\](?=\s)"
)
#: Marks of emphasis. A sentence is not cut at them: around a whole stretch of text they stay, inside one they
#: go, since nothing says which words of a translation they would belong to.
_EMPHASIS = re.compile(
    r"(?<!\\)(?:(?:\*{1,3}|~~)(?=\S)|(?<=\S)(?:\*{1,3}|~~)|(?<!\w)_{1,3}(?=\S)|(?<=\S)_{1,3}(?!\w))"
)
_EMPHATIC = re.compile(r"(\s*)(\*{1,3}|~~|_{1,3})(?=\S)(.*?\S)(\2)(\s*)", re.DOTALL)
#: Tags of subtitles: HTML's, WebVTT's (voices, classes, times), and SubStation's in braces.
_TAGS = re.compile(r"</?[A-Za-z][^>]*>|<[\d:.]+>|\{\\[^}]*\}|&(?:amp|lt|gt|nbsp|lrm|rlm);")
_TIMES = re.compile(r"\s*(?:\d+:)?\d{1,2}:\d{2}[,.]\d{1,3}\s+-->\s+(?:\d+:)?\d{1,2}:\d{2}[,.]\d{1,3}.*")
_NARROWEST = 40


def read_document(path: str | Path) -> tuple[str, dict[str, Any]]:
    """A document's text, and the options that say what it is.

    Raises:
        InputError: it cannot be read, or is not UTF-8 text.
    """
    text = "\n".join(lines(path))
    return text + "\n", {"format": FORMATS[Path(path).suffix.lower()]}


def parts_of(text: str, form: str, unit: str, language: str) -> list[Part]:
    """A document in parts whose texts, joined, are the document again (but for wrapped lines).

    Args:
        text: the whole document.
        form: one of the values of :data:`FORMATS`.
        unit: as :func:`sixarts_translation.segments.parts` takes it.
        language: ISO code of the text.
    """
    return list(_READERS[form](text, unit, language))


def _plain(text: str, unit: str, language: str) -> Iterable[Part]:
    return parts(unwrapped(text) if unit == "sentence" else text, unit, language)


def unwrapped(text: str) -> str:
    """The text with the lines of each hard-wrapped paragraph joined.

    A break is taken for a wrap where the next word would not have fitted into the paragraph's width.

    >>> unwrapped("Sixteen words that were wrapped at a width of\\nforty-five or so.\\n\\nRoses\\nViolets\\n")
    'Sixteen words that were wrapped at a width of forty-five or so.\\n\\nRoses\\nViolets\\n'
    """
    lines = text.splitlines(keepends=True)
    out: list[str] = []
    for blank, group in itertools.groupby(lines, lambda line: not line.strip()):
        block = list(group)
        width = max(len(line.rstrip()) for line in block)
        for line, after in itertools.pairwise([*block, ""]):
            word = re.match(r"[^\s\-*+•>|#\d]\S*", after)
            wraps = word and not blank and width >= _NARROWEST
            if wraps and word and len(line.rstrip()) + 1 + len(word.group()) > width:
                out.append(line.rstrip() + " ")
            else:
                out.append(line)
    return "".join(out)


def _markdown(text: str, unit: str, language: str) -> Iterator[Part]:
    """Blocks by markdown-it; only paragraphs, headings, list items and table cells hold text."""
    from markdown_it import MarkdownIt

    lines = text.splitlines(keepends=True)
    begin = 0
    matter = re.match(r"---\r?\n.*?^(?:---|\.\.\.)\s*$", text, re.DOTALL | re.MULTILINE)
    if matter:
        begin = matter.group().count("\n") + 1
        yield Part("".join(lines[:begin]), False)
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse("".join(lines[begin:]))
    place = begin
    for first, last in _text_lines(tokens):
        first, last = first + begin, last + begin
        if first < place:
            continue  # Cells of one row share its line.
        yield Part("".join(lines[place:first]), False)
        yield from _marked("".join(lines[first:last]), unit, language)
        place = last
    yield Part("".join(lines[place:]), False)


def _text_lines(tokens: Any) -> Iterator[tuple[int, int]]:
    """Ranges of lines that hold text, in order."""
    row = None
    for token in tokens:
        if token.type == "tr_open":
            row = token.map
        if token.type == "tr_close":
            row = None
        if token.type == "inline":
            yield tuple(token.map or row)


def _marked(text: str, unit: str, language: str) -> Iterator[Part]:
    """Lines of Markdown that hold text: what is no text is layout, and parts a sentence."""
    head = re.match(r"[ \t]*(?:(?:>|[-*+]|\d{1,9}[.)]|#{1,6})[ \t]+)*", text)
    start = head.end() if head else 0
    yield Part(text[:start], False)
    body = text[start:]
    # A line that only underlines a heading, or the rule of a table, is no text.
    for line in re.split(r"(^[ \t]*(?:=+|-+|[|:\- ]+)[ \t]*$)", unwrapped(body), flags=re.MULTILINE):
        cells = re.split(r"(\|)", line) if "|" in line else [line]
        for cell in cells:
            yield from _around(cell, _INLINE, lambda piece: _emphatic(piece, unit, language))


def _emphatic(text: str, unit: str, language: str) -> Iterator[Part]:
    """Text of Markdown without links and code, in sentences."""
    whole = _EMPHATIC.fullmatch(text)
    if whole and not _EMPHASIS.search(whole.group(3)):
        before, mark, body, _, after = whole.groups()
        yield Part(before + mark, False)
        yield from parts(body, unit, language)
        yield Part(mark + after, False)
    else:
        yield from parts(_EMPHASIS.sub("", text), unit, language)


def _around(text: str, marks: re.Pattern[str], cut: Callable[[str], Iterable[Part]]) -> Iterator[Part]:
    """Text between marks cut into parts, the marks themselves as layout."""
    end = 0
    for mark in marks.finditer(text):
        yield from cut(text[end : mark.start()])
        yield Part(mark.group(), False)
        end = mark.end()
    yield from cut(text[end:])


def _subtitles(text: str, unit: str, language: str) -> Iterator[Part]:
    """Cues: what stands between a line of times and a blank one is text, all else stays."""
    lines = text.splitlines(keepends=True)
    place = 0
    while place < len(lines):
        line = lines[place]
        yield Part(line, False)
        place += 1
        if not _TIMES.fullmatch(line.rstrip()):
            continue
        end = place
        while end < len(lines) and lines[end].strip():
            end += 1
        yield from _cue(lines[place:end])
        place = end


def _cue(lines: list[str]) -> Iterator[Part]:
    """One cue; speakers' lines (``- …``) stand alone, others are one text of as many lines."""
    for speech in _speeches(lines):
        text = "".join(speech)
        body = text.rstrip("\r\n")
        head = re.match(r"\s*-\s*", body) if len(lines) > 1 else None
        start = head.end() if head else 0
        yield Part(body[:start], False)
        count = len(speech)
        flat = re.sub(r"\s*\r?\n\s*", " ", body[start:])
        found = list(_around(flat, _TAGS, stripped))
        for part in found:
            # Only a text without tags inside has its lines back.
            alone = sum(other.translated for other in found) == 1
            yield Part(part.text, part.translated, count if part.translated and alone else 1)
        yield Part(text[len(body) :], False)


def _speeches(lines: list[str]) -> Iterator[list[str]]:
    speech: list[str] = []
    for line in lines:
        if speech and line.lstrip().startswith("-"):
            yield speech
            speech = []
        speech.append(line)
    if speech:
        yield speech


_READERS: dict[str, Callable[[str, str, str], Iterable[Part]]] = {
    "text": _plain,
    "markdown": _markdown,
    "srt": _subtitles,
    "vtt": _subtitles,
}
