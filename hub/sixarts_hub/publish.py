"""Putting a model folder on a hub: in one commit, or on a pull request, or only told what that would do."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import CommitOperationAdd, CommitOperationDelete
from huggingface_hub.utils.tqdm import disable_progress_bars

from sixarts_hub import fetch
from sixarts_hub.endpoint import Endpoint
from sixarts_hub.errors import Corrupt, HubError, NotFound, Unreachable
from sixarts_hub.failures import explained
from sixarts_hub.guard import COMMIT_SECONDS, watch
from sixarts_hub.listing import SIGNATURE, Listing
from sixarts_hub.manifest import Manifest
from sixarts_hub.plan import Pushed, Sent, compared, published, sound
from sixarts_hub.retry import persist


@dataclass(frozen=True)
class Target:
    """Where a push goes.

    Attributes:
        endpoint: the hub.
        name: ``OWNER/NAME``.
        revision: the branch.
        private: whether the repository must be, or is to be made, private.
        create_pr: whether a pull request is opened in place of moving the branch.
    """

    endpoint: Endpoint
    name: str
    revision: str
    private: bool = False
    create_pr: bool = False

    def pushed(self, files: tuple[Sent, ...], commit: str | None = None, **more: Any) -> Pushed:
        """The result, with the commit's page."""
        page = f"{self.endpoint.url}/{self.name}/commit/{commit}" if commit else ""
        return Pushed(self.name, self.revision, files, commit, **{"url": page} | more)


@dataclass(frozen=True)
class _Head:
    """A branch as it was when a push began."""

    commit: str
    listing: Listing


def push(target: Target, folder: Path, message: str | None = None) -> Pushed:
    """Publish what the folder's manifest lists, and the manifest.

    All files arrive in one commit on top of the branch as it was at the start, or none does. Other files
    that the branch holds stay. The repository is created where there is none, unless a pull request is
    asked for. A folder that the branch holds already makes no commit.

    Raises:
        ManifestError: the folder has no manifest.
        Corrupt: a file is not what the manifest says.
        BadSignature: the folder is signed, and not as it is now.
        NotFound: the branch does not exist, or for a pull request the repository.
        Unreachable: no answer, or none of a hub; the message says what is known of the commit.
        HubError: no permission; the branch moved meanwhile; ``private`` is asked of a public repository; the
            repository's ``.gitignore`` leaves out a file of the model.
    """
    manifest = sound(folder)
    if not target.create_pr:
        _create(target)
    head = _head(target)
    files = compared(folder, manifest, head.listing)
    if all(file.standing == "unchanged" for file in files):
        return target.pushed(
            files, head.commit, note="the branch holds all of it already: no commit was made"
        )
    operations = _operations(folder, manifest)
    for operation in operations:
        _upload(target, operation)
    changes: list[CommitOperationAdd | CommitOperationDelete] = [*operations]
    if SIGNATURE in head.listing and not (folder / SIGNATURE).is_file():
        # It was made over what the branch held before.
        changes = [*operations, CommitOperationDelete(SIGNATURE)]
    try:
        done = _commit(target, changes, head.commit, message or f"Upload a model for {manifest.task}")
        commit = fetch.checked_commit(target.endpoint, done.oid)
    except Unreachable as error:
        return target.pushed(files, _after_silence(target, folder, manifest, head.commit, error))
    if not target.create_pr:
        return target.pushed(files, commit)
    number = int(done.pr_num)
    # Made here from the number: an address that the endpoint sends would be shown to a person.
    url = f"{target.endpoint.url}/{target.name}/discussions/{number}"
    return target.pushed(files, commit, url=url, pull_request=number)


def plan(target: Target, folder: Path) -> Pushed:
    """What :func:`push` would send; nothing is written anywhere.

    Raises:
        ManifestError, Corrupt, NotFound, HubError: as :func:`push`.
    """
    manifest = sound(folder)
    held: Listing | None = None
    note = ""
    try:
        held = _head(target).listing
    except NotFound:
        if target.create_pr or _exists(target):
            raise
        held, note = (
            Listing("", ()),
            "the repository is not there, or not for you to see: it would be created",
        )
    except Unreachable as error:
        note = f"what the hub holds is not known: {error}"
    return target.pushed(compared(folder, manifest, held), note=note)


