"""How Moonshine answers: windows cut where it is quiet, the text of each, and a transcript of that."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np

from sixarts.batching import LENGTHS, Batch, bucket, rows_bucket
from sixarts.errors import OptionError, TrainingError
from sixarts.generation import Search
from sixarts.losses import SmoothedCrossentropy
from sixarts.media.audio import is_stream, read_audio
from sixarts.media.log_mel import PICTURED, joined_pictures, picture_of
from sixarts.media.loudness import decibels
from sixarts.media.sound_windows import Window, stretches
from sixarts.media.transcript import Picture, Segment, Transcript, Word
from sixarts.training import Lesson
from sixarts_kerashub.moonshine_lessons import CHANGES, MoonshineLessons

#: Seconds that windows are filled up to, since every new length compiles anew.
SECONDS = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 48.0, 64.0)
#: Seconds of the longest sound that Moonshine was made for.
LONGEST = 64.0
#: Seconds over which loudness is measured, for where windows end and for silence.
GRAIN = 0.05
#: Options that it cannot follow, to the models that can.
WITHOUT = {
    **dict.fromkeys(("language", "translate", "prompt", "build_on", "temperatures"), "Whisper"),
    **dict.fromkeys(("compression_ratio", "log_probability", "no_speech"), "Whisper"),
    **dict.fromkeys(("language_model", "lm_weight", "word_bonus"), "CTC"),
    "words": "Whisper or CTC",
}


@dataclass(frozen=True)
class Piece:
    """A window, and whether all of it is silent."""

    window: Window
    silent: bool


@dataclass(frozen=True)
class Heard:
    """What was said in a window: its text, how sure that is, where it lies in samples, and its picture."""

    text: str
    confidence: float
    start: int
    end: int
    picture: Picture | None


class MoonshineListening:
    """The steps of a call and of a lesson for Moonshine.

    Args:
        model: a :class:`~sixarts_kerashub.moonshine.Moonshine`.
    """

    sequential = False
    #: Options with which an explanation asks for the answer that it explains.
    asking: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, model: Any) -> None:
        self.model = model

    @property
    def rate(self) -> int:
        return int(self.model.processor.rate)

    def check_options(self, options: Any) -> None:
        usual = {field.name: field.default for field in fields(options)}
        for name, others in WITHOUT.items():
            if (value := getattr(options, name)) != usual[name]:
                raise OptionError(
                    f"{name}={value!r}; the {self.model.family} family cannot follow it; leave it out, "
                    f"or choose a {others} model"
                )
        if options.window > LONGEST:
            raise OptionError(
                f"window={options.window:g}; expected at most {LONGEST:g} seconds, as Moonshine takes"
            )
        if options.max_new_tokens is not None and self.model.built:
            self.search(options)

    def search(self, options: Any) -> Search:
        """How the text of a window is searched."""
        found: Search = self.model.search
        most = found.max_length - 2
        if options.max_new_tokens is None:
            return found.with_options(beams=options.beams)
        if options.max_new_tokens > most:
            raise OptionError(f"max_new_tokens={options.max_new_tokens}; expected at most {most}")
        return found.with_options(beams=options.beams, max_length=options.max_new_tokens + 2)

    # Answering.

    def pieces(self, x: Any, options: Any) -> Iterator[Piece]:
        """Windows of a sound. Of a stream, that which grows is heard again after every ``options.delay``."""
        longest, room, grain = map(self._samples, (options.window, 2 * options.overlap, GRAIN))
        every = self._samples(options.delay) if is_stream(x) else 0
        for window in stretches(read_audio(x, self.rate), longest, room, grain, every):
            levels = decibels(window.samples, grain, math.ceil(len(window.samples) / grain))
            # Silence does not become words.
            yield Piece(window, bool(levels.max() < options.silence))

    def _samples(self, seconds: float) -> int:
        return round(seconds * self.rate)

    def size(self, piece: Piece) -> int:
        return len(piece.window.samples)

    def shape(self, piece: Piece) -> int:
        return 0 if piece.silent else self._filled(len(piece.window.samples))

    def _filled(self, samples: int) -> int:
        """Samples rounded up to one of a few lengths."""
        return bucket(samples, [self._samples(seconds) for seconds in SECONDS])

    def arrays(self, sounds: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """Some sounds as the network takes them."""
        size = self._filled(max(map(len, sounds)))
        found: dict[str, np.ndarray] = self.model.processor.arrays(sounds, size, self.model.shortest)
        return found

    def prepare(self, pieces: Sequence[Piece], options: Any) -> Batch:
        return Batch(self.arrays([piece.window.samples for piece in pieces]), list(pieces))

    def answer(self, batch: Batch, options: Any) -> Mapping[str, np.ndarray]:
        # Windows of one batch are all silent, or none is.
        if batch.context[0].silent:
            rows = len(batch.arrays["lengths"])
            return {"tokens": np.zeros((rows, 0), "int32"), "scores": np.zeros(rows, "float32")}
        found: Mapping[str, np.ndarray] = self.model.written(batch.arrays, self.search(options))
        return found

    def finish(self, outputs: Mapping[str, np.ndarray], batch: Batch, options: Any) -> list[Heard]:
        found = []
        for tokens, score, piece in zip(outputs["tokens"], outputs["scores"], batch.context, strict=True):
            window = piece.window
            pictured = window.first < PICTURED * self.rate
            found.append(
                Heard(
                    self.model.processor.decode(tokens),
                    min(1.0, math.exp(float(score))),
                    window.first,
                    window.last,
                    picture_of(window.samples, self.rate) if pictured else None,
                )
            )
        return found

    def join(self, results: Sequence[Heard], x: Any, options: Any) -> Transcript:
        # Of a window that grew the last answer counts.
        parts = list({heard.start: heard for heard in results}.values())
        segments = tuple(
            Segment(part.text, part.start / self.rate, part.end / self.rate, part.confidence)
            for part in parts
            if part.text
        )
        return Transcript(
            " ".join(segment.text for segment in segments),
            segments,
            duration=round(parts[-1].end / self.rate, 3) if parts else 0.0,
            picture=joined_pictures([part.picture for part in parts if part.picture]),
        )

    # Explaining.

    def explainable(self, options: Any) -> float:
        """Seconds of the longest sound that is explained."""
        return float(options.window)

    def word_scores(self, sounds: Sequence[np.ndarray], words: Sequence[Word], answer: Any) -> np.ndarray:
        """The probability of each word after those before it, ``[sounds, words]``."""
        processor = self.model.processor
        text = " ".join(word.text for word in answer.words)
        found = processor.encode(text)
        told = [processor.start, processor.start]
        whole = [*told, *found.ids][: processor.limit]
        arrays = self.arrays(sounds)
        arrays["decoder_input_ids"] = np.full(
            (len(sounds), bucket(len(whole), LENGTHS)), processor.pad, "int32"
        )
        arrays["decoder_input_ids"][:, : len(whole)] = whole
        logits = self.model(Batch(arrays).filled(rows_bucket(len(sounds), 16)).arrays)["logits"]
        logits = logits[: len(sounds), len(told) - 1 : len(whole) - 1]
        logits = logits - logits.max(axis=-1, keepdims=True)
        own = np.take_along_axis(logits, np.array(whole[len(told) :])[None, :, None], axis=-1)[:, :, 0]
        chances = np.exp(own) / np.exp(logits).sum(axis=-1)
        ends = np.cumsum([len(word.text) + 1 for word in answer.words])
        # A token is the word's in which it ends.
        owners = np.searchsorted(ends, [end for _, end in found.spans[: chances.shape[1]]])
        scores = []
        for word in words:
            place = next(number for number, other in enumerate(answer.words) if other is word)
            mine = chances[:, owners == place]
            scores.append(mine.mean(axis=1) if mine.shape[1] else np.zeros(len(sounds)))
        return np.stack(scores, axis=1)

    # Learning.

    def adapt(self, examples: Sequence[Any], training: Any) -> tuple[str, ...]:
        if not self.model.built:
            raise TrainingError(
                f"a new model of family {self.model.family!r}; expected one with weights, since its "
                "tokenizer comes with a preset; load one and fine-tune it"
            )
        for name in CHANGES:
            if getattr(training, name):
                raise OptionError(
                    f"{name}={getattr(training, name)!r}; the {self.model.family} family hears samples and "
                    "has no features to change; leave it out"
                )
        return ()

    def learn(self, examples: Sequence[Any], training: Any, epoch: int) -> Sequence[Lesson]:
        return MoonshineLessons(self, examples, training, epoch)

    def loss(self, training: Any) -> Any:
        return {"logits": SmoothedCrossentropy()}
