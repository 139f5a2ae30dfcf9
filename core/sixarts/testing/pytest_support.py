"""The contract as pytest tests, one for each check of each task."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import pytest

from sixarts.testing.contract import Check, Failed, Skipped, Subject
from sixarts.testing.report import CHECKS, check_of


def parametrize_with_checks(
    tasks: Iterable[str],
    expected_failures: Mapping[tuple[str, str], str] | None = None,
    marks: Callable[[Check], Iterable[pytest.MarkDecorator]] = lambda check: (),
) -> pytest.MarkDecorator:
    """Gives a test an argument ``check`` for each check of each task, to be called.

    Args:
        tasks: names of tasks, or of plugins that have none.
        expected_failures: ``(task, check)`` to the reason. Such a test is a strict ``xfail``: when it
            passes, the entry has to go.
        marks: further marks of a check's tests, e.g. by its ``quick``.

    Raises:
        UnknownName: ``expected_failures`` names no check.

    Example::

        @parametrize_with_checks(["shouting"], {("shouting", "fit_resumes"): "it keeps no checkpoint yet"})
        def test_contract(check):
            check()
    """
    expected = dict(expected_failures or {})
    for _, name in expected:
        check_of(name)
    return pytest.mark.parametrize(
        "check",
        [
            pytest.param(
                partial(_run, check, task),
                id=f"{task}-{check.name}",
                marks=[*marks(check), *_expectation(expected.get((task, check.name)))],
            )
            for task in tasks
            for check in CHECKS.values()
            if check.scope in Subject.of(task).scopes
        ],
    )


def _expectation(reason: str | None) -> list[Any]:
    return [] if reason is None else [pytest.mark.xfail(reason=reason, strict=True, raises=Failed)]


def _run(check: Check, task: str) -> None:
    try:
        check(task)
    except Skipped as reason:
        pytest.skip(str(reason))
