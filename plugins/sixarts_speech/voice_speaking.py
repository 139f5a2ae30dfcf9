"""How a ``source_filter`` voice speaks, learns from recordings, and tells when its words are said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.random import default_rng

from sixarts.batching import TRAINING_LENGTHS, Batch, bucket
from sixarts.errors import InputError, OptionError
from sixarts.media.audio import whole_audio
from sixarts.training import Lesson
from sixarts_speech.pitch_tracking import pitch_of
from sixarts_speech.reading import Token, tokens
from sixarts_speech.sentence import Sentence, filled
from sixarts_speech.source_filter import PARTS
from sixarts_speech.speech import Mark, Speech
from sixarts_speech.voice_lessons import Lessons, Take, losses
from sixarts_speech.voice_processor import VoiceProcessor, frames_of
from sixarts_speech.voice_sound import PITCH_STEP, bands_of, contour, pulses

#: Seconds of a recording that a voice learns from at most.
LONGEST = 30.0
#: Frames that batches are filled up to; few, since frames cost little and each length is compiled.
LENGTHS = tuple(sorted(round(2**power * part) for power in range(6, 15) for part in (1, 1.5)))
#: Frames of one sentence at most: some five minutes.
MOST = 2**15


class Planned(NamedTuple):
    """How a sentence is to be said: frames and state of each symbol, and each frame's pitch in octaves."""

    durations: np.ndarray
    pitch: np.ndarray
    hidden: np.ndarray


