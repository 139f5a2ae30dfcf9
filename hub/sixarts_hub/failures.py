"""What the hub client raises, told in our own errors."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime

import httpx2
from huggingface_hub import errors as library

from sixarts_hub import disk
from sixarts_hub.errors import HubError, NotFound, Offline, Unreachable
from sixarts_hub.hiding import hidden, hide

#: Error classes of the client that say by themselves what is wrong, most special first.
_TABLE: tuple[tuple[type[BaseException], type[HubError], str, str, str], ...] = (
    (
        library.GatedRepoError,
        NotFound,
        "a refusal: access to it is gated",
        "a token of somebody who was granted access",
        "ask on its page, then log in with `hf auth login` or set HF_TOKEN",
    ),
    (
        library.RepositoryNotFoundError,
        NotFound,
        "that it does not exist, or is private",
        "a public repository, or a token that may read it",
        "check the spelling, or log in with `hf auth login` or set HF_TOKEN",
    ),
    (
        library.RevisionNotFoundError,
        NotFound,
        "that the revision does not exist",
        "one of its branches, tags or commits",
        "check the part after '@', or leave it out",
    ),
    (
        library.EntryNotFoundError,
        NotFound,
        "that the file does not exist",
        "a file of its listing",
        "fetch again with update=True",
    ),
    (
        library.OfflineModeIsEnabled,
        Offline,
        "no answer: HF_HUB_OFFLINE switched the network off when the client was imported",
        "network access",
        "unset HF_HUB_OFFLINE and start again",
    ),
)
_DENIED = {401, 403}
_CONFLICT = {409, 412}
# What passes: too busy, broken for now, a gateway that waits in vain.
_PASSING = {408, 425, 429, 500, 502, 503, 504}
_PASSING_ERRORS = (
    httpx2.TimeoutException,
    httpx2.NetworkError,
    httpx2.ProxyError,
    httpx2.RemoteProtocolError,
)
# No endpoint means more; beyond it a date has no name.
_LONGEST_DELAY = 10 * 365 * 86400.0


@contextmanager
def explained(endpoint: str, subject: str) -> Iterator[None]:
    """Turn what the client raises inside into our errors.

    Args:
        endpoint: address of the hub, for the message.
        subject: what was asked for, e.g. ``"me/model@main"``.

    Raises:
        NotFound, Offline, Unreachable, DiskError, HubError: as the tree in ``errors`` says. No text in it or
            in what led to it holds a token that was sent.
    """
    try:
        yield
    except HubError as error:
        hide(error)
        raise
    except (
        OSError,
        httpx2.HTTPError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RuntimeError,
    ) as error:
        hide(error)
        raise _told(error, endpoint, subject) from error


def seconds_to_wait(value: str | None) -> float | None:
    """What a ``Retry-After`` header asks for, which is a number of seconds or a date (RFC 9110, 10.2.3).

    >>> seconds_to_wait("120"), seconds_to_wait("Wed, 21 Oct 2015 07:28:00 GMT"), seconds_to_wait("soon")
    (120.0, 0.0, None)
    """
    value = (value or "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:20]), _LONGEST_DELAY)
    try:
        return min(max(0.0, parsedate_to_datetime(value).timestamp() - time.time()), _LONGEST_DELAY)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _told(error: BaseException, endpoint: str, subject: str) -> HubError:
    # Where the client first looked in its own cache, or ran an upload in a thread, the reason is the cause.
    if isinstance(error, library.LocalEntryNotFoundError | RuntimeError) and error.__cause__:
        return _told(error.__cause__, endpoint, subject)
    if isinstance(error, HubError):
        return error
    asked = f"asked {endpoint} for {subject}: "
    for kind, ours, received, expected, advice in _TABLE:
        if isinstance(error, kind):
            return ours(f"{asked}received {received}; expected {expected}; {advice}")
    if isinstance(error, library.HfHubHTTPError):
        return _told_by_status(error, endpoint, subject)
    if isinstance(error, httpx2.HTTPError):
        unreachable = Unreachable(
            f"{asked}received no whole answer ({type(error).__name__}: {hidden(str(error))}); expected one; "
            "check the network and the address, or use what is cached with SIXARTS_OFFLINE=1"
        )
        unreachable.passing = isinstance(error, _PASSING_ERRORS)
        return unreachable
    if isinstance(error, OSError):
        return disk.refused(error, f"on fetching {subject}")
    return Unreachable(
        f"{asked}received an answer that is not a hub's "
        f"({type(error).__name__}: {hidden(str(error))[:200]}); "
        "expected the hub's JSON; check the address in HF_ENDPOINT, and proxies that answer with pages of "
        "their own"
    )


def _told_by_status(error: library.HfHubHTTPError, endpoint: str, subject: str) -> HubError:
    status = error.response.status_code
    received = f"asked {endpoint} for {subject}: received status {status}"
    if error.server_message:
        received += f" ({hidden(error.server_message)[:200]})"
    if status in _DENIED:
        return HubError(
            f"{received}; expected permission; log in with `hf auth login`, or pass a token that has it"
        )
    if status in _CONFLICT:
        return HubError(
            f"{received}; expected the branch as it was when this began; pull what others pushed, then push "
            "again"
        )
    unreachable = Unreachable(
        f"{received}; expected success; try again later, or use what is cached with SIXARTS_OFFLINE=1"
    )
    unreachable.passing = status in _PASSING
    unreachable.retry_after = seconds_to_wait(error.response.headers.get("retry-after"))
    return unreachable
