"""Zip archives whose entries are stored as they are: where each lies, found without unpacking anything."""

from __future__ import annotations

import os
import struct
import zipfile
from typing import BinaryIO, cast

from sixarts.readers.stored import quoted

#: Most bytes of an archive's directory: 200,000 entries.
DIRECTORY_CAP = 16 << 20


class Archive:
    """The directory of an archive, which is held against the file before anything of it is believed.

    Args:
        file: the archive.

    Raises:
        ValueError, zipfile.BadZipFile: it is no archive, its directory is too large, or has a name twice.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._size = file, os.fstat(file.fileno()).st_size
        with zipfile.ZipFile(cast(BinaryIO, _Sips(file, self._size))) as archive:
            self._entries = {entry.filename: entry for entry in archive.infolist()}
            if len(self._entries) != len(archive.infolist()):
                raise ValueError("two entries of one name")

    @property
    def names(self) -> frozenset[str]:
        """Names of the entries; they are texts and never become paths."""
        return frozenset(self._entries)

    def span(self, name: str) -> tuple[int, int]:
        """The bytes of the file from and up to which an entry's data lie.

        Raises:
            LookupError: there is no such entry.
            ValueError: it is compressed or encrypted, or does not lie where the directory says.
        """
        entry = self._entries[name]
        stored = entry.compress_type == zipfile.ZIP_STORED and entry.compress_size == entry.file_size
        if not stored or entry.flag_bits & 1:
            raise ValueError(f"{quoted(name)} compressed or encrypted, which PyTorch never does")
        self._file.seek(entry.header_offset)
        head = self._file.read(30)
        if not head.startswith(b"PK\x03\x04"):
            raise ValueError(f"no entry where {quoted(name)} was expected")
        length, extra = struct.unpack_from("<HH", head, 26)
        written = self._file.read(length).decode("utf-8" if entry.flag_bits & 0x800 else "cp437")
        if written != entry.orig_filename:
            raise ValueError(f"{quoted(written)} where its directory has {quoted(name)}")
        start = entry.header_offset + 30 + length + extra
        if start + entry.file_size > self._size:
            raise ValueError(f"an end inside {quoted(name)}")
        return start, start + entry.file_size

    def read(self, name: str, cap: int) -> bytes:
        """An entry's data; errors as :meth:`span`, and if there are more than ``cap`` bytes."""
        size = self._entries[name].file_size
        if size > cap:
            raise ValueError(f"{quoted(name)} of {size} bytes, more than {cap}")
        start, end = self.span(name)
        self._file.seek(start)
        return self._file.read(end - start)


class _Sips:
    """A file of which nobody reads much at once: a directory may state, and take, gigabytes."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._size = file, size
        self.seek, self.tell = file.seek, file.tell

    def read(self, count: int = -1) -> bytes:
        left = max(0, self._size - self._file.tell())
        count = left if count < 0 else min(count, left)
        if count > DIRECTORY_CAP:
            raise ValueError(f"a directory of {count} bytes, more than {DIRECTORY_CAP}")
        return self._file.read(count)
