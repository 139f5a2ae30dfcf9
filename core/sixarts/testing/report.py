"""``check_plugin``: every check of one plugin, as a report that prints."""

from __future__ import annotations

import importlib
import time
import traceback
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sixarts.errors import UnknownName
from sixarts.plugins import registry
from sixarts.result import Result
from sixarts.testing.contract import CHECKS, Check, Failed, Skipped, Subject

# Importing them fills CHECKS, in this order.
for _theme in ("plugin", "calls", "model", "training", "explanation"):
    importlib.import_module(f"sixarts.testing.checks_{_theme}")

__all__ = ["CHECKS", "Outcome", "Report", "check_of", "check_plugin", "outcome", "subjects"]

#: Subject and check to the reason why the check is expected to fail.
Expected = Mapping[tuple[str, str], str]

_MARKS = {"passed": "✓", "failed": "✗", "skipped": "-", "expected": "x", "unexpected": "!"}


@dataclass(frozen=True)
class Outcome(Result):
    """How one check went.

    Attributes:
        check: its name.
        subject: the task or plugin.
        status: ``passed``, ``failed``, ``skipped``, ``expected`` (it failed, as expected) or ``unexpected``
            (it passed where a failure was expected).
        reason: why, where it did not pass.
        seconds: how long it took.
        trace: the traceback of an error that is no plain failure.
    """

    check: str
    subject: str
    status: str
    reason: str = ""
    seconds: float = 0.0
    trace: str = field(default="", repr=False)

    def __str__(self) -> str:
        tail = f": {self.reason}" if self.reason else ""
        return f"{_MARKS[self.status]} {self.subject} {self.check}{tail}"


@dataclass(frozen=True)
class Report(Result):
    """What :func:`check_plugin` found.

    Attributes:
        outcomes: one for each check and task, in the order in which they ran.
    """

    outcomes: tuple[Outcome, ...]

    @property
    def failures(self) -> tuple[Outcome, ...]:
        """Checks that failed, or passed where a failure was expected."""
        return tuple(each for each in self.outcomes if each.status in ("failed", "unexpected"))

    @property
    def ok(self) -> bool:
        """Whether the contract is kept."""
        return not self.failures

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        counts = {status: sum(each.status == status for each in self.outcomes) for status in _MARKS}
        summary = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
        return "\n".join([*map(str, self.outcomes), summary or "no checks"])


def check_plugin(
    name: str, checks: Iterable[str] | None = None, expected_failures: Expected | None = None
) -> Report:
    """Runs the contract over a plugin and every task that it offers.

    Args:
        name: the plugin's entry point, ``DISTRIBUTION:ENTRYPOINT``, or one task's name.
        checks: names of those to run; all of :data:`CHECKS` when left out.
        expected_failures: ``(task, check)`` to the reason why it fails today.

    Raises:
        UnknownName: no such plugin, task or check.
    """
    chosen = list(CHECKS.values()) if checks is None else [check_of(each) for each in checks]
    expected = expected_failures or {}
    return Report(
        tuple(
            outcome(check, subject, expected.get((subject.name, check.name)))
            for subject in subjects(name)
            for check in chosen
            if check.scope in subject.scopes
        )
    )


def check_of(name: str) -> Check:
    """The check of this name; raises :class:`UnknownName` with the nearest ones."""
    if name not in CHECKS:
        raise UnknownName("check", name, CHECKS)
    return CHECKS[name]


def subjects(name: str) -> Iterator[Subject]:
    """The tasks that a plugin offers, or the plugin itself where it offers none; or one task."""
    try:
        tasks = registry().offers(name).get("sixarts_tasks", ())
    except UnknownName:
        tasks = ()
    if tasks:
        yield from (Subject.of(registry().spelling(spec)) for spec in tasks)
    else:
        yield Subject.of(name)


def outcome(check: Check, subject: Subject, expected: str | None = None) -> Outcome:
    """Runs one check and tells how it went."""
    begin = time.perf_counter()
    found: dict[str, Any] = {"status": "passed"}
    try:
        check(subject)
    except Skipped as reason:
        found = {"status": "skipped", "reason": str(reason)}
    except Failed as error:
        found = {"status": "failed", "reason": str(error)}
    except Exception as error:  # whatever a stranger's plugin raises, the other checks run
        found = {
            "status": "failed",
            "reason": f"{type(error).__name__}: {error}",
            "trace": traceback.format_exc(),
        }
    if expected is not None and found["status"] == "failed":
        found |= {"status": "expected", "reason": expected}
    elif expected is not None and found["status"] == "passed":
        found |= {"status": "unexpected", "reason": f"it passes, and was expected to fail: {expected}"}
    return Outcome(check.name, subject.name, seconds=time.perf_counter() - begin, **found)
