"""Weights file ↔ a network's variables: by name, strictly, one tensor at a time.

A network that needs a weight which the file lacks, or a file with a weight that the network does not
take, is an error that names it: nothing is ever left at random in silence. This module knows no Keras;
a variable is anything with ``shape`` and ``assign``.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, KeysView, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from sixarts.errors import CheckpointError
from sixarts.readers.json_file import json_object
from sixarts.readers.pickled import read_pickled
from sixarts.readers.safetensors_file import HEADER_CAP, read_safetensors, write_weights
from sixarts.readers.stored import SHOWN, Stored, damaged, finite, likely, listed, numpy_dtype, quoted
from sixarts_hub.strict_json import read_small, short

__all__ = ["Target", "Variable", "Weights", "assign", "open_weights", "write_weights"]


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

    @property
    def file_bytes(self) -> int:
        """Size of its files; a tensor has no more elements than they have bytes."""
        return sum({stored.path: stored.stamp[0] for stored in self._tensors.values()}.values())

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
        inverse: how a value becomes the stored tensor again, where ``transform`` does not undo itself.
    """

    variable: Variable
    transform: Callable[[np.ndarray], np.ndarray] | None = None
    inverse: Callable[[np.ndarray], np.ndarray] | None = None

    def value(self, stored: np.ndarray) -> np.ndarray:
        """The stored tensor after ``transform``."""
        return stored if self.transform is None else self.transform(stored)

    def stored(self, value: np.ndarray) -> np.ndarray:
        """The tensor as the file has it."""
        back = self.inverse or self.transform
        return value if back is None else back(value)


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
            if not path.is_file():  # opening a pipe would wait for its writer
                raise CheckpointError(f"{path} is no regular file; expected weights; fetch them again")
            try:
                return Weights(path, read(path))
            except OSError as error:
                raise CheckpointError(f"{path} cannot be read: {error}") from error
    there = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
    raise CheckpointError(
        f"{folder} holds {listed(map(quoted, there)) if there else 'no files'}; "
        f"expected one of {', '.join(READERS)}; fetch the model again, or convert its weights"
    )


def _read_shards(path: Path) -> dict[str, Stored]:
    """Where each tensor lies in the shards that an index names."""
    whole = path.name.removesuffix(".index.json")
    read, suffix = READERS[whole], Path(whole).suffix
    try:
        text = read_small(path, HEADER_CAP)
    except ValueError as error:
        raise damaged(path, f"no index that can be read ({error})") from error
    index = json_object(text, str(path))
    places = index.get("weight_map")
    if not isinstance(places, dict) or not places:
        raise damaged(path, "no weight_map of names to shards")
    tensors: dict[str, Stored] = {}
    odd = [shard for shard in places.values() if not _is_shard(shard, suffix)]
    if odd:
        raise CheckpointError(f"{path} names the shard {short(odd[0])}; expected a plain name{suffix}")
    for shard in dict.fromkeys(places.values()):
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


def _is_shard(name: Any, suffix: str) -> bool:
    """Whether a stranger's shard is a plain name beside the index, of the index's own kind."""
    plain = isinstance(name, str) and re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,250}", name)
    return bool(plain) and name.endswith(suffix)


#: File name to reader, best first.
READERS: dict[str, Callable[[Path], dict[str, Stored]]] = {
    "model.safetensors": read_safetensors,
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
