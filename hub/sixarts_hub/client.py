"""The hub as the rest of Sixarts sees it: a reference in, a checked folder out."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from sixarts_hub import manifest as manifests
from sixarts_hub import removal
from sixarts_hub.cache import DEFAULT_REVISION, Cache, Cached
from sixarts_hub.digest import Ledger
from sixarts_hub.endpoint import Endpoint
from sixarts_hub.errors import BadReference, Corrupt, HubError, NotFound, Offline
from sixarts_hub.exchange import recover
from sixarts_hub.listing import File
from sixarts_hub.lockfile import Entry, Lockfile, check_starter
from sixarts_hub.manifest import Manifest
from sixarts_hub.mirror import Choose, Mirror
from sixarts_hub.place_mirror import PlaceCache, PlaceMirror
from sixarts_hub.plan import Pushed, planned_offline
from sixarts_hub.reference import Reference
from sixarts_hub.removal import Pruned
from sixarts_hub.seal import Trust, files_in, of_folder

if TYPE_CHECKING:
    from sixarts_hub.search import Listed

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
        trust: PEM files, public keys or certificates of authorities, whose signatures count;
            ``SIXARTS_TRUST``.
        require_signature: refuse what none of them signed, starters aside, which come with the installed
            package; ``SIXARTS_REQUIRE_SIGNATURE``.
        lock: references mean what it says, and what it lacks is refused.
    """

    def __init__(
        self,
        home: str | os.PathLike[str] | None = None,
        endpoint: str | None = None,
        token: str | None = None,
        offline: bool | None = None,
        starters: Mapping[str, Callable[[], Path]] | None = None,
        trust: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None = None,
        require_signature: bool | None = None,
        lock: Lockfile | None = None,
    ) -> None:
        self.home = Path(home or os.environ.get("SIXARTS_HOME") or "~/.cache/sixarts").expanduser().absolute()
        self.endpoint = Endpoint.of(endpoint, token)
        self.offline = _offline_by_environment() if offline is None else offline
        self._starters = starters or {}
        self._trust = Trust.of(trust, require_signature, self.home / "verified")
        self._lock = lock
        self._cache = Cache(self.home, self.endpoint.url)
        self._mirror = Mirror(self._cache, self.endpoint, self.offline, self._trust)
        self._places = PlaceMirror(PlaceCache(self.home), self.offline, self._trust)

    def pull(
        self,
        reference: str | os.PathLike[str] | Reference,
        choose: Choose | None = None,
        update: bool = False,
        progress: bool = True,
    ) -> Pulled:
        """Bring a model folder onto this disk, whole, and give its place.

        A starter or a folder stays where it is. Of a repository, a branch is resolved to a commit once and
        that commit is taken from then on; of a place, what lies there. Until this process ends, no other
        removes what it pulled.

        Args:
            reference: what to bring.
            choose: which files of a repository or a place; by default those that its manifest lists, else
                all that are of a kind allowed.
            update: resolve the branch again.
            progress: show bars, on a terminal.

        Raises:
            BadReference, NotFound, Offline, Unreachable, Corrupt, UnsafeFile, ManifestError: as they say.
        """
        reference = self._parse(reference)
        entry = self._locked(reference, update)
        if not reference.fetched:
            return self._open_folder(reference, entry)
        mirror = self.mirror_of(reference)
        if entry is None:
            snapshot = mirror.pull(reference, choose, update, progress)
        else:
            snapshot = mirror.bring(reference, entry.listing, choose, progress)
        return Pulled(snapshot.folder, reference, snapshot.listing.commit, snapshot.manifest)

    def resolve(self, reference: str | os.PathLike[str] | Reference, update: bool = False) -> str:
        """The commit of a repository's branch or of a place: the recorded one, else what is there, recorded.

        Args:
            update: ask the endpoint even where a commit is recorded.

        Raises:
            Offline: the endpoint would have to be asked and the network is off.
        """
        reference = self._parse(reference)
        if not reference.fetched:
            raise BadReference(
                f"received {str(reference)!r} to resolve to a commit; expected OWNER/NAME; a "
                f"{reference.kind} has no commits"
            )
        entry = self._locked(reference, update)
        return entry.listing.commit if entry else self.mirror_of(reference).resolve(reference, update)

    def mirror_of(self, reference: Reference) -> Mirror:
        """The repositories or the places in this cache, whichever a reference belongs to."""
        return self._places if reference.kind == "place" else self._mirror

    def cached(self) -> list[Cached]:
        """What was fetched from this endpoint, and from places, and is on this disk."""
        return self._cache.cached() + self._places.cache.cached()

    def size(self) -> int:
        """Bytes that it takes on this disk."""
        return self._cache.size() + self._places.cache.size()

    def verify(
        self, reference: str | os.PathLike[str] | Reference | None = None, repair: bool = False
    ) -> list[tuple[Cached, HubError | None]]:
        """Hash again every file of one model, or of all that are cached, and tell what is wrong.

        What is found wrong is fetched anew by the next pull, or at once.

        Args:
            reference: a model; of a repository, every cached commit unless a revision is named.
            repair: fetch what is wrong or missing, unless the network is off, and tell only what stays wrong.

        Raises:
            NotFound: it is not on this disk.
        """
        if reference is None:
            return [self._examined(entry, repair) for entry in self.cached()]
        reference = self._parse(reference)
        if reference.fetched:
            return [self._examined(entry, repair) for entry in self._find(reference)]
        folder = self._folder(reference)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        size = sum(path.stat().st_size for path in files)
        names = tuple(path.relative_to(folder).as_posix() for path in files)
        entry = Cached(reference, None, None, folder, size, names)
        try:
            ledger = self._folder_ledger(folder)
            ledger.forget()
            _, expected = self._folder_files(reference, folder)
            ledger.check(folder, expected or Manifest.read(folder).expected())
        except HubError as error:
            return [(entry, error)]
        return [(entry, None)]

    def remove(self, reference: str | os.PathLike[str] | Reference) -> int:
        """Remove a cached model, or with a revision that commit of it alone; the bytes freed.

        What this process itself uses may go, what another one uses may not.

        Raises:
            BadReference: a starter or a folder, which is not in the cache.
            NotFound: it is not cached.
            Locked: another process uses it, or fetches it; nothing was removed.
            DiskError: the cache cannot be written.
        """
        reference = self._parse(reference)
        if not reference.fetched:
            raise BadReference(
                f"received {str(reference)!r} to remove; expected a model in the cache, OWNER/NAME; a "
                f"{reference.kind} is not cached, delete it where it is"
            )
        found = self._find(reference)
        cache = self.mirror_of(reference).cache
        if reference.revision is None:
            return removal.remove_all(cache, reference.name)
        return sum(removal.remove(cache, reference.name, entry.path.name) for entry in found)

    def prune(
        self,
        older_than: timedelta | None = None,
        keep: Iterable[str | os.PathLike[str] | Reference] = (),
        keep_last: int | None = None,
        dry_run: bool = False,
    ) -> Pruned:
        """Remove the cached commits that nobody used for long and no process uses, and leftovers of kills.

        Args:
            older_than: keep what was used since. Without this and ``keep_last``, only leftovers go.
            keep: models that stay, or with a revision, commits.
            keep_last: of each model, keep so many commits, the last used ones.
            dry_run: tell what would go and remove nothing.

        Raises:
            NotFound: what is to stay is not cached, and may be misspelled; nothing was removed.
            DiskError: the cache cannot be written.
        """
        kept = [entry for reference in keep for entry in self._find(self._parse(reference))]
        caches = (self._cache, self._places.cache)
        return Pruned.of(removal.prune(cache, older_than, kept, keep_last, dry_run) for cache in caches)

    def push(
        self,
        folder: str | os.PathLike[str],
        repo: str,
        *,
        token: str | None = None,
        private: bool = False,
        message: str | None = None,
        revision: str = DEFAULT_REVISION,
        create_pr: bool = False,
        dry_run: bool = False,
    ) -> Pushed:
        """Publish a model folder in one commit; the repository is created if need be.

        Args:
            folder: a folder with ``sixarts.json``; what it lists is published, and its signature, nothing
                else.
            repo: ``OWNER/NAME``, or a place such as ``s3://BUCKET/FOLDER``, to which the files go one by one,
                the manifest last, and which takes none of the options but ``dry_run``.
            token: with permission to write; the hub's own by default.
            private: whether a new repository is private.
            message: of the commit.
            revision: the branch, which must exist unless it is the default one.
            create_pr: open a pull request in place of moving the branch.
            dry_run: tell what would be sent and send nothing; offline, without asking what the hub holds.

        Raises:
            Offline, ManifestError, Corrupt, NotFound, Unreachable, HubError: nothing was published, unless
                the message says that this is not known.
        """
        if "://" in repo and not repo.startswith("hf://"):
            options = {"token": token, "private": private, "message": message, "create_pr": create_pr}
            options["revision"] = revision != DEFAULT_REVISION
            refused = [option for option, value in options.items() if value]
            return self._places.push(self._parse(repo), Path(folder).expanduser(), dry_run, refused)
        name = repo.removeprefix("hf://")
        reference = Reference.parse(f"hf://{name}" if "@" in name else f"hf://{name}@{revision}")
        folder, revision = Path(folder).expanduser(), reference.revision or DEFAULT_REVISION
        if self.offline:
            if dry_run:
                return planned_offline(folder, reference.name, revision)
            raise Offline(
                f"received a push to {repo} while the network is off; expected it on; unset SIXARTS_OFFLINE"
            )
        from sixarts_hub import publish

        endpoint = Endpoint.of(self.endpoint.url, token) if token else self.endpoint
        target = publish.Target(endpoint, reference.name, revision, private, create_pr)
        if dry_run:
            return publish.plan(target, folder)
        pushed = publish.push(target, folder, message)
        # Whoever published a model means that one when they load it next.
        if pushed.commit and not create_pr and self._cache.pinned(reference.name, revision):
            self._cache.pin(reference.name, revision, pushed.commit)
        return pushed

    def search(
        self, task: str, *, language: str | None = None, words: str | None = None, limit: int = 20
    ) -> list[Listed]:
        """Models of a task that the hub lists, most downloaded first; see :func:`sixarts_hub.search.search`.

        Raises:
            Offline, Unreachable: as they say.
        """
        if self.offline:
            raise Offline(
                f"received a search for {task} models while the network is off; expected it on; unset "
                "SIXARTS_OFFLINE, or list the models that are known here with `sixarts models`"
            )
        from sixarts_hub import search

        return search.search(self.endpoint, task, language=language, words=words, limit=limit)

    def _parse(self, reference: str | os.PathLike[str] | Reference) -> Reference:
        if isinstance(reference, Reference):
            return reference
        return Reference.parse(reference, self._starters)

    def _locked(self, reference: Reference, update: bool) -> Entry | None:
        """What the lock says of a reference, where there is a lock and it has to say."""
        return None if self._lock is None else self._lock.find(reference, update)

    def _open_folder(self, reference: Reference, entry: Entry | None = None) -> Pulled:
        """Check a starter, which always has a manifest, or a folder where it has one."""
        folder = self._folder(reference)
        if entry is not None:
            check_starter(folder, entry)
        manifest, files = self._folder_files(reference, folder)
        try:
            self._folder_ledger(folder).check(folder, files)
        except Corrupt as error:
            advice = (
                "install its plugin again"
                if reference.kind == "starter"
                else f"take it from its source again, or remove {manifests.FILE} if you meant the change"
            )
            raise Corrupt(f"{error}; {advice}") from None
        return Pulled(folder, reference, None, manifest)

    def _folder_files(self, reference: Reference, folder: Path) -> tuple[Manifest | None, list[File]]:
        """What its manifest and its signature say of a starter or a folder."""
        starter = reference.kind == "starter"
        trust = replace(self._trust, required=False) if starter else self._trust
        manifest = Manifest.read(folder) if starter or (folder / manifests.FILE).is_file() else None
        seal = of_folder(folder, str(reference), trust)
        return manifest, files_in(folder, manifest, seal)

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
        # A save that was killed where folders cannot be exchanged in one step left it aside.
        if not os.path.isdir(reference.path) and not recover(reference.path):
            raise NotFound(
                f"received {str(reference)!r}; expected a folder that exists; for a model on the hub write "
                "OWNER/NAME"
            )
        return reference.path

    def _examined(self, entry: Cached, repair: bool) -> tuple[Cached, HubError | None]:
        return entry, self.mirror_of(entry.reference).examine(entry, repair)

    def _find(self, reference: Reference) -> list[Cached]:
        wanted = reference.revision
        commit = wanted and (self.mirror_of(reference).pinned(reference) or wanted)
        found = [
            entry
            for entry in self.cached()
            if (entry.reference.kind, entry.reference.name) == (reference.kind, reference.name)
            and commit in (None, entry.commit)
        ]
        if not found:
            known = ", ".join(sorted({entry.reference.name for entry in self.cached()}))
            raise NotFound(
                f"received {str(reference)!r}; expected a cached model, one of {known or 'none'}; "
                "`sixarts cache` lists them"
            )
        return found


def _offline_by_environment() -> bool:
    value = os.environ.get("SIXARTS_OFFLINE") or os.environ.get("HF_HUB_OFFLINE") or ""
    return value.strip().lower() in _YES
