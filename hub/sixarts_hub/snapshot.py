"""The files of a model at one commit: fetched when they are missing, checked before their first use."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from sixarts_hub import disk
from sixarts_hub import manifest as manifests
from sixarts_hub.bars import Told, bar
from sixarts_hub.cache import Cache
from sixarts_hub.crew import do_all
from sixarts_hub.digest import Ledger
from sixarts_hub.errors import Corrupt, HubError, ManifestError, NotFound, Offline, UnsafeFile
from sixarts_hub.listing import SIGNATURE, UNKNOWN, File, Listing, allowed
from sixarts_hub.manifest import Manifest
from sixarts_hub.seal import Seal, Trust, opened, refuse_unsigned
from sixarts_hub.transfer import Source, bring

# A reader hands out configurations, whole and in memory.
_READ_LIMIT = 16 << 20


class Snapshot:
    """One commit of one model.

    Args:
        cache: where it lies.
        name: ``OWNER/NAME``.
        listing: what the commit holds.
        ledger: what was found whole of it before.
        source: what its files are fetched from; ``None`` when the network is off.
        reference: what a person writes for it, for messages.
        progress: show a bar, on a terminal.
        trust: whose signatures count.

    Attributes:
        folder: the folder that a model is read from.
        listing: what the commit holds, with what was learned of it.
        manifest: its ``sixarts.json``; ``None`` for a foreign checkpoint.

    Raises:
        ManifestError: the manifest lists a file that the commit does not hold.
        BadSignature, MissingExtra: its signature does not hold, lacks though it is required, or cannot be
            verified.
    """

    def __init__(
        self,
        cache: Cache,
        name: str,
        listing: Listing,
        ledger: Ledger,
        source: Source | None,
        reference: str | None = None,
        progress: bool = False,
        trust: Trust | None = None,
    ) -> None:
        self._cache = cache
        self._blobs = cache.blobs(name)
        self._name = name
        self._reference = reference or f"{name}@{listing.commit}"
        self._source = source
        self._ledger = ledger
        self._progress = progress
        self._guard = threading.Lock()
        self.listing = listing
        self._listed = {file.path: file for file in listing}
        self._expected = dict(self._listed)
        self.folder = cache.snapshot(name, listing.commit)
        self.manifest: Manifest | None = None
        self._seal = self._opened_seal(trust or Trust())
        if manifests.FILE in self._expected:
            self.obtain(manifests.FILE)
            self.manifest = self._read_manifest()

    @property
    def all_files(self) -> tuple[str, ...]:
        """What is fetched where nobody chooses: what the manifest lists, else every allowed file."""
        if self.manifest:
            return (manifests.FILE, *self.manifest.files)
        return tuple(filter(allowed, self.listing.paths))

    def check_signed(self) -> None:
        """Hold the names that the commit has against those that were signed.

        Raises:
            BadSignature: the commit lacks a signed file.
        """
        if self._seal:
            self._seal.check_names(self.listing.paths)

    def obtain(self, *paths: str) -> None:
        """See that files are in the folder, whole; several are fetched at once.

        A file that does not match is moved apart and fetched once more.

        Raises:
            NotFound: the commit holds no such file.
            UnsafeFile: it is of a kind that is never fetched.
            Offline: files are not cached and the network is off; names them all.
            Corrupt: it does not match, even fetched anew.
            BadSignature: it is not what was signed, or whom is trusted did not sign it.
            DiskError: the disk has no room for all, or refuses to be written.
            Unreachable, Locked: as they say. What has arrived is kept.
        """
        missing = [file for file in map(self._checked, dict.fromkeys(paths)) if not self._is_whole(file)]
        if not missing:
            return
        if self._source is None:
            raise self._offline([file.path for file in missing])
        listed = [self._listed[file.path] for file in missing]
        for file, expected in zip(listed, missing, strict=True):
            self._hold_listing_against_manifest(file, expected)
        # Two files of one content take its room once.
        contents = {self._blobs.path(file): file for file in listed}.values()
        self._make_room(sum(file.size - self._blobs.arrived(file) for file in contents))
        with bar(self._name, sum(file.size for file in listed), self._progress) as told:
            do_all([partial(self._fetch, file.path, self._source, told) for file in listed])

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
        self.obtain(path)
        return (self.folder / path).read_bytes()

    def _checked(self, path: str) -> File:
        if path not in self._expected:
            raise NotFound(
                f"received {path!r} as a file of {self._name}@{self.listing.commit}; expected one of "
                f"{', '.join(self.listing.paths[:12]) or 'no files, as it is empty'}; choose among these"
            )
        if not allowed(path):
            raise UnsafeFile(
                f"received {path!r} as a file of {self._name}; expected data only, since this kind may carry "
                "code; nothing was fetched; take a model that is published as safetensors"
            )
        if self._seal:
            # What was signed counts more than what the endpoint says.
            self._expected[path] = self._seal.held(self._expected[path])
        return self._expected[path]

    def _is_whole(self, file: File) -> bool:
        """Whether it need not be fetched. What is there and wrong is moved apart.

        Raises:
            Corrupt: it is wrong and the network is off.
        """
        if not (self.folder / file.path).is_file():
            return False
        try:
            self._ledger.check(self.folder, [file])
        except Corrupt as error:
            if self._source is None:
                raise Corrupt(f"{error}; {self._advice()}, which fetches it anew") from None
            with self._blobs.lock(self._listed[file.path]):
                # Another process may have been as quick.
                if not self._ledger.holds(self.folder, file):
                    self._blobs.quarantine(self.folder / file.path)
            return False
        return True

    def _fetch(self, path: str, source: Source, told: Told) -> None:
        listed, expected = self._listed[path], self._expected[path]
        with self._blobs.lock(listed):
            if self._ledger.holds(self.folder, expected):
                told(listed.size, path)
                return
            digests = tuple(dict.fromkeys((listed.digest, expected.digest)))
            whole = bring(self._blobs, listed, digests, source, lambda count: told(count, path))
            if listed.digest == UNKNOWN:
                self._learn(whole)
            self._blobs.link(whole, self.folder / path)
            if (self.folder / path).is_symlink():
                self._ledger.enter(self.folder, self._expected[path])
            else:
                self._ledger.check(self.folder, [self._expected[path]])

    def _learn(self, file: File) -> None:
        """Record a digest that nobody gave, before the file can be used: it is held from now on."""
        with self._guard:
            self._listed[file.path] = file
            if self._expected[file.path].digest == UNKNOWN:
                self._expected[file.path] = file
            self.listing = replace(self.listing, files=tuple(self._listed.values()))
            self._cache.keep_listing(self._name, self.listing)

    def _make_room(self, needed: int) -> None:
        room = disk.free(self._blobs.folder)
        if room is not None and needed > room:
            self._blobs.empty_quarantine()
        disk.check_room(self._blobs.folder, needed, f"of {self._name}")

    def _hold_listing_against_manifest(self, listed: File, expected: File) -> None:
        """Refuse what cannot match both, before it is fetched."""
        forms = {file.digest.partition(":")[0] for file in (listed, expected)}
        if listed.size != expected.size or (len(forms) == 1 and listed.digest != expected.digest):
            raise Corrupt(
                f"received {listed.path} of {listed.size} bytes, {listed.digest}, in the files of "
                f"{self._name}; expected {expected.size} bytes, {expected.digest}, as its {manifests.FILE} "
                "says; nothing was fetched; tell its owner, or take another commit"
            )

    def _offline(self, missing: Sequence[str]) -> Offline:
        if manifests.FILE in missing:
            # What it lists nobody knows; what the commit holds, everybody does.
            missing = [path for path in self.listing.paths if allowed(path)]
            missing = [path for path in missing if not (self.folder / path).is_file()]
        return Offline(
            f"received {self._reference}, of which {', '.join(missing)} {_are(missing)} not cached; expected "
            f"all in {self.folder} since the network is off; {self._advice()}"
        )

    def _advice(self) -> str:
        return f"run `sixarts pull {self._reference}` once with the network on (unset SIXARTS_OFFLINE)"

    def _opened_seal(self, trust: Trust) -> Seal | None:
        if SIGNATURE not in self._expected:
            refuse_unsigned(self._reference, trust)
            return None
        self._seal = None
        self.obtain(SIGNATURE)
        return opened(self.folder / SIGNATURE, self._reference, trust)

    def _read_manifest(self) -> Manifest:
        manifest = Manifest.read(self.folder)
        for file in manifest.expected():
            if file.path not in self._expected:
                raise ManifestError(
                    f"received {manifests.FILE} of {self._name}@{self.listing.commit}, which lists "
                    f"{file.path!r}; expected files that the commit holds; tell its owner, or take another "
                    "commit"
                )
            # The manifest is what the model's author vouches for; the tree is what the endpoint says.
            self._expected[file.path] = file
        return manifest


def _are(paths: Sequence[str]) -> str:
    return "is" if len(paths) == 1 else "are"
