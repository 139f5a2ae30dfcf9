"""``load()`` and ``new()``: a task's name and a reference to a task that answers.

The way: task → catalog → hub → family → device → task. A family is found by the manifest, else by the
layout of ``config.json``; families are matched to tasks by signature, so a plugin may serve another's task.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from sixarts.device import Device
from sixarts.errors import NotFound, OptionError, UnknownFamily, UnknownModel, nearest
from sixarts.hubs import hub_for
from sixarts.layout import families_of, family_of, needed_files
from sixarts.model import Model, read_json
from sixarts.plugins import Registry, registry, require, resolve
from sixarts.spec import FamilySpec, ModelEntry, TaskSpec
from sixarts.task import Task
from sixarts_hub import Hub, Pulled


def load(
    task: str,
    model: str | Path | None = None,
    *,
    device: str | Device = "auto",
    precision: str | None = None,
    hub: Hub | None = None,
    update: bool = False,
    **options: Any,
) -> Task:
    """A task that is ready to answer.

    Args:
        task: name or alias, e.g. ``"translation"``; ``sixarts.tasks()`` lists them.
        model: a reference: ``"starter/NAME"``, ``"OWNER/NAME"``, ``"OWNER/NAME@REVISION"``, ``"hf://…"``, a
            place such as ``"s3://BUCKET/FOLDER"`` or a folder's path. The task's own default, a starter
            inside the package, when left out.
        device: ``"auto"``, ``"cpu"``, ``"gpu"``, ``"gpu:1"``, ``"gpu:*"``, ``"tpu"``.
        precision: ``"float32"``, ``"bfloat16"`` or ``"float16"``.
        hub: where folders come from, if not the default hub.
        update: resolve the reference's branch anew.
        **options: defaults of the task's calls; they also choose among catalog entries.

    Raises:
        UnknownTask, UnknownModel, OptionError, DeviceError: with the nearest names.
        CheckpointError: weights that do not fit, each named.
        HubError: what could not be fetched or does not match its digest.
    """
    names = registry()
    spec = names.task(task)
    require(spec)
    kind = resolve(spec.task)
    placed = Device.of(device, precision)
    reference, defaults = _referred(names, spec, kind, model, options)
    kind.Options().changed(**defaults)
    client = hub or hub_for(reference)
    served = families_of(names, spec)
    try:
        pulled = client.pull(
            reference, lambda listing, read: needed_files(listing, read, served), update=update
        )
    except NotFound as error:
        if str(reference).startswith("starter/"):
            raise UnknownModel("model", str(reference), _known(names, spec)) from error
        raise
    family = _family(names, spec, pulled)
    require(family)
    network = resolve(family.model).from_folder(pulled.path, placed)
    card = pulled.path / "README.md"
    text = card.read_text(encoding="utf-8", errors="replace") if card.is_file() else ""
    loaded: Task = kind(spec, network, defaults, _exact(pulled), text)
    loaded.read_extras(pulled.path)
    return loaded


def new(
    task: str,
    *,
    family: str | None = None,
    device: str | Device = "auto",
    precision: str | None = None,
    **config: Any,
) -> Task:
    """An untrained task, ready for ``fit``; sizes that depend on data are set by its first ``fit``.

    Args:
        task: name or alias.
        family: a family that serves the task; the only one when left out.
        device, precision: as for :func:`load`.
        **config: values of the family's ``config.json``, e.g. ``d_model=256``.
    """
    names = registry()
    spec = names.task(task)
    require(spec)
    served = {entry.name: entry for entry in families_of(names, spec)}
    if family is None and len(served) == 1:
        family = next(iter(served))
    if family is None or family not in served:
        raise UnknownFamily(f"family of {spec.name}", str(family), served)
    require(served[family])
    kind: type[Model] = resolve(served[family].model)
    for name in config if kind.settings else ():
        if name not in kind.settings:
            near = nearest(name, kind.settings) or sorted(kind.settings)
            raise OptionError(f"no setting {name!r} of family {family!r}; the nearest: {', '.join(near)}")
    network = kind(kind.configure(**config), None, Device.of(device, precision))
    made: Task = resolve(spec.task)(spec, network, reference=f"new {family}")
    return made


def _referred(
    names: Registry, spec: TaskSpec, kind: type[Task], model: str | Path | None, options: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    """The reference that is meant, and the options that are the call's own."""
    own = {entry.name for entry in fields(kind.Options)}
    entries = names.models(spec.name)
    choosing = {name: value for name, value in options.items() if any(name in e.options for e in entries)}
    defaults = {name: value for name, value in options.items() if name in own or name not in choosing}
    if model is not None:
        return str(model), defaults
    if not choosing:
        return spec.default_model, defaults
    wanted = kind.choosing(choosing)
    fitting = [e for e in entries if all(e.options.get(name) == value for name, value in wanted.items())]
    if not fitting:
        known = sorted(
            {", ".join(f"{n}={e.options[n]!r}" for n in choosing if n in e.options) for e in entries} - {""}
        )
        stated = ", ".join(f"{name}={value!r}" for name, value in choosing.items())
        raise OptionError(
            f"no model in the catalog with {stated}; there are: {'; '.join(known)}; or name one with model="
        )
    return _preferred(fitting).reference, defaults


def _preferred(entries: Sequence[ModelEntry]) -> ModelEntry:
    """A starter before others: it needs no network."""
    return next((entry for entry in entries if entry.folder), entries[0])


def _known(names: Registry, spec: TaskSpec) -> list[str]:
    return [entry.reference for entry in names.models(spec.name)]


def _family(names: Registry, spec: TaskSpec, pulled: Pulled) -> FamilySpec:
    manifest = pulled.manifest
    served = families_of(names, spec)
    if manifest is None:
        return family_of(served, read_json(pulled.path / "config.json"), spec.name)
    found = [family for family in served if family.name == manifest.family]
    if not found:
        raise UnknownFamily(
            f"family that serves {spec.name}",
            manifest.family,
            [family.name for family in served],
            f"{pulled.reference} is for the task {manifest.task!r}, as its sixarts.json says",
        )
    return found[0]


def _exact(pulled: Pulled) -> str:
    """The reference with its commit, so that the same model can be loaded again."""
    if pulled.commit is None:
        return str(pulled.reference)
    return str(replace(pulled.reference, revision=pulled.commit))
