"""What a voice's network reads of a sound, and what its sound is made from: mel bands, pulses and noise."""

from __future__ import annotations

import functools

import numpy as np
from scipy import fft, sparse

from sixarts.media.transcript import mel

#: Samples of a window for each sample from one to the next, and points of its transform for each.
WIDE, POINTS = 2, 6
#: Smallest amplitude, so that silence has a logarithm.
FLOOR = 1e-5
#: Log amplitudes come to about -1 to 1 so.
MEAN, SPREAD = -6.0, 2.5
#: Pitch is told in octaves above this many Hz.
REFERENCE = 150.0
#: Octaves of a step of the pitch. What backends compute unlike in the last digit is alike after rounding.
PITCH_STEP = 1 / 96


def bands_of(samples: np.ndarray, rate: int, hop: int, bands: int) -> np.ndarray:
    """Logarithms of mel-band amplitudes, scaled to about -1 to 1.

    Windows are short enough for a voice's harmonics to melt into one another: what they show is the mouth,
    not the pitch.

    Args:
        samples: ``[n]``, from -1 to 1.
        rate: samples a second.
        hop: samples from one frame to the next.
        bands: how many, from 0 Hz to half the rate.

    Returns:
        ``[n // hop, bands]``, float32; a frame's middle is the middle of its ``hop`` samples.

    >>> bands_of(np.zeros(800, "float32"), 16000, 160, 8).shape
    (5, 8)
    """
    size = WIDE * hop
    frames = len(samples) // hop
    if not frames:
        return np.zeros((0, bands), "float32")
    padded = np.pad(samples[: frames * hop], (size - hop) // 2 + hop)[hop : hop + frames * hop + size - hop]
    window = np.hanning(size + 2)[1:-1].astype("float32")
    cut = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop]
    spectrum = np.abs(fft.rfft(cut * (window / np.sqrt((window**2).sum())), POINTS * hop, axis=1))
    levels = np.log((_triangles(rate, POINTS * hop, bands) @ spectrum.T).T + FLOOR)
    return ((levels - MEAN) / SPREAD).astype("float32")


@functools.lru_cache(maxsize=16)
def _triangles(rate: int, points: int, bands: int) -> sparse.csr_array:
    """Weights ``[bands, points // 2 + 1]`` of triangles of equal width on the mel scale; a row sums to 1."""
    edges = np.linspace(0.0, mel(rate / 2), bands + 2)
    places = mel(np.arange(points // 2 + 1) * rate / points)[:, None]
    rising = (places - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - places) / (edges[2:] - edges[1:-1])
    weights = np.maximum(0.0, np.minimum(rising, falling)).T
    return sparse.csr_array(
        (weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)).astype("float32")
    )


def octaves(hertz: np.ndarray) -> np.ndarray:
    """Pitch in octaves above :data:`REFERENCE`; where nothing sounds (0 Hz) it goes straight on.

    >>> octaves(np.array([0, 150, 0, 300, 0])).tolist()
    [0.0, 0.0, 0.5, 1.0, 1.0]
    """
    heard = np.flatnonzero(hertz > 0)
    if not len(heard):
        return np.zeros(len(hertz), "float32")
    known = np.log2(hertz[heard] / REFERENCE)
    return np.interp(np.arange(len(hertz)), heard, known).astype("float32")


def at_frames(values: np.ndarray, step: float, frames: int, rate: int, hop: int) -> np.ndarray:
    """Values that are told every ``step`` seconds, at the middles of ``frames`` frames, ``[frames]``."""
    times = (np.arange(frames) + 0.5) * hop / rate
    return np.interp(times, np.arange(len(values)) * step, values).astype("float32")


def pulses(pitch: np.ndarray, hop: int, rate: int, raised: float = 0.0) -> np.ndarray:
    """A train of band-limited pulses of power 1, ``[frames * hop]``: what vocal folds give.

    Args:
        pitch: of each frame's middle in octaves above :data:`REFERENCE`, ``[frames]``.
        hop: samples of a frame.
        rate: samples a second.
        raised: octaves by which all of it is raised.
    """
    count = len(pitch) * hop
    places = (np.arange(count) + 0.5) / hop - 0.5
    hertz = REFERENCE * np.exp2(np.interp(places, np.arange(len(pitch)), pitch.astype("float64")) + raised)
    phase = np.cumsum(hertz / rate)
    phase = (2 * np.pi * (phase - np.floor(phase)) - np.pi).astype("float32")
    harmonics = np.maximum(np.floor(rate / 2 / hertz), 1.0).astype("float32")
    # Dirichlet's kernel is the sum of as many cosines as the rate has room for.
    half = np.sin(phase / 2)
    near = np.abs(half) < 1e-4
    kernel = np.sin((harmonics + 0.5) * phase) / np.where(near, 1.0, 2 * half)
    return (np.where(near, harmonics + 0.5, kernel) - 0.5) * np.sqrt(2 / harmonics)


def contour(points: np.ndarray, durations: np.ndarray) -> np.ndarray:
    """The pitch of each frame, straight between what is told of each symbol's parts.

    Args:
        points: pitch in the middles of each symbol's equal parts, ``[t, parts]``.
        durations: frames of each symbol, ``[t]``.

    >>> contour(np.array([[0.0, 1.0]]), np.array([4])).tolist()
    [0.0, 0.25, 0.75, 1.0]
    """
    ends = np.cumsum(durations)
    parts = points.shape[1]
    middles = (ends - durations)[:, None] + durations[:, None] * ((np.arange(parts) + 0.5) / parts)
    heard = durations > 0
    if not heard.any():
        return np.zeros(0, "float32")
    frames = np.arange(int(ends[-1])) + 0.5
    return np.interp(frames, middles[heard].ravel(), points[heard].ravel()).astype("float32")


def points_of(pitch: np.ndarray, durations: np.ndarray, parts: int) -> np.ndarray:
    """What :func:`contour` is drawn through: the pitch at the middles of symbols' parts, ``[t, parts]``."""
    ends = np.cumsum(durations)
    middles = (ends - durations)[:, None] + durations[:, None] * ((np.arange(parts) + 0.5) / parts)
    if not len(pitch):
        return np.zeros(middles.shape, "float32")
    return np.interp(middles, np.arange(len(pitch)) + 0.5, pitch).astype("float32")
