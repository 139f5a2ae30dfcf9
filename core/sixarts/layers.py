"""Transformer layers that families of several plugins share.

Every layer takes an ``initializer``, so that a network about to be filled from a checkpoint can skip
random draws, and is called in two ways: as part of a functional network (``call``), and one position at a
time over an explicit cache (``step``). Both run the same arithmetic.

More than 400 lines, so that attention and the blocks that are made of it stand on one page.

Shapes: ``b`` rows, ``t`` query positions, ``s`` key positions, ``h`` heads, ``d`` width, ``e = d / h``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from typing import Any

import keras
import numpy as np
from keras import ops

from sixarts.masks import causal_bias, mask_bias
from sixarts.step_cache import cached

#: The four dense layers of an attention.
PROJECTIONS = ("query", "key", "value", "out")

#: Scores of an attention that are computed together where only its output is wanted, and the most parts.
SCORES, PARTS = 4_500_000, 16

#: Names that published configurations use, where they differ from Keras's own.
ACTIVATIONS = {
    "gelu_new": lambda x: keras.activations.gelu(x, approximate=True),
    "gelu_pytorch_tanh": lambda x: keras.activations.gelu(x, approximate=True),
    "gelu_fast": lambda x: keras.activations.gelu(x, approximate=True),
}


def activation(name: str) -> Any:
    """The activation function of a published configuration, e.g. ``"swish"`` or ``"gelu_new"``."""
    return ACTIVATIONS.get(name) or keras.activations.get(name)


class Attention(keras.layers.Layer):  # type: ignore[misc]
    """Multi-head scaled dot-product attention (Vaswani et al. 2017, section 3.2).

    Args:
        heads: number of heads.
        width: size of what is read and of the output.
        dropout: rate on the attention weights.
        biases: which of the four projections have one.
        initializer: of the projections.
        size: width of a head, ``e``; by default heads divide ``width``.
        scale: what products of queries and keys are multiplied by; ``e ** -0.5`` by default.
    """

    def __init__(
        self,
        heads: int,
        width: int,
        dropout: float = 0.0,
        biases: Collection[str] = PROJECTIONS,
        initializer: str = "glorot_uniform",
        size: int | None = None,
        scale: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.heads, self.width, self.size = heads, width, size or width // heads
        self.inner = heads * self.size
        self.scale = self.size**-0.5 if scale is None else scale

        def dense(name: str) -> keras.layers.Dense:
            return keras.layers.Dense(
                width if name == "out" else self.inner,
                use_bias=name in biases,
                kernel_initializer=initializer,
                dtype=self.dtype_policy,
                name=name,
            )

        self.query, self.key, self.value, self.out = map(dense, PROJECTIONS)
        self.dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy, name="dropout")

    def build(self, *shapes: Any, **named: Any) -> None:
        for layer in (self.query, self.key, self.value):
            layer.build((None, None, self.width))
        self.out.build((None, None, self.inner))
        self.built = True

    def split(self, x: Any) -> Any:
        """``[b, t, h * e]`` to ``[b, h, t, e]``."""
        return self._by_head(x, (0, 2, 1, 3))

    def turned(self, x: Any) -> Any:
        """``[b, t, h * e]`` to ``[b, h, e, t]``."""
        return self._by_head(x, (0, 2, 3, 1))

    def _by_head(self, x: Any, order: tuple[int, ...]) -> Any:
        shape = ops.shape(x)
        return ops.transpose(ops.reshape(x, (shape[0], shape[1], self.heads, self.size)), order)

    def project(self, memory: Any) -> tuple[Any, Any]:
        """Keys ``[b, h, e, s]`` and values ``[b, h, s, e]`` of ``memory`` ``[b, s, d]``."""
        return self.turned(self.key(memory)), self.split(self.value(memory))

    def attend(
        self, x: Any, keys: Any, values: Any, bias: Any = None, training: bool = False
    ) -> tuple[Any, Any]:
        """Queries from ``x`` ``[b, t, d]`` over keys and values as :meth:`project` gives them.

        Returns:
            The output ``[b, t, d]`` and the weights ``[b, h, t, s]``.
        """
        weights = self._weights(self._queries(x), keys, bias)
        mixed = ops.matmul(self.dropout(weights, training=training), values)
        return self._merged(mixed), weights

    def mix(self, x: Any, keys: Any, values: Any, bias: Any = None, training: bool = False) -> Any:
        """The output of :meth:`attend` alone.

        Long sequences are gone through in parts, whose scores stay in the processor's cache between their
        passes. That takes a third of the time off on JAX, half of it on PyTorch.
        """
        sizes = (x.shape[0], self.heads, x.shape[1], keys.shape[-1])
        known = all(isinstance(size, int) for size in sizes)
        parts = min(-(-math.prod(sizes) // SCORES), PARTS) if known and not training else 1
        if parts == 1:
            return self.attend(x, keys, values, bias, training)[0]
        queries, mixed, size = self._queries(x), [], -(-x.shape[1] // parts)
        for start in range(0, x.shape[1], size):
            part = slice(start, start + size)
            own = bias if bias is None or bias.shape[2] == 1 else bias[:, :, part]
            mixed.append(ops.matmul(self._weights(queries[:, :, part], keys, own), values))
        return self._merged(ops.concatenate(mixed, axis=2))

    def _queries(self, x: Any) -> Any:
        queries = self.split(self.query(x))
        return queries if self.scale == 1 else queries * ops.cast(self.scale, x.dtype)

    def _weights(self, queries: Any, keys: Any, bias: Any) -> Any:
        """How much each query looks at each key, ``[b, h, t, s]``."""
        scores = ops.matmul(queries, keys)
        return ops.softmax(scores if bias is None else scores + bias, axis=-1)

    def _merged(self, mixed: Any) -> Any:
        """``[b, h, t, e]`` to the output ``[b, t, d]``."""
        shape = ops.shape(mixed)
        return self.out(ops.reshape(ops.transpose(mixed, (0, 2, 1, 3)), (shape[0], shape[2], self.inner)))

    def step(self, x: Any, cache: tuple[Any, Any], index: Any, bias: Any) -> tuple[Any, tuple[Any, Any]]:
        """One position of ``k`` hypotheses a row, over what is cached of all of them.

        Args:
            x: ``[b, k, d]``, the position at ``index``.
            cache: keys ``[b * h, e, n * k]`` and values ``[b * h, n * k, e]``.
            index: position, a scalar.
            bias: which of the cached positions each hypothesis sees, from
                :func:`sixarts.step_cache.past_bias`.

        Returns:
            The output ``[b, k, d]`` and the cache with this position.
        """
        cache, (keys, values) = cached(cache, self.project(x), index)
        return self.attend(x, keys, values, bias)[0], cache

    def call(self, x: Any, memory: Any, bias: Any = None, training: bool = False) -> tuple[Any, Any]:
        keys, values = self.project(memory)
        return self.attend(x, keys, values, bias, training=training)


class FeedForward(keras.layers.Layer):  # type: ignore[misc]
    """Position-wise two-layer network (Vaswani et al. 2017, section 3.3)."""

    def __init__(
        self,
        width: int,
        inner: int,
        activation_name: str,
        dropout: float = 0.0,
        initializer: str = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.width, self.inner_width = width, inner
        self.activation = activation(activation_name)

        def dense(size: int, name: str) -> keras.layers.Dense:
            return keras.layers.Dense(
                size, kernel_initializer=initializer, dtype=self.dtype_policy, name=name
            )

        self.inner, self.outer = dense(inner, "inner"), dense(width, "outer")
        self.dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy, name="dropout")

    def build(self, *shapes: Any) -> None:
        self.inner.build((None, None, self.width))
        self.outer.build((None, None, self.inner_width))
        self.built = True

    def call(self, x: Any, training: bool = False) -> Any:
        return self.outer(self.dropout(self.activation(self.inner(x)), training=training))


class _Block(keras.layers.Layer):  # type: ignore[misc]
    """What encoder and decoder blocks share: sizes, norms, residual dropout.

    Args:
        width, heads, inner: sizes of the block, of its attention, of its feed-forward layer.
        norm_first: norm before each part (Xiong et al. 2020) or, as published in 2017, after it.
        biases: which of the attention's projections have one.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        inner: int,
        activation_name: str = "relu",
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        activation_dropout: float = 0.0,
        initializer: str = "glorot_uniform",
        epsilon: float = 1e-5,
        norm_first: bool = False,
        biases: Collection[str] = PROJECTIONS,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.width = width
        self._attention: dict[str, Any] = {
            "heads": heads,
            "width": width,
            "dropout": attention_dropout,
            "biases": biases,
            "initializer": initializer,
        }
        self._epsilon = epsilon
        self._norm_first = norm_first
        self.attention = self._make_attention("attention")
        self.attention_norm = self._norm("attention_norm")
        self.feed_forward = FeedForward(
            width,
            inner,
            activation_name,
            activation_dropout,
            initializer,
            dtype=self.dtype_policy,
            name="feed_forward",
        )
        self.norm = self._norm("norm")
        self.dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy, name="dropout")

    def _norm(self, name: str) -> keras.layers.LayerNormalization:
        return keras.layers.LayerNormalization(epsilon=self._epsilon, dtype=self.dtype_policy, name=name)

    def _make_attention(self, name: str) -> Attention:
        return Attention(**self._attention, dtype=self.dtype_policy, name=name)

    def build(self, *shapes: Any, **named: Any) -> None:
        for layer in self._flatten_layers(include_self=False, recursive=False):
            if not layer.built:
                layer.build((None, None, self.width))
        self.built = True

    def _before(self, x: Any, norm: Any) -> Any:
        """What a part of the block reads."""
        return norm(x) if self._norm_first else x

    def _after(self, x: Any, added: Any, norm: Any, training: bool) -> Any:
        """The residual around a part."""
        x = x + self.dropout(added, training=training)
        return x if self._norm_first else norm(x)

    def _close(self, x: Any, training: bool) -> Any:
        """The feed-forward half."""
        added = self.feed_forward(self._before(x, self.norm), training=training)
        return self._after(x, added, self.norm, training)


