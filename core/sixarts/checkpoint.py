"""Weights file ↔ a network's variables: by name, strictly, one tensor at a time.

A network that needs a weight which the file lacks, or a file with a weight that the network does not
take, is an error that names it: nothing is ever left at random in silence. This module knows no Keras;
a variable is anything with ``shape`` and ``assign``.
"""

from __future__ import annotations

import json
import math
import os
import re
import secrets
import struct
from collections import Counter
from collections.abc import Callable, Iterator, KeysView, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from sixarts.errors import CheckpointError
from sixarts.pickled import read_pickled
from sixarts.stored import (
    AXES_CAP,
    SHOWN,
    Stored,
    damaged,
    finite,
    json_object,
    likely,
    listed,
    numpy_dtype,
    quoted,
    row_major,
    stamp,
)

__all__ = ["Target", "Variable", "Weights", "assign", "open_weights", "write_weights"]

#: Cap on a header, in bytes, as the format's own reader has it.
HEADER_CAP = 100_000_000

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


class Weights:
    """The tensors of a weights file by name; each is read when it is asked for.

    Args:
        path: the file (or the index of its shards), for messages.
        tensors: where each tensor lies.
    """

    def __init__(self, path: Path, tensors: Mapping[str, Stored]) -> None:
        self.path = path
        self._tensors = dict(tensors)

    def keys(self) -> KeysView[str]:
        """Names, in the file's order."""
        return self._tensors.keys()

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def __contains__(self, name: object) -> bool:
        return name in self._tensors

    def stored(self, name: str) -> Stored:
        """Where a tensor lies; equal for two names of one tensor."""
        try:
            return self._tensors[name]
        except KeyError:
            hint = likely(name, self._tensors)
            raise CheckpointError(f"{self.path} has no weight {quoted(name)}{hint}") from None

    def shape(self, name: str) -> tuple[int, ...]:
        """Sizes of a tensor's axes."""
        return self.stored(name).shape

    def dtype(self, name: str) -> str:
        """Name of a tensor's stored dtype, e.g. ``"float32"`` or ``"bfloat16"``."""
        return self.stored(name).dtype

    def read(self, name: str) -> np.ndarray:
        """One tensor, a fresh row-major array in its stored dtype (``bfloat16`` is ``ml_dtypes``')."""
        return self.stored(name).read()


class Variable(Protocol):
    """What a weight is assigned to: a Keras variable, or anything like one.

    Where it also has a ``dtype`` that NumPy knows, values are cast to it first.
    """

    @property
    def shape(self) -> Any: ...

    def assign(self, value: Any) -> Any: ...


@dataclass(frozen=True)
class Target:
    """A variable, and how the stored tensor becomes its value.

    Attributes:
        variable: what is assigned.
        transform: e.g. ``numpy.transpose``: PyTorch stores a dense kernel as (out, in), Keras as (in, out).
            It is also called on zeros of the stored shape, to learn the shape that it gives.
    """

    variable: Variable
    transform: Callable[[np.ndarray], np.ndarray] | None = None

    def value(self, stored: np.ndarray) -> np.ndarray:
        """The stored tensor after ``transform``."""
        return stored if self.transform is None else self.transform(stored)


def open_weights(folder: Path) -> Weights:
    """The weights of a model folder, from the best file that is there.

    In this order: ``model.safetensors``, its sharded form, ``pytorch_model.bin``, its sharded form.
    Only headers are read here.

    Raises:
        CheckpointError: no such file, or one that is cut, corrupt, or no weights file.
        UnsafePickle: a ``.bin`` that names more than tensors.
    """
    folder = Path(folder)
    for name, read in READERS.items():
        path = folder / name
        if path.exists():
            try:
                return Weights(path, read(path))
            except OSError as error:
                raise CheckpointError(f"{path} cannot be read: {error}") from error
    there = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
    raise CheckpointError(
        f"{folder} holds {listed(map(quoted, there)) if there else 'no files'}; "
        f"expected one of {', '.join(READERS)}; fetch the model again, or convert its weights"
    )


def _read_safetensors(path: Path) -> dict[str, Stored]:
    """Where each tensor of a safetensors file lies; the header must account for every byte."""
    with path.open("rb") as file:
        now = stamp(file)
        total = now[0]
        head = file.read(8)
        length = struct.unpack("<Q", head)[0] if len(head) == 8 else total
        if length > min(total - 8, HEADER_CAP):
            raise damaged(path, f"{total} bytes, too few for its header")
        header = json_object(path, file.read(length))
    header.pop("__metadata__", None)
    start = 8 + length
    tensors: dict[str, Stored] = {}
    spans: list[tuple[int, int]] = []
    for name, entry in header.items():
        match entry:
            case {"dtype": str(code), "shape": [*sizes], "data_offsets": [int(begin), int(end)]} if len(
                sizes
            ) <= AXES_CAP and all(type(size) is int and size >= 0 for size in sizes):
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


def _read_shards(path: Path) -> dict[str, Stored]:
    """Where each tensor lies in the shards that an index names."""
    whole = path.name.removesuffix(".index.json")
    read, suffix = READERS[whole], Path(whole).suffix
    with path.open("rb") as file:
        index = json_object(path, file.read(HEADER_CAP))
    places = index.get("weight_map")
    if not isinstance(places, dict) or not places:
        raise damaged(path, "no weight_map of names to shards")
    tensors: dict[str, Stored] = {}
    for shard in dict.fromkeys(map(str, places.values())):
        # An index comes from a stranger: a shard is a plain name beside it, of the index's own kind.
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", shard) or not shard.endswith(suffix):
            raise CheckpointError(f"{path} names the shard {quoted(shard)}; expected a plain name{suffix}")
        if not (path.parent / shard).is_file():
            raise CheckpointError(f"{path} names the shard {quoted(shard)}, not there; fetch it again")
        for name, stored in read(path.parent / shard).items():
            if places.get(name) == shard:
                tensors[name] = stored
            elif name not in places:
                raise damaged(path, f"{quoted(name)} in {quoted(shard)} that it does not list")
    if lost := [name for name in places if name not in tensors]:
        raise damaged(path, f"names that its shards lack: {listed(map(quoted, lost))}")
    return tensors


