"""A sound cut into windows that overlap, of which each keeps its middle; at most one window is in memory."""

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
