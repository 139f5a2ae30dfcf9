"""T5's layers: attention that knows how far apart tokens are, norms without a mean, gated feed-forward.

Sources: Raffel et al. 2020; Shazeer 2020 (gated units); Zhang and Sennrich 2019 (root-mean-square norm).

Shapes: ``b`` rows, ``t`` query positions, ``s`` key positions, ``h`` heads, ``d`` width, ``k`` hypotheses a
row, ``n`` positions of the cache.
"""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from sixarts.layers import Attention, activation
from sixarts.masks import causal_bias, mask_bias


def buckets(distances: int, count: int, farthest: int) -> np.ndarray:
    """The bucket of each distance from 0 on: one each for near ones, then wider by the logarithm.

    Args:
        distances: how many.
        count: of buckets.
        farthest: the distance from which on all are in the last one.

    >>> buckets(10, 6, 8).tolist()
    [0, 1, 2, 3, 3, 4, 5, 5, 5, 5]
    """
    near = count // 2
    # In the precision that is published, so that no distance at a rim falls into another bucket.
    far = np.maximum(np.arange(distances), 1).astype("float32") / np.float32(max(near, 1))
    spread = np.float32(math.log(farthest / max(near, 1)))
    wide = near + (np.log(far) / spread * np.float32(count - near)).astype("int64")
    found = np.where(np.arange(distances) < near, np.arange(distances), np.minimum(wide, count - 1))
    return found.astype("int32")


