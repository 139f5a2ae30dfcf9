"""What the hub client raises, told in our own errors."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
from huggingface_hub import errors as library

from sixarts_hub.errors import Corrupt, HubError, NotFound, Offline, Unreachable

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


@contextmanager
def explained(endpoint: str, subject: str) -> Iterator[None]:
    """Turn what the client raises inside into our errors.

    Args:
        endpoint: address of the hub, for the message.
        subject: what was asked for, e.g. ``"me/model@main"``.

    Raises:
        NotFound, Offline, Unreachable, Corrupt, HubError: as the tree in ``errors`` says.
    """
    try:
        yield
    except HubError:
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
        raise _told(error, endpoint, subject) from error


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
        return Unreachable(
            f"{asked}received no whole answer ({type(error).__name__}: {error}); expected one; check the "
            "network and the address, or use what is cached with SIXARTS_OFFLINE=1"
        )
    if isinstance(error, OSError) and error.errno is None:
        return Corrupt(
            f"{asked}received a file of another size than announced; expected it whole; fetch it again "
            f"({str(error).splitlines()[0]})"
        )
    if isinstance(error, OSError):
        advice = "make room" if error.errno == errno.ENOSPC else "permit it"
        return HubError(
            f"{asked}received an error of the disk ({error}); expected to write to the cache; {advice}, or "
            "set SIXARTS_HOME to another folder"
        )
    return Unreachable(
        f"{asked}received an answer that is not a hub's ({type(error).__name__}: {str(error)[:200]}); "
        "expected the hub's JSON; check the address in HF_ENDPOINT, and proxies that answer with pages of "
        "their own"
    )


def _told_by_status(error: library.HfHubHTTPError, endpoint: str, subject: str) -> HubError:
    status = error.response.status_code
    received = f"asked {endpoint} for {subject}: received status {status}"
    if error.server_message:
        received += f" ({error.server_message[:200]})"
    if status in _DENIED:
        return HubError(
            f"{received}; expected permission; log in with `hf auth login`, or pass a token that has it"
        )
    if status in _CONFLICT:
        return HubError(
            f"{received}; expected the branch as it was when this began; pull what others pushed, then push "
            "again"
        )
    return Unreachable(
        f"{received}; expected success; try again later, or use what is cached with SIXARTS_OFFLINE=1"
    )