class EncoderBlock(_Block):
    """Self-attention, then feed-forward, each with a residual and a norm."""

    def compute_output_spec(self, x: Any, mask: Any = None, training: bool = False) -> Any:
        return keras.KerasTensor(x.shape, self.compute_dtype)

    def call(self, x: Any, mask: Any = None, training: bool = False) -> Any:
        read, bias = self._read(x, mask)
        mixed = self.attention.mix(read, *self.attention.project(read), bias, training=training)
        return self._close(self._after(x, mixed, self.attention_norm, training), training)

    def weights_of(self, x: Any, mask: Any = None) -> Any:
        """How much each position looks at each other one, ``[b, h, t, t]``."""
        read, bias = self._read(x, mask)
        return self.attention(read, read, bias)[1]

    def _read(self, x: Any, mask: Any) -> tuple[Any, Any]:
        """What the attention reads, and the bias of the mask."""
        bias = None if mask is None else mask_bias(mask, self.compute_dtype)
        return self._before(x, self.attention_norm), bias


class DecoderBlock(_Block):
    """Causal self-attention, attention over the encoder's memory, then feed-forward."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cross_attention = self._make_attention("cross_attention")
        self.cross_attention_norm = self._norm("cross_attention_norm")

    def compute_output_spec(self, x: Any, memory: Any, mask: Any, training: bool = False) -> Any:
        weights = (x.shape[0], self.cross_attention.heads, x.shape[1], memory.shape[1])
        return keras.KerasTensor(x.shape, self.compute_dtype), keras.KerasTensor(weights, self.compute_dtype)

    def call(self, x: Any, memory: Any, mask: Any, training: bool = False) -> tuple[Any, Any]:
        """The teacher-forced pass.

        Returns:
            The output ``[b, t, d]`` and the cross-attention weights ``[b, h, t, s]``.
        """
        read = self._before(x, self.attention_norm)
        causal = causal_bias(ops.shape(x)[1], self.compute_dtype)
        mixed, _ = self.attention(read, read, causal, training=training)
        x = self._after(x, mixed, self.attention_norm, training)
        read = self._before(x, self.cross_attention_norm)
        mixed, weights = self.cross_attention(
            read, memory, mask_bias(mask, self.compute_dtype), training=training
        )
        x = self._after(x, mixed, self.cross_attention_norm, training)
        return self._close(x, training), weights

    def step(
        self, x: Any, cache: tuple[Any, Any], index: Any, past: Any, memory: tuple[Any, Any], memory_bias: Any
    ) -> tuple[Any, tuple[Any, Any]]:
        """One position of every hypothesis.

        Hypotheses of one row share its memory: for the cross-attention they stand where query positions
        do, so that the memory is neither copied nor reordered.

        Args:
            x: ``[b, k, d]``, the position at ``index`` of ``k`` hypotheses a row.
            cache: keys ``[b * h, e, n * k]`` and values ``[b * h, n * k, e]`` so far.
            index: position, a scalar.
            past: which cached positions each hypothesis sees, from :func:`sixarts.step_cache.past_bias`.
            memory: cross keys ``[b, h, e, s]`` and values ``[b, h, s, e]``.
            memory_bias: ``[b, 1, 1, s]``.
        """
        mixed, cache = self.attention.step(self._before(x, self.attention_norm), cache, index, past)
        x = self._after(x, mixed, self.attention_norm, False)
        read = self._before(x, self.cross_attention_norm)
        mixed, _ = self.cross_attention.attend(read, *memory, memory_bias)
        x = self._after(x, mixed, self.cross_attention_norm, False)
        return self._close(x, False), cache


class Positions(keras.layers.Layer):  # type: ignore[misc]
    """Scales embeddings and adds a table's positions, learned or by a formula.

    A formula's table is a weight that does not train, since checkpoints may carry their own copy of it.

    Args:
        length: most positions of a sequence.
        formula: rows and width to the table ``[rows, width]``; a learned table when left out.
        offset: the table's row of the first position.
        scale: what embeddings are multiplied by first.
        norm: whether the sum is normalized.
        dropout: rate on the sum.
        initializer: of a learned table.
    """

    def __init__(
        self,
        length: int,
        formula: Callable[[int, int], np.ndarray] | None = None,
        offset: int = 0,
        scale: float = 1.0,
        norm: bool = False,
        dropout: float = 0.0,
        initializer: Any = "normal",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.length, self.formula, self.offset, self.scale = length, formula, offset, scale
        self.initializer = initializer
        self.norm = (
            keras.layers.LayerNormalization(epsilon=1e-5, dtype=self.dtype_policy, name="norm")
            if norm
            else None
        )
        self.dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy, name="dropout")

    def build(self, shape: Any) -> None:
        rows, width, formula = self.length + self.offset, shape[-1], self.formula
        given: Any = self.initializer
        if formula:
            given = lambda shape, dtype: formula(*shape)  # noqa: E731
        self.table = self.add_weight(
            name="table", shape=(rows, width), trainable=formula is None, initializer=given
        )
        if self.norm:
            self.norm.build(shape)
        self.built = True

    def compute_output_shape(self, shape: Any) -> Any:
        return shape

    def call(self, x: Any, index: Any = None, training: bool = False) -> Any:
        """Positions from 0 on along axis 1, or position ``index`` for all of ``x``."""
        if index is None:
            places = self.table[self.offset : self.offset + ops.shape(x)[1]]
        else:
            places = ops.take(self.table, index + self.offset, axis=0)
        out = x * ops.cast(self.scale, x.dtype) + ops.cast(places, x.dtype)
        return self.dropout(self.norm(out) if self.norm else out, training=training)


def sinusoids(length: int, width: int) -> np.ndarray:
    """Sines in the first half, cosines in the second, ``[length, width]`` in float32.

    Source: Vaswani et al. 2017, section 3.5, in the order that Marian uses.

    >>> sinusoids(2, 4).round(3).tolist()
    [[0.0, 0.0, 1.0, 1.0], [0.8410000205039978, 0.009999999776482582, 0.5400000214576721, 1.0]]
    """
    angles = np.arange(length)[:, None] / 10000 ** (2 * (np.arange(width) // 2) / width)
    return np.concatenate([np.sin(angles[:, 0::2]), np.cos(angles[:, 1::2])], axis=1).astype("float32")


class OutputBias(keras.layers.Layer):  # type: ignore[misc]
    """Adds a trainable bias to logits, ``[..., size]``, and returns them in float32."""

    def __init__(self, size: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = size

    def build(self, shape: Any) -> None:
        self.bias = self.add_weight(name="bias", shape=(1, self.size), initializer="zeros")

    def call(self, logits: Any) -> Any:
        return ops.cast(logits, "float32") + ops.cast(self.bias[0], "float32")
