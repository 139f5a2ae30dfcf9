"""What a stranger's ``config.json`` may ask for: of each setting the kind of value, and how much.

A configuration is a few bytes and can ask for a network of any size, so it is held against these limits
before anything is built, and what is built is held against the weights beside it (:mod:`sixarts.blank`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from typing import Any

from sixarts.errors import CheckpointError, OptionError, nearest
from sixarts_hub.strict_json import short

#: Whether a value will do, and what is expected in words.
Limit = tuple[Callable[[Any], bool], str]


def whole(low: int, high: int) -> Limit:
    """A whole number.

    >>> fits, words = whole(1, 8)
    >>> fits(8), fits(9), fits(True), words
    (True, False, False, 'a whole number from 1 to 8')
    """
    return lambda value: type(value) is int and low <= value <= high, f"a whole number from {low} to {high}"


def number(low: float = -math.inf, high: float = math.inf) -> Limit:
    """A number, whole or not."""
    words = "a number" if math.isinf(high) else f"a number from {low} to {high}"
    return lambda value: type(value) in (int, float) and low <= value <= high, words


def one_of(*values: Any) -> Limit:
    """One of these, of the same type."""
    kinds = [(type(value), value) for value in values]
    words = " or ".join(repr(value) for value in values)
    return lambda value: (type(value), value) in kinds, words


def some(limit: Limit, most: int) -> Limit:
    """A list of at least one and at most so many."""
    fits, words = limit
    return (
        lambda value: type(value) is list and 0 < len(value) <= most and all(map(fits, value)),
        f"a list of at most {most}, each {words}",
    )


def either(one: Limit, other: Limit) -> Limit:
    """What one of two limits takes."""
    return lambda value: one[0](value) or other[0](value), f"{one[1]}, or {other[1]}"


def only(config: Mapping[str, Any], known: Collection[str], family: str) -> None:
    """Refuses settings that a family of our own does not have.

    Raises:
        OptionError: the first of them, with the nearest that it has.
    """
    for name in config:
        if name not in known:
            near = nearest(name, known) or list(known)
            raise OptionError(f"no {name!r} in the {family} family; nearest: {', '.join(near)}")


TRUTH = one_of(True, False)
NAME: Limit = (lambda value: isinstance(value, str) and len(value) <= 100, "a name")

#: Most elements of a table of positions, which is computed and in no file.
POSITIONS_CAP = 2**26

#: Settings of a transformer under their published names, each far beyond what is published.
TRANSFORMER: dict[str, Limit] = {
    "vocab_size": whole(1, 2**24),
    "d_model": whole(1, 2**15),
    "encoder_layers": whole(1, 128),
    "decoder_layers": whole(1, 128),
    "encoder_attention_heads": whole(1, 2**10),
    "decoder_attention_heads": whole(1, 2**10),
    "encoder_ffn_dim": whole(1, 2**18),
    "decoder_ffn_dim": whole(1, 2**18),
    "max_position_embeddings": whole(1, 2**20),
    "activation_function": NAME,
    "dropout": number(0, 1),
    "attention_dropout": number(0, 1),
    "activation_dropout": number(0, 1),
    "scale_embedding": TRUTH,
    "share_encoder_decoder_embeddings": TRUTH,
    "tie_word_embeddings": TRUTH,
}


def search_limits(words: int) -> dict[str, Limit]:
    """Settings of a search under their published names, over a vocabulary of so many words."""
    token = whole(0, words - 1)
    return {
        "decoder_start_token_id": token,
        "pad_token_id": token,
        "eos_token_id": either(token, some(token, 64)),
        "forced_bos_token_id": token,
        "forced_eos_token_id": token,
        "bad_words_ids": some(some(token, 64), 4096),
        "max_length": whole(2, 2**40),
        "num_beams": whole(1, 1024),
        "length_penalty": number(-1e6, 1e6),
        "early_stopping": one_of(True, False, "never"),
        "do_sample": TRUTH,
        "temperature": number(0, 1e6),
        "top_k": whole(0, 2**40),
        "top_p": number(0, 1),
        "renormalize_logits": TRUTH,
        "max_new_tokens": whole(1, 2**40),
        "min_length": whole(0, 2**40),
        "min_new_tokens": whole(0, 2**40),
        "repetition_penalty": number(1e-6, 1e6),
        "no_repeat_ngram_size": whole(0, 64),
        "encoder_no_repeat_ngram_size": whole(0, 64),
    }


def check(config: Mapping[str, Any], limits: Mapping[str, Limit], optional: bool = False) -> None:
    """Hold a configuration against limits; settings that these do not name may be anything.

    Args:
        config: setting to value.
        limits: setting to limit.
        optional: whether ``null`` stands for a setting that is left out.

    Raises:
        CheckpointError: on the first value that will not do.
    """
    for name, (fits, words) in limits.items():
        if name not in config or (optional and config[name] is None):
            continue
        if not fits(config[name]):
            raise CheckpointError(
                f"{name}={short(config[name])}; expected {words}; check config.json, or fetch the model again"
            )


def check_transformer(config: Mapping[str, Any]) -> None:
    """Hold a transformer's settings against :data:`TRANSFORMER`, and what they multiply to.

    Raises:
        CheckpointError: on the first value that will not do.
    """
    check(config, TRANSFORMER)
    # The second vocabulary of a layout that may keep two.
    check(config, {"decoder_vocab_size": TRANSFORMER["vocab_size"]}, optional=True)
    table = config["max_position_embeddings"] * config["d_model"]
    if table > POSITIONS_CAP:
        raise CheckpointError(
            f"max_position_embeddings={config['max_position_embeddings']} with d_model={config['d_model']}; "
            f"expected at most {POSITIONS_CAP} numbers in the table of positions; choose another model"
        )
    for side in ("encoder", "decoder"):
        heads = config[f"{side}_attention_heads"]
        if config["d_model"] % heads:
            raise CheckpointError(
                f"d_model={config['d_model']} with {side}_attention_heads={heads}; expected a divisor"
            )
