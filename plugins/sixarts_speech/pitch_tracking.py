"""How high a recorded voice is, frame by frame."""

from __future__ import annotations

import numpy as np

from sixarts_speech.voice_sound import octaves

#: The lowest and highest pitch that is looked for in Hz; a bass's and a child's.
LOWEST, HIGHEST = 60.0, 500.0
#: A frame sounds where the difference from itself a period later is below this share.
VOICED = 0.25


def pitch_of(samples: np.ndarray, rate: int, hop: int) -> np.ndarray:
    """Pitch of each frame in octaves, straight on where nothing sounds, ``[n // hop]``.

    Source: de Cheveigné and Kawahara 2002, "YIN", steps 1 to 5; a median of five frames takes jumps away.

    >>> wave = np.sin(2 * np.pi * 300 * np.arange(8000) / 16000).astype("float32")
    >>> pitch_of(wave, 16000, 160)[10:13].round(2).tolist()
    [1.0, 1.0, 1.0]
    """
    frames = len(samples) // hop
    if not frames:
        return np.zeros(0, "float32")
    shortest, longest = int(rate / HIGHEST), int(rate / LOWEST) + 1
    width = 2 * longest
    # Highs tell nothing of the pitch, and do not fit periods of a broken number of samples.
    smooth = np.hanning(rate // 1000 + 2)[1:-1]
    low = np.convolve(samples[: frames * hop].astype("float64"), smooth / smooth.sum(), "same")
    padded = np.pad(low, (width // 2, width // 2 + longest))
    cut = np.lib.stride_tricks.sliding_window_view(padded, width + longest)[hop // 2 :: hop][:frames]
    # The difference function by way of the autocorrelation, through one transform.
    points = 1 << (2 * width + longest - 1).bit_length()
    head = np.fft.rfft(cut[:, :width], points)
    together = np.fft.irfft(np.conj(head) * np.fft.rfft(cut, points), points)[:, : longest + 1]
    powers = np.cumsum(np.pad(cut**2, ((0, 0), (1, 0))), axis=1)
    energy = powers[:, width : width + longest + 1] - powers[:, : longest + 1]
    away = np.maximum(energy[:, :1] + energy - 2 * together, 0.0)
    running = np.cumsum(away[:, 1:], axis=1) / np.arange(1, longest + 1)
    ratio = np.concatenate([np.ones((frames, 1)), away[:, 1:] / np.maximum(running, 1e-12)], axis=1)
    hertz = np.zeros(frames)
    loud = energy[:, 0] > 1e-4 * max(float(np.quantile(energy[:, 0], 0.95)), 1e-9)
    for frame in np.flatnonzero(loud):
        row = ratio[frame]
        below = np.flatnonzero(row[shortest:longest] < VOICED)
        if not len(below):
            continue
        at = int(below[0]) + shortest
        while at + 1 < longest and row[at + 1] < row[at]:
            at += 1
        left, middle, right = row[at - 1], row[at], row[at + 1]
        bend = left - 2 * middle + right
        hertz[frame] = rate / (at + (0.5 * (left - right) / bend if bend > 1e-9 else 0.0))
    around = np.lib.stride_tricks.sliding_window_view(np.pad(hertz, 2, mode="edge"), 5)
    steady = np.median(around, axis=1)
    return octaves(np.where((hertz > 0) & (steady > 0), steady, 0.0))
