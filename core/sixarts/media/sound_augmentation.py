"""Sounds changed at random as what is said in them does not change; NumPy and soxr.

Source: Ko et al. 2015 (speed), Park et al. 2019 (SpecAugment's masks).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import fft  # type: ignore[import-untyped]

from sixarts.media.log_mel import DECIBEL


def changed_sound(samples: np.ndarray, rate: int, training: Any, random: np.random.Generator) -> np.ndarray:
    """A sound at another speed, with noise, louder or softer, through another microphone.

    Args:
        samples: ``[n]``, float32.
        rate: samples a second.
        training: with ``speed``, ``noise``, ``gain`` and ``tilt``.
        random: where chance comes from.
    """
    if training.speed:
        import soxr

        factor = float(np.exp(random.uniform(-1, 1) * np.log1p(training.speed)))
        # Ratios of small numbers are resampled fast.
        step = round(100 * factor) / 100
        if step != 1:
            samples = soxr.resample(samples, round(100 * step), 100, quality="LQ")
    if training.tilt:
        samples = tilted(samples, random.uniform(-training.tilt, training.tilt))
    if random.random() < training.noise and len(samples):
        level = float(np.sqrt(np.mean(samples**2))) * 10 ** (-random.uniform(5, 30) / 20)
        samples = samples + level * colored(len(samples), random)
    if training.gain:
        samples = samples * 10 ** (random.uniform(-training.gain, training.gain) / 20)
    return np.asarray(samples, "float32")


def tilted(samples: np.ndarray, decibels: float) -> np.ndarray:
    """Highs against lows raised by so much, by a filter of one coefficient.

    >>> tilted(np.ones(2, "float32"), 0.0).tolist()
    [1.0, 1.0]
    """
    share = np.tanh(decibels / 17.4)
    before = np.concatenate([samples[:1], samples[:-1]])
    return np.asarray((samples - share * before) / (1 - min(share, 0.0)), "float32")


def colored(count: int, random: np.random.Generator) -> np.ndarray:
    """Noise of power 1 whose spectrum falls as a power of the frequency that is drawn: white to brown."""
    size = fft.next_fast_len(max(count, 2), real=True)
    spectrum = fft.rfft(random.standard_normal(size, dtype="float32"))
    falling = np.arange(1, len(spectrum) + 1, dtype="float32") ** np.float32(-random.uniform(0, 1))
    noise = fft.irfft(spectrum * falling, size)[:count]
    return np.asarray(noise / (float(np.sqrt(np.mean(noise**2))) + 1e-9), "float32")


def masked_features(features: np.ndarray, share: float, random: np.random.Generator) -> np.ndarray:
    """Features with two stretches of time and one of bands hidden in each row.

    Args:
        features: ``[b, frames, bands]``.
        share: of the frames and of the bands that is hidden at most.
    """
    changed = features.copy()
    _, frames, bands = features.shape
    for row in changed:
        for _ in range(2):
            # No more than a fifth of a second at once, or whole words are gone.
            length = int(random.integers(0, max(1, min(20, int(share * frames))) + 1))
            start = int(random.integers(0, max(1, frames - length)))
            row[start : start + length] = 0
        length = int(random.integers(0, int(share * bands) + 1))
        start = int(random.integers(0, bands - length + 1))
        row[:, start : start + length] = 0
    return changed


def colored_features(
    features: np.ndarray, mask: np.ndarray, warp: float, color: float, random: np.random.Generator
) -> np.ndarray:
    """Log-mel features of other throats, through other rooms and microphones.

    Args:
        features: ``[b, frames, bands]``, in quarters of a neper.
        mask: ``[b, frames]``, 1 where there is sound.
        warp: share by which bands move at most.
        color: decibels of one standard deviation of a smooth curve that is added.
        random: where chance comes from.
    """
    changed = features.copy()
    bands = features.shape[2]
    waves = np.cos(np.pi * np.arange(1, 4)[:, None] * (np.arange(bands) + 0.5) / bands)
    # Decibels to what features count in.
    unit = DECIBEL / 4
    for row, kept in zip(changed, mask, strict=True):
        if warp:
            low, share = moved_bands(bands, random.uniform(-warp, warp))
            row[:] = row[:, low] * (1 - share) + row[:, low + 1] * share
        if color:
            curve = random.normal(0, color * unit, 3) @ waves
            row += (curve * kept[:, None]).astype("float32")
    return changed


def moved_bands(bands: int, warp: float) -> tuple[np.ndarray, np.ndarray]:
    """What each band is read from, so that band ``k`` is what was at ``k * exp(warp)``.

    Returns:
        The band below that place, ``[bands]``, and the share that the one above it has.

    >>> [part.tolist() for part in moved_bands(3, -np.log(2))]
    [[0, 0, 1], [0.0, 0.5, 0.0]]
    """
    places = np.clip(np.arange(bands) * np.exp(warp), 0, bands - 1)
    low = np.minimum(places.astype("int32"), bands - 2)
    return low, (places - low).astype("float32")
