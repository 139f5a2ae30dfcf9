"""The files of a model at one commit: fetched when they are missing, checked before their first use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sixarts_hub import manifest as manifests
from sixarts_hub.cache import Cache
from sixarts_hub.digest import Ledger
from sixarts_hub.errors import Corrupt, HubError, ManifestError, NotFound, Offline, UnsafeFile
from sixarts_hub.listing import File, Listing, allowed
from sixarts_hub.manifest import Manifest

# A reader hands out configurations, whole and in memory.
_READ_LIMIT = 16 << 20


class Snapshot:
    """One commit of one model.

    Args:
        cache: where it lies.
        name: ``OWNER/NAME``.
        listing: what the commit holds.
        ledger: what was found whole of it before.
        download: fetches one file into the cache; ``None`` when the network is off.

    Attributes:
        folder: the folder that a model is read from.
        manifest: its ``sixarts.json``; ``None`` for a foreign checkpoint.

    Raises:
        ManifestError: the manifest lists a file that the commit does not hold.
    """

    def __init__(
        self,
        cache: Cache,
        name: str,
        listing: Listing,
        ledger: Ledger,
        download: Callable[[str], None] | None,
    ) -> None:
        self._cache = cache
        self._name = name
        self._listing = listing
        self._download = download
        self._ledger = ledger
        self._expected = {file.path: file for file in listing}
        self.folder = cache.snapshot(name, listing.commit)
        self.manifest: Manifest | None = None
        if manifests.FILE in self._expected:
            self.obtain(manifests.FILE)
            self.manifest = self._read_manifest()

    @property
    def all_files(self) -> tuple[str, ...]:
        """What is fetched where nobody chooses: what the manifest lists, else every allowed file."""
        if self.manifest:
            return (manifests.FILE, *self.manifest.files)
        return tuple(filter(allowed, self._listing.paths))

    def obtain(self, path: str) -> Path:
        """A file's place on disk, once it is there and whole.

        A file that does not match is removed and fetched once more.

        Raises:
            NotFound: the commit holds no such file.
            UnsafeFile: it is of a kind that is never fetched.
            Offline: it is not cached and the network is off.
            Corrupt: it does not match, even fetched anew.
        """
        file = self._checked(path)
        target = self.folder / path
        if not target.is_file():
            self._fetch(path)
        try:
            self._ledger.check(self.folder, [file])
        except Corrupt as error:
            if self._download is None:
                raise Corrupt(f"{error}; load it once with the network on, which fetches it anew") from None
            self._cache.discard(self._name, self._listing.commit, path)
            self._fetch(path)
            try:
                self._ledger.check(self.folder, [file])
            except Corrupt as again:
                self._cache.discard(self._name, self._listing.commit, path)
                raise Corrupt(
                    f"{again}; fetched twice and removed; another commit or another mirror may have it whole"
                ) from None
        return target

    def read(self, path: str) -> bytes:
        """A small file's content, fetched and checked first; for whoever chooses the files.

        Raises:
            HubError: the file is larger than a configuration.
        """
        file = self._checked(path)
        if file.size > _READ_LIMIT:
            raise HubError(
                f"received {path} of {file.size} bytes in {self._name}; expected at most {_READ_LIMIT} for a "
                "configuration; choose it as a file instead"
            )
        return self.obtain(path).read_bytes()

    def _checked(self, path: str) -> File:
        if path not in self._expected:
            raise NotFound(
                f"received {path!r} as a file of {self._name}@{self._listing.commit}; expected one of "
                f"{', '.join(self._listing.paths[:12]) or 'no files, as it is empty'}; choose among these"
            )
        if not allowed(path):
            raise UnsafeFile(
                f"received {path!r} as a file of {self._name}; expected data only, since this kind may carry "
                "code; nothing was fetched; take a model that is published as safetensors"
            )
        return self._expected[path]

    def _fetch(self, path: str) -> None:
        if self._download is None:
            raise Offline(
                f"received {path} of {self._name}@{self._listing.commit}, which is not cached; expected it "
                f"in {self.folder} since the network is off; load it once with the network on"
            )
        self._download(path)

    def _read_manifest(self) -> Manifest:
        manifest = Manifest.read(self.folder)
        for file in manifest.expected():
            if file.path not in self._expected:
                raise ManifestError(
                    f"received {manifests.FILE} of {self._name}@{self._listing.commit}, which lists "
                    f"{file.path!r}; expected files that the commit holds; tell its owner, or take another "
                    "commit"
                )
            # The manifest is what the model's author vouches for; the tree is what the endpoint says.
            self._expected[file.path] = file
        return manifest
