"""Log-mel features as Whisper reads them, of a whole sound or of blocks as they come.

Source: Radford et al. 2022, section 2.2; figures as ``transformers``' ``WhisperFeatureExtractor`` makes them
(read at 5.24); mel filters as Slaney's Auditory Toolbox has them (1998).
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.fft

from sixarts.errors import CheckpointError
from sixarts.readers.limits import check, number, whole

#: Smallest power of a band, how far below the loudest one what is quieter is lifted to, and the last scale.
FLOOR, RANGE, SCALE = 1e-10, 8.0, 4.0
#: Highest frequency of a band, whatever the rate.
HIGHEST = 8000.0
#: Decibels of the loudest sine's power in its band.
FULL = 24.0
#: Frames that are transformed at once, so that their spectra stay in the processor's cache.
FRAMES = 512

#: Most samples of a window, and most features: a hundred times what is published.
LARGEST = 2**25
LIMITS = {
    "feature_size": whole(1, 2**10),
    "sampling_rate": whole(1000, 384_000),
    "hop_length": whole(1, 2**16),
    "n_fft": whole(2, 2**13),
    "chunk_length": whole(1, 3600),
    "dither": number(0, 0),
    "padding_value": number(0, 0),
}


@dataclass(frozen=True)
class LogMel:
    """How sound becomes features; the defaults are those of most checkpoints.

    Attributes:
        feature_size: bands of the mel scale.
        sampling_rate: samples a second.
        hop_length: samples from one frame to the next.
        n_fft: samples of a frame.
        chunk_length: seconds of a window.
    """

    feature_size: int = 80
    sampling_rate: int = 16_000
    hop_length: int = 160
    n_fft: int = 400
    chunk_length: int = 30

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> LogMel:
        """Reads the published ``preprocessor_config.json``.

        Raises:
            CheckpointError: a value that no published one is near, or noise that is to be added.
        """
        check(config, LIMITS, optional=True)
        found = cls(**{name: config[name] for name in cls().stated if config.get(name) is not None})
        if found.window_samples > LARGEST or found.window_frames * found.feature_size > LARGEST:
            raise CheckpointError(
                f"a window of {found.window_samples} samples and {found.window_frames} frames; expected at "
                f"most {LARGEST} numbers of each; check preprocessor_config.json"
            )
        return found

    @property
    def stated(self) -> dict[str, int]:
        """The settings under their published names."""
        return dict(vars(self))

    @property
    def window_samples(self) -> int:
        """Samples of a window."""
        return self.chunk_length * self.sampling_rate

    @property
    def window_frames(self) -> int:
        """Frames of a window."""
        return self.window_samples // self.hop_length

    def frames_of(self, samples: int) -> int:
        """How many frames a sound of so many samples has."""
        return samples // self.hop_length

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """Features of a whole sound, which need not be as long as a window.

        Args:
            samples: ``[n]`` from -1 to 1, more than half a frame of them.

        Returns:
            ``[n // hop_length, feature_size]``, float32.

        >>> LogMel()(np.zeros(16_000, "float32")).shape
        (100, 80)
        """
        return scaled(self.raw(samples))

    def window(self, samples: np.ndarray) -> np.ndarray:
        """Features of at most one window, silence after it: ``[window_frames, feature_size]``."""
        padded = np.zeros(self.window_samples, "float32")
        padded[: len(samples)] = samples
        return self(padded)

    def raw(self, samples: np.ndarray) -> np.ndarray:
        """Logarithms of band powers, ``[n // hop_length, feature_size]``; what lies beyond is mirrored."""
        half = self.n_fft // 2
        padded = np.pad(samples.astype("float32", copy=False), (half, half), mode="reflect")
        return self._powers(padded, self.frames_of(len(samples)))

    def blocks(self, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """The same in parts as samples come; together they are :meth:`raw` of the whole sound.

        Args:
            blocks: ``[n]`` each, mono samples at ``sampling_rate``.

        Yields:
            ``[n, feature_size]``, logarithms of band powers.
        """
        half, hop = self.n_fft // 2, self.hop_length
        waiting, begun, heard, given = np.zeros(0, "float32"), False, 0, 0
        for block in blocks:
            heard += len(block)
            waiting = np.concatenate([waiting, block.astype("float32", copy=False)])
            if not begun:
                if len(waiting) <= half:
                    continue
                waiting, begun = np.concatenate([waiting[half:0:-1], waiting]), True
            count = max(0, (len(waiting) - self.n_fft) // hop + 1)
            if count:
                yield self._powers(waiting, count)
                waiting, given = waiting[count * hop :], given + count
        if not begun:
            if not len(waiting):
                return
            # Less than half a frame cannot be mirrored: silence follows it.
            waiting = np.concatenate([np.zeros(half, "float32"), waiting])
            waiting = np.pad(waiting, (0, self.n_fft))
        else:
            waiting = np.concatenate([waiting, waiting[-half - 1 : -1][::-1]])
        if rest := min(self.frames_of(heard) - given, (len(waiting) - self.n_fft) // hop + 1):
            yield self._powers(waiting, rest)

    def _powers(self, padded: np.ndarray, count: int) -> np.ndarray:
        """Logarithms of the powers of the first ``count`` frames."""
        out = np.empty((count, self.feature_size), "float32")
        if not count:
            return out
        window, bank = _window(self.n_fft), filters(self.feature_size, self.n_fft, self.sampling_rate)
        frames = np.lib.stride_tricks.sliding_window_view(padded, self.n_fft)[:: self.hop_length][:count]
        for start in range(0, count, FRAMES):
            part = slice(start, start + FRAMES)
            # In float64, since quiet bands beside loud ones are what rounding would leave of them.
            spectra = scipy.fft.rfft(frames[part] * window, axis=1)
            power = (np.square(spectra.real) + np.square(spectra.imag)).astype("float32")
            out[part] = np.log10(np.maximum(power @ bank, np.float32(FLOOR)))
        return out


def scaled(raw: np.ndarray, peak: float | None = None) -> np.ndarray:
    """Logarithms of band powers to what the network reads.

    Args:
        raw: ``[t, bands]``.
        peak: the largest of the sound; the largest of ``raw`` when left out.
    """
    if peak is None:
        peak = float(raw.max(initial=-np.inf))
    return np.asarray((np.maximum(raw, np.float32(peak - RANGE)) + np.float32(SCALE)) / np.float32(SCALE))


class Frames:
    """Features of a sound that is read as windows ask for them; what lies before a window is let go.

    Where the largest power of the whole sound is not known, that of what was heard so far takes its place.

    Args:
        settings: how sound becomes features.
        blocks: mono samples as they come.
        peak: the largest logarithm of a band's power, from :func:`peak_of`.
        span: most frames of the sound in a window, fewer than a window has where answers must come soon.

    Attributes:
        loudness: decibels of the last window's loudest band, 0 for the loudest sine that there can be.

    Example::

        frames = Frames(LogMel(), blocks)
        frames.window(0), frames.count
    """

    def __init__(
        self,
        settings: LogMel,
        blocks: Iterable[np.ndarray],
        peak: float | None = None,
        span: int | None = None,
    ) -> None:
        self.settings, self._given = settings, peak
        self.span = min(span or settings.window_frames, settings.window_frames)
        self.loudness = -np.inf
        self._parts = settings.blocks(blocks)
        self._kept = np.zeros((0, settings.feature_size), "float32")
        self._first, self._total, self._heard, self._ended = 0, 0, -np.inf, False

    @property
    def count(self) -> int | None:
        """Frames of the sound, once its end was read."""
        return self._total if self._ended else None

    def window(self, start: int) -> tuple[np.ndarray, int]:
        """The features from a frame on, as long as a window, and how many of them are of the sound.

        What follows the end is 0, as published.

        Args:
            start: no less than in the call before.
        """
        size, span = self.settings.window_frames, self.span
        self._read(start + span)
        self._kept = self._kept[max(0, start - self._first) :]
        self._first = max(self._first, start)
        self.loudness = 10 * float(self._kept[:span].max(initial=-np.inf)) - FULL
        found = scaled(self._kept[:span], self._given if self._given is not None else self._heard)
        out = np.zeros((size, self.settings.feature_size), "float32")
        out[: len(found)] = found
        return out, len(found)

    def _read(self, end: int) -> None:
        parts = [self._kept]
        while self._total < end and not self._ended:
            part = next(self._parts, None)
            if part is None:
                self._ended = True
                break
            parts.append(part)
            self._total += len(part)
            self._heard = max(self._heard, float(part.max(initial=-np.inf)))
        if len(parts) > 1:
            self._kept = np.concatenate(parts)


def peak_of(settings: LogMel, blocks: Iterable[np.ndarray]) -> float:
    """The largest logarithm of a band's power in a sound, read once in constant memory."""
    return max((float(part.max()) for part in settings.blocks(blocks) if len(part)), default=-np.inf)


@functools.lru_cache(maxsize=8)
def _window(size: int) -> np.ndarray:
    """Hann's, for frames that follow each other."""
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size))


@functools.lru_cache(maxsize=8)
def filters(bands: int, points: int, rate: int) -> np.ndarray:
    """Slaney's triangles of equal area, ``[points // 2 + 1, bands]`` in float32.

    Their places are even up to 1 kHz and grow by a constant factor above.
    """
    edges = _hertz(np.linspace(0.0, _slaney(HIGHEST), bands + 2))
    places = np.linspace(0, rate // 2, points // 2 + 1)[:, None]
    widths = np.diff(edges)
    rising = (places - edges[:-2]) / widths[:-1]
    falling = (edges[2:] - places) / widths[1:]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return (triangles * (2.0 / (edges[2:] - edges[:-2]))).astype("float32")


#: Slaney's scale: hertz a step below where it turns logarithmic, that place, and steps of a factor of 6.4.
_STEP, _TURN, _FACTOR = 200.0 / 3, 1000.0, 27.0 / np.log(6.4)


def _slaney(hertz: float) -> float:
    return float(_TURN / _STEP + np.log(hertz / _TURN) * _FACTOR)


def _hertz(steps: np.ndarray) -> np.ndarray:
    turn = _TURN / _STEP
    return np.where(steps < turn, steps * _STEP, _TURN * np.exp((steps - turn) / _FACTOR))
