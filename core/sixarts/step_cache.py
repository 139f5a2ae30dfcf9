"""The cache of keys and values that a decoder's steps share, for all hypotheses of a row.

A position of all hypotheses is stored side by side, ``[b, h, n * k, e]``. None is moved when hypotheses are
sorted anew: each knows which place of its row holds each of its positions. That spares a copy of the whole
cache a step, and one product attends for all hypotheses of a row.

Shapes: ``b`` rows, ``k`` hypotheses a row, ``n`` positions, ``h`` heads, ``e`` width of a head.
"""

from __future__ import annotations

from typing import Any

from keras import ops

from sixarts.device import backend


def past_bias(index: Any, length: int, ancestors: Any, dtype: Any) -> Any:
    """Additive attention bias over the cached positions of all hypotheses of a row.

    Args:
        index: the present position, a scalar; later ones are not seen.
        length: positions in the cache, ``n``.
        ancestors: ``[b, k, n]``, the place that holds each position of each hypothesis; ``None`` where a
            row has one hypothesis.

    Returns:
        ``[b, 1, k, n * k]``, or ``[1, 1, 1, n]`` without ancestors.
    """
    seen = (ops.arange(length) <= index)[None, None, None]
    if ancestors is not None:
        b, k, n = ancestors.shape
        own = ancestors[..., None] == ops.arange(k, dtype=ancestors.dtype)
        seen = ops.reshape(ops.logical_and(own, ops.reshape(seen, (1, 1, n, 1))), (b, 1, k, n * k))
    return ops.where(seen, ops.cast(0.0, dtype), ops.cast(-1e9 if dtype != "float16" else -6e4, dtype))


def write_position(cache: Any, new: Any, index: Any) -> Any:
    """``cache`` ``[b, h, n * k, e]`` with ``new`` ``[b, h, k, e]`` at position ``index``."""
    first = index * new.shape[2]
    if backend() == "torch":
        # Keras reads a slice's start there, which ties a traced step to one position.
        return cache.index_copy(2, first + ops.arange(new.shape[2], dtype="int64"), new)
    return ops.slice_update(cache, (0, 0, first, 0), new)
