"""What a voice learns from: takes of sentences, with their frames, pitch and sound, in batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sixarts.batching import bucket
from sixarts.training import Lesson
from sixarts_speech.alignment_search import search
from sixarts_speech.spectral_loss import Absolute, SpectralLoss
from sixarts_speech.voice_processor import Spelled, VoiceProcessor, frames_of
from sixarts_speech.voice_sound import points_of, pulses

#: Frames that batches are filled up to.
LENGTHS = (64, 128, 256, 400, 600, 800, 1200, 1600, 2400)
#: Frames to a symbol's place in a batch: people say ten phones a second, few say 25.
CROWDED = 4
#: How much each loss counts.
WEIGHTS = {"log_durations": 0.5, "points": 4.0, "prior": 0.5, "bands": 2.0}


@dataclass(frozen=True)
class Take:
    """A sentence as somebody said it.

    Attributes:
        spelled: its symbols.
        bands: mel bands of each frame, ``[n, bands]``.
        pitch: of each frame in octaves, ``[n]``.
        samples: ``[n * hop]``.
        durations: frames of each symbol, ``[t]``, ``n`` in all; ``None`` where nobody told.
    """

    spelled: Spelled
    bands: np.ndarray
    pitch: np.ndarray
    samples: np.ndarray
    durations: np.ndarray | None


class Lessons:
    """Batches of takes for a network.

    Args:
        takes: to learn from.
        processor: of the network.
        hop, rate, parts: of its sound, and of what it tells of a symbol's pitch.
        lengths: frames that batches are filled up to; the fewer, the fewer shapes are compiled.
    """

    def __init__(
        self,
        takes: Sequence[Take],
        processor: VoiceProcessor,
        hop: int,
        rate: int,
        parts: int,
        lengths: Sequence[int] = LENGTHS,
    ) -> None:
        self.takes, self.processor = list(takes), processor
        self.hop, self.rate, self.parts, self.lengths = hop, rate, parts, lengths
        # Pulses depend on a recording's pitch alone.
        self._pulses = [pulses(take.pitch, hop, rate).astype("float16") for take in self.takes]
        # Noise is cut from one long stretch: to draw it for each batch would take longer than to learn.
        self._noise = np.random.default_rng(0).standard_normal(2 * max(lengths) * hop, "float32")

    def align(self, priors: Sequence[np.ndarray]) -> None:
        """Tells takes anew which frames are which symbol's, by what symbols are like on average."""
        self.takes = [
            replace(take, durations=search(prior[: len(take.spelled.numbers)], take.bands))
            for take, prior in zip(self.takes, priors, strict=True)
        ]

    def epoch(self, batch_size: int, seed: int, epoch: int) -> Iterator[Lesson]:
        """One pass, shuffled; the same seed and epoch give the same batches."""
        random = np.random.default_rng([seed, epoch])
        groups: dict[int, list[int]] = {}
        for index in random.permutation(len(self.takes)):
            size = bucket(len(self.takes[index].pitch), self.lengths)
            groups.setdefault(size, []).append(int(index))
        batches = [
            (size, group[start : start + batch_size])
            for size, group in sorted(groups.items())
            for start in range(0, len(group), batch_size)
        ]
        for place in random.permutation(len(batches)):
            size, indices = batches[place]
            yield self.lesson(indices, size, batch_size if len(batches) > 1 else len(indices), random)

    def lesson(self, indices: Sequence[int], length: int, rows: int, random: np.random.Generator) -> Lesson:
        """Takes as a batch of ``rows``, those beyond them weighing nothing, ``length`` frames each."""
        count = len(indices)
        indices = [*indices, *[indices[-1]] * (rows - count)]
        takes = [self.takes[index] for index in indices]
        durations = [self._lasting(take) for take in takes]
        symbols = max(length // CROWDED, bucket(max(map(len, durations)), self.lengths))
        hop, bands = self.hop, takes[0].bands.shape[1]
        arrays = self.processor.pad([take.spelled for take in takes], symbols)
        arrays |= frames_of(
            [(lasting, take.pitch) for lasting, take in zip(durations, takes, strict=True)], length
        )
        sources = np.zeros((rows, length * hop, 2), "float32")
        starts = random.integers(0, len(self._noise) - length * hop + 1, rows)
        targets = {
            "log_durations": np.zeros((rows, symbols), "float32"),
            "points": np.zeros((rows, symbols, self.parts), "float32"),
            "prior": np.zeros((rows, symbols, bands), "float32"),
            "bands": np.zeros((rows, length, bands), "float32"),
            "waveform": np.zeros((rows, length * hop), "float32"),
        }
        for row, (index, take, lasting) in enumerate(zip(indices, takes, durations, strict=True)):
            frames = len(take.pitch)
            sources[row, : frames * hop, 0] = self._pulses[index]
            sources[row, : frames * hop, 1] = self._noise[starts[row] :][: frames * hop]
            told = slice(len(lasting))
            targets["log_durations"][row, told] = np.log(np.maximum(lasting, 0.5))
            targets["points"][row, told] = points_of(take.pitch, lasting, self.parts)
            targets["prior"][row, told] = _means(take.bands, lasting)
            targets["bands"][row, :frames] = take.bands
            targets["waveform"][row, : frames * hop] = take.samples
        heard = (np.arange(rows) < count).astype("float32")
        seen = (arrays["places"] > 0) * heard[:, None]
        weights = {
            "log_durations": seen,
            "points": seen,
            "prior": seen,
            "bands": (arrays["frames"] >= 0) * heard[:, None],
            "waveform": heard,
        }
        arrays["sources"] = sources
        return Lesson(arrays, targets, {name: value.astype("float32") for name, value in weights.items()})

    def crops(self, rows: int, length: int, count: int, seed: int, epoch: int) -> Iterator[Lesson]:
        """Batches of short stretches, from true bands to sound, for a vocoder alone.

        Args:
            rows, length: stretches a batch, and frames of each.
            count: batches.
        """
        random = np.random.default_rng([seed, epoch])
        usable = [index for index, take in enumerate(self.takes) if len(take.pitch) >= length]
        hop, bands = self.hop, self.takes[0].bands.shape[1]
        for _ in range(count):
            arrays = {
                "bands": np.zeros((rows, length, bands), "float32"),
                "frames": np.zeros((rows, length), "int32"),
                "sources": np.zeros((rows, length * hop, 2), "float32"),
            }
            waveform = np.zeros((rows, length * hop), "float32")
            for row, index in enumerate(random.choice(usable, rows)):
                take = self.takes[index]
                start = int(random.integers(len(take.pitch) - length + 1))
                noise = int(random.integers(len(self._noise) - length * hop))
                within = slice(start * hop, (start + length) * hop)
                arrays["bands"][row] = take.bands[start : start + length]
                arrays["sources"][row, :, 0] = self._pulses[index][within]
                arrays["sources"][row, :, 1] = self._noise[noise : noise + length * hop]
                waveform[row] = take.samples[within]
            yield Lesson(arrays, {"waveform": waveform}, {"waveform": np.ones(rows, "float32")})

    @staticmethod
    def _lasting(take: Take) -> np.ndarray:
        if take.durations is not None:
            return take.durations
        ends = np.round(np.linspace(0, len(take.pitch), len(take.spelled.numbers) + 1)).astype("int64")
        return np.diff(ends)


def losses() -> dict[str, Any]:
    """What each output of the network is held to."""
    return {
        **{name: Absolute(scale, name) for name, scale in WEIGHTS.items()},
        "waveform": SpectralLoss(),
    }


def _means(bands: np.ndarray, durations: np.ndarray) -> np.ndarray:
    """Mean bands of each symbol's frames, ``[t, bands]``; zeros where it has none."""
    sums = np.concatenate([np.zeros((1, bands.shape[1])), np.cumsum(bands, axis=0, dtype="float64")])
    ends = np.cumsum(durations)
    return ((sums[ends] - sums[ends - durations]) / np.maximum(durations, 1)[:, None]).astype("float32")