def _exists(target: Target) -> bool:
    """Whether the repository does, where one of its branches does not."""
    try:
        fetch.resolve(target.endpoint, target.name, "main")
    except NotFound:
        return False
    return True


def _create(target: Target) -> None:
    def once() -> None:
        with _asking(target, f"the repository {target.name}"):
            fetch.api(target.endpoint).create_repo(target.name, private=target.private or None, exist_ok=True)

    persist(once)


def _head(target: Target) -> _Head:
    def once() -> Any:
        with _asking(target, f"{target.name}@{target.revision}"):
            return fetch.api(target.endpoint).model_info(target.name, revision=target.revision)

    before = persist(once)
    if target.private and not before.private:
        raise HubError(
            f"received private=True for {target.name}, which is public already; expected a private or a new "
            "repository; nothing was uploaded; change its visibility on its page first"
        )
    commit = fetch.checked_commit(target.endpoint, before.sha)
    return _Head(commit, fetch.list_files(target.endpoint, target.name, commit))


def _operations(folder: Path, manifest: Manifest) -> list[CommitOperationAdd]:
    operations = [CommitOperationAdd(path, folder / path) for path in published(folder, manifest)]
    for operation in operations:
        listed = manifest.files.get(operation.path_in_repo)
        if listed and operation.upload_info.sha256.hex() != listed.sha256:
            raise Corrupt(
                f"received {operation.path_in_repo} in {folder}, which changed while it was being read; "
                "expected it as sixarts.json says; save the model again"
            )
    return operations


def _upload(target: Target, operation: CommitOperationAdd) -> None:
    """Send a large file; it belongs to nothing until a commit names it.

    One at a time: the library uploads several in threads, which the watch does not reach.
    """
    path = operation.path_in_repo

    def once() -> None:
        with _asking(target, f"an upload of {path} to {target.name}"), _quiet():
            fetch.api(target.endpoint).preupload_lfs_files(
                target.name,
                [operation],
                revision=target.revision,
                create_pr=target.create_pr,
                free_memory=False,
            )

    persist(once)
    if getattr(operation, "_should_ignore", False):
        raise HubError(
            f"received a .gitignore in {target.name} that leaves out {path}; expected one that takes every "
            "file of the model; nothing was published; mend it in the repository"
        )


def _commit(
    target: Target,
    operations: Sequence[CommitOperationAdd | CommitOperationDelete],
    parent: str,
    message: str,
) -> Any:
    """One request, made once: a repetition whose first answer was lost would commit twice."""
    with _asking(target, f"a commit to {target.name}@{target.revision}"), _quiet():
        return fetch.api(target.endpoint).create_commit(
            target.name,
            list(operations),
            commit_message=message,
            revision=target.revision,
            parent_commit=parent,
            create_pr=target.create_pr,
        )


def _after_silence(target: Target, folder: Path, manifest: Manifest, parent: str, error: Unreachable) -> str:
    """The commit, where it was made although its answer was lost.

    Raises:
        Unreachable: it was not made, or nobody knows.
    """
    if target.create_pr:
        pages = f"{target.endpoint.url}/{target.name}/discussions"
        raise Unreachable(
            f"{error}; whether the pull request was opened is not known; see {pages} before you push again"
        ) from error
    try:
        now = _head(target)
    except HubError:
        raise Unreachable(
            f"{error}; whether the commit was made is not known; `sixarts push --dry-run` tells, once the "
            "endpoint answers"
        ) from error
    if now.commit == parent:
        raise Unreachable(f"{error}; nothing was published; push again") from error
    if any(file.standing != "unchanged" for file in compared(folder, manifest, now.listing)):
        raise Unreachable(
            f"{error}; {target.revision} of {target.name} moved to {now.commit}, another's commit; nothing "
            "of this folder was published; push again"
        ) from error
    return now.commit


@contextmanager
def _asking(target: Target, subject: str) -> Iterator[None]:
    """Requests of a push: told in our errors, and patient, since the endpoint has work to do."""
    with explained(target.endpoint.url, subject), watch(target.endpoint.url, seconds=COMMIT_SECONDS):
        yield


def _quiet() -> AbstractContextManager[Any]:
    return nullcontext() if sys.stderr.isatty() else disable_progress_bars()
