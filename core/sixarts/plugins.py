"""The registry: which plugins are installed, what they offer, and what is wrong with those that fail.

Every entry point of group ``sixarts`` is loaded by itself. One that fails is taken back and recorded
with the reason; everything else works. The environment chooses:

- ``SIXARTS_PLUGINS``: comma-separated names; only these are loaded (empty: none).
- ``SIXARTS_DISABLE_PLUGINS``: comma-separated names that are not loaded; ``*`` is all.
- ``SIXARTS_STRICT_PLUGINS``: ``1`` makes any plugin that fails or conflicts an error.

A name is an entry point's, a distribution's, or ``DISTRIBUTION:ENTRYPOINT``.
The module is callable, because ``sixarts.plugins`` is both this module and the public ``sa.plugins()``.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pluggy

from . import hookspecs
from .discovery import STARTER, Candidate, State, admit, choose, claimed, installed, normal, reason_of
from .errors import (
    AmbiguousName,
    MissingExtra,
    PluginError,
    SixartsError,
    UnknownFamily,
    UnknownName,
    UnknownTask,
    nearest,
)
from .hookspecs import PROJECT, hookimpl
from .spec import FamilySpec, ModelEntry, TaskSpec

__all__ = [
    "PluginState",
    "Registry",
    "hookimpl",
    "plugins",
    "registry",
    "require",
    "resolve",
    "tasks",
]


@dataclass(frozen=True)
class PluginState:
    """How one plugin fared at discovery.

    Attributes:
        name: its entry point's name.
        distribution, version: the installed package that brought it.
        module: the entry point's value.
        state: ``ok``, or why it is not.
        reason: one sentence, empty when ``ok``.
    """

    name: str
    distribution: str
    version: str
    module: str
    state: State
    reason: str = ""


@dataclass(frozen=True)
class _Claim:
    plugin: Candidate
    value: Any


class Registry:
    """What the plugins of this process offer, by name.

    A name that two plugins claim stays usable as ``DISTRIBUTION:name`` (``ENTRYPOINT:name`` when
    both come from one distribution); the bare name raises :class:`AmbiguousName`.
    """

    def __init__(self, found: Iterable[Candidate], environment: Mapping[str, str]) -> None:
        self._plugins = sorted(found, key=lambda plugin: (plugin.name, plugin.distribution))
        self._claims: dict[str, dict[str, list[_Claim]]] = {}
        choose(self._plugins, environment)
        manager = pluggy.PluginManager(PROJECT)
        manager.add_hookspecs(hookspecs)
        titles: set[str] = set()
        for plugin in self._plugins:
            if plugin.state == "ok" and plugin.title in titles:
                plugin.fail("broken", f"{plugin.distribution} lists the entry point {plugin.name!r} twice")
            elif plugin.state == "ok":
                titles.add(plugin.title)
                admit(manager, plugin)
        self._settle_names()
        if environment.get("SIXARTS_STRICT_PLUGINS", "").lower() in ("1", "true", "yes"):
            self._refuse_failures()

    @classmethod
    def discover(cls) -> Registry:
        """The registry of the installed plugins, as the environment chooses them."""
        return cls(installed(), os.environ)

    @classmethod
    def from_modules(
        cls, modules: Mapping[str, object], environment: Mapping[str, str] | None = None
    ) -> Registry:
        """A registry of modules at hand, for tests: entry-point name to module.

        A key may be ``"DISTRIBUTION:ENTRYPOINT"``; the distribution is else ``"local"``.

        >>> Registry.from_modules({"acme:shout": object()}).states[0].reason
        'it states no API_VERSION; write API_VERSION = "1" in it'
        """
        found = []
        for key, module in modules.items():
            distribution, _, name = key.rpartition(":")
            value = getattr(module, "__name__", type(module).__name__)
            found.append(Candidate(name, normal(distribution or "local"), "0", value, partial(_same, module)))
        return cls(found, environment or {})

    def _settle_names(self) -> None:
        from .cli.table import COMMANDS

        for plugin in self._plugins:
            for kind, name, value in claimed(plugin.offers):
                self._claims.setdefault(kind, {}).setdefault(name, []).append(_Claim(plugin, value))
        self._reserved = {"command": frozenset(COMMANDS), "hub": frozenset(("hf", "starter"))}
        for kind, names in self._claims.items():
            for name, claims in names.items():
                if name in self._reserved.get(kind, ()):
                    taken = f"{kind} {name!r} is Sixarts' own"
                elif len(claims) > 1:
                    taken = f"{kind} {name!r} is claimed by " + " and ".join(c.plugin.title for c in claims)
                else:
                    continue
                for claim in claims:
                    spelling = self._spelling(kind, name, claim)
                    claim.plugin.fail("conflict", f"{taken}; this plugin's is {spelling!r}")

    def _refuse_failures(self) -> None:
        failed = [s for s in self.states if s.state in ("broken", "incompatible", "conflict")]
        if failed:
            lines = [f"plugin {s.name!r} of {s.distribution or '?'} is {s.state}: {s.reason}" for s in failed]
            raise PluginError("\n".join([*lines, "SIXARTS_STRICT_PLUGINS is set; unset it to go on without"]))

    def _spelling(self, kind: str, name: str, claim: _Claim) -> str:
        rivals = [each for each in self._claims[kind][name] if each.plugin is not claim.plugin]
        if not rivals and name not in self._reserved.get(kind, ()):
            return name
        plugin = claim.plugin
        shared = any(rival.plugin.distribution == plugin.distribution for rival in rivals)
        return f"{plugin.name if shared else plugin.distribution}:{name}"

    def _find(self, kind: str, name: str) -> _Claim | None:
        """The one claim that ``name`` means, ``None`` when there is none."""
        names = self._claims.get(kind, {})
        prefix, _, bare = name.rpartition(":")
        claims = names.get(bare, [])
        if prefix:
            claims = [c for c in claims if prefix == c.plugin.name or normal(prefix) == c.plugin.distribution]
        if len(claims) > 1:
            spellings = " or ".join(repr(self._spelling(kind, bare, claim)) for claim in claims)
            raise AmbiguousName(f"{kind} {name!r} is claimed by {len(claims)} plugins; write {spellings}")
        return claims[0] if claims else None

    def _spelled(self, kind: str) -> dict[str, Any]:
        """Every claim of a kind by the name that reaches it, sorted."""
        found = {
            self._spelling(kind, name, claim): claim.value
            for name, claims in self._claims.get(kind, {}).items()
            for claim in claims
        }
        return dict(sorted(found.items()))

    def _offered(self, hook: str) -> Iterator[Any]:
        for plugin in self._plugins:
            yield from plugin.offers.get(hook, ())

    @property
    def states(self) -> list[PluginState]:
        """How each plugin fared; what optional dependencies lack is looked up now."""
        found = []
        for plugin in self._plugins:
            state, reasons = plugin.state, plugin.reasons
            if state == "ok":
                specs = [*plugin.offers.get("sixarts_tasks", ()), *plugin.offers.get("sixarts_families", ())]
                reasons = list(dict.fromkeys(line for line in map(self.lacks, specs) if line))
                state = "needs-extra" if reasons else "ok"
            found.append(
                PluginState(
                    plugin.name, plugin.distribution, plugin.version, plugin.module, state, "; ".join(reasons)
                )
            )
        return found

    def offers(self, plugin: str) -> Mapping[str, Any]:
        """What a plugin offers, by hook; it is named by its entry point, or ``DISTRIBUTION:ENTRYPOINT``."""
        for each in self._plugins:
            if plugin in (each.name, each.title):
                return each.offers
        raise UnknownName("plugin", plugin, [each.name for each in self._plugins])

    def task(self, name: str) -> TaskSpec:
        """The task of this name or alias.

        Raises:
            UnknownTask: no plugin has it; the nearest names are printed.
            AmbiguousName: two plugins have it; both full spellings are printed.
        """
        claim = self._find("task", name)
        if claim is None:
            raise UnknownTask("task", name, self._spelled("task"), self._failures())
        spec: TaskSpec = claim.value
        return spec

    def tasks(self) -> list[TaskSpec]:
        """Every task, by name."""
        return sorted(self._offered("sixarts_tasks"), key=lambda spec: spec.name)

    def family(self, name: str) -> FamilySpec:
        """The family of this name; raises :class:`UnknownFamily` or :class:`AmbiguousName`."""
        claim = self._find("family", name)
        if claim is None:
            raise UnknownFamily("family", name, self._spelled("family"), self._failures())
        spec: FamilySpec = claim.value
        return spec

    def families(self, signature: str | None = None) -> list[FamilySpec]:
        """Every family, or those with one signature."""
        found = self._offered("sixarts_families")
        return [spec for spec in found if signature is None or spec.signature == signature]

    def models(self, task: str | None = None) -> list[ModelEntry]:
        """The catalog, or one task's part of it."""
        if task is None:
            return list(self._offered("sixarts_models"))
        spec = self.task(task)
        return [e for e in self._offered("sixarts_models") if e.task in (spec.name, *spec.aliases)]

    def commands(self) -> dict[str, str]:
        """Plugin commands: name to dotted path; a contested one under its full spelling."""
        return self._spelled("command")

    def command(self, name: str) -> str:
        """Dotted path of one plugin command; raises :class:`UnknownName` or :class:`AmbiguousName`."""
        claim = self._find("command", name)
        if claim is None:
            raise UnknownName("command", name, self._spelled("command"), self._failures())
        return str(claim.value)

    def hubs(self) -> dict[str, str]:
        """Hubs of plugins: URL scheme to dotted path."""
        return self._spelled("hub")

    def starters(self) -> dict[str, str]:
        """Starters: name without ``starter/`` to ``"package:folder"``."""
        return {name: entry.folder for name, entry in self._spelled("starter").items()}

    def starter_folder(self, reference: str) -> Path | None:
        """The folder of a starter, ``None`` when ``reference`` is not one.

        The package is located, not imported.

        Raises:
            AmbiguousName: two plugins ship a starter of this name.
            PluginError: the plugin states a folder that is not there.
        """
        claim = self._find("starter", reference.removeprefix(STARTER))
        if claim is None:
            return None
        package, _, folder = claim.value.folder.partition(":")
        top, *inner = package.split(".")
        found = importlib.util.find_spec(top)
        for location in (found and found.submodule_search_locations) or ():
            path = Path(location, *inner, folder)
            if path.is_dir():
                return path
        raise PluginError(
            f"starter {reference!r} should be in {claim.value.folder!r}, and no such folder is installed; "
            f"install {claim.plugin.distribution} again"
        )

    def distribution(self, spec: TaskSpec | FamilySpec | ModelEntry) -> str:
        """The distribution whose plugin declared ``spec``; Sixarts itself for a spec of nobody's."""
        for plugin in self._plugins:
            if any(spec is each for offer in plugin.offers.values() for each in offer):
                return plugin.distribution
        return PROJECT

    def spelling(self, spec: TaskSpec) -> str:
        """The name that reaches ``spec``: its own, or the full spelling where two plugins claim it."""
        claims = self._claims.get("task", {}).get(spec.name, [])
        return next((self._spelling("task", spec.name, c) for c in claims if c.value is spec), spec.name)

    def lacks(self, spec: TaskSpec | FamilySpec) -> str | None:
        """What ``spec`` needs and this environment lacks, with its install line; ``None`` when nothing."""
        missing = [name for name in spec.requires if not _importable(name)]
        if not missing:
            return None
        target = f"{self.distribution(spec)}[{spec.extra}]" if spec.extra else " ".join(missing)
        return f"{spec.name!r} needs {', '.join(missing)}; install with: pip install '{target}'"

    def _failures(self) -> str:
        failed = [plugin.name for plugin in self._plugins if plugin.state in ("broken", "incompatible")]
        if not failed:
            return ""
        return f"not loaded: {', '.join(failed)} (`sixarts doctor` tells why)"


