"""A summary, and what of the document it rests on, drawn over the document itself."""

from __future__ import annotations

import html
import re
import textwrap
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sixarts.result import UNTOLD, Result

#: Columns of a line of the picture, and its most lines.
COLUMNS, LINES = 104, 60
#: Widths, in ems, of a character of the picture's font, and of one that is twice as wide in terminals.
NARROW, WIDE = 0.602, 1.0
#: Color of what a summary rests on.
MARK = (37, 99, 235)


@dataclass(frozen=True)
class Source(Result):
    """A sentence of the document that the summary rests on.

    Attributes:
        text: as it stands there, with single spaces.
        start, end: its characters in the document.
        strength: 0 to 1. Where sentences were picked, the model's probability for this one; where a summary
            was written, the largest share of one of its sentences' words and pairs that is in this one.
        sentences: the summary's sentences that rest on it, by number from 0.
    """

    text: str
    start: int
    end: int
    strength: float
    sentences: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.start}–{self.end} ({self.strength:.2f}): {self.text}"


@dataclass(frozen=True)
class Summary(Result):
    """A summary of a document.

    Attributes:
        text: the summary.
        sources: the document's sentences that it rests on, in their order.
        support: for each sentence of the summary the share of its content words and pairs of neighboring
            content words that stand in the sentences it rests on; see :mod:`sixarts_text.support`. 1 is
            word for word; it is a measure of words, not of truth.
        unsupported: numbers and capitalized names of the summary that the document has nowhere.
        score: where sentences were picked, the share of the model's probability that they have; where it was
            written, the log-probability that the search maximized, normalized by length. Higher is surer.
        sentences: the summary's sentences.
        cut: whether not even one sentence fitted the words allowed, so that the text is a beginning.
        sections: the characters of the parts in which a document was read that is longer than the model
            takes at once; empty where it was read whole.
        rounds: how often summaries were summarized again.
    """

    text: str
    sources: tuple[Source, ...] = field(default=(), repr=False)
    support: tuple[float, ...] = ()
    unsupported: tuple[str, ...] = ()
    score: float = 0.0
    sentences: tuple[str, ...] = field(default=(), repr=False)
    cut: bool = False
    sections: tuple[tuple[int, int], ...] = field(default=(), repr=False)
    rounds: int = 0
    document: str = field(default="", repr=False, compare=False, metadata=UNTOLD)

    def __str__(self) -> str:
        return self.text

    def plot(self) -> Any:
        """The document with what the summary rests on marked, the stronger the darker; then the summary.

        Of a long document the marked sentences are shown, with what stands around them.
        """
        from matplotlib.figure import Figure

        from sixarts.pictures import drawable, fonts_for

        rows = list(_rows(self))
        if len(rows) > LINES:
            rows = [*rows[: LINES - 1], [("⋯", 0.0)]]
        rows += [[], [("Summary", -1.0)], *([(line, 0.0)] for line in _wrapped(self._told()))]
        size = 8.5
        em, height = size / 72, 1.55 * size / 72
        figure = Figure(figsize=(0.4 + COLUMNS * NARROW * em, 0.4 + height * len(rows)))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, figure.get_figwidth()), ylim=(figure.get_figheight(), 0))
        axes.axis("off")
        shown = drawable("".join(text for text, _ in row) for row in rows)
        fonts = ["DejaVu Sans Mono", *(fonts_for(shown) or ["DejaVu Sans"])]
        for number, row in enumerate(rows):
            x, y = 0.2, 0.2 + height * (number + 0.5)
            for text, strength in row:
                width = em * sum(map(_ems, text))
                if strength > 0:
                    color = (*(part / 255 for part in MARK), 0.12 + 0.45 * min(strength, 1.0))
                    axes.axvspan(
                        x,
                        x + width,
                        1 - (y + height / 2) / figure.get_figheight(),
                        1 - (y - height / 2) / figure.get_figheight(),
                        facecolor=color,
                        linewidth=0,
                    )
                style = {"weight": "bold"} if strength < 0 else {}
                # Word by word: letters are drawn on whole pixels, which adds up over a line.
                for word in re.finditer(r"\S+", text):
                    at = x + em * sum(map(_ems, text[: word.start()]))
                    low = y + 0.25 * height
                    axes.text(at, low, _drawable(word.group()), size=size, family=fonts, **style)
                x += width
        return figure

    def _told(self) -> str:
        said = self.text
        if self.support and min(self.support) < 1:
            said += "\nSupport: " + ", ".join(f"{share:.2f}" for share in self.support)
        if self.unsupported:
            said += "\nNot in the document: " + ", ".join(self.unsupported)
        return said

    def to_html(self) -> str:
        """The summary over its document, in which what it rests on is marked."""
        at, out = 0, []
        for source in self.sources:
            if source.start < at:
                continue
            share = 0.15 + 0.5 * min(source.strength, 1.0)
            out.append(html.escape(self.document[at : source.start]))
            out.append(
                f"<mark title='{source.strength:.2f}' style='background:rgba(37,99,235,{share:.2f});"
                f"color:inherit'>{html.escape(self.document[source.start : source.end])}</mark>"
            )
            at = source.end
        whole = "".join([*out, html.escape(self.document[at:])]).replace("\n", "<br>")
        warned = (
            f"<p>Not in the document: {html.escape(', '.join(self.unsupported))}</p>"
            if self.unsupported
            else ""
        )
        return (
            f"<div style='max-width:48em;line-height:1.6'><p><b>{html.escape(self.text)}</b></p>{warned}"
            f"<p>{whole}</p></div>"
        )

    def _repr_html_(self) -> str:
        return self.to_html()


