"""How far a voice is from recordings: mel-cepstral distortion, in decibels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.fft import dct

from sixarts.media.audio import whole_audio
from sixarts.result import Metric, Metrics
from sixarts_speech.voice_sound import SPREAD, bands_of

#: Mel bands and coefficients behind the first, which is loudness; seconds from one frame to the next.
BANDS, COEFFICIENTS, STEP = 40, 24, 0.01
#: Frames this many decibels below the loudest are silence, and not judged.
SILENCE = 40.0
#: Draws of the bootstrap.
DRAWS = 2000
PROTOCOL = (
    f"mel-cepstral distortion after dynamic time warping: {COEFFICIENTS} coefficients behind the first, of "
    f"{BANDS} bands, every {STEP * 1000:g} ms, frames within {SILENCE:g} dB of the loudest; mean over "
    "sentences, 95 % bootstrap"
)
#: What turns a distance of cepstra of natural logarithms into decibels.
DECIBELS = 10.0 * np.sqrt(2.0) / np.log(10.0)


def levels_of(samples: np.ndarray, rate: int) -> np.ndarray:
    """Logarithms of mel-band amplitudes, ``[n, BANDS]``."""
    return bands_of(samples, rate, max(2, round(STEP * rate)), BANDS) * SPREAD


def series(levels: np.ndarray) -> np.ndarray:
    """Cepstra behind the first, ``[n, COEFFICIENTS]``: those of log S = c0 + 2 (c1 cos + c2 cos + …)."""
    return np.asarray(dct(levels, norm="ortho", axis=1)[:, 1 : COEFFICIENTS + 1] / np.sqrt(2 * BANDS))


def cepstra(samples: np.ndarray, rate: int) -> np.ndarray:
    """Mel cepstra of the frames that sound, ``[n, COEFFICIENTS]``."""
    levels = levels_of(samples, rate)
    if not len(levels):
        return np.zeros((0, COEFFICIENTS))
    loudness = levels.mean(axis=1) * (20 / np.log(10))
    return series(levels[loudness >= loudness.max() - SILENCE])


def distortion(said: np.ndarray, wanted: np.ndarray) -> float:
    """Mean distance of two rows of cepstra in decibels, along the path that makes it least.

    Source: Kubichek 1993, with dynamic time warping.

    >>> distortion(np.zeros((3, 2)), np.zeros((5, 2)))
    0.0
    """
    if not len(said) or not len(wanted):
        return float("inf") if len(said) != len(wanted) else 0.0
    costs = np.sqrt(np.maximum((said**2).sum(1)[:, None] + (wanted**2).sum(1) - 2 * said @ wanted.T, 0.0))
    return float(DECIBELS * _warped(costs))


def _warped(costs: np.ndarray) -> float:
    """The mean cost along the best path through ``[n, m]``, diagonal by diagonal."""
    count, other = costs.shape
    before, older = np.full(count, np.inf), np.full(count, np.inf)
    walked, walked_older = np.zeros(count), np.zeros(count)
    for diagonal in range(count + other - 1):
        low, high = max(0, diagonal - other + 1), min(count - 1, diagonal)
        rows = np.arange(low, high + 1)
        here = costs[rows, diagonal - rows]
        total, walk = np.full(count, np.inf), np.zeros(count)
        if diagonal == 0:
            total[0], walk[0] = here[0], 1
        else:
            above = np.concatenate([[np.inf], before[:-1]])[rows]
            across = np.concatenate([[np.inf], older[:-1]])[rows]
            left = before[rows]
            stacked = np.stack([across, above, left])
            choice = stacked.argmin(axis=0)
            ways = np.stack(
                [
                    np.concatenate([[0], walked_older[:-1]])[rows],
                    np.concatenate([[0], walked[:-1]])[rows],
                    walked[rows],
                ]
            )
            picked = np.arange(len(rows))
            total[rows] = stacked[choice, picked] + here
            walk[rows] = ways[choice, picked] + 1
        older, walked_older, before, walked = before, walked, total, walk
    return float(before[count - 1] / walked[count - 1])


def distortions(
    waveforms: Sequence[np.ndarray], recordings: Sequence[Any], rate: int, seed: int = 0
) -> Metrics:
    """Mel-cepstral distortion of sounds from recordings of the same texts."""
    values = np.array(
        [
            distortion(cepstra(waveform, rate), cepstra(whole_audio(recording, rate), rate))
            for waveform, recording in zip(waveforms, recordings, strict=True)
        ]
    )
    random = np.random.default_rng(seed)
    means = values[random.integers(len(values), size=(DRAWS, len(values)))].mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    mean = float(values.mean())
    figure = Metric(mean, min(float(low), mean), max(float(high), mean))
    return Metrics({"mcd": figure}, PROTOCOL, len(values))
