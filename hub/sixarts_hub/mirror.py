"""An endpoint's repositories as they are in the cache: which commit is meant, what it holds, its files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

from sixarts_hub.cache import DEFAULT_REVISION, Cache, Cached
from sixarts_hub.endpoint import Endpoint
from sixarts_hub.errors import HubError, NotFound, Offline, Unreachable
from sixarts_hub.listing import Listing
from sixarts_hub.reference import COMMIT, Reference
from sixarts_hub.seal import Trust
from sixarts_hub.snapshot import Snapshot
from sixarts_hub.transfer import Part, Source

#: Gets a listing and a reader of small files; gives the paths to fetch.
Choose = Callable[[Listing, Callable[[str], bytes]], Sequence[str]]


class Mirror:
    """One endpoint's repositories in one cache.

    Args:
        cache: for :attr:`cache`.
        endpoint: where they come from.
        offline: never ask it.
        trust: whose signatures count.

    Attributes:
        cache: where they lie.
    """

    def __init__(self, cache: Cache, endpoint: Endpoint, offline: bool, trust: Trust | None = None) -> None:
        self.cache = cache
        self._endpoint = endpoint
        self._offline = offline
        self._trust = trust

    def pull(self, reference: Reference, choose: Choose | None, update: bool, progress: bool) -> Snapshot:
        """Bring a repository's files here, whole, and record the commit that its branch stands for.

        Where the endpoint cannot be reached, what is cached is taken, with a warning in the log.

        Raises:
            NotFound, Offline, Unreachable, Corrupt, UnsafeFile, ManifestError, DiskError, Locked: as they
                say.
        """
        known = self.pinned(reference)
        commit, answered = self._commit(reference, update)
        try:
            snapshot = self._bring(reference, commit, choose, progress)
        except Unreachable as error:
            if known is None or known == commit:
                raise
            _warn(reference, known, error)
            return self._bring(reference, known, choose, progress)
        # Not before it is here, so that a branch that moved to what cannot be fetched keeps what works.
        if answered:
            self.pin(reference, commit)
        return snapshot

    def resolve(self, reference: Reference, update: bool) -> str:
        """The commit that a reference stands for, which is recorded.

        Raises:
            Offline, NotFound, Unreachable: the endpoint would have to be asked, and nothing is cached.
        """
        commit, answered = self._commit(reference, update)
        if answered:
            self.pin(reference, commit)
        return commit

    def newest(self, reference: Reference) -> str:
        """The commit that a reference stands for at the endpoint now; nothing is recorded.

        Raises:
            Offline, NotFound, Unreachable: the endpoint cannot be asked, whatever is cached.
        """
        revision = reference.revision or DEFAULT_REVISION
        if COMMIT.fullmatch(revision):
            return revision
        if self._offline:
            raise Offline(
                f"received {reference} to resolve anew while the network is off; expected it on; unset "
                "SIXARTS_OFFLINE"
            )
        return self._resolve(reference.name, revision)

    def examine(self, entry: Cached, repair: bool) -> HubError | None:
        """Hash every file of a cached commit anew; what is wrong with the first that differs.

        Args:
            repair: fetch what is wrong or missing, and tell only what is wrong after that.
        """
        name, commit = entry.reference.name, entry.path.name
        ledger = self.cache.ledger(name, commit)
        # A file that is gone has left its name there.
        wanted = {*entry.files, *ledger.paths}
        ledger.forget()
        fetch = repair and not self._offline
        if not fetch and self.cache.listing(name, commit) is None:
            return NotFound(
                f"received {entry.reference}, whose record is gone; expected the digests of its files; load "
                "it once with the network on"
            )
        reference = replace(entry.reference, revision=commit)
        try:
            listing = self.listing(reference, commit)
            with self.cache.using(name, commit):
                snapshot = self._snapshot(reference, listing, False, fetch)
                snapshot.obtain(*sorted(wanted.intersection(snapshot.listing.paths)))
        except HubError as error:
            return error
        return None

    def _bring(self, reference: Reference, commit: str, choose: Choose | None, progress: bool) -> Snapshot:
        return self.bring(reference, self.listing(reference, commit), choose, progress)

    def bring(
        self, reference: Reference, listing: Listing, choose: Choose | None, progress: bool
    ) -> Snapshot:
        """Bring the files of a commit here, whole, and use it until this process ends; nothing is resolved.

        Args:
            listing: what they are held against.

        Raises:
            NotFound, Offline, Unreachable, Corrupt, UnsafeFile, ManifestError, DiskError, Locked: as they
                say.
        """
        with self.cache.using(reference.name, listing.commit):
            snapshot = self._snapshot(reference, listing, progress, not self._offline)
            paths = choose(snapshot.listing, snapshot.read) if choose else snapshot.all_files
            snapshot.obtain(*paths)
        snapshot.check_signed()
        return snapshot

    def _snapshot(self, reference: Reference, listing: Listing, progress: bool, fetch: bool) -> Snapshot:
        name, commit = reference.name, listing.commit
        return Snapshot(
            self.cache,
            name,
            listing,
            self.cache.ledger(name, commit),
            self._source(name, commit) if fetch else None,
            str(reference),
            progress,
            self._trust,
        )

    # The three questions that an endpoint is asked. The client library is imported by the first: what is
    # cached is loaded without it.

    def _resolve(self, name: str, revision: str) -> str:
        from sixarts_hub import fetch

        return fetch.resolve(self._endpoint, name, revision)

    def _list(self, name: str, commit: str) -> Listing:
        from sixarts_hub import fetch

        return fetch.list_files(self._endpoint, name, commit)

    def _source(self, name: str, commit: str) -> Source:
        def part(path: str, start: int) -> AbstractContextManager[Part]:
            from sixarts_hub import fetch

            return fetch.source(self._endpoint, name, commit)(path, start)

        return part

    def listing(self, reference: Reference, commit: str) -> Listing:
        """What a commit holds: the record, else the endpoint's answer, which is recorded.

        Raises:
            Offline, NotFound, Unreachable, UnsafeFile: there is no record.
        """
        listing = self.cache.listing(reference.name, commit)
        if listing is None:
            if self._offline:
                raise Offline(
                    f"received {reference.name}@{commit}, of which nothing is cached; expected it in "
                    f"{self.cache.root} since the network is off; {_advice(reference)}"
                )
            listing = self._list(reference.name, commit)
            self.cache.keep_listing(reference.name, listing)
        return listing

    def _commit(self, reference: Reference, update: bool) -> tuple[str, bool]:
        """The commit that is meant, and whether that is sure: recorded, named, or the endpoint's answer."""
        revision = reference.revision or DEFAULT_REVISION
        if COMMIT.fullmatch(revision):
            return revision, True
        known = self.pinned(reference)
        if known and not update:
            return known, True
        if self._offline:
            raise Offline(
                f"received {reference} with {'update=True' if update else 'no commit on record'}; expected a "
                f"recorded commit in {self.cache.root} since the network is off; {_advice(reference)}"
            )
        try:
            return self._resolve(reference.name, revision), True
        except Unreachable as error:
            cached = known or self._only_commit(reference)
            if cached is None:
                raise
            _warn(reference, cached, error)
            return cached, False

    def _only_commit(self, reference: Reference) -> str | None:
        """The one commit of a model that is cached, where a reference leaves open which is meant."""
        if reference.revision is not None:
            return None
        commits = [entry.commit for entry in self.cache.cached() if entry.reference.name == reference.name]
        return commits[0] if len(commits) == 1 else None

    def pinned(self, reference: Reference) -> str | None:
        """The commit that is on record for a reference's branch."""
        return self.cache.pinned(reference.name, reference.revision or DEFAULT_REVISION)

    def pin(self, reference: Reference, commit: str) -> None:
        """Record the commit that a reference's branch means from now on."""
        revision = reference.revision or DEFAULT_REVISION
        if commit not in (revision, self.pinned(reference)):
            self.cache.pin(reference.name, revision, commit)


def _advice(reference: Reference) -> str:
    return f"run `sixarts pull {reference}` once with the network on (unset SIXARTS_OFFLINE)"


def _warn(reference: Reference, commit: str, error: Unreachable) -> None:
    import logging

    logging.getLogger("sixarts_hub").warning(
        "%s; goes on with the cached %s@%s", error, reference.name, commit
    )
