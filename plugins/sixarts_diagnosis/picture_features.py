"""What a network makes of pictures on the way to its answer, and whether they are familiar by it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from sixarts.compiled import Compiled, to_numpy
from sixarts.networks.image_attribution import kept

#: Rows and columns of the small picture that familiarity also goes by.
SMALL = 8


def seen(model: Any, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The network's outputs, and beside them ``features``: what its head takes, where that can be told."""

    def make() -> Any:
        taken = head_input(model)
        if taken is None:
            return model
        both = keras.Model(model.network.inputs, {**model.network.output, "features": taken})
        # Inputs are taken by name, as the network's own are.
        names = [tensor.name for tensor in model.network.inputs]
        return Compiled(
            lambda inputs: both([inputs[name] for name in names], training=False),
            model.variables,
            model.device,
            model.fused,
        )

    return dict(to_numpy(kept(model, "seen", make)(dict(arrays))))


def head_input(model: Any) -> Any:
    """The tensor that the head takes, in networks with one; else ``None``."""
    targets = {names[0]: target.variable for names, target in model.targets(frozenset()).items()}
    found = next((targets[name] for name in model.head if name in targets), None)
    for layer in model.network.layers:
        if found is not None and any(variable is found for variable in layer.variables):
            taken = layer.input
            return None if isinstance(taken, list | dict) else taken
    return None


def familiar(
    model: Any, arrays: Mapping[str, np.ndarray], outputs: Mapping[str, np.ndarray]
) -> np.ndarray | None:
    """Features ``[b, d]`` on like scales: of the head's input, and of the picture made small.

    A network learns to look past what does not tell its labels apart, so that a picture of another kind may
    look like any other to its head; made small, it does not.
    """
    found = []
    if "features" in outputs:
        values = outputs["features"].reshape(len(outputs["features"]), -1).astype("float64")
        found.append(values / np.sqrt((values**2).mean(axis=1, keepdims=True) + 1e-6) / 4)
    pixels = arrays.get(model.cut)
    if pixels is not None and pixels.ndim == 4:
        found.append(_small(pixels))
    return np.concatenate(found, axis=1) if found else None


def _small(pixels: np.ndarray) -> np.ndarray:
    """Means of the parts of pictures ``[b, h, w, c]``, flat."""
    for axis in (1, 2):
        count = min(SMALL, pixels.shape[axis])
        starts = (np.arange(count) * pixels.shape[axis]) // count
        sizes = np.diff([*starts, pixels.shape[axis]])
        shape = [1] * pixels.ndim
        shape[axis] = count
        pixels = np.add.reduceat(pixels, starts, axis=axis) / sizes.reshape(shape)
    return np.asarray(pixels.reshape(len(pixels), -1), "float64")
