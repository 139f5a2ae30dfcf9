"""One compiled function for each set of input shapes, with variables as arguments.

An eager small network costs ten times as much on JAX, and a closure over weights would bake them in: so
everything a model computes goes through :class:`Compiled`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from sixarts.device import Device, backend


class Compiled:
    """A function of arrays that reads Keras variables, compiled by the active backend.

    Args:
        function: takes and returns trees (dictionaries, tuples) of tensors; pure but for ``variables``.
        variables: every variable that ``function`` reads.
        device: where it runs; with several devices, arguments are split along their first axis.

    Example::

        double = Compiled(lambda x: x * 2, [], Device.of("cpu"))
        double(np.ones(3, "float32"))
    """

    def __init__(self, function: Callable[..., Any], variables: Sequence[Any], device: Device) -> None:
        self.variables = list(variables)
        self.device = device
        self._run = _COMPILERS[backend()](function, self.variables)

    def __call__(self, *arguments: Any) -> Any:
        """Runs with trees of NumPy arrays or tensors; returns the backend's tensors."""
        with self.device.scope():
            return self._run(*_placed(arguments))


def to_numpy(tree: Any) -> Any:
    """A tree of tensors as NumPy arrays."""
    return keras.tree.map_structure(keras.ops.convert_to_numpy, tree)


def _placed(tree: Any) -> Any:
    distribution = keras.distribution.distribution()
    if distribution is None:
        return keras.tree.map_structure(
            lambda leaf: (
                keras.ops.convert_to_tensor(leaf) if isinstance(leaf, np.ndarray | np.generic) else leaf
            ),
            tree,
        )
    count = distribution.device_mesh.devices.size

    def place(leaf: Any) -> Any:
        if not isinstance(leaf, np.ndarray) or not leaf.ndim or leaf.shape[0] % count:
            return leaf
        layout = distribution.get_data_layout(leaf.shape)
        return keras.distribution.distribute_tensor(keras.ops.convert_to_tensor(leaf), layout)

    return keras.tree.map_structure(place, tree)


def _for_tensorflow(function: Callable[..., Any], variables: list[Any]) -> Callable[..., Any]:
    import tensorflow as tf

    # Variables are resources here, passed by reference: a later assignment is seen.
    traced = tf.function(function, jit_compile=True, autograph=False)
    # Each shape's own function is called: that costs half of the general call, and new shapes, which are
    # meant here, bring no warning.
    concrete: dict[Any, Callable[..., Any]] = {}

    def run(*arguments: Any) -> Any:
        key = _signature(arguments)
        if key not in concrete:
            concrete[key] = traced.get_concrete_function(*arguments)
        return concrete[key](*arguments)

    return run


def _signature(tree: Any) -> Any:
    """Structure, shapes and dtypes of a tree of tensors, to look a compiled function up by."""
    if isinstance(tree, Mapping):
        return tuple((name, _signature(tree[name])) for name in sorted(tree))
    if isinstance(tree, list | tuple):
        return tuple(map(_signature, tree))
    return (tuple(tree.shape), tree.dtype) if hasattr(tree, "shape") else tree


def _for_jax(function: Callable[..., Any], variables: list[Any]) -> Callable[..., Any]:
    import jax

    def pure(values: list[Any], *arguments: Any) -> Any:
        with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
            return function(*arguments)

    compiled = jax.jit(pure)
    return lambda *arguments: compiled([variable.value for variable in variables], *arguments)


def _for_torch(function: Callable[..., Any], variables: list[Any]) -> Callable[..., Any]:
    import torch

    def run(*arguments: Any) -> Any:
        with torch.no_grad():
            return function(*arguments)

    return run


_COMPILERS = {"tensorflow": _for_tensorflow, "jax": _for_jax, "torch": _for_torch}
