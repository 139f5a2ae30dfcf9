"""What was said, with times: a transcript, its words and segments, as subtitles and as a picture."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sixarts.errors import InputError
from sixarts.result import UNTOLD, Result

#: Seconds of silence that end a segment, and the most seconds and characters of one, as subtitles have them.
PAUSE, LONGEST, WIDEST = 0.8, 7.0, 84
#: Seconds that a picture shows in one row, and its most rows.
ROW, ROWS = 12.0, 10


@dataclass(frozen=True)
class Word(Result):
    """A word as it was said.

    Attributes:
        text: the word.
        start, end: seconds from the sound's start.
        confidence: the model's probability for it, 0 to 1.
    """

    text: str
    start: float
    end: float
    confidence: float = 1.0

    def __str__(self) -> str:
        return f"{self.start:.2f}–{self.end:.2f} {self.text} ({self.confidence:.2f})"


@dataclass(frozen=True)
class Segment(Result):
    """Words that were said together, as a subtitle shows them.

    Attributes:
        text: the words.
        start, end: seconds from the sound's start.
        confidence: mean over the words.
    """

    text: str
    start: float
    end: float
    confidence: float = 1.0

    def __str__(self) -> str:
        return f"{self.start:.2f}–{self.end:.2f} {self.text}"


@dataclass(frozen=True)
class Picture:
    """A spectrogram for plots.

    Attributes:
        levels: ``[t, bands]``, ``uint8``, louder is larger.
        step: seconds from one row to the next.
        highest: frequency of the last band in Hz.
    """

    levels: np.ndarray
    step: float
    highest: float


@dataclass(frozen=True)
class Transcript(Result):
    """What was said in a sound.

    Attributes:
        text: all of it.
        segments: its parts, with times.
        words: each word, with times and confidence; empty where the model was not asked for them.
        language: ISO code, where it is known.
        duration: seconds of the sound.
        picture: a spectrogram, for :meth:`plot`.
    """

    text: str
    segments: tuple[Segment, ...] = ()
    words: tuple[Word, ...] = field(default=(), repr=False)
    language: str | None = None
    duration: float = 0.0
    picture: Picture | None = field(default=None, repr=False, compare=False, metadata=UNTOLD)

    def __str__(self) -> str:
        return self.text

    def to_srt(self) -> str:
        """SubRip subtitles, a segment each.

        >>> print(Transcript("one two", (Segment("one two", 0.5, 1.25),)).to_srt())
        1
        00:00:00,500 --> 00:00:01,250
        one two
        <BLANKLINE>
        """
        return "\n".join(
            f"{number}\n{clock(part.start, ',')} --> {clock(part.end, ',')}\n{part.text}\n"
            for number, part in enumerate(self.segments, 1)
        )

    def to_vtt(self) -> str:
        """WebVTT captions, a segment each.

        >>> print(Transcript("a <b>", (Segment("a <b>", 0.5, 3601.25),)).to_vtt())
        WEBVTT
        <BLANKLINE>
        00:00:00.500 --> 01:00:01.250
        a &lt;b&gt;
        <BLANKLINE>
        """
        return "WEBVTT\n\n" + "\n".join(
            f"{clock(part.start, '.')} --> {clock(part.end, '.')}\n{_escaped(part.text)}\n"
            for part in self.segments
        )

    def to_json(self) -> str:
        """Everything but the picture, as JSON."""
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=2) + "\n"

    def save(self, path: str | Path) -> None:
        """Writes ``.srt``, ``.vtt``, ``.txt`` or ``.json``.

        Raises:
            InputError: another suffix.
        """
        form = FORMS.get(Path(path).suffix.lower())
        if form is None:
            raise InputError(f"{str(path)!r}; expected a name that ends in one of {', '.join(FORMS)}")
        Path(path).write_text(form(self), encoding="utf-8")

    def plot(self) -> Any:
        """The words over the sound's spectrogram, twelve seconds a row; the surer, the darker."""
        from matplotlib.figure import Figure

        from sixarts.pictures import drawable, fonts_for

        shown: Sequence[Word | Segment] = self.words or self.segments
        length = max(self.duration, 0.1)
        rows = min(ROWS, max(1, int(np.ceil(length / ROW))))
        wide = min(length, ROW)
        figure = Figure(figsize=(max(4.5, 0.8 * wide + 1.2), 2.1 * rows + 0.4), layout="constrained")
        names = drawable([entry.text for entry in shown])
        fonts = fonts_for(names) or ["DejaVu Sans"]
        for row in range(rows):
            axes = figure.add_subplot(rows, 1, row + 1)
            low = row * ROW
            self._draw_sound(axes, low, low + wide)
            for entry, name in zip(shown, names, strict=True):
                if entry.end <= low or entry.start >= low + wide:
                    continue
                sure = 0.35 + 0.6 * entry.confidence
                axes.axvspan(entry.start, entry.end, ymin=1.02, ymax=1.22, clip_on=False, alpha=sure,
                             facecolor="#bfdbfe", edgecolor="#2563eb")  # fmt: skip
                middle = (max(entry.start, low) + min(entry.end, low + wide)) / 2
                # A dollar sign would begin a formula.
                axes.text(middle, 1.12, name.replace("$", r"\$"), transform=axes.get_xaxis_transform(),
                          ha="center", va="center", fontsize=8, family=fonts)  # fmt: skip
            axes.set_xlim(low, low + wide)
            axes.spines[["top", "right"]].set_visible(False)
        axes.set_xlabel("seconds" if length <= ROW * ROWS else f"seconds, of {length:.0f}")
        return figure

    def _draw_sound(self, axes: Any, low: float, high: float) -> None:
        if self.picture is None:
            axes.set_yticks([])
            return
        draw_levels(axes, self.picture, low, high)


