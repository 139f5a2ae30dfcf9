"""The five hooks of a plugin, and what each may return.

A plugin is a light module that an entry point of group ``sixarts`` names. It states the
``API_VERSION`` that it was written for and gives any of these hooks::

    from sixarts import hookimpl
    from sixarts.spec import TaskSpec

    API_VERSION = "1"

    @hookimpl
    def sixarts_tasks():
        return [TaskSpec(name="translation", ...)]

Each hook fires once a process, when the registry is first asked for anything, and takes no
arguments. What it returns is data: classes and commands are named by dotted path
(``"package.module:Name"``) and imported on first use, so no hook needs a heavy import.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import pluggy

from .spec import FamilySpec, ModelEntry, TaskSpec

PROJECT = "sixarts"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def sixarts_tasks() -> list[TaskSpec]:  # type: ignore[empty-body]
    """The tasks that the plugin adds.

    Fires at discovery. ``sa.load(name)`` imports the task's class by its dotted path.

    Example::

        @hookimpl
        def sixarts_tasks():
            return [
                TaskSpec(
                    name="shouting",
                    summary="Say it louder.",
                    task="acme_shouting.task:Shouting",
                    signatures=("text -> text",),
                    default_model="starter/shout",
                    samples=("good morning",),
                )
            ]
    """


@hookspec
def sixarts_families() -> list[FamilySpec]:  # type: ignore[empty-body]
    """The model families that the plugin can read.

    Fires at discovery. Core matches a family with every task that accepts its signature, so the
    plugin that adds a family need not know the tasks that will use it.

    Example::

        @hookimpl
        def sixarts_families():
            return [
                FamilySpec(
                    name="shouter",
                    signature="text -> text",
                    model="acme_shouting.model:Shouter",
                    model_types=("shouter",),
                    files=("vocab.json",),
                )
            ]
    """


@hookspec
def sixarts_models() -> list[ModelEntry]:  # type: ignore[empty-body]
    """The models that the plugin lists, its own starters and other people's checkpoints.

    Fires at discovery. A starter names its ``folder`` as ``"package:folder"`` inside the plugin.

    Example::

        @hookimpl
        def sixarts_models():
            return [
                ModelEntry(
                    reference="starter/shout",
                    task="shouting",
                    family="shouter",
                    license="CC-BY-4.0",
                    folder="acme_shouting:starters/shout",
                )
            ]
    """


@hookspec
def sixarts_hubs() -> dict[str, str]:  # type: ignore[empty-body]
    """Other places to fetch models from: URL scheme to the dotted path of a hub class.

    Fires at discovery. A reference such as ``acme://team/model`` is then handed to that class,
    which offers the methods of :class:`sixarts_hub.client.Hub`. ``hf`` is Sixarts' own.

    Example::

        @hookimpl
        def sixarts_hubs():
            return {"acme": "acme_models.hub:AcmeHub"}
    """


@hookspec
def sixarts_commands() -> dict[str, str]:  # type: ignore[empty-body]
    """Subcommands for the ``sixarts`` command: name to the dotted path of a Typer app or a function.

    Fires at discovery; the path is imported only when the command is called. ``sixarts --help``
    lists the command with its distribution.

    Example::

        @hookimpl
        def sixarts_commands():
            return {"shout": "acme_shouting.cli:app"}
    """


_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_FOLDER = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:(?!/)(?!(.*/)?\.\.(/|$))[^\\:\0]+")


def _check_name(where: str, name: object) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"{where} is named {name!r}; expected lower case letters, digits, '-', '_' and '.'")


def _check_dotted(where: str, path: object) -> None:
    if not isinstance(path, str) or not _DOTTED.fullmatch(path):
        raise ValueError(f"{where} is {path!r}; expected a dotted path such as 'package.module:Name'")


def _check_tuples(spec: TaskSpec | FamilySpec | ModelEntry, *fields: str) -> None:
    """A lone string where a tuple is meant would be read letter by letter."""
    for field in fields:
        value = getattr(spec, field)
        if not isinstance(value, tuple):
            word = type(value).__name__
            raise ValueError(f"{field} of {_title(spec)} is of type {word}; expected a tuple")


def _title(spec: TaskSpec | FamilySpec | ModelEntry) -> str:
    name = spec.reference if isinstance(spec, ModelEntry) else spec.name
    return f"{type(spec).__name__} {name!r}"


def _check_task(spec: TaskSpec) -> None:
    _check_tuples(spec, "signatures", "samples", "examples", "bad_inputs", "aliases", "metrics", "requires")
    for name in (spec.name, *spec.aliases):
        _check_name("a task", name)
    _check_dotted(f"task of {_title(spec)}", spec.task)


def _check_family(spec: FamilySpec) -> None:
    _check_tuples(spec, "model_types", "architectures", "files", "weights", "requires", "registered_names")
    _check_name("a family", spec.name)
    _check_dotted(f"model of {_title(spec)}", spec.model)


def _check_model(spec: ModelEntry) -> None:
    _check_tuples(spec, "languages")
    starter = str(spec.reference).startswith("starter/")
    if starter and not _FOLDER.fullmatch(spec.folder or ""):
        raise ValueError(
            f"folder of {_title(spec)} is {spec.folder!r}; expected 'package:folder' inside the plugin"
        )
    if not starter and spec.folder is not None:
        raise ValueError(f"{_title(spec)} has a folder; expected a reference that starts with 'starter/'")


def _check_path(where: str) -> Callable[[str, object], None]:
    def check(name: str, path: object) -> None:
        _check_name(f"a {where}", name)
        _check_dotted(f"the {where} {name!r}", path)

    return check


#: Hook name to the type of its items and the check of one: for hooks that return a list.
_LISTS: dict[str, tuple[type[Any], Callable[[Any], None]]] = {
    "sixarts_tasks": (TaskSpec, _check_task),
    "sixarts_families": (FamilySpec, _check_family),
    "sixarts_models": (ModelEntry, _check_model),
}
#: Hook name to the check of one pair: for hooks that return a mapping.
_MAPPINGS: dict[str, Callable[[str, object], None]] = {
    "sixarts_hubs": _check_path("hub scheme"),
    "sixarts_commands": _check_path("command"),
}

HOOKS: tuple[str, ...] = (*_LISTS, *_MAPPINGS)


def checked(hook: str, returned: object) -> dict[str, Any] | list[Any]:
    """What ``hook`` returned, once it is of the type that the hook spec names.

    Raises:
        TypeError: the container or one of its items is of another type.
        ValueError: a name, dotted path or folder is malformed.

    >>> checked("sixarts_commands", {"shout": "acme.cli:app"})
    {'shout': 'acme.cli:app'}
    """
    if hook in _MAPPINGS:
        if not isinstance(returned, Mapping):
            raise TypeError(f"{hook} returned {type(returned).__name__}; expected a dict of name to path")
        for name, path in returned.items():
            _MAPPINGS[hook](name, path)
        return dict(returned)
    kind, check = _LISTS[hook]
    if not isinstance(returned, list | tuple):
        raise TypeError(f"{hook} returned {type(returned).__name__}; expected a list of {kind.__name__}")
    for position, item in enumerate(returned):
        if not isinstance(item, kind):
            raise TypeError(
                f"{hook} returned {type(item).__name__} at position {position}; expected {kind.__name__}"
            )
        check(item)
    return list(returned)
