"""Every check of the contract passes on a sound plugin and fails on one that is broken, saying why."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import tiny_site
from broken_plugins import BREAKS, Break, Tiny, subject_of

from sixarts.plugins import registry
from sixarts.testing import CHECKS, Failed, Worker, check_plugin
from sixarts.testing.checks_plugin import heavy_imports
from sixarts.testing.contract import Subject, forget_subjects


def forget() -> None:
    """Drops what is remembered of installed plugins."""
    registry.cache_clear()
    heavy_imports.cache_clear()
    forget_subjects()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder where the tiny plugin is installed with its starter, for this module's tests alone."""
    folder = tmp_path_factory.mktemp("site")
    path = list(sys.path)
    tiny_site.install(folder)
    forget()
    tiny_site.train_starter(folder)
    yield folder
    sys.path[:] = path
    for name in [name for name in sys.modules if name.partition(".")[0] == "tiny_art"]:
        del sys.modules[name]
    forget()


@pytest.fixture(scope="module")
def loaded(site: Path) -> Any:
    """The tiny task, loaded once."""
    return Subject.of("mood").task


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, site: Path, loaded: Any) -> Iterator[Tiny]:
    modules = {name: importlib.import_module(f"tiny_art.{name}") for name in ("plugin", "model", "task")}
    yield Tiny(monkeypatch, site, SimpleNamespace(**modules), loaded)
    monkeypatch.undo()
    forget()


def test_a_sound_plugin_keeps_the_contract(site: Path, backends: dict[str, Worker]) -> None:
    for worker in backends.values():
        # Tests before this one may have asked it which plugins there are.
        worker.call("tiny_site:agree")
    report = check_plugin("tiny")
    assert report.ok, str(report)
    assert {outcome.check for outcome in report.outcomes} == set(CHECKS)
    assert str(report).endswith(f"{len(CHECKS)} passed")


@pytest.mark.parametrize("broken", [pytest.param(each, id=f"{each.check}: {each.says}") for each in BREAKS])
def test_check_fails(broken: Break, tiny: Tiny, backends: dict[str, Worker]) -> None:
    with contextlib.ExitStack() as stack:
        if inspect.isgeneratorfunction(broken.apply):
            stack.enter_context(contextlib.contextmanager(broken.apply)(tiny))
        else:
            broken.apply(tiny)
        forget()
        with pytest.raises(Failed) as failed:
            CHECKS[broken.check](subject_of(broken, tiny.loaded))
    assert broken.says in str(failed.value)


@pytest.mark.quick
def test_every_check_is_seen_to_fail() -> None:
    assert {broken.check for broken in BREAKS} == set(CHECKS)


@pytest.mark.quick
def test_every_check_says_in_a_line_what_it_demands() -> None:
    for check in CHECKS.values():
        assert check.summary.endswith((".", ":")) and len(check.summary) < 110, check.name
