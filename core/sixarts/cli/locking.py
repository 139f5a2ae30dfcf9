"""``sixarts lock``, ``sync``: the models that an application uses, written down, and brought to a machine."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sixarts.errors import HubError, LockfileError
from sixarts.hubs import default_hub
from sixarts.plugins import registry

from .output import say

if TYPE_CHECKING:
    from sixarts_hub import Hub, Reference
    from sixarts_hub.lockfile import Entry, Lockfile

Step = Callable[[], None]

#: Models that are brought at once; each brings several files at once.
WORKERS = 4

LockName = Annotated[Path, typer.Option("--file", metavar="FILE", help="The lock.")]
LockArgument = Annotated[Path, typer.Argument(metavar="[FILE]", help="The lock.")]


def lock(
    references: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[REFERENCE]...", help="OWNER/NAME[@REVISION] or starter/NAME. Default: all in the lock."
        ),
    ] = None,
    remove: Annotated[
        list[str] | None, typer.Option("--remove", metavar="REFERENCE", help="Take one out; repeatable.")
    ] = None,
    file: LockName = Path("sixarts.lock"),
) -> None:
    """Write the newest commit and every file's digest of each model to the lock; others in it stay.

    Without a reference, every branch in the lock moves to its newest commit.
    """
    from sixarts_hub.lockfile import Lockfile, parsed

    before = Lockfile.read(file) if file.exists() or not references else Lockfile(path=file)
    entries = dict(before.entries)
    for name in remove or ():
        if entries.pop(before.key(_parsed(name)), None) is None:
            known = ", ".join(before.entries) or "none"
            raise LockfileError(f"received {name!r} to remove; expected one of {known}")
    wanted = list(map(_parsed, references or ()))
    for reference in wanted or ([] if remove else map(parsed, before.entries)):
        key = before.key(reference)
        old = entries.get(key)
        entries[key] = entry = _locked(reference, old)
        say(f"{key}: {_difference(old, entry)}")
    after = Lockfile(entries, file)
    if after != before or not file.exists():
        after.write()
    say(f"{file} holds {_count(after)}")


def sync(
    file: LockArgument = Path("sixarts.lock"),
    check: Annotated[
        bool, typer.Option("--check", help="Fetch nothing, say what differs; exit code 1 if anything does.")
    ] = False,
) -> None:
    """Make this machine match a lock: every model at its commit, every file held against its digest."""
    from sixarts_hub.crew import do_all
    from sixarts_hub.lockfile import Lockfile, parsed
    from sixarts_hub.locking import check as compare
    from sixarts_hub.locking import match

    locked = Lockfile.read(file)
    failed: list[str] = []

    def bring(key: str, entry: Entry) -> None:
        try:
            (compare if check else match)(_hub(entry, offline=check or None), parsed(key), entry)
        except HubError as error:
            failed.append(key)
            print(f"{key}: {error}", file=sys.stdout if check else sys.stderr, flush=True)
        else:
            if not check:
                say(f"{key}: {_short(entry)}")
        step()

    with _quiet() if check else _display(len(locked.entries)) as step:
        do_all([partial(bring, key, entry) for key, entry in locked.entries.items()], WORKERS)
    if failed:
        say(f"{len(failed)} of {_count(locked)} differ from {file}")
        raise typer.Exit(1)
    say(f"this machine matches {file}: {_count(locked)}")


def _parsed(text: str) -> Reference:
    from sixarts_hub import Reference

    return Reference.parse(text, registry().starters())


def _hub(entry: Entry | None, offline: bool | None = None) -> Hub:
    return default_hub(offline, entry.endpoint if entry else None)


def _locked(reference: Reference, old: Entry | None) -> Entry:
    from sixarts.layout import needed_files
    from sixarts_hub.locking import lock as locked

    release = _release(str(reference)) if reference.kind == "starter" else None
    return locked(_hub(old), reference, needed_files, release)


def _release(starter: str) -> str | None:
    """The installed distribution that ships a starter, with its version."""
    from importlib.metadata import PackageNotFoundError, version

    names = registry()
    for entry in names.models():
        if entry.reference == starter:
            name = names.distribution(entry)
            with contextlib.suppress(PackageNotFoundError):
                name += f" {version(name)}"
            return name
    return None


def _difference(old: Entry | None, new: Entry) -> str:
    if old is None:
        return f"added at {_short(new)}"
    if old == new:
        return f"stays at {_short(new)}"
    return f"moved from {_short(old)} to {_short(new)}"


def _short(entry: Entry) -> str:
    return (entry.commit or entry.release or "the installed version")[:40]


def _count(lock: Lockfile) -> str:
    count = len(lock.entries)
    return f"{count} model{'' if count == 1 else 's'}"


@contextlib.contextmanager
def _quiet() -> Iterator[Step]:
    yield lambda: None


@contextlib.contextmanager
def _display(count: int) -> Iterator[Step]:
    """One bar for all models on a terminal, in place of a bar for each; nothing elsewhere.

    Yields what is called after each model.
    """
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    from sixarts_hub.bars import Told, display

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TextColumn("{task.fields[note]}"),
    )
    guard = threading.Lock()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        row = progress.add_task(f"0/{count} models", total=0, note="")
        total = done = 0

        def step() -> None:
            nonlocal done
            with guard:
                done += 1
                progress.update(row, description=f"{done}/{count} models")

        @contextlib.contextmanager
        def drawn(title: str, size: int) -> Iterator[Told]:
            nonlocal total
            with guard:
                total += size
                progress.update(row, total=total)
            yield lambda arrived, path: progress.update(row, advance=arrived, note=f"{title} {path}")

        shown: Callable[[str, int], AbstractContextManager[Told]] = drawn
        token = display.set(shown)
        try:
            yield step
        finally:
            display.reset(token)
