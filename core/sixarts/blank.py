"""Zeros that take no memory: what a network's variables hold until a checkpoint fills them.

TensorFlow keeps memory that was once used for large tensors, so zeros that are overwritten a moment later
would stay as large as the network itself. JAX and PyTorch give such memory back.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from sixarts.device import backend

#: TensorFlow takes over memory of this alignment (bytes) without a copy.
ALIGNMENT = 64


class Blank(keras.initializers.Zeros):  # type: ignore[misc]
    """Zeros on pages that the system hands out only when something is written to them."""

    def __call__(self, shape: Any, dtype: Any = None, **layout: Any) -> Any:
        """A tensor of ``shape``; other dtypes than float32 get Keras's own zeros."""
        if keras.backend.standardize_dtype(dtype) != "float32":
            return super().__call__(shape, dtype=dtype, **layout)
        import tensorflow as tf

        count = 4 * int(np.prod(shape))
        raw = np.zeros(count + ALIGNMENT, "uint8")
        start = -raw.ctypes.data % ALIGNMENT
        zeros = raw[start : start + count].view("float32").reshape(tuple(shape))
        return tf.experimental.dlpack.from_dlpack(zeros.__dlpack__())


@contextlib.contextmanager
def blank_zeros() -> Iterator[None]:
    """Within it, the initializer ``"zeros"`` takes no memory, whichever layer asks for it."""
    if backend() != "tensorflow":
        yield
        return
    with keras.saving.custom_object_scope({"zeros": Blank}):
        yield
