"""Which frames of a recording are which symbol's: the best way through, each symbol at least one frame.

Source: Kim et al. 2020, "Glow-TTS", section 3.1, monotonic alignment search.
"""

from __future__ import annotations

import numpy as np


def durations_of(costs: np.ndarray) -> np.ndarray:
    """Frames of each symbol, ``[t]``, at the least cost in all; symbols in order, none left out.

    Args:
        costs: of each symbol for each frame, ``[t, n]``, with ``n >= t``.

    >>> durations_of(np.array([[0, 0, 9, 9], [9, 9, 0, 9], [9, 9, 9, 0]])).tolist()
    [2, 1, 1]
    """
    symbols, frames = costs.shape
    best = np.full(symbols, np.inf)
    best[0] = 0.0
    came = np.zeros((frames, symbols), bool)
    for frame in range(frames):
        before = np.concatenate([[np.inf], best[:-1]])
        # The first frame is the first symbol's; each later one goes on, or moves by one.
        came[frame] = (before < best) if frame else False
        best = np.where(came[frame], before, best) + costs[:, frame]
    at, found = symbols - 1, np.zeros(symbols, "int64")
    for frame in range(frames - 1, -1, -1):
        found[at] += 1
        at -= int(came[frame, at])
    return found


def search(prior: np.ndarray, bands: np.ndarray) -> np.ndarray:
    """Frames of each symbol in a recording whose frames are most like what the symbols are on average.

    Args:
        prior: what each symbol's frames are like, ``[t, bands]``.
        bands: of the recording, ``[n, bands]``.
    """
    costs = ((prior**2).sum(1)[:, None] - 2 * prior @ bands.T).astype("float64")
    return durations_of(costs)
