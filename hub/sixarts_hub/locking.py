"""From a reference to its entry in a lock, and from an entry back to files on this disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sixarts_hub import manifest as manifests
from sixarts_hub.digest import sha256
from sixarts_hub.errors import BadReference, Corrupt, LockfileError
from sixarts_hub.listing import SIGNATURE, Listing
from sixarts_hub.lockfile import Entry, check_starter
from sixarts_hub.manifest import FileEntry, Manifest
from sixarts_hub.reference import Reference

if TYPE_CHECKING:
    from sixarts_hub.client import Hub
    from sixarts_hub.mirror import Choose


def lock(hub: Hub, reference: Reference, choose: Choose, release: str | None = None) -> Entry:
    """Bring the newest commit of a model here, and describe it; its branch means it from now on.

    Every file has its SHA-256: the hub's or the manifest's, which it was held against, else this disk's. Of
    a starter, the manifest is described, which holds the digests of the rest.

    Args:
        hub: where the model is, or the starter.
        reference: a repository, a place or a starter.
        choose: which files an application uses.
        release: of a starter, the distribution that brought it, with its version.

    Raises:
        BadReference: a folder.
        Unreachable, NotFound, Offline, Corrupt, UnsafeFile, ManifestError: as pulling says; the endpoint is
            asked, whatever is cached.
    """
    if reference.kind == "starter":
        pulled = hub.pull(reference)
        manifest = Manifest.read(pulled.path)
        files = {manifests.FILE: _described(pulled.path / manifests.FILE)}
        return Entry(files, release=release, task=manifest.task)
    if not reference.fetched:
        raise BadReference(
            f"received {str(reference)!r} to lock; expected OWNER/NAME, a place or starter/NAME; a folder "
            "is on this machine alone: publish it with `sixarts push`, and lock that"
        )
    return _lock_fetched(hub, reference, choose)


def match(hub: Hub, reference: Reference, entry: Entry) -> None:
    """Bring what an entry says, and let the reference's branch mean its commit from now on.

    Raises:
        Corrupt: the endpoint serves other bytes, or another starter is installed; has both digests.
        Unreachable, NotFound, Offline, UnsafeFile, DiskError, Locked: as pulling says.
    """
    if reference.kind == "starter":
        return check_starter(hub.pull(reference).path, entry)
    mirror = hub.mirror_of(reference)
    # The whole listing is for whoever loads the model without the lock.
    _compare(mirror.listing(reference, entry.listing.commit), reference, entry)
    mirror.bring(reference, entry.listing, None, progress=True)
    return mirror.pin(reference, entry.listing.commit)


def check(hub: Hub, reference: Reference, entry: Entry) -> None:
    """Tell whether this disk has what an entry says. Nothing is fetched, as the hub is offline.

    Raises:
        Offline, NotFound: files are missing.
        Corrupt: a file differs; has both digests.
        LockfileError: the reference means another commit here.
    """
    if reference.kind == "starter":
        return check_starter(hub.pull(reference).path, entry)
    mirror = hub.mirror_of(reference)
    mirror.listing(reference, entry.listing.commit)
    mirror.bring(reference, entry.listing, None, progress=False)
    meant = mirror.pinned(reference)
    if meant != entry.commit and reference.revision != entry.commit:
        raise LockfileError(
            f"received {reference} at {meant or 'no commit'}; expected {entry.commit}; run `sixarts sync`"
        )
    return None


def _lock_fetched(hub: Hub, reference: Reference, choose: Choose) -> Entry:
    chosen: list[str] = []

    def noted(listing: Listing, read: Callable[[str], bytes]) -> Sequence[str]:
        always = {path for path in (manifests.FILE, SIGNATURE) if path in listing}
        chosen[:] = sorted({*choose(listing, read), *always})
        return chosen

    mirror = hub.mirror_of(reference)
    commit = mirror.newest(reference)
    listing = mirror.listing(reference, commit)
    snapshot = mirror.bring(reference, listing, noted, progress=True)
    mirror.pin(reference, commit)
    manifest = snapshot.manifest
    stated = {file.path: file.digest for file in listing}
    stated |= {file.path: file.digest for file in manifest.expected()} if manifest else {}
    files = {path: _described(snapshot.folder / path, stated[path]) for path in chosen}
    endpoint = hub.endpoint.url if reference.kind == "repo" else None
    return Entry(files, commit, endpoint, task=manifest.task if manifest else None)


def _compare(listing: Listing, reference: Reference, entry: Entry) -> None:
    """Hold what the endpoint states of a commit against the lock, before a byte is fetched."""
    stated = {file.path: file for file in listing}
    for file in entry:
        found = stated.get(file.path)
        known = found is not None and found.digest.startswith("sha256:")
        if found is None or found.size != file.size or (known and found.digest != file.digest):
            received = f"{found.size} bytes, {found.digest}" if found else "no such file"
            raise Corrupt(
                f"received {file.path} of {reference} at {entry.commit}: {received}; expected {file.size} "
                f"bytes, {file.digest}, as the lock says; a commit does not change: mistrust the endpoint, "
                "or the lock"
            )


def _described(path: Path, stated: str = "") -> FileEntry:
    digest = stated if stated.startswith("sha256:") else sha256(path)
    return FileEntry(path.stat().st_size, digest.removeprefix("sha256:"))
