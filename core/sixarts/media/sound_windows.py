"""A sound cut into windows, of which each keeps its middle or all; at most one window is in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Window:
    """A stretch of a sound, and which part of it counts.

    Attributes:
        samples: ``[n]``, float32.
        start: where it begins in the sound, in samples.
        first, last: the samples of the sound that count, the last one not included.
    """

    samples: np.ndarray
    start: int
    first: int
    last: int


def windows(
    blocks: Iterable[np.ndarray], left: int, step: int, right: int, whole: int = 0
) -> Iterator[Window]:
    """Windows of ``left + step + right`` samples, each of which counts for ``step`` of them.

    What stands before and behind is heard, too, so that no word is cut in two. The first window has nothing
    before it; the last one counts to the end.

    Args:
        blocks: the sound, in order.
        left, step, right: samples.
        whole: a sound of at most so many samples is one window.

    >>> cut = windows([np.zeros(10, "float32")], left=2, step=3, right=1)
    >>> [(window.start, window.first, window.last) for window in cut]
    [(0, 0, 3), (1, 3, 6), (4, 6, 10)]
    """
    held, start, counted = np.zeros(0, "float32"), 0, 0
    for block in blocks:
        held = np.concatenate([held, block])
        while counted or len(held) > whole:
            end = counted + step + right
            # Where the sound ends with the window, all of it counts.
            if start + len(held) <= end:
                break
            yield Window(held[: end - start], start, counted, counted + step)
            counted += step
            after = max(0, counted - left)
            held, start = held[after - start :], after
    if start + len(held) > counted:
        yield Window(held, start, counted, start + len(held))


def stretches(
    blocks: Iterable[np.ndarray], longest: int, room: int, grain: int, every: int = 0
) -> Iterator[Window]:
    """Windows that follow each other without overlap and count whole, cut where it is quietest.

    That is for networks which do not tell when a word was said: what two of their windows heard twice could
    not be put together.

    Args:
        blocks: the sound, in order.
        longest: samples of a window at most.
        room: samples at a window's end among which the quietest place is looked for.
        grain: samples over which loudness is measured.
        every: samples of a stream after which a window is given before its end is come to; one of the same
            start that comes later, with more in it, takes its place. 0 for never.

    >>> loud, soft = np.ones(4, "float32"), np.zeros(2, "float32")
    >>> cut = stretches([np.concatenate([loud, soft, loud])], longest=8, room=6, grain=2)
    >>> [(window.first, window.last) for window in cut]
    [(0, 5), (5, 10)]
    """
    held, start, told = np.zeros(0, "float32"), 0, 0
    for block in blocks:
        held = np.concatenate([held, block])
        while len(held) > longest:
            cut = longest - room + _quietest(held[longest - room : longest], grain)
            yield Window(held[:cut], start, start, start + cut)
            held, start, told = held[cut:], start + cut, 0
        if every and len(held) - told >= every:
            told = len(held)
            yield Window(held, start, start, start + told)
    if len(held) > told:
        yield Window(held, start, start, start + len(held))


def _quietest(samples: np.ndarray, grain: int) -> int:
    """The middle of the quietest grain; the end where there is no room for two."""
    count = len(samples) // grain
    if count < 2:
        return len(samples)
    power = np.square(samples[: count * grain].reshape(count, grain)).sum(axis=1)
    return int(power.argmin()) * grain + grain // 2
