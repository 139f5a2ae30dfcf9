"""How a CTC network answers: windows, the tokens of their frames, and words of those."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from sixarts.batching import Batch, bucket, rows_bucket
from sixarts.errors import InputError, OptionError
from sixarts.explanation import Attribution
from sixarts.media.audio import is_stream, read_audio, whole_audio
from sixarts.media.log_mel import PICTURED, joined_pictures, picture_of
from sixarts.media.loudness import decibels, quiet, spread
from sixarts.media.sound_augmentation import changed_sound, colored_features, masked_features
from sixarts.media.sound_windows import Window, windows
from sixarts.media.transcript import Picture, Transcript, Word, segments_of
from sixarts.training import Lesson
from sixarts_speech.ctc_loss import CTCLoss, frames_needed, targets
from sixarts_speech.ctc_model import CTCModel
from sixarts_speech.ctc_paths import KEPT, Frames, Token, beam_search, greedy, joined, likeliest, words_of
from sixarts_speech.language_model import language_model
from sixarts_speech.recognition_options import RecognitionOptions, RecognitionTraining
from sixarts_speech.vocabulary import vocabulary_of

#: Seconds that windows are filled up to, since every new length compiles anew.
LENGTHS = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 48.0, 64.0, 96.0)
#: Seconds of a stream that are heard before what is written down, and behind it.
BEFORE, BEHIND = 4.0, 0.5
#: The logarithm of what cannot be.
NEVER = -40.0
#: Options that are Whisper's alone, and what they are unless somebody asks.
WITHOUT = {"language": None, "translate": False, "prompt": "", "build_on": False}
#: Most seconds of a sound to learn from.
LESSON = 60.0


@dataclass(frozen=True)
class Heard:
    """What a window gave: the frames that count and their decibels, where it ends, and its picture."""

    frames: Frames
    levels: np.ndarray
    end: int
    picture: Picture | None


class CTCListening:
    """The steps of a call and of a lesson for CTC networks.

    Args:
        model: the network.
    """

    sequential = False

    def __init__(self, model: CTCModel) -> None:
        self.model = model

    @property
    def rate(self) -> int:
        return int(self.model.processor.rate)

    def check_options(self, options: RecognitionOptions) -> None:
        if options.language_model is not None:
            if options.beams == 1:
                raise OptionError("language_model with beams=1; expected beams of 2 or more, e.g. beams=32")
            language_model(options.language_model)
        for name, usual in WITHOUT.items():
            if getattr(options, name) != usual:
                raise OptionError(
                    f"{name}={getattr(options, name)!r}; the {self.model.family} family knows nothing of it; "
                    "expected a Whisper model"
                )

    # Answering.

    def pieces(self, x: Any, options: RecognitionOptions) -> Iterator[Window]:
        if is_stream(x):
            return windows(read_audio(x, self.rate), *map(self._samples, (BEFORE, options.delay, BEHIND)))
        overlap = self._samples(options.overlap)
        whole = self._samples(options.window)
        return windows(
            read_audio(x, self.rate), overlap, max(whole - 2 * overlap, self.model.stride), overlap, whole
        )

    def _samples(self, seconds: float) -> int:
        """Samples of so many seconds, in whole frames of the network."""
        return round(seconds * self.rate / self.model.stride) * self.model.stride

    def size(self, piece: Window) -> int:
        return len(piece.samples)

    def shape(self, piece: Window) -> int:
        return self._filled(len(piece.samples))

    def _filled(self, samples: int) -> int:
        """Samples rounded up to one of a few lengths."""
        steps = [math.ceil(seconds * self.rate) for seconds in LENGTHS]
        return bucket(samples, steps)

    def prepare(self, pieces: Sequence[Window], options: RecognitionOptions) -> Batch:
        size = max(self._filled(len(piece.samples)) for piece in pieces)
        return Batch(self.model.processor.arrays([piece.samples for piece in pieces], size), list(pieces))

    def answer(self, batch: Batch, options: RecognitionOptions) -> Mapping[str, np.ndarray]:
        return self.model(batch.arrays)

    def finish(
        self, outputs: Mapping[str, np.ndarray], batch: Batch, options: RecognitionOptions
    ) -> list[Heard]:
        found = []
        for row, window in zip(outputs["logits"], batch.context, strict=True):
            scores = log_softmax(row[: self.model.frames(len(window.samples))])
            stride = self.model.stride
            levels = decibels(window.samples, stride, len(scores))
            # Silence does not become words.
            silent = quiet(levels, options.silence, stride / self.rate)
            scores[silent] = NEVER
            scores[silent, self.model.processor.vocabulary.blank] = 0.0
            first = (window.first - window.start) // stride
            at_end = window.last == window.start + len(window.samples)
            last = len(scores) if at_end else (window.last - window.start) // stride
            kept = 1 if options.beams == 1 else KEPT
            frames = likeliest(scores[first:last], window.first // stride, kept)
            picture = None
            if window.first < PICTURED * self.rate:
                counted = window.samples[window.first - window.start : window.last - window.start]
                picture = picture_of(counted, self.rate)
            found.append(Heard(frames, levels[first:last], window.last, picture))
        return found

    def join(self, results: Sequence[Heard], x: Any, options: RecognitionOptions) -> Transcript:
        vocabulary = self.model.processor.vocabulary
        frames = joined([heard.frames for heard in results])
        tokens = self.decoder(options)(frames)
        seconds = self.model.stride / self.rate
        words = words_of(tokens, vocabulary, seconds)
        if vocabulary.delimiter is None and words:
            words = spread(words, np.concatenate([heard.levels for heard in results]), seconds)
        return Transcript(
            vocabulary.text(token.number for token in tokens),
            segments_of(words),
            words,
            duration=round(results[-1].end / self.rate, 3) if results else 0.0,
            picture=joined_pictures([heard.picture for heard in results if heard.picture]),
        )

    def decoder(self, options: RecognitionOptions) -> Callable[[Frames], list[Token]]:
        """Frames to tokens, as the options say."""
        vocabulary = self.model.processor.vocabulary
        if options.beams == 1:
            return lambda frames: greedy(frames, vocabulary.blank)
        scorer = None if options.language_model is None else language_model(options.language_model)
        return lambda frames: beam_search(
            frames, vocabulary, options.beams, scorer, options.lm_weight, options.word_bonus
        )

    # Explaining.

    #: Options with which an explanation asks for the answer that it explains.
    asking: ClassVar[Mapping[str, Any]] = {}

    def explainable(self, options: RecognitionOptions) -> float:
        """Seconds of the longest sound that is explained."""
        return options.window

    def word_scores(self, sounds: Sequence[np.ndarray], words: Sequence[Word], answer: Any) -> np.ndarray:
        """The probability of each word's tokens about where they were said, ``[sounds, words]``."""
        size = self._filled(max(map(len, sounds)))
        arrays = Batch(self.model.processor.arrays(sounds, size)).filled(rows_bucket(len(sounds), 16)).arrays
        logits = self.model(arrays)["logits"][: len(sounds)]
        chances = np.exp(log_softmax(logits))
        found = []
        for word in words:
            first, last = self._frames_of(word)
            near = chances[:, max(0, first - 1) : last + 1]
            tokens = self.model.processor.vocabulary.numbers(word.text)
            found.append(near[:, :, tokens].max(axis=1).mean(axis=1))
        return np.stack(found, axis=1)

    def _frames_of(self, word: Word) -> tuple[int, int]:
        seconds = self.model.stride / self.rate
        first = round(word.start / seconds)
        return first, max(first + 1, round(word.end / seconds))

    def word_gradients(
        self, samples: np.ndarray, words: Sequence[Word]
    ) -> tuple[np.ndarray, float, np.ndarray]:
        """Integrated gradients of each word's log-probability where it is surest.

        Returns:
            Values ``[words, t]``, seconds from one to the next, and what each row should add up to.
        """
        arrays = self.model.processor.arrays([samples], self._filled(len(samples)))
        scores = log_softmax(self.model(arrays)["logits"][0])
        places = []
        for word in words:
            first, last = self._frames_of(word)
            tokens = self.model.processor.vocabulary.numbers(word.text)
            near = scores[first:last][:, tokens]
            places.append(
                [(first + int(at), token) for at, token in zip(near.argmax(axis=0), tokens, strict=True)]
            )
        # Rows of one length: what fills them up has the weight 0.
        longest = max(map(len, places))
        table = np.array(
            [[(*p, 1) for p in row] + [(0, 0, 0)] * (longest - len(row)) for row in places], "int32"
        )
        baseline = np.zeros_like(arrays[self.model.cut])
        found, totals = Attribution(self.model, _surest).integrated_gradients(arrays, baseline, list(table))
        flat = found.reshape(len(words), found.shape[1], -1).sum(axis=2)
        return flat, len(arrays[self.model.cut][0]) / flat.shape[1] * self.model.step, totals

    # Learning.

    def adapt(self, examples: Sequence[tuple[Any, str]], training: Any) -> tuple[str, ...]:
        """Other tokens where the examples have something that these do not spell."""
        if self.model.built:
            vocabulary = self.model.processor.vocabulary
            try:
                for _, text in examples:
                    vocabulary.numbers(text)
                return ()
            except InputError:
                pass
        old = len(self.model.processor.vocabulary.tokens) if self.model.built else 0
        words = bool(self.model.config.get("words"))
        fresh = vocabulary_of((text for _, text in examples), words)
        self.model = self.model.with_vocabulary(fresh)
        return (f"head of {old} tokens by one of {len(fresh.tokens)}",)

    def learn(
        self, examples: Sequence[tuple[Any, str]], training: RecognitionTraining, epoch: int
    ) -> Iterable[Lesson]:
        return SoundLessons(self, examples, training, epoch)

    def loss(self, training: Any) -> Any:
        return {"logits": CTCLoss(self.model.processor.vocabulary.blank)}


