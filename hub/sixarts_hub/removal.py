"""Removing what was fetched, so that a kill at any moment leaves whole models and what the next call sweeps.

A removal first renames the folder to a hidden place, in one step; from then on the model is not there. What
remains to do can be told from the hidden folder, and whoever removes or prunes next does it: the records,
then the content that no other commit links to, last the hidden folder itself.

::

    HOME/hub/ENDPOINT/.removed/RANDOM/                    a whole model on its way out
    HOME/hub/ENDPOINT/models--…/.removed/COMMIT.RANDOM/   one commit of a model
"""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path

from sixarts_hub import disk
from sixarts_hub.cache import Cache, Cached, entries, size_on_disk
from sixarts_hub.errors import Locked
from sixarts_hub.leases import exclusive, holds
from sixarts_hub.reference import COMMIT

#: A leftover of a kill is swept when nothing has touched it for so long; until then, a pull goes on with it.
LEFTOVER_DAYS = 7

_REMOVED = ".removed"


@dataclass(frozen=True)
class Pruned:
    """What a pruning did, or with ``dry_run`` would do.

    Attributes:
        removed: the commits that went.
        in_use: commits that would have gone if no process used them.
        freed: bytes on disk, leftovers included.
    """

    removed: tuple[Cached, ...]
    in_use: tuple[Cached, ...]
    freed: int

    @classmethod
    def of(cls, parts: Iterable[Pruned]) -> Pruned:
        """What several prunings did together."""
        parts = list(parts)
        removed = tuple(entry for part in parts for entry in part.removed)
        in_use = tuple(entry for part in parts for entry in part.in_use)
        return cls(removed, in_use, sum(part.freed for part in parts))


def remove(cache: Cache, name: str, commit: str) -> int:
    """Remove one commit, its records, and the content that no other commit uses; the bytes freed.

    Raises:
        Locked: another process uses it.
        DiskError: the cache cannot be written.
    """
    before = size_on_disk(cache.folder(name))
    with exclusive(f"{name}@{commit}", cache.lease(name, commit)), disk.writing(f"on removing {name}"):
        _hide(cache.snapshot(name, commit), cache.folder(name) / _REMOVED, f"{commit}.")
        cache.forget(name, commit)
    _finish(cache, name)
    return before - size_on_disk(cache.folder(name))


def remove_all(cache: Cache, name: str) -> int:
    """Remove every commit of a model; the bytes that this freed.

    Raises:
        Locked: another process uses one of them, or fetches one.
        DiskError: the cache cannot be written.
    """
    folder = cache.folder(name)
    with exclusive(name, cache.pulling(name)), exclusive(name, *_leases(cache, name)):
        freed = size_on_disk(folder)
        _remove_locks(cache, name)
        with disk.writing(f"on removing {name}"):
            hidden = _hide(folder, cache.root / _REMOVED)
    shutil.rmtree(hidden, ignore_errors=True)
    return freed


def prune(
    cache: Cache,
    older_than: timedelta | None = None,
    keep: Collection[Cached] = (),
    keep_last: int | None = None,
    dry_run: bool = False,
) -> Pruned:
    """Remove the commits that nobody used for long, and what killed processes left.

    Args:
        older_than: keep what was used since. Without this and ``keep_last``, only leftovers go.
        keep: commits that stay.
        keep_last: of each model, keep so many commits, the last used ones.
        dry_run: remove nothing.

    Raises:
        DiskError: the cache cannot be written.
    """
    before = cache.size()
    chosen = _chosen(cache.cached(), older_than, keep, keep_last)
    in_use = [entry for entry in chosen if _in_use(cache, entry)]
    going = [entry for entry in chosen if entry not in in_use]
    if dry_run:
        stale = {path for name in cache.names() for path in _stale(cache, name)}
        freed = _alone(cache, going) + sum(map(_size, stale | _hidden(cache)))
        return Pruned(tuple(going), tuple(in_use), freed)
    removed = []
    for entry in going:
        try:
            remove(cache, entry.reference.name, entry.path.name)
            removed.append(entry)
        except Locked:
            in_use.append(entry)
    for hidden in entries(cache.root / _REMOVED):
        shutil.rmtree(hidden.path, ignore_errors=True)
    for name in cache.names():
        _sweep(cache, name)
    return Pruned(tuple(removed), tuple(in_use), max(0, before - cache.size()))


def _chosen(
    cached: list[Cached], older_than: timedelta | None, keep: Collection[Cached], keep_last: int | None
) -> list[Cached]:
    if older_than is None and keep_last is None:
        return []
    now = datetime.now(UTC)
    kept = {entry.path for entry in keep}
    chosen = []
    for _, group in groupby(cached, key=lambda entry: entry.reference.name):
        latest_first = sorted(group, key=lambda entry: entry.used or now, reverse=True)
        for entry in latest_first[keep_last or 0 :]:
            long_ago = older_than is None or now - (entry.used or now) >= older_than
            if long_ago and entry.path not in kept:
                chosen.append(entry)
    return chosen


