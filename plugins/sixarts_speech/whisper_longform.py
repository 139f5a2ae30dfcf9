"""A sound of any length, window after window: each begins where the last one's text ended.

Source: Radford et al. 2022, section 4.5, with the details of ``transformers`` 5.24 (``_retrieve_segment``,
``_prepare_decoder_input_ids``). What is here has no network: it asks for windows to be recognized.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from sixarts_speech.whisper_decoding import Heard
from sixarts_speech.whisper_settings import SpeechTokens

#: Frames of a position of the encoder, and above which temperature an answer is not built upon.
STRIDE, WARM = 2, 0.5


@dataclass(frozen=True)
class Window:
    """A window that is to be recognized.

    Attributes:
        features: ``[frames, bands]``.
        seek: its first frame in the sound.
        frames: how many of its frames are of the sound.
        previous: tokens before its prompt.
        language: code of what is spoken, once that is known.
        silent: whether there is no sound in it, so that nobody needs to listen.
    """

    features: np.ndarray
    seek: int
    frames: int
    previous: tuple[int, ...] = ()
    language: str | None = None
    silent: bool = False


@dataclass(frozen=True)
class Passage:
    """A stretch of a sound, and what was said in it.

    Attributes:
        start, end: seconds.
        tokens: numbers, times among them.
        heard: the window's answer.
        first: place of its first token among the window's.
        offset: seconds at which the window begins.
    """

    start: float
    end: float
    tokens: tuple[int, ...]
    heard: Heard
    first: int
    offset: float


class Framed(Protocol):
    """What gives windows; see :class:`sixarts_speech.whisper_features.Frames`."""

    def window(self, start: int) -> tuple[np.ndarray, int]: ...


@dataclass(frozen=True)
class Listening:
    """How a sound of any length is heard.

    Attributes:
        speech: the model's tokens.
        room: most tokens of its decoder.
        frame: seconds of a frame.
        build_on: whether what was said in earlier windows is told to the model.
        prompt: tokens that stand before the first window's, and with ``build_on`` before what was said.
        language: code of what is spoken; ``None`` to take what the first window is spoken in for all.
        times: whether the model is asked for times; without them a window follows the other.
    """

    speech: SpeechTokens
    room: int
    frame: float
    build_on: bool = False
    prompt: tuple[int, ...] = ()
    language: str | None = None
    times: bool = True

    def passages(self, frames: Framed, total: int | None = None) -> Generator[Window, Heard, list[Passage]]:
        """Asks for window after window, is sent what was heard in each, and returns the passages.

        Args:
            frames: gives windows.
            total: frames of the sound; until they end, by default.

        Example::

            passages = yield from listening.passages(frames)
        """
        found: list[Passage] = []
        seek, builds, language = 0, self.build_on, self.language
        while total is None or seek < total:
            features, count = frames.window(seek)
            if total is not None:
                count = min(len(features), total - seek)
            if count <= 0:
                break
            heard = yield Window(features, seek, count, self.previous(found, builds), language)
            language = language or heard.language
            builds = self.build_on and heard.temperature < WARM
            if heard.skipped:
                seek += count
                continue
            added, moved = self.cut(heard, seek, count)
            found += added
            seek += moved
        return found

    def previous(self, passages: Sequence[Passage], builds: bool) -> tuple[int, ...]:
        """The tokens before a window's prompt: the user's, and what was said, as far as there is room."""
        most = self.room // 2 - 1
        head = () if self.speech.previous is None else (self.speech.previous,)
        if builds and (passages or self.prompt):
            said: list[int] = list(self.prompt)
            for passage in passages[-most:]:
                said += self._single(passage.tokens)
            return (*head, *said[-most:])
        return (*head, *self.prompt[-most:]) if self.prompt else ()

    def _single(self, tokens: tuple[int, ...]) -> tuple[int, ...]:
        """Without the second of two times at the end: the next passage begins with it."""
        first = self.speech.first_time
        doubled = first is not None and len(tokens) > 2 and tokens[-2] >= first
        return tokens[:-1] if doubled else tokens

    def cut(self, heard: Heard, seek: int, count: int) -> tuple[list[Passage], int]:
        """A window's passages, and how many frames on the next window begins.

        Args:
            heard: what was heard in it.
            seek: its first frame.
            count: its frames.
        """
        tokens, first = heard.tokens, self.speech.first_time
        offset = seek * self.frame
        tick = STRIDE * self.frame
        stamped = [self.times and first is not None and token >= first for token in tokens]
        pairs = [place + 1 for place in range(len(tokens) - 1) if stamped[place] and stamped[place + 1]]
        one_at_end = stamped[-2:] == [False, True]

        def at(place: int) -> int:
            return tokens[place] - int(first or 0)

        if not pairs:
            last = int(count * self.frame / tick)
            ticks = [at(place) for place, is_time in enumerate(stamped) if is_time]
            if ticks and ticks[-1] != 0:
                last = ticks[-1]
            return [Passage(offset, offset + last * tick, tokens, heard, 0, offset)], count
        ends = [*pairs, len(tokens)] if one_at_end else [*pairs[:-1], pairs[-1] + 1]
        found, start = [], 0
        for number, end in enumerate(ends):
            # The last passage has both of its last times, unless the window ends with one alone.
            closing = end - 1 if one_at_end or number < len(ends) - 1 else end - 2
            begin, close = offset + at(start) * tick, offset + at(closing) * tick
            found.append(Passage(begin, close, tokens[start:end], heard, start, offset))
            start = end
        # One time at the end says that nothing follows; else what follows the last pair is heard again.
        return found, count if one_at_end else at(start - 2) * STRIDE or count
