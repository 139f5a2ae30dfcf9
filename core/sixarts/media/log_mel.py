"""Log-mel spectrograms in NumPy: what small networks read, and what pictures show.

Source: Davis and Mermelstein 1980 (mel filters); the triangles are HTK's.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import fft, sparse  # type: ignore[import-untyped]

from sixarts.media.transcript import Picture, mel

#: Seconds of a window and from one to the next.
WINDOW, HOP = 0.025, 0.01
#: Smallest power, so that silence has a logarithm.
FLOOR = 1e-8
#: A decibel in these logarithms.
DECIBEL = np.log(10) / 10
#: Seconds of a picture's step, its bands, its most seconds, and the decibels that it spans.
STEP, BANDS, PICTURED, SPAN = 0.02, 48, 600.0, 70.0


def log_mel(samples: np.ndarray, rate: int, bands: int) -> np.ndarray:
    """Logarithms of mel-band powers of Hann windows, every hundredth of a second.

    Args:
        samples: ``[n]``, from -1 to 1.
        rate: samples a second.
        bands: how many, from 60 Hz to half the rate.

    Returns:
        ``[frames, bands]``, float32; one frame at least.

    >>> log_mel(np.zeros(800, "float32"), 8000, 4).shape
    (8, 4)
    """
    return _log_mel(samples, rate, bands, WINDOW, HOP)


def _log_mel(samples: np.ndarray, rate: int, bands: int, window: float, hop: float) -> np.ndarray:
    size, step = round(window * rate), round(hop * rate)
    if len(samples) < size:
        samples = np.pad(samples, (0, size - len(samples)))
    frames = np.lib.stride_tricks.sliding_window_view(samples, size)[::step]
    points = 1 << (size - 1).bit_length()
    # SciPy's stays in single precision.
    spectrum = fft.rfft(frames * np.hanning(size).astype("float32"), points, axis=1)
    power = (spectrum.real**2 + spectrum.imag**2).astype("float32") / size
    # Few entries of the filters are not zero; and what is as small as this gains nothing from BLAS's threads.
    levels = np.log((_filters(rate, points, bands) @ power.T).T + FLOOR)
    return np.asarray(levels, "float32")


def frames_of(samples: int, rate: int) -> int:
    """How many frames :func:`log_mel` makes of so many samples."""
    size, step = round(WINDOW * rate), round(HOP * rate)
    return max(0, samples - size) // step + 1


@functools.lru_cache(maxsize=16)
def _filters(rate: int, points: int, bands: int) -> Any:
    """Triangles ``[bands, points // 2 + 1]`` that are of equal width on the mel scale, as a sparse array."""
    edges = np.linspace(mel(60.0), mel(rate / 2), bands + 2)
    places = mel(np.arange(points // 2 + 1) * rate / points)[:, None]
    rising = (places - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - places) / (edges[2:] - edges[1:-1])
    return sparse.csr_array(np.maximum(0.0, np.minimum(rising, falling)).astype("float32").T)


def picture_of(samples: np.ndarray, rate: int) -> Picture:
    """A small spectrogram of a sound, for plots."""
    if not len(samples):
        return Picture(np.zeros((0, BANDS), "uint8"), STEP, rate / 2)
    levels = _log_mel(samples, rate, BANDS, WINDOW, STEP) * (10 / np.log(10))
    return Picture(((levels + 75) / SPAN * 255).clip(0, 255).astype("uint8"), STEP, rate / 2)


def joined_pictures(parts: Sequence[Picture]) -> Picture | None:
    """The spectrogram of stretches that follow each other; ``None`` where there are none."""
    if not parts:
        return None
    return Picture(np.concatenate([part.levels for part in parts]), parts[0].step, parts[0].highest)
