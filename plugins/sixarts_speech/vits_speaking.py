"""How a VITS model speaks: symbols of a sentence, noise of its own, and the words' times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.random import default_rng

from sixarts.batching import Batch
from sixarts.errors import InputError, OptionError, TrainingError
from sixarts_speech.reading import Token, spoken_text
from sixarts_speech.sentence import LENGTHS, Sentence, filled, raised
from sixarts_speech.speech import Mark, Speech

#: ISO 639-3, as checkpoints of many languages state it, to the code of two letters that numbers are read by.
CODES = {
    "eng": "en", "fra": "fr", "deu": "de", "spa": "es", "por": "pt", "ita": "it", "nld": "nl", "rus": "ru",
    "pol": "pl", "ces": "cz", "swe": "sv", "dan": "da", "nob": "no", "fin": "fi", "hun": "hu", "ron": "ro",
    "tur": "tr", "ara": "ar", "heb": "he", "hin": "hi", "ind": "id", "vie": "vi", "tha": "th", "kor": "ko",
    "jpn": "ja", "ukr": "uk", "lit": "lt", "lav": "lv", "srp": "sr", "fas": "fa", "tel": "te", "kan": "kn",
    "ben": "bn", "cym": "cy", "isl": "is", "slv": "sl", "slk": "sk", "cat": "ca",
}  # fmt: skip


class VitsSpeaking:
    """Speaks with a :class:`~sixarts_speech.vits.Vits` model."""

    def __init__(self, model: Any) -> None:
        self.model = model

    @property
    def rate(self) -> int:
        """Samples a second."""
        return int(self.model.config["sampling_rate"])

    @property
    def language(self) -> str:
        """ISO code of two letters of its texts, where it is known; ``"en"`` where a file says none."""
        stated = str(self.model.processor.language or "en").lower()
        return CODES.get(stated, stated.split("-")[0].split("_")[0])

    def check_options(self, options: Any) -> None:
        """Raises :class:`OptionError` for what this voice cannot do."""
        voices = self.model.speakers
        if options.speaker is not None and options.speaker >= voices:
            raise OptionError(
                f"speaker={options.speaker}; expected a number from 0 to {voices - 1}: "
                + (f"this model has {voices} voices" if voices > 1 else "this model has one voice")
            )

    def spell(self, tokens: Sequence[Token], text: str, options: Any) -> Any:
        """Numbers of a sentence's symbols.

        Raises:
            InputError: the voice has none of its characters.
        """
        said = spoken_text(list(tokens)) if options.normalize else text
        return self.model.processor.encode(said)

    def size(self, spelled: Any) -> int:
        return len(spelled)

    def prepare(self, sentences: Sequence[Sentence], options: Any) -> Batch:
        arrays = self.model.processor.pad([sentence.spelled for sentence in sentences])
        if self.model.speakers > 1:
            arrays["speaker"] = np.full((len(sentences), 1), options.speaker or 0, "int32")
        arrays["number"] = np.array([sentence.number for sentence in sentences])
        return Batch(arrays, tuple(sentences))

    def answer(self, batch: Batch, options: Any) -> Mapping[str, np.ndarray]:
        model, c = self.model, self.model.config
        arrays = {name: array for name, array in batch.arrays.items() if name != "number"}
        mask, size = arrays["attention_mask"], c["flow_size"]
        scale, lasting = (
            np.float32(c[name] if getattr(options, name) is None else getattr(options, name))
            for name in ("noise_scale", "noise_scale_duration")
        )
        draws = [default_rng([options.seed, int(number)]) for number in batch.arrays["number"]]
        noise = np.zeros((*mask.shape, 2), "float32")
        for row, draw in enumerate(draws):
            noise[row, : mask[row].sum()] = draw.standard_normal((int(mask[row].sum()), 2), "float32")
        # A higher voice is a slower one that is played faster.
        pace = options.rate * c["speaking_rate"] / raised(options.pitch)
        plan = model.plan(arrays, noise * lasting, pace)
        counts = plan.durations.sum(axis=1)
        if not counts.all():
            raise InputError("a text that would be said in no time; expected a lower rate, or a longer text")
        length = filled(int(counts.max()), LENGTHS)
        places = np.zeros((len(mask), length), "int64")
        shown = np.arange(length) < counts[:, None]
        drawn = np.zeros((len(mask), length, size), "float32")
        for row, draw in enumerate(draws):
            count = int(counts[row])
            places[row, :count] = np.repeat(np.arange(mask.shape[1]), plan.durations[row])
            drawn[row, :count] = draw.standard_normal((count, size), "float32")
        means, deviations = (
            np.take_along_axis(each, places[..., None], axis=1) for each in (plan.means, plan.log_deviations)
        )
        sound = model.render(means, deviations, shown, drawn * scale, arrays.get("speaker"))
        return {"waveform": sound, "durations": plan.durations}

    def finish(self, outputs: Mapping[str, np.ndarray], batch: Batch, options: Any) -> list[Speech]:
        found = []
        rate, hop, factor = self.rate, self.model.hop, raised(options.pitch)
        for row, sentence in enumerate(batch.context):
            durations = outputs["durations"][row]
            sound = outputs["waveform"][row, : int(durations.sum()) * hop]
            if options.pitch:
                import soxr

                sound = soxr.resample(sound, rate * factor, rate).astype("float32")
            ends = np.cumsum(durations) * hop / rate / factor
            marks = self._marks(sentence, ends, options)
            found.append(Speech(np.ascontiguousarray(sound, "float32"), rate, marks, sentence.text))
        return found

    def _marks(self, sentence: Sentence, ends: np.ndarray, options: Any) -> tuple[Mark, ...]:
        """When each token is said, where the symbols' words are as many as the text's."""
        words = self.words(sentence, options)
        starts = np.concatenate([[0.0], ends])
        found: dict[int, tuple[float, float]] = {}
        for owner, first, last in words:
            begin = found.get(owner, (float(starts[first]), 0.0))[0]
            found[owner] = (begin, float(ends[last]))
        return tuple(Mark(sentence.tokens[owner].written, *times) for owner, times in found.items())

    def words(self, sentence: Sentence, options: Any) -> list[tuple[int, int, int]]:
        """Tokens that are said, each with its first and its last symbol; none where they cannot be told."""
        processor = self.model.processor
        said = spoken_text(list(sentence.tokens)) if options.normalize else sentence.text
        symbols = processor.symbols(said)
        step, start = (2, 1) if processor.blank else (1, 0)
        spans, at = [], 0
        for part in symbols.split(" "):
            if part:
                spans.append((start + step * at, start + step * (at + len(part) - 1)))
            at += len(part) + 1
        owners = [
            owner
            for owner, token in enumerate(sentence.tokens)
            for word in (token.spoken if options.normalize else (token.written,))
            if processor.phonemes or any(letter in processor.vocabulary for letter in word.lower())
        ]
        if len(owners) != len(spans):
            return []
        return [(owner, *span) for owner, span in zip(owners, spans, strict=True)]

    # A VITS voice is learned with a discriminator and a posterior encoder, which its files do not hold.

    def adapt(self, examples: Any, training: Any) -> Any:
        raise TrainingError(
            "a VITS model cannot be trained here: it is learned with a discriminator, which no checkpoint "
            "holds; expected a voice of the family source_filter: load the starter, or "
            "sixarts.new('text-to-speech', family='source_filter')"
        )
