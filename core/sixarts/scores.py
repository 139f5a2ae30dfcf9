"""What a search does to a step's scores before it chooses: tokens penalized, barred, held back, forced.

Each part is traced only where the search asks for it; order and semantics are those of the logits processors
published with ``transformers`` (read at 5.24).

Shapes: ``b`` rows, ``k`` hypotheses a row, ``v`` vocabulary, ``n`` positions of the stage, ``m`` of others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from keras import ops

from sixarts.device import backend
from sixarts.errors import OptionError

#: What a family adds to a search: scores ``[b, k, v]``, the state and the dynamic values to new scores. It is
#: traced once, and must be hashable: what it is made of is static.
Rule = Callable[[Any, Mapping[str, Any], Mapping[str, Any]], Any]


def processed(scores: Any, state: Mapping[str, Any], search: Any, dynamic: Mapping[str, Any]) -> Any:
    """Scores after everything that the search asks for.

    Args:
        scores: ``[b, k, v]``, logits of greedy search or log-probabilities of beam search.
        state: ``tokens`` ``[b, k, n]`` so far, and ``index``, the position of the last of them.
        search: the :class:`sixarts.generation.Search`.
        dynamic: values that the compiled step takes, see :func:`limits_of`.
    """
    index, tokens, size = state["index"], state["tokens"], scores.shape[-1]
    barred = ops.cast(-np.inf, "float32")
    vocabulary = ops.arange(size, dtype="int32")
    so_far = ops.broadcast_to(ops.arange(tokens.shape[-1]) <= index, tokens.shape)
    if search.repetition_penalty != 1:
        penalty = dynamic["repetition_penalty"]
        less = ops.where(scores < 0, scores * penalty, scores / penalty)
        scores = ops.where(_marked(tokens, so_far, size), less, scores)
    if search.no_repeat_ngram_size:
        again = _follows(tokens, so_far, state, search.no_repeat_ngram_size)
        scores = ops.where(_marked(tokens, again, size), barred, scores)
    if search.encoder_no_repeat_ngram_size:
        source, seen = (
            ops.repeat(dynamic[name][:, None], tokens.shape[1], axis=1) for name in ("source", "source_mask")
        )
        again = _follows(source, seen, state, search.encoder_no_repeat_ngram_size)
        scores = ops.where(_marked(source, again, size), barred, scores)
    if dynamic["suppress"].shape[0]:
        banned = ops.any(vocabulary[None] == dynamic["suppress"][:, None], axis=0)
        scores = ops.where(banned[None, None], barred, scores)
    for words in search.suppress:
        if len(words) > 1:
            last = ops.logical_and(_ends_with(state, words[:-1])[:, :, None], vocabulary == words[-1])
            scores = ops.where(last, barred, scores)
    if search.min_length:
        early = ops.logical_and(index + 1 < dynamic["min_length"], is_any(vocabulary, search.eos))
        scores = ops.where(early, barred, scores)
    for rule in search.rules:
        scores = rule(scores, state, dynamic)
    if count := dynamic["forced"].shape[1]:
        place = ops.minimum(index, count - 1)
        wanted = ops.take(dynamic["forced"], place, axis=1)[:, None, None]
        only = ops.where(vocabulary == wanted, ops.cast(0.0, "float32"), barred)
        free = ops.logical_or(index >= count, wanted < 0)
        scores = ops.where(free, scores, only)
    if search.forced_eos is not None:
        last = index + 2 >= dynamic["max_length"]
        only = ops.where(vocabulary == search.forced_eos, ops.cast(0.0, "float32"), barred)
        scores = ops.where(last, only[None, None], scores)
    return scores


def limits_of(search: Any, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray | np.generic]:
    """The values that :func:`processed` takes for what a search sets, so that another value compiles nothing.

    Args:
        search: the :class:`sixarts.generation.Search`.
        inputs: the batch; of a source that may not be repeated, ``input_ids`` and ``attention_mask``.

    Raises:
        OptionError: such a source is wanted, and the batch has none.
    """
    found: dict[str, np.ndarray | np.generic] = {}
    if search.repetition_penalty != 1:
        found["repetition_penalty"] = np.float32(search.repetition_penalty)
    if search.min_length:
        found["min_length"] = np.int32(min(search.min_length, search.max_length))
    if size := search.encoder_no_repeat_ngram_size:
        if "input_ids" not in inputs:
            raise OptionError(f"encoder_no_repeat_ngram_size={size}; expected 0: this model reads no tokens")
        found["source"] = inputs["input_ids"].astype("int32")
        found["source_mask"] = inputs["attention_mask"].astype("bool")
    return found


def _follows(history: Any, known: Any, state: Mapping[str, Any], length: int) -> Any:
    """Which positions of a history come after the last ``length - 1`` tokens of each hypothesis.

    Args:
        history: tokens ``[b, k, m]``.
        known: which of them there are, ``[b, k, m]``.
        length: of the n-grams.
    """
    found = ops.logical_and(known, state["index"] + 2 >= length)
    for back in range(1, length):
        at = ops.maximum(state["index"] + 1 - back, 0)
        last = ops.take(state["tokens"], at, axis=2)[:, :, None]
        # No token is negative: what stands before the beginning is like none.
        before = ops.pad(history, ((0, 0), (0, 0), (back, 0)), constant_values=-1)[:, :, : history.shape[-1]]
        found = ops.logical_and(found, before == last)
    return found


def _marked(tokens: Any, chosen: Any, size: int) -> Any:
    """Which words of the vocabulary are among the chosen ``tokens`` ``[b, k, m]``, as ``[b, k, v]``."""
    rows, beams, count = tokens.shape
    # What is not chosen is put into a column of its own, that is cut off again.
    places = ops.where(chosen, tokens, size)
    if backend() == "torch":
        # Keras's own goes through the tokens one by one there.
        import torch

        blank = torch.zeros((rows, beams, size + 1), dtype=torch.bool, device=places.device)
        return blank.scatter(2, places.to(torch.int64), True)[:, :, :size]
    firsts = ops.arange(rows * beams, dtype="int32") * (size + 1)
    flat = ops.reshape(places, (rows * beams, count)) + firsts[:, None]
    counts = ops.scatter(
        ops.reshape(flat, (-1, 1)), ops.ones((rows * beams * count,), "float32"), (rows * beams * (size + 1),)
    )
    return ops.reshape(counts, (rows, beams, size + 1))[:, :, :size] > 0


def _ends_with(state: Mapping[str, Any], words: tuple[int, ...]) -> Any:
    """Whether each hypothesis ends with ``words``, ``[b, k]``."""
    ends = ops.cast(state["index"] + 1 >= len(words), "bool")
    for back, word in enumerate(reversed(words)):
        at = ops.maximum(state["index"] - back, 0)
        ends = ops.logical_and(ends, ops.take(state["tokens"], at, axis=2) == word)
    return ends


def is_any(tokens: Any, values: tuple[int, ...]) -> Any:
    """Which tokens are among ``values``, of which there is at least one."""
    found = tokens == values[0]
    for value in values[1:]:
        found = ops.logical_or(found, tokens == value)
    return found
