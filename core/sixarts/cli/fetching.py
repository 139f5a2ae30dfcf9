"""``sixarts pull``, ``verify``: model folders brought to this machine and checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sixarts.errors import SixartsError
from sixarts.hubs import default_hub, hub_for
from sixarts.plugins import registry

from .output import say, show_table
from .starting import start_backend

if TYPE_CHECKING:
    from sixarts_hub.cache import Cached
    from sixarts_hub.client import Hub

ReferenceName = Annotated[
    str,
    typer.Argument(
        metavar="REFERENCE",
        help="starter/NAME, OWNER/NAME[@REVISION], hf://…, s3://BUCKET/FOLDER or a folder.",
    ),
]
SomeReference = Annotated[
    str | None, typer.Argument(metavar="[REFERENCE]", help="Default: all that is cached, and every starter.")
]


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
