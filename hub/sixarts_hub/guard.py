"""What our own requests may do and what their answers may say, enforced inside the hub client.

``huggingface_hub`` builds paths from the commit and the etag that an endpoint sends, and waits on most
requests without a limit. All its requests go through one HTTP client for the whole process, made by a
replaceable factory; ours wraps the factory in force (a person's proxy settings stay) and adds two hooks.
They act inside :func:`watch` only, so other users of the library in this process see no difference.
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

from sixarts_hub.errors import Unreachable
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
        commit: the commit that every file must be of.
        seconds: longest silence of the endpoint; ``READ_SECONDS`` by default.

    Raises:
        Unreachable: an answer carries a commit or an etag that must not become a path.
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
    request.extensions["timeout"] = {"connect": quick, "pool": quick, "read": slow, "write": slow}
    if _origin(str(request.url)) != _origin(watched.endpoint):
        request.headers.pop("authorization", None)


def _on_response(response: httpx2.Response) -> None:
    watched = _watch.get()
    # The client takes paths from the answers to HEAD alone, and follows a redirect within the endpoint.
    if watched is None or response.request.method != "HEAD":
        return
    url = str(response.request.url)
    if response.has_redirect_location and _origin(urljoin(url, response.headers["location"])) == _origin(url):
        return
    failed = response.status_code >= 400
    commit = response.headers.get("x-repo-commit", "")
    if failed and not commit:
        return
    if not COMMIT.fullmatch(commit) or (watched.commit and commit != watched.commit):
        raise Unreachable(
            f"received the commit {commit[:80]!r} from {watched.endpoint}; expected "
            f"{watched.commit or '40 hex digits'}; nothing was written; check the endpoint's address"
        )
    if failed:
        return
    etag = (response.headers.get("x-linked-etag") or response.headers.get("etag") or "").removeprefix("W/")
    if not _ETAG.fullmatch(etag.strip('"')):
        raise Unreachable(
            f"received the etag {etag[:80]!r} from {watched.endpoint}; expected 40 or 64 hex digits; nothing "
            "was written; check the endpoint's address"
        )


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
