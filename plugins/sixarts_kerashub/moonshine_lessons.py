"""What Moonshine learns from: sounds, and their texts token by token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sixarts.batching import TRAINING_LENGTHS, bucket
from sixarts.errors import InputError
from sixarts.lessons import Batches, mixed, next_tokens
from sixarts.media.audio import whole_audio
from sixarts.media.sound_augmentation import changed_sound
from sixarts.training import Lesson

#: Options of training that change features, which there are none of.
CHANGES = ("mask", "warp", "color")
#: Seconds of the longest sound to learn from.
LESSON = 64.0


class MoonshineLessons(Batches):
    """Batches of sounds and their texts, shuffled and changed anew each epoch.

    A text begins as it does where it is written: with the start twice.

    Args:
        listening: how the model hears.
        examples: sounds with what is said in them.
        training: options of ``fit``.
        epoch: the same one gives the same lessons.
    """

    def __init__(self, listening: Any, examples: Sequence[Any], training: Any, epoch: int) -> None:
        super().__init__(mixed(len(examples), training, epoch), training, epoch)
        self.listening, self.examples = listening, examples

    def lesson(self, rows: np.ndarray, weights: np.ndarray, key: tuple[int, int, int]) -> Lesson:
        rate, processor = self.listening.rate, self.listening.model.processor
        random = np.random.default_rng(key)
        sounds, texts = [], []
        for number in rows.tolist():
            x, text = self.examples[number]
            sounds.append(changed_sound(whole_audio(x, rate, LESSON), rate, self.training, random))
            texts.append([processor.start] * 2 + processor.encode(text.strip()).ids + [processor.end])
            if len(texts[-1]) > processor.limit:
                raise InputError(
                    f"a text of {len(texts[-1])} tokens; expected at most {processor.limit}", number
                )
        length = bucket(max(map(len, texts)) - 1, TRAINING_LENGTHS)
        # The second start is told, not learned.
        read, said, learned = next_tokens(texts, 2, weights, length, processor.pad)
        arrays = {**self.listening.arrays(sounds), "decoder_input_ids": read}
        return Lesson(arrays, {"logits": said}, {"logits": learned})
