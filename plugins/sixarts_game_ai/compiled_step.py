"""A function of arrays that is called thousands of times a second, compiled by the active backend.

:class:`sixarts.compiled.Compiled` takes trees of anything and looks at each leaf; an acting step is over in
less time than that takes. This takes arrays and nothing else, one after another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

from sixarts.compiled import Compiled
from sixarts.device import Device, backend

Function = Callable[..., Any]


class CompiledStep:
    """A pure function of arrays to one tensor, compiled once for each set of shapes.

    Args:
        function: of tensors; looks at no value.
        device: where it runs.
    """

    def __init__(self, function: Function, device: Device) -> None:
        self._run = _COMPILERS[backend()](function, device)

    def __call__(self, *arrays: Any) -> Any:
        """Runs with NumPy arrays or the backend's tensors; returns the backend's tensor."""
        return self._run(*arrays)


def placed(array: np.ndarray) -> Any:
    """An array on the device, to be handed in often."""
    return ops.convert_to_tensor(array)


def _for_jax(function: Function, device: Device) -> Function:
    import jax

    return jax.jit(function)


def _for_tensorflow(function: Function, device: Device) -> Function:
    return Compiled(function, [], device)


def _for_torch(function: Function, device: Device) -> Function:
    import torch
    from keras.src.backend.torch.core import get_device

    graphs: dict[Any, Function] = {}

    def run(*arrays: Any) -> Any:
        tensors = [
            torch.from_numpy(each).to(get_device()) if isinstance(each, np.ndarray) else each
            for each in arrays
        ]
        key = tuple((tuple(each.shape), each.dtype) for each in tensors)
        with torch.no_grad():
            if key not in graphs:
                from torch.fx.experimental.proxy_tensor import make_fx

                # The tracer counts a method's `self` among what it is given.
                graphs[key] = make_fx(lambda *each: function(*each))(*(each.clone() for each in tensors))
            return graphs[key](*tensors)

    return run


_COMPILERS = {"tensorflow": _for_tensorflow, "jax": _for_jax, "torch": _for_torch}
