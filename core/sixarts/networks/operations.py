"""How many floating-point operations a network takes for one input."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any
from unittest import mock

import keras
import numpy as np

_WEIGHED = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.Dense, keras.layers.EinsumDense)


def operations(network: keras.Model, shapes: Mapping[str, Sequence[int]]) -> float:
    """Two for each weight of a dense or convolutional layer, at each place where it is applied.

    Attention's products, norms and activations are left out, as papers leave them out. The network is run
    once, on zeros.

    Args:
        network: built.
        shapes: of each of its inputs, without the rows.
    """
    total = 0.0
    layers = [layer for layer in network._flatten_layers(include_self=False) if isinstance(layer, _WEIGHED)]

    def watched(layer: Any) -> Any:
        call = layer.call

        def counted(x: Any, *args: Any, **kwargs: Any) -> Any:
            nonlocal total
            out = call(x, *args, **kwargs)
            total += 2.0 * float(np.prod(layer.kernel.shape)) * float(np.prod(out.shape[1:-1]))
            return out

        return mock.patch.object(layer, "call", counted)

    with contextlib.ExitStack() as stack:
        for layer in layers:
            stack.enter_context(watched(layer))
        network(
            {
                tensor.name: np.zeros((1, *shapes[tensor.name]), str(tensor.dtype))
                for tensor in network.inputs
            },
            training=False,
        )
    return total
