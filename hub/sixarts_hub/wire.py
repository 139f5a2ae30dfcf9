"""One request to a hub, every part of which has a limit: silence, slowness, the wait for headers, size."""

from __future__ import annotations

import contextvars
import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import httpx2
from huggingface_hub.utils._headers import build_hf_headers
from huggingface_hub.utils._http import get_session, hf_raise_for_status

from sixarts_hub.endpoint import Endpoint
from sixarts_hub.failures import explained
from sixarts_hub.guard import watch
from sixarts_hub.stopping import heeded

#: Seconds until all headers of an answer are there, however they trickle, redirects included.
HEADER_SECONDS = 60.0
#: An answer is given up when it brings fewer bytes a second, on average over so many seconds of waiting.
SLOWEST = 1024
PACE_SECONDS = 30.0
#: Bytes: the largest answer that is read as JSON, and what is read of a failure's explanation.
_LARGEST_JSON = 64 << 20
_LARGEST_FAILURE = 1 << 16


@contextmanager
def answer(
    endpoint: Endpoint,
    url: str,
    subject: str,
    *,
    commit: str | None = None,
    headers: Mapping[str, str] | None = None,
    accepted: tuple[int, ...] = (),
) -> Iterator[httpx2.Response]:
    """Ask for ``url`` and give the answer once its headers are there; its body is not read yet.

    Args:
        endpoint: whom the token is for; where ``url`` is elsewhere, it goes without.
        subject: what is asked for, for messages.
        commit: where a file is asked for: the commit that it must be of.
        headers: to send beside the usual ones.
        accepted: statuses of failures that are given like any answer.

    Raises:
        NotFound, HubError: the endpoint has it not, or denies it.
        Unreachable: no answer, none in time, or a failure; it says whether that passes.
        Stopped: somebody asked to stop.
    """
    sent = {**build_hf_headers(token=endpoint.library_token, library_name="sixarts"), **(headers or {})}
    with explained(endpoint.url, subject), watch(endpoint.url, commit):
        response = _headers_in_time(url, sent)
        try:
            with heeded.get().waking(lambda: _hang_up(response.extensions.get("network_stream"))):
                if response.status_code >= 400 and response.status_code not in accepted:
                    hf_raise_for_status(_failure(response))
                yield response
        finally:
            response.close()


def chunks(response: httpx2.Response) -> Iterator[bytes]:
    """The body as it comes.

    Raises:
        httpx2.ReadTimeout: it comes too slowly.
    """
    encoded = response.headers.get("content-encoding", "identity") != "identity"
    return _paced(response.iter_bytes() if encoded else response.iter_raw())


def read_json(response: httpx2.Response) -> Any:
    """The body as JSON.

    Raises:
        ValueError: it is not, or it is larger than any hub's.
    """
    body = bytearray()
    for chunk in chunks(response):
        body += chunk
        if len(body) > _LARGEST_JSON:
            raise ValueError(f"more than {_LARGEST_JSON} bytes")
    return json.loads(body)


def _paced(body: Iterator[bytes]) -> Iterator[bytes]:
    """Pass on what comes, and give up when it comes too slowly; only the wait for the wire counts."""
    waited, received = 0.0, 0
    while True:
        asked = time.monotonic()
        chunk = next(body, None)
        if chunk is None:
            return
        waited += time.monotonic() - asked
        received += len(chunk)
        if waited >= PACE_SECONDS:
            if received < SLOWEST * waited:
                raise httpx2.ReadTimeout(f"{received} bytes in {waited:.0f} s")
            waited, received = 0.0, 0
        yield chunk


def _headers_in_time(url: str, headers: Mapping[str, str]) -> httpx2.Response:
    """Send a GET and wait for the headers of its answer, at most ``HEADER_SECONDS``.

    The client limits the silence between two packets and not the whole, so that headers that trickle would
    hold it for ever. It is asked in a thread that is left behind then; its connection is cut if it is known.
    """
    opened: list[Any] = []
    outcome: list[httpx2.Response | BaseException] = []
    decided, done = threading.Lock(), threading.Event()

    def trace(event: str, info: Mapping[str, Any]) -> None:
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            opened.append(info["return_value"])

    def ask() -> None:
        result: httpx2.Response | BaseException
        try:
            session = get_session()
            request = session.build_request("GET", url, headers=headers, extensions={"trace": trace})
            result = session.send(request, stream=True, follow_redirects=True)
        except BaseException as error:
            result = error
        with decided:
            abandoned = bool(outcome)
            outcome.append(result)
        if abandoned and isinstance(result, httpx2.Response):
            result.close()
        done.set()

    def abandon(reason: BaseException) -> None:
        with decided:
            outcome.append(reason)
        for stream in opened:
            _hang_up(stream)
        done.set()

    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(ask,), name="sixarts-headers", daemon=True).start()
    try:
        with heeded.get().waking(lambda: abandon(httpx2.ReadTimeout("stopped"))):
            if not done.wait(HEADER_SECONDS):
                abandon(httpx2.ReadTimeout(f"no whole headers in {HEADER_SECONDS:.0f} s"))
    except BaseException as error:
        abandon(error)
        raise
    first = outcome[0]
    if isinstance(first, BaseException):
        raise first
    return first


def _hang_up(stream: Any) -> None:
    """Cut a connection, which ends a read that waits on it in another thread."""
    with suppress(OSError, AttributeError):
        stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)


def _failure(response: httpx2.Response) -> httpx2.Response:
    """A failure with as much of its explanation as anybody reads; its body may have no end."""
    body = bytearray()
    with suppress(httpx2.HTTPError):
        for chunk in chunks(response):
            body += chunk
            if len(body) > _LARGEST_FAILURE:
                break
    kept = {name: value for name, value in response.headers.items() if name != "content-encoding"}
    # Without the query: an address of storage carries a signature there, which is a key for a while.
    request = httpx2.Request(
        response.request.method, response.request.url.copy_with(query=None), headers=response.request.headers
    )
    return httpx2.Response(
        response.status_code, headers=kept, content=bytes(body[:_LARGEST_FAILURE]), request=request
    )
