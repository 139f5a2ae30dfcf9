"""What Whisper learns from: windows of sound, and their texts token by token."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from sixarts.batching import TRAINING_LENGTHS, bucket, rows_bucket
from sixarts.errors import InputError
from sixarts.media.audio import whole_audio
from sixarts.media.sound_augmentation import changed_sound, masked_features
from sixarts.training import Lesson
from sixarts_speech.whisper_decoding import Decoding


class WhisperLessons(Sequence[Lesson]):
    """Batches of sounds of at most one window and their texts, without times, shuffled anew each epoch.

    Args:
        model: the network.
        examples: sounds with what is said in them.
        training: options of ``fit``.
        epoch: the same one gives the same lessons.
        language: what all is spoken in; by default the first of the model's languages.
    """

    def __init__(
        self, model: Any, examples: Sequence[Any], training: Any, epoch: int, language: str | None = None
    ) -> None:
        self.model, self.examples, self.training, self.epoch = model, examples, training, epoch
        speech = model.speech
        spoken = language or next(iter(speech.languages), None)
        self.prompt = model.recognizer.prompt(Decoding(times=False), spoken)
        order = np.random.default_rng([training.seed, epoch]).permutation(len(examples))
        size = training.batch_size
        self.batches = [order[at : at + size] for at in range(0, len(order), size)]

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Lesson]:
        # A sequence's own would take an IndexError of a task's for the end.
        return (self[place] for place in range(len(self)))

    def __getitem__(self, place: Any) -> Lesson:  # type: ignore[override]
        chosen = self.batches[place]
        model, training = self.model, self.training
        features, tokens = model.processor.features, model.processor.tokens
        random = np.random.default_rng([training.seed, self.epoch, place])
        sounds, texts = [], []
        for number in chosen:
            x, text = self.examples[int(number)]
            sound = whole_audio(x, features.sampling_rate, features.chunk_length)
            sound = changed_sound(sound, features.sampling_rate, training, random)
            sounds.append(features.window(sound[: features.window_samples]))
            texts.append([*self.prompt, *tokens.encode(" " + text.strip()), model.speech.end])
            if len(texts[-1]) > model.longest:
                raise InputError(
                    f"a text of {len(texts[-1])} tokens; expected at most {model.longest}", int(number)
                )
        rows = rows_bucket(len(chosen), training.batch_size)
        fill = np.resize(np.arange(len(chosen)), rows)
        length = min(bucket(max(map(len, texts)) - 1, TRAINING_LENGTHS), model.longest)
        read, said = (np.full((rows, length), model.search.pad, "int32") for _ in range(2))
        weights = np.zeros((rows, length), "float32")
        for row, own in enumerate(fill):
            text = texts[own]
            read[row, : len(text) - 1], said[row, : len(text) - 1] = text[:-1], text[1:]
            # The prompt is told, not learned; what fills up the batch counts for nothing.
            if row < len(chosen):
                weights[row, len(self.prompt) - 1 : len(text) - 1] = 1
        heard = np.stack([sounds[row] for row in fill])
        if training.mask:
            heard = masked_features(heard, training.mask, random)
        return Lesson(
            {"input_features": heard, "decoder_input_ids": read}, {"logits": said}, {"logits": weights}
        )
