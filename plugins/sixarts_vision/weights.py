"""Published names and orientations of common layers' weights: PyTorch's layouts to Keras's."""

from __future__ import annotations

from typing import Any

import numpy as np

from sixarts.checkpoint import Target

Targets = dict[tuple[str, ...], Target]


def dense(name: str, layer: Any) -> Targets:
    """A dense layer: (out, in) there, (in, out) here."""
    found = {(f"{name}.weight",): Target(layer.kernel, np.transpose)}
    return found | ({(f"{name}.bias",): Target(layer.bias)} if layer.use_bias else {})


def convolution(name: str, layer: Any) -> Targets:
    """A convolution: (out, in, height, width) there, (height, width, in, out) here."""
    found = {
        (f"{name}.weight",): Target(
            layer.kernel,
            lambda stored: np.transpose(stored, (2, 3, 1, 0)),
            lambda value: np.transpose(value, (3, 2, 0, 1)),
        )
    }
    return found | ({(f"{name}.bias",): Target(layer.bias)} if layer.use_bias else {})


def norm(name: str, layer: Any) -> Targets:
    """A layer or batch normalization, with its running statistics where it keeps them."""
    found = {(f"{name}.weight",): Target(layer.gamma), (f"{name}.bias",): Target(layer.beta)}
    if hasattr(layer, "moving_mean"):
        found |= {
            (f"{name}.running_mean",): Target(layer.moving_mean),
            (f"{name}.running_var",): Target(layer.moving_variance),
        }
    return found
