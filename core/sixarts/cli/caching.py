"""``sixarts cache``: what is on this disk, how long nobody used it, and removing it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from sixarts.errors import OptionError
from sixarts.hubs import default_hub

from .options import AsJson, Plain, application
from .output import say, show_json, show_table, size_of

if TYPE_CHECKING:
    from sixarts_hub.cache import Cached

CachedName = Annotated[
    str, typer.Argument(metavar="REFERENCE", help="OWNER/NAME[@REVISION] or s3://BUCKET/FOLDER.")
]
SomeReference = Annotated[
    str | None, typer.Argument(metavar="[REFERENCE]", help="Default: all that is cached.")
]

_UNITS = {"h": "hours", "d": "days", "w": "weeks"}

cache_app = application(help="List, measure, check, remove or prune what is cached.")


@cache_app.command("list", cls=Plain)
def list_cached(json: AsJson = False) -> None:
    """List the models in the cache, with their size and last use."""
    entries = default_hub(offline=True).cached()
    if json:
        return show_json(
            [
                {
                    "reference": str(entry.reference),
                    "commit": entry.commit,
                    "revision": entry.revision,
                    "path": str(entry.path),
                    "size": entry.size,
                    "used": entry.used and entry.used.isoformat(timespec="seconds"),
                    "files": list(entry.files),
                }
                for entry in entries
            ]
        )
    rows = [(*_row(entry), str(len(entry.files))) for entry in entries]
    return show_table(("reference", "commit", "branch", "size", "used", "files"), rows, "nothing is cached")


@cache_app.command("size", cls=Plain)
def size(json: AsJson = False) -> None:
    """Print how much room the cache takes."""
    taken = default_hub(offline=True).size()
    return show_json({"bytes": taken}) if json else print(size_of(taken))


@cache_app.command("verify", cls=Plain)
def verify_cached(
    reference: SomeReference = None,
    repair: Annotated[
        bool, typer.Option("--repair/--no-repair", help="Fetch again what is wrong or missing.")
    ] = True,
) -> None:
    """Hash every cached file again, and repair what is wrong; with the network off, tell it."""
    hub = default_hub()
    rows = []
    for cached, problem in hub.verify(reference):
        name, verdict = str(cached.reference), "ok"
        if problem is not None and repair and not hub.offline:
            verdict = f"repaired: {problem}"
            ((_, problem),) = hub.verify(name, repair=True)
        rows.append((name, verdict if problem is None else f"FAILED: {problem}"))
    show_table(("reference", "files"), rows, "nothing is cached")
    if any(verdict.startswith("FAILED") for _, verdict in rows):
        raise typer.Exit(1)


@cache_app.command("remove", cls=Plain)
def remove(reference: CachedName) -> None:
    """Remove a model from the cache, or one commit of it; never what a running process uses."""
    say(f"freed {size_of(default_hub(offline=True).remove(reference))}")


@cache_app.command("prune", cls=Plain)
def prune(
    older_than: Annotated[
        str | None, typer.Option("--older-than", metavar="AGE", help="Last used before: 12h, 30d, 8w.")
    ] = None,
    keep: Annotated[
        list[str] | None, typer.Option("--keep", metavar="REFERENCE", help="Stays; repeat for several.")
    ] = None,
    keep_last: Annotated[
        int | None,
        typer.Option("--keep-last", metavar="N", min=0, help="Of each model, the N last used commits stay."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go; remove nothing.")] = False,
    json: AsJson = False,
) -> None:
    """Remove what nobody used for long, and leftovers of killed downloads; never what a process uses.

    Without --older-than and --keep-last, only leftovers go.
    """
    pruned = default_hub(offline=True).prune(
        None if older_than is None else duration(older_than), keep or (), keep_last, dry_run
    )
    if json:
        return show_json(
            {
                "removed": [f"{entry.reference.name}@{entry.commit}" for entry in pruned.removed],
                "in_use": [f"{entry.reference.name}@{entry.commit}" for entry in pruned.in_use],
                "freed": pruned.freed,
                "dry_run": dry_run,
            }
        )
    show_table(("reference", "commit", "branch", "size", "used"), map(_row, pruned.removed), "no model goes")
    for entry in pruned.in_use:
        say(f"{entry.reference.name}@{entry.commit} stays: a process uses it")
    return say(f"{'would free' if dry_run else 'freed'} {size_of(pruned.freed)}")


def duration(text: str) -> timedelta:
    """A length of time, as people write it.

    Raises:
        OptionError: it is none.

    >>> duration("30d"), duration("12h")
    (datetime.timedelta(days=30), datetime.timedelta(seconds=43200))
    """
    found = re.fullmatch(r"(\d{1,5})([hdw])", text.strip())
    if found is None:
        raise OptionError(f"got {text!r} as an age; expected hours, days or weeks: 12h, 30d, 8w")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def ago(moment: datetime, now: datetime) -> str:
    """How long ago, in the unit that a person thinks in.

    >>> ago(datetime(2030, 1, 1, tzinfo=UTC), datetime(2030, 1, 4, 5, tzinfo=UTC))
    '3 days ago'
    """
    seconds = (now - moment).total_seconds()
    for unit, length in (("day", 86400), ("hour", 3600)):
        if count := int(seconds // length):
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"


def _row(entry: Cached) -> tuple[str, str, str, str, str]:
    used = ago(entry.used, datetime.now(UTC)) if entry.used else ""
    commit = (entry.commit or "")[:12]
    return str(entry.reference), commit, entry.revision or "", size_of(entry.size), used
