"""The contract that every plugin is held to, as small named checks that anyone can run on theirs.

On a command line or in a notebook::

    from sixarts.testing import check_plugin

    print(check_plugin("translation"))

In a test suite, every check of every task as a test of its own::

    from sixarts.testing import parametrize_with_checks

    @parametrize_with_checks(["shouting"], expected_failures={("shouting", "fit_resumes"): "no training yet"})
    def test_contract(check):
        check()

Everything here is imported on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .checks_explanation import promise
    from .contract import Check, Failed, Skipped, Subject, check
    from .pytest_support import parametrize_with_checks
    from .report import CHECKS, Report, check_plugin
    from .workers import Worker, installed_backends

__all__ = [
    "CHECKS",
    "Check",
    "Failed",
    "Report",
    "Skipped",
    "Subject",
    "Worker",
    "check",
    "check_plugin",
    "installed_backends",
    "parametrize_with_checks",
    "promise",
]

#: Public name to the module that holds it.
_HOMES = {
    "CHECKS": "report",
    "Check": "contract",
    "Failed": "contract",
    "Report": "report",
    "Skipped": "contract",
    "Subject": "contract",
    "Worker": "workers",
    "check": "contract",
    "check_plugin": "report",
    "installed_backends": "workers",
    "parametrize_with_checks": "pytest_support",
    "promise": "checks_explanation",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
