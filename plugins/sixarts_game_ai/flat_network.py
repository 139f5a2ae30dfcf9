"""A network as a function of its weights, which learning takes along as values; and Adam on them.

Outside of learning they are one vector. Within it they are the leaves that the backend is quickest with:
PyTorch does one operation after another, and takes the vector; XLA would melt the products of a gradient
into one loop with whatever joins them, ten times slower, and takes each weight by itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from sixarts.device import backend

#: Weights, or moments of them, within learning.
Leaves = list[Any]


class FlatNetwork:
    """A network as a function of one vector of all trainable weights.

    Args:
        network: its other variables, if any, stay as they are.
    """

    def __init__(self, network: keras.Model) -> None:
        self.network = network
        self.shapes = [tuple(variable.shape) for variable in network.trainable_variables]
        sizes = [math.prod(shape) for shape in self.shapes]
        self.ends = np.cumsum(sizes).tolist()
        self.size = self.ends[-1]

    def vector(self) -> np.ndarray:
        """The weights now, ``[size]``."""
        values = [
            np.asarray(ops.convert_to_numpy(variable)).ravel()
            for variable in self.network.trainable_variables
        ]
        return np.concatenate(values).astype("float32")

    def assign(self, vector: np.ndarray) -> None:
        """Puts a vector into the network's weights."""
        for variable, value in zip(self.network.trainable_variables, self.parts(vector), strict=True):
            variable.assign(value)

    def parts(self, vector: Any) -> list[Any]:
        """The vector as weights."""
        # One split and not a slice each, whose gradients would each be as long as the vector.
        split, reshape = (
            (np.split, np.reshape) if isinstance(vector, np.ndarray) else (ops.split, ops.reshape)
        )
        pieces = split(vector, self.ends[:-1])
        return [reshape(piece, shape) for piece, shape in zip(pieces, self.shapes, strict=True)]

    def leaves(self, vector: np.ndarray) -> Leaves:
        """The vector as learning takes it, on the device."""
        pieces = [vector] if backend() == "torch" else self.parts(vector)
        return [ops.convert_to_tensor(np.ascontiguousarray(piece)) for piece in pieces]

    def joined(self, leaves: Leaves) -> np.ndarray:
        """Back to the vector."""
        return np.concatenate([np.ravel(np.asarray(ops.convert_to_numpy(leaf))) for leaf in leaves])

    def apply(self, leaves: Leaves, inputs: Any) -> dict[str, Any]:
        """The network's outputs with the weights of a state."""
        return self(leaves[0], inputs) if backend() == "torch" else self._outputs(leaves, inputs)

    def __call__(self, vector: Any, inputs: Any) -> dict[str, Any]:
        """The network's outputs with the weights of a vector."""
        return self._outputs(self.parts(vector), inputs)

    def _outputs(self, weights: Any, inputs: Any) -> dict[str, Any]:
        fixed = [variable.value for variable in self.network.non_trainable_variables]
        outputs, _ = self.network.stateless_call(list(weights), fixed, inputs, training=False)
        return dict(outputs)


def adam(
    weights: Leaves, gradients: Leaves, moments: tuple[Leaves, Leaves], step: Any, rate: Any, clip_norm: float
) -> tuple[Leaves, tuple[Leaves, Leaves]]:
    """One step of Adam (Kingma and Ba 2015), the norm of all gradients together clipped before.

    Args:
        weights: any number of arrays.
        gradients: of the loss.
        moments: means of the gradients and of their squares.
        step: number of this step, from 1.
        rate: the learning rate.
        clip_norm: largest norm of the gradients.

    Returns:
        The weights and the moments after it.
    """
    norm = ops.sqrt(sum(ops.sum(gradient * gradient) for gradient in gradients))
    scale = ops.minimum(1.0, clip_norm / (norm + 1e-6))
    # As Stable-Baselines3 and OpenAI's baselines have it, a larger epsilon than Keras's.
    root = ops.sqrt(1 - 0.999**step)
    size, epsilon = rate * root / (1 - 0.9**step), 1e-5 * root
    moved: Leaves = []
    firsts: Leaves = []
    seconds: Leaves = []
    for weight, gradient, first, second in zip(weights, gradients, *moments, strict=True):
        clipped = gradient * scale
        firsts.append(0.9 * first + 0.1 * clipped)
        seconds.append(0.999 * second + 0.001 * clipped * clipped)
        moved.append(weight - size * firsts[-1] / (ops.sqrt(seconds[-1]) + epsilon))
    return moved, (firsts, seconds)


Loss = Callable[[Leaves], tuple[Any, Any]]


def slope(function: Loss, weights: Leaves) -> tuple[Leaves, Any]:
    """The gradients of ``function(weights)[0]``, and ``function(weights)[1]``, on the active backend."""
    return _SLOPES[backend()](function, weights)


def _by_tensorflow(function: Loss, weights: Leaves) -> tuple[Leaves, Any]:
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(weights)
        loss, told = function(weights)
    return tape.gradient(loss, weights, unconnected_gradients="zero"), told


def _by_jax(function: Loss, weights: Leaves) -> tuple[Leaves, Any]:
    import jax

    found: tuple[Leaves, Any] = jax.grad(function, has_aux=True)(weights)
    return found


def _by_torch(function: Loss, weights: Leaves) -> tuple[Leaves, Any]:
    import torch

    # Compiled functions run without gradients; here they are what is wanted.
    with torch.enable_grad():
        leaves = [weight.detach().requires_grad_(True) for weight in weights]
        loss, told = function(leaves)
        found = torch.autograd.grad(loss, leaves)
    return list(found), told.detach()


_SLOPES = {"tensorflow": _by_tensorflow, "jax": _by_jax, "torch": _by_torch}
