"""The house's style: linted, formatted, typed, documented, and standing alone."""

from __future__ import annotations

import ast
import doctest
import importlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import sixarts

ROOT = Path(__file__).parents[1]
FLOORS = ("hub", "core", "plugins")
#: Kinds of files that hold text.
TEXT = {".py", ".md", ".toml", ".txt", ".json", ".cfg", ".yml", ".yaml", ".css", ".html", ".ini", ""}
#: What no file may name: folders of one machine, and where packages or models were fetched from. Joined here,
#: so that this file does not name them either.
FOREIGN = re.compile(
    "|".join(
        [
            r"(?<![\w.:/~-])/(?:wo" + r"rk|ro" + r"ot|op" + r"t|mn" + r"t)/\w",
            r"\b(?:extra-)?index-" + r"url\b",
            r"\bfind-" + r"links\b",
            r"https?://(?:\d+\.){3}\d+(?<!127\.0\.0\.1)\b",
            r"\b[\w-]+\.(?:inter" + r"nal|cor" + r"p|l" + r"an)\b",
        ]
    )
)


def modules(floor: str) -> Iterator[tuple[str, Path]]:
    """Dotted name and file of each module of one floor."""
    for path in sorted((ROOT / floor).rglob("*.py")):
        parts = path.relative_to(ROOT / floor).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


MODULES = dict(module for floor in FLOORS for module in modules(floor))


def tool(*command: str) -> str:
    """What a tool says against the repository; empty when it has nothing to say."""
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True)
    return (done.stdout + done.stderr) if done.returncode else ""


@pytest.mark.quick
def test_lint() -> None:
    assert not tool("ruff", "check", "."), tool("ruff", "check", "--output-format", "concise", ".")


@pytest.mark.quick
def test_format() -> None:
    assert not tool("ruff", "format", "--check", "."), tool("ruff", "format", "--check", ".")


def test_types() -> None:
    assert not (said := tool("mypy")), said


@pytest.mark.parametrize("name", list(MODULES))
def test_doctests(name: str) -> None:
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0


def test_doctests_are_there() -> None:
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = [test for name in MODULES for test in finder.find(importlib.import_module(name)) if test.examples]
    assert len(found) > 20


@pytest.mark.quick
@pytest.mark.parametrize("name", [name for floor in ("hub", "core") for name, _ in modules(floor)])
def test_public_names_are_documented(name: str) -> None:
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    bare = [
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]
    assert not bare, f"{name}: {', '.join(bare)} have no docstring"


@pytest.mark.quick
def test_version_is_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == sixarts.__version__
    assert f"## {sixarts.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def tracked() -> list[Path]:
    """Files that git holds or would; of a copy without git, all."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listing.returncode:
        return [path for path in ROOT.rglob("*") if path.is_file()]
    return [path for name in listing.stdout.split("\0") if name and (path := ROOT / name).is_file()]


@pytest.mark.quick
def test_the_repository_stands_alone() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in tracked()
        if path.suffix in TEXT and path.stat().st_size < 1_000_000
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if FOREIGN.search(line)
    ]
    assert not found, "\n".join(found)
