"""Digests of files, and the ledger of those that were found whole.

A file is hashed once, while it arrives or before its first use. After that its size, time of change and inode
stand for its content, as in Git's index, so that loading a model of gigabytes does not read it twice.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from sixarts_hub.errors import Corrupt
from sixarts_hub.listing import UNKNOWN, File
from sixarts_hub.records import read_record, write_record

_BLOCK = 1 << 20


class _Algorithm(Protocol):
    def update(self, block: bytes, /) -> None: ...
    def hexdigest(self) -> str: ...


def _git_blob(size: int) -> _Algorithm:
    return hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)


def _sha256(size: int) -> _Algorithm:
    return hashlib.sha256()


#: What counts a digest of each form, over content of a known size.
_ALGORITHMS = {"sha256": _sha256, "git-sha1": _git_blob}


class Hasher:
    """Counts several digests of one file while its bytes pass.

    Args:
        size: bytes that are to come.
        digests: those expected; of :data:`UNKNOWN`, SHA-256 is counted.
    """

    def __init__(self, size: int, digests: Iterable[str]) -> None:
        self._expected = dict.fromkeys(digests)
        kinds = {digest.partition(":")[0].replace(UNKNOWN, "sha256") for digest in self._expected}
        self._counts = {kind: _ALGORITHMS[kind](size) for kind in sorted(kinds)}

    def update(self, block: bytes) -> None:
        for count in self._counts.values():
            count.update(block)

    @property
    def found(self) -> tuple[str, ...]:
        """Every digest of what passed."""
        return tuple(f"{kind}:{count.hexdigest()}" for kind, count in self._counts.items())

    @property
    def unmet(self) -> tuple[str, str] | None:
        """The first digest that differs and what was expected in its place; ``None`` if all are met."""
        found = {digest.partition(":")[0]: digest for digest in self.found}
        for expected in self._expected:
            if expected != UNKNOWN and found[expected.partition(":")[0]] != expected:
                return found[expected.partition(":")[0]], expected
        return None


def hash_file(path: Path, hasher: Hasher) -> int:
    """Pass what a file holds through ``hasher``; its bytes.

    Raises:
        OSError: it cannot be read.
    """
    size = 0
    with path.open("rb", buffering=0) as stream:
        while block := stream.read(_BLOCK):
            hasher.update(block)
            size += len(block)
    return size


def sha256(path: Path) -> str:
    """``"sha256:<hex>"`` of a file, as Git LFS and ``sixarts.json`` count it."""
    return _digest(path, "sha256:")


def git_sha1(path: Path) -> str:
    """``"git-sha1:<hex>"``: the id that Git gives the file as a blob."""
    return _digest(path, "git-sha1:")


def check(folder: Path, file: File) -> None:
    """Hold a file on disk against what it should be.

    Raises:
        Corrupt: it is missing, or its size or digest differs; the message has both.
    """
    path = folder / file.path
    try:
        size = path.stat().st_size
        digest = UNKNOWN if file.digest == UNKNOWN else _digest(path, file.digest)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise Corrupt(
            f"received no {file.path} in {folder}; expected {file.size} bytes, {file.digest}"
        ) from None
    except OSError as error:
        raise Corrupt(
            f"received {file.path} in {folder}, which cannot be read ({error}); expected {file.size} bytes, "
            f"{file.digest}"
        ) from error
    if (size, digest) != (file.size, file.digest):
        raise Corrupt(
            f"received {file.path} of {size} bytes, {digest}, in {folder}; "
            f"expected {file.size} bytes, {file.digest}"
        )


def _digest(path: Path, form: str) -> str:
    hasher = Hasher(path.stat().st_size, [form])
    hash_file(path, hasher)
    return hasher.found[0]


class Ledger:
    """Which files of one folder were found whole, and how they looked on disk then.

    Several threads may use one. Of processes that write one record at the same moment, one may lose what it
    found, which costs a hashing.

    Args:
        record: where the ledger is kept.
    """

    def __init__(self, record: Path) -> None:
        self._record = record
        self._guard = threading.RLock()
        self._stamps = self._read()

    @property
    def paths(self) -> tuple[str, ...]:
        """Files that were asked for at any time, whole or not."""
        return tuple(self._stamps)

    def check(self, folder: Path, files: Iterable[File]) -> None:
        """Hash the files that changed since they were last found whole.

        Raises:
            Corrupt: on the first file that is not what it should be.
        """
        changed: dict[str, list[int | str]] = {}
        try:
            for file in files:
                if self.holds(folder, file):
                    continue
                # Looked at before hashing: a write during the hashing changes the time and voids the stamp.
                stamp = _stamp(folder, file)
                changed[file.path] = []
                check(folder, file)
                if stamp is not None:
                    changed[file.path] = stamp
        finally:
            self._enter(changed)

    def holds(self, folder: Path, file: File) -> bool:
        """Whether a file was found whole and is as it was then; another process may have found it."""
        stamp = _stamp(folder, file)
        if stamp is None:
            return False
        if self._stamps.get(file.path) == stamp:
            return True
        with self._guard:
            self._stamps = self._read() or self._stamps
            return self._stamps.get(file.path) == stamp

    def enter(self, folder: Path, file: File) -> None:
        """Record that a file was found whole, by whoever hashed it while it arrived."""
        if stamp := _stamp(folder, file):
            self._enter({file.path: stamp})

    def forget(self) -> None:
        """Void every stamp, so that the next check hashes again."""
        self._enter({path: [] for path in self._stamps})

    def _enter(self, changed: dict[str, list[int | str]]) -> None:
        if not changed:
            return
        with self._guard:
            # On top of what others recorded meanwhile.
            self._stamps = {**(self._read() or self._stamps), **changed}
            write_record(self._record, self._stamps)

    def _read(self) -> dict[str, list[int | str]]:
        stamps = read_record(self._record)
        return stamps if isinstance(stamps, dict) else {}


def _stamp(folder: Path, file: File) -> list[int | str] | None:
    """Size, time of change in nanoseconds, inode and digest; ``None`` without the file."""
    try:
        status = (folder / file.path).stat()
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns, status.st_ino, file.digest]
