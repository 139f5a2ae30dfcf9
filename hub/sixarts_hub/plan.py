"""What a push sends: each file beside what the hub holds. Nothing here opens a socket."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sixarts_hub import manifest as manifests
from sixarts_hub.digest import git_sha1, sha256
from sixarts_hub.listing import SIGNATURE, Listing
from sixarts_hub.manifest import Manifest
from sixarts_hub.seal import check_own_signature

#: How a file stands beside the hub's; ``unknown`` where the hub was not asked.
Standing = Literal["new", "changed", "unchanged", "unknown"]


@dataclass(frozen=True)
class Sent:
    """A file of a push.

    Attributes:
        path: inside the folder.
        size: bytes.
        standing: beside what the hub held before.
    """

    path: str
    size: int
    standing: Standing


@dataclass(frozen=True)
class Pushed:
    """What a push did, or with ``dry_run`` would do.

    Attributes:
        repo: where to.
        revision: the branch.
        files: every file of the model.
        commit: the new commit; the branch's own where nothing differed; ``None`` of a dry run.
        url: the page of the commit or of the pull request; ``""`` of a dry run.
        pull_request: its number, where one was asked for and something differed.
        note: what else there is to know, in a sentence.
    """

    repo: str
    revision: str
    files: tuple[Sent, ...]
    commit: str | None = None
    url: str = ""
    pull_request: int | None = None
    note: str = ""

    def __str__(self) -> str:
        counts = Counter(file.standing for file in self.files)
        told = ", ".join(f"{count} {standing}" for standing, count in counts.items())
        done = self.url or "dry run: nothing was sent"
        return f"{self.repo}@{self.revision}: {told}; {done}" + (f"; {self.note}" if self.note else "")


def compared(folder: Path, manifest: Manifest, held: Listing | None) -> tuple[Sent, ...]:
    """Every file that a push of ``folder`` sends.

    Args:
        folder: a model folder.
        manifest: its manifest.
        held: the files that the hub holds; ``None`` where that is not known.
    """
    digests = None if held is None else {file.path: file.digest for file in held}
    return tuple(
        Sent(path, (folder / path).stat().st_size, _standing(folder / path, path, digests))
        for path in published(folder, manifest)
    )


def planned_offline(folder: Path, name: str, revision: str) -> Pushed:
    """What a push would send, as far as that is known without asking the hub.

    Raises:
        ManifestError, Corrupt, BadSignature: the folder is not sound.
    """
    manifest = sound(folder)
    note = "what the hub holds is not known: the network is off"
    return Pushed(name, revision, compared(folder, manifest, None), note=note)


def sound(folder: Path) -> Manifest:
    """The manifest of a folder that is fit to be published.

    Raises:
        ManifestError: it has none.
        Corrupt: a file is not what the manifest says.
        BadSignature: it is signed, and not as it is now.
    """
    manifest = Manifest.read(folder)
    manifests.verify(folder, manifest)
    check_own_signature(folder, manifest)
    return manifest


def published(folder: Path, manifest: Manifest) -> Iterator[str]:
    """What of a folder is published: the files that its manifest lists, its signature, and the manifest."""
    yield from sorted(manifest.files)
    if (folder / SIGNATURE).is_file():
        yield SIGNATURE
    yield manifests.FILE


def _standing(file: Path, path: str, digests: dict[str, str] | None) -> Standing:
    if digests is None:
        return "unknown"
    if path not in digests:
        return "new"
    own = sha256(file) if digests[path].startswith("sha256:") else git_sha1(file)
    return "unchanged" if own == digests[path] else "changed"
