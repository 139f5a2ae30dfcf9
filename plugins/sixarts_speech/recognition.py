"""The task ``automatic-speech-recognition``: a sound to what was said in it, with times."""

from __future__ import annotations

from collections.abc import Generator, Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from sixarts.batching import Batch
from sixarts.errors import InputError
from sixarts.explanation import Explanation
from sixarts.media.audio import SUFFIXES, VIDEOS, check_audio, is_stream, sounds_in
from sixarts.media.listening import Listener, Listening
from sixarts.media.transcript import Transcript
from sixarts.result import Metrics
from sixarts.task import Task
from sixarts.training import Lesson
from sixarts_speech.recognition_options import RecognitionOptions, RecognitionTraining
from sixarts_speech.word_errors import error_rates


class RecognitionTask(Task):
    """Answers sounds with a :class:`Transcript`.

    A sound is a path (of a video, too), bytes, a ``data:`` URI, a file object, ``(samples, rate)``, or
    ``(chunks, rate)`` as they come from a microphone; see :mod:`sixarts.media.audio`. A folder or a glob
    pattern stands for all the sounds in it.

    Example::

        listen = sixarts.load("automatic-speech-recognition")
        listen("talk.wav").to_srt()
        for partial in listen.live((microphone, 16000)): ...
    """

    Options = RecognitionOptions
    Training = RecognitionTraining

    @property
    def listening(self) -> Listening:
        """How the model answers: what differs by kind of network."""
        return cast(Listener, self.model).listening()

    @property
    def sequential(self) -> bool:  # type: ignore[override]
        return self.listening.sequential

    def check(self, x: Any, options: Any) -> None:
        check_audio(x)

    def check_options(self, options: Any) -> None:
        self.listening.check_options(options)

    def check_example(self, example: Any, options: Any) -> None:
        super().check_example(example, options)
        if is_stream(example[0]):
            raise InputError("a stream of chunks; expected a sound that can be heard again, e.g. a path")
        if not isinstance(example[1], str):
            raise InputError(f"text {example[1]!r}; expected what was said, as a string")

    def many(self, x: Any) -> Iterable[Any] | None:
        return super().many(x) if isinstance(x, list) else sounds_in(x)

    @classmethod
    def read_document(cls, path: str | Path) -> tuple[Any, dict[str, Any]]:
        return Path(path), {}

    @classmethod
    def read_examples(cls, path: str | Path) -> list[Any]:
        """Sounds and their texts from a file of pairs; paths in it are found from where it lies."""
        folder = Path(path).parent
        return [
            (str(folder / sound) if (folder / sound).is_file() else sound, text)
            for sound, text in super().read_examples(path)
        ]

    # Answering.

    def pieces(self, x: Any, options: Any) -> Generator[Any, Any, None]:
        yield from self.listening.pieces(x, options)

    def size(self, piece: Any) -> int:
        return self.listening.size(piece)

    def shape(self, piece: Any) -> Hashable:
        return self.listening.shape(piece)

    def prepare(self, pieces: Sequence[Any], options: Any) -> Batch:
        return self.listening.prepare(pieces, options)

    def answer(self, batch: Batch, options: Any) -> Mapping[str, np.ndarray]:
        return self.listening.answer(batch, options)

    def finish(self, outputs: Mapping[str, np.ndarray], batch: Batch, options: Any) -> list[Any]:
        return self.listening.finish(outputs, batch, options)

    def join(self, results: Sequence[Any], x: Any, options: Any) -> Transcript:
        return self.listening.join(results, x, options)

    # Learning and judging.

    def adapt(self, examples: Sequence[Any], training: Any) -> tuple[str, ...]:
        listening = self.listening
        replaced = listening.adapt(examples, training)
        self.model = listening.model
        return replaced

    def learn(self, examples: Sequence[Any], training: Any, epoch: int) -> Iterable[Lesson]:
        return self.listening.learn(examples, training, epoch)

    def judging(self, training: Any) -> Any:
        from dataclasses import replace

        return replace(training, speed=0.0, noise=0.0, gain=0.0, tilt=0.0, mask=0.0, warp=0.0, color=0.0)

    def loss(self, training: Any) -> Any:
        return self.listening.loss(training)

    def measure(self, results: Sequence[Any], targets: Sequence[str], options: Any) -> Metrics:
        return error_rates(targets, [result.text for result in results])

    def attribute(self, x: Any, method: str, target: Any, options: Any) -> Explanation:
        """Which stretch of the sound made which word.

        Args:
            target: a word of the answer, or its number; all of them by default.
        """
        from sixarts_speech.sound_explanation import explained

        return explained(self, x, method, target, options)


#: Files that are one input each on the command line.
DOCUMENTS = (*SUFFIXES, *VIDEOS)
