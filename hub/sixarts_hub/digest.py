"""Digests of files, and the ledger of those that were found whole.

A file is hashed once. After that its size and time of change stand for its content, as in Git's index,
so that loading a model of gigabytes does not read it twice.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from sixarts_hub.errors import Corrupt
from sixarts_hub.listing import File
from sixarts_hub.records import read_record, write_record


def sha256(path: Path) -> str:
    """``"sha256:<hex>"`` of a file, as Git LFS and ``sixarts.json`` count it."""
    with path.open("rb") as stream:
        return "sha256:" + hashlib.file_digest(stream, "sha256").hexdigest()


def git_sha1(path: Path) -> str:
    """``"git-sha1:<hex>"``: the id that Git gives the file as a blob."""
    with path.open("rb") as stream:
        hasher = hashlib.sha1(b"blob %d\0" % os.fstat(stream.fileno()).st_size, usedforsecurity=False)
        while block := stream.read(1 << 20):
            hasher.update(block)
    return "git-sha1:" + hasher.hexdigest()


_ALGORITHMS = {"sha256": sha256, "git-sha1": git_sha1}


def check(folder: Path, file: File) -> None:
    """Hold a file on disk against what it should be.

    Raises:
        Corrupt: it is missing, or its size or digest differs; the message has both.
    """
    path = folder / file.path
    try:
        size = path.stat().st_size
        digest = _ALGORITHMS[file.digest.partition(":")[0]](path)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise Corrupt(
            f"received no {file.path} in {folder}; expected {file.size} bytes, {file.digest}"
        ) from None
    if (size, digest) != (file.size, file.digest):
        raise Corrupt(
            f"received {file.path} of {size} bytes, {digest}, in {folder}; "
            f"expected {file.size} bytes, {file.digest}"
        )


class Ledger:
    """Which files of one folder were found whole, and how they looked on disk then.

    Args:
        record: where the ledger is kept.
    """

    def __init__(self, record: Path) -> None:
        self._record = record
        stamps = read_record(record)
        self._stamps: dict[str, list[int | str]] = stamps if isinstance(stamps, dict) else {}

    def check(self, folder: Path, files: Iterable[File]) -> None:
        """Hash the files that changed since they were last found whole.

        Raises:
            Corrupt: on the first file that is not what it should be.
        """
        found = dict(self._stamps)
        try:
            for file in files:
                # Looked at before hashing: a write during the hashing changes the time and voids the stamp.
                stamp = _stamp(folder, file)
                if stamp is None or found.get(file.path) != stamp:
                    found.pop(file.path, None)
                    check(folder, file)
                    if stamp is not None:
                        found[file.path] = stamp
        finally:
            if found != self._stamps:
                self._stamps = found
                write_record(self._record, found)

    def forget(self) -> None:
        """Void every stamp, so that the next check hashes again."""
        self._stamps = {}
        write_record(self._record, self._stamps)


def _stamp(folder: Path, file: File) -> list[int | str] | None:
    """Size, time of change in nanoseconds and digest; ``None`` without the file."""
    try:
        status = (folder / file.path).stat()
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns, file.digest]
