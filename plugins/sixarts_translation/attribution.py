"""Which source tokens made each target token: cross-attention, integrated gradients, occlusion."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

from sixarts.batching import LENGTHS, bucket
from sixarts.compiled import Compiled, to_numpy
from sixarts.errors import InputError, OptionError
from sixarts.explanation import Attribution, Explanation
from sixarts_translation.marian_processor import SPACE, padded


def attribute(task: Any, x: str, method: str, target: Any, options: Any) -> Explanation:
    """Explains the translation of one text that fits the model.

    Args:
        target: ``None`` for every token of the translation, or the position of one (from 0).

    Returns:
        Rows for target tokens, columns for source tokens, the end tokens included on the source side.
    """
    batch = task.prepare([_whole(task, x, options)], options)
    tokens = task.answer(batch, options)["tokens"][0, 0]
    # Forced tokens, such as a language, are nobody's doing.
    skipped = batch.arrays["forced"].shape[1]
    processor, search = task.model.processor, task.model.search
    pieces = processor.target_pieces(tokens[1:])
    if len(pieces) <= skipped:
        raise InputError(
            f"{x[:40]!r}, which this model translates into nothing; expected a text it has words for"
        )
    places = list(range(skipped, len(pieces))) if target is None else [_place(target, pieces)]
    length = bucket(len(pieces) + 1, LENGTHS)
    arrays = {name: batch.arrays[name] for name in ("input_ids", "attention_mask")} | {
        "decoder_input_ids": padded([tokens[: len(pieces) + 1]], search.pad, length)
    }
    source = processor.source_pieces(batch.context[0], processor.source_of(options.source))
    values, totals, unit = _METHODS[method](task, arrays, tokens[1:], places)
    return Explanation(
        method=method,
        target="all tokens" if target is None else f"token {places[0]}",
        input_labels=tuple(_label(piece) for piece in source),
        target_labels=tuple(_label(pieces[place]) for place in places),
        values=np.asarray(values)[:, : len(source)],
        signed=method != "attention",
        totals=totals,
        answer=processor.decode(tokens[1:]),
        unit=unit,
    )


def _whole(task: Any, x: str, options: Any) -> str:
    """The text as the one piece that the model sees."""
    pieces = list(task.pieces(x, type(options)(**{**vars(options), "segment": "none"})))
    if len(pieces) != 1:
        raise InputError(
            f"a text of {len(pieces)} pieces; expected one that the model takes whole: explain a sentence"
        )
    return pieces[0]


def _place(target: Any, pieces: list[str]) -> int:
    if isinstance(target, int) and not isinstance(target, bool) and 0 <= target < len(pieces):
        return target
    if isinstance(target, str) and target in map(_label, pieces):
        return list(map(_label, pieces)).index(target)
    shown = ", ".join(f"{place}: {_label(piece)}" for place, piece in enumerate(pieces))
    raise OptionError(f"target={target!r}; expected a token of the translation or its position: {shown}")


def _label(piece: str) -> str:
    return piece.replace(SPACE, " ").strip() or "␣"


def _attention(task: Any, arrays: Any, tokens: Any, places: list[int]) -> Any:
    """Cross-attention, mean over layers and heads, of the step that makes each token."""
    weights = cross_attention(task.model, arrays)[0]
    return weights.mean(axis=(0, 1))[places], None, "share of attention"


def cross_attention(model: Any, arrays: Any) -> np.ndarray:
    """Attention of each target position to each source position, ``[b, layers, h, t, s]``."""
    network = model.attention_network
    compiled = _kept(
        model,
        "attention",
        lambda: Compiled(lambda inputs: network(inputs, training=False), model.variables, model.device),
    )
    return np.asarray(to_numpy(compiled(arrays)["cross_attention"]))


def _kept(model: Any, name: str, make: Callable[[], Any]) -> Any:
    """What was compiled for a model, kept with it: the next explanation compiles nothing."""
    kept = vars(model).setdefault("_explainers", {})
    if name not in kept:
        kept[name] = make()
    return kept[name]


def _attribution(task: Any) -> Attribution:
    """Scores a pair (position, token): the token's log-probability there, given those before it."""

    def score(outputs: Any, place: Any) -> Any:
        logits = ops.take(outputs["logits"], place[0], axis=1)
        return ops.take(ops.log_softmax(logits, axis=-1), place[1], axis=-1)

    return _kept(task.model, "attribution", lambda: Attribution(task.model, score))


def _baseline(task: Any, ids: np.ndarray) -> np.ndarray:
    """Padding in the place of every token but the end: a source that says nothing."""
    end = task.model.processor.eos
    return np.where(ids == end, end, task.model.search.pad).astype("int32")


def _integrated_gradients(task: Any, arrays: Any, tokens: Any, places: list[int]) -> Any:
    values, totals = _attribution(task).integrated_gradients(
        arrays, _baseline(task, arrays["input_ids"]), [(place, tokens[place]) for place in places]
    )
    return values, totals, "nats"


def _occlusion(task: Any, arrays: Any, tokens: Any, places: list[int]) -> Any:
    """How much less probable each token is when one source token cannot be seen."""
    count = int(arrays["attention_mask"].sum())
    rows = bucket(count + 1, LENGTHS)
    many = {name: np.repeat(array, rows, axis=0) for name, array in arrays.items()}
    for column in range(count):
        many["attention_mask"][column + 1, column] = 0
    found = _attribution(task)
    values = np.zeros((len(places), arrays["input_ids"].shape[1]))
    for row, place in enumerate(places):
        scores = found.score(many, (place, tokens[place]))
        values[row, :count] = scores[0] - scores[1 : count + 1]
    return values, None, "nats lost without it"


_METHODS = {
    "attention": _attention,
    "integrated_gradients": _integrated_gradients,
    "occlusion": _occlusion,
}
