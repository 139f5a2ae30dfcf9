"""What a call and a training of speech synthesis may choose."""

from __future__ import annotations

from dataclasses import dataclass

from sixarts.errors import OptionError
from sixarts.task import Options
from sixarts.training import Training

#: Option to the least and the most that it may be.
RANGES: dict[str, tuple[float, float]] = {
    "rate": (0.25, 4.0),
    "pitch": (-12.0, 12.0),
    "pause": (0.0, 10.0),
    "seed": (0, 2**32 - 1),
    "speaker": (0, 2**31 - 1),
    "noise_scale": (0.0, 2.0),
    "noise_scale_duration": (0.0, 2.0),
}


@dataclass(frozen=True)
class SynthesisOptions(Options):
    """Options of ``text-to-speech``.

    Attributes:
        rate: how much faster than the voice's own pace; 0.5 takes twice as long.
        pitch: semitones by which it is raised.
        pause: seconds of silence between sentences.
        seed: of the noise in a voice's breath, and of what a VITS voice draws.
        speaker: number of the voice, of a model with several; the first by default.
        noise_scale: how much a VITS voice varies its sound; as its authors chose by default.
        noise_scale_duration: how much it varies how long its sounds last.
        normalize: whether numbers, dates, abbreviations and the like are read in words first.
        batch_size: sentences that go through the model together.
    """

    rate: float = 1.0
    pitch: float = 0.0
    pause: float = 0.15
    seed: int = 0
    speaker: int | None = None
    noise_scale: float | None = None
    noise_scale_duration: float | None = None
    normalize: bool = True
    batch_size: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise OptionError(f"{name}={value!r}; expected a number from {low:g} to {high:g}")


@dataclass(frozen=True)
class SynthesisTraining(Training):
    """Options of ``fit`` for speech synthesis.

    Attributes:
        realign: epochs from one search for which frames are which symbol's to the next.
        learning_rate: the highest that the schedule reaches.
        batch_size: sentences a step.
    """

    realign: int = 1
    learning_rate: float = 3e-4
    batch_size: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.realign < 1:
            raise OptionError(f"realign={self.realign!r}; expected 1 or more")
