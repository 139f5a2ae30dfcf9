"""What a voice says: the sound, and when each word of it is spoken."""

from __future__ import annotations

import base64
import html
import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sixarts.errors import InputError
from sixarts.result import UNTOLD, Result

#: Suffix to the format and the encoding that libsndfile calls so.
FORMATS = {".wav": ("WAV", "PCM_16"), ".flac": ("FLAC", "PCM_16"), ".ogg": ("OGG", "VORBIS")}
#: Seconds that a picture shows in one row, and its most rows.
ROW, ROWS = 8.0, 8
#: Samples that are encoded at a time: an encoder's frames lie on the stack.
BLOCK = 1 << 16


@dataclass(frozen=True)
class Mark(Result):
    """When a word is spoken.

    Attributes:
        word: as it stands in the text.
        start, end: seconds from the sound's start.
    """

    word: str
    start: float
    end: float

    def __str__(self) -> str:
        return f"{self.start:.2f}–{self.end:.2f} {self.word}"


@dataclass(frozen=True, eq=False)
class Speech(Result):
    """What was spoken.

    Attributes:
        waveform: samples from -1 to 1, ``[n]``, float32.
        rate: samples a second.
        marks: when each word is spoken; empty where a voice does not tell its symbols' words.
        text: what was to be said.
        fresh: samples at the end that the partial result before had not, for who plays as it comes.
    """

    waveform: np.ndarray = field(repr=False)
    rate: int
    marks: tuple[Mark, ...] = field(default=(), repr=False)
    text: str = ""
    fresh: int = field(default=0, repr=False, metadata=UNTOLD)

    @property
    def duration(self) -> float:
        """Seconds."""
        return len(self.waveform) / self.rate

    @property
    def latest(self) -> np.ndarray:
        """The samples that came with this result of ``live``: its last sentence, and the pause before it."""
        return self.waveform[len(self.waveform) - self.fresh :] if self.fresh else self.waveform

    def to_dict(self) -> dict[str, Any]:
        """Every field as plain values; samples to the sixth digit, which is a tenth of what 16 bits tell."""
        told = {**super().to_dict(), "waveform": []}
        told["waveform"] = np.round(self.waveform.astype("float64"), 6).tolist()
        return told

    def __str__(self) -> str:
        text = self.text if len(self.text) <= 80 else self.text[:79] + "…"
        return f"{self.duration:.2f} s at {self.rate} Hz: {text}"

    def save(self, path: str | Path) -> None:
        """Writes ``.wav``, ``.flac`` or ``.ogg``, or the words' times as ``.json``.

        Raises:
            InputError: another suffix.
        """
        suffix = Path(path).suffix.lower()
        if suffix == ".json":
            told = {
                "text": self.text,
                "rate": self.rate,
                "duration": self.duration,
                "marks": [mark.to_dict() for mark in self.marks],
            }
            Path(path).write_text(json.dumps(told, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
            return
        if suffix not in FORMATS:
            raise InputError(
                f"{str(path)!r}; expected a name that ends in one of {', '.join((*FORMATS, '.json'))}"
            )
        Path(path).write_bytes(self.encoded(suffix))

    def encoded(self, suffix: str = ".wav") -> bytes:
        """The sound as the content of a file.

        Args:
            suffix: one of :data:`FORMATS`.
        """
        import soundfile

        kind, encoding = FORMATS[suffix]
        out = io.BytesIO()
        with soundfile.SoundFile(out, "w", self.rate, 1, encoding, format=kind) as file:
            for at in range(0, len(self.waveform), BLOCK):
                file.write(np.clip(self.waveform[at : at + BLOCK], -1.0, 1.0))
        return out.getvalue()

    def plot(self) -> Any:
        """The waveform, and below it the spectrogram with the words where they are spoken."""
        from matplotlib.figure import Figure

        from sixarts.media.log_mel import picture_of
        from sixarts.media.transcript import draw_levels
        from sixarts.pictures import drawable, fonts_for

        length = max(self.duration, 0.1)
        wide, rows = min(length, ROW), min(ROWS, max(1, int(np.ceil(length / ROW))))
        figure = Figure(figsize=(max(4.5, 1.2 * wide + 1.2), 2.9 * rows + 0.3), layout="constrained")
        names = drawable([mark.word for mark in self.marks])
        fonts = fonts_for(names) or ["DejaVu Sans"]
        picture = picture_of(self.waveform[: int(ROW * ROWS * self.rate)], self.rate)
        axes = figure.subplots(2 * rows, 1, height_ratios=[1, 1.8] * rows, squeeze=False)[:, 0]
        high = float(np.abs(self.waveform).max(initial=1e-3))
        for row in range(rows):
            above, below = axes[2 * row], axes[2 * row + 1]
            low = row * ROW
            part = self.waveform[int(low * self.rate) : int((low + wide) * self.rate)]
            _draw_wave(above, part, self.rate, low)
            above.set(xlim=(low, low + wide), ylim=(-high, high), yticks=[], xticks=[])
            above.spines[:].set_visible(False)
            draw_levels(below, picture, low, low + wide)
            for mark, name in zip(self.marks, names, strict=True):
                if low <= (mark.start + mark.end) / 2 < low + wide:
                    below.axvline(mark.start, color="#2563eb", linewidth=0.5)
                    # A dollar sign would begin a formula.
                    below.text((mark.start + mark.end) / 2, 1.06, name.replace("$", r"\$"), ha="center",
                               va="center", transform=below.get_xaxis_transform(), fontsize=8,
                               family=fonts)  # fmt: skip
            below.set_xlim(low, low + wide)
            below.spines[["top", "right"]].set_visible(False)
        axes[-1].set_xlabel("seconds" if length <= ROW * ROWS else f"seconds, of {length:.0f}")
        return figure

    def _repr_html_(self) -> str:
        content = base64.b64encode(self.encoded(".flac")).decode()
        return (
            f"<figure><audio controls src='data:audio/flac;base64,{content}'></audio>"
            f"<figcaption>{html.escape(self.text)}</figcaption></figure>"
        )


def _draw_wave(axes: Any, part: np.ndarray, rate: int, start: float) -> None:
    """The highest and lowest sample of each of a thousand columns."""
    columns = max(1, len(part) // 1000)
    kept = part[: len(part) // columns * columns].reshape(-1, columns)
    times = start + (np.arange(len(kept)) + 0.5) * columns / rate
    axes.fill_between(times, kept.min(axis=1), kept.max(axis=1), color="#374151", linewidth=0.3)


def joined(parts: list[Speech], text: str, pause: float, rate: int) -> Speech:
    """Sentences in a row, with a pause between them.

    >>> one = Speech(np.ones(2, "float32"), 2)
    >>> joined([one, one], "", 0.5, 2).waveform.tolist()
    [1.0, 1.0, 0.0, 1.0, 1.0]
    """
    silence = np.zeros(round(pause * rate), "float32")
    sounds: list[np.ndarray] = []
    marks: list[Mark] = []
    at = 0
    for number, part in enumerate(parts):
        if number:
            sounds.append(silence)
            at += len(silence)
        marks += [Mark(mark.word, mark.start + at / rate, mark.end + at / rate) for mark in part.marks]
        sounds.append(part.waveform)
        at += len(part.waveform)
    fresh = len(parts[-1].waveform) + (len(silence) if len(parts) > 1 else 0) if parts else 0
    whole = np.concatenate(sounds) if sounds else np.zeros(0, "float32")
    return Speech(whole, rate, tuple(marks), text, fresh)
