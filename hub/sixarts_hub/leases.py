"""Leases: which process uses which cached model, held by the kernel, so that a kill lets go of them.

A lease is a small file beside a model's records. Whoever uses the model holds a shared lock on it
(``flock``), whoever removes the model an exclusive one; the file's time of change is the model's last use.
Where the platform has no ``flock`` (Windows), the file is held open, which there forbids its removal.
"""

from __future__ import annotations

import errno
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sixarts_hub.errors import DiskError, Locked

try:
    from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, flock
except ImportError:
    flock = None  # type: ignore[assignment]

#: Longest wait for a removal that is under way; one takes milliseconds.
PATIENCE_SECONDS = 10.0
#: A use is recorded once in so many seconds, so that a load that fetches nothing writes nothing.
RECORD_SECONDS = 3600.0

_POLL_SECONDS = 0.02
_READ_ONLY = {errno.EACCES, errno.EPERM, errno.EROFS}
# Others may remove a folder while it is opened; so many times in a row they do not.
_ATTEMPTS = 100

# What this process uses, for as long as it lives: the model may be read again at any time.
_held: dict[Path, int] = {}
_guard = threading.RLock()


def hold(lease: Path) -> None:
    """Hold a lease until this process ends, and record its use.

    Where nothing can be written there is no lease and no error: a removal is impossible there as well.

    Raises:
        Locked: a removal holds it and does not end.
    """
    with _guard:
        if not _still_held(lease):
            descriptor = _shared(lease)
            if descriptor is None:
                return
            _held[lease] = descriptor
        _record_use(lease)


def holds(lease: Path) -> bool:
    """Whether this process itself holds it."""
    with _guard:
        return _still_held(lease)


@contextmanager
def shared(lease: Path) -> Iterator[None]:
    """Hold a lease for the length of a context.

    Raises:
        Locked: a removal holds it and does not end.
    """
    descriptor = _shared(lease)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


@contextmanager
def exclusive(subject: str, *leases: Path) -> Iterator[None]:
    """Hold leases that no other process holds; what this process itself holds is given up.

    Args:
        subject: whose leases they are, for messages, e.g. ``"me/model"``.
        leases: their files.

    Raises:
        Locked: another process, or a pull in this one, holds one of them; names the processes if it can.
        DiskError: the cache cannot be written, or its disk keeps no locks.
    """
    with _guard:
        taken: dict[Path, int | None] = {}
        try:
            for lease in leases:
                taken[lease] = _exclusive(subject, lease)
        except BaseException:
            for lease, descriptor in taken.items():
                _let_go(lease, descriptor)
            raise
        for lease in leases:
            _held.pop(lease, None)
        try:
            yield
        finally:
            for descriptor in taken.values():
                if descriptor is not None:
                    os.close(descriptor)


def last_use(lease: Path) -> float | None:
    """When the model was last used, in seconds since 1970, to the hour; ``None`` when nobody recorded it."""
    try:
        return lease.stat().st_mtime
    except OSError:
        return None


def _still_held(lease: Path) -> bool:
    """Whether this process holds the lease at this path, and not one that was removed under its feet."""
    descriptor = _held.get(lease)
    if descriptor is None:
        return False
    if _is_at(descriptor, lease):
        return True
    os.close(_held.pop(lease))
    return False


def _shared(lease: Path) -> int | None:
    patient_until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return _opened(lease) if flock is None else _locked(lease, LOCK_SH)
        except BlockingIOError:
            pass
        except OSError:
            return None
        if time.monotonic() > patient_until:
            raise Locked(
                f"received {lease} locked by {_holders(lease)} for {PATIENCE_SECONDS:.0f} seconds; expected "
                "the removal of a model to end; wait for that process, or end it"
            )
        time.sleep(_POLL_SECONDS)


def _exclusive(subject: str, lease: Path) -> int | None:
    own = _held[lease] if _still_held(lease) else None
    failure: DiskError | Locked
    try:
        if flock is None:
            return _unlinked(subject, lease)
        if own is None:
            return _locked(lease, LOCK_EX)
        flock(own, LOCK_EX | LOCK_NB)
        return own
    except BlockingIOError:
        failure = _in_use(subject, lease)
    except OSError as error:
        failure = _cannot(lease, error)
    _let_go(lease, own)
    raise failure


def _locked(lease: Path, how: int) -> int:
    """A descriptor that holds a lock on what is at the path.

    Raises:
        BlockingIOError: others hold it.
        OSError: it cannot be made, or its disk keeps no locks.
    """
    while True:
        descriptor = _opened(lease)
        try:
            flock(descriptor, how | LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise
        if _is_at(descriptor, lease):
            return descriptor
        # Whoever held it removed it: what is locked now, nobody else would find.
        os.close(descriptor)


def _unlinked(subject: str, lease: Path) -> None:
    """Remove the lease where that stands for locking it: what another process has open stays."""
    own = _held.pop(lease, None)
    if own is not None:
        os.close(own)
    try:
        lease.unlink(missing_ok=True)
    except PermissionError as error:
        if own is not None:
            hold(lease)
        raise _in_use(subject, lease) from error


def _let_go(lease: Path, descriptor: int | None) -> None:
    """Go back to what was held before: a shared lock, or none."""
    if descriptor is None:
        return
    if _held.get(lease) != descriptor:
        os.close(descriptor)
    else:
        # A conversion that failed has let go of the shared lock as well.
        with suppress(OSError):
            flock(descriptor, LOCK_SH | LOCK_NB)


def _opened(lease: Path) -> int:
    for _ in range(_ATTEMPTS):
        # Its folder may be removed between the two steps.
        with suppress(FileNotFoundError):
            lease.parent.mkdir(parents=True, exist_ok=True)
            try:
                return os.open(lease, os.O_RDWR | os.O_CREAT, 0o644)
            except OSError as error:
                # A cache that somebody else fills can be used, and be held while it is.
                if error.errno not in _READ_ONLY or not lease.exists():
                    raise
                return os.open(lease, os.O_RDONLY)
    raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), str(lease))


def _is_at(descriptor: int, lease: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), lease.stat())
    except OSError:
        return False


def _record_use(lease: Path) -> None:
    # A clock that was set back must not make the last use look older than it was.
    with suppress(OSError):
        if time.time() - lease.stat().st_mtime > RECORD_SECONDS:
            os.utime(lease)


def _in_use(subject: str, lease: Path) -> Locked:
    return Locked(
        f"received {subject}, which {_holders(lease)} uses; expected a model that no running process uses; "
        "end that process first"
    )


def _cannot(lease: Path, error: OSError) -> DiskError:
    return DiskError(
        f"received {error} on locking {lease}; expected a cache that can be written and locked, since else "
        "nobody can tell whether a process uses the model; remove its folder by hand if none does"
    )


def _holders(lease: Path) -> str:
    """The processes that hold a lease, where the kernel tells (Linux)."""
    try:
        status = lease.stat()
        table = Path("/proc/locks").read_text(encoding="ascii")
    except (OSError, ValueError):
        return "another process"
    place = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    found = {int(pid) for pid in re.findall(rf" (\d+) {re.escape(place)} ", table)} - {0}
    if not found:
        return "another process"
    return f"process {', '.join(map(str, sorted(found)))}" + (" (this one)" if os.getpid() in found else "")


def _after_fork() -> None:
    # A child shares its parent's locks, which the parent may give up: the child takes its own.
    global _guard
    _guard = threading.RLock()
    for lease, inherited in list(_held.items()):
        del _held[lease]
        with suppress(OSError, Locked):
            hold(lease)
        os.close(inherited)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
