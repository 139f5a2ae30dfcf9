"""KataGo's network files: ``.bin.gz`` and ``.txt.gz``, read as numbers with names and nothing else.

A file is one gzip stream of words with blocks of numbers between them: little-endian float32 after ``@BIN@``,
or decimal. Every count is held against what is left of the file before anything of its size is made.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import KeysView, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sixarts.checkpoint import Weights
from sixarts.errors import CheckpointError
from sixarts.readers.stored import finite, likely, quoted
from sixarts_game_ai.katago_layout import (
    ACTIVATIONS,
    BLOCKS,
    BLOCKS_CAP,
    CHANNELS_CAP,
    DEPTH_CAP,
    NAME_CAP,
    NUMBERS,
    PLANES,
    SCALES,
    SIDE_CAP,
    TRUNK,
    VERSIONS,
    Parts,
    check,
    heads,
    shape_of,
)

#: Bytes that a file may unpack to: 500 million numbers, and no more than so many times its own.
BYTES_CAP, RATIO_CAP, SMALL = 2**31, 100, 2**26
SUFFIXES = (".bin.gz", ".txt.gz", ".bin", ".txt")
_WORD = re.compile(rb"[^\s]+")
#: Longest number in decimal.
DIGITS_CAP = 40


class KatagoWeights(Weights):
    """The tensors of a network file, which is read whole: gzip has no way to the middle."""

    def __init__(self, path: Path, values: Mapping[str, np.ndarray], size: int) -> None:
        super().__init__(path, {})
        self._values, self._size = dict(values), size

    def keys(self) -> KeysView[str]:
        """Names, in the file's order."""
        return self._values.keys()

    @property
    def file_bytes(self) -> int:
        """Bytes of the unpacked file."""
        return self._size

    def __iter__(self) -> Any:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def stored(self, name: str) -> Any:
        """There is no place of a single tensor in a packed file."""
        raise CheckpointError(f"{self.path} is packed as a whole; expected its tensors to be read by name")

    def shape(self, name: str) -> tuple[int, ...]:
        """Sizes of a tensor's axes."""
        return tuple(self.read(name).shape)

    def dtype(self, name: str) -> str:
        """Name of a tensor's dtype."""
        return str(self.read(name).dtype)

    def read(self, name: str) -> np.ndarray:
        """One tensor."""
        try:
            return self._values[name]
        except KeyError:
            hint = likely(name, self._values)
            raise CheckpointError(f"{self.path} has no weight {quoted(name)}{hint}") from None


def read_network(path: str | Path) -> tuple[dict[str, Any], KatagoWeights]:
    """A network file's description (see :mod:`sixarts_game_ai.katago_layout`) and its weights.

    Raises:
        CheckpointError: no such file; one that is cut, corrupt, too large, of another version or kind;
            weights that are not finite; the message names the part where reading stopped.
    """
    path = Path(path)
    if not path.name.lower().endswith(SUFFIXES):
        raise CheckpointError(f"{path}: expected a network file of KataGo, named *.bin.gz or *.txt.gz")
    raw = _unpacked(path)
    reader = _Reader(path, raw, binary=".bin" in path.name.lower())
    tree = reader.network()
    try:
        check(tree)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None
    return tree, KatagoWeights(path, reader.values, len(raw))


def _unpacked(path: Path) -> bytes:
    try:
        if not path.is_file():  # opening a pipe would wait for its writer
            raise CheckpointError(f"{path} is no file; expected a network file of KataGo")
        size = path.stat().st_size
        cap = min(BYTES_CAP, max(SMALL, RATIO_CAP * size))
        if not path.name.lower().endswith(".gz"):
            if size > cap:
                raise CheckpointError(f"{path} has {size} bytes; expected at most {cap}")
            return path.read_bytes()
        unpacker = zlib.decompressobj(wbits=31)
        parts, total = [], 0
        with path.open("rb") as file:
            while piece := file.read(2**20):
                while piece:
                    part = unpacker.decompress(piece, 2**24)
                    parts.append(part)
                    total += len(part)
                    if total > cap:
                        raise CheckpointError(
                            f"{path} of {size} bytes unpacks to more than {cap}; expected a network's "
                            "numbers, which hardly pack; fetch it again"
                        )
                    piece = unpacker.unconsumed_tail
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error
    except zlib.error as error:
        raise CheckpointError(
            f"{path} is no gzip file, or a damaged one ({error}); fetch it again"
        ) from error
    if not unpacker.eof:
        raise CheckpointError(f"{path} ends in the middle of its gzip stream: it is cut; fetch it again")
    return b"".join(parts)


