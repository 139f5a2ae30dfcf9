"""Where a model's content lies: by its digest, part by part while it arrives, apart when it is wrong.

::

    blobs/KEY               content, whole
    blobs/KEY.incomplete    what has arrived of it; a kill leaves it, and the next fetch goes on from its end
    quarantine/KEY          the last wrong content that came in its place
    snapshots/COMMIT/PATH   link to content

``KEY`` is the digest that the listing gives, so that nothing an endpoint sends later names a file.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from sixarts_hub import disk
from sixarts_hub.listing import UNKNOWN, File
from sixarts_hub.locks import held

#: Wrong content that is kept for a look, per model.
_KEPT_IN_QUARANTINE = 4


class Blobs:
    """The content of one model.

    Args:
        folder: the model's folder in the cache.
        locks: where its locks lie.
    """

    def __init__(self, folder: Path, locks: Path) -> None:
        self.folder = folder
        self._locks = locks

    def path(self, file: File) -> Path:
        """Where the content is, once it is whole."""
        return self.folder / "blobs" / _key(file)

    def incomplete(self, file: File) -> Path:
        """Where the content arrives."""
        return self.folder / "blobs" / f"{_key(file)}.incomplete"

    def arrived(self, file: File) -> int:
        """Bytes of the content that are here already."""
        for path in (self.path(file), self.incomplete(file)):
            with suppress(OSError):
                return min(path.stat().st_size, file.size)
        return 0

    def lock(self, file: File) -> AbstractContextManager[None]:
        """Held while the content arrives, so that each byte crosses the wire once for all processes.

        Raises:
            Locked: somebody else holds it for too long.
            DiskError: it cannot be written.
        """
        return held(self._locks / f"{_key(file)}.lock", file.path, self.incomplete(file))

    def link(self, file: File, target: Path) -> None:
        """Let ``target`` lead to the content, which is copied where there can be no links.

        Raises:
            DiskError: neither can be written.
        """
        content = self.path(file)
        with disk.writing(f"on linking {file.path}"):
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            try:
                target.symlink_to(os.path.relpath(content, target.parent))
            except (OSError, NotImplementedError):
                # Windows without the right to make links, and some network disks.
                copy = content.with_name(f"{content.name}.copy")
                shutil.copyfile(content, copy)
                with copy.open("rb+") as stream:
                    os.fsync(stream.fileno())
                os.replace(copy, target)

    def quarantine(self, content: Path) -> Path | None:
        """Move wrong content apart, where the last few are kept for a look; its place then.

        Content outside the model's folder is not ours to move: ``None``.

        Raises:
            DiskError: it cannot be moved.
        """
        folder = self.folder.resolve()
        real = content.resolve()
        if not real.is_relative_to(folder) or not real.is_file():
            return None
        key = real.name.removesuffix(".incomplete") if real.parent.name == "blobs" else _hex(str(content))
        place = self.folder / "quarantine" / key
        with disk.writing("on moving wrong content apart"):
            place.parent.mkdir(parents=True, exist_ok=True)
            os.replace(real, place)
            # By time of moving: a wrong time of change must not push out what came last.
            os.utime(place)
            kept = sorted(place.parent.iterdir(), key=lambda path: path.stat().st_mtime_ns)
            for path in [path for path in kept if path != place][: 1 - _KEPT_IN_QUARANTINE or None]:
                path.unlink(missing_ok=True)
        return place

    def empty_quarantine(self) -> None:
        """Give up what is kept for a look, when room is needed."""
        shutil.rmtree(self.folder / "quarantine", ignore_errors=True)


def _key(file: File) -> str:
    if file.digest == UNKNOWN:
        return _hex(f"{file.path}\n{file.size}")
    return file.digest.partition(":")[2]


def _hex(text: str) -> str:
    return "unknown-" + hashlib.sha256(text.encode()).hexdigest()
