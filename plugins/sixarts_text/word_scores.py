"""Which words of a text made it of a class, drawn over the text itself and as bars."""

from __future__ import annotations

import html
import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sixarts.explanation import Explanation
from sixarts.readers.pieces import Stretch
from sixarts_text.ngrams import UNSPACED

#: Most words that bars are drawn for: those that count most.
BARS = 25
#: What stands for nothing that can be read: white space, and what tokenizers add.
REST = "␣"
_WORD = re.compile(rf"{UNSPACED}|(?:(?!{UNSPACED})\S)+")
#: For the class, and against it; told apart by people who see no red or green.
FOR, AGAINST = "#2563eb", "#dc2626"


@dataclass(frozen=True)
class WordScores(Explanation):
    """A value for each word of a text, positive where it speaks for the class.

    Attributes:
        texts: the text, or the two of a pair.
        spans: where each word stands, in the order of ``input_labels``.
    """

    texts: tuple[str, ...] = ()
    spans: tuple[Stretch, ...] = field(default=(), repr=False)

    def words(self) -> list[tuple[str, float]]:
        """Each word with its value, in the text's order."""
        return list(zip(self.input_labels, map(float, self.values[0]), strict=True))

    def __str__(self) -> str:
        order = np.argsort(-np.abs(self.values[0]), kind="stable")[:5]
        said = ", ".join(f"{self.input_labels[place]} {self.values[0, place]:+.2f}" for place in order)
        return f"{self.method}, {self.target}: {said}"

    def plot(self) -> Any:
        """A bar for each word, in the text's order; for a long text, for the words that count most."""
        from matplotlib.figure import Figure

        from sixarts.pictures import drawable, fonts_for

        values = self.values[0]
        chosen = sorted(np.argsort(-np.abs(values), kind="stable")[:BARS].tolist())
        names = drawable(self.input_labels[place] for place in chosen)
        figure = Figure(figsize=(6, 1.1 + 0.27 * len(chosen)), layout="constrained")
        axes = figure.add_subplot()
        shown = values[chosen]
        axes.barh(range(len(chosen)), shown, color=[FOR if value >= 0 else AGAINST for value in shown])
        axes.set_yticks(range(len(chosen)), names, family=fonts_for(names) or ["DejaVu Sans"])
        axes.axvline(0, color="0.4", linewidth=0.8)
        axes.invert_yaxis()
        more = len(values) - len(chosen)
        axes.set(
            xlabel=self.unit,
            title=f"{drawable([self.target])[0]}: {self.method.replace('_', ' ')}"
            + (f" ({more} words that count less are left out)" if more else ""),
        )
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(axis="y", length=0)
        return figure

    def to_html(self) -> str:
        """The text, each word colored by its value, which it tells when it is pointed at."""
        high = float(np.abs(self.values).max()) or 1.0
        parts = "".join(f"<p>{self._colored(which, high)}</p>" for which in range(len(self.texts)))
        rest = "".join(f" {REST} {value:+.3g}" for word, value in self.words() if word == REST)
        caption = html.escape(f"{self.target}: {self.method.replace('_', ' ')}, {self.unit}{rest}")
        return (
            "<div class='sixarts-explanation' style='line-height:1.9;max-width:48em'>"
            f"{parts}<p style='font-size:12px;opacity:.7'>{caption}</p></div>"
        )

    def _colored(self, which: int, high: float) -> str:
        text, at, out = self.texts[which], 0, []
        for (of, start, end), (word, value) in zip(self.spans, self.words(), strict=False):
            if of != which:
                continue
            share = abs(value) / high
            color = "37,99,235" if value >= 0 else "220,38,38"
            ink = ";color:#fff" if share > 0.55 else ""
            out.append(html.escape(text[at:start]))
            out.append(
                f"<span title='{value:+.4f}' style='background:rgba({color},{share:.2f}){ink};"
                f"padding:2px 1px;border-radius:3px'>{html.escape(word)}</span>"
            )
            at = end
        return "".join([*out, html.escape(text[at:])]).replace("\n", "<br>")


class Spread:
    """Where the words of texts stand, and which of them a column's value goes to.

    Args:
        texts: the text, or the two of a pair.
        places: for each column its occurrences, each with the stretches that it stands for.
    """

    def __init__(self, texts: Sequence[str], places: Sequence[Sequence[Sequence[Stretch]]]) -> None:
        self.texts = tuple(texts)
        self.spans: list[Stretch] = [
            (which, *match.span()) for which, text in enumerate(texts) for match in _WORD.finditer(text)
        ]
        # Words of each occurrence of each column; -1 for what is of no word.
        self.of = [[[self._word(stretch) for stretch in one] for one in column] for column in places]

    @property
    def labels(self) -> list[str]:
        return [self.texts[which][start:end] for which, start, end in self.spans]

    def _word(self, stretch: Stretch) -> int:
        """The word that holds the stretch's last character, or else the one that it begins in."""
        which, start, end = stretch
        for character in (end - 1, start):
            place = bisect_right(self.spans, (which, character, 2**62)) - 1
            if place >= 0 and self.spans[place][0] == which and character < self.spans[place][2]:
                return place
        return -1

    def over_words(self, values: np.ndarray) -> tuple[np.ndarray, float]:
        """Columns' values added up over words, and what is of none; an n-gram's is shared by its words.

        >>> spread = Spread(["not good"], [[[(0, 0, 3), (0, 4, 8)]], [[(0, 4, 8)]], []])
        >>> found, rest = spread.over_words(np.ones(3))
        >>> found.tolist(), rest
        ([0.5, 1.5], 1.0)
        """
        found, rest = np.zeros(len(self.spans)), 0.0
        for column, value in enumerate(values):
            occurrences = self.of[column] if column < len(self.of) else []
            if not occurrences:
                rest += float(value)
            for words in occurrences:
                for word in words:
                    part = float(value) / len(occurrences) / len(words)
                    if word < 0:
                        rest += part
                    else:
                        found[word] += part
        return found, rest

    def columns_of(self, word: int) -> list[int]:
        """The columns that are gone when a word is: each of their occurrences has it."""
        return [
            column
            for column, occurrences in enumerate(self.of)
            if occurrences and all(word in words for words in occurrences)
        ]