class _Reader:
    """Reads words and blocks of numbers from the front; ``values`` grows with the tensors."""

    def __init__(self, path: Path, raw: bytes, binary: bool) -> None:
        self.path, self.raw, self.binary, self.at = path, raw, binary, 0
        self.where = "the head of the file"
        self.version = 0
        self.values: dict[str, np.ndarray] = {}

    def network(self) -> dict[str, Any]:
        name = self.word()
        version = self.integer("the version", 0, 10_000)
        if version not in VERSIONS:
            why = "other inputs" if version < VERSIONS[0] else "parts that are not known here"
            raise self.error(
                f"a network of version {version}, which has {why}; expected {VERSIONS[0]} to {VERSIONS[-1]}"
            )
        self.version = version
        tree: dict[str, Any] = {
            "model_type": "katago",
            "name": name,
            "version": version,
            "inputs": self.integer("planes", PLANES, PLANES),
            "numbers": self.integer("numbers beside them", NUMBERS, NUMBERS),
            "scales": dict(SCALES),
            "always_suicide": False,
        }
        if version >= 13:
            tree["scales"] = {name: self.number(f"the scale {name}") for name in SCALES}
        if version >= 15:
            self.none("an encoder of who plays, which only imitating networks have")
            tree["always_suicide"] = bool(self.integer("the flag of pass-alive areas", 0, 1))
            for _ in range(6):
                self.none("an option of the network")
        self.where = self.word()
        blocks = self.integer("blocks", 1, BLOCKS_CAP)
        for what in ("trunk", "middle", "regular", "dilated", "pooling"):
            self.integer(f"{what} channels", 0, CHANNELS_CAP)
        if version >= 15:
            self.none("a norm of another kind than a batch's")
            for _ in range(5):
                self.none("an option of the trunk")
        tree["trunk"] = self.parts(TRUNK, blocks, 0)
        for head, parts in heads(version).items():
            self.where = self.word()
            tree[head] = self.parts(parts, 0, 0)
        if left := self.raw[self.at :].strip():
            raise self.error(f"{len(left)} bytes more than a network; expected its end")
        return tree

    def parts(self, parts: Parts, blocks: int, depth: int) -> dict[str, Any]:
        """The layers of a block, a head or the trunk, and what is in the blocks between them."""
        node: dict[str, Any] = {}
        for part, kind in parts:
            if kind == "blocks":
                node[part] = [self.block(depth + 1) for _ in range(blocks)]
            else:
                node[part] = self.layer(kind)
        return node

    def block(self, depth: int) -> dict[str, Any]:
        kind = self.word()
        if kind not in BLOCKS:
            raise self.error(f"a block of kind {quoted(kind)}; expected one of {', '.join(BLOCKS)}")
        if depth > DEPTH_CAP:
            raise self.error(f"blocks in blocks {depth} deep; expected at most {DEPTH_CAP}")
        self.where = name = self.word()
        inner = self.integer("blocks", 1, BLOCKS_CAP) if kind == "nested_bottleneck_block" else 0
        return {"kind": kind, "name": name, **self.parts(BLOCKS[kind], inner, depth)}

    def layer(self, kind: str) -> dict[str, Any]:
        self.where = name = self.word()
        if kind == "activation":
            stated = self.word() if self.version >= 11 else "ACTIVATION_RELU"
            if stated not in ACTIVATIONS:
                raise self.error(f"the activation {quoted(stated)}; expected {', '.join(ACTIVATIONS)}")
            return {"name": name, "function": ACTIVATIONS[stated]}
        layer: dict[str, Any] = {"name": name}
        if kind == "conv":
            layer["size"] = [self.integer("a side", 1, SIDE_CAP) for _ in range(2)]
            if any(side % 2 == 0 for side in layer["size"]):
                raise self.error(f"a convolution of {layer['size']}; expected odd sides")
        if kind in ("conv", "matmul"):
            layer["in"], layer["out"] = self.channels(), self.channels()
        else:
            layer["channels"] = self.channels()
        if kind == "conv":
            layer["dilation"] = [self.integer("a dilation", 1, SIDE_CAP) for _ in range(2)]
        shape = shape_of(kind, layer)
        if kind == "norm":
            layer["epsilon"] = self.number("epsilon")
            layer["scale"], layer["bias"] = (bool(self.integer(f"has {what}", 0, 1)) for what in "sb")
            for part in ("mean", "variance", "scale", "bias"):
                if layer.get(part, True):
                    self.tensor(f"{name}/{part}", shape)
        else:
            self.tensor(name, shape)
        return layer

    def channels(self) -> int:
        return self.integer("channels", 1, CHANNELS_CAP)

    def none(self, what: str) -> None:
        """A number that must be 0."""
        found = self.integer(what, -(2**31), 2**31)
        if found:
            raise self.error(f"{what} ({found}); expected a network without; choose another")

    def word(self) -> str:
        match = _WORD.search(self.raw, self.at, min(len(self.raw), self.at + 4 * NAME_CAP))
        if match is None:
            raise self.error("the end of the file" if self.at + 9 > len(self.raw) else "no word")
        found, self.at = match.group(), match.end()
        if len(found) > NAME_CAP or not found.isascii():
            raise self.error(f"no word of a network but {quoted(found[:60].decode('latin-1'))}")
        return found.decode("ascii")

    def integer(self, what: str, low: int, high: int) -> int:
        word = self.word()
        if not re.fullmatch(r"-?[0-9]{1,10}", word) or not low <= int(word) <= high:
            raise self.error(f"{what}: {quoted(word)}; expected a whole number from {low} to {high}")
        return int(word)

    def number(self, what: str) -> float:
        word = self.word()
        try:
            value = float(word)
        except ValueError:
            value = float("nan")
        if not 0 < value < 1e6:
            raise self.error(f"{what}: {quoted(word)}; expected a positive number")
        return value

    def tensor(self, name: str, shape: tuple[int, ...]) -> None:
        """One block of numbers."""
        count = int(np.prod(shape, dtype=object))
        left = len(self.raw) - self.at
        if (4 if self.binary else 2) * count > left + 1:
            raise self.error(f"{quoted(name)} of shape {shape} and {left} bytes left: it is cut, or corrupt")
        if name in self.values:
            raise self.error(f"a second weight {quoted(name)}; expected a name for each")
        read = self._binary if self.binary else self._decimal
        value = read(name, count).reshape(shape)
        self.values[name] = finite(f"{self.path}: {quoted(name)}", value, None)

    def _binary(self, name: str, count: int) -> np.ndarray:
        start = self.raw.find(b"@BIN@", self.at, self.at + 100)
        if start < 0 or self.raw[self.at : start].strip():
            raise self.error(f"no @BIN@ before {quoted(name)}; expected numbers in binary")
        start += 5
        if start + 4 * count > len(self.raw):
            raise self.error(f"the end of the file in {quoted(name)}: it is cut; fetch it again")
        self.at = start + 4 * count
        return np.frombuffer(self.raw, "<f4", count, start).astype("float32")

    def _decimal(self, name: str, count: int) -> np.ndarray:
        window = self.raw[self.at : self.at + (DIGITS_CAP + 1) * count + DIGITS_CAP]
        words = window.split(None, count)
        if len(words) > count:
            self.at += len(window) - len(words.pop())
        else:
            self.at += len(window)
        try:
            value = np.array(words, "S40").astype("float32")
        except ValueError as error:
            raise self.error(f"no numbers in {quoted(name)} ({str(error)[:80]})") from error
        if len(value) != count:
            raise self.error(f"{len(value)} numbers in {quoted(name)}; expected {count}: it is cut")
        return value

    def error(self, found: str) -> CheckpointError:
        return CheckpointError(f"{self.path}, at {quoted(self.where)}: {found}")
