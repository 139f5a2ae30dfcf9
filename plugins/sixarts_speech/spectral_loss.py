"""How far one sound is from another to the ear: their spectra's sizes, through several windows.

Source: Yamamoto et al. 2020, "Parallel WaveGAN", section 2.2; what a phase is, is not asked.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

#: Samples of each window.
WINDOWS = (128, 256, 512, 1024, 2048)
#: Smallest amplitude.
FLOOR = 3e-4


class SpectralLoss(keras.losses.Loss):  # type: ignore[misc]
    """The mean difference of amplitudes and of their logarithms, over :data:`WINDOWS`, ``[b]``.

    Sounds are ``[b, n]``, zero where they are over; rows are weighed by how much of them is heard, so that
    silence that fills a batch up says nothing.
    """

    def __init__(self) -> None:
        super().__init__(name="spectral", reduction="mean_with_sample_weight")

    def call(self, y_true: Any, y_pred: Any) -> Any:
        total = 0.0
        for size in WINDOWS:
            wanted, given = (_sizes(sound, size) for sound in (y_true, y_pred))
            away = ops.abs(ops.log(wanted + FLOOR) - ops.log(given + FLOOR)) + 4.0 * ops.abs(
                ops.sqrt(wanted + FLOOR) - ops.sqrt(given + FLOOR)
            )
            total = total + ops.mean(away, axis=(1, 2))
        return total / len(WINDOWS)


def _sizes(sound: Any, size: int) -> Any:
    """Amplitudes ``[b, frames, size // 2 + 1]`` through Hann windows that overlap by three quarters."""
    step, window = size // 4, np.hanning(size + 1)[:-1].astype("float32")
    rows = ops.shape(sound)[0]
    blocks = ops.reshape(sound[:, : ops.shape(sound)[1] // step * step], (rows, -1, step))
    count = ops.shape(blocks)[1] - 3
    cut = ops.concatenate([blocks[:, place : place + count] for place in range(4)], axis=-1)
    real, imaginary = ops.rfft(cut * (window / np.sqrt((window**2).sum())), size)
    return ops.sqrt(ops.square(real) + ops.square(imaginary) + 1e-9)


class Absolute(keras.losses.Loss):  # type: ignore[misc]
    """The absolute difference, mean over the last axis where there is one more than weights have.

    Args:
        scale: what it is multiplied by, beside other losses.
    """

    def __init__(self, scale: float, name: str) -> None:
        super().__init__(name=name, reduction="mean_with_sample_weight")
        self.scale = scale

    def call(self, y_true: Any, y_pred: Any) -> Any:
        away = ops.abs(y_true - y_pred)
        return self.scale * (ops.mean(away, axis=-1) if len(away.shape) > 2 else away)