class RelativePositions(layers.Layer):  # type: ignore[misc]
    """What attention adds for the distance between two positions, a number a head and bucket.

    Args:
        heads: of the attention.
        count: buckets; where both directions are told apart, half of them each.
        farthest: the distance from which on all are alike.
        both: whether keys after a query are seen, as in an encoder.
        initializer: of the table.
    """

    def __init__(
        self, heads: int, count: int, farthest: int, both: bool, initializer: Any = "normal", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.heads, self.count, self.farthest, self.both = heads, count, farthest, both
        self.initializer = initializer
        one = buckets(farthest + 1, count // 2 if both else count, farthest)
        # From the farthest key before the query to the farthest after it.
        after = one + count // 2 if both else np.zeros_like(one)
        self._buckets = np.concatenate([one[::-1], after[1:]])

    def build(self, shape: Any) -> None:
        self.table = self.add_weight(
            name="table", shape=(self.count, self.heads), initializer=self.initializer
        )

    def compute_output_spec(self, x: Any) -> Any:
        return keras.KerasTensor((1, self.heads, x.shape[1], x.shape[1]), self.compute_dtype)

    def call(self, x: Any) -> Any:
        """Between all positions of ``x`` ``[b, t, d]``, as ``[1, h, t, t]``."""
        places = ops.arange(ops.shape(x)[1], dtype="int32")
        return ops.transpose(self._of(places[None, :] - places[:, None]), (2, 0, 1))[None]

    def before(self, index: Any, length: int, beams: int) -> Any:
        """From position ``index`` to each of a cache's, ``[1, h, 1, n * k]``."""
        places = ops.repeat(ops.arange(length, dtype="int32"), beams)
        return ops.transpose(self._of(places - index))[None, :, None]

    def _of(self, distances: Any) -> Any:
        """Distances, negative before the query, to ``[..., h]``."""
        places = ops.clip(distances, -self.farthest, self.farthest) + self.farthest
        chosen = ops.take(ops.convert_to_tensor(self._buckets), places)
        return ops.cast(ops.take(self.table, chosen, axis=0), self.compute_dtype)


class T5FeedForward(layers.Layer):  # type: ignore[misc]
    """Two layers without biases; a gated one multiplies the inner one with a second, linear one."""

    def __init__(
        self,
        width: int,
        inner: int,
        name_of_activation: str,
        gated: bool,
        dropout: float,
        initializer: str,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.width, self.inner_width = width, inner
        self.activation = activation(name_of_activation)

        def dense(size: int, name: str) -> Any:
            return layers.Dense(
                size, use_bias=False, kernel_initializer=initializer, dtype=self.dtype_policy, name=name
            )

        self.inner, self.outer = dense(inner, "inner"), dense(width, "outer")
        self.gate = dense(inner, "gate") if gated else None
        self.dropout = layers.Dropout(dropout, dtype=self.dtype_policy, name="dropout")

    def build(self, shape: Any) -> None:
        for layer in (self.inner, self.gate):
            if layer is not None:
                layer.build((None, None, self.width))
        self.outer.build((None, None, self.inner_width))
        self.built = True

    def call(self, x: Any, training: bool = False) -> Any:
        inner = self.activation(self.inner(x))
        if self.gate is not None:
            inner = inner * self.gate(x)
        return self.outer(self.dropout(inner, training=training))


class _T5Block(layers.Layer):  # type: ignore[misc]
    """What encoder and decoder blocks share: self-attention and feed-forward, each after a norm.

    Args:
        width, heads, size, inner: widths of the block, of a head, and of the feed-forward layer.
        activation_name, gated: of the feed-forward layer.
        dropout: rate on attention weights, inner units and residuals.
        epsilon: of the norms.
        initializer: of the weights.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        size: int,
        inner: int,
        activation_name: str,
        gated: bool,
        dropout: float,
        epsilon: float,
        initializer: str,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.width = width
        self._heads: dict[str, Any] = {
            "heads": heads,
            "width": width,
            "size": size,
            # The published network leaves products as they are; its weights are drawn smaller for that.
            "scale": 1.0,
            "dropout": dropout,
            "biases": (),
            "initializer": initializer,
        }
        self._epsilon = epsilon
        self.attention = self._attention("attention")
        self.attention_norm = self._norm("attention_norm")
        self.feed_forward = T5FeedForward(
            width,
            inner,
            activation_name,
            gated,
            dropout,
            initializer,
            dtype=self.dtype_policy,
            name="feed_forward",
        )
        self.norm = self._norm("norm")
        self.dropout = layers.Dropout(dropout, dtype=self.dtype_policy, name="dropout")

    def _attention(self, name: str) -> Attention:
        return Attention(**self._heads, dtype=self.dtype_policy, name=name)

    def _norm(self, name: str) -> Any:
        return layers.RMSNormalization(epsilon=self._epsilon, dtype=self.dtype_policy, name=name)

    def build(self, *shapes: Any, **named: Any) -> None:
        for layer in self._flatten_layers(include_self=False, recursive=False):
            if not layer.built:
                layer.build((None, None, self.width))
        self.built = True

    def _close(self, x: Any, training: bool) -> Any:
        """The feed-forward half."""
        return x + self.dropout(self.feed_forward(self.norm(x), training=training), training=training)


class T5EncoderBlock(_T5Block):
    """Self-attention, then feed-forward, each with a residual."""

    def compute_output_spec(self, x: Any, mask: Any, distances: Any, training: bool = False) -> Any:
        return keras.KerasTensor(x.shape, self.compute_dtype)

    def call(self, x: Any, mask: Any, distances: Any, training: bool = False) -> Any:
        """``x`` ``[b, t, d]``, the mask of its tokens, and :class:`RelativePositions` of it."""
        read = self.attention_norm(x)
        bias = mask_bias(mask, self.compute_dtype) + distances
        mixed, _ = self.attention(read, read, bias, training=training)
        return self._close(x + self.dropout(mixed, training=training), training)


class T5DecoderBlock(_T5Block):
    """Causal self-attention, attention over the encoder's memory, then feed-forward."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cross_attention = self._attention("cross_attention")
        self.cross_attention_norm = self._norm("cross_attention_norm")

    def compute_output_spec(
        self, x: Any, memory: Any, mask: Any, distances: Any, training: bool = False
    ) -> Any:
        weights = (x.shape[0], self.cross_attention.heads, x.shape[1], memory.shape[1])
        return keras.KerasTensor(x.shape, self.compute_dtype), keras.KerasTensor(weights, self.compute_dtype)

    def call(self, x: Any, memory: Any, mask: Any, distances: Any, training: bool = False) -> tuple[Any, Any]:
        """The teacher-forced pass: output ``[b, t, d]`` and cross-attention weights ``[b, h, t, s]``."""
        causal = causal_bias(ops.shape(x)[1], self.compute_dtype)
        read = self.attention_norm(x)
        mixed, _ = self.attention(read, read, distances + causal, training=training)
        x = x + self.dropout(mixed, training=training)
        mixed, weights = self.cross_attention(
            self.cross_attention_norm(x), memory, mask_bias(mask, self.compute_dtype), training=training
        )
        return self._close(x + self.dropout(mixed, training=training), training), weights

    def step(
        self, x: Any, cache: tuple[Any, Any], index: Any, past: Any, memory: tuple[Any, Any], memory_bias: Any
    ) -> tuple[Any, tuple[Any, Any]]:
        """One position of every hypothesis; as :meth:`sixarts.layers.DecoderBlock.step`.

        Args:
            past: which cached positions each hypothesis sees and how far they are, ``[b, h, k, n * k]``.
        """
        mixed, cache = self.attention.step(self.attention_norm(x), cache, index, past)
        x = x + mixed
        mixed, _ = self.cross_attention.attend(self.cross_attention_norm(x), *memory, memory_bias)
        return self._close(x + mixed, False), cache
