"""Layers of VITS: attention within a window, gated and separable convolutions.

Sequences are ``[b, t, channels]``, masks ``[b, t, 1]`` with 1 where something is. What lies behind a
sequence's end is set to zero before each convolution, as the edge of a sequence alone would be: a row's
answer does not depend on how long the others are.

Sources: Kim et al. 2021 (VITS), Shaw et al. 2018 (relative positions), van den Oord et al. 2016 (gates).
Weights are named as ``transformers`` publishes them.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from sixarts.checkpoint import Target
from sixarts.layers import activation
from sixarts.masks import mask_bias
from sixarts.networks.published import Targets, dense, norm


def along(name: str, layer: Any) -> Targets:
    """A convolution over time: (out, in, width) there, (width, in, out) here."""
    found: Targets = {(f"{name}.weight",): Target(layer.kernel, _turned)}
    return found | ({(f"{name}.bias",): Target(layer.bias)} if layer.use_bias else {})


def pointwise(name: str, layer: Any) -> Targets:
    """A convolution of width 1, which is a dense layer here."""
    kernel = Target(layer.kernel, lambda stored: stored[..., 0].T, lambda value: value.T[..., None])
    return {(f"{name}.weight",): kernel, (f"{name}.bias",): Target(layer.bias)}


def _turned(array: np.ndarray) -> np.ndarray:
    return np.transpose(array, (2, 1, 0))


class WindowedAttention(layers.Layer):  # type: ignore[misc]
    """Self-attention whose keys and values know how far away they are, up to ``window`` steps.

    Args:
        heads: number of heads; divides ``width``.
        width: of the input and the output.
        window: most steps that are told apart in each direction.
        biased: whether the four projections have a bias.
        initializer: of the weights.
    """

    def __init__(
        self, heads: int, width: int, window: int, biased: bool, initializer: str, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.heads, self.width, self.window, self.initializer = heads, width, window, initializer
        self.size = width // heads
        self.query, self.key, self.value, self.out = (
            layers.Dense(
                width,
                use_bias=biased,
                kernel_initializer=initializer,
                dtype=self.dtype_policy,
                name=part,
            )
            for part in ("query", "key", "value", "out")
        )

    def build(self, x_shape: Any, mask_shape: Any = None) -> None:
        for layer in (self.query, self.key, self.value, self.out):
            layer.build(x_shape)
        shape = (2 * self.window + 1, self.size)
        self.keys_by_distance, self.values_by_distance = (
            self.add_weight(name=name, shape=shape, initializer=self.initializer)
            for name in ("keys_by_distance", "values_by_distance")
        )
        self.built = True

    def compute_output_spec(self, x: Any, mask: Any) -> Any:
        return keras.KerasTensor(x.shape, self.compute_dtype)

    def call(self, x: Any, mask: Any) -> Any:
        query, key, value = (self._heads(layer(x)) for layer in (self.query, self.key, self.value))
        query = query * self.size**-0.5
        near = ops.matmul(query, ops.transpose(ops.cast(self.keys_by_distance, query.dtype)))
        scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2))) + self._at_their_keys(near)
        weights = ops.softmax(scores + mask_bias(mask[..., 0], scores.dtype))
        near = ops.matmul(self._by_distance(weights), ops.cast(self.values_by_distance, weights.dtype))
        mixed = ops.transpose(ops.matmul(weights, value) + near, (0, 2, 1, 3))
        return self.out(ops.reshape(mixed, (*ops.shape(x)[:2], self.width)))

    def _heads(self, x: Any) -> Any:
        rows, length = ops.shape(x)[:2]
        return ops.transpose(ops.reshape(x, (rows, length, self.heads, self.size)), (0, 2, 1, 3))

    def _at_their_keys(self, near: Any) -> Any:
        """``[b, h, t, 2 window + 1]`` by distance to ``[b, h, t, t]`` by key, 0 beyond the window.

        Rows that are one longer than the matrix's shift each row by one more.
        """
        rows, heads, length, _ = ops.shape(near)
        wide = length + 2 * self.window
        padded = ops.pad(near, ((0, 0), (0, 0), (0, 0), (0, length)))
        flat = ops.reshape(padded, (rows, heads, length * (wide + 1)))[..., : length * wide]
        shifted = ops.reshape(flat, (rows, heads, length, wide))
        return shifted[..., self.window : self.window + length]

    def _by_distance(self, weights: Any) -> Any:
        """The way back: ``[b, h, t, t]`` by key to ``[b, h, t, 2 window + 1]`` by distance."""
        rows, heads, length, _ = ops.shape(weights)
        wide, side = length + 2 * self.window, (self.window, self.window)
        flat = ops.reshape(ops.pad(weights, ((0, 0), (0, 0), (0, 0), side)), (rows, heads, length * wide))
        shifted = ops.reshape(ops.pad(flat, ((0, 0), (0, 0), (0, length))), (rows, heads, length, wide + 1))
        return shifted[..., : 2 * self.window + 1]

    def targets(self, at: str) -> Targets:
        found: Targets = {
            (f"{at}.emb_rel_k",): Target(self.keys_by_distance, lambda stored: stored[0], _alone),
            (f"{at}.emb_rel_v",): Target(self.values_by_distance, lambda stored: stored[0], _alone),
        }
        parts = {"q_proj": self.query, "k_proj": self.key, "v_proj": self.value, "out_proj": self.out}
        for name, layer in parts.items():
            found |= dense(f"{at}.{name}", layer)
        return found


def _alone(value: np.ndarray) -> np.ndarray:
    return value[None]


class TextBlock(layers.Layer):  # type: ignore[misc]
    """Attention, and two convolutions as its feed-forward part, each added and then normalized.

    Args:
        config: the model's ``config.json``.
        initializer: of the weights.
    """

    def __init__(self, config: Any, initializer: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        width, policy = config["hidden_size"], self.dtype_policy
        self.act = activation(config["hidden_act"])
        self.attention = WindowedAttention(
            config["num_attention_heads"],
            width,
            config["window_size"],
            config["use_bias"],
            initializer,
            dtype=policy,
            name="attention",
        )
        self.inner, self.outer = (
            layers.Conv1D(
                size,
                config["ffn_kernel_size"],
                padding="same",
                kernel_initializer=initializer,
                dtype=policy,
                name=name,
            )
            for name, size in (("inner", config["ffn_dim"]), ("outer", width))
        )
        self.attention_norm, self.norm = (
            layers.LayerNormalization(epsilon=config["layer_norm_eps"], dtype=policy, name=name)
            for name in ("attention_norm", "norm")
        )

    def build(self, x_shape: Any, mask_shape: Any = None) -> None:
        for layer in (self.attention, self.inner, self.attention_norm, self.norm):
            layer.build(x_shape)
        self.outer.build((*x_shape[:-1], self.inner.filters))
        self.built = True

    def compute_output_spec(self, x: Any, mask: Any) -> Any:
        return keras.KerasTensor(x.shape, self.compute_dtype)

    def call(self, x: Any, mask: Any) -> Any:
        x = self.attention_norm(x + self.attention(x, mask))
        return self.norm(x + self.outer(self.act(self.inner(x * mask)) * mask) * mask)

    def targets(self, at: str) -> Targets:
        return (
            self.attention.targets(f"{at}.attention")
            | norm(f"{at}.layer_norm", self.attention_norm)
            | along(f"{at}.feed_forward.conv_1", self.inner)
            | along(f"{at}.feed_forward.conv_2", self.outer)
            | norm(f"{at}.final_layer_norm", self.norm)
        )


class NormalizedConvolution(layers.Layer):  # type: ignore[misc]
    """A convolution whose kernel is stored as direction and magnitude (Salimans and Kingma 2016).

    Args:
        filters, width, dilation: of the convolution.
        initializer: of the direction.
    """

    def __init__(self, filters: int, width: int, initializer: str, dilation: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters, self.kernel_size, self.dilation = filters, width, dilation
        self.initializer = initializer

    def build(self, x_shape: Any) -> None:
        shape = (self.kernel_size, x_shape[-1], self.filters)
        self.direction = self.add_weight(name="direction", shape=shape, initializer=self.initializer)
        self.magnitude = self.add_weight(name="magnitude", shape=(self.filters,), initializer="ones")
        self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros")
        self.built = True

    def compute_output_spec(self, x: Any) -> Any:
        return keras.KerasTensor((*x.shape[:-1], self.filters), self.compute_dtype)

    def call(self, x: Any) -> Any:
        length = ops.sqrt(ops.sum(ops.square(self.direction), axis=(0, 1)))
        kernel = ops.cast(self.direction * (self.magnitude / length), x.dtype)
        return ops.conv(
            x, kernel, padding="same", data_format="channels_last", dilation_rate=self.dilation
        ) + ops.cast(self.bias, x.dtype)

    def targets(self, at: str) -> Targets:
        """Its weights as PyTorch's two ways of stating them name them, the present one first."""
        new, old = f"{at}.parametrizations.weight.original", f"{at}.weight_"
        return {
            (f"{new}0", f"{old}g"): Target(self.magnitude, np.ravel, lambda value: value[:, None, None]),
            (f"{new}1", f"{old}v"): Target(self.direction, _turned),
            (f"{at}.bias",): Target(self.bias),
        }


