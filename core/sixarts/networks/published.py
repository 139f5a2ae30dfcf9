"""Published names and orientations of common layers' weights: PyTorch's layouts to Keras's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sixarts.checkpoint import Target

Targets = dict[tuple[str, ...], Target]


def dense(name: str, layer: Any) -> Targets:
    """A dense layer: (out, in) there, (in, out) here."""
    found: Targets = {(f"{name}.weight",): Target(layer.kernel, np.transpose)}
    return found | ({(f"{name}.bias",): Target(layer.bias)} if layer.use_bias else {})


def convolution(name: str, layer: Any) -> Targets:
    """A convolution: (out, in, height, width) there, (height, width, in, out) here."""
    found: Targets = {
        (f"{name}.weight",): Target(
            layer.kernel,
            lambda stored: np.transpose(stored, (2, 3, 1, 0)),
            lambda value: np.transpose(value, (3, 2, 0, 1)),
        )
    }
    return found | ({(f"{name}.bias",): Target(layer.bias)} if layer.use_bias else {})


def norm(name: str, layer: Any) -> Targets:
    """A layer or batch normalization, with its running statistics where it keeps them."""
    found: Targets = {(f"{name}.weight",): Target(layer.gamma), (f"{name}.bias",): Target(layer.beta)}
    if hasattr(layer, "moving_mean"):
        found |= {
            (f"{name}.running_mean",): Target(layer.moving_mean),
            (f"{name}.running_var",): Target(layer.moving_variance),
        }
    return found


def depthwise(name: str, layer: Any) -> Targets:
    """A depthwise convolution: (channels, 1, height, width) there, (height, width, channels, 1) here."""
    kernel = Target(layer.kernel, lambda stored: np.transpose(stored, (2, 3, 0, 1)))
    return {(f"{name}.weight",): kernel, (f"{name}.bias",): Target(layer.bias)}


def patches(name: str, layer: Any) -> Targets:
    """A projection of patches: a convolution's (out, in, *patch) there, a dense layer's here."""
    patch = layer.patch

    def flat(stored: np.ndarray) -> np.ndarray:
        return np.moveaxis(stored, (0, 1), (-1, -2)).reshape(-1, stored.shape[0])

    def back(value: np.ndarray) -> np.ndarray:
        return np.moveaxis(value.reshape(*patch, -1, value.shape[-1]), (-1, -2), (0, 1))

    return {
        (f"{name}.weight",): Target(layer.projection.kernel, flat, back),
        (f"{name}.bias",): Target(layer.projection.bias),
    }


def attention(names: Mapping[str, str], layer: Any) -> Targets:
    """The four projections of an attention; ``names`` of ``query``, ``key``, ``value`` and ``out``."""
    found: Targets = {}
    for part, name in names.items():
        found |= dense(name, getattr(layer, part))
    return found
