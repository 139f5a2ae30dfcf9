"""What a check is, and what it is held against: the table that ``@check`` fills, and :class:`Subject`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Literal
from unittest import mock

from sixarts.errors import MissingExtra, UnknownName
from sixarts.plugins import PluginState, registry, require
from sixarts.spec import TaskSpec

Scope = Literal["plugin", "task"]


class Failed(AssertionError):
    """A check that does not hold; the message says what was found and what was expected."""


class Skipped(Exception):
    """A check that says nothing here, with the reason."""


def expect(held: Any, message: str) -> None:
    """Raises :class:`Failed` with ``message`` unless ``held``."""
    if not held:
        raise Failed(message)


@dataclass(frozen=True)
class Check:
    """One small rule of the contract.

    Attributes:
        name: as tests and reports show it.
        summary: what it demands, one line.
        run: raises :class:`Failed` when a subject breaks it.
        scope: ``"plugin"`` for what needs no task to be loaded, ``"task"`` for the rest.
        quick: whether it takes a few seconds at most, once the task is loaded.
    """

    name: str
    summary: str
    run: Callable[[Subject], None]
    scope: Scope
    quick: bool

    def __call__(self, subject: Subject | str) -> None:
        """Runs it on a subject, or on the task or plugin of that name.

        Raises:
            Failed: the rule is broken.
            Skipped: it says nothing here.
        """
        self.run(subject if isinstance(subject, Subject) else Subject.of(subject))


#: Every check by name, in the order in which they are run. The ``checks_*`` modules fill it.
CHECKS: dict[str, Check] = {}


def check(
    scope: Scope = "task", quick: bool = True
) -> Callable[[Callable[[Subject], None]], Callable[[Subject], None]]:
    """Enters a function into :data:`CHECKS` under its own name; its docstring's first line is the rule."""

    def enter(function: Callable[[Subject], None]) -> Callable[[Subject], None]:
        name, summary = function.__name__, (inspect.getdoc(function) or "").partition("\n")[0]
        CHECKS[name] = Check(name, summary, function, scope, quick)
        return function

    return enter


@dataclass(eq=False)
class Subject:
    """What checks are run on: a task with the plugin that offers it, or a plugin alone.

    Attributes:
        name: the name that reaches it.
        plugin: the plugin that offers it.
        offers: what that plugin offers, by hook.
    """

    name: str
    plugin: PluginState
    offers: Mapping[str, Any]
    described: TaskSpec | None = None

    @classmethod
    def of(cls, name: str) -> Subject:
        """The task of this name, or else the plugin; the same object each time, so that a task loads once.

        Raises:
            UnknownName: neither is there.
        """
        return _subject(name)

    @property
    def spec(self) -> TaskSpec:
        """The task's description."""
        if self.described is None:
            raise Skipped(f"the plugin {self.name!r} has no task")
        return self.described

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """Which checks apply."""
        return ("plugin",) if self.described is None else ("plugin", "task")

    @cached_property
    def task(self) -> Any:
        """The task with its default model, loaded once and shared: checks leave it as it is."""
        return self.fresh()

    def fresh(self, model: Any = None) -> Any:
        """A copy of one's own, for checks that change what they are given.

        Args:
            model: a reference; the task's default when left out.
        """
        from sixarts.loading import load

        try:
            require(self.spec)
        except MissingExtra as error:
            raise Skipped(str(error)) from None
        return load(self.name, model, device="cpu")

    @property
    def sample(self) -> Any:
        """The first sample input."""
        expect(self.spec.samples, f"{self.name} states no samples; expected at least one")
        return self.spec.samples[0]

    @cached_property
    def answers(self) -> list[Any]:
        """The answers to the samples, each asked alone."""
        return [self.task(sample) for sample in self.spec.samples]


@cache
def _subject(name: str) -> Subject:
    names = registry()
    states = {f"{state.distribution}:{state.name}": state for state in names.states}
    try:
        spec = names.task(name)
    except UnknownName as unknown:
        found = [title for title, state in states.items() if name in (state.name, title)]
        if not found:
            raise UnknownName(
                "task or plugin",
                name,
                [*(task.name for task in names.tasks()), *(state.name for state in states.values())],
            ) from unknown
        return Subject(name, states[found[0]], names.offers(found[0]))
    for title, state in states.items():
        offers = names.offers(title)
        if any(spec is each for each in offers.get("sixarts_tasks", ())):
            return Subject(names.spelling(spec), state, offers, spec)
    raise AssertionError(f"the task {name!r} is of no plugin")


def forget_subjects() -> None:
    """Drops every loaded task, e.g. after a plugin changed."""
    _subject.cache_clear()


@contextmanager
def computing(task: Any) -> Iterator[list[str]]:
    """Within it, the names of the task's computing methods are listed as they are called."""
    calls: list[str] = []

    def watched(name: str) -> Callable[..., Any]:
        method = getattr(task, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            calls.append(name)
            return method(*args, **kwargs)

        return call

    with (
        mock.patch.object(task, "prepare", watched("prepare")),
        mock.patch.object(task, "answer", watched("answer")),
    ):
        yield calls


def shown(value: Any) -> str:
    """A value as messages show it."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "…"
