"""Discovery: each entry point of group ``sixarts`` loaded by itself, checked, or taken back whole."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import pluggy

from .errors import MissingExtra, PluginError, SixartsError, nearest
from .hookspecs import HOOKS, checked
from .spec import API_VERSION

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "sixarts"
STARTER = "starter/"

State = Literal["ok", "disabled", "broken", "incompatible", "conflict", "needs-extra"]


@dataclass(eq=False)
class Candidate:
    """One entry point on its way through discovery."""

    name: str
    distribution: str
    version: str
    module: str
    load: Callable[[], object]
    state: State = "ok"
    reasons: list[str] = field(default_factory=list)
    offers: dict[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return f"{self.distribution}:{self.name}"

    def fail(self, state: State, reason: str) -> None:
        self.state = state
        self.reasons.append(reason)


def normal(distribution: str) -> str:
    """A distribution's name as packaging compares it."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def _identity(entry: EntryPoint) -> tuple[str, str]:
    """Name and version of the entry point's distribution.

    Read from the head of its metadata: a full parse of a hundred long descriptions is slow.
    """
    text = (entry.dist and (entry.dist.read_text("METADATA") or entry.dist.read_text("PKG-INFO"))) or ""
    head = text.replace("\r\n", "\n").partition("\n\n")[0]
    fields = dict(re.findall(r"^(Name|Version):[ \t]*(\S+)", head, re.MULTILINE))
    return normal(fields.get("Name", "unknown")), fields.get("Version", "")


def installed() -> Iterator[Candidate]:
    """Every entry point of the group, duplicates included."""
    from importlib.metadata import entry_points

    for entry in entry_points(group=GROUP):
        yield Candidate(entry.name, *_identity(entry), entry.value, entry.load)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _answers_to(plugin: Candidate, name: str) -> bool:
    return name in (plugin.name, plugin.title) or normal(name) == plugin.distribution


def choose(found: list[Candidate], environment: Mapping[str, str]) -> None:
    """Mark what the environment switches off; add a broken one for each chosen name that is not there."""
    only = environment.get("SIXARTS_PLUGINS")
    off = _names(environment.get("SIXARTS_DISABLE_PLUGINS", ""))
    for plugin in found:
        if only is not None and not any(_answers_to(plugin, name) for name in _names(only)):
            plugin.fail("disabled", "SIXARTS_PLUGINS does not name it")
        elif "*" in off or any(_answers_to(plugin, name) for name in off):
            plugin.fail("disabled", "SIXARTS_DISABLE_PLUGINS names it")
    known = [plugin.name for plugin in found]
    for name in _names(only or ""):
        if not any(_answers_to(plugin, name) for plugin in found):
            absent = Candidate(name, "", "", "", load=lambda: None)
            like = " or ".join(map(repr, nearest(name, known)))
            hint = f"; did you mean {like}?" if like else ""
            absent.fail("broken", f"SIXARTS_PLUGINS names it, and no installed plugin has this name{hint}")
            found.append(absent)


def _hooks(manager: pluggy.PluginManager, module: object) -> dict[str, Callable[[], object]]:
    """Hook name to the plugin's function, all checked against the specs.

    Raises:
        PluginError: a hook is misspelt, unmarked, takes an argument or is a wrapper, or there is none.
    """
    calls: dict[str, Callable[[], object]] = {}
    for caller in manager.get_hookcallers(module) or ():
        implementation = next(each for each in caller.get_hookimpls() if each.plugin is module)
        if not caller.has_spec():
            if implementation.optionalhook:
                continue
            like = nearest(caller.name, HOOKS, count=1)
            hint = f"did you mean {like[0]!r}?" if like else "the hooks are " + ", ".join(HOOKS)
            raise PluginError(f"no hook is called {caller.name!r}; {hint}")
        if implementation.wrapper or implementation.hookwrapper:
            raise PluginError(f"{caller.name} is a wrapper; expected a plain hook that returns its offers")
        calls[caller.name] = implementation.function
    for name in HOOKS:
        if name not in calls and callable(getattr(module, name, None)):
            raise PluginError(f"{name} is not marked as a hook; put @hookimpl above it")
    if not calls:
        raise PluginError("it has no hook; expected at least one of " + ", ".join(HOOKS))
    return calls


def reason_of(error: BaseException) -> str:
    """One line that says what went wrong in a stranger's module."""
    if isinstance(error, SixartsError):
        return str(error)
    if isinstance(error, pluggy.PluginValidationError):
        first, *_, last = str(error).strip().split("\n")  # which hook; what about it
        return f"{first}: {last}; the hooks take no arguments"
    if isinstance(error, ModuleNotFoundError):
        return f"it imports {error.name!r}, which is not installed"
    return f"{type(error).__name__}: {error}"


def admit(manager: pluggy.PluginManager, plugin: Candidate) -> None:
    """Load one plugin, ask its hooks and keep what they offer; take it back whole when anything fails."""
    module: object = None
    try:
        module = plugin.load()
        version = getattr(module, "API_VERSION", None)
        if version is None:
            raise PluginError(f'it states no API_VERSION; write API_VERSION = "{API_VERSION}" in it')
        if str(version) != API_VERSION:
            stated = f"written for plugin API {version}, this Sixarts has {API_VERSION}"
            return plugin.fail("incompatible", f"{stated}; upgrade the older of the two")
        other = manager.get_name(module)
        if other is not None:
            raise PluginError(f"its module is registered already, as {other}")
        manager.register(module, plugin.title)
        offers = {name: checked(name, call()) for name, call in _hooks(manager, module).items()}
        _refuse_repeats(offers)
        plugin.offers = offers
    except MissingExtra as error:
        plugin.fail("needs-extra", str(error))
    except (Exception, SystemExit) as error:  # whatever a stranger's module does, the others load
        plugin.fail("broken", reason_of(error))
    finally:
        if plugin.state != "ok" and manager.get_plugin(plugin.title) is not None:
            manager.unregister(name=plugin.title)
    return None


def claimed(offers: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Every name that a plugin's offers claim, as ``(kind, name, value)``."""
    for spec in offers.get("sixarts_tasks", ()):
        for name in (spec.name, *spec.aliases):
            yield "task", name, spec
    for spec in offers.get("sixarts_families", ()):
        yield "family", spec.name, spec
    for entry in offers.get("sixarts_models", ()):
        if entry.folder is not None:
            yield "starter", entry.reference.removeprefix(STARTER), entry
    for scheme, path in offers.get("sixarts_hubs", {}).items():
        yield "hub", scheme, path
    for name, path in offers.get("sixarts_commands", {}).items():
        yield "command", name, path


def _refuse_repeats(offers: Mapping[str, Any]) -> None:
    seen: set[tuple[str, str]] = set()
    for kind, name, _ in claimed(offers):
        if (kind, name) in seen:
            raise PluginError(f"it declares {kind} {name!r} twice")
        seen.add((kind, name))
