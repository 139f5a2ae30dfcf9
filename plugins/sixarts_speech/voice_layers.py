"""What the ``source_filter`` family is made of: blocks over time, gathering by symbol, and the filter."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from sixarts.checkpoint import Target
from sixarts.media.transcript import mel
from sixarts.networks.published import Targets, dense
from sixarts_speech.voice_sound import MEAN, SPREAD

#: Bands' logarithms are the natural ones, and the filter's are kept within these.
QUIETEST, LOUDEST = -14.0, 4.0


class Neighbors(layers.Layer):  # type: ignore[misc]
    """Each channel's own weighted sum over neighbors in time (a depthwise convolution).

    It is a sum of shifted products: the same on every backend to the last digits, whatever fills a batch up.

    Args:
        kernel: how many neighbors, an odd number.
        dilation: steps from one to the next.
        initializer: of the weights.
    """

    def __init__(self, kernel: int, dilation: int, initializer: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size, self.dilation = kernel, dilation
        self.initializer = (
            initializer if initializer == "zeros" else keras.initializers.RandomNormal(stddev=kernel**-0.5)
        )

    def build(self, shape: Any) -> None:
        self.kernel = self.add_weight(
            name="kernel", shape=(self.size, shape[-1]), initializer=self.initializer
        )
        self.bias = self.add_weight(name="bias", shape=(shape[-1],), initializer="zeros")

    def call(self, x: Any) -> Any:
        reach = self.size // 2 * self.dilation
        kernel = ops.cast(self.kernel, x.dtype)
        length = ops.shape(x)[1]
        wide = ops.pad(x, ((0, 0), (reach, reach), (0, 0)))
        total = ops.cast(self.bias, x.dtype)
        for place in range(self.size):
            start = place * self.dilation
            total = total + wide[:, start : start + length] * kernel[place]
        return total

    def compute_output_spec(self, x: Any) -> Any:
        return keras.KerasTensor(x.shape, self.compute_dtype)


class Block(layers.Layer):  # type: ignore[misc]
    """A residual block over time: neighbors, normalization, and a wide layer at each step.

    Source: Liu et al. 2022, "A ConvNet for the 2020s", over time as in Siuzdak 2023 ("Vocos").
    """

    def __init__(
        self, width: int, kernel: int, dilation: int, expansion: int, dropout: float, initializer: str,
        **kwargs: Any
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        policy = self.dtype_policy
        self.neighbors = Neighbors(kernel, dilation, initializer, dtype=policy, name="neighbors")
        self.norm = layers.LayerNormalization(epsilon=1e-5, dtype=policy, name="norm")
        self.wide = layers.Dense(
            expansion * width, activation="gelu", kernel_initializer=initializer, dtype=policy, name="wide"
        )
        self.narrow = layers.Dense(width, kernel_initializer=initializer, dtype=policy, name="narrow")
        self.dropout = layers.Dropout(dropout, dtype=policy, name="dropout")

    def build(self, x_shape: Any, mask_shape: Any = None) -> None:
        self.neighbors.build(x_shape)
        self.norm.build(x_shape)
        self.wide.build(x_shape)
        self.narrow.build((*x_shape[:-1], self.wide.units))

    def call(self, x: Any, mask: Any, training: Any = None) -> Any:
        inner = self.narrow(self.wide(self.norm(self.neighbors(x * mask))))
        return (x + self.dropout(inner, training=training)) * mask

    def compute_output_spec(self, x: Any, mask: Any, training: Any = None) -> Any:
        return keras.KerasTensor(x.shape, self.compute_dtype)

    def targets(self, name: str) -> Targets:
        """Its weights as files name them."""
        return {
            (f"{name}.neighbors.weight",): Target(self.neighbors.kernel),
            (f"{name}.neighbors.bias",): Target(self.neighbors.bias),
            (f"{name}.norm.weight",): Target(self.norm.gamma),
            (f"{name}.norm.bias",): Target(self.norm.beta),
            **dense(f"{name}.wide", self.wide),
            **dense(f"{name}.narrow", self.narrow),
        }


class Seen(layers.Layer):  # type: ignore[misc]
    """``[b, n]`` numbers to ``[b, n, 1]``: 1 where they are at least ``least``, 0 where nothing is."""

    def __init__(self, least: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.least = least

    def call(self, numbers: Any) -> Any:
        return ops.cast(numbers >= self.least, self.compute_dtype)[..., None]

    def compute_output_spec(self, numbers: Any) -> Any:
        return keras.KerasTensor((*numbers.shape, 1), self.compute_dtype)


class Gather(layers.Layer):  # type: ignore[misc]
    """What each frame's symbol is like, by the symbol's number, ``[b, f, c]``; zeros where it is -1."""

    def call(self, hidden: Any, frames: Any) -> Any:
        found = ops.take_along_axis(hidden, ops.maximum(frames, 0)[..., None], axis=1)
        return found * ops.cast(frames >= 0, hidden.dtype)[..., None]

    def compute_output_spec(self, hidden: Any, frames: Any) -> Any:
        return keras.KerasTensor((*frames.shape, hidden.shape[-1]), self.compute_dtype)


class Drawn(layers.Layer):  # type: ignore[misc]
    """What mel bands say of both filters by themselves: their own shape, ``[b, f, 2 * points of both]``.

    A network that knows nothing yet sounds so, and learns what is pulses and what is noise.

    Args:
        rate: samples a second.
        bands: how many.
        pulse_points, noise_points: how many points each filter is told at.
    """

    def __init__(self, rate: int, bands: int, pulse_points: int, noise_points: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        middles = np.linspace(0.0, mel(rate / 2), bands + 2)[1:-1]
        knots = [np.linspace(0.0, mel(rate / 2), points) for points in (pulse_points, noise_points)]
        drawn = np.stack([np.interp(np.concatenate(knots), middles, row) for row in np.eye(bands)])
        self.drawn = np.concatenate([drawn, drawn], axis=1).astype("float32")

    def call(self, bands: Any) -> Any:
        return ops.matmul(ops.cast(bands, "float32") * SPREAD + MEAN, self.drawn)

    def compute_output_spec(self, bands: Any) -> Any:
        return keras.KerasTensor((*bands.shape[:-1], self.drawn.shape[1]), "float32")


class Filter(layers.Layer):  # type: ignore[misc]
    """Pulses and noise, each through a filter that changes every half frame, to samples.

    A filter's logarithm is told at points of the mel scale, and its phase is the least that its shape allows,
    as in a throat (Oppenheim and Schafer 1975): both are products with constant matrices.

    Args:
        hop: samples of a frame, which has two filters.
        rate: samples a second.
        pulse_points, noise_points: how many points each filter is told at.
    """

    def __init__(self, hop: int, rate: int, pulse_points: int, noise_points: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.step = hop // 2
        self.length = 6 * self.step
        bins = self.length // 2 + 1
        places = mel(np.arange(bins) * rate / self.length)
        self.shapes = []
        for points in (pulse_points, noise_points):
            knots = np.linspace(0.0, mel(rate / 2), points)
            drawn = np.stack([np.interp(places, knots, row) for row in np.eye(points)])
            self.shapes.append(
                (drawn.astype("float32"), (drawn @ _least_phase(self.length)).astype("float32"))
            )
        self.points = (pulse_points, noise_points)
        self.window = np.hanning(2 * self.step + 1)[:-1].astype("float32")

    def call(self, levels: Any, sources: Any, mask: Any) -> Any:
        """Levels ``[b, f, 2 * points]`` and sources ``[b, f * hop, 2]`` to samples ``[b, f * hop]``.

        ``mask`` ``[b, f, 1]`` is 0 behind a row's end: the first window there still hears half a step of it.
        """
        inside = ops.repeat(ops.cast(mask, levels.dtype), 2, axis=1)
        rows, step = ops.shape(levels)[0], self.step
        levels = ops.reshape(levels, (rows, -1, sum(self.points)))
        count = ops.shape(levels)[1]
        levels = ops.clip(levels, QUIETEST, LOUDEST)
        parts = (levels[..., : self.points[0]], levels[..., self.points[0] :])
        real = imaginary = 0.0
        for place, (part, (drawn, turned)) in enumerate(zip(parts, self.shapes, strict=True)):
            size, phase = ops.exp(ops.matmul(part, drawn)), ops.matmul(part, turned)
            source = ops.reshape(sources[..., place], (rows, count, step))
            before = ops.pad(source, ((0, 0), (1, 0), (0, 0)))[:, :-1]
            windowed = ops.concatenate([before, source], axis=-1) * self.window * inside
            a, b = ops.rfft(windowed, self.length)
            c, d = size * ops.cos(phase), size * ops.sin(phase)
            real, imaginary = real + a * c - b * d, imaginary + a * d + b * c
        sounded = ops.reshape(ops.irfft((real, imaginary), self.length), (rows, count, 6, step))
        # A filter's answer begins with its window, half a window before its own step.
        total = 0.0
        for place in range(6):
            total = total + ops.pad(sounded[:, :, place], ((0, 0), (place, 6 - place), (0, 0)))
        return ops.reshape(total[:, 1 : count + 1], (rows, count * step))

    def compute_output_spec(self, levels: Any, sources: Any, mask: Any) -> Any:
        return keras.KerasTensor(sources.shape[:2], self.compute_dtype)


def _least_phase(length: int) -> np.ndarray:
    """Logarithms of a filter's size to its least phase, by the cepstrum, ``[bins, bins]``."""
    bins = length // 2 + 1
    cepstra = np.fft.irfft(np.eye(bins), length)
    fold = np.zeros(length)
    fold[0] = fold[length // 2] = 1.0
    fold[1 : length // 2] = 2.0
    return np.asarray(np.fft.rfft(cepstra * fold).imag)
