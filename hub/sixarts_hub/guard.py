"""What our own requests may do and what their answers may say, enforced inside the hub client.

All requests of ``huggingface_hub`` and ours go through one HTTP client for the whole process, made by a
replaceable factory; ours wraps the factory in force (a person's proxy settings stay) and adds two hooks:
limits of time, no token for another origin, no file of another commit. They act inside :func:`watch` only, so
other users of the library in this process see no difference.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from huggingface_hub.utils import _http as client_library

from sixarts_hub.endpoint import is_private
from sixarts_hub.errors import Unreachable
from sixarts_hub.hiding import remember
from sixarts_hub.reference import COMMIT

if TYPE_CHECKING:
    import httpx2

#: Seconds to connect, and between two packets of an answer.
CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0
#: The same where the endpoint has work to do first: it makes a commit.
COMMIT_SECONDS = 120.0

_ETAG = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True)
class _Watch:
    endpoint: str
    commit: str | None
    seconds: float


@dataclass(frozen=True)
class _Guarded:
    """Makes the client that ``factory`` makes, with our hooks."""

    factory: Callable[[], httpx2.Client]

    def __call__(self) -> httpx2.Client:
        client = self.factory()
        hooks = client.event_hooks
        client.event_hooks = {
            "request": [*hooks["request"], _on_request],
            "response": [*hooks["response"], _on_response],
        }
        return client


_installing = Lock()
_watch: ContextVar[_Watch | None] = ContextVar("sixarts_hub_watch", default=None)


@contextmanager
def watch(endpoint: str, commit: str | None = None, seconds: float | None = None) -> Iterator[None]:
    """Hold the requests made inside to ``endpoint``, its answers to ``commit`` where one is asked for.

    Args:
        endpoint: address of the hub; a token is sent nowhere else.
        commit: where files are asked for: the commit that each must be of.
        seconds: longest silence of the endpoint; ``READ_SECONDS`` by default.

    Raises:
        Unreachable: a file comes with another commit or with an etag that is none; an encrypted address sends
            on to one that is not.
    """
    _install()
    token = _watch.set(_Watch(endpoint, commit, seconds or READ_SECONDS))
    try:
        yield
    finally:
        _watch.reset(token)


def _install() -> None:
    # Setting a factory closes the client in use, so two threads must not both do it.
    with _installing:
        factory = client_library._GLOBAL_CLIENT_FACTORY
        if not isinstance(factory, _Guarded):
            client_library.set_client_factory(_Guarded(factory))


def _on_request(request: httpx2.Request) -> None:
    watched = _watch.get()
    if watched is None:
        return
    quick, slow = CONNECT_SECONDS, watched.seconds
    request.extensions["timeout"] = {"connect": quick, "pool": slow, "read": slow, "write": slow}
    if origin(str(request.url)) != origin(watched.endpoint):
        request.headers.pop("authorization", None)
    remember(request.headers.get("authorization", ""))


def _on_response(response: httpx2.Response) -> None:
    watched = _watch.get()
    if watched is None:
        return
    url = str(response.request.url)
    if response.has_redirect_location:
        target = urljoin(url, response.headers["location"])
        if is_private(url) and not is_private(target):
            raise Unreachable(
                f"received a redirect from {watched.endpoint} to {urlsplit(target).hostname}, which is not "
                "encrypted; expected https; nothing was fetched; check the endpoint's address"
            )
        if origin(target) == origin(url):
            return
    # Storage elsewhere knows nothing of commits, and its etags are its own.
    if watched.commit and origin(url) == origin(watched.endpoint):
        _check_headers(response, watched.endpoint, watched.commit)


def _check_headers(response: httpx2.Response, endpoint: str, expected: str) -> None:
    """Hold a file's headers against what was asked for."""
    failed = response.status_code >= 400
    commit = response.headers.get("x-repo-commit", "")
    if failed and not commit:
        return
    if not COMMIT.fullmatch(commit) or commit != expected:
        raise Unreachable(
            f"received the commit {commit[:80]!r} from {endpoint}; expected {expected}; nothing was written; "
            "check the endpoint's address"
        )
    if failed:
        return
    etag = (response.headers.get("x-linked-etag") or response.headers.get("etag") or "").removeprefix("W/")
    if not _ETAG.fullmatch(etag.strip('"')):
        raise Unreachable(
            f"received the etag {etag[:80]!r} from {endpoint}; expected 40 or 64 hex digits; nothing was "
            "written; check the endpoint's address"
        )


def origin(url: str) -> tuple[str, str | None, int | None]:
    """Scheme, host and port: whom an address speaks to."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
