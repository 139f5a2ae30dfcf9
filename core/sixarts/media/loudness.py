"""How loud a sound is, frame by frame: where nobody speaks, and where words of one token begin and end."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sixarts.media.transcript import Word

#: Seconds around a frame in which it is loud where one of them is.
AROUND = 0.05
#: Decibels below a word's loudest frame at which it begins and ends.
FALL = 25.0


def decibels(samples: np.ndarray, stride: int, frames: int) -> np.ndarray:
    """Power of each frame in decibels of full scale, ``[frames]``.

    Args:
        samples: ``[n]``.
        stride: samples of a frame.
        frames: how many.

    >>> decibels(np.ones(4, "float32"), 2, 3).round().tolist()
    [0.0, 0.0, -200.0]
    """
    filled = np.zeros(frames * stride, "float32")
    taken = samples[: len(filled)]
    filled[: len(taken)] = taken
    power = np.square(filled.reshape(frames, stride)).mean(axis=1)
    return np.asarray(10 * np.log10(power + 1e-20), "float32")


def quiet(levels: np.ndarray, silence: float, seconds: float) -> np.ndarray:
    """Which frames are silent, with all that is close to them, ``[frames]``.

    Args:
        levels: decibels.
        silence: below which nothing is heard.
        seconds: of a frame.
    """
    around = max(1, round(AROUND / seconds))
    padded = np.pad(levels, around, constant_values=-200.0)
    loudest = np.lib.stride_tricks.sliding_window_view(padded, 2 * around + 1).max(axis=1)
    return np.asarray(loudest < silence)


def spread(words: Sequence[Word], levels: np.ndarray, seconds: float) -> tuple[Word, ...]:
    """Words from where they become loud to where they end.

    CTC has a token somewhere in its word, most often at the end. Between two words the quietest frame parts
    them.

    Args:
        words: where their tokens are.
        levels: decibels of every frame of the sound.
        seconds: of a frame.

    >>> said = [Word("one", 3.0, 4.0), Word("two", 6.0, 7.0)]
    >>> [(w.start, w.end) for w in spread(said, np.array([-90, -9, -8, -9, -70, -7, -8, -6, -90.0]), 1.0)]
    [(1.0, 4.0), (5.0, 8.0)]
    """
    spikes = [(round(word.start / seconds), round(word.end / seconds)) for word in words]
    edges = [0]
    for (_, end), (start, _) in itertools.pairwise(spikes):
        between = levels[end:start]
        edges.append(end + int(between.argmin()) if len(between) else end)
    edges.append(len(levels))
    found = []
    for word, (first, last), low, high in zip(words, spikes, edges, edges[1:], strict=False):
        floor = levels[low:high].max(initial=-200.0) - FALL
        while first > low and levels[first - 1] > floor:
            first -= 1
        while last < high and levels[last] > floor:
            last += 1
        found.append(replace(word, start=round(first * seconds, 3), end=round(last * seconds, 3)))
    return tuple(found)
