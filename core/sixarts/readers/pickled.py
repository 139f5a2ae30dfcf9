"""PyTorch's ``.bin`` files, read as tensors alone.

A ``.bin`` is a pickle beside raw storages, and a pickle is a program. Python's own machine for it can
call what it finds (``INST``, ``OBJ``, ``NEWOBJ``, ``EXT``), set attributes (``BUILD``), and be told to grow
its memo to gigabytes. So the program is run here by a machine that has no such operation: it moves plain
data on a stack, and a call makes a record of a tensor. No PyTorch is needed, and nothing is imported.

Both of PyTorch's formats are read: the zip archive that it writes since 1.6, and the one before, five
pickles and then the storages (``torch/serialization.py``, ``_save`` and ``_legacy_save``).
"""

from __future__ import annotations

import io
import math
import pickletools
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from sixarts.errors import CheckpointError, UnsafePickle
from sixarts.readers.archive import Archive
from sixarts.readers.stored import AXES_CAP, Stored, damaged, numpy_dtype, quoted, reach, stamp

__all__ = ["TensorUnpickler", "read_pickled"]

#: Caps on a pickle: a tensor takes about 250 bytes and 45 operations.
PICKLE_CAP = 16 * 2**20
OPERATIONS_CAP = 2_000_000
#: The same for what stands before a state dict in the older format: three numbers.
OPENING_CAP = 1_000
#: Most characters of a text, and most bits of a number. Comparing and hashing either takes time by its
#: length, and a program of two million operations can ask for that again and again.
TEXT_CAP = 2**16
BITS_CAP = 128
#: What reading a malformed file raises.
MALFORMED = (
    ArithmeticError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
)

#: PyTorch's storage classes, and NumPy's names for what they hold.
STORAGES = {
    "torch.FloatStorage": "float32",
    "torch.DoubleStorage": "float64",
    "torch.HalfStorage": "float16",
    "torch.BFloat16Storage": "bfloat16",
    "torch.LongStorage": "int64",
    "torch.IntStorage": "int32",
    "torch.ShortStorage": "int16",
    "torch.CharStorage": "int8",
    "torch.ByteStorage": "uint8",
    "torch.BoolStorage": "bool",
}


def read_pickled(path: Path) -> dict[str, Stored]:
    """Where each tensor of a ``.bin`` lies; only its pickle is read.

    Raises:
        CheckpointError: cut, corrupt, of another format, compressed, or with more than tensors in its dict.
        UnsafePickle: it names, or does, more than rebuilding tensors takes; nothing was executed.
    """
    with path.open("rb") as file:
        now = stamp(file)
        start = file.read(4)
        read = next((FORMATS[magic] for magic in FORMATS if start.startswith(magic)), None)
        if read is None:
            raise CheckpointError(
                f"{path} starts with {start!r}; expected PyTorch's zip archive or its older pickle; "
                "a text file in its place is often a pointer that Git LFS left: fetch the file itself"
            )
        file.seek(0)
        try:
            return _located(path, *read(file), now)
        except UnsafePickle as error:
            raise UnsafePickle(
                f"{path} {error}; expected only what rebuilds tensors, so nothing of it was executed; "
                "ask for safetensors, or convert it where you trust it"
            ) from None
        except MALFORMED as error:
            raise damaged(path, f"a part that cannot be read ({str(error)[:200]})") from error


@dataclass(frozen=True)
class _Global:
    """A name that the pickle mentions; it stands for itself and is never looked up."""

    name: str


@dataclass(frozen=True)
class _Storage:
    """A run of bytes under a key, seen as ``count`` elements of ``dtype``."""

    key: str
    dtype: str
    count: int

    @property
    def width(self) -> int:
        """Bytes of an element."""
        return numpy_dtype(self.dtype).itemsize

    @property
    def bytes(self) -> int:
        """Bytes of them all."""
        return self.count * self.width


