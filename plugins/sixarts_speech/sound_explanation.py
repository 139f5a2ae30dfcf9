"""Which stretch of a sound made which word, over its spectrogram.

Occlusion (Zeiler and Fergus 2014, section 4.2): each stretch is made silent, and what that takes from a
word's probability is its value. Integrated gradients (Sundararajan et al. 2017) for networks that spell by
CTC.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from sixarts.errors import InputError, OptionError
from sixarts.explanation import Explanation
from sixarts.media.audio import is_stream, whole_audio
from sixarts.media.log_mel import picture_of
from sixarts.media.transcript import Picture, Word, draw_levels
from sixarts.result import UNTOLD

#: Seconds of a stretch at least, and the most stretches of a sound.
STRETCH, STRETCHES = 0.08, 120
#: Sounds that go through the network together.
ROWS = 16


@dataclass(frozen=True)
class SoundMap(Explanation):
    """Values of stretches of a sound, a row a word.

    Attributes:
        edges: where stretches begin, and where the last one ends, in seconds.
        spoken: when each word was said, start and end in seconds; empty where the network tells no times.
        picture: the sound's spectrogram.
    """

    edges: tuple[float, ...] = ()
    spoken: tuple[tuple[float, float], ...] = ()
    picture: Picture | None = field(default=None, repr=False, metadata=UNTOLD)

    def plot(self) -> Any:
        """The spectrogram, and below it a line for each word: what made it, and where it was written down."""
        from matplotlib.figure import Figure

        from sixarts.pictures import drawable, fonts_for

        names = drawable(self.target_labels)
        length = self.edges[-1]
        figure = Figure(
            figsize=(max(5.0, min(14.0, 1.6 * length + 2)), 2.2 + 0.34 * len(names)), layout="constrained"
        )
        above, below = figure.subplots(2, 1, height_ratios=(1.6, 0.35 * len(names) + 0.3), sharex=True)
        if self.picture is not None:
            draw_levels(above, self.picture, 0.0, length)
        above.set_title(self.method.replace("_", " "), fontsize=10)
        high = float(np.abs(self.values).max()) or 1.0
        image = below.pcolormesh(
            np.asarray(self.edges),
            np.arange(len(names) + 1),
            self.values,
            cmap="RdBu_r" if self.signed else "Blues",
            vmin=-high if self.signed else 0.0,
            vmax=high,
        )
        for place, (start, end) in enumerate(self.spoken):
            below.plot([start, end], [place + 0.92] * 2, color="#111827", linewidth=2, solid_capstyle="butt")
        below.set_yticks(np.arange(len(names)) + 0.5, names, family=fonts_for(names) or ["DejaVu Sans"])
        below.invert_yaxis()
        below.set(xlabel="seconds", xlim=(0, length))
        for axes in (above, below):
            axes.spines[["top", "right"]].set_visible(False)
        figure.colorbar(image, ax=below, label=self.unit, shrink=0.9)
        return figure


def explained(task: Any, x: Any, method: str, target: Any, options: Any) -> SoundMap:
    """Which stretch of a sound made which word.

    Raises:
        InputError: a stream; a sound longer than one window; nothing was said.
        OptionError: the answer has no such word; a method that the model's kind has not.
    """
    if is_stream(x):
        raise InputError("a stream of chunks; expected a sound that can be heard again, e.g. a path")
    listening = task.listening
    longest = listening.explainable(options)
    samples = whole_audio(x, listening.rate, longest)
    sound = (samples, listening.rate)
    heard = task(sound, **{**vars(options), **listening.asking})
    # Of a network that tells no times, they are the words of its text.
    untimed = tuple(Word(text, 0.0, heard.duration) for text in heard.text.split())
    answer = replace(heard, words=heard.words or untimed)
    if not answer.words:
        raise InputError("nothing was heard in this sound; expected one with words")
    words = _chosen(answer.words, target)
    stretch = max(STRETCH, len(samples) / listening.rate / STRETCHES)
    edges = np.append(
        np.arange(0, len(samples) / listening.rate - stretch / 2, stretch), len(samples) / listening.rate
    )
    values, said = METHODS[method](listening, samples, edges, words, answer)
    return SoundMap(
        method,
        "word",
        tuple(f"{start:.2f}–{end:.2f} s" for start, end in itertools.pairwise(edges)),
        _told_apart([word.text for word in words]),
        values,
        answer=answer.text,
        edges=tuple(map(float, edges)),
        spoken=tuple((word.start, word.end) for word in words) if heard.words else (),
        picture=picture_of(samples, listening.rate),
        **said,
    )


def _chosen(words: Sequence[Word], target: Any) -> list[Word]:
    if target is None:
        return list(words)
    if isinstance(target, int | np.integer) and not isinstance(target, bool) and 0 <= target < len(words):
        return [words[target]]
    found = [word for word in words if word.text == target]
    if not found:
        known = ", ".join(repr(word.text) for word in words[:10])
        raise OptionError(
            f"target={target!r}; expected a word of the answer, e.g. {known}, or its number from 0"
        )
    return found


def _told_apart(texts: Sequence[str]) -> tuple[str, ...]:
    """Words, those that come again with their place."""
    return tuple(
        text if texts.count(text) == 1 else f"{text} ({texts[: place + 1].count(text)})"
        for place, text in enumerate(texts)
    )


def _occluded(
    listening: Any, samples: np.ndarray, edges: np.ndarray, words: Sequence[Word], answer: Any
) -> tuple[np.ndarray, dict[str, Any]]:
    """What each word's probability loses when a stretch is silent; no less than nothing."""
    sounds = [samples]
    for start, end in itertools.pairwise(edges):
        hidden = samples.copy()
        hidden[round(start * listening.rate) : round(end * listening.rate)] = 0
        sounds.append(hidden)
    scores = np.concatenate(
        [listening.word_scores(sounds[at : at + ROWS], words, answer) for at in range(0, len(sounds), ROWS)]
    )
    return np.maximum(scores[0] - scores[1:], 0).T, {"unit": "loss of probability"}


def _integrated(
    listening: Any, samples: np.ndarray, edges: np.ndarray, words: Sequence[Word], answer: Any
) -> tuple[np.ndarray, dict[str, Any]]:
    """What each stretch adds to the logarithm of a word's probability, against a sound without shape."""
    if not hasattr(listening, "word_gradients"):
        raise OptionError("integrated_gradients is for models that spell by CTC; expected method='occlusion'")
    fine, seconds, totals = listening.word_gradients(samples, words)
    places = np.clip(
        np.searchsorted(edges, np.arange(fine.shape[1]) * seconds, "right") - 1, 0, len(edges) - 2
    )
    values = np.zeros((len(words), len(edges) - 1))
    np.add.at(values.T, places, fine.T)
    return values, {"signed": True, "totals": totals, "unit": "change of the logarithm of probability"}


METHODS = {"occlusion": _occluded, "integrated_gradients": _integrated}
