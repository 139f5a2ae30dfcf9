"""What was said in windows of sound: language, search, and another try where an answer looks wrong.

Source: Radford et al. 2022, section 4.5, as ``transformers`` 5.24 does it (``generate_with_fallback``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import keras
import numpy as np
from keras import ops

from sixarts.batching import LENGTHS, bucket, rows_bucket
from sixarts.compiled import Compiled, to_numpy
from sixarts.errors import OptionError
from sixarts.generation import Search
from sixarts_speech.whisper_alignment import token_times
from sixarts_speech.whisper_decoding import Decoding, Heard, compression_ratio
from sixarts_speech.whisper_languages import code_of
from sixarts_speech.whisper_rules import NotFirst, Times

#: Lengths that prompts are filled up to; those of a few tokens are not.
PROMPTS = (3, 4, 8, 16, 32, 64, 128, 256, 512)
#: Rows that are aligned at once, since each takes scores of the whole vocabulary at each of its tokens.
ALIGNED = 4


class Recognizer:
    """Recognizes windows; keeps what was compiled.

    Args:
        model: a :class:`~sixarts_speech.whisper.Whisper`.
    """

    def __init__(self, model: Any) -> None:
        self.model = model

    # Options.

    def check(self, how: Decoding) -> None:
        """Raises :class:`OptionError` for what this model cannot do."""
        speech = self.model.speech
        if how.task not in ("transcribe", "translate"):
            raise OptionError(f"task={how.task!r}; expected 'transcribe' or 'translate'")
        if how.task == "translate" and "translate" not in speech.tasks:
            raise OptionError("task='translate'; this model knows English only; choose a multilingual one")
        if how.language is not None:
            code_of(how.language, dict(speech.languages) or {"en": 0})
        if how.times and speech.first_time is None:
            raise OptionError("times=True; this model's settings know no times; expected times=False")
        if how.no_speech is not None and speech.no_speech is None:
            raise OptionError("no_speech; this model's settings know no token for it; leave it out")
        if not how.temperatures or not all(0 <= t < math.inf for t in how.temperatures):
            raise OptionError(f"temperatures={how.temperatures!r}; expected numbers of 0 or more")
        if how.max_new_tokens is not None and not 1 <= how.max_new_tokens <= self.model.longest:
            raise OptionError(
                f"max_new_tokens={how.max_new_tokens!r}; expected a number from 1 to {self.model.longest}"
            )

    def search(self, how: Decoding, temperature: float) -> Search:
        """How tokens are searched at a temperature."""
        speech, words = self.model.speech, self.model.target_words
        found: Search = self.model.search
        rules: list[Any] = []
        if speech.begin_suppress:
            rules.append(NotFirst(speech.begin_suppress))
        if how.times:
            rules.append(Times(speech.first_time, speech.end, speech.latest_first))
        # Some files list the end among what is suppressed; a text could never stop.
        suppress = {number for number in speech.suppress if number < words} - set(found.eos)
        sample = temperature > 0
        return replace(
            found,
            start=speech.start,
            beams=1 if sample else how.beams,
            length_penalty=1.0 if sample or how.beams == 1 else found.length_penalty,
            sample=sample,
            temperature=temperature if sample else 1.0,
            suppress=(*found.suppress, *((number,) for number in sorted(suppress))),
            rules=tuple(rules),
            forced_bos=None,
        )

    def prompt(self, how: Decoding, language: str | None) -> list[int]:
        """The tokens that tell the model what to do."""
        speech = self.model.speech
        found = [speech.start]
        if speech.multilingual and language is not None:
            found.append(speech.languages[language])
        if how.task in speech.tasks:
            found.append(speech.tasks[how.task])
        if not how.times and speech.no_times is not None:
            found.append(speech.no_times)
        return found

    # Steps.

    def hear(self, features: np.ndarray) -> Any:
        """Features ``[b, frames, bands]`` to what the decoder looks at, on the device."""
        return self._hear(features)

    def languages(self, heard: Any, rows: int) -> np.ndarray:
        """Probabilities ``[b, n]`` of the model's languages, in the order of ``model.speech.languages``."""
        speech = self.model.speech
        padded, offsets = self._padded([[speech.start]] * rows)
        scores = self._next(padded, heard, offsets)
        return _softmax(to_numpy(scores)[:, list(speech.languages.values())])

    def recognize(
        self,
        features: np.ndarray,
        how: Decoding,
        previous: Sequence[Sequence[int]] = (),
        frames: Sequence[int] = (),
        languages: Sequence[str | None] = (),
    ) -> list[Heard]:
        """What was said in each of some windows; a row's answer does not depend on the others.

        Args:
            features: ``[b, frames, bands]``.
            how: how.
            previous: tokens before each row's prompt: what was said before, after its own token.
            frames: frames of each row that are of the sound; all by default.
            languages: what each row is spoken in, where rows differ; ``how.language`` by default.
        """
        rows, speech = len(features), self.model.speech
        heard = self.hear(features)
        spoken, sure = self._spoken(heard, how, list(languages) or [how.language] * rows)
        asked = [self.prompt(how, language) for language in spoken]
        before = list(previous) or [()] * rows
        prompts = [[*earlier, *own] for earlier, own in zip(before, asked, strict=True)]
        silence = None
        if how.no_speech is not None:
            # As published: the scores that follow the start, with all that stands before it.
            starts = [[*earlier, own[0]] for earlier, own in zip(before, asked, strict=True)]
            padded, offsets = self._padded(starts)
            scores = _softmax(to_numpy(self._next(padded, heard, offsets)))
            silence = scores[:, speech.no_speech]
        found: list[Heard | None] = [None] * rows
        left = list(range(rows))
        for temperature in how.temperatures:
            answers = self._searched(heard, [prompts[row] for row in left], left, rows, how, temperature)
            again = []
            for row, (tokens, mean) in zip(left, answers, strict=True):
                ratio = compression_ratio(tokens, self.model.target_words)
                wrong = (how.compression_ratio is not None and ratio > how.compression_ratio) or (
                    how.log_probability is not None and mean < how.log_probability
                )
                skipped = (
                    silence is not None
                    and how.log_probability is not None
                    and mean < how.log_probability
                    and bool(silence[row] > how.no_speech)
                )
                ended = tokens[-1] in self.model.search.eos
                said = tokens[:-1] if ended else tokens
                quiet = None if silence is None else float(silence[row])
                found[row] = Heard(
                    tuple(said), spoken[row], sure[row], mean, ratio, quiet, temperature, ended, skipped
                )
                if wrong and not skipped:
                    again.append(row)
            left = again
            if not left:
                break
        done = [answer for answer in found if answer is not None]
        return self._aligned(heard, prompts, done, frames) if how.word_times else done

    def _spoken(
        self, heard: Any, how: Decoding, languages: Sequence[str | None]
    ) -> tuple[list[str | None], list[float]]:
        """The language of each row, and how probable it is."""
        known = dict(self.model.speech.languages)
        if not known:
            return [None] * len(languages), [1.0] * len(languages)
        spoken: list[str | None] = [None if asked is None else code_of(asked, known) for asked in languages]
        sure = [1.0] * len(spoken)
        if None in spoken:
            shares, codes = self.languages(heard, len(spoken)), list(known)
            for row, asked in enumerate(spoken):
                if asked is None:
                    best = int(shares[row].argmax())
                    spoken[row], sure[row] = codes[best], float(shares[row, best])
        return spoken, sure

    def _padded(self, prompts: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
        """Prompts ``[b, p]`` padded before, and how much each is padded."""
        size = bucket(max(map(len, prompts)), PROMPTS)
        padded = np.full((len(prompts), size), self.model.search.pad, "int32")
        for row, prompt in enumerate(prompts):
            padded[row, size - len(prompt) :] = prompt
        return padded, np.array([size - len(prompt) for prompt in prompts], "int32")

    def _searched(
        self,
        heard: Any,
        prompts: Sequence[Sequence[int]],
        places: Sequence[int],
        rows: int,
        how: Decoding,
        temperature: float,
    ) -> list[tuple[list[int], float]]:
        """Tokens of each prompt's best answer, the end included, and their mean log-probability."""
        count = len(places)
        if count < rows:
            # Rounded up, so that few shapes compile.
            filled = rows_bucket(count, rows)
            chosen = np.array([*places, *[places[-1]] * (filled - count)], "int32")
            prompts = [*prompts, *[prompts[-1]] * (filled - count)]
            heard = keras.tree.map_structure(lambda leaf: ops.take(leaf, chosen, axis=0), heard)
        padded, offsets = self._padded(prompts)
        room = self.model.longest
        search = self.search(how, temperature)
        lengths = np.array([len(prompt) for prompt in prompts], "int32")
        allowed = search.max_length if how.max_new_tokens is None else how.max_new_tokens
        most = np.minimum(allowed, room - lengths)
        if most.min() < 1:
            raise OptionError(f"a prompt of {lengths.max()} tokens; expected fewer than {room}; shorten it")
        longest = room if not offsets.any() else room + padded.shape[1]
        search = replace(search, max_length=longest)
        seeds = np.full(len(prompts), how.seed)
        inputs = {"offsets": offsets, "heard": heard}
        found = self.model.generator(inputs, search, seeds, padded, most=most)
        answers = []
        for row in range(count):
            tokens = found["tokens"][row, 0, padded.shape[1] :][: most[row]].tolist()
            ends = [place for place, token in enumerate(tokens) if token in search.eos]
            tokens = tokens[: ends[0] + 1] if ends else tokens
            size = max(len(tokens), 1)
            mean = float(found["scores"][row, 0]) * size**search.length_penalty / size
            answers.append((tokens, mean))
        return answers

    def _aligned(
        self,
        heard: Any,
        prompts: Sequence[Sequence[int]],
        answers: Sequence[Heard],
        frames: Sequence[int],
    ) -> list[Heard]:
        """The answers with the time and the probability of each token."""
        found: list[Heard] = []
        sizes = list(frames) or [self.model.window_frames] * len(answers)
        for start in range(0, len(answers), ALIGNED):
            places = list(range(start, min(start + ALIGNED, len(answers))))
            filled = places + [places[-1]] * (rows_bucket(len(places), ALIGNED) - len(places))
            whole = [[*prompts[row], *answers[row].tokens, self.model.speech.end] for row in filled]
            size = bucket(max(map(len, whole)), LENGTHS)
            padded = np.full((len(filled), size), self.model.search.pad, "int32")
            for row, tokens in enumerate(whole):
                padded[row, : len(tokens)] = tokens
            chosen = np.array(filled, "int32")
            part = keras.tree.map_structure(lambda leaf, chosen=chosen: ops.take(leaf, chosen, axis=0), heard)
            weights, likely = map(to_numpy, self._align(padded, part, np.zeros(len(filled), "int32")))
            for row, place in enumerate(places):
                answer, first = answers[place], len(prompts[place])
                count = len(answer.tokens)
                # As published: the last token, mostly the end, is where the one before it is.
                looked = first + count - (not answer.ended)
                times = token_times(
                    weights[row, :, first:looked, : max(1, sizes[place] // 2)],
                    self.model.config["median_filter_width"],
                    self.seconds,
                )
                times = np.pad(times, (0, count - len(times)), mode="edge" if len(times) else "constant")
                probabilities = np.exp(likely[row, first - 1 : first - 1 + count])
                found.append(replace(answer, times=times, probabilities=probabilities))
        return found

    def likelihoods(self, heard: Any, tokens: Sequence[int]) -> np.ndarray:
        """Log-probabilities ``[b, t - 1]`` of ``t`` tokens, the same in each row, after those before them."""
        rows = keras.tree.flatten(heard)[0].shape[0]
        padded = np.full((rows, bucket(len(tokens), LENGTHS)), self.model.search.pad, "int32")
        padded[:, : len(tokens)] = tokens
        _, likely = self._align(padded, heard, np.zeros(rows, "int32"))
        return np.asarray(to_numpy(likely)[:, : len(tokens) - 1])

    @property
    def seconds(self) -> float:
        """Seconds of a position of the encoder: those of two frames."""
        features = self.model.processor.features
        return float(2 * features.hop_length / features.sampling_rate)

    # Compiled.

    @cached_property
    def _hear(self) -> Compiled:
        return self._compiled(self.model.hear)

    @cached_property
    def _next(self) -> Compiled:
        """Prompts to scores ``[b, v]`` of what follows."""

        def following(tokens: Any, heard: Any, offsets: Any) -> Any:
            x, _, _ = self.model.read(tokens, (heard, offsets))
            return self.model._logits(x[:, -1:])[:, 0]

        return self._compiled(following)

    @cached_property
    def _align(self) -> Compiled:
        """Tokens ``[b, t]`` to attention ``[b, heads, t, s]`` and log-probabilities of those that follow."""
        speech = self.model.speech

        def align(tokens: Any, heard: Any, offsets: Any) -> Any:
            x, _, weights = self.model.read(tokens, (heard, offsets))
            chosen = ops.stack([weights[layer][:, head] for layer, head in speech.alignment], axis=1)
            scores = self.model._logits(x)
            text = ops.arange(scores.shape[-1]) < speech.end
            total = ops.logsumexp(ops.where(text, scores, ops.cast(-1e9, "float32")), axis=-1)
            following = ops.concatenate([tokens[:, 1:], tokens[:, :1]], axis=1)
            own = ops.take_along_axis(scores, following[:, :, None], axis=-1)[:, :, 0]
            return ops.cast(chosen, "float32"), ops.minimum(own - total, 0.0)

        return self._compiled(align)

    def _compiled(self, function: Any) -> Compiled:
        return Compiled(function, self.model.variables, self.model.device)


def _softmax(scores: np.ndarray) -> np.ndarray:
    shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=-1, keepdims=True))
