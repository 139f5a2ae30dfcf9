"""Room on the disk, and what the disk refuses, told in our own errors."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sixarts_hub.errors import DiskError, HubError

_FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
_ELSEWHERE = "set SIXARTS_HOME to another folder"


def refused(error: OSError, doing: str) -> DiskError:
    """``error`` of the operating system as ours.

    Args:
        doing: what was tried, e.g. ``"on keeping model.safetensors"``.
    """
    advice = "make room (`sixarts cache`)" if error.errno in _FULL else "permit it"
    return DiskError(
        f"received an error of the disk {doing} ({error}); expected to write to the cache; {advice}, or "
        f"{_ELSEWHERE}; what has arrived is kept and the next call goes on from there"
    )


@contextmanager
def writing(doing: str) -> Iterator[None]:
    """Tell what the operating system raises inside.

    Raises:
        DiskError: the disk is full, read-only, not permitted, or breaks.
    """
    try:
        yield
    except HubError:
        # An endpoint that is out of reach is an OSError, too.
        raise
    except OSError as error:
        raise refused(error, doing) from error


def free(folder: Path) -> int | None:
    """Bytes that are free where ``folder`` is or will be; ``None`` where nobody knows."""
    for place in (folder, *folder.parents):
        try:
            usage = shutil.disk_usage(place)
        except OSError:
            continue
        # Some network disks report nothing at all.
        return usage.free if usage.total else None
    return None


def check_room(folder: Path, needed: int, doing: str) -> None:
    """Refuse early what cannot fit.

    Args:
        needed: bytes that are about to be written under ``folder``.

    Raises:
        DiskError: less than that is free; the message has both.
    """
    room = free(folder)
    if room is not None and needed > room:
        raise DiskError(
            f"received {needed} bytes to keep {doing}, and {room} bytes are free in {folder}; expected room "
            f"for all; nothing was fetched; make room (`sixarts cache`), or {_ELSEWHERE}"
        )
