"""How Whisper answers: windows one after another, what is heard in each, and a transcript of that."""

from __future__ import annotations

import math
from collections.abc import Generator, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from sixarts.batching import Batch, bucket, rows_bucket
from sixarts.media.audio import is_stream, read_audio
from sixarts.media.log_mel import PICTURED
from sixarts.media.transcript import Picture, Segment, Transcript, Word
from sixarts_speech.whisper_decoding import Decoding, Heard
from sixarts_speech.whisper_features import Frames, LogMel, peak_of
from sixarts_speech.whisper_languages import UNSPACED
from sixarts_speech.whisper_longform import STRIDE, Listening, Passage, Window
from sixarts_speech.whisper_search import PROMPTS

#: What stands for the answer of a window in which there is no sound.
SILENT = Heard((), None, 0.0, 0.0, 0.0, 1.0, 0.0, skipped=True)


@dataclass(frozen=True)
class Answered:
    """A window's answer, and where the window lies; its features are let go."""

    heard: Heard
    seek: int
    frames: int
    picture: np.ndarray | None


class WhisperListening:
    """The steps of a call for Whisper.

    Args:
        model: a :class:`~sixarts_speech.whisper.Whisper`.
    """

    sequential = True

    def __init__(self, model: Any) -> None:
        self.model = model

    @property
    def features(self) -> LogMel:
        found: LogMel = self.model.processor.features
        return found

    @property
    def rate(self) -> int:
        return self.features.sampling_rate

    @property
    def frame(self) -> float:
        """Seconds of a frame."""
        return self.features.hop_length / self.features.sampling_rate

    def check_options(self, options: Any) -> None:
        self.model.recognizer.check(self.decoding(options))

    def decoding(self, options: Any) -> Decoding:
        """How windows are recognized, as the options say."""
        return Decoding(
            task="translate" if options.translate else "transcribe",
            language=options.language,
            times=self.model.speech.first_time is not None,
            beams=options.beams,
            max_new_tokens=options.max_new_tokens,
            temperatures=options.temperatures,
            compression_ratio=options.compression_ratio,
            log_probability=options.log_probability,
            no_speech=options.no_speech if self.model.speech.no_speech is not None else None,
            word_times=options.words,
            seed=options.seed,
        )

    def listening(self, options: Any) -> Listening:
        """How a whole sound is heard."""
        tokens = self.model.processor.tokens
        prompt = tokens.encode(" " + options.prompt.strip()) if options.prompt else []
        return Listening(
            self.model.speech,
            self.model.longest,
            self.frame,
            build_on=options.build_on,
            prompt=tuple(prompt),
            language=options.language,
            times=self.model.speech.first_time is not None,
        )

    # Answering.

    def pieces(self, x: Any, options: Any) -> Generator[Window, Answered, None]:
        live = is_stream(x)
        again = not live and not hasattr(x, "read")
        # A sound that can be read twice is: its largest power is where the published features end.
        peak = peak_of(self.features, read_audio(x, self.rate)) if again else None
        span = max(1, round(options.delay / self.frame)) if live else None
        frames = Frames(self.features, read_audio(x, self.rate), peak, span)
        steps = self.listening(options).passages(frames)
        heard = None
        while True:
            try:
                window = next(steps) if heard is None else steps.send(heard)
            except StopIteration:
                return
            # Silence does not become words.
            heard = (yield replace(window, silent=frames.loudness < options.silence)).heard

    def size(self, piece: Window) -> int:
        return len(piece.previous)

    def shape(self, piece: Window) -> Hashable:
        return "silent" if piece.silent else bucket(len(piece.previous), PROMPTS)

    def prepare(self, pieces: Sequence[Window], options: Any) -> Batch:
        return Batch({"input_features": np.stack([piece.features for piece in pieces])}, list(pieces))

    def answer(self, batch: Batch, options: Any) -> Mapping[str, np.ndarray]:
        """Recognizes a batch of windows: ``heard``, an object a row."""
        features, windows = batch.arrays["input_features"], list(batch.context)
        windows += [windows[-1]] * (len(features) - len(windows))
        found = np.empty(len(windows), object)
        # Windows of one batch are all silent, or none is.
        if windows[0].silent:
            found[:] = [SILENT] * len(windows)
            return {"heard": found}
        heard = self.model.recognizer.recognize(
            features,
            self.decoding(options),
            [window.previous for window in windows],
            [window.frames for window in windows],
            [window.language for window in windows],
        )
        found[:] = heard
        return {"heard": found}

    def finish(self, outputs: Mapping[str, np.ndarray], batch: Batch, options: Any) -> list[Answered]:
        found = []
        for heard, window in zip(outputs["heard"], batch.context, strict=True):
            pictured = window.seek * self.frame < PICTURED
            picture = _picture(window.features[: window.frames : STRIDE]) if pictured else None
            found.append(Answered(heard, window.seek, window.frames, picture))
        return found

    def join(self, results: Sequence[Answered], x: Any, options: Any) -> Transcript:
        listening = self.listening(options)
        passages: list[Passage] = []
        parts: list[tuple[int, np.ndarray]] = []
        for place, answered in enumerate(results):
            if not answered.heard.skipped:
                passages += listening.cut(answered.heard, answered.seek, answered.frames)[0]
            if answered.picture is not None:
                after = results[place + 1].seek if place + 1 < len(results) else math.inf
                count = min(len(answered.picture), (after - answered.seek) // STRIDE)
                parts.append((answered.seek // STRIDE, answered.picture[: int(count)]))
        tokens = self.model.processor.tokens
        segments, words, texts = [], [], []
        for passage in passages:
            text = tokens.decode(passage.tokens)
            if not text.strip():
                continue
            texts.append(text)
            sure = min(1.0, math.exp(passage.heard.log_probability))
            segments.append(Segment(text.strip(), passage.start, max(passage.start, passage.end), sure))
            if options.words:
                words += self.words(passage)
        end = max((answered.seek + answered.frames for answered in results), default=0)
        language = next((a.heard.language for a in results if a.heard.language is not None), None)
        if language is None and not self.model.speech.multilingual:
            language = "en"
        return Transcript(
            "".join(texts).strip(),
            tuple(segments),
            tuple(words),
            "en" if options.translate else language,
            round(end * self.frame, 3),
            _joined(parts, STRIDE * self.frame, self.rate / 2),
        )

    def words(self, passage: Passage) -> list[Word]:
        """The words of a passage with their times."""
        heard, tokens = passage.heard, self.model.processor.tokens
        if heard.times is None or heard.probabilities is None:
            return []
        plain = set(tokens.plain(passage.tokens))
        places = [passage.first + i for i, token in enumerate(passage.tokens) if token in plain]
        before = np.concatenate([[0.0], heard.times])
        joint = "" if heard.language in UNSPACED else " "
        found = []
        for word in tokens.words([heard.tokens[place] for place in places], heard.language):
            own = places[word.first : word.last + 1]
            text = word.text.strip() if joint else word.text
            if text.strip():
                sure = float(np.mean(heard.probabilities[own]))
                start, end = float(before[own[0]]), float(heard.times[own[-1]])
                found.append(Word(text, passage.offset + start, passage.offset + end, min(1.0, sure)))
        return found

    # Explaining.

    #: Options with which an explanation asks for the answer that it explains.
    asking: ClassVar[Mapping[str, Any]] = {"words": True}

    def explainable(self, options: Any) -> float:
        """Seconds of the longest sound that is explained."""
        return float(self.features.chunk_length)

    def word_scores(self, sounds: Sequence[np.ndarray], words: Sequence[Word], answer: Any) -> np.ndarray:
        """The probability of each word after those before it, ``[sounds, words]``."""
        recognizer, tokens = self.model.recognizer, self.model.processor.tokens
        language = answer.language if answer.language in self.model.speech.languages else None
        told = recognizer.prompt(Decoding(times=False), language)
        pieces = [tokens.encode(" " + word.text) for word in answer.words]
        ends = np.cumsum([len(told), *map(len, pieces)])
        whole = [*told, *(token for piece in pieces for token in piece)][: self.model.longest]
        features = np.stack([self.features.window(sound[: self.features.window_samples]) for sound in sounds])
        filled = Batch({"features": features}).filled(rows_bucket(len(sounds), 16)).arrays["features"]
        chances = np.exp(recognizer.likelihoods(recognizer.hear(filled), whole))[: len(sounds)]
        scores = []
        for word in words:
            place = next(number for number, other in enumerate(answer.words) if other is word)
            own = chances[:, ends[place] - 1 : ends[place + 1] - 1]
            scores.append(own.mean(axis=1) if own.shape[1] else np.zeros(len(sounds)))
        return np.stack(scores, axis=1)

    # Learning.

    def adapt(self, examples: Sequence[Any], training: Any) -> tuple[str, ...]:
        return ()

    def learn(self, examples: Sequence[Any], training: Any, epoch: int) -> Any:
        from sixarts_speech.whisper_lessons import WhisperLessons

        return WhisperLessons(self.model, examples, training, epoch)

    def loss(self, training: Any) -> Any:
        from sixarts.losses import SmoothedCrossentropy

        return {"logits": SmoothedCrossentropy()}


def _picture(features: np.ndarray) -> np.ndarray:
    """Levels ``[t, bands]`` of features, which span eight powers of ten over a range of two."""
    top = float(features.max(initial=0.0))
    return ((features - top + 2.0) * 127.5).clip(0, 255).astype("uint8")


def _joined(parts: Sequence[tuple[int, np.ndarray]], step: float, highest: float) -> Picture | None:
    """Pictures of windows in one; nothing where nobody looked."""
    if not parts:
        return None
    length = max(first + len(levels) for first, levels in parts)
    whole = np.zeros((length, parts[0][1].shape[1]), "uint8")
    for first, levels in parts:
        whole[first : first + len(levels)] = levels
    return Picture(whole, step, highest)
