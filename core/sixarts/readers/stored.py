"""Where a tensor lies in a weights file, and what every reader of such a file says about it."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from sixarts.errors import CheckpointError, nearest

#: Caps on a shape that a file states: what NumPy can index at all.
AXES_CAP = 32
ELEMENTS_CAP = 2**56
#: How many names an error prints of each kind.
SHOWN = 12


def numpy_dtype(name: str) -> np.dtype[Any]:
    """The NumPy dtype of this name; ``bfloat16`` and the 8-bit floats are those of ``ml_dtypes``.

    >>> numpy_dtype("float16").itemsize, numpy_dtype("bfloat16").itemsize
    (2, 2)
    """
    if name.startswith(("bfloat", "float8")):
        import ml_dtypes

        return cast("np.dtype[Any]", np.dtype(getattr(ml_dtypes, name)))
    return np.dtype(name)


@dataclass(frozen=True)
class Stored:
    """Where one tensor lies in a file.

    Attributes:
        path: the file.
        dtype: its name, e.g. ``"float32"`` or ``"bfloat16"``.
        shape: sizes of its axes, in elements.
        offset: the byte at which its first element starts, from the start of the file.
        strides: steps along its axes, in elements.
        order: byte order, ``"<"`` or ``">"``.
        stamp: size (bytes) and time of change (ns) of the file when its header was read.
    """

    path: Path
    dtype: str
    shape: tuple[int, ...]
    offset: int
    strides: tuple[int, ...]
    order: str
    stamp: tuple[int, int]

    def __post_init__(self) -> None:
        # Sizes beside a 0 count too: NumPy refuses an empty array whose other axes are too long.
        if math.prod(size or 1 for size in self.shape) > ELEMENTS_CAP:
            raise damaged(self.path, f"a tensor of shape {self.shape}")

    def read(self) -> np.ndarray:
        """The tensor as an array of its own, row-major, in the stored dtype.

        Read, not mapped: a mapped file that someone cuts short kills the process, and a backend that
        takes an array without a copy would tie the network to the file.

        Raises:
            CheckpointError: the file changed, or ended, since its header was read.
        """
        dtype = numpy_dtype(self.dtype)
        if 0 in self.shape:
            return np.empty(self.shape, dtype)
        span = reach(self.shape, self.strides)
        with self.path.open("rb") as file:
            if stamp(file) != self.stamp:
                raise CheckpointError(f"{self.path} changed while it was read; load it again")
            file.seek(self.offset)
            raw = np.fromfile(file, np.dtype(f"{self.order}u{dtype.itemsize}"), span)
        if raw.size != span:
            raise damaged(self.path, "a tensor that it ends in")
        flat = raw.astype(raw.dtype.newbyteorder("="), copy=False).view(dtype)
        if self.strides == row_major(self.shape):
            return flat.reshape(self.shape)
        steps = tuple(step * dtype.itemsize for step in self.strides)
        return np.lib.stride_tricks.as_strided(flat, self.shape, steps, writeable=False).copy()


def row_major(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Steps along the axes of a contiguous array, in elements.

    >>> row_major((2, 3, 4))
    (12, 4, 1)
    """
    return tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))


def reach(shape: tuple[int, ...], strides: tuple[int, ...]) -> int:
    """How many elements of a storage lie from a tensor's first to its last, both counted.

    >>> reach((2, 3), (1, 4))
    10
    """
    if 0 in shape:
        return 0
    return 1 + sum((size - 1) * step for size, step in zip(shape, strides, strict=True))


def stamp(file: BinaryIO) -> tuple[int, int]:
    """Size (bytes) and time of change (ns) of an open file."""
    state = os.fstat(file.fileno())
    return state.st_size, state.st_mtime_ns


def finite(name: str, value: np.ndarray, dtype: np.dtype[Any] | None) -> np.ndarray:
    """The value in ``dtype``, where one is given, if every number of it is finite before and after.

    Raises:
        CheckpointError: NaN or infinity, as stored or in ``dtype``; it starts with ``name``.
    """
    for wanted in (None, dtype):
        if wanted is not None and wanted != value.dtype:
            with np.errstate(over="ignore"):
                value = value.astype(wanted)
        if value.dtype.kind not in "biu" and not (sound := np.isfinite(value)).all():
            count = int(value.size - np.count_nonzero(sound))
            raise CheckpointError(
                f"{name} has {count} of {value.size} numbers that are NaN or infinite in "
                f"{value.dtype.name}; expected finite ones; take an undamaged file, or a wider dtype"
            )
    return value


def quoted(name: str) -> str:
    """A stranger's name, safe and short enough to print."""
    return repr(name if len(name) <= 120 else name[:119] + "…")


def listed(items: Iterable[str]) -> str:
    """The first dozen, and how many more.

    >>> listed(["a", "b"])
    'a, b'
    """
    items = list(items)
    more = f", and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
    return ", ".join(items[:SHOWN]) + more


def damaged(path: Path, found: str) -> CheckpointError:
    """The error about a file that is not what its name says."""
    return CheckpointError(f"{path} has {found}: it is cut or corrupt; fetch it again")


def likely(name: str, known: Iterable[str]) -> str:
    """A hint at the names most like this one, or nothing."""
    # A file may hold a hundred thousand names, or one of a megabyte, and the search is quadratic.
    short = [other for other in known if len(other) <= 200][:2000]
    found = nearest(name, short)
    return f" (nearest in the file: {', '.join(map(quoted, found))})" if found else ""
