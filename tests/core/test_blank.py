"""Zeros without memory: what they are, where they hold, and that a value takes their place."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from sixarts.blank import Blank, blank_zeros
from sixarts.device import backend

on_tensorflow = pytest.mark.skipif(
    "backend() != 'tensorflow'", reason="other backends give memory back, so theirs are Keras's own zeros"
)


def dense() -> keras.layers.Dense:
    layer = keras.layers.Dense(3, kernel_initializer="zeros")
    layer.build((None, 5))
    return layer


def test_variables_begin_at_zero_and_take_values() -> None:
    with blank_zeros(1000):
        layer = dense()
    kernel, bias = layer.get_weights()
    assert kernel.shape == (5, 3) and not kernel.any() and not bias.any()
    layer.kernel.assign(np.ones((5, 3), "float32"))
    layer.kernel.assign_add(np.ones((5, 3), "float32"))
    assert (layer.get_weights()[0] == 2).all()


def test_only_within_the_scope() -> None:
    with blank_zeros(1000):
        inside = type(keras.initializers.get("zeros"))
    assert issubclass(inside, Blank) == (backend() == "tensorflow")
    assert type(keras.initializers.get("zeros")) is keras.initializers.Zeros


@on_tensorflow
@pytest.mark.parametrize("shape", [(), (0,), (7,), (2, 3, 5)])
def test_every_shape(shape: tuple[int, ...]) -> None:
    zeros = keras.ops.convert_to_numpy(Blank()(shape, dtype="float32"))
    assert zeros.shape == shape and not zeros.any()


@on_tensorflow
@pytest.mark.parametrize("dtype", ["int32", "bfloat16", "float16", None])
def test_every_dtype(dtype: str | None) -> None:
    zeros = Blank()((2, 3), dtype=dtype)
    assert keras.backend.standardize_dtype(zeros.dtype) == (dtype or "float32")
    assert not keras.ops.convert_to_numpy(zeros).any()
