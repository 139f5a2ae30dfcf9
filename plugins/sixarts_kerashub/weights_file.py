"""The tensors of a Keras ``.weights.h5`` file, found without the HDF5 library.

That library is made for files that one trusts: it follows links to other files, unpacks what claims to be
small, and hostile files have crashed it. Keras writes the plainest form of the format, so that form alone is
read here: groups as symbol tables, tensors whole and uncompressed. Everything else is refused by name.

Source: The HDF Group, "HDF5 File Format Specification Version 3.0", sections II.A (superblock 0 and 1), III.A
(version 1 B-trees), III.B, III.C, III.D, and IV.A (version 1 object headers and their messages).
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from sixarts.errors import CheckpointError
from sixarts.readers.stored import AXES_CAP, Stored, damaged, numpy_dtype, quoted, row_major, stamp

SIGNATURE = b"\x89HDF\r\n\x1a\n"
#: The address that stands for none.
NOWHERE = 2**64 - 1
#: Longest name of a group or tensor, in bytes, and groups within groups; Keras has some dozens and a dozen.
NAME_CAP, DEPTH_CAP = 512, 64

#: Kinds of messages in an object's header.
DATASPACE, LINK_INFO, DATATYPE, EXTERNAL, LINK, LAYOUT, FILTERS = 0x1, 0x2, 0x3, 0x7, 0x6, 0x8, 0xB
CONTINUATION, SYMBOL_TABLE = 0x10, 0x11
#: What a message says that is stored elsewhere.
SHARED = 0x2

#: A float's bytes to its name and the twelve bytes of properties that IEEE 754 gives it.
FLOATS = {
    2: ("float16", struct.pack("<HHBBBBI", 0, 16, 10, 5, 0, 10, 15)),
    4: ("float32", struct.pack("<HHBBBBI", 0, 32, 23, 8, 0, 23, 127)),
    8: ("float64", struct.pack("<HHBBBBI", 0, 64, 52, 11, 0, 52, 1023)),
}


def read_h5(path: Path) -> dict[str, Stored]:
    """Where each tensor of the file lies, by its path within it, e.g. ``"layers/dense/vars/0"``.

    Raises:
        CheckpointError: cut, corrupt, or written in a form that Keras does not write.
    """
    with path.open("rb") as file:
        return _File(path, file).tensors()


class _File:
    """One open file. Every block is read once, so that time and memory go by the file's size."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path, self.file, self.stamp = path, file, stamp(file)
        self.size = self.stamp[0]
        self.seen: set[int] = set()
        #: Blocks that lie within one another are each in one place only, and would be read over and over.
        self.left = 16 * self.size + 2**16

    def tensors(self) -> dict[str, Stored]:
        if self.bytes(0, 8) != SIGNATURE:
            raise damaged(self.path, "no signature of HDF5")
        version, offsets, lengths = self.bytes(8, 1)[0], *self.bytes(13, 2)
        if version > 1 or (offsets, lengths) != (8, 8):
            raise self.unread(f"a superblock of version {version}")
        start = 24 + 4 * version
        base, _, end, _, _, root = self.numbers(start, 6)
        if base or end > self.size:
            raise damaged(self.path, f"{self.size} bytes where it tells of {base + end}")
        found: dict[str, Stored] = {}
        waiting = [("", root, 0)]
        while waiting:
            name, address, depth = waiting.pop()
            messages = self.messages(address)
            if SYMBOL_TABLE not in messages:
                found[name] = self.tensor(name, messages)
                continue
            if depth == DEPTH_CAP:
                raise damaged(self.path, f"groups within groups, {DEPTH_CAP} deep")
            tree, heap = struct.unpack("<QQ", self.only(name, messages, SYMBOL_TABLE, 16)[0])
            inner = [
                (f"{name}/{known}" if name else known, member, depth + 1)
                for known, member in self.members(tree, heap)
            ]
            waiting += reversed(inner)
            if len({known for known, _, _ in inner}) < len(inner):
                raise damaged(self.path, f"a name twice in {quoted(name)}")
        self.refuse_overlaps(found)
        return found

    def members(self, tree: int, heap: int) -> Iterator[tuple[str, int]]:
        """Names in a group, and the addresses of what they name."""
        signature, length, _, names = struct.unpack("<8sQQQ", self.bytes(heap, 32))
        if signature != b"HEAP\0\0\0\0":
            raise damaged(self.path, "no heap of names where a group has one")
        waiting = [tree]
        while waiting:
            address = waiting.pop()
            self.once(address)
            kind = self.bytes(address, 4)
            if kind == b"TREE":
                node, _, count, _, _ = struct.unpack("<BBHQQ", self.bytes(address + 4, 20))
                if node:
                    raise damaged(self.path, "a tree of chunks where a group has its members")
                # Keys and children by turns, a key first and last.
                waiting += reversed(self.numbers(address + 24, 2 * count + 1)[1::2])
            elif kind == b"SNOD":
                (count,) = struct.unpack("<H", self.bytes(address + 6, 2))
                for entry in struct.iter_unpack("<QQII16x", self.bytes(address + 8, 40 * count)):
                    offset, member, cached, _ = entry
                    if cached > 1:
                        raise self.unread("a link by name")
                    yield self.name(names, length, offset), member
            else:
                raise damaged(self.path, "no members where a group has some")

    def name(self, start: int, length: int, offset: int) -> str:
        if offset >= length:
            raise damaged(self.path, "a name outside its heap")
        raw = self.bytes(start + offset, min(NAME_CAP, length - offset))
        text, ended, _ = raw.partition(b"\0")
        try:
            name = text.decode()
        except UnicodeDecodeError:
            name = ""
        if not ended or not name or "/" in name or not name.isprintable():
            raise damaged(self.path, f"a name {text[:40]!r}")
        return name

    def messages(self, address: int) -> dict[int, list[tuple[bytes, int, int]]]:
        """What an object's header says: kind to content, flags, and where the content lies."""
        self.once(address)
        version, _, count, _, length = struct.unpack("<BBHII", self.bytes(address, 12))
        if version != 1:
            raise self.unread("an object header of the later kind")
        found: dict[int, list[tuple[bytes, int, int]]] = {}
        blocks = [(address + 16, length)]
        while blocks and count:
            place, left = blocks.pop(0)
            while left >= 8 and count:
                kind, size, flags = struct.unpack("<HHB", self.bytes(place, 5))
                if size > left - 8:
                    raise damaged(self.path, "a header that ends in a message")
                content, count = self.bytes(place + 8, size), count - 1
                if kind == CONTINUATION and size >= 16:
                    further, more = struct.unpack("<QQ", content[:16])
                    self.once(further)
                    blocks.append((further, more))
                found.setdefault(kind, []).append((content, flags, place + 8))
                place, left = place + 8 + size, left - 8 - size
        for kind, word in (
            (LINK_INFO, "groups of the later kind"),
            (LINK, "groups of the later kind"),
            (EXTERNAL, "tensors in other files"),
            (FILTERS, "packed tensors"),
        ):
            if kind in found:
                raise self.unread(word)
        return found

    def only(self, name: str, messages: Any, kind: int, least: int) -> tuple[bytes, int]:
        """The content of the one message of a kind, and where it lies."""
        there = messages.get(kind, [])
        if len(there) != 1 or len(there[0][0]) < least or there[0][1] & SHARED:
            raise damaged(self.path, f"no header that can be read of {quoted(name)}")
        content, _, place = there[0]
        return (content[:least] if kind == SYMBOL_TABLE else content), place

    def tensor(self, name: str, messages: Any) -> Stored:
        shape = self.shape(name, self.only(name, messages, DATASPACE, 4)[0])
        dtype, order = self.dtype(name, self.only(name, messages, DATATYPE, 8)[0])
        layout, place = self.only(name, messages, LAYOUT, 4)
        size = math.prod(shape) * numpy_dtype(dtype).itemsize
        if layout[0] not in (3, 4) or layout[1] > 1 or (layout[1] == 1 and len(layout) < 18):
            raise self.unread("tensors in pieces")
        if layout[1] == 1:
            start, length = struct.unpack("<QQ", layout[2:18])
        else:
            start, length = place + 4, int.from_bytes(layout[2:4], "little")
        if size and (length != size or start == NOWHERE or start + size > self.size):
            raise damaged(self.path, f"{length} bytes for {quoted(name)} of shape {shape}")
        return Stored(self.path, dtype, shape, start if size else 0, row_major(shape), order, self.stamp)

    def shape(self, name: str, said: bytes) -> tuple[int, ...]:
        version, rank, _, null = said[:4]
        start = {1: 8, 2: 4}.get(version)
        fits = start is not None and rank <= AXES_CAP and len(said) >= start + 8 * rank
        if start is None or not fits or (version == 2 and null == 2):
            raise damaged(self.path, f"no shape of {quoted(name)}")
        return struct.unpack_from(f"<{rank}Q", said, start)

    def dtype(self, name: str, said: bytes) -> tuple[str, str]:
        """Name of the dtype, and byte order."""
        kind, bits, size = said[0] & 15, said[1], int.from_bytes(said[4:8], "little")
        order = ">" if bits & 1 else "<"
        if kind == 0 and size in (1, 2, 4, 8) and said[8:12] == struct.pack("<HH", 0, 8 * size):
            return f"{'int' if bits & 8 else 'uint'}{8 * size}", order
        if kind == 1 and size in FLOATS and not bits & 0x40 and said[8:20] == FLOATS[size][1]:
            return FLOATS[size][0], order
        if kind == 5 and size == 2:  # opaque to HDF5, which has no bfloat16
            return "bfloat16", "<"
        expected = "expected whole numbers, float16, bfloat16, float32 or float64"
        raise CheckpointError(f"{self.path} stores {quoted(name)} as kind {kind} of {size} bytes; {expected}")

    def refuse_overlaps(self, found: dict[str, Stored]) -> None:
        """Bytes that are two tensors' would make a small file large."""
        reached = 0
        spans = [
            (each.offset, math.prod(each.shape) * numpy_dtype(each.dtype).itemsize) for each in found.values()
        ]
        for start, size in sorted(span for span in spans if span[1]):
            if start < reached:
                raise damaged(self.path, "tensors that overlap")
            reached = start + size

    def bytes(self, place: int, count: int) -> bytes:
        self.left -= count
        if place + count > self.size:
            raise damaged(self.path, f"{self.size} bytes, and points beyond them")
        if self.left < 0:
            raise damaged(self.path, "blocks within blocks")
        self.file.seek(place)
        read = self.file.read(count)
        if len(read) < count:
            raise CheckpointError(f"{self.path} changed while it was read; load it again")
        return read

    def numbers(self, place: int, count: int) -> tuple[int, ...]:
        return struct.unpack(f"<{count}Q", self.bytes(place, 8 * count))

    def once(self, address: int) -> None:
        """Nothing is in two places, so a ring of groups ends here."""
        if address in self.seen:
            raise damaged(self.path, "a block in two places")
        self.seen.add(address)

    def unread(self, what: str) -> CheckpointError:
        return CheckpointError(
            f"{self.path} has {what}; expected a file as Keras's save_weights writes it; load it in Keras "
            "and save its weights again"
        )