def _in_use(cache: Cache, entry: Cached) -> bool:
    """Whether a process uses a commit, this one included."""
    name, commit = entry.reference.name, entry.path.name
    lease = cache.lease(name, commit)
    if holds(lease):
        return True
    if not lease.exists():
        # Nobody can hold it, and to make one would look like a use.
        return False
    try:
        with exclusive(name, lease):
            return False
    except Locked:
        return True


def _hide(folder: Path, hidden: Path, prefix: str = "") -> Path:
    """Rename a folder away in one step; where it is now."""
    target = hidden / f"{prefix}{secrets.token_hex(4)}"
    # Another process may have been as quick.
    with suppress(FileNotFoundError):
        hidden.mkdir(exist_ok=True)
        folder.rename(target)
    return target


def _remove_locks(cache: Cache, name: str) -> None:
    """Remove the locks of a model's files, while nobody can fetch: before its folder goes, not after."""
    shutil.rmtree(cache.root / ".locks" / cache.folder(name).name, ignore_errors=True)


def _finish(cache: Cache, name: str) -> None:
    """Finish the removals of a model's commits, also those that a kill cut short.

    While another process fetches files of this model, the content waits for the next call: what that
    process fetched may not be linked yet.
    """
    folder, doing = cache.folder(name), f"on removing {name}"
    for hidden in entries(folder / _REMOVED):
        commit = hidden.name.partition(".")[0]
        with suppress(Locked), exclusive(name, cache.lease(name, commit)), disk.writing(doing):
            if not cache.snapshot(name, commit).exists():
                cache.forget(name, commit)
        with suppress(Locked), exclusive(name, cache.pulling(name)), disk.writing(doing):
            content = _content(Path(hidden.path)) - _content(folder / "snapshots")
            for path in content:
                if path.parent == (folder / "blobs").resolve():
                    path.unlink(missing_ok=True)
            shutil.rmtree(hidden.path, ignore_errors=True)
    with suppress(OSError):
        (folder / _REMOVED).rmdir()


def _sweep(cache: Cache, name: str) -> None:
    """Finish removals, and remove what killed processes left."""
    _finish(cache, name)
    folder = cache.folder(name)
    with suppress(Locked), exclusive(name, cache.pulling(name)):
        for path in _stale(cache, name):
            with suppress(OSError):
                path.unlink()
        for lease in _leases(cache, name):
            if not cache.snapshot(name, lease.stem).exists() and _is_old(lease):
                with suppress(Locked), exclusive(name, lease):
                    lease.unlink()
        if not _leases(cache, name) and not size_on_disk(folder):
            _remove_locks(cache, name)
            shutil.rmtree(folder, ignore_errors=True)


def _stale(cache: Cache, name: str) -> Iterator[Path]:
    """Files that no commit uses and nobody touched for long; no pull of the model may be under way."""
    folder = cache.folder(name)
    linked = _content(folder / "snapshots")
    there = {entry.name for entry in entries(folder / "snapshots")}
    for path in _files(folder):
        place = path.relative_to(folder).parts[0]
        unfinished = path.name.startswith(".") and path.name.endswith(".tmp")
        wanted = {
            "blobs": path.resolve() in linked,
            "quarantine": False,
            "sixarts": path.suffix == ".lease" or path.name.partition(".")[0] in there,
        }.get(place, True)
        if (unfinished or not wanted) and _is_old(path):
            yield path


def _is_old(path: Path) -> bool:
    try:
        return path.lstat().st_mtime < time.time() - LEFTOVER_DAYS * 86400
    except OSError:
        return False


def _files(folder: Path) -> Iterator[Path]:
    for root, _, names in os.walk(folder):
        yield from (Path(root, name) for name in names)


def _hidden(cache: Cache) -> set[Path]:
    """What removals that were cut short have still to remove."""
    places = [cache.root / _REMOVED, *(cache.folder(name) / _REMOVED for name in cache.names())]
    return {Path(entry.path) for place in places for entry in entries(place)}


def _leases(cache: Cache, name: str) -> list[Path]:
    """The leases of the commits that are there or that somebody is about to fetch."""
    folder = cache.folder(name)
    there = {entry.name for entry in entries(folder / "snapshots")}
    there |= {entry.name.removesuffix(".lease") for entry in entries(folder / "sixarts")}
    return [cache.lease(name, commit) for commit in sorted(there) if COMMIT.fullmatch(commit)]


def _content(folder: Path) -> set[Path]:
    """What the links below a folder lead to, whether or not it is there."""
    return {path.resolve() for path in _files(folder) if path.is_symlink()}


def _alone(cache: Cache, going: list[Cached]) -> int:
    """Bytes of the content that only these commits use."""
    total = 0
    for name in {entry.reference.name for entry in going}:
        snapshots = [entry.path for entry in going if entry.reference.name == name]
        stay = [
            Path(entry.path)
            for entry in entries(cache.folder(name) / "snapshots")
            if Path(entry.path) not in snapshots
        ]
        content = set().union(*map(_content, snapshots)) - set().union(*map(_content, stay))
        total += sum(map(_size, content)) + sum(map(size_on_disk, snapshots))
    return total


def _size(path: Path) -> int:
    try:
        return size_on_disk(path) if path.is_dir() else path.lstat().st_size
    except OSError:
        return 0