class SoundLessons(Sequence[Lesson]):
    """Batches of sounds and their texts, of like length, shuffled and changed anew each epoch."""

    def __init__(
        self, listening: CTCListening, examples: Sequence[Any], training: RecognitionTraining, epoch: int
    ) -> None:
        self.listening, self.examples, self.training, self.epoch = listening, examples, training, epoch
        random = np.random.default_rng([training.seed, epoch])
        order = random.permutation(len(examples))
        # Long texts are long sounds, near enough: sounds that share a batch are filled up little.
        sizes = np.array([len(examples[place][1].split()) for place in order])
        order = order[np.argsort(sizes + random.uniform(0, 2, len(order)), kind="stable")]
        batches = [order[at : at + training.batch_size] for at in range(0, len(order), training.batch_size)]
        self.batches = [batches[place] for place in random.permutation(len(batches))]

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Lesson]:
        # A sequence's own would take an IndexError of a task's for the end.
        return (self[place] for place in range(len(self)))

    def __getitem__(self, place: Any) -> Lesson:  # type: ignore[override]
        chosen = self.batches[place]
        model, training = self.listening.model, self.training
        processor, rate = model.processor, self.listening.rate
        random = np.random.default_rng([training.seed, self.epoch, place])
        sounds, texts = [], []
        for number in chosen:
            x, text = self.examples[int(number)]
            sound, tokens = whole_audio(x, rate, LESSON), processor.vocabulary.numbers(text)
            made = changed_sound(sound, rate, training, random)
            # What was made so fast that its text has no path stays as it was.
            made = made if model.frames(len(made)) >= frames_needed(tokens) else sound
            if model.frames(len(made)) < frames_needed(tokens):
                raise InputError(
                    f"{len(tokens)} tokens in {len(made) / rate:.2f} seconds; expected a sound long enough "
                    f"for {text[:40]!r}",
                    int(number),
                )
            sounds.append(made)
            texts.append(tokens)
        rows = rows_bucket(len(chosen), training.batch_size)
        # Rows are rounded up, with weight 0, so that few shapes compile; by other rows, since batch
        # normalization knows no weights.
        fill = np.resize(np.arange(len(chosen)), rows)
        size = self.listening._filled(max(map(len, sounds)))
        arrays = processor.arrays([sounds[row] for row in fill], size)
        if (training.warp or training.color) and "input_features" in arrays:
            arrays["input_features"] = colored_features(
                arrays["input_features"], arrays["mask"], training.warp, training.color, random
            )
        if training.mask and "input_features" in arrays:
            arrays["input_features"] = masked_features(arrays["input_features"], training.mask, random)
        longest = bucket(max(1, *map(len, texts)), (8, 16, 32, 64, 128, 256, 512, 1024))
        counts = [model.frames(len(sounds[row])) for row in fill]
        made_targets = targets([texts[row] for row in fill], counts, longest)
        weights = np.zeros(rows, "float32")
        weights[: len(chosen)] = 1
        return Lesson(arrays, {"logits": made_targets}, {"logits": weights})


def _surest(outputs: Mapping[str, Any], place: Any) -> Any:
    """The sum of the logarithms of some tokens' probabilities at some frames, ``[b]``."""
    from keras import ops

    scores = ops.log_softmax(outputs["logits"], axis=-1)
    shape = ops.shape(scores)
    flat = ops.reshape(scores, (shape[0], shape[1] * shape[2]))
    taken = ops.take(flat, place[:, 0] * shape[2] + place[:, 1], axis=1)
    return ops.sum(taken * ops.cast(place[:, 2], taken.dtype), axis=1)


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Logarithms of the softmax over the last axis."""
    shifted = logits.astype("float32") - logits.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))
