"""Requests to a hub: the commit of a branch, the files of a commit, a file.

The only modules that import ``huggingface_hub`` are this one and those that it or ``publish`` builds on;
``client`` imports them on the first request.
"""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path
from typing import Any

# Read when the library is imported: plain transfers, which every endpoint that speaks to Git LFS serves.
os.environ.setdefault("HF_HUB_DISABLE_XET", "1")

from huggingface_hub import HfApi, hf_hub_download
from huggingface_hub.hf_api import RepoFile

from sixarts_hub.endpoint import Endpoint
from sixarts_hub.errors import Unreachable
from sixarts_hub.failures import explained
from sixarts_hub.guard import watch
from sixarts_hub.listing import File, Listing, check_names
from sixarts_hub.reference import COMMIT

# More files than any model has; a tree without end would fill the memory.
_MOST_FILES = 50_000


class _NoBar:
    """Takes the place of a progress bar and shows nothing."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __enter__(self) -> _NoBar:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def update(self, _: float | None = 1) -> None:
        pass


def api(endpoint: Endpoint) -> HfApi:
    """The client library's face, bound to one endpoint and token."""
    return HfApi(endpoint.url, token=endpoint.library_token, library_name="sixarts")


def resolve(endpoint: Endpoint, name: str, revision: str) -> str:
    """The commit that a branch, tag or short commit stands for now.

    Raises:
        NotFound: the repository or the revision does not exist.
        Unreachable: no answer, or one whose commit is not 40 hex digits.
    """
    with explained(endpoint.url, f"{name}@{revision}"), watch(endpoint.url):
        commit = api(endpoint).model_info(name, revision=revision).sha
    return checked_commit(endpoint, commit)


def checked_commit(endpoint: Endpoint, commit: object) -> str:
    """``commit`` as the endpoint sent it, once its form is sure: it becomes part of paths."""
    if not isinstance(commit, str) or not COMMIT.fullmatch(commit):
        raise Unreachable(
            f"received the commit {str(commit)[:80]!r} from {endpoint.url}; expected 40 hex digits; nothing "
            "was written; check the endpoint's address"
        )
    return commit


def list_files(endpoint: Endpoint, name: str, commit: str) -> Listing:
    """The files of a commit, their names held against :func:`sixarts_hub.listing.check_names`.

    Raises:
        UnsafeFile: a name in the tree is hostile.
    """
    with explained(endpoint.url, f"the files of {name}@{commit}"), watch(endpoint.url):
        tree = api(endpoint).list_repo_tree(name, recursive=True, revision=commit)
        entries = list(islice((entry for entry in tree if isinstance(entry, RepoFile)), _MOST_FILES + 1))
        if len(entries) > _MOST_FILES:
            raise ValueError(f"more than {_MOST_FILES} files")
        check_names(entry.path for entry in entries)
        return Listing(commit, tuple(map(_file, entries)))


def download(endpoint: Endpoint, name: str, commit: str, path: str, cache: Path, progress: bool) -> None:
    """Put one file into the client library's cache at ``cache``; its content is not checked here.

    A progress bar shows on a terminal only.
    """
    with explained(endpoint.url, f"{path} of {name}@{commit}"), watch(endpoint.url, commit):
        hf_hub_download(
            name,
            path,
            revision=commit,
            cache_dir=cache,
            endpoint=endpoint.url,
            token=endpoint.library_token,
            library_name="sixarts",
            tqdm_class=None if progress else _NoBar,
        )


def _file(entry: RepoFile) -> File:
    if entry.lfs:
        return File(entry.path, entry.lfs.size, f"sha256:{entry.lfs.sha256}")
    return File(entry.path, entry.size, f"git-sha1:{entry.blob_id}")
