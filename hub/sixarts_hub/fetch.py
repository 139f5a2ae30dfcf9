"""Requests to a hub: the commit of a branch, the files of a commit, a file from any of its bytes on.

The only modules that import ``huggingface_hub`` are this one and those that it or ``publish`` builds on;
``client`` imports them on the first request.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import Any
from urllib.parse import quote, urljoin

# Read when the library is imported: plain transfers, which every endpoint that speaks to Git LFS serves.
os.environ.setdefault("HF_HUB_DISABLE_XET", "1")

import httpx2
from huggingface_hub import HfApi

from sixarts_hub import wire
from sixarts_hub.endpoint import Endpoint
from sixarts_hub.errors import Unreachable
from sixarts_hub.failures import explained
from sixarts_hub.listing import UNKNOWN, File, Listing, check_names
from sixarts_hub.reference import COMMIT
from sixarts_hub.retry import persist
from sixarts_hub.transfer import NOWHERE, Part, Source

# More files than any model has; a tree without end would fill the memory.
_MOST_FILES = 50_000
_NO_SUCH_RANGE = 416
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-\d{1,18}/(\d{1,18})")


def api(endpoint: Endpoint) -> HfApi:
    """The client library's face, bound to one endpoint and token."""
    return HfApi(endpoint.url, token=endpoint.library_token, library_name="sixarts")


def resolve(endpoint: Endpoint, name: str, revision: str) -> str:
    """The commit that a branch, tag or short commit stands for now.

    Raises:
        NotFound: the repository or the revision does not exist.
        Unreachable: no answer, or one whose commit is not 40 hex digits.
    """
    url = f"{endpoint.url}/api/models/{name}/revision/{quote(revision, safe='')}"

    def ask() -> str:
        with wire.answer(endpoint, url, f"{name}@{revision}") as response:
            info = wire.read_json(response)
            if not isinstance(info, dict):
                raise ValueError("no JSON object")
            return checked_commit(endpoint, info.get("sha"))

    return persist(ask)


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
    subject = f"the files of {name}@{commit}"
    with explained(endpoint.url, subject):
        files = list(islice(_tree(endpoint, name, commit, subject), _MOST_FILES + 1))
        if len(files) > _MOST_FILES:
            raise ValueError(f"more than {_MOST_FILES} files")
        check_names(file.path for file in files)
    return Listing(commit, tuple(files))


def source(endpoint: Endpoint, name: str, commit: str) -> Source:
    """What a transfer takes the files of a commit from."""

    @contextmanager
    def part(path: str, start: int) -> Iterator[Part]:
        url = f"{endpoint.url}/{name}/resolve/{commit}/{quote(path)}"
        # Compressed on the way, a part would begin nowhere in the file.
        headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={start}-"} if start else {})}
        subject = f"{path} of {name}@{commit}"
        asked = wire.answer(
            endpoint, url, subject, commit=commit, headers=headers, accepted=(_NO_SUCH_RANGE,)
        )
        with asked as response:
            yield Part(*_extent(response), wire.chunks(response))

    return part


def _extent(response: httpx2.Response) -> tuple[int, int | None]:
    """Where the bytes of an answer begin in the file, and how many the file has in all, if it says so."""
    if "content-encoding" in response.headers:
        return 0, None
    if response.status_code in (206, _NO_SUCH_RANGE):
        said = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", ""))
        return (int(said[1]), int(said[2])) if said else (NOWHERE, None)
    length = response.headers.get("content-length", "")
    return 0, int(length) if length.isascii() and length.isdigit() and len(length) < 19 else None


def _tree(endpoint: Endpoint, name: str, commit: str, subject: str) -> Iterator[File]:
    """Every file of a commit, page by page."""
    url: str | None = f"{endpoint.url}/api/models/{name}/tree/{commit}?recursive=true&expand=false"

    def ask() -> tuple[list[File], str | None]:
        assert url is not None
        with wire.answer(endpoint, url, subject) as response:
            entries = wire.read_json(response)
            following = response.links.get("next", {}).get("url")
            files = [_file(entry) for entry in entries if entry["type"] == "file"]
            return files, following and urljoin(url, following)

    while url:
        files, url = persist(ask)
        yield from files


def _file(entry: Mapping[str, Any]) -> File:
    if lfs := entry.get("lfs"):
        return File(entry["path"], lfs["size"], f"sha256:{lfs['oid']}")
    oid = entry.get("oid")
    return File(entry["path"], entry["size"], UNKNOWN if oid is None else f"git-sha1:{oid}")
