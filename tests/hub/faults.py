"""What can go wrong between a hub and its client, by name.

``inject(server, "reset", "GET .*resolve", times=2, at=100)`` resets the first two such connections after 100
bytes of the body.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from server import Answer, Fault, HubServer, Request, Way

HTML = b"<html><body>Log in to the network of this hotel</body></html>"
#: A silence that no test waits for.
LONG = 60.0


def _header(**changed: str | None) -> Callable[[Request, Answer], Answer]:
    names = {name.replace("_", "-"): value for name, value in changed.items()}
    return lambda request, answer: replace(answer, headers={**answer.headers, **names})


def _way(**changed: Any) -> Callable[[Request, Answer], Answer]:
    return lambda request, answer: replace(answer, way=replace(answer.way, **changed))


def _status(code: int, retry_after: str | None = None) -> Callable[[Request, Answer], Answer]:
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return lambda request, answer: Answer(code, headers, b"busy")


def _wrong_bytes(request: Request, answer: Answer) -> Answer:
    return replace(answer, body=bytes(byte ^ 1 for byte in answer.body))


def _page(request: Request, answer: Answer) -> Answer:
    return replace(answer, status=200, headers={**answer.headers, "Content-Type": "text/html"}, body=HTML)


def _longer(request: Request, answer: Answer) -> Answer:
    # Without a length, so that only counting shows it.
    return replace(answer, headers={**answer.headers, "Content-Length": None}, body=answer.body * 50)


def _no_length(request: Request, answer: Answer) -> Answer:
    return replace(answer, headers={**answer.headers, "Content-Length": None})


def _misplaced(request: Request, answer: Answer) -> Answer:
    if answer.status != 206:
        return answer
    total = (answer.headers["Content-Range"] or "").rpartition("/")[2]
    return replace(answer, headers={**answer.headers, "Content-Range": f"bytes 1-{int(total) - 1}/{total}"})


def _without_range(request: Request) -> Request:
    return replace(request, headers={k: v for k, v in request.headers.items() if k != "range"})


def _to(url: str) -> Callable[[Request, Answer], Answer]:
    return lambda request, answer: replace(
        answer, status=302, headers={**answer.headers, "Location": url + request.path}, body=b""
    )


#: Makes the change to an answer, from the fault's own arguments.
AFTER: dict[str, Callable[..., Callable[[Request, Answer], Answer]]] = {
    "status": _status,
    "reset": lambda at=0: _way(cut=at, then="reset"),
    "cut": lambda at: _way(cut=at, then="close"),
    "stall": lambda at=10: _way(cut=at, then="silence"),
    "trickle": lambda pause=0.02: _way(chunk=1, pause=pause),
    "headers trickle": lambda pause=0.02: _way(headers_pause=pause),
    "hang": lambda: _way(delay=LONG),
    "slow": lambda chunk=1 << 10, pause=0.01: _way(chunk=chunk, pause=pause),
    "wrong bytes": lambda: _wrong_bytes,
    "page": lambda: _page,
    "longer": lambda: _longer,
    "no length": lambda: _no_length,
    "misplaced": lambda: _misplaced,
    "ignored ranges": lambda: lambda request, answer: answer,
    "header": _header,
    "redirect": _to,
    "answer": lambda answer: lambda request, _: answer,
}


def inject(
    server: HubServer, fault: str, pattern: str = "GET .*resolve", times: float = 1, **arguments: Any
) -> None:
    """Let the next requests that match meet a fault.

    Args:
        fault: a name in ``AFTER``.
        pattern: a regular expression for ``METHOD path``.
        times: how many; ``math.inf`` for all.
        arguments: the fault's own.
    """
    before = _without_range if fault == "ignored ranges" else (lambda request: request)
    server.faults.append(Fault(pattern, before, AFTER[fault](**arguments), times))


ALWAYS = math.inf
__all__ = ["AFTER", "ALWAYS", "HTML", "Way", "inject"]
