"""Weights in large pages of memory, where Linux gives them.

A decoder reads every weight once a token, so that it is as fast as memory is. In pages of 4 KB a tenth to a
fifth of that time goes into finding them (measured with 200 MB of weights; on other systems nothing happens
here).
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sixarts.device import backend

#: Bytes of a large page; of the smallest weight that is worth one; and of all weights of a network that is,
#: since less lies in the processor's cache.
PAGE, WEIGHT, NETWORK = 2**21, 2**19, 2**25
#: Linux's number for "make one page of these, now" (madvise(2), since 6.1).
COLLAPSE = 25
#: What the owner of the machine allows.
ALLOWED = Path("/sys/kernel/mm/transparent_hugepage/enabled")


def gather(variables: Sequence[Any]) -> int:
    """Moves large variables of a large network into large pages, as they are and where they are.

    Returns:
        Bytes of the pages that are large now.
    """
    if sum(map(_bytes, variables)) < NETWORK or not _allowed():
        return 0
    pages: set[int] = set()
    for variable in variables:
        if _bytes(variable) < WEIGHT:
            continue
        address, size = _MEMORY[backend()](variable.value)
        # Whole pages, with whatever lies beside: to nobody does it look any different.
        pages.update(range(address // PAGE * PAGE, address + size, PAGE))
    advise = ctypes.CDLL(None).madvise
    advise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    return sum(PAGE for page in sorted(pages) if advise(page, PAGE, COLLAPSE) == 0)


def _bytes(variable: Any) -> int:
    return int(np.prod(variable.shape)) * (2 if "16" in variable.dtype else 4)


def _allowed() -> bool:
    return sys.platform == "linux" and ALLOWED.is_file() and "[never]" not in ALLOWED.read_text()


def _of_jax(value: Any) -> tuple[int, int]:
    if len(value.devices()) > 1 or value.device.platform != "cpu":
        return 0, 0
    return value.unsafe_buffer_pointer(), value.nbytes


def _of_torch(value: Any) -> tuple[int, int]:
    return (value.data_ptr(), value.nbytes) if value.device.type == "cpu" else (0, 0)


def _of_tensorflow(value: Any) -> tuple[int, int]:
    import tensorflow as tf

    read = tf.convert_to_tensor(value)
    if "CPU" not in read.device:
        return 0, 0
    # A tensor's own memory, where NumPy's is a copy.
    shared = np.asarray(memoryview(read))
    return shared.ctypes.data, shared.nbytes


#: Where a value lies, and its bytes; none where it is not in this machine's memory.
_MEMORY: dict[str, Callable[[Any], tuple[int, int]]] = {
    "jax": _of_jax,
    "tensorflow": _of_tensorflow,
    "torch": _of_torch,
}
