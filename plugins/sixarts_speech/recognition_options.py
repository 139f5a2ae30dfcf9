"""What a call and a training of speech recognition may choose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sixarts.errors import OptionError
from sixarts.task import Options
from sixarts.training import Training

#: Option to the least and the most that it may be.
RANGES = {
    "window": (0.5, 600.0),
    "overlap": (0.0, 60.0),
    "delay": (0.1, 30.0),
    "silence": (-200.0, 0.0),
    "beams": (1, 1000),
    "lm_weight": (0.0, 100.0),
    "word_bonus": (-100.0, 100.0),
    "compression_ratio": (0.0, 1e6),
    "log_probability": (-1e6, 0.0),
    "no_speech": (0.0, 1.0),
    "max_new_tokens": (1, 100_000),
    "seed": (0, 2**32 - 1),
}


@dataclass(frozen=True)
class RecognitionOptions(Options):
    """Options of ``automatic-speech-recognition``.

    Attributes:
        window: seconds that a CTC or Moonshine model hears at once; a longer sound is cut into windows.
        overlap: seconds of each window's ends that a CTC model hears and does not write down, since words may
            be cut there; Moonshine's windows, which do not overlap, are cut where it is quietest in twice as
            many.
        delay: seconds of a stream after which its words are given.
        silence: decibels (of full scale) below which nothing is heard; silence does not become words.
        beams: texts that the search keeps; 1 takes the likeliest token at every step.
        language_model: for CTC models with ``beams``: an ARPA file, a KenLM binary, or a function from a
            tuple of words to the natural logarithm of the last one's probability after the others.
        lm_weight: how much its logarithms count.
        word_bonus: what each word adds to a text's score, beside a language model.
        words: whether a Whisper model is asked when each word was said, which takes a second look; CTC models
            tell it anyway.
        language: of what is spoken, a code or an English name, for models of several; ``None`` to tell it
            from the sound.
        translate: whether a model that can writes down English, whatever is spoken.
        prompt: words that the sound may hold, such as names, which Whisper reads before it begins.
        build_on: whether Whisper reads what it heard in the windows before.
        temperatures: at which Whisper answers, in turn, 0 for the likeliest, until an answer looks right by
            ``compression_ratio`` and ``log_probability``.
        compression_ratio: an answer that can be made smaller by more than this repeats itself.
        log_probability: an answer whose tokens have a mean logarithm below this looks wrong.
        no_speech: an answer that looks wrong where nobody speaks, with more than this probability, is none.
        max_new_tokens: most tokens of a window; as many as the model's authors allow by default.
        seed: of what is drawn at temperatures above 0.
        batch_size: windows that go through the model together.
    """

    window: float = 20.0
    overlap: float = 2.0
    delay: float = 2.0
    silence: float = -60.0
    beams: int = 1
    language_model: str | Path | Callable[..., Any] | None = None
    lm_weight: float = 0.5
    word_bonus: float = 1.0
    words: bool = False
    language: str | None = None
    translate: bool = False
    prompt: str = ""
    build_on: bool = False
    temperatures: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    compression_ratio: float | None = 2.4
    log_probability: float | None = -1.0
    no_speech: float | None = 0.6
    max_new_tokens: int | None = None
    seed: int = 0
    batch_size: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise OptionError(f"{name}={value!r}; expected a number from {low:g} to {high:g}")
        if self.window <= 2 * self.overlap:
            raise OptionError(
                f"window={self.window:g} with overlap={self.overlap:g}; expected a window of more than two "
                "overlaps"
            )


@dataclass(frozen=True)
class RecognitionTraining(Training):
    """Options of ``fit`` for speech recognition; each change is drawn anew for each sound and epoch.

    Attributes:
        speed: how much faster or slower a sound is played at most, as a share; its pitch goes with it.
        noise: share of sounds to which noise is added, from 5 to 30 decibels below them.
        gain: decibels by which a sound is made louder or softer at most.
        tilt: decibels by which highs are raised or lowered against lows at most: microphones differ so.
        mask: share of the features' time and bands that is hidden at most (SpecAugment, Park et al. 2019).
        warp: share by which bands are moved up or down at most, as if a throat were shorter or longer (Jaitly
            and Hinton 2013).
        color: decibels that a smooth curve over the bands adds, one standard deviation: rooms and microphones
            have such curves.
        learning_rate: the highest that the schedule reaches.
        batch_size: sounds a step.
    """

    speed: float = 0.0
    noise: float = 0.0
    gain: float = 0.0
    tilt: float = 0.0
    mask: float = 0.0
    warp: float = 0.0
    color: float = 0.0
    learning_rate: float = 1e-3
    batch_size: int = 16

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, most in (
            ("speed", 0.5),
            ("noise", 1.0),
            ("gain", 60.0),
            ("tilt", 60.0),
            ("mask", 0.5),
            ("warp", 0.5),
            ("color", 60.0),
        ):
            if not 0 <= getattr(self, name) <= most:
                raise OptionError(f"{name}={getattr(self, name)!r}; expected a number from 0 to {most:g}")
