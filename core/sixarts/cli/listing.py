"""``sixarts tasks``, ``models``, ``plugins``, ``devices``: what there is."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from sixarts.plugins import registry

from .options import AsJson
from .output import show_json, show_table, size_of
from .starting import start_backend


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
    json: AsJson = False,
) -> None:
    """List the models of the catalog; `--model` takes their references, and any other on the hub."""
    entries = registry().models(task)
    if json:
        return show_json([asdict(entry) for entry in entries])
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
    return show_table(header, rows, "the catalog is empty")


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
