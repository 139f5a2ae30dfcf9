"""Putting a model folder on a hub, in one commit."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path

from huggingface_hub import CommitOperationAdd
from huggingface_hub.utils.tqdm import disable_progress_bars

from sixarts_hub import fetch
from sixarts_hub import manifest as manifests
from sixarts_hub.endpoint import Endpoint
from sixarts_hub.errors import HubError
from sixarts_hub.failures import explained
from sixarts_hub.guard import COMMIT_SECONDS, watch
from sixarts_hub.manifest import Manifest


def push(
    endpoint: Endpoint, folder: Path, name: str, *, private: bool, message: str | None, revision: str
) -> str:
    """Publish what the folder's manifest lists, and the manifest; the new commit.

    The repository is created where there is none. All files arrive in one commit on top of the branch as
    it was at the start, or none does. Other files that the branch holds stay.

    Raises:
        ManifestError: the folder has no manifest.
        Corrupt: a file is not what the manifest says.
        NotFound: the branch does not exist.
        HubError: no permission; the branch moved meanwhile; ``private`` is asked of a public repository.
    """
    manifest = Manifest.read(folder)
    manifests.verify(folder, manifest)
    operations = [
        CommitOperationAdd(path, folder / path) for path in (*sorted(manifest.files), manifests.FILE)
    ]
    api = fetch.api(endpoint)
    quiet = nullcontext() if sys.stderr.isatty() else disable_progress_bars()
    watched = watch(endpoint.url, seconds=COMMIT_SECONDS)
    with explained(endpoint.url, f"a commit to {name}@{revision}"), watched, quiet:
        api.create_repo(name, private=private or None, exist_ok=True)
        before = api.model_info(name, revision=revision)
        if private and not before.private:
            raise HubError(
                f"received private=True for {name}, which is public already; expected a private or a new "
                "repository; nothing was uploaded; change its visibility on its page first"
            )
        parent = fetch.checked_commit(endpoint, before.sha)
        for operation in operations:
            # One at a time: the library uploads several in threads, which the watch does not reach.
            api.preupload_lfs_files(name, [operation], revision=revision, free_memory=False)
        done = api.create_commit(
            name,
            operations,
            commit_message=message or f"Upload a model for {manifest.task}",
            revision=revision,
            parent_commit=parent,
        )
    return fetch.checked_commit(endpoint, done.oid)
