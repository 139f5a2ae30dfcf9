"""The hub as the rest of Sixarts sees it: a reference in, a checked folder out."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sixarts_hub import manifest as manifests
from sixarts_hub.cache import DEFAULT_REVISION, Cache, Cached
from sixarts_hub.digest import Ledger
from sixarts_hub.endpoint import Endpoint
from sixarts_hub.errors import BadReference, Corrupt, HubError, NotFound, Offline
from sixarts_hub.listing import Listing
from sixarts_hub.manifest import Manifest
from sixarts_hub.reference import COMMIT, Reference
from sixarts_hub.snapshot import Snapshot

#: Gets a listing and a reader of small files; gives the paths to fetch.
Choose = Callable[[Listing, Callable[[str], bytes]], Sequence[str]]

_YES = {"1", "true", "yes", "on"}


@dataclass(frozen=True)
class Pulled:
    """A model folder that is on this disk and was found whole.

    Attributes:
        path: the folder.
        reference: what it was asked for by.
        commit: its commit; ``None`` for a starter or a folder.
        manifest: its ``sixarts.json``; ``None`` for a foreign checkpoint.
    """

    path: Path
    reference: Reference
    commit: str | None
    manifest: Manifest | None


class Hub:
    """Fetches, checks, lists, removes and publishes model folders.

    Args:
        home: folder of the cache; ``SIXARTS_HOME``, else ``~/.cache/sixarts``.
        endpoint: address of the hub; ``HF_ENDPOINT``, else the public hub.
        token: sent to that endpoint only; for the usual endpoint, the stored login is the default.
        offline: open no socket; ``SIXARTS_OFFLINE``, else ``HF_HUB_OFFLINE``.
        starters: what gives a starter's folder, by the starter's name.
    """

    def __init__(
        self,
        home: str | os.PathLike[str] | None = None,
        endpoint: str | None = None,
        token: str | None = None,
        offline: bool | None = None,
        starters: Mapping[str, Callable[[], Path]] | None = None,
    ) -> None:
        self.home = Path(home or os.environ.get("SIXARTS_HOME") or "~/.cache/sixarts").expanduser().absolute()
        self.endpoint = Endpoint.of(endpoint, token)
        self.offline = _offline_by_environment() if offline is None else offline
        self._starters = starters or {}
        self._cache = Cache(self.home, self.endpoint.url)

    def pull(
        self,
        reference: str | os.PathLike[str] | Reference,
        choose: Choose | None = None,
        update: bool = False,
        progress: bool = True,
    ) -> Pulled:
        """Bring a model folder onto this disk, whole, and give its place.

        A starter or a folder stays where it is. Of a repository, a branch is resolved to a commit once and
        that commit is taken from then on.

        Args:
            reference: what to bring.
            choose: which files of a repository; by default those that its manifest lists, else all that are
                of a kind allowed.
            update: resolve the branch again.
            progress: show bars, on a terminal.

        Raises:
            BadReference, NotFound, Offline, Unreachable, Corrupt, UnsafeFile, ManifestError: as they say.
        """
        reference = self._parse(reference)
        if reference.kind != "repo":
            return self._open_folder(reference)
        commit = self._commit(reference, update)
        snapshot = self._snapshot(reference.name, commit, progress)
        paths = choose(self._listing(reference.name, commit), snapshot.read) if choose else snapshot.all_files
        for path in paths:
            snapshot.obtain(path)
        # Not before it is here, so that a branch that moved to what cannot be fetched keeps what works.
        self._pin(reference, commit)
        return Pulled(snapshot.folder, reference, commit, snapshot.manifest)

    def resolve(self, reference: str | os.PathLike[str] | Reference, update: bool = False) -> str:
        """The commit of a repository's branch: the recorded one, else the endpoint's, which is recorded.

        Args:
            update: ask the endpoint even where a commit is recorded.

        Raises:
            Offline: the endpoint would have to be asked and the network is off.
        """
        reference = self._parse(reference)
        if reference.kind != "repo":
            raise BadReference(
                f"received {str(reference)!r} to resolve to a commit; expected OWNER/NAME; a "
                f"{reference.kind} has no commits"
            )
        commit = self._commit(reference, update)
        self._pin(reference, commit)
        return commit

    def cached(self) -> list[Cached]:
        """What was fetched from this endpoint and is on this disk."""
        return self._cache.cached()

    def size(self) -> int:
        """Bytes that it takes on this disk."""
        return self._cache.size()

    def verify(
        self, reference: str | os.PathLike[str] | Reference | None = None
    ) -> list[tuple[Cached, HubError | None]]:
        """Hash again every file of one model, or of all that are cached, and tell what is wrong.

        Nothing is fetched. What is found corrupt is fetched anew by the next pull.

        Args:
            reference: a model; of a repository, every cached commit unless a revision is named.

        Raises:
            NotFound: it is not on this disk.
        """
        if reference is None:
            return [(entry, self._examine(entry)) for entry in self.cached()]
        reference = self._parse(reference)
        if reference.kind == "repo":
            return [(entry, self._examine(entry)) for entry in self._find(reference)]
        folder = self._folder(reference)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        size = sum(path.stat().st_size for path in files)
        names = tuple(path.relative_to(folder).as_posix() for path in files)
        entry = Cached(reference, None, None, folder, size, names)
        try:
            ledger = self._folder_ledger(folder)
            ledger.forget()
            ledger.check(folder, Manifest.read(folder).expected())
        except HubError as error:
            return [(entry, error)]
        return [(entry, None)]

    def remove(self, reference: str | os.PathLike[str] | Reference) -> int:
        """Remove a cached model, or with a revision that commit of it alone; the bytes freed.

        Raises:
            BadReference: a starter or a folder, which is not in the cache.
            NotFound: it is not cached.
        """
        reference = self._parse(reference)
        if reference.kind != "repo":
            raise BadReference(
                f"received {str(reference)!r} to remove; expected a model in the cache, OWNER/NAME; a "
                f"{reference.kind} is not cached, delete it where it is"
            )
        found = self._find(reference)
        if reference.revision is None:
            return self._cache.remove_all(reference.name)
        return sum(self._cache.remove(reference.name, entry.path.name) for entry in found)

    def push(
        self,
        folder: str | os.PathLike[str],
        repo: str,
        *,
        token: str | None = None,
        private: bool = False,
        message: str | None = None,
        revision: str = DEFAULT_REVISION,
    ) -> str:
        """Publish a model folder in one commit and give that commit; the repository is created if need be.

        Args:
            folder: a folder with ``sixarts.json``; what it lists is published, nothing else.
            repo: ``OWNER/NAME``.
            token: with permission to write; the hub's own by default.
            private: whether a new repository is private.
            message: of the commit.
            revision: the branch, which must exist unless it is the default one.

        Raises:
            Offline, ManifestError, Corrupt, NotFound, Unreachable, HubError: nothing was published.
        """
        name = repo.removeprefix("hf://")
        reference = Reference.parse(f"hf://{name}" if "@" in name else f"hf://{name}@{revision}")
        if self.offline:
            raise Offline(
                f"received a push to {repo} while the network is off; expected it on; unset SIXARTS_OFFLINE"
            )
        from sixarts_hub import publish

        revision = reference.revision or DEFAULT_REVISION
        endpoint = Endpoint.of(self.endpoint.url, token) if token else self.endpoint
        commit = publish.push(
            endpoint,
            Path(folder).expanduser(),
            reference.name,
            private=private,
            message=message,
            revision=revision,
        )
        # Whoever published a model means that one when they load it next.
        if self._cache.pinned(reference.name, revision):
            self._cache.pin(reference.name, revision, commit)
        return commit

    def _parse(self, reference: str | os.PathLike[str] | Reference) -> Reference:
        if isinstance(reference, Reference):
            return reference
        return Reference.parse(reference, self._starters)

    def _commit(self, reference: Reference, update: bool) -> str:
        revision = reference.revision or DEFAULT_REVISION
        if COMMIT.fullmatch(revision):
            return revision
        pinned = self._cache.pinned(reference.name, revision)
        if pinned and not update:
            return pinned
        if self.offline:
            raise Offline(
                f"received {reference} with {'update=True' if update else 'no commit on record'}; expected a "
                f"recorded commit in {self._cache.root} since the network is off; load it once with the "
                "network on (unset SIXARTS_OFFLINE)"
            )
        from sixarts_hub import fetch

        return fetch.resolve(self.endpoint, reference.name, revision)

    def _pin(self, reference: Reference, commit: str) -> None:
        revision = reference.revision or DEFAULT_REVISION
        if commit not in (revision, self._cache.pinned(reference.name, revision)):
            self._cache.pin(reference.name, revision, commit)

    def _open_folder(self, reference: Reference) -> Pulled:
        """Check a starter, which always has a manifest, or a folder where it has one."""
        folder = self._folder(reference)
        manifest = None
        if reference.kind == "starter" or (folder / manifests.FILE).is_file():
            manifest = Manifest.read(folder)
            try:
                self._folder_ledger(folder).check(folder, manifest.expected())
            except Corrupt as error:
                advice = (
                    "install its plugin again"
                    if reference.kind == "starter"
                    else f"take it from its source again, or remove {manifests.FILE} if you meant the change"
                )
                raise Corrupt(f"{error}; {advice}") from None
        return Pulled(folder, reference, None, manifest)

    def _folder_ledger(self, folder: Path) -> Ledger:
        # Kept in the home: a plugin's folder may be read-only, and a person's folder is theirs.
        record = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()
        return Ledger(self.home / "verified" / f"{record}.json")

    def _folder(self, reference: Reference) -> Path:
        if reference.kind == "starter":
            if reference.name not in self._starters:
                known = ", ".join(f"starter/{name}" for name in sorted(self._starters))
                raise NotFound(
                    f"received {str(reference)!r}; expected one of {known or 'none, as none is installed'}; "
                    "check the name, or install the plugin that brings it"
                )
            return self._starters[reference.name]()
        if not os.path.isdir(reference.path):
            raise NotFound(
                f"received {str(reference)!r}; expected a folder that exists; for a model on the hub write "
                "OWNER/NAME"
            )
        return reference.path

    def _listing(self, name: str, commit: str) -> Listing:
        listing = self._cache.listing(name, commit)
        if listing is None:
            if self.offline:
                raise Offline(
                    f"received {name}@{commit}, of which nothing is cached; expected it in "
                    f"{self._cache.root} since the network is off; load it once with the network on (unset "
                    "SIXARTS_OFFLINE)"
                )
            from sixarts_hub import fetch

            listing = fetch.list_files(self.endpoint, name, commit)
            self._cache.keep_listing(name, listing)
        return listing

    def _snapshot(self, name: str, commit: str, progress: bool) -> Snapshot:
        def download(path: str) -> None:
            from sixarts_hub import fetch

            fetch.download(self.endpoint, name, commit, path, self._cache.root, progress)

        listing = self._listing(name, commit)
        ledger = self._cache.ledger(name, commit)
        return Snapshot(self._cache, name, listing, ledger, None if self.offline else download)

    def _find(self, reference: Reference) -> list[Cached]:
        wanted = reference.revision
        commit = wanted and (self._cache.pinned(reference.name, wanted) or wanted)
        found = [
            entry
            for entry in self.cached()
            if entry.reference.name == reference.name and commit in (None, entry.commit)
        ]
        if not found:
            known = ", ".join(sorted({entry.reference.name for entry in self.cached()}))
            raise NotFound(
                f"received {str(reference)!r}; expected a cached model, one of {known or 'none'}; "
                "`sixarts cache` lists them"
            )
        return found

    def _examine(self, entry: Cached) -> HubError | None:
        """Hash every file of a cached commit anew; what is wrong with the first that differs."""
        name, commit = entry.reference.name, entry.path.name
        ledger = self._cache.ledger(name, commit)
        ledger.forget()
        listing = self._cache.listing(name, commit)
        if listing is None:
            return NotFound(
                f"received {entry.reference}, whose record is gone; expected the digests of its files; load "
                "it once with the network on"
            )
        try:
            snapshot = Snapshot(self._cache, name, listing, ledger, None)
            for path in filter(listing.__contains__, entry.files):
                snapshot.obtain(path)
        except HubError as error:
            return error
        return None


def _offline_by_environment() -> bool:
    value = os.environ.get("SIXARTS_OFFLINE") or os.environ.get("HF_HUB_OFFLINE") or ""
    return value.strip().lower() in _YES
