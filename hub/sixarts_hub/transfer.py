"""Bringing one file onto this disk: resumed where it was cut, hashed on its way, whole or not there at all.

What arrives is written to the file's incomplete part and hashed meanwhile. Once all is there and right, it is
flushed to the disk and renamed. A kill at any moment leaves a part that the next call goes on from; it is
hashed first, so that the digest covers all.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from sixarts_hub import disk
from sixarts_hub.blobs import Blobs
from sixarts_hub.digest import Hasher, hash_file
from sixarts_hub.errors import Corrupt, Unreachable
from sixarts_hub.listing import UNKNOWN, File
from sixarts_hub.retry import Patience
from sixarts_hub.stopping import heeded

#: An attempt that brings so many bytes is not counted: a connection that is cut every so often still arrives.
ENOUGH = 1 << 20
#: In place of a part's start, where what arrives belongs nowhere in the file.
NOWHERE = -1


@dataclass(frozen=True)
class Part:
    """What a source sends of a file.

    Attributes:
        start: where its bytes begin in the file: where asked, or 0 if the source cannot start elsewhere.
        total: bytes of the whole file, as the source says; ``None`` if it does not.
        chunks: the bytes as they come.
    """

    start: int
    total: int | None
    chunks: Iterator[bytes]


#: Opens a file at a byte. It raises ``Unreachable`` with ``passing`` where another attempt may do better.
Source = Callable[[str, int], AbstractContextManager[Part]]
#: Told the bytes that arrived, or with a minus those that have to be fetched anew.
Advance = Callable[[int], object]


def bring(blobs: Blobs, file: File, digests: Sequence[str], source: Source, advance: Advance) -> File:
    """Bring a file's content to its place among ``blobs``, whole. The caller holds its lock.

    Content that is wrong is moved to the quarantine and fetched once more, from its first byte.

    Args:
        file: as the listing says; its digest names the content.
        digests: everything that it is held against.
        source: where it comes from.
        advance: told the progress.

    Returns:
        The file, with its digest where the listing gave none.

    Raises:
        Corrupt: it does not match, even fetched anew; the message has both digests.
        Unreachable, NotFound, HubError: as the source says.
        DiskError: it cannot be kept.
        Stopped: somebody asked to stop.
    """
    content = blobs.path(file)
    if content.is_file():
        if _is_whole(content, file, digests):
            advance(file.size)
            return file
        blobs.quarantine(content)
    if file.digest == UNKNOWN:
        # Without a digest nobody knows whether what is here and what is to come are of one file.
        blobs.incomplete(file).unlink(missing_ok=True)
    try:
        return _arrive(blobs, file, digests, source, advance)
    except _Wrong:
        blobs.quarantine(blobs.incomplete(file))
    try:
        return _arrive(blobs, file, digests, source, advance)
    except _Wrong as wrong:
        place = blobs.quarantine(blobs.incomplete(file))
        raise Corrupt(
            f"received {file.path} {wrong}; expected {file.size} bytes, {wrong.expected}; fetched twice and "
            f"moved to {place}; another commit or another mirror may have it whole"
        ) from None


class _Wrong(Exception):
    """What arrived is not what was asked for, whoever sent it.

    Args:
        received: of what kind it is.
        expected: the digest that it lacks.
    """

    def __init__(self, received: str, expected: str) -> None:
        super().__init__(received)
        self.expected = expected


class _Arrival:
    """A file's incomplete part, open, with the digests of what it holds."""

    def __init__(self, file: File, digests: Sequence[str], path: Path, advance: Advance) -> None:
        self._file = file
        self._digests = digests
        self._advance = advance
        self._stop = heeded.get()
        self._hasher = Hasher(file.size, digests)
        self.size = 0
        with disk.writing(self._doing):
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_file():
                if path.stat().st_size <= file.size:
                    self.size = hash_file(path, self._hasher)
                    advance(self.size)
                else:
                    path.unlink()
            self._stream: BinaryIO = path.open("ab", buffering=0)

    @property
    def _doing(self) -> str:
        return f"on keeping {self._file.path}"

    def __enter__(self) -> _Arrival:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def take(self, part: Part) -> None:
        """Write and hash what a source sends.

        Raises:
            _Wrong: it is of another size.
            Unreachable: it ends early, or does not go on where this ends.
        """
        if part.start != self.size:
            self._restart()
            if part.start != 0:
                raise _passing(f"received a part of {self._file.path} from elsewhere than asked")
        announced = part.total
        if announced is not None and announced > self._file.size:
            raise self._wrong(f"of {announced} bytes")
        for chunk in part.chunks:
            self._stop.check()
            if self.size + len(chunk) > self._file.size:
                raise self._wrong(f"of more than {self._file.size} bytes")
            self._write(chunk)
        if announced is not None and announced < self._file.size and self.size >= announced:
            raise self._wrong()
        if self.size < self._file.size:
            raise _passing(f"received {self.size} bytes of {self._file.path}")

    def finish(self) -> str:
        """Flush what arrived to the disk, once it is found right; its first digest.

        Raises:
            _Wrong: a digest differs.
        """
        if unmet := self._hasher.unmet:
            raise _Wrong(f"of {self.size} bytes, {unmet[0]}", unmet[1])
        with disk.writing(self._doing):
            os.fsync(self._stream.fileno())
        return self._hasher.found[0]

    def _write(self, chunk: bytes) -> None:
        with disk.writing(self._doing):
            rest = memoryview(chunk)
            while rest:
                # A disk that gets full takes a part first.
                rest = rest[os.write(self._stream.fileno(), rest) :]
        self._hasher.update(chunk)
        self.size += len(chunk)
        self._advance(len(chunk))

    def _restart(self) -> None:
        with disk.writing(self._doing):
            self._stream.truncate(0)
        self._advance(-self.size)
        self._hasher = Hasher(self._file.size, self._digests)
        self.size = 0

    def _wrong(self, received: str = "") -> _Wrong:
        self._advance(-self.size)
        return _Wrong(received or f"of {self.size} bytes, {self._hasher.found[0]}", self._digests[-1])


def _arrive(blobs: Blobs, file: File, digests: Sequence[str], source: Source, advance: Advance) -> File:
    """Fetch what is missing of a file, in as many attempts as it takes and are allowed."""
    incomplete = blobs.incomplete(file)
    with _Arrival(file, digests, incomplete, advance) as arrival:
        patience = Patience()
        while arrival.size < file.size:
            before = arrival.size
            try:
                with source(file.path, before) as part:
                    arrival.take(part)
            except Unreachable as error:
                if arrival.size - before >= ENOUGH:
                    patience.renew()
                patience.spend(error)
        digest = arrival.finish()
    whole = replace(file, digest=digest) if file.digest == UNKNOWN else file
    with disk.writing(f"on keeping {file.path}"):
        os.replace(incomplete, blobs.path(whole))
    return whole


def _is_whole(content: Path, file: File, digests: Sequence[str]) -> bool:
    hasher = Hasher(file.size, digests)
    try:
        return hash_file(content, hasher) == file.size and hasher.unmet is None
    except OSError:
        return False


def _passing(received: str) -> Unreachable:
    error = Unreachable(f"{received}; expected the rest of it; try again later")
    error.passing = True
    return error