def _rows(summary: Summary) -> Iterator[list[tuple[str, float]]]:
    """The document's lines for a picture: runs of text, each with its strength."""
    strengths = [0.0] * len(summary.document)
    for source in summary.sources:
        for place in range(source.start, min(source.end, len(strengths))):
            strengths[place] = max(strengths[place], source.strength, 1e-3)
    lines, place, last = [], 0, ""
    for line in summary.document.split("\n"):
        at = place
        for piece in _wrapped(line):
            at = summary.document.index(piece, at) if piece else at
            lines.append((at, piece))
            at += len(piece)
        place += len(line) + 1
    marked = {n for n, (at, piece) in enumerate(lines) if any(strengths[at : at + len(piece)])}
    near = {n + step for n in marked for step in (-2, -1, 0, 1, 2)}
    for number, (at, piece) in enumerate(lines):
        if len(lines) > LINES and number not in near:
            if last != "⋯":
                yield [("⋯", 0.0)]
            last = "⋯"
            continue
        last, runs = "", []
        for letter, strength in zip(piece, strengths[at : at + len(piece)], strict=True):
            if runs and runs[-1][1] == strength:
                runs[-1] = (runs[-1][0] + letter, strength)
            else:
                runs.append((letter, strength))
        yield runs


def _wrapped(text: str) -> list[str]:
    """Lines of a picture, as they stand in the text."""
    found: list[str] = []
    for line in text.expandtabs(1).split("\n"):
        # A wide letter takes the room of almost two.
        width = max(8, COLUMNS * len(line) // max(1, sum(2 if _is_wide(letter) else 1 for letter in line)))
        found += textwrap.wrap(line, width, break_on_hyphens=False, replace_whitespace=False) or [""]
    return found


def _is_wide(letter: str) -> bool:
    return unicodedata.east_asian_width(letter) in "WF"


def _ems(letter: str) -> float:
    return WIDE if _is_wide(letter) else NARROW


def _drawable(text: str) -> str:
    from sixarts.pictures import drawable

    # A dollar sign would begin a formula.
    return drawable([text])[0].replace("$", r"\$")
