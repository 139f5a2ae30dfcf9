"""Places as they are in the cache: like an endpoint's repositories, without branches and without a past."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote, unquote

from sixarts_hub.cache import Cache, Cached, entries
from sixarts_hub.endpoint import Endpoint
from sixarts_hub.errors import BadReference, Corrupt, HubError, Offline
from sixarts_hub.listing import UNKNOWN, Listing
from sixarts_hub.mirror import Mirror
from sixarts_hub.places import Place, commit_of
from sixarts_hub.plan import Pushed, compared, published, sound
from sixarts_hub.reference import Reference
from sixarts_hub.seal import Trust
from sixarts_hub.transfer import Part, Source

# The longest name of a folder that every disk takes, less what removals add to it.
_LONGEST_NAME = 230
_ENCODED = re.compile(r"[A-Z%]")


class PlaceCache(Cache):
    """The cache of all places, a folder for each address.

    Args:
        home: folder of everything that Sixarts keeps.
    """

    def __init__(self, home: Path) -> None:
        self.root = home / "places"

    def folder(self, name: str) -> Path:
        """Where a place's files lie.

        Raises:
            BadReference: its address is too long to name a folder.
        """
        # Capitals are told apart on disks that do not, since buckets do.
        spelled = quote(_ENCODED.sub(lambda found: f"%{ord(found[0]):02x}", name), safe="")
        if len(spelled) > _LONGEST_NAME:
            raise BadReference(
                f"received {name!r}, whose folder in the cache would have a name of {len(spelled)} letters; "
                f"expected at most {_LONGEST_NAME}; keep the model at a shorter address"
            )
        return self.root / spelled

    def names(self) -> list[str]:
        """The addresses that have a folder here."""
        folders = [entry.name for entry in entries(self.root) if not entry.name.startswith(".")]
        return sorted(unquote(unquote(folder)) for folder in folders)

    def _snapshots(self, name: str) -> Iterator[Cached]:
        for found in super()._snapshots(name):
            # What is there now needs no commit in its name, what was there before does.
            commit = None if found.revision else found.commit
            yield replace(found, reference=Reference("place", name, commit), revision=None)


class PlaceMirror(Mirror):
    """All places in one cache.

    Args:
        cache: where their files lie.
        offline: never open one.
        trust: whose signatures count.
    """

    def __init__(self, cache: PlaceCache, offline: bool, trust: Trust | None = None) -> None:
        # The endpoint is asked nothing: every question to it is overridden.
        super().__init__(cache, Endpoint("place:"), offline, trust)
        self._places: dict[str, Place] = {}
        self._looked: dict[str, Listing] = {}

    def listing(self, reference: Reference, commit: str) -> Listing:
        """As :meth:`Mirror.listing`; what was just looked up replaces the record.

        A commit that is made of the manifest says nothing of files that were still on their way.
        """
        name = reference.name
        looked = self._looked.pop(name, None)
        if looked is None or looked.commit != commit:
            return super().listing(reference, commit)
        known = self.cache.listing(name, commit) or looked
        learned = {(file.path, file.size): file for file in known}
        files = tuple(
            learned.get((file.path, file.size), file) if file.digest == UNKNOWN else file for file in looked
        )
        listing = replace(looked, files=files)
        self.cache.keep_listing(name, listing)
        return listing

    def push(self, reference: Reference, folder: Path, dry_run: bool, refused: Sequence[str] = ()) -> Pushed:
        """Put a model folder at a place.

        Files go one by one, the manifest last: whoever reads meanwhile finds digests that do not match, or
        the model that was there before.

        Args:
            dry_run: tell what would be sent and send nothing; offline, without a look at what is there.
            refused: options that were given and that no place takes, for the message.

        Raises:
            ManifestError, Corrupt, BadSignature: the folder is not sound.
            Offline, Unreachable, HubError: the place cannot be written.
        """
        name = reference.name
        if refused or reference.revision:
            given = ", ".join(refused) or "a commit"
            raise HubError(
                f"received a push to {name} with {given}; expected the address alone, as a place has no such "
                "thing; leave it out"
            )
        manifest = sound(folder)
        commit = commit_of(folder)
        if self._offline:
            if dry_run:
                note = "what lies there is not known: the network is off"
                return Pushed(name, commit, compared(folder, manifest, None), note=note)
            raise Offline(
                f"received a push to {name} while the network is off; expected it on; unset SIXARTS_OFFLINE"
            )
        place = self._place(name)
        files = compared(folder, manifest, place.held())
        if dry_run:
            return Pushed(name, commit, files)
        found = place.send(folder, list(published(folder, manifest)))
        if found.commit != commit or any(file.size != _size(found, file.path) for file in files):
            raise Corrupt(
                f"received {found.commit} at {name} after a push of {commit}; expected what was sent; "
                "somebody else may have written there at the same time: push again"
            )
        # Whoever published a model means that one when they load it next.
        if self.pinned(reference):
            self.pin(reference, commit)
        return Pushed(name, commit, files, commit, url=f"{name}@{commit}")

    def _resolve(self, name: str, revision: str) -> str:
        self._looked[name] = looked = self._place(name).look()
        return looked.commit

    def _list(self, name: str, commit: str) -> Listing:
        return self._place(name).require(commit)

    def _source(self, name: str, commit: str) -> Source:
        def part(path: str, start: int) -> AbstractContextManager[Part]:
            return self._place(name).source(commit)(path, start)

        return part

    def _place(self, name: str) -> Place:
        if name not in self._places:
            # Refused before anything is asked.
            self.cache.folder(name)
            self._places[name] = Place(name)
        return self._places[name]


def _size(listing: Listing, path: str) -> int | None:
    return next((file.size for file in listing if file.path == path), None)