class GatedConvolutions(layers.Layer):  # type: ignore[misc]
    """WaveNet's stack: each layer gates what it sees, and adds to the sequence and to the output.

    Args:
        width: of the sequence.
        count: number of layers.
        kernel: width of the convolutions.
        rate: factor by which dilation grows from layer to layer.
        conditioned: whether something known of the whole sequence is added to each gate.
        initializer: of the weights.
    """

    def __init__(
        self,
        width: int,
        count: int,
        kernel: int,
        rate: int,
        conditioned: bool,
        initializer: str,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.width = width

        def convolution(filters: int, size: int, dilation: int, name: str) -> NormalizedConvolution:
            return NormalizedConvolution(
                filters, size, initializer, dilation, dtype=self.dtype_policy, name=name
            )

        self.inside = [convolution(2 * width, kernel, rate**i, f"inside_{i}") for i in range(count)]
        # The last one has no sequence to add to.
        self.outside = [
            convolution(width * (2 if i < count - 1 else 1), 1, 1, f"outside_{i}") for i in range(count)
        ]
        self.condition = convolution(2 * width * count, 1, 1, "condition") if conditioned else None

    def build(self, x_shape: Any, mask_shape: Any = None, known_shape: Any = None) -> None:
        for layer in (*self.inside, *self.outside):
            layer.build((*x_shape[:-1], self.width))
        if self.condition is not None:
            self.condition.build(known_shape)
        self.built = True

    def call(self, x: Any, mask: Any, known: Any = None) -> Any:
        total: Any = 0.0
        gates = None if self.condition is None else ops.split(self.condition(known), len(self.inside), -1)
        for place, (inside, outside) in enumerate(zip(self.inside, self.outside, strict=True)):
            seen = inside(x) if gates is None else inside(x) + gates[place]
            through = outside(ops.tanh(seen[..., : self.width]) * ops.sigmoid(seen[..., self.width :]))
            if place < len(self.inside) - 1:
                x = (x + through[..., : self.width]) * mask
            total = total + through[..., -self.width :]
        return total * mask

    def targets(self, at: str) -> Targets:
        found: Targets = {}
        for name, group in (("in_layers", self.inside), ("res_skip_layers", self.outside)):
            for place, layer in enumerate(group):
                found |= layer.targets(f"{at}.{name}.{place}")
        return found | (self.condition.targets(f"{at}.cond_layer") if self.condition is not None else {})


class SeparableConvolutions(layers.Layer):  # type: ignore[misc]
    """Depthwise convolutions, dilated ever more, and dense layers, each with norm and GELU.

    Args:
        width: channels.
        count: number of layers.
        kernel: width of the convolutions, and factor by which dilation grows.
        initializer: of the weights.
    """

    def __init__(self, width: int, count: int, kernel: int, initializer: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        policy, made = self.dtype_policy, range(count)
        self.spread = [
            layers.DepthwiseConv1D(
                kernel,
                padding="same",
                dilation_rate=kernel**i,
                depthwise_initializer=initializer,
                dtype=policy,
                name=f"spread_{i}",
            )
            for i in made
        ]
        self.mixing = [
            layers.Dense(width, kernel_initializer=initializer, dtype=policy, name=f"mixing_{i}")
            for i in made
        ]
        self.norms = [
            [layers.LayerNormalization(epsilon=1e-5, dtype=policy, name=f"norm_{i}_{j}") for j in (0, 1)]
            for i in made
        ]

    def build(self, x_shape: Any, mask_shape: Any = None, known_shape: Any = None) -> None:
        for layer in (*self.spread, *self.mixing, *(each for both in self.norms for each in both)):
            layer.build(x_shape)
        self.built = True

    def call(self, x: Any, mask: Any, known: Any = None) -> Any:
        x = x if known is None else x + known
        for spread, mixing, (first, second) in zip(self.spread, self.mixing, self.norms, strict=True):
            inner = keras.activations.gelu(first(spread(x * mask)), approximate=False)
            x = x + keras.activations.gelu(second(mixing(inner)), approximate=False)
        return x * mask

    def targets(self, at: str) -> Targets:
        found: Targets = {}
        for place, (spread, mixing, norms) in enumerate(
            zip(self.spread, self.mixing, self.norms, strict=True)
        ):
            kernel = Target(
                spread.kernel,
                lambda stored: np.transpose(stored, (2, 0, 1)),
                lambda value: np.transpose(value, (1, 2, 0)),
            )
            found |= {
                (f"{at}.convs_dilated.{place}.weight",): kernel,
                (f"{at}.convs_dilated.{place}.bias",): Target(spread.bias),
            }
            found |= pointwise(f"{at}.convs_pointwise.{place}", mixing)
            found |= norm(f"{at}.norms_1.{place}", norms[0]) | norm(f"{at}.norms_2.{place}", norms[1])
        return found
