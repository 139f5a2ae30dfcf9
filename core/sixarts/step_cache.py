"""The cache of keys and values that a decoder's steps share, for all hypotheses of a row.

A position of all hypotheses is stored side by side. None is moved when hypotheses are sorted anew: each knows
which place of its row holds each of its positions. That spares a copy of the whole cache a step, and one
product attends for all hypotheses of a row.

Keys are ``[b * h, e, n * k]`` and values ``[b * h, n * k, e]``: just what products read, since XLA would copy
the cache at every step to turn it, and twice more to write into what has another shape when it is read.

Shapes: ``b`` rows, ``k`` hypotheses a row, ``n`` positions, ``h`` heads, ``e`` width of a head.
"""

from __future__ import annotations

from typing import Any

from keras import ops

from sixarts.device import backend
from sixarts.masks import bias_of


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
    return bias_of(seen, dtype)


def empty_cache(blocks: int, rows: int, heads: int, positions: int, size: int, dtype: Any) -> Any:
    """For each block of a decoder keys ``[b * h, e, n * k]`` and values ``[b * h, n * k, e]``, all 0.

    Args:
        blocks: how many.
        rows, heads, size: ``b``, ``h`` and ``e``.
        positions: of all hypotheses of a row, ``n * k``.
        dtype: what attention computes in.
    """
    shapes = ((rows * heads, size, positions), (rows * heads, positions, size))
    return [tuple(ops.zeros(shape, dtype) for shape in shapes) for _ in range(blocks)]


def write_position(cache: Any, new: Any, index: Any, axis: int) -> Any:
    """A cache with what is new at position ``index``.

    Args:
        cache: such as ``[b * h, n * k, e]``.
        new: of one position of all hypotheses, ``[b, h, k, e]`` for that cache, or ``[b * h, k, e]``.
        index: the position, a scalar.
        axis: along which the cache's positions stand.
    """
    new = ops.cast(ops.reshape(new, (*cache.shape[:axis], -1, *cache.shape[axis + 1 :])), cache.dtype)
    first = index * new.shape[axis]
    if backend() == "torch":
        # Keras reads a slice's start there, which ties a traced step to one position.
        return cache.index_copy(axis, first + ops.arange(new.shape[axis], dtype="int64"), new)
    return ops.slice_update(cache, [first if place == axis else 0 for place in range(3)], new)


def cached(
    cache: tuple[Any, Any], made: tuple[Any, Any], index: Any
) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """One position of all hypotheses more in a block's cache.

    Args:
        cache: keys ``[b * h, e, n * k]`` and values ``[b * h, n * k, e]``.
        made: keys ``[b, h, e, k]`` and values ``[b, h, k, e]`` of the position.
        index: the position, a scalar.

    Returns:
        The new cache, and the same as attention reads it: ``[b, h, e, n * k]`` and ``[b, h, n * k, e]``.
    """
    written = tuple(
        write_position(old, new, index, axis) for old, new, axis in zip(cache, made, (2, 1), strict=True)
    )
    seen = tuple(
        ops.reshape(all_of, (*new.shape[:2], *all_of.shape[1:]))
        for all_of, new in zip(written, made, strict=True)
    )
    return written, seen
