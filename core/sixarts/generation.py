"""Token sequences from an encoder–decoder: greedy search, beam search and sampling over a cached step.

The loop runs inside one compiled function (on PyTorch: around a traced one), and stops as soon as every row
is done. Sequences and caches grow in stages, so that short answers never pay for the longest one allowed;
each stage compiles once and is then reused. Semantics, lengths and scores follow the beam search
published with ``transformers`` (``GenerationMixin``, read at 5.23): the same weights give the same tokens.

Shapes: ``b`` rows, ``k`` hypotheses a row, ``v`` vocabulary, ``n`` positions of the stage.

More than 400 lines, since greedy search, beam search and sampling share one loop and one state.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, Protocol, cast

import keras
import numpy as np
from keras import ops

from sixarts import large_pages
from sixarts.compiled import Compiled, Loop, to_numpy
from sixarts.device import Device
from sixarts.errors import OptionError
from sixarts.scores import Rule, is_any, limits_of, processed

#: Lengths at which sequences and caches grow; the last stage is ``max_length`` itself.
STAGES = (32, 128)

#: Scores that are looked at together by :func:`largest`.
CHUNK = 128

_NEVER = -1e9


class Generative(Protocol):
    """What a model gives for :class:`Generator` to drive it."""

    device: Device

    @property
    def variables(self) -> list[Any]:
        """Every variable that ``encode`` and ``step`` read."""

    def encode(self, inputs: Mapping[str, Any]) -> Any:
        """Arrays of the batch to whatever ``step`` needs of them, a tree whose leaves begin with ``b``."""

    def empty_cache(self, rows: int, beams: int, length: int) -> Any:
        """A tree of zeros, with room for so many positions of every hypothesis."""

    def step(self, tokens: Any, index: Any, cache: Any, memory: Any, ancestors: Any) -> tuple[Any, Any]:
        """Tokens ``[b, k]`` at position ``index`` to float32 logits ``[b, k, v]`` and the new cache.

        The cache of a hypothesis is not moved when hypotheses are sorted anew: ``ancestors`` ``[b, k, n]``
        says which place of the row holds each of its positions, and is ``None`` where ``k`` is 1. See
        :func:`sixarts.step_cache.past_bias`.
        """


class Prompted(Generative, Protocol):
    """What a model gives whose rows begin with several tokens."""

    def prefill(self, tokens: Any, cache: Any, memory: Any, beams: int) -> Any:
        """The cache with tokens ``[b, p]`` at its first positions."""


@dataclass(frozen=True)
class Search:
    """How sequences are searched.

    Attributes:
        start: the token that every sequence begins with; it counts as one of ``max_length``.
        eos: tokens that end a sequence.
        pad: what follows the end.
        max_length: most tokens of a sequence, start and end included.
        min_length: no end comes before so many tokens, the start included; 0 for none.
        beams: hypotheses kept; 1 is greedy search (or sampling).
        length_penalty: a finished hypothesis scores its log-probability over ``length ** length_penalty``.
        early_stopping: ``True`` stops a row at ``beams`` finished hypotheses, ``False`` when the best open
            one cannot do better at its present length, ``"never"`` when it cannot at any length.
        sample: draw instead of taking the best; needs ``beams == 1``.
        temperature, top_k, top_p: of sampling; ``top_k=0`` keeps all.
        suppress: tokens and token sequences that are never produced.
        repetition_penalty: what the score of a token that came already is divided by, or multiplied with if
            it is negative (Keskar et al. 2019); 1 leaves it alone.
        no_repeat_ngram_size: no sequence of so many tokens comes twice; 0 allows all.
        encoder_no_repeat_ngram_size: no sequence of so many tokens of the source comes; 0 allows all.
        forced_bos: the token that follows the start.
        forced_eos: the token that a sequence of full length ends with.
        rules: what a family does to scores beside all that, in this order; see :data:`sixarts.scores.Rule`.
        renormalize: whether scores are made probabilities again after ``suppress``.
    """

    start: int
    eos: tuple[int, ...]
    pad: int
    max_length: int
    beams: int = 1
    length_penalty: float = 1.0
    early_stopping: bool | Literal["never"] = False
    sample: bool = False
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    suppress: tuple[tuple[int, ...], ...] = ()
    forced_eos: int | None = None
    renormalize: bool = False
    min_length: int = 0
    repetition_penalty: float = 1.0
    no_repeat_ngram_size: int = 0
    encoder_no_repeat_ngram_size: int = 0
    forced_bos: int | None = None
    rules: tuple[Rule, ...] = ()

    def __post_init__(self) -> None:
        checks = {
            "max_length": (self.max_length >= 2, "at least 2"),
            "beams": (self.beams >= 1, "at least 1"),
            "length_penalty": (math.isfinite(self.length_penalty), "a finite number"),
            "temperature": (0 < self.temperature < math.inf, "above 0 and finite"),
            "top_k": (self.top_k >= 0, "0 or more"),
            "top_p": (0 < self.top_p <= 1, "above 0 and at most 1"),
            "early_stopping": (self.early_stopping in (True, False, "never"), "True, False or 'never'"),
            "sample": (not (self.sample and self.beams > 1), "beams=1 beside it"),
            "min_length": (self.min_length >= 0, "0 or more"),
            "repetition_penalty": (0 < self.repetition_penalty < math.inf, "above 0 and finite"),
            "no_repeat_ngram_size": (self.no_repeat_ngram_size >= 0, "0 or more"),
            "encoder_no_repeat_ngram_size": (self.encoder_no_repeat_ngram_size >= 0, "0 or more"),
        }
        for name, (good, expected) in checks.items():
            if not good:
                raise OptionError(f"{name}={getattr(self, name)!r}; expected {expected}")

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Search:
        """Reads the published ``generation_config.json`` (or ``config.json``) keys."""
        eos = config.get("eos_token_id", ())
        chosen = {
            ours: config[theirs] for theirs, ours in PUBLISHED.items() if config.get(theirs) is not None
        }
        eos_ids = tuple(eos) if isinstance(eos, (list, tuple)) else (eos,)
        # An end among them is left out, as published: a sequence could never stop.
        suppress = tuple(
            tuple(words)
            for words in config.get("bad_words_ids") or ()
            if not (len(words) == 1 and words[0] in eos_ids)
        )
        chosen["early_stopping"] = chosen.get("early_stopping", False)
        return cls(**chosen | _lengths(config), eos=eos_ids, suppress=suppress)

    def with_options(self, **options: Any) -> Search:
        """A copy with every option that is not ``None`` replaced; lengths may be told in new tokens, too."""
        known = {field.name for field in fields(self)}
        chosen = {k: v for k, v in options.items() if v is not None and k in known}
        return replace(self, **chosen | _lengths(options))


def _lengths(stated: Mapping[str, Any]) -> dict[str, int]:
    """Lengths that are stated in new tokens, the start not counted; they go before the others."""
    return {
        f"{side}_length": stated[name] + 1
        for side in ("min", "max")
        if stated.get(name := f"{side}_new_tokens") is not None
    }


#: Published name of a setting to ours.
PUBLISHED = {
    "decoder_start_token_id": "start",
    "pad_token_id": "pad",
    "max_length": "max_length",
    "num_beams": "beams",
    "length_penalty": "length_penalty",
    "early_stopping": "early_stopping",
    "do_sample": "sample",
    "temperature": "temperature",
    "top_k": "top_k",
    "top_p": "top_p",
    "forced_eos_token_id": "forced_eos",
    "renormalize_logits": "renormalize",
    "min_length": "min_length",
    "repetition_penalty": "repetition_penalty",
    "no_repeat_ngram_size": "no_repeat_ngram_size",
    "encoder_no_repeat_ngram_size": "encoder_no_repeat_ngram_size",
    "forced_bos_token_id": "forced_bos",
}


class Generator:
    """Drives a :class:`Generative` model; keeps its compiled functions.

    Example::

        generator = Generator(model)
        generator({"input_ids": ids, "attention_mask": mask}, search)["tokens"]
    """

    def __init__(self, model: Generative) -> None:
        self.model = model
        self._compiled: dict[Any, Compiled | Loop] = {}

    def __call__(
        self,
        inputs: Mapping[str, np.ndarray],
        search: Search,
        seed: int | np.ndarray = 0,
        start: np.ndarray | None = None,
        forced: np.ndarray | None = None,
        most: np.ndarray | None = None,
    ) -> dict[str, np.ndarray]:
        """Sequences for a batch.

        Args:
            inputs: what the model's ``encode`` takes, each ``[b, …]``.
            search: how to search.
            seed: of sampling; noise is drawn in NumPy, so that one seed means one answer on every backend.
                One for each row ``[b]`` makes a row's answer independent of those beside it.
            start: each row's first token ``[b]``, where rows differ in it; ``search.start`` by default. Or
                what a model is prompted with, ``[b, p]``, which is read at once by its ``prefill``.
            forced: tokens ``[b, f]`` that must follow the first one, such as a language; they count as
                tokens of the answer and cost nothing. Where one is negative, any may follow;
                ``search.forced_bos`` by default.
            most: tokens ``[b]`` that may follow the start, where that is less than ``search.max_length``
                allows.

        Returns:
            ``tokens`` ``[b, k, n]``, best first, padded; ``scores`` ``[b, k]``, log-probabilities over
            ``length ** length_penalty``, a prompt not counted.
        """
        if not self._compiled:
            # A step reads every weight.
            large_pages.gather(self.model.variables)
        rows = next(iter(inputs.values())).shape[0]
        noise = _noise(seed, rows, search.max_length)
        first = np.full(rows, search.start) if start is None else start
        first = first.astype("int32").reshape(rows, -1)
        begin_at = first.shape[1]
        stages = [length for length in STAGES if begin_at < length < search.max_length] + [search.max_length]
        limit = np.full(rows, search.max_length, "int32")
        if most is not None:
            limit = np.minimum(limit, begin_at + most).astype("int32")
        static = (
            search.beams,
            search.sample,
            search.early_stopping,
            search.eos,
            search.pad,
            search.forced_eos,
            search.renormalize,
            tuple(words for words in search.suppress if len(words) > 1),
            search.min_length > 0,
            search.repetition_penalty != 1,
            search.no_repeat_ngram_size,
            search.encoder_no_repeat_ngram_size,
            search.rules,
        )
        begin = self._kept(("begin", stages[0], static), lambda: _begin(self.model, search, stages[0]))
        run = self._kept(("run", static), lambda: _run(self.model, search))
        if forced is None:
            every = () if search.forced_bos is None else (search.forced_bos,)
            forced = np.array([every] * rows, "int32").reshape(rows, -1)
        state, memory = begin(dict(inputs), first)
        dynamic = {
            **limits_of(search, inputs),
            "max_length": np.int32(search.max_length),
            "begin": np.int32(begin_at),
            "limit": limit[:, None],
            "length_penalty": np.float32(search.length_penalty),
            "temperature": np.float32(search.temperature),
            "top_k": np.int32(search.top_k or 2**30),
            "top_p": np.float32(search.top_p),
            "suppress": np.asarray([words[0] for words in search.suppress if len(words) == 1], "int32"),
            "forced": forced.astype("int32"),
        }
        for length in stages:
            if state["tokens"].shape[-1] < length:
                state = self._kept(("grow", length), functools.partial(_grow, self.model, length))(state)
            state = run(state, memory, {**dynamic, "noise": noise[:, :length]})
            if not bool(to_numpy(state["open"])):
                break
        return _best(state, search, begin_at, limit)

    def _kept(self, key: Any, make: Callable[[], Any]) -> Any:
        if key not in self._compiled:
            self._compiled[key] = make()
        return self._compiled[key]


def _begin(model: Generative, search: Search, length: int) -> Compiled:
    beams = search.beams

    def begin(inputs: Mapping[str, Any], start: Any) -> Any:
        rows, count = start.shape
        rest = ops.full((rows, beams, length - count), search.pad, "int32")
        first = ops.broadcast_to(start[:, None], (rows, beams, count))
        memory, cache = model.encode(inputs), model.empty_cache(rows, beams, length)
        if count > 1:
            cache = cast(Prompted, model).prefill(start[:, :-1], cache, memory, beams)
        tokens = ops.concatenate([first, rest], axis=2)
        scores = np.zeros((rows, beams), "float32")
        scores[:, 1:] = _NEVER
        state = {
            "tokens": tokens,
            "scores": ops.convert_to_tensor(scores),
            "index": ops.convert_to_tensor(np.int32(count - 1)),
            "open": ops.convert_to_tensor(np.bool_(True)),
            "cache": cache,
        }
        if beams == 1:
            state["finished"] = ops.zeros((rows, 1), "bool")
        else:
            state |= {
                "finished": ops.zeros((rows, beams), "bool"),
                "done_tokens": tokens,
                "done_scores": ops.full((rows, beams), _NEVER, "float32"),
                "improvable": ops.ones((rows, 1), "bool"),
                "ancestors": _own(rows, beams, length),
            }
        return state, memory

    return Compiled(begin, model.variables, model.device)


def _run(model: Generative, search: Search) -> Loop:
    advance = _advance_one if search.beams == 1 else _advance_beams

    def going(state: dict[str, Any]) -> Any:
        return ops.logical_and(state["open"], state["index"] + 1 < state["tokens"].shape[-1])

    def step(state: dict[str, Any], memory: Any, dynamic: Mapping[str, Any]) -> dict[str, Any]:
        tokens = ops.take(state["tokens"], state["index"], axis=2)
        logits, cache = model.step(tokens, state["index"], state["cache"], memory, state.get("ancestors"))
        return advance({**state, "cache": cache}, logits, search, dynamic)

    return Loop(going, step, model.variables, model.device)


def _advance_one(
    state: dict[str, Any], logits: Any, search: Search, dynamic: Mapping[str, Any]
) -> dict[str, Any]:
    """One token of greedy search or sampling."""
    logits = processed(logits, state, search, dynamic)
    if search.sample:
        token = _drawn(logits / dynamic["temperature"], state["index"], dynamic)
        value = ops.take_along_axis(logits, token[:, :, None], axis=-1)[:, :, 0]
        gained = value - ops.logsumexp(logits, axis=-1)
    else:
        value, token = (best[:, :, 0] for best in largest(logits, 1))
        # The largest is known: one pass over the scores less.
        gained = -ops.log(ops.sum(ops.exp(logits - value[:, :, None]), axis=-1))
    token = ops.where(state["finished"], search.pad, token)
    index = state["index"] + 1
    ends = ops.logical_or(is_any(token, search.eos), index + 1 >= dynamic["limit"])
    finished = ops.logical_or(state["finished"], ends)
    return {
        **state,
        "tokens": _written(state["tokens"], index, token),
        "scores": state["scores"] + ops.where(state["finished"], 0.0, gained),
        "index": index,
        "finished": finished,
        "open": ops.logical_not(ops.all(finished)),
    }


def _written(tokens: Any, index: Any, new: Any) -> Any:
    """``tokens`` ``[b, k, n]`` with ``new`` ``[b, k]`` at position ``index``."""
    return ops.where(ops.arange(tokens.shape[-1]) == index, new[:, :, None], tokens)


def _drawn(logits: Any, index: Any, dynamic: Mapping[str, Any]) -> Any:
    """A token ``[b, 1]`` by inverse transform: the first whose cumulative probability passes the noise.

    Top-k, then top-p (nucleus, Holtzman et al. 2020), as ranks in descending order.
    """
    values, order = ops.top_k(logits, logits.shape[-1])
    ranks = ops.arange(logits.shape[-1], dtype="int32")
    values = ops.where(ranks < dynamic["top_k"], values, ops.cast(-np.inf, "float32"))
    probabilities = ops.softmax(values, axis=-1)
    before = ops.cumsum(probabilities, axis=-1) - probabilities
    kept = ops.where(before < dynamic["top_p"], probabilities, 0.0)
    cumulative = ops.cumsum(kept, axis=-1)
    # Counted from the prompt's last token, so that what pads a prompt changes no draw.
    place = index + 1 - dynamic["begin"]
    noise = ops.take(dynamic["noise"], place, axis=1)[:, None, None] * cumulative[:, :, -1:]
    rank = ops.sum(ops.cast(cumulative <= noise, "int32"), axis=-1)
    most = ops.sum(ops.cast(kept > 0, "int32"), axis=-1) - 1
    chosen = ops.minimum(rank, most)[:, :, None]
    return ops.cast(ops.take_along_axis(order, chosen, axis=-1)[:, :, 0], "int32")


def _advance_beams(
    state: dict[str, Any], logits: Any, search: Search, dynamic: Mapping[str, Any]
) -> dict[str, Any]:
    """One token of beam search.

    Keeps ``beams`` open and ``beams`` finished hypotheses a row. Twice as many candidates are looked at
    (more with several end tokens), so that enough stay open when the best ones end.
    """
    rows, beams, size = logits.shape
    # Normalized before or after some tokens are suppressed: forced ones have score 0 in what is processed.
    total = ops.logsumexp(logits, axis=-1, keepdims=True)
    scores = processed(logits - total, state, search, dynamic)
    if search.renormalize:
        scores = scores - ops.logsumexp(scores, axis=-1, keepdims=True)
    wide = max(2, 1 + len(search.eos)) * beams
    # The best of all are among the best of each.
    values, tokens = largest(scores, min(wide, size))
    every = ops.reshape(values + state["scores"][:, :, None], (rows, -1))
    candidate_scores, places = ops.top_k(every, wide)
    places = ops.cast(places, "int32")
    parents = places // values.shape[-1]
    tokens = ops.take_along_axis(ops.reshape(tokens, (rows, -1)), places, axis=1)
    index = state["index"] + 1
    candidates = _written(ops.take_along_axis(state["tokens"], parents[:, :, None], axis=1), index, tokens)
    full = index + 1 >= dynamic["limit"]
    ends = ops.logical_or(is_any(tokens, search.eos), full)

    # The best that stay open go on.
    open_scores = candidate_scores + ops.cast(ends, "float32") * _NEVER
    next_scores, chosen = ops.top_k(open_scores, beams)
    chosen = ops.cast(chosen, "int32")
    origin = ops.take_along_axis(parents, chosen, axis=1)
    length = state["ancestors"].shape[-1]
    ancestors = ops.where(
        ops.arange(length) <= state["index"],
        ops.take_along_axis(state["ancestors"], origin[:, :, None], axis=1),
        _own(rows, beams, length),
    )

    # Of those that end, only the first ``beams`` candidates may replace a finished hypothesis.
    among_first = ops.arange(wide) < beams
    ended = ops.logical_and(ends, among_first[None])
    tokens_so_far = ops.cast(index + 1 - dynamic["begin"], "float32")
    final = candidate_scores / tokens_so_far ** dynamic["length_penalty"]
    barred = ops.logical_or(ops.logical_not(ended), ops.logical_not(state["improvable"]))
    if search.early_stopping is True:
        barred = ops.logical_or(barred, ops.all(state["finished"], axis=1, keepdims=True))
    final = final + ops.cast(barred, "float32") * _NEVER
    done_scores, kept = ops.top_k(ops.concatenate([state["done_scores"], final], axis=1), beams)
    kept = ops.cast(kept, "int32")
    done_tokens = ops.take_along_axis(
        ops.concatenate([state["done_tokens"], candidates], axis=1), kept[:, :, None], axis=1
    )
    finished = ops.take_along_axis(ops.concatenate([state["finished"], ended], axis=1), kept, axis=1)

    # Can the best open hypothesis still beat the worst finished one?
    reach = tokens_so_far
    if search.early_stopping == "never":
        positive = dynamic["length_penalty"] > 0
        reach = ops.where(positive, ops.cast(dynamic["limit"] - dynamic["begin"], "float32"), reach)
    best_open = next_scores[:, :1] / reach ** dynamic["length_penalty"]
    worst_done = ops.where(finished, ops.min(done_scores, axis=1, keepdims=True), _NEVER)
    improvable = ops.logical_and(state["improvable"], ops.any(best_open > worst_done, axis=-1, keepdims=True))
    still = ops.logical_and(ops.any(improvable), ops.logical_not(ops.all(ends)))
    if search.early_stopping is True:
        still = ops.logical_and(still, ops.logical_not(ops.all(finished)))
    return {
        "tokens": ops.take_along_axis(candidates, chosen[:, :, None], axis=1),
        "scores": next_scores,
        "index": index,
        "open": still,
        "cache": state["cache"],
        "ancestors": ancestors,
        "finished": finished,
        "done_tokens": done_tokens,
        "done_scores": done_scores,
        "improvable": improvable,
    }


def largest(scores: Any, count: int) -> tuple[Any, Any]:
    """The ``count`` largest of each row of ``scores`` ``[b, k, v]``, best first, and their places.

    Exact, as ``ops.top_k`` is, in one pass over the scores where that takes several: no chunk but the
    ``count`` with the largest maxima can hold one of them.
    """
    size = scores.shape[-1]
    if size <= 4 * count * CHUNK:
        values, places = ops.top_k(scores, count)
        return values, ops.cast(places, "int32")
    # What fills no chunk is looked at as it is: to pad the scores would copy them all.
    whole = size // CHUNK * CHUNK
    chunks = ops.reshape(scores[:, :, :whole], (*scores.shape[:2], whole // CHUNK, CHUNK))
    _, chosen = ops.top_k(ops.max(chunks, axis=-1), count)
    # In order of their places, so that of equals the first is taken where the backend does so.
    chosen = ops.sort(ops.cast(chosen, "int32"), axis=-1)
    places = ops.reshape(
        chosen[..., None] * CHUNK + ops.arange(CHUNK, dtype="int32"), (*scores.shape[:2], count * CHUNK)
    )
    rest = ops.broadcast_to(ops.arange(whole, size, dtype="int32"), (*scores.shape[:2], size - whole))
    places = ops.concatenate([places, rest], axis=-1)
    values, inside = ops.top_k(ops.take_along_axis(scores, places, axis=-1), count)
    return values, ops.take_along_axis(places, ops.cast(inside, "int32"), axis=-1)


def _grow(model: Generative, length: int) -> Compiled:
    # There is nothing in it for XLA to fuse, and compiling takes it a second.
    return Compiled(lambda state: _grown(model, state, length), [], model.device, fused=False)


def _grown(model: Generative, state: dict[str, Any], length: int) -> dict[str, Any]:
    """The state with room for ``length`` positions."""
    more = length - state["tokens"].shape[-1]
    wider: dict[str, Any] = {
        name: ops.pad(state[name], ((0, 0), (0, 0), (0, more)))
        for name in state.keys() & {"tokens", "done_tokens"}
    }
    rows, beams, _ = state["tokens"].shape
    if "ancestors" in state:
        wider["ancestors"] = ops.concatenate([state["ancestors"], _own(rows, beams, more)], axis=-1)
    cache = keras.tree.map_structure(
        lambda free, leaf: ops.slice_update(free, [0] * len(leaf.shape), leaf),
        model.empty_cache(rows, beams, length),
        state["cache"],
    )
    return {**state, **wider, "cache": cache}


def _own(rows: int, beams: int, length: int) -> Any:
    """Ancestors ``[rows, beams, length]`` of hypotheses that hold every position themselves."""
    return ops.broadcast_to(ops.arange(beams, dtype="int32")[None, :, None], (rows, beams, length))


def _noise(seed: int | np.ndarray, rows: int, length: int) -> np.ndarray:
    """What sampling draws by, ``[rows, length]``."""
    if isinstance(seed, np.ndarray):
        return np.stack([np.random.default_rng(own).random(length, dtype=np.float32) for own in seed])
    return np.random.default_rng(seed).random((rows, length), dtype=np.float32)


def _best(state: Mapping[str, Any], search: Search, begin: int, limit: np.ndarray) -> dict[str, np.ndarray]:
    """Tokens padded after their end, and scores."""
    index = int(to_numpy(state["index"]))
    beam = search.beams > 1
    tokens = to_numpy(state["done_tokens" if beam else "tokens"])[:, :, : index + 1]
    scores = to_numpy(state["done_scores" if beam else "scores"])
    after_start = tokens[:, :, begin:]
    ended = np.cumsum(np.isin(after_start, search.eos), axis=-1)
    past = np.concatenate([np.zeros_like(ended[:, :, :1]), ended[:, :, :-1]], axis=-1) > 0
    past = past | (np.arange(after_start.shape[-1]) >= (limit - begin)[:, None, None])
    after_start = np.where(past, search.pad, after_start)
    if not beam:
        lengths = np.maximum((~past).sum(axis=-1), 1)
        scores = scores / lengths**search.length_penalty
    return {"tokens": np.concatenate([tokens[:, :, :begin], after_start], axis=-1), "scores": scores}
