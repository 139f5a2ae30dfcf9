"""What Whisper's search may say when: nothing empty at first, and times in pairs that do not go back.

Source: ``openai/whisper``, ``decoding.py``, in the order and with the details of ``transformers`` 5.24
(``WhisperTimeStampLogitsProcessor``, ``SuppressTokensAtBeginLogitsProcessor``).

Shapes: ``b`` rows, ``k`` hypotheses a row, ``v`` vocabulary, ``n`` positions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

_NEVER = -np.inf


@dataclass(frozen=True)
class NotFirst:
    """Some tokens are not the first after the prompt.

    Attributes:
        tokens: their numbers.
    """

    tokens: tuple[int, ...]

    def __call__(self, scores: Any, state: Mapping[str, Any], dynamic: Mapping[str, Any]) -> Any:
        barred = np.isin(np.arange(scores.shape[-1]), self.tokens)
        at_start = state["index"] + 1 == dynamic["begin"]
        return ops.where(
            ops.logical_and(at_start, ops.convert_to_tensor(barred)), ops.cast(_NEVER, "float32"), scores
        )


@dataclass(frozen=True)
class Times:
    """Times come in pairs, but before the end; none is earlier than one before it; a text begins with one.

    Attributes:
        first: token of 0 seconds; the one before it asks for no times.
        end: token of a text's end, above all tokens of text.
        latest: ticks after which no text begins; ``None`` for any.
    """

    first: int
    end: int
    latest: int | None = None

    def __call__(self, scores: Any, state: Mapping[str, Any], dynamic: Mapping[str, Any]) -> Any:
        index, begin, tokens = state["index"], dynamic["begin"], state["tokens"]
        numbers = ops.arange(scores.shape[-1], dtype="int32")
        times, never = numbers >= self.first, ops.cast(_NEVER, "float32")

        def barred(where: Any) -> Any:
            return ops.where(where, never, scores)

        scores = barred(numbers == self.first - 1)
        # What was said after the prompt: whether its last two are times, and its last time.
        said = index + 1 - begin
        last = self._is_time(state, index)[:, :, None]
        before = self._is_time(state, ops.maximum(index - 1, 0))[:, :, None]
        last = ops.logical_and(last, said >= 1)
        before = ops.logical_or(before, said < 2)
        scores = barred(ops.logical_and(ops.logical_and(last, before), times))
        single = ops.logical_and(last, ops.logical_not(before))
        scores = barred(ops.logical_and(single, numbers < self.end))
        places = ops.arange(tokens.shape[-1], dtype="int32")
        own = ops.logical_and(places >= begin, places <= index)
        stated = ops.where(ops.logical_and(own, tokens >= self.first), tokens, self.first - 1)
        # They do not go back, so that the last is the largest. A pair's second may be its first again.
        latest = ops.max(stated, axis=-1)[:, :, None]
        lowest = ops.where(single, latest, latest + 1)
        scores = barred(ops.logical_and(times, numbers < lowest))
        allowed = times
        if self.latest is not None:
            allowed = ops.logical_and(times, numbers <= self.first + self.latest)
        scores = barred(ops.logical_and(said == 0, ops.logical_not(allowed)))
        # Where times together are likelier than any other token, one is taken.
        together = ops.logsumexp(ops.where(times, scores, never), axis=-1, keepdims=True)
        likeliest = ops.max(ops.where(times, never, scores), axis=-1, keepdims=True)
        return barred(ops.logical_and(together > likeliest, ops.logical_not(times)))

    def _is_time(self, state: Mapping[str, Any], place: Any) -> Any:
        return ops.take(state["tokens"], place, axis=2) >= self.first