def draw_levels(axes: Any, picture: Picture, low: float, high: float) -> None:
    """A spectrogram from ``low`` to ``high`` seconds, with frequencies on the mel scale."""
    first, last = (int(time / picture.step) for time in (low, high))
    levels = picture.levels[first : last + 1]
    if len(levels):
        extent = (first * picture.step, (first + len(levels)) * picture.step, 0, levels.shape[1])
        axes.imshow(levels.T, origin="lower", aspect="auto", cmap="Greys", extent=extent, vmin=0, vmax=255)
    mels = np.array([250.0, 1000.0, 2000.0, picture.highest])
    places = mel(mels) / mel(picture.highest) * (picture.levels.shape[1] or 1)
    axes.set_yticks(places, [f"{value / 1000:g}" for value in mels], fontsize=7)
    axes.set_ylabel("kHz", fontsize=8)


def mel(hertz: Any) -> Any:
    """Frequency on the mel scale (HTK's formula)."""
    return 2595.0 * np.log10(1.0 + np.asarray(hertz) / 700.0)


#: Suffix to what is written there.
FORMS: dict[str, Callable[[Transcript], str]] = {
    ".srt": Transcript.to_srt,
    ".vtt": Transcript.to_vtt,
    ".txt": lambda transcript: transcript.text + "\n",
    ".json": Transcript.to_json,
}


def clock(seconds: float, point: str) -> str:
    """A time as subtitles state it.

    >>> clock(3725.0405, ",")
    '01:02:05,040'
    """
    thousandths = round(seconds * 1000)
    hours, rest = divmod(thousandths, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    whole, part = divmod(rest, 1000)
    return f"{hours:02}:{minutes:02}:{whole:02}{point}{part:03}"


def segments_of(words: Sequence[Word], joint: str = " ") -> tuple[Segment, ...]:
    """Words in parts that fit a subtitle: cut at pauses, and where one would be too long.

    Args:
        words: in order.
        joint: what stands between words; nothing in scripts without spaces.

    >>> segments_of([Word("a", 0, 1), Word("b", 1.1, 2), Word("c", 5, 6)])[0].text
    'a b'
    """
    found: list[list[Word]] = []
    for word in words:
        group = found[-1] if found else []
        long = bool(group) and (
            word.end - group[0].start > LONGEST
            or sum(len(each.text) + len(joint) for each in group) + len(word.text) > WIDEST
        )
        if not group or long or word.start - group[-1].end > PAUSE:
            found.append([word])
        else:
            group.append(word)
    return tuple(
        Segment(
            joint.join(word.text for word in group),
            group[0].start,
            group[-1].end,
            float(np.mean([word.confidence for word in group])),
        )
        for group in found
    )


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