@dataclass(frozen=True)
class _Tensor:
    """A view of a storage; offset and strides in elements."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class TensorUnpickler:
    """The machine: a stack of plain data, a memo, and the storages that were mentioned.

    Args:
        source: what the pickle is read from, up to its ``STOP`` and not a byte further.
        cap: most operations.
    """

    def __init__(self, source: BinaryIO, cap: int = OPERATIONS_CAP) -> None:
        self._source, self._cap = source, cap
        self.storages: dict[str, _Storage] = {}

    def load(self) -> Any:
        """The pickled value: dicts, lists, tuples, strings, numbers, and records of tensors."""
        stack: list[Any] = []
        marks: list[int] = []
        memo: dict[int, Any] = {}

        def marked() -> list[Any]:
            start = marks.pop()
            items = stack[start:]
            del stack[start:]
            return items

        for count, (operation, argument, _) in enumerate(pickletools.genops(self._source)):
            if count > self._cap:
                raise ValueError(f"a pickle of more than {self._cap} operations")
            match operation.name:
                case name if name in PLAIN:
                    stack.append(_short(argument))
                case name if name in EMPTY:
                    stack.append(EMPTY[name]())
                case "BINPUT" | "LONG_BINPUT":
                    memo[cast(int, argument)] = stack[-1]
                case "BINGET" | "LONG_BINGET":
                    stack.append(memo[cast(int, argument)])
                case "MEMOIZE":
                    memo[len(memo)] = stack[-1]
                case "MARK":
                    marks.append(len(stack))
                case "TUPLE":
                    stack.append(tuple(marked()))
                case "TUPLE1" | "TUPLE2" | "TUPLE3" as name:
                    size = int(name[-1])
                    stack[-size:] = [tuple(stack[-size:])]
                case "GLOBAL":
                    stack.append(_known(str(argument).replace(" ", ".")))
                case "STACK_GLOBAL":
                    last, module = stack.pop(), stack.pop()
                    stack.append(_known(f"{_is(module, str)}.{_is(last, str)}"))
                case "BINPERSID":
                    stack.append(self._storage(stack.pop()))
                case "REDUCE":
                    arguments, called = stack.pop(), stack.pop()
                    stack.append(_call(called, arguments))
                case "BUILD":
                    # A state dict's ``_metadata``: versions of modules, which no tensor needs.
                    _is(stack.pop(), dict)
                    _is(stack[-1], dict)
                case "SETITEM" | "SETITEMS" as name:
                    pairs = [stack.pop(-2), stack.pop()] if name == "SETITEM" else marked()
                    for key, value in zip(pairs[::2], pairs[1::2], strict=True):
                        _is(stack[-1], dict)[_is(key, str, int)] = value
                case "APPEND" | "APPENDS" as name:
                    items = [stack.pop()] if name == "APPEND" else marked()
                    _is(stack[-1], list).extend(items)
                case "PROTO" | "FRAME":
                    pass
                case "STOP":
                    return stack.pop()
                case name:
                    what = f" on {quoted(str(argument).replace(' ', '.'))}" if argument is not None else ""
                    raise UnsafePickle(f"does {name}{what}")
        raise ValueError("a pickle without its end")

    def _storage(self, identity: Any) -> _Storage:
        """The storage that ``("storage", class, key, device, count[, view])`` stands for."""
        match identity:
            case ("storage", _Global(name), str(key), _, int(count), *view) if (
                name in STORAGES and count >= 0 and view in ([], [None])
            ):
                storage = _Storage(key, STORAGES[name], count)
                if self.storages.setdefault(key, storage).bytes != storage.bytes:
                    raise ValueError(f"two sizes for the storage {quoted(key)}")
                return storage
        raise UnsafePickle("refers to something outside it that is no storage of tensors")


#: Operations that put their own argument on the stack.
# fmt: off
PLAIN = {
    "BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE",
    "BINUNICODE8", "BINSTRING", "SHORT_BINSTRING",
}
# fmt: on
#: Operations that put a new value on the stack.
EMPTY: dict[str, Callable[[], Any]] = {
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
}


def _short(argument: Any) -> Any:
    if isinstance(argument, str) and len(argument) > TEXT_CAP:
        raise ValueError(f"a text of {len(argument)} characters")
    if isinstance(argument, int) and argument.bit_length() > BITS_CAP:
        raise ValueError(f"a number of {argument.bit_length()} bits")
    return argument


def _known(name: str) -> _Global:
    if name in CALLS or name in STORAGES:
        return _Global(name)
    raise UnsafePickle(f"names {quoted(name)}")


def _call(called: Any, arguments: Any) -> Any:
    """What a call in the pickle makes: one of ours, on a tuple of plain data."""
    if not isinstance(called, _Global) or called.name not in CALLS or not isinstance(arguments, tuple):
        raise UnsafePickle(f"calls {quoted(getattr(called, 'name', type(called).__name__))}")
    try:
        return CALLS[called.name](*arguments)
    except TypeError as error:
        raise UnsafePickle(f"calls {called.name} on other arguments than its own") from error


def _is(value: Any, *types: type) -> Any:
    if type(value) not in types:
        raise UnsafePickle(f"uses a {type(value).__name__} as a {types[0].__name__}")
    return value


def _ordered() -> dict[str, Any]:
    return {}


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any) -> _Tensor:
    return _Tensor(_is(storage, _Storage), offset, _is(shape, tuple), _is(strides, tuple))


def _tensor_v2(
    storage: Any, offset: Any, shape: Any, strides: Any, grad: Any, hooks: Any, flags: Any = None
) -> _Tensor:
    if flags:  # its numbers are not those that are stored
        raise ValueError("a tensor that is a negated or conjugated view")
    return _tensor(storage, offset, shape, strides)


def _parameter(data: Any, grad: Any, hooks: Any) -> _Tensor:
    return cast(_Tensor, _is(data, _Tensor))


#: Everything that a pickle can call.
CALLS: dict[str, Callable[..., Any]] = {
    "collections.OrderedDict": _ordered,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor_v2,
    "torch._utils._rebuild_parameter": _parameter,
}


def _located(
    path: Path, tensors: Any, places: dict[str, int], order: str, now: tuple[int, int]
) -> dict[str, Stored]:
    """Name to place, if this is a dict of names to tensors, each inside its own storage."""
    if not isinstance(tensors, dict):
        raise ValueError(f"a {type(tensors).__name__} where a dict of tensors was expected")
    found: dict[str, Stored] = {}
    for name, tensor in tensors.items():
        if not isinstance(tensor, _Tensor) or not isinstance(name, str):
            raise ValueError(f"{quoted(str(name))}, a {type(tensor).__name__}, in its dict of tensors")
        storage, shape, strides = tensor.storage, tensor.shape, tensor.strides
        if not len(shape) == len(strides) <= AXES_CAP:
            raise ValueError(f"{quoted(name)} with {len(shape)} sizes and {len(strides)} strides")
        numbers = (tensor.offset, *shape, *strides)
        if not all(type(number) is int and 0 <= number < 2**63 for number in numbers):
            raise ValueError(f"{quoted(name)} with a size, stride or offset that is none")
        span = reach(shape, strides)
        if span and tensor.offset + span > storage.count:  # PyTorch lets an empty view start anywhere
            raise ValueError(f"{quoted(name)} that reaches beyond its storage")
        # A stride of 0 repeats elements, so a small storage can stand for a tensor of any size.
        if math.prod(shape) * storage.width > now[0]:
            raise ValueError(f"{quoted(name)} that is larger than the file")
        first = places[storage.key] + tensor.offset * storage.width
        found[name] = Stored(path, storage.dtype, shape, first, strides, order, now)
    return found


#: A state dict, the byte of the file at which each storage starts, and the byte order.
Contents = tuple[Any, dict[str, int], str]


def _read_zip(file: BinaryIO) -> Contents:
    """Contents of the zip archive ``NAME/data.pkl``, ``NAME/byteorder``, ``NAME/data/KEY``."""
    archive = Archive(file)
    roots = [name[: -len("data.pkl")] for name in archive.names if name.endswith("/data.pkl")]
    if len(roots) != 1:
        raise ValueError(f"{len(roots)} entries data.pkl")
    root = roots[0]
    machine = TensorUnpickler(io.BytesIO(archive.read(root + "data.pkl", PICKLE_CAP)))
    tensors = machine.load()
    written = archive.read(root + "byteorder", 16) if root + "byteorder" in archive.names else b"little"
    spans = {}
    for key, storage in machine.storages.items():
        spans[key] = start, end = archive.span(f"{root}data/{key}")
        if end - start != storage.bytes:
            raise ValueError(f"{end - start} bytes in a storage of {storage.bytes}")
    reached = 0
    for start, end in sorted(spans.values()):
        if start < reached:
            raise ValueError("a storage over another")
        reached = end
    places = {key: start for key, (start, _) in spans.items()}
    return tensors, places, {b"little": "<", b"big": ">"}[written]


def _read_legacy(file: BinaryIO) -> Contents:
    """Contents of the format before PyTorch 1.6: magic, version, machine, state dict, keys, storages.

    A storage is its count of elements (8 bytes) and then its elements, little-endian on every machine.
    """
    head = io.BytesIO(file.read(min(PICKLE_CAP, stamp(file)[0])))
    for wanted in (0x1950A86A20F9469CFC6C, 1001):
        if TensorUnpickler(head, OPENING_CAP).load() != wanted:
            raise ValueError("a pickle that PyTorch did not write")
    TensorUnpickler(head, OPENING_CAP).load()
    machine = TensorUnpickler(head)
    tensors = machine.load()
    keys = _is(TensorUnpickler(head).load(), list)
    places = {}
    end = head.tell()
    for key in keys:
        storage = machine.storages[_is(key, str)]
        file.seek(end)
        if struct.unpack("<q", file.read(8)) != (storage.count,):
            raise ValueError(f"another count of elements than {storage.count} in a storage")
        places[key] = end + 8
        end += 8 + storage.bytes
    if end > stamp(file)[0]:
        raise ValueError("an end inside a storage")
    return tensors, places, "<"


#: A file's first bytes to its reader.
FORMATS: dict[bytes, Callable[[BinaryIO], Contents]] = {b"PK\x03\x04": _read_zip, b"\x80": _read_legacy}