def _same(module: object) -> object:
    return module


def _importable(name: str) -> bool:
    if name in sys.modules:
        return sys.modules[name] is not None
    return importlib.util.find_spec(name) is not None


@lru_cache(maxsize=1)
def registry() -> Registry:
    """The installed plugins' registry, discovered once a process."""
    return Registry.discover()


def tasks() -> list[TaskSpec]:
    """Every task that an installed plugin offers."""
    return registry().tasks()


def plugins() -> list[PluginState]:
    """How each installed plugin fared, with the reason where it is not ``ok``."""
    return registry().states


def require(spec: TaskSpec | FamilySpec) -> None:
    """Make sure that what ``spec`` needs is installed.

    Raises:
        MissingExtra: something is not; the message is its install line.
    """
    lacks = registry().lacks(spec)
    if lacks:
        raise MissingExtra(lacks)


def resolve(dotted: str) -> Any:
    """The object at ``"package.module:Name"``, imported now.

    Raises:
        PluginError: the module does not import, or has no such name.

    >>> resolve("collections:OrderedDict").__name__
    'OrderedDict'
    """
    module_name, _, name = dotted.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
    except SixartsError:
        raise
    except Exception as error:
        raise PluginError(f"{dotted!r} cannot be imported: {reason_of(error)}") from error
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            like = nearest(part, dir(found), count=1)
            hint = f"; did you mean {like[0]!r}?" if like else ""
            raise PluginError(f"{dotted!r} names {part!r}, which {module_name} does not have{hint}") from None
    return found


class _CallableModule(ModuleType):
    def __call__(self) -> list[PluginState]:
        return plugins()


sys.modules[__name__].__class__ = _CallableModule