#: File name to reader, best first.
READERS: dict[str, Callable[[Path], dict[str, Stored]]] = {
    "model.safetensors": _read_safetensors,
    "model.safetensors.index.json": _read_shards,
    "pytorch_model.bin": read_pickled,
    "pytorch_model.bin.index.json": _read_shards,
}


#: A weight's name, or names that may hold it: tied weights, which some files store once and others twice.
Name = TypeVar("Name", bound="str | tuple[str, ...]")


def assign(targets: Mapping[Name, Target], weights: Weights, *, ignore: Sequence[str] = ()) -> str:
    """Assign every variable its weight, or say at once everything that does not fit.

    Names, shapes and kinds are checked before any variable changes. Values are checked as they are
    read, one tensor at a time; after an error about a value the network is not to be used.

    Args:
        targets: weight name to variable. A tuple of names stands for one tied weight: the first that the file
            has is taken, and the others that it has must be equal to it.
        weights: the file.
        ignore: glob patterns of names in the file that the network may leave, e.g. ``"*.position_ids"``.

    Returns:
        The stored dtype of most of the assigned elements, e.g. ``"float16"``.

    Raises:
        CheckpointError: weights missing, extra, of another shape or kind, untied, NaN or infinite.
    """
    taken = {_names(key): target for key, target in targets.items()}
    chosen = {names: present for names in taken if (present := [name for name in names if name in weights])}
    wanted = {name for names in taken for name in names}
    missing = [names for names in taken if names not in chosen]
    extra = [
        name
        for name in weights
        if name not in wanted and not any(fnmatchcase(name, pattern) for pattern in ignore)
    ]
    unfit = [
        complaint
        for names, present in chosen.items()
        for name in present
        if (complaint := _misfit(name, taken[names], weights))
    ]
    untied = [] if unfit else [text for present in chosen.values() for text in _untied(present, weights)]
    problems = {
        "missing": [
            " or ".join(map(quoted, names)) + (likely(names[0], extra) if rank < SHOWN else "")
            for rank, names in enumerate(missing)
        ],
        "extra": list(map(quoted, extra)),
        "of another shape or kind": unfit,
        "tied in the network, not in the file": untied,
    }
    if any(problems.values()):
        lines = [f"  {kind} ({len(found)}): {listed(found)}" for kind, found in problems.items() if found]
        raise CheckpointError(
            "\n".join([f"{weights.path} does not fit the network:", *lines])
            + "\nexpected every weight of the network and no other; "
            "check that the configuration and the weights are of one model"
        )
    elements: Counter[str] = Counter()
    for names, present in chosen.items():
        name = present[0]
        elements[weights.dtype(name)] += math.prod(weights.shape(name))
        variable = taken[names].variable
        value = taken[names].value(weights.read(name))
        variable.assign(finite(f"{weights.path}: {quoted(name)}", value, _dtype_of(variable)))
    return elements.most_common(1)[0][0] if elements else "float32"


def _names(key: str | tuple[str, ...]) -> tuple[str, ...]:
    return (key,) if isinstance(key, str) else key


def _misfit(name: str, target: Target, weights: Weights) -> str | None:
    """What keeps a weight from its variable, told from its header alone."""
    wanted = tuple(int(size) for size in target.variable.shape)
    shape, dtype = weights.shape(name), numpy_dtype(weights.dtype(name))
    try:
        blank = np.broadcast_to(np.zeros((), dtype), shape)  # one element in memory, whatever the shape
        given = tuple(target.value(blank).shape)
    except Exception as error:  # a transform may fail in any way on a shape that it was not written for
        return f"{quoted(name)} is {shape} in the file, {wanted} in the network ({error})"
    if given != wanted:
        turned = "" if given == shape else f", {given} as it is taken"
        return f"{quoted(name)} is {shape} in the file{turned}, {wanted} in the network"
    cast = _dtype_of(target.variable)
    if cast is not None and not np.can_cast(dtype, cast, "same_kind"):
        return f"{quoted(name)} is {dtype.name} in the file, {cast.name} in the network"
    return None


def _untied(present: Sequence[str], weights: Weights) -> Iterator[str]:
    """The names after the first whose tensors differ from its own."""
    first, *others = present
    for name in others:
        one, other = weights.stored(first), weights.stored(name)
        if one == other:
            continue
        same = (one.shape, one.dtype) == (other.shape, other.dtype)
        # Bytes are compared, so that NaN equals NaN, and is found as NaN later.
        if not same or not np.array_equal(_bytes(one.read()), _bytes(other.read())):
            yield f"{quoted(name)} differs from {quoted(first)}"


def _bytes(value: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(value).reshape(-1).view(np.uint8)


def _dtype_of(variable: Variable) -> np.dtype[Any] | None:
    """The NumPy dtype of a variable; ``None`` when it states none that NumPy knows."""
    try:
        return numpy_dtype(str(getattr(variable, "dtype", None)))
    except (AttributeError, TypeError):
        return None


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
