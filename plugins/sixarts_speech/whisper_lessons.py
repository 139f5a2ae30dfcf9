"""What Whisper learns from: windows of sound, and their texts token by token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sixarts.batching import TRAINING_LENGTHS, bucket
from sixarts.errors import InputError
from sixarts.lessons import Batches, mixed, next_tokens
from sixarts.media.audio import whole_audio
from sixarts.media.sound_augmentation import changed_sound, masked_features
from sixarts.training import Lesson
from sixarts_speech.whisper_decoding import Decoding


class WhisperLessons(Batches):
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
        super().__init__(mixed(len(examples), training, epoch), training, epoch)
        self.model, self.examples = model, examples
        spoken = language or next(iter(model.speech.languages), None)
        self.prompt = model.recognizer.prompt(Decoding(times=False), spoken)

    def lesson(self, rows: np.ndarray, weights: np.ndarray, key: tuple[int, int, int]) -> Lesson:
        model, training = self.model, self.training
        features, tokens = model.processor.features, model.processor.tokens
        random = np.random.default_rng(key)
        sounds, texts = [], []
        for number in rows.tolist():
            x, text = self.examples[number]
            sound = whole_audio(x, features.sampling_rate, features.chunk_length)
            sound = changed_sound(sound, features.sampling_rate, training, random)
            sounds.append(features.window(sound[: features.window_samples]))
            texts.append([*self.prompt, *tokens.encode(" " + text.strip()), model.speech.end])
            if len(texts[-1]) > model.longest:
                raise InputError(
                    f"a text of {len(texts[-1])} tokens; expected at most {model.longest}", number
                )
        length = min(bucket(max(map(len, texts)) - 1, TRAINING_LENGTHS), model.longest)
        # The prompt is told, not learned.
        read, said, learned = next_tokens(texts, len(self.prompt), weights, length, model.search.pad)
        heard = np.stack(sounds)
        if training.mask:
            heard = masked_features(heard, training.mask, random)
        return Lesson(
            {"input_features": heard, "decoder_input_ids": read}, {"logits": said}, {"logits": learned}
        )
