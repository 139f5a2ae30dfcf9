"""Locks between processes, which the operating system lets go of when their holder dies."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sixarts_hub import disk
from sixarts_hub.errors import Locked
from sixarts_hub.stopping import heeded

#: Seconds to wait for a lock whose holder makes no progress.
LOCK_SECONDS = 600.0
_POLL_SECONDS = 0.05


@contextmanager
def held(lock: Path, subject: str, growing: Path) -> Iterator[None]:
    """Hold a lock inside.

    Args:
        lock: its file, which stays afterwards.
        subject: what it guards, for messages.
        growing: a file that grows while its holder works; as long as it does, it is waited for.

    Raises:
        Locked: somebody else holds it and does nothing; the message has its file, and who if that is known.
        DiskError: the lock's file cannot be written.
        Stopped: somebody asked to stop.
    """
    import filelock

    with disk.writing(f"on locking {subject}"):
        lock.parent.mkdir(parents=True, exist_ok=True)
        # Not shared between instances: two threads of one process exclude each other like two processes.
        mine = filelock.FileLock(lock, thread_local=False)
        _acquire(mine, lock, subject, growing)
    try:
        # Windows lets nobody write what is locked.
        with suppress(OSError):
            lock.write_text(str(os.getpid()), encoding="ascii")
        yield
    finally:
        mine.release()


def _acquire(mine: object, lock: Path, subject: str, growing: Path) -> None:
    import filelock

    assert isinstance(mine, filelock.BaseFileLock)
    seen, since = _size(growing), time.monotonic()
    while True:
        try:
            mine.acquire(timeout=0)
            return
        except filelock.Timeout:
            pass
        if (size := _size(growing)) != seen:
            seen, since = size, time.monotonic()
        if time.monotonic() - since >= LOCK_SECONDS:
            raise Locked(
                f"received no access to {subject} for {LOCK_SECONDS:.0f} s, as {_holder(lock)} holds {lock}; "
                "expected it to fetch the file or to let go; wait for it or end it, then try again"
            )
        heeded.get().wait(_POLL_SECONDS)


def _holder(lock: Path) -> str:
    with suppress(OSError, ValueError):
        return f"process {int(lock.read_text(encoding='ascii'))}"
    return "another process"


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return -1
