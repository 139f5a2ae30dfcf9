"""Every check of the contract over every registered task: later plugins are held to it by existing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sixarts.plugins import registry
from sixarts.testing import Check, parametrize_with_checks

#: ``(task, check)`` to the reason why it fails today.
EXPECTED_FAILURES: dict[tuple[str, str], str] = {}


def subjects() -> list[str]:
    """Every task by the name that reaches it, and every plugin that offers none."""
    names = registry()
    tasks = [names.spelling(spec) for spec in names.tasks()]
    alone = [state.name for state in names.states if not names.offers(state.name).get("sixarts_tasks")]
    return [*tasks, *alone]


def marks(check: Check) -> list[pytest.MarkDecorator]:
    return [pytest.mark.quick] if check.quick else []


@parametrize_with_checks(subjects(), EXPECTED_FAILURES, marks)
def test_contract(check: Callable[[], None], backends: object) -> None:
    check()
