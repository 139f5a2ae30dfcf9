"""Flows of VITS, run backward: from noise to how long each symbol lasts, and from prior to latent frames.

Sources: Kim et al. 2021 (sections 2.2.2 and 2.3), Durkan et al. 2019 (rational-quadratic splines), Dinh et
al. 2017 (coupling layers).
"""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import layers, ops

from sixarts.checkpoint import Target
from sixarts.networks.published import Targets, norm
from sixarts_speech.vits_layers import GatedConvolutions, SeparableConvolutions, along, pointwise

#: Least share of the interval that a bin takes, and least slope at its ends.
LEAST = 1e-3


class StochasticDurations(layers.Layer):  # type: ignore[misc]
    """Logarithms of durations ``[b, t, 1]``, of what is known of each symbol and noise ``[b, t, 2]``.

    The first flow after the affine one has weights and no part in the answer, as published.

    Args:
        config: the model's ``config.json``.
        conditioned: whether a speaker is added.
        initializer: of the weights.
    """

    def __init__(self, config: Any, conditioned: bool, initializer: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        width, policy = config["hidden_size"], self.dtype_policy
        how: dict[str, Any] = {"kernel_initializer": initializer, "dtype": policy}
        self.first, self.last = (layers.Dense(width, name=name, **how) for name in ("first", "last"))
        self.known = layers.Dense(width, name="known", **how) if conditioned else None
        self.stack = separable(config, initializer, policy, "stack")
        self.flows = [
            SplineFlow(config, initializer, dtype=policy, name=f"flow_{number}")
            for number in range(2, config["duration_predictor_num_flows"] + 1)
        ]

    def build(
        self, x_shape: Any, mask_shape: Any = None, noise_shape: Any = None, known_shape: Any = None
    ) -> None:
        for layer in (self.first, self.last, self.stack):
            layer.build(x_shape)
        if self.known is not None:
            self.known.build(known_shape)
        for flow in self.flows:
            flow.build(x_shape)
        self.shift, self.log_scale = (
            self.add_weight(name=name, shape=(2,), initializer="zeros") for name in ("shift", "log_scale")
        )
        self.built = True

    def compute_output_spec(self, x: Any, mask: Any, noise: Any, known: Any = None) -> Any:
        return keras.KerasTensor((*x.shape[:-1], 1), self.compute_dtype)

    def call(self, x: Any, mask: Any, noise: Any, known: Any = None) -> Any:
        x = self.first(x)
        x = x if self.known is None else x + self.known(known)
        x = self.last(self.stack(x, mask)) * mask
        for flow in reversed(self.flows):
            noise = flow(ops.flip(noise, -1), x, mask)
        noise = ops.flip(noise, -1)
        shift, scale = (ops.cast(each, noise.dtype) for each in (self.shift, self.log_scale))
        return ((noise - shift) * ops.exp(-scale) * mask)[..., :1]

    def targets(self, at: str) -> Targets:
        found = pointwise(f"{at}.conv_pre", self.first) | pointwise(f"{at}.conv_proj", self.last)
        found |= self.stack.targets(f"{at}.conv_dds")
        found |= pointwise(f"{at}.cond", self.known) if self.known is not None else {}
        for name, weight in (("translate", self.shift), ("log_scale", self.log_scale)):
            found[(f"{at}.flows.0.{name}",)] = Target(
                weight, lambda stored: stored[:, 0], lambda value: value[:, None]
            )
        for number, flow in enumerate(self.flows, 2):
            found |= flow.targets(f"{at}.flows.{number}")
        return found


class SplineFlow(layers.Layer):  # type: ignore[misc]
    """Undoes a monotone spline on the second channel, whose shape the first one and the symbols tell.

    Args:
        config: the model's ``config.json``.
        initializer: of the weights.
    """

    def __init__(self, config: Any, initializer: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.width, self.bins = config["hidden_size"], config["duration_predictor_flow_bins"]
        self.bound = float(config["duration_predictor_tail_bound"])
        how: dict[str, Any] = {"kernel_initializer": initializer, "dtype": self.dtype_policy}
        self.first = layers.Dense(self.width, name="first", **how)
        self.stack = separable(config, initializer, self.dtype_policy, "stack")
        self.last = layers.Dense(3 * self.bins - 1, name="last", **how)

    def build(self, x_shape: Any) -> None:
        self.first.build((*x_shape[:-1], 1))
        self.stack.build(x_shape)
        self.last.build(x_shape)
        self.built = True

    def call(self, pair: Any, known: Any, mask: Any) -> Any:
        first, second = pair[..., :1], pair[..., 1:]
        shape = self.last(self.stack(self.first(first), mask, known)) * mask
        sizes = shape[..., : 2 * self.bins] / math.sqrt(self.width)
        second = inverse_spline(
            second[..., 0],
            sizes[..., : self.bins],
            sizes[..., self.bins :],
            shape[..., 2 * self.bins :],
            self.bound,
        )
        return ops.concatenate([first, second[..., None]], axis=-1) * mask

    def targets(self, at: str) -> Targets:
        return (
            pointwise(f"{at}.conv_pre", self.first)
            | self.stack.targets(f"{at}.conv_dds")
            | pointwise(f"{at}.conv_proj", self.last)
        )


def inverse_spline(y: Any, widths: Any, heights: Any, slopes: Any, bound: float) -> Any:
    """Where a monotone rational-quadratic spline over ``[-bound, bound]`` has the values ``y``.

    Outside the interval it is the identity (Durkan et al. 2019, equations 6 to 8).

    Args:
        y: ``[...]``.
        widths, heights: of the bins, ``[..., bins]``, before softmax.
        slopes: between the bins, ``[..., bins - 1]``, before softplus; at both ends the slope is 1.
        bound: half of the interval.
    """
    bins = widths.shape[-1]
    left, wide = _bins(widths, bins, bound)
    low, high = _bins(heights, bins, bound)
    ends = ops.ones_like(slopes[..., :1])
    slope = ops.concatenate([ends, LEAST + ops.softplus(slopes), ends], axis=-1)
    inside = ops.clip(y, -bound, bound)
    # Which bin it is in: past the lower ends of all before.
    place = ops.sum(ops.cast(inside[..., None] >= low[..., 1:], "int32"), axis=-1)
    chosen = ops.one_hot(place, bins, dtype=y.dtype)

    def here(values: Any) -> Any:
        return ops.sum(values * chosen, axis=-1)

    start, width, bottom, height = here(left), here(wide), here(low), here(high)
    before, after, mean = here(slope[..., :-1]), here(slope[..., 1:]), here(high / wide)
    over = inside - bottom
    bend = over * (before + after - 2 * mean)
    a = height * (mean - before) + bend
    b = height * before - bend
    c = -mean * over
    root = 2 * c / (-b - ops.sqrt(ops.maximum(b * b - 4 * a * c, 0.0)))
    return ops.where(ops.abs(y) <= bound, root * width + start, y)


def _bins(sizes: Any, bins: int, bound: float) -> tuple[Any, Any]:
    """Where bins begin and how large they are, none below the least share."""
    shares = LEAST + (1 - LEAST * bins) * ops.softmax(sizes)
    inner = 2 * bound * ops.cumsum(shares, axis=-1)[..., :-1] - bound
    end = ops.full_like(inner[..., :1], bound)
    edges = ops.concatenate([-end, inner, end], axis=-1)
    return edges[..., :-1], edges[..., 1:] - edges[..., :-1]


class Durations(layers.Layer):  # type: ignore[misc]
    """Logarithms of durations ``[b, t, 1]`` by two convolutions, without noise.

    Args:
        config: the model's ``config.json``.
        conditioned: whether a speaker is added.
        initializer: of the weights.
    """

    def __init__(self, config: Any, conditioned: bool, initializer: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        how: dict[str, Any] = {"kernel_initializer": initializer, "dtype": self.dtype_policy}
        size = config["duration_predictor_filter_channels"]
        self.convolutions = [
            layers.Conv1D(
                size, config["duration_predictor_kernel_size"], padding="same", name=f"convolution_{i}", **how
            )
            for i in (1, 2)
        ]
        self.norms = [
            layers.LayerNormalization(
                epsilon=config["layer_norm_eps"], dtype=self.dtype_policy, name=f"norm_{i}"
            )
            for i in (1, 2)
        ]
        self.last = layers.Dense(1, name="last", **how)
        self.known = layers.Dense(config["hidden_size"], name="known", **how) if conditioned else None

    def build(
        self, x_shape: Any, mask_shape: Any = None, noise_shape: Any = None, known_shape: Any = None
    ) -> None:
        shape = x_shape
        for convolution, each in zip(self.convolutions, self.norms, strict=True):
            convolution.build(shape)
            shape = (*shape[:-1], convolution.filters)
            each.build(shape)
        self.last.build(shape)
        if self.known is not None:
            self.known.build(known_shape)
        self.built = True

    def compute_output_spec(self, x: Any, mask: Any, noise: Any, known: Any = None) -> Any:
        return keras.KerasTensor((*x.shape[:-1], 1), self.compute_dtype)

    def call(self, x: Any, mask: Any, noise: Any, known: Any = None) -> Any:
        x = x if self.known is None else x + self.known(known)
        for convolution, each in zip(self.convolutions, self.norms, strict=True):
            x = each(ops.relu(convolution(x * mask)))
        return self.last(x * mask) * mask

    def targets(self, at: str) -> Targets:
        found = pointwise(f"{at}.proj", self.last)
        found |= pointwise(f"{at}.cond", self.known) if self.known is not None else {}
        for i, (convolution, each) in enumerate(zip(self.convolutions, self.norms, strict=True), 1):
            found |= along(f"{at}.conv_{i}", convolution) | norm(f"{at}.norm_{i}", each)
        return found


class LatentFlow(layers.Layer):  # type: ignore[misc]
    """Undoes coupling layers that shift half of the channels by what the other half tells.

    Args:
        config: the model's ``config.json``.
        conditioned: whether a speaker is known.
        initializer: of the weights.
    """

    def __init__(self, config: Any, conditioned: bool, initializer: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.half, self.width = config["flow_size"] // 2, config["hidden_size"]
        how: dict[str, Any] = {"kernel_initializer": initializer, "dtype": self.dtype_policy}
        numbers = range(config["prior_encoder_num_flows"])
        self.first = [layers.Dense(self.width, name=f"first_{i}", **how) for i in numbers]
        self.last = [layers.Dense(self.half, name=f"last_{i}", **how) for i in numbers]
        self.stacks = [
            GatedConvolutions(
                self.width,
                config["prior_encoder_num_wavenet_layers"],
                config["wavenet_kernel_size"],
                config["wavenet_dilation_rate"],
                conditioned,
                initializer,
                dtype=self.dtype_policy,
                name=f"stack_{i}",
            )
            for i in numbers
        ]

    def build(self, x_shape: Any, mask_shape: Any = None, known_shape: Any = None) -> None:
        for first, stack, last in zip(self.first, self.stacks, self.last, strict=True):
            first.build((*x_shape[:-1], self.half))
            stack.build((*x_shape[:-1], self.width), mask_shape, known_shape)
            last.build((*x_shape[:-1], self.width))
        self.built = True

    def compute_output_spec(self, x: Any, mask: Any, known: Any = None) -> Any:
        return keras.KerasTensor(x.shape, self.compute_dtype)

    def call(self, x: Any, mask: Any, known: Any = None) -> Any:
        for first, stack, last in zip(
            reversed(self.first), reversed(self.stacks), reversed(self.last), strict=True
        ):
            x = ops.flip(x, -1)
            told, moved = x[..., : self.half], x[..., self.half :]
            shift = last(stack(first(told) * mask, mask, known)) * mask
            x = ops.concatenate([told, (moved - shift) * mask], axis=-1)
        return x

    def targets(self, at: str) -> Targets:
        found: Targets = {}
        for i, (first, stack, last) in enumerate(zip(self.first, self.stacks, self.last, strict=True)):
            found |= pointwise(f"{at}.flows.{i}.conv_pre", first)
            found |= stack.targets(f"{at}.flows.{i}.wavenet")
            found |= pointwise(f"{at}.flows.{i}.conv_post", last)
        return found


def separable(config: Any, initializer: str, policy: Any, name: str) -> SeparableConvolutions:
    """The stack that duration predictors see symbols through."""
    return SeparableConvolutions(
        config["hidden_size"],
        config["depth_separable_num_layers"],
        config["duration_predictor_kernel_size"],
        initializer,
        dtype=policy,
        name=name,
    )
