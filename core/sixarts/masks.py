"""What attention may look at, as something to add to its scores.

Shapes: ``b`` rows, ``t`` query positions, ``s`` key positions.
"""

from __future__ import annotations

from typing import Any

from keras import ops


def bias_of(seen: Any, dtype: Any) -> Any:
    """0 where ``seen``, a large negative number elsewhere; in half precision two of them have a sum, too."""
    return ops.where(seen, ops.cast(0.0, dtype), ops.cast(-1e9 if dtype != "float16" else -3e4, dtype))


def mask_bias(mask: Any, dtype: Any) -> Any:
    """The bias ``[b, 1, 1, s]`` of a key mask ``[b, s]``, nonzero for keys that may be seen."""
    return bias_of(ops.cast(mask, "bool")[:, None, None, :], dtype)


def causal_bias(length: Any, dtype: Any) -> Any:
    """The bias ``[1, 1, t, t]`` by which no position sees a later one."""
    places = ops.arange(length)
    return bias_of(places[:, None] >= places[None, :], dtype)[None, None]
