"""What was fetched: where it lies on disk, what was recorded of it, how it is listed and removed.

The files themselves lie in the hub client's own layout (``blobs``, ``snapshots``, ``refs``); beside them
lie our records. Each endpoint has a folder of its own, so that one endpoint's answers are never taken
for another's.

::

    HOME/hub/ENDPOINT/models--OWNER--NAME/
        blobs/DIGEST                   content
        snapshots/COMMIT/PATH          link to content
        refs/REVISION                  the commit that a branch was resolved to
        sixarts/COMMIT.listing.json    what the commit holds
        sixarts/COMMIT.verified.json   what was found whole
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from sixarts_hub.digest import Ledger
from sixarts_hub.errors import HubError
from sixarts_hub.listing import Listing
from sixarts_hub.records import read_record, write_atomically, write_record
from sixarts_hub.reference import COMMIT, Reference

#: The branch that a reference without a revision means.
DEFAULT_REVISION = "main"


@dataclass(frozen=True)
class Cached:
    """A model folder that is on this disk.

    Attributes:
        reference: what loads it again.
        commit: its commit; ``None`` for a starter or a folder.
        revision: the branch or tag that was resolved to this commit, if any.
        path: the folder.
        size: bytes of its files.
        files: paths inside the folder.
    """

    reference: Reference
    commit: str | None
    revision: str | None
    path: Path
    size: int
    files: tuple[str, ...]


class Cache:
    """The cache of one endpoint.

    Args:
        home: folder of everything that Sixarts keeps.
        endpoint: address of the hub.
    """

    def __init__(self, home: Path, endpoint: str) -> None:
        self.root = home / "hub" / quote(endpoint.removeprefix("https://"), safe="")

    def folder(self, name: str) -> Path:
        return self.root / f"models--{name.replace('/', '--')}"

    def snapshot(self, name: str, commit: str) -> Path:
        return self.folder(name) / "snapshots" / commit

    def ledger(self, name: str, commit: str) -> Ledger:
        """What was found whole of a commit."""
        return Ledger(self._verified(name, commit))

    def pinned(self, name: str, revision: str) -> str | None:
        """The commit that was recorded for a branch or tag."""
        try:
            commit = self._pin(name, revision).read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            return None
        return commit if COMMIT.fullmatch(commit) else None

    def pin(self, name: str, revision: str, commit: str) -> None:
        """Record the commit of a branch or tag.

        Raises:
            HubError: it cannot be recorded; unrecorded, the next call might silently load another model.
        """
        try:
            write_atomically(self._pin(name, revision), commit.encode())
        except OSError as error:
            raise HubError(
                f"received {error} on recording the commit of {name}@{revision}; expected to write to "
                f"{self.root}; make room or permit it, or set SIXARTS_HOME to another folder"
            ) from error

    def listing(self, name: str, commit: str) -> Listing | None:
        try:
            return Listing.from_dict(read_record(self._listing(name, commit)))
        except (KeyError, TypeError, ValueError, AttributeError):
            return None

    def keep_listing(self, name: str, listing: Listing) -> None:
        write_record(self._listing(name, listing.commit), listing.to_dict())

    def cached(self) -> list[Cached]:
        """Every snapshot on this disk that holds a file, by name and commit."""
        return [
            found
            for folder in sorted(self.root.glob("models--*--*"))
            for snapshot in sorted((folder / "snapshots").glob("*"))
            if COMMIT.fullmatch(snapshot.name)
            and (found := self._cached(_name(folder), snapshot, self._revisions(folder))).files
        ]

    def size(self) -> int:
        """Bytes on disk, content that two commits share counted once."""
        return _size_on_disk(self.root)

    def remove_all(self, name: str) -> int:
        """Remove every commit of a model; the bytes that this freed."""
        folder = self.folder(name)
        freed = _size_on_disk(folder)
        shutil.rmtree(self.root / ".locks" / folder.name, ignore_errors=True)
        shutil.rmtree(folder)
        return freed

    def remove(self, name: str, commit: str) -> int:
        """Remove one commit, its records, and the content that no other commit uses; the bytes freed."""
        folder = self.folder(name)
        before = _size_on_disk(folder)
        shutil.rmtree(self.snapshot(name, commit))
        for revision, pinned in self._revisions(folder).items():
            if pinned == commit:
                self._pin(name, revision).unlink(missing_ok=True)
        for record in (self._listing(name, commit), self._verified(name, commit)):
            record.unlink(missing_ok=True)
        used = {path.resolve() for path in _files(folder / "snapshots")}
        for blob in _files(folder / "blobs"):
            if blob.resolve() not in used:
                blob.unlink(missing_ok=True)
        return before - _size_on_disk(folder)

    def discard(self, name: str, commit: str, path: str) -> None:
        """Remove one file and its content, so that it is fetched anew."""
        link = self.snapshot(name, commit) / path
        content = link.resolve()
        for target in (link, content):
            # Content outside the model's own folder is not ours to remove.
            if target.is_relative_to(self.folder(name)) or target.is_relative_to(self.folder(name).resolve()):
                with contextlib.suppress(FileNotFoundError):
                    target.unlink()

    def _pin(self, name: str, revision: str) -> Path:
        # Quoted whole: a branch "a/b" beside a branch "a" would otherwise need a folder where a file is.
        return self.folder(name) / "refs" / quote(revision, safe="")

    def _listing(self, name: str, commit: str) -> Path:
        return self.folder(name) / "sixarts" / f"{commit}.listing.json"

    def _verified(self, name: str, commit: str) -> Path:
        return self.folder(name) / "sixarts" / f"{commit}.verified.json"

    def _revisions(self, folder: Path) -> dict[str, str]:
        names = [unquote(path.name) for path in sorted((folder / "refs").glob("[!.]*"))]
        pins = {revision: self.pinned(_name(folder), revision) for revision in names}
        return {revision: commit for revision, commit in pins.items() if commit}

    def _cached(self, name: str, snapshot: Path, revisions: dict[str, str]) -> Cached:
        commit = snapshot.name
        revision = next((known for known, pinned in revisions.items() if pinned == commit), None)
        files = sorted(_files(snapshot))
        return Cached(
            reference=Reference("repo", name, revision or commit),
            commit=commit,
            revision=revision,
            path=snapshot,
            size=sum(path.stat().st_size for path in files),
            files=tuple(path.relative_to(snapshot).as_posix() for path in files),
        )


def _name(folder: Path) -> str:
    # Neither part may hold "--" itself; see the rules in ``reference``.
    return folder.name.removeprefix("models--").replace("--", "/", 1)


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _size_on_disk(folder: Path) -> int:
    paths = (Path(root) / name for root, _, names in os.walk(folder) for name in names)
    return sum(path.lstat().st_size for path in paths)
