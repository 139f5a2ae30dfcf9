"""The task ``text-to-speech``: a text to a voice that says it."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sixarts.batching import Batch
from sixarts.errors import InputError
from sixarts.explanation import Explanation
from sixarts.media.audio import check_audio, is_stream
from sixarts.result import Metrics
from sixarts.task import Task
from sixarts.training import Lesson
from sixarts_speech.reading import sentences, tokens
from sixarts_speech.sentence import Sentence
from sixarts_speech.speech import Speech, joined
from sixarts_speech.synthesis_options import SynthesisOptions, SynthesisTraining

#: Characters of a text at most: some twenty hours.
LONGEST = 1_000_000


class SynthesisTask(Task):
    """Answers texts with :class:`~sixarts_speech.speech.Speech`, a sentence at a time.

    Example::

        speak = sixarts.load("text-to-speech")
        speak("Good morning!").save("morning.wav")
        for partial in speak.live(book): play(partial.latest)
    """

    Options = SynthesisOptions
    Training = SynthesisTraining

    @property
    def speaking(self) -> Any:
        """How the model answers: what differs by family."""
        from sixarts_speech.vits import Vits
        from sixarts_speech.vits_speaking import VitsSpeaking
        from sixarts_speech.voice_speaking import VoiceSpeaking

        return VitsSpeaking(self.model) if isinstance(self.model, Vits) else VoiceSpeaking(self.model)

    def check(self, x: Any, options: Any) -> None:
        if not isinstance(x, str):
            raise InputError(f"a value of type {type(x).__name__}; expected a text, as a string")
        if not x.strip():
            raise InputError("an empty text; expected some words")
        if len(x) > LONGEST:
            raise InputError(f"{len(x)} characters; expected at most {LONGEST}; give the text in parts")
        if not any(letter.isalnum() for letter in x):
            raise InputError(f"{_shown(x)}, in which nothing can be said; expected words")
        if self.model.built and next(self._sentences(x, options), None) is None:
            # The first sentence tells why.
            speaking = self.speaking
            sentence = next(sentences(x, speaking.language))
            speaking.spell(tokens(sentence, speaking.language), sentence, options)
            raise InputError(f"{_shown(x)}, of which this voice can say nothing; expected words")

    def check_options(self, options: Any) -> None:
        if self.model.built:
            self.speaking.check_options(options)

    def check_example(self, example: Any, options: Any) -> None:
        super().check_example(example, options)
        if is_stream(example[1]):
            raise InputError("a stream of chunks; expected a recording that can be heard again, e.g. a path")
        check_audio(example[1])

    @classmethod
    def read_document(cls, path: str | Path) -> tuple[str, dict[str, Any]]:
        """A text file, said as a whole."""
        from sixarts.files import lines

        return "\n".join(lines(path)), {}

    @classmethod
    def read_examples(cls, path: str | Path) -> list[Any]:
        """Texts and their recordings from a file of pairs; paths in it are found from where it lies."""
        folder = Path(path).parent
        return [
            (text, str(folder / sound) if (folder / sound).is_file() else sound)
            for text, sound in super().read_examples(path)
        ]

    # Answering.

    def _sentences(self, x: str, options: Any) -> Generator[Sentence, None, None]:
        """The sentences of which something can be said, as they are asked for."""
        speaking = self.speaking
        for number, sentence in enumerate(sentences(x, speaking.language)):
            found = tokens(sentence, speaking.language)
            try:
                spelled = speaking.spell(found, sentence, options)
            except InputError:
                continue
            yield Sentence(sentence, found, spelled, number)

    def pieces(self, x: Any, options: Any) -> Generator[Any, Any, None]:
        yield from self._sentences(x, options)

    def size(self, piece: Any) -> int:
        return int(self.speaking.size(piece.spelled))

    def prepare(self, pieces: Sequence[Any], options: Any) -> Batch:
        return self.speaking.prepare(pieces, options)  # type: ignore[no-any-return]

    def answer(self, batch: Batch, options: Any) -> Mapping[str, np.ndarray]:
        return self.speaking.answer(batch, options)  # type: ignore[no-any-return]

    def finish(self, outputs: Mapping[str, np.ndarray], batch: Batch, options: Any) -> list[Any]:
        return self.speaking.finish(outputs, batch, options)  # type: ignore[no-any-return]

    def join(self, results: Sequence[Any], x: Any, options: Any) -> Speech:
        return joined(list(results), x, options.pause, self.speaking.rate)

    # Learning and judging.

    def adapt(self, examples: Sequence[Any], training: Any) -> tuple[str, ...]:
        speaking = self.speaking
        replaced: tuple[str, ...] = speaking.adapt(examples, training)
        self.model = speaking.model
        return replaced

    def learn(self, examples: Sequence[Any], training: Any, epoch: int) -> Iterable[Lesson]:
        return self.speaking.learn(self._takes(examples), training, epoch)  # type: ignore[no-any-return]

    def _takes(self, examples: Sequence[Any]) -> Any:
        """Recordings, listened to once for all epochs."""
        kept = getattr(self, "_heard", None)
        if kept is None or kept[0] is not examples or kept[1] is not self.model:
            kept = (examples, self.model, self.speaking.takes(examples, self.options))
            self._heard = kept
        return kept[2]

    def loss(self, training: Any) -> Any:
        return self.speaking.loss()

    def measure(self, results: Sequence[Any], targets: Sequence[Any], options: Any) -> Metrics:
        from sixarts_speech.voice_measures import distortions

        return distortions([result.waveform for result in results], targets, self.speaking.rate)

    def attribute(self, x: Any, method: str, target: Any, options: Any) -> Explanation:
        """Which symbols made what of a word's sound.

        Args:
            target: a word of the text, or its number; all of them by default.
        """
        from sixarts_speech.speech_explanation import explained

        return explained(self, x, method, target, options)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:39] + "…")
