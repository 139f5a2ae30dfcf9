"""The safetensors format: a header in JSON that accounts for every byte, and then the tensors.

Read here rather than by the format's own library because that maps the whole file, and a mapped file that
someone cuts short kills the process.
"""

from __future__ import annotations

import json
import math
import os
import secrets
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sixarts.errors import CheckpointError
from sixarts.readers.json_file import json_object
from sixarts.readers.stored import (
    AXES_CAP,
    Stored,
    damaged,
    finite,
    numpy_dtype,
    quoted,
    row_major,
    stamp,
)

#: Cap on a header or an index, in bytes: 250,000 tensors. The format's own reader takes three times that, and
#: a header made to cost memory takes 30 bytes a byte.
HEADER_CAP = 32 << 20

#: safetensors' dtype codes, and NumPy's names for them.
# fmt: off
DTYPES = {
    "BOOL": "bool", "U8": "uint8", "I8": "int8", "U16": "uint16", "I16": "int16", "U32": "uint32",
    "I32": "int32", "U64": "uint64", "I64": "int64", "F16": "float16", "BF16": "bfloat16",
    "F32": "float32", "F64": "float64", "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2",
}
# fmt: on
CODES = {name: code for code, name in DTYPES.items()}
FLOATS = {name for name in CODES if "float" in name}


def read_safetensors(path: Path) -> dict[str, Stored]:
    """Where each tensor of a safetensors file lies; the header must account for every byte.

    Raises:
        CheckpointError: cut, corrupt, or of a dtype that is not read.
    """
    with path.open("rb") as file:
        now = stamp(file)
        total = now[0]
        head = file.read(8)
        length = struct.unpack("<Q", head)[0] if len(head) == 8 else total
        if length > total - 8:
            raise damaged(path, f"{total} bytes, too few for its header")
        if length > HEADER_CAP:
            raise damaged(path, f"a header of {length} bytes, more than {HEADER_CAP}")
        header = json_object(file.read(length), f"the header of {path}")
    header.pop("__metadata__", None)
    start = 8 + length
    tensors: dict[str, Stored] = {}
    spans: list[tuple[int, int]] = []
    for name, entry in header.items():
        match entry:
            case {"dtype": str(code), "shape": [*sizes], "data_offsets": [begin, end]} if len(
                sizes
            ) <= AXES_CAP and all(type(size) is int and 0 <= size < 2**63 for size in (*sizes, begin, end)):
                shape = tuple(sizes)
            case _:
                raise damaged(path, f"a header without dtype, shape and offsets of {quoted(name)}")
        if code not in DTYPES:
            raise CheckpointError(
                f"{path} stores {quoted(name)} as {quoted(code)}; expected one of {', '.join(DTYPES)}"
            )
        tensors[name] = Stored(path, DTYPES[code], shape, start + begin, row_major(shape), "<", now)
        if end - begin != math.prod(shape) * numpy_dtype(DTYPES[code]).itemsize:
            raise damaged(path, f"{end - begin} bytes for {quoted(name)} of shape {shape}")
        spans.append((begin, end))
    reached = 0
    for begin, end in sorted(spans):
        if begin != reached:
            raise damaged(path, "tensors that overlap or leave gaps")
        reached = end
    if start + reached != total:
        raise damaged(path, f"{total} bytes where its header tells of {start + reached}")
    return tensors


def write_weights(path: Path, tensors: Mapping[str, np.ndarray], dtype: str | None = None) -> None:
    """Write a safetensors file, atomically and the same bytes for the same tensors.

    Tensors are asked for one at a time, twice each (once for the header), so a lazy mapping costs
    the memory of one.

    Args:
        path: the file to make or replace; its folder exists.
        tensors: name to array, any strides.
        dtype: what floats are stored as, e.g. ``"float16"``; ``None`` keeps each one's own. Integers and
            booleans always keep theirs.

    Raises:
        CheckpointError: a dtype that safetensors lacks, or a number that is not finite, or not in ``dtype``.
    """
    if dtype is not None and dtype not in FLOATS:
        raise CheckpointError(
            f"weights cannot be stored as {dtype!r}; expected one of {', '.join(sorted(FLOATS))}"
        )
    path = Path(path)
    kinds = {name: (value.dtype.name, tuple(value.shape)) for name, value in tensors.items()}
    casts: dict[str, np.dtype[Any]] = {}
    for name, (own, _) in kinds.items():
        if own not in CODES:
            raise CheckpointError(f"{quoted(name)} is {own}; expected one of {', '.join(CODES)}")
        casts[name] = numpy_dtype(dtype if dtype is not None and own in FLOATS else own)
    # Widest first, as the format's own writer does: every tensor is then aligned to its element.
    order = sorted(casts, key=lambda name: (-casts[name].itemsize, name))
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name in order:
        cast, shape = casts[name], kinds[name][1]
        begin, end = end, end + math.prod(shape) * cast.itemsize
        header[name] = {"dtype": CODES[cast.name], "shape": shape, "data_offsets": (begin, end)}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    # Not tempfile's: those are readable by their owner alone.
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with draft.open("xb") as file:
            file.write(struct.pack("<Q", len(text)) + text)
            for name in order:
                file.write(_little(finite(quoted(name), np.asarray(tensors[name]), casts[name])))
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _little(value: np.ndarray) -> memoryview:
    """An array's bytes as the format has them: row-major, little-endian."""
    bits = np.ascontiguousarray(value).reshape(-1).view(f"u{value.itemsize}")
    return bits.astype(bits.dtype.newbyteorder("<"), copy=False).view(np.uint8).data
