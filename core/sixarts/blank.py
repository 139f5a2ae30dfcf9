"""Zeros that take no memory: what a network's variables hold until a checkpoint fills them, and how many.

TensorFlow keeps memory that was once used for large tensors, so zeros that are overwritten a moment later
would stay as large as the network itself. JAX and PyTorch give such memory back.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import Any, ClassVar

import keras
import numpy as np

from sixarts.device import backend
from sixarts.errors import CheckpointError

#: TensorFlow takes over memory of this alignment (bytes) without a copy.
ALIGNMENT = 64
#: Elements beyond a file's that a network may have, such as a bias that some files leave out.
SPARE = 2**24


class Counted(keras.initializers.Zeros):  # type: ignore[misc]
    """Zeros that are counted before they are made, so that a network stays within its weights file."""

    left: ClassVar[list[float]] = [math.inf]

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        """A tensor of ``shape``, if there are elements left."""
        self.left[0] -= math.prod(shape)
        if self.left[0] < 0:
            raise CheckpointError(
                f"config.json asks for a variable of shape {tuple(shape)}, with which the network has more "
                "numbers than the weights have bytes; expected the sizes of the weights; the two are not of "
                "one model"
            )
        return self._made(shape, dtype)

    def _made(self, shape: Any, dtype: Any) -> Any:
        return super().__call__(shape, dtype=dtype)


class Blank(Counted):
    """Zeros on pages that the system hands out only when something is written to them.

    Other dtypes than float32 get Keras's own.
    """

    def _made(self, shape: Any, dtype: Any) -> Any:
        if keras.backend.standardize_dtype(dtype) != "float32":
            return super()._made(shape, dtype)
        import tensorflow as tf

        count = 4 * int(np.prod(shape))
        raw = np.zeros(count + ALIGNMENT, "uint8")
        start = -raw.ctypes.data % ALIGNMENT
        zeros = raw[start : start + count].view("float32").reshape(tuple(shape))
        return tf.experimental.dlpack.from_dlpack(zeros.__dlpack__())


@contextlib.contextmanager
def blank_zeros(file_bytes: int) -> Iterator[None]:
    """Within it, the initializer ``"zeros"`` takes no memory, and makes no more than a file can hold.

    Args:
        file_bytes: size of the weights that the network is for; an element takes a byte or more.

    Raises:
        CheckpointError: the network asks for more.
    """
    base = Blank if backend() == "tensorflow" else Counted
    kind = type(base.__name__, (base,), {"left": [file_bytes + SPARE]})
    with keras.saving.custom_object_scope({"zeros": kind}):
        yield