class VoiceSpeaking:
    """Speaks with a :class:`~sixarts_speech.source_filter.SourceFilterVoice`."""

    def __init__(self, model: Any) -> None:
        self.model = model

    @property
    def rate(self) -> int:
        """Samples a second."""
        return int(self.model.rate)

    @property
    def language(self) -> str:
        """ISO code of its texts."""
        return str(self.model.processor.language)

    def check_options(self, options: Any) -> None:
        """Raises :class:`OptionError` for what this voice cannot do."""
        if options.speaker:
            raise OptionError(f"speaker={options.speaker}; expected 0: this model has one voice")
        for name in ("noise_scale", "noise_scale_duration"):
            if getattr(options, name) is not None:
                raise OptionError(
                    f"{name}={getattr(options, name)}; expected none: it is for VITS models, and this voice "
                    "draws no more than its breath"
                )

    def spell(self, tokens: Sequence[Token], text: str, options: Any) -> Any:
        """A sentence's symbols.

        Raises:
            InputError: nothing of it can be said.
        """
        if not options.normalize:
            tokens = [token._replace(spoken=tuple(token.written.split())) for token in tokens]
        return self.model.processor.spell(tokens)

    def size(self, spelled: Any) -> int:
        return len(spelled.numbers)

    def prepare(self, sentences: Sequence[Sentence], options: Any) -> Batch:
        processor = self.model.processor
        # A row's plan is made of its own symbols alone, so that rounding durations and pitch, which turns a
        # difference in the last digit into one that is heard, gives the same in every batch.
        rows = [
            processor.pad([each.spelled], bucket(len(each.spelled.numbers), TRAINING_LENGTHS))
            for each in sentences
        ]
        longest = max(row["input_ids"].shape[1] for row in rows)
        arrays = {
            name: np.concatenate(
                [np.pad(row[name], ((0, 0), (0, longest - row[name].shape[1]))) for row in rows]
            )
            for name in rows[0]
        }
        arrays["number"] = np.array([each.number for each in sentences])
        return Batch(arrays, tuple(sentences))

    def answer(self, batch: Batch, options: Any) -> Mapping[str, np.ndarray]:
        ids, places = batch.arrays["input_ids"], batch.arrays["places"]
        model = self.model
        planned: dict[tuple[bytes, bytes], Planned] = {}
        rows = []
        for row in range(len(ids)):
            # Rows that fill a batch up are planned once.
            key = (ids[row].tobytes(), places[row].tobytes())
            if key not in planned:
                planned[key] = self.plan_of(ids[row], places[row], options)
            rows.append(planned[key])
        length = filled(max(int(row.durations.sum()) for row in rows), LENGTHS)
        if length > MOST:
            raise InputError(
                f"a sentence that would last for {length * model.hop / model.rate:.0f} s; expected at most "
                f"{MOST * model.hop // model.rate} s; give it in shorter ones"
            )
        arrays = frames_of([(row.durations, row.pitch) for row in rows], length)
        sources = np.zeros((len(ids), length * model.hop, 2), "float32")
        hidden = np.zeros((*ids.shape, model.config["hidden_size"]), "float32")
        durations = np.zeros(ids.shape, "int64")
        for place, row in enumerate(rows):
            count = int(row.durations.sum()) * model.hop
            draw = default_rng([options.seed, int(batch.arrays["number"][place])])
            sources[place, :count, 0] = pulses(row.pitch, model.hop, model.rate, options.pitch / 12)
            sources[place, :count, 1] = draw.standard_normal(count, "float32")
            hidden[place, : len(row.hidden)] = row.hidden
            durations[place, : len(row.durations)] = row.durations
        return {"waveform": model.render(hidden, {**arrays, "sources": sources}), "durations": durations}

    def plan_of(self, ids: np.ndarray, places: np.ndarray, options: Any) -> Planned:
        """How one row of symbols is to be said."""
        count = int((places > 0).sum())
        size = bucket(count, TRAINING_LENGTHS)
        plan = self.model.plan({"input_ids": ids[None, :size], "places": places[None, :size]})
        frames = np.exp(np.clip(plan.log_durations[0, :count], -5, 7)) / options.rate
        durations = np.maximum(np.round(frames), 1).astype("int64")
        points = np.round(plan.points[0, :count] / PITCH_STEP) * PITCH_STEP
        return Planned(durations, contour(points, durations), plan.hidden[0, :count])

    def finish(self, outputs: Mapping[str, np.ndarray], batch: Batch, options: Any) -> list[Speech]:
        found = []
        hop, rate = self.model.hop, self.rate
        for row, sentence in enumerate(batch.context):
            durations = outputs["durations"][row]
            sound = np.array(outputs["waveform"][row, : int(durations.sum()) * hop], "float32")
            ends = np.cumsum(durations) * hop / rate
            starts = ends - durations * hop / rate
            marks = [
                Mark(sentence.tokens[owner].written, float(starts[first]), float(ends[last]))
                for owner, first, last in self.words(sentence, options)
            ]
            found.append(Speech(sound, rate, tuple(marks), sentence.text))
        return found

    def words(self, sentence: Sentence, options: Any) -> list[tuple[int, int, int]]:
        """Tokens that are said, each with its first and its last symbol."""
        found: dict[int, tuple[int, int]] = {}
        for place, owner in enumerate(sentence.spelled.owners):
            if owner >= 0:
                found[owner] = (found.get(owner, (place, 0))[0], place)
        return [(owner, *span) for owner, span in found.items()]

    # Learning.

    def adapt(self, examples: Sequence[tuple[str, Any]], training: Any) -> tuple[str, ...]:
        """A new voice spells with the letters of its texts."""
        if self.model.built:
            return ()
        language = self.model.config["language"]
        words = [word for text, _ in examples for token in tokens(text, language) for word in token.spoken]
        processor = VoiceProcessor.of_letters(words, language)
        self.model = self.model.build_for(processor)
        return (f"nothing by a network with {len(processor.symbols)} symbols",)

    def takes(self, examples: Sequence[tuple[str, Any]], options: Any) -> list[Take]:
        """Recordings as something to learn from.

        Raises:
            InputError: a text that is longer than its recording.
        """
        model, found = self.model, []
        for place, (text, sound) in enumerate(examples):
            samples = whole_audio(sound, model.rate, LONGEST)
            frames = len(samples) // model.hop
            spelled = self.spell(tokens(text, self.language), text, options)
            if frames < len(spelled.numbers):
                raise InputError(
                    f"a recording of {len(samples) / model.rate:.2f} s for {len(spelled.numbers)} sounds; "
                    "expected the recording of this very text",
                    place,
                )
            samples = samples[: frames * model.hop]
            bands = bands_of(samples, model.rate, model.hop, model.config["bands"])
            found.append(Take(spelled, bands, pitch_of(samples, model.rate, model.hop), samples, None))
        return found

    def lessons(self, takes: Sequence[Take]) -> Lessons:
        """Batches of takes, which frames are which symbol's told by what the network expects now."""
        model = self.model
        made = Lessons(takes, model.processor, model.hop, model.rate, PARTS)
        made.align([model.plan(model.processor.pad([take.spelled])).prior[0] for take in takes])
        return made

    def learn(self, takes: Sequence[Take], training: Any, epoch: int) -> Iterable[Lesson]:
        return self.lessons(takes).epoch(training.batch_size, training.seed, epoch)

    def loss(self) -> Any:
        return losses()
