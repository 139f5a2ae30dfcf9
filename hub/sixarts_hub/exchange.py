"""A folder put in another's place at one moment: a reader, or a kill, sees the old or the new whole.

A rename over a full folder is not allowed, and two renames leave a moment without a folder. Linux can
exchange two names in one step (``renameat2``, ``RENAME_EXCHANGE``). Elsewhere the old folder is set aside
under a hidden name, and whoever looks for it next puts it back if the writer died between the two.

Hidden siblings of ``NAME`` are ``.NAME.RANDOM.draft`` and ``.NAME.RANDOM.old``. Their writer holds a lock
that the kernel frees when it dies, so what a dead one left is told from what a living one still writes.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from sixarts_hub.errors import HubError

try:
    from fcntl import LOCK_EX, LOCK_NB, flock
except ImportError:  # Windows: nothing is locked there, and so nothing is ever taken for left behind
    flock = None  # type: ignore[assignment]

#: Longest wait for a living writer that is between its two renames.
PATIENCE_SECONDS = 10.0
# From Linux's fcntl.h and fs.h.
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
#: What a kernel, a file system or a sandbox says that cannot exchange two names.
_CANNOT = {errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EPERM}
# Other writers may come and go between a look and a rename; so many in a row do not.
_ATTEMPTS = 100


@contextmanager
def drafting(folder: Path) -> Iterator[Path]:
    """A hidden draft beside ``folder``, for its new content; it is gone when the context is left.

    Drafts that dead writers left are removed first, and a folder that one left aside is put back.

    Raises:
        OSError: the disk is full or read-only.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    recover(folder)
    for stale in _siblings(folder, "draft"):
        _sweep(stale)
    draft, lock = _locked_draft(folder)
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def replace_folder(draft: Path, folder: Path) -> None:
    """Put a finished draft in the place of ``folder``, whether or not it exists; the old content is removed.

    Raises:
        OSError: the folder cannot be renamed; it stays as it is.
        HubError: others replaced it again and again meanwhile.
    """
    _to_disk(draft)
    for _ in range(_ATTEMPTS):
        if not os.path.lexists(folder):
            # Somebody may have made one since; a full folder is not overwritten.
            with suppress(NotADirectoryError), _full_folder_is_no_error():
                draft.rename(folder)
                return
        try:
            if _exchange(draft, folder):
                shutil.rmtree(draft, ignore_errors=True)
                return
        except FileNotFoundError:
            continue
        if _set_aside(draft, folder):
            return
    raise HubError(f"received {folder}, which others kept replacing; expected it still; save it again")


def recover(folder: Path) -> bool:
    """Put back the folder that a dead writer left aside; whether ``folder`` is there now.

    A writer that lives, or that cannot be told from one, is waited for, ``PATIENCE_SECONDS`` at most.
    """
    patient_until = time.monotonic() + PATIENCE_SECONDS
    while not os.path.lexists(folder):
        # The newest is what was there last.
        aside = sorted(_siblings(folder, "old"), key=_changed, reverse=True)
        if not aside:
            return os.path.lexists(folder)
        lock = _lock(aside[0])
        if lock is None and time.monotonic() < patient_until:
            time.sleep(0.02)
            continue
        try:
            aside[0].rename(folder)
        except OSError:
            # Its writer, or another who looked for it, was quicker; or the disk is read-only.
            return os.path.lexists(folder)
        finally:
            if lock is not None:
                os.close(lock)
    for old in _siblings(folder, "old"):
        _sweep(old)
    return True


def _locked_draft(folder: Path) -> tuple[Path, int | None]:
    for _ in range(_ATTEMPTS):
        draft = _sibling(folder, "draft")
        draft.mkdir(mode=0o755)
        if flock is None:
            return draft, None
        lock = _lock(draft)
        # Between the two lines a sweeper may have taken it for a dead writer's.
        if lock is None and not draft.exists():
            continue
        return draft, lock
    raise HubError(f"received no draft beside {folder} that lasts; expected one; save it again")


def _set_aside(draft: Path, folder: Path) -> bool:
    """Two renames, for where names cannot be exchanged; whether they were done."""
    old = _sibling(folder, "old")
    lock = _lock(folder)
    try:
        try:
            folder.rename(old)
        except FileNotFoundError:
            return False
        try:
            with _full_folder_is_no_error():
                draft.rename(folder)
        except BaseException:
            with suppress(OSError):
                old.rename(folder)
            raise
        shutil.rmtree(old, ignore_errors=True)
        return not draft.exists()
    finally:
        if lock is not None:
            os.close(lock)


@lru_cache(maxsize=1)
def _renameat2() -> Any:
    """The C library's ``renameat2``; ``None`` where there is none."""
    if not sys.platform.startswith("linux"):
        return None
    import ctypes

    function = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if function is not None:
        function.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
    return function


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two names in one step; ``False`` where that cannot be done.

    Raises:
        FileNotFoundError: one of them is not there.
    """
    function = _renameat2()
    if function is None:
        return False
    if function(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    import ctypes

    number = ctypes.get_errno()
    if number in _CANNOT:
        return False
    raise OSError(number, os.strerror(number), str(other))


def _to_disk(folder: Path) -> None:
    """Have every file on the disk before the old content goes: a rename may outrun what was written."""
    for path in (*folder.rglob("*"), folder):
        if os.name == "nt" and path.is_dir():
            continue
        descriptor = os.open(path, os.O_RDONLY)
        try:
            with suppress(OSError):
                os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _lock(folder: Path) -> int | None:
    """A descriptor that holds the folder's lock until it is closed; ``None`` when that cannot be had."""
    if flock is None:
        return None
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        flock(descriptor, LOCK_EX | LOCK_NB)
        if os.stat(folder).st_ino == os.fstat(descriptor).st_ino:
            return descriptor
    except OSError:
        pass
    os.close(descriptor)
    return None


def _sweep(left: Path) -> None:
    """Remove what a dead writer left; what a living one holds stays."""
    lock = _lock(left)
    if lock is not None:
        shutil.rmtree(left, ignore_errors=True)
        os.close(lock)


def _sibling(folder: Path, ending: str) -> Path:
    return folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.{ending}")


def _siblings(folder: Path, ending: str) -> list[Path]:
    # Not a glob: a folder's name may hold its special characters.
    start, end, length = f".{folder.name}.", f".{ending}", len(f".{folder.name}..{ending}") + 8
    try:
        return [
            path
            for path in folder.parent.iterdir()
            if path.name.startswith(start) and path.name.endswith(end) and len(path.name) == length
        ]
    except (OSError, ValueError):  # no such parent, or a name that no file can have
        return []


def _changed(path: Path) -> float:
    try:
        return path.stat().st_ctime
    except OSError:
        return 0.0


@contextmanager
def _full_folder_is_no_error() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
