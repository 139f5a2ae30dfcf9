"""What was fetched: where it lies on disk, what was recorded of it, how it is listed.

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
        sixarts/COMMIT.lease           held by who uses the commit; its time is the last use
        sixarts/pulling.lease          held by who fetches a file
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, unquote

from sixarts_hub import leases
from sixarts_hub.blobs import Blobs
from sixarts_hub.digest import Ledger
from sixarts_hub.errors import HubError
from sixarts_hub.listing import Listing
from sixarts_hub.records import read_record, write_atomically, write_record
from sixarts_hub.reference import COMMIT, Reference

#: The branch that a reference without a revision means.
DEFAULT_REVISION = "main"

_MODEL = re.compile(r"models--.+--.+")


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
        used: when it was last used, to the hour; ``None`` for a starter or a folder.
    """

    reference: Reference
    commit: str | None
    revision: str | None
    path: Path
    size: int
    files: tuple[str, ...]
    used: datetime | None = None


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
            listing = Listing.from_dict(read_record(self._listing(name, commit)))
        except ValueError:
            return None
        # Its commit becomes a path: a damaged record must not name another.
        return listing if listing.commit == commit else None

    def keep_listing(self, name: str, listing: Listing) -> None:
        write_record(self._listing(name, listing.commit), listing.to_dict())

    @contextlib.contextmanager
    def using(self, name: str, commit: str) -> Iterator[None]:
        """While the context lasts no file of the model is removed; after it, none of this commit is.

        The commit stays safe from other processes until this one ends, whichever way.

        Raises:
            Locked: a removal is under way and does not end.
        """
        with leases.shared(self.pulling(name)):
            leases.hold(self.lease(name, commit))
            yield

    def lease(self, name: str, commit: str) -> Path:
        """What a process that uses a commit holds."""
        return self.folder(name) / "sixarts" / f"{commit}.lease"

    def pulling(self, name: str) -> Path:
        """What a process that fetches files of a model holds: they are not linked yet, and no leftovers."""
        return self.folder(name) / "sixarts" / "pulling.lease"

    def names(self) -> list[str]:
        """The models that have a folder here."""
        return sorted(_name(entry.name) for entry in entries(self.root) if _MODEL.fullmatch(entry.name))

    def cached(self) -> list[Cached]:
        """Every snapshot on this disk that holds a file, by name and commit."""
        return [found for name in self.names() for found in self._snapshots(name)]

    def size(self) -> int:
        """Bytes on disk, content that two commits share counted once."""
        return size_on_disk(self.root)

    def forget(self, name: str, commit: str) -> None:
        """Remove what was recorded of a commit: the branches that mean it, its listing, what was verified."""
        for revision in self.revisions(name).get(commit, ()):
            self._pin(name, revision).unlink(missing_ok=True)
        for record in (self._listing(name, commit), self._verified(name, commit), self.lease(name, commit)):
            record.unlink(missing_ok=True)

    def revisions(self, name: str) -> dict[str, list[str]]:
        """The branches and tags that were resolved to each commit."""
        found: dict[str, list[str]] = {}
        for entry in sorted(entries(self.folder(name) / "refs"), key=lambda entry: entry.name):
            revision = unquote(entry.name)
            commit = None if entry.name.startswith(".") else self.pinned(name, revision)
            if commit:
                found.setdefault(commit, []).append(revision)
        return found

    def blobs(self, name: str) -> Blobs:
        """The content of a model's files."""
        return Blobs(self.folder(name), self.root / ".locks" / self.folder(name).name)

    def _pin(self, name: str, revision: str) -> Path:
        # Quoted whole: a branch "a/b" beside a branch "a" would otherwise need a folder where a file is.
        return self.folder(name) / "refs" / quote(revision, safe="")

    def _listing(self, name: str, commit: str) -> Path:
        return self.folder(name) / "sixarts" / f"{commit}.listing.json"

    def _verified(self, name: str, commit: str) -> Path:
        return self.folder(name) / "sixarts" / f"{commit}.verified.json"

    def _snapshots(self, name: str) -> Iterator[Cached]:
        revisions = self.revisions(name)
        for entry in sorted(entries(self.folder(name) / "snapshots"), key=lambda entry: entry.name):
            if not COMMIT.fullmatch(entry.name):
                continue
            sizes = dict(_sizes(Path(entry.path)))
            if not sizes:
                continue
            commit = entry.name
            revision = next(iter(revisions.get(commit, ())), None)
            yield Cached(
                reference=Reference("repo", name, revision or commit),
                commit=commit,
                revision=revision,
                path=Path(entry.path),
                size=sum(sizes.values()),
                files=tuple(sorted(sizes)),
                used=self._used(name, commit),
            )

    def _used(self, name: str, commit: str) -> datetime:
        now = time.time()
        recorded = leases.last_use(self.lease(name, commit))
        if recorded is None:
            # Fetched where no use could be recorded.
            with contextlib.suppress(OSError):
                recorded = self.snapshot(name, commit).stat().st_mtime
        # Not in the future, where a clock that was set back would put it.
        return datetime.fromtimestamp(max(0.0, min(now if recorded is None else recorded, now)), UTC)


def entries(folder: Path) -> list[os.DirEntry[str]]:
    """What is in a folder, in no order; nothing where there is none."""
    try:
        with os.scandir(folder) as found:
            return list(found)
    except OSError:
        return []


def size_on_disk(folder: Path) -> int:
    """Bytes of every file below a folder; a link counts as itself."""
    total = 0
    for entry in entries(folder):
        with contextlib.suppress(OSError):
            if entry.is_dir(follow_symlinks=False):
                total += size_on_disk(Path(entry.path))
            else:
                total += entry.stat(follow_symlinks=False).st_size
    return total


def _name(folder: str) -> str:
    # Neither part may hold "--" itself; see the rules in ``reference``.
    return folder.removeprefix("models--").replace("--", "/", 1)


def _sizes(folder: Path, above: str = "") -> Iterator[tuple[str, int]]:
    """Path and size of each file of a folder, links followed."""
    for entry in entries(folder):
        # What is removed meanwhile, leads nowhere, or is hidden is no file of the model.
        with contextlib.suppress(OSError):
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _sizes(Path(entry.path), f"{above}{entry.name}/")
            elif entry.is_file():
                yield above + entry.name, entry.stat().st_size
