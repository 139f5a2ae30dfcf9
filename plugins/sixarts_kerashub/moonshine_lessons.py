"""What Moonshine learns from: sounds, and their texts token by token."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from sixarts.batching import TRAINING_LENGTHS, bucket, rows_bucket
from sixarts.errors import InputError
from sixarts.media.audio import whole_audio
from sixarts.media.sound_augmentation import changed_sound
from sixarts.training import Lesson

#: Options of training that change features, which there are none of.
CHANGES = ("mask", "warp", "color")
#: Seconds of the longest sound to learn from.
LESSON = 64.0


class MoonshineLessons(Sequence[Lesson]):
    """Batches of sounds and their texts, shuffled and changed anew each epoch.

    A text begins as it does where it is written: with the start twice.

    Args:
        listening: how the model hears.
        examples: sounds with what is said in them.
        training: options of ``fit``.
        epoch: the same one gives the same lessons.
    """

    def __init__(self, listening: Any, examples: Sequence[Any], training: Any, epoch: int) -> None:
        self.listening, self.examples, self.training, self.epoch = listening, examples, training, epoch
        order = np.random.default_rng([training.seed, epoch]).permutation(len(examples))
        size = training.batch_size
        self.batches = [order[at : at + size] for at in range(0, len(order), size)]

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Lesson]:
        # A sequence's own would take an IndexError of a task's for the end.
        return (self[place] for place in range(len(self)))

    def __getitem__(self, place: Any) -> Lesson:  # type: ignore[override]
        chosen, training = self.batches[place], self.training
        rate, processor = self.listening.rate, self.listening.model.processor
        random = np.random.default_rng([training.seed, self.epoch, place])
        sounds, texts = [], []
        for number in chosen:
            x, text = self.examples[int(number)]
            sounds.append(changed_sound(whole_audio(x, rate, LESSON), rate, training, random))
            texts.append([processor.start] * 2 + processor.encode(text.strip()).ids + [processor.end])
            if len(texts[-1]) > processor.limit:
                raise InputError(
                    f"a text of {len(texts[-1])} tokens; expected at most {processor.limit}", int(number)
                )
        # Rows are rounded up, with weight 0, so that few shapes compile.
        fill = np.resize(np.arange(len(chosen)), rows_bucket(len(chosen), training.batch_size))
        length = bucket(max(map(len, texts)) - 1, TRAINING_LENGTHS)
        read, said = (np.full((len(fill), length), processor.pad, "int32") for _ in range(2))
        weights = np.zeros((len(fill), length), "float32")
        for row, own in enumerate(fill):
            text = texts[own]
            read[row, : len(text) - 1], said[row, : len(text) - 1] = text[:-1], text[1:]
            if row < len(chosen):
                # The second start is told, not learned.
                weights[row, 1 : len(text) - 1] = 1
        arrays = self.listening.arrays([sounds[row] for row in fill])
        return Lesson({**arrays, "decoder_input_ids": read}, {"logits": said}, {"logits": weights})
