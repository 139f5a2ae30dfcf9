"""``sixarts tasks``, ``models``, ``plugins``, ``devices``: what there is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from sixarts.errors import OptionError
from sixarts.plugins import registry

from .options import AsJson
from .output import show_json, show_table, size_of
from .starting import start_backend

if TYPE_CHECKING:
    from sixarts.spec import ModelEntry


def tasks(json: AsJson = False) -> None:
    """List the tasks, with their default models."""
    found = registry()
    specs = [(found.spelling(spec), spec, found.lacks(spec)) for spec in found.tasks()]
    if json:
        return show_json(
            [
                {
                    "name": name,
                    "aliases": list(spec.aliases),
                    "summary": spec.summary,
                    "model": spec.default_model,
                    "signatures": list(spec.signatures),
                    "explanations": {method: list(names) for method, names in spec.explanations.items()},
                    "metrics": list(spec.metrics),
                    "lacks": lacks,
                }
                for name, spec, lacks in specs
            ]
        )
    rows = [
        (name, ", ".join(spec.aliases), spec.default_model, lacks or spec.summary)
        for name, spec, lacks in specs
    ]
    return show_table(("task", "aliases", "model", "summary"), rows, "no plugin offers a task")


def models(
    task: Annotated[str | None, typer.Argument(metavar="[TASK]", help="Only this task's.")] = None,
    of_task: Annotated[str | None, typer.Option("--task", metavar="TASK", help="The same.")] = None,
    language: Annotated[str | None, typer.Option("--language", help="Only of this ISO code.")] = None,
    remote: Annotated[
        bool, typer.Option("--remote", help="Ask the hub, and mark what a family here can load.")
    ] = False,
    search: Annotated[str | None, typer.Option("--search", help="Only whose reference holds this.")] = None,
    limit: Annotated[int, typer.Option("--limit", help="With --remote: how many.")] = 20,
    json: AsJson = False,
) -> None:
    """List the models of the catalog; `--model` takes their references, and any other on the hub."""
    from sixarts import catalog

    if task is not None and of_task is not None and task != of_task:
        raise OptionError(f"got the tasks {task!r} and {of_task!r}; give one of the two")
    entries = catalog.models(task or of_task, language=language, remote=remote, search=search, limit=limit)
    if json:
        return show_json([asdict(entry) | _of_remote(entry) for entry in entries])
    if remote:
        return _show_remote(entries)
    rows = [
        (
            entry.reference,
            entry.task,
            entry.family,
            size_of(entry.size) if entry.size is not None else "",
            entry.license,
            entry.summary or " → ".join(entry.languages),
        )
        for entry in entries
    ]
    header = ("reference", "task", "family", "size", "license", "summary")
    empty = "the catalog is empty" if not (language or search) else "no model in the catalog is like that"
    return show_table(header, rows, empty)


def _of_remote(entry: ModelEntry) -> dict[str, bool]:
    from sixarts.catalog import RemoteEntry

    return {"loads": entry.loads, "pickled": entry.pickled} if isinstance(entry, RemoteEntry) else {}


def _show_remote(entries: Sequence[ModelEntry]) -> None:
    from sixarts.catalog import RemoteEntry

    rows = [
        (
            entry.reference,
            f"{entry.downloads:,}" if entry.downloads is not None else "",
            entry.license,
            (f"yes: {entry.family}" + (", tensors of a pickle" if entry.pickled else ""))
            if entry.loads
            else f"no: {entry.obstacle}",
        )
        for entry in entries
        if isinstance(entry, RemoteEntry)
    ]
    show_table(("reference", "downloads", "license", "loads here"), rows, "the hub lists no such model")


def plugins(json: AsJson = False) -> None:
    """List the plugins: ok, disabled, broken, incompatible, conflict or needs-extra, and why."""
    states = registry().states
    if json:
        return show_json([asdict(state) for state in states])
    rows = [(s.name, f"{s.distribution} {s.version}".strip(), s.state, s.reason) for s in states]
    return show_table(("plugin", "distribution", "state", "reason"), rows, "no plugin is installed")


def devices(json: AsJson = False) -> None:
    """List the devices that `--device` takes on this machine."""
    import sixarts

    start_backend()

    found = sixarts.devices()
    if json:
        return show_json(found)
    print("\n".join(found))
    return None
