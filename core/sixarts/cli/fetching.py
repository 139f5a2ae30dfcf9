"""``sixarts pull``, ``verify``, ``cache``, ``push``: model folders between the hub and this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sixarts.errors import NotFound, SixartsError
from sixarts.hubs import default_hub, hub_for
from sixarts.plugins import registry

from .options import AsJson, Plain, application
from .output import say, show_json, show_table, size_of
from .starting import start_backend

if TYPE_CHECKING:
    from sixarts_hub.cache import Cached
    from sixarts_hub.client import Hub

ReferenceName = Annotated[
    str, typer.Argument(metavar="REFERENCE", help="starter/NAME, OWNER/NAME[@REVISION], hf://… or a folder.")
]
SomeReference = Annotated[
    str | None, typer.Argument(metavar="[REFERENCE]", help="Default: all that is cached, and every starter.")
]

cache_app = application(help="List, measure, check or remove what is cached.")


def pull(
    reference: ReferenceName,
    update: Annotated[bool, typer.Option("--update", help="Move a branch to its newest commit.")] = False,
) -> None:
    """Fetch a model into the cache and print its folder; nothing is fetched twice."""
    from sixarts.layout import needed_files

    pulled = hub_for(reference).pull(reference, needed_files, update=update)
    if pulled.commit is not None:
        say(f"{pulled.reference} is at commit {pulled.commit}")
    print(pulled.path)


def verify(reference: SomeReference = None) -> None:
    """Check every file against its digest, and the golden input against its answer. Nothing is fetched."""
    hub = default_hub(offline=True)
    if reference is not None:
        examined = hub.verify(reference)
    else:
        starters = [pair for name in registry().starters() for pair in hub.verify(f"starter/{name}")]
        examined = starters + hub.verify()
    rows = [
        (str(cached.reference), f"FAILED: {problem}", "")
        if problem is not None
        else (str(cached.reference), "ok", _golden_verdict(hub, cached))
        for cached, problem in examined
    ]
    header = ("reference", "files", "golden answer")
    show_table(header, rows, "nothing is cached, and no starter is installed")
    if any(verdict.startswith("FAILED") for row in rows for verdict in row[1:]):
        raise typer.Exit(1)


def _golden_verdict(hub: Hub, cached: Cached) -> str:
    """What to print for the recorded answer of one checked folder."""
    from sixarts_hub.manifest import FILE, Manifest

    if FILE not in cached.files:
        return "none: a foreign checkpoint"
    manifest = Manifest.read(cached.path)
    if manifest.golden is None:
        return "none recorded"
    import sixarts

    start_backend()
    from sixarts.folder import golden_difference

    try:
        problem = golden_difference(
            sixarts.load(manifest.task, str(cached.reference), hub=hub), manifest.golden
        )
    except SixartsError as error:
        problem = str(error)
    return f"FAILED: {problem}" if problem else "ok"


@cache_app.command("list", cls=Plain)
def list_cached(json: AsJson = False) -> None:
    """List the models in the cache."""
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
                    "files": list(entry.files),
                }
                for entry in entries
            ]
        )
    rows = [
        (str(e.reference), (e.commit or "")[:12], e.revision or "", size_of(e.size), str(len(e.files)))
        for e in entries
    ]
    return show_table(("reference", "commit", "branch", "size", "files"), rows, "nothing is cached")


@cache_app.command("size", cls=Plain)
def size(json: AsJson = False) -> None:
    """Print how much room the cache takes."""
    taken = default_hub(offline=True).size()
    return show_json({"bytes": taken}) if json else print(size_of(taken))


@cache_app.command("verify", cls=Plain)
def verify_cached(reference: SomeReference = None) -> None:
    """Check the digest of every cached file."""
    rows = [
        (str(cached.reference), "ok" if problem is None else f"FAILED: {problem}")
        for cached, problem in default_hub(offline=True).verify(reference)
    ]
    show_table(("reference", "files"), rows, "nothing is cached")
    if any(verdict != "ok" for _, verdict in rows):
        raise typer.Exit(1)


@cache_app.command("remove", cls=Plain)
def remove(reference: ReferenceName) -> None:
    """Remove a model from the cache."""
    say(f"freed {size_of(default_hub(offline=True).remove(reference))}")


def push(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A model folder, as `fit` saves it.")],
    repo: Annotated[str, typer.Argument(metavar="OWNER/NAME")],
    private: Annotated[bool, typer.Option("--private", help="Create it for yourself only.")] = False,
    message: Annotated[str | None, typer.Option("--message", help="What changed.")] = None,
) -> None:
    """Publish a model folder on the hub; the token is read from the environment (HF_TOKEN)."""
    if not folder.is_dir():
        raise NotFound(f"got {str(folder)!r}, which is no folder; expected one that `sixarts fit` saved")
    print(default_hub().push(folder, repo, private=private, message=message))
