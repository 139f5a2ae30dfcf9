"""The house: imports run only downward, modules are small and say what they are."""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from sixarts.plugins import registry
from sixarts.testing.checks_plugin import heavy_imports

pytestmark = pytest.mark.quick

ROOT = Path(__file__).parents[2]
#: Floor to the packages on it, from the ground up.
FLOORS = {
    floor: sorted(path.name for path in (ROOT / floor).iterdir() if (path / "__init__.py").is_file())
    for floor in ("hub", "core", "plugins")
}
#: Lines of a module beyond which its docstring says why it is not two.
LONG = 400
#: Lines of core that do something, beside the folders that have a size of their own. They were 4,500 before
#: searches learned what published summarizers and Whisper set: no repetition, shortest lengths, prompts.
CORE_CAP = 4600
APART = ("media", "cli", "testing", "readers", "networks")
BACKENDS = {"keras", "tensorflow", "jax", "torch"}


@cache
def modules(floor: str) -> tuple[tuple[str, Path], ...]:
    """Dotted name and file of each module on a floor."""
    found = []
    for package in FLOORS[floor]:
        for path in sorted((ROOT / floor / package).rglob("*.py")):
            parts = path.relative_to(ROOT / floor).with_suffix("").parts
            found.append((".".join(parts[:-1] if parts[-1] == "__init__" else parts), path))
    return tuple(found)


MODULES = {name: path for floor in FLOORS for name, path in modules(floor)}


@cache
def tree(name: str) -> ast.Module:
    return ast.parse(MODULES[name].read_text(encoding="utf-8"))


def imports(name: str, nodes: Iterator[ast.AST] | None = None) -> set[str]:
    """Absolute names of the modules that a module imports."""
    package = name if MODULES[name].name == "__init__.py" else name.rpartition(".")[0]
    found: set[str] = set()
    for node in nodes or ast.walk(tree(name)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            inner = {f"{base}.{alias.name}" for alias in node.names if f"{base}.{alias.name}" in MODULES}
            found |= inner or {base}
    return found


def at_import_time(nodes: list[ast.stmt]) -> Iterator[ast.AST]:
    """Statements that run when a module is imported, those for type checkers left out."""
    for node in nodes:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        yield node
        for body in ("body", "orelse", "finalbody"):
            yield from at_import_time(getattr(node, body, []) or [])


def top(name: str) -> str:
    return name.partition(".")[0]


@pytest.mark.parametrize("floor", list(FLOORS))
def test_imports_run_only_downward(floor: str) -> None:
    place = list(FLOORS).index(floor)
    above = {package for higher in list(FLOORS)[place + 1 :] for package in FLOORS[higher]}
    for name, _ in modules(floor):
        upward = {found for found in imports(name) if top(found) in above}
        assert not upward, f"{name} imports {upward}, which is on a floor above"


def test_no_plugin_imports_another() -> None:
    for name, _ in modules("plugins"):
        others = {f for f in imports(name) if top(f) in FLOORS["plugins"] and top(f) != top(name)}
        assert not others, f"{name} imports {others}; plugins meet in the registry"


def test_core_names_no_plugin() -> None:
    for name, path in modules("core"):
        named = set(re.findall(r"sixarts_\w+", path.read_text(encoding="utf-8"))) & set(FLOORS["plugins"])
        assert not named or name == "sixarts.testing", f"{name} names {named}"


def test_hub_knows_no_keras() -> None:
    for name, _ in modules("hub"):
        heavy = {found for found in imports(name) if top(found) in BACKENDS | {"numpy"}}
        assert not heavy, f"{name} imports {heavy}"


def test_core_has_no_import_cycles() -> None:
    edges = {
        name: {
            found
            for found in imports(name, at_import_time(tree(name).body))
            if found in MODULES and found != name
        }
        for name, _ in modules("core")
    }

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " → ".join([*way[way.index(name) :], name])
        if name not in clear:
            for found in sorted(edges.get(name, ())):
                visit(found, (*way, name))
            clear.add(name)

    clear: set[str] = set()
    for name in sorted(edges):
        visit(name, ())


def test_importing_each_plugin_stays_light() -> None:
    found = heavy_imports(tuple(state.module for state in registry().states), tuple(sys.path))
    assert found and not any(found.values()), found


@pytest.mark.parametrize(
    "module", ["sixarts", "sixarts_hub", "sixarts.testing", "sixarts.plugins", "sixarts.cli"]
)
def test_import_loads_nothing_heavy(module: str) -> None:
    heavy = sorted({*BACKENDS, "numpy", "huggingface_hub", "matplotlib"})
    code = f"import sys, {module}; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", list(MODULES))
def test_module_is_small_and_says_what_it_is(name: str) -> None:
    said = ast.get_docstring(tree(name)) or ""
    assert said.strip(), f"{name} has no docstring; expected a line on what it holds"
    assert said.partition("\n")[0].rstrip().endswith((".", ":", "?")), (
        f"{name}: the first line is no sentence"
    )
    lines = MODULES[name].read_text(encoding="utf-8").count("\n")
    assert lines <= LONG or "lines" in said, f"{name} has {lines} lines; its docstring must say why"
    assert MODULES[name].stem not in ("utils", "helpers", "misc", "common"), f"{name} names no idea"


def test_core_stays_small() -> None:
    sizes = {
        name: code_lines(path)
        for name, path in modules("core")
        if not name.startswith(tuple(f"sixarts.{folder}" for folder in APART))
    }
    assert sum(sizes.values()) < CORE_CAP, sorted(sizes.items(), key=lambda item: -item[1])[:10]


def code_lines(path: Path) -> int:
    """Lines of a module that do something: no blank ones, comments or docstrings."""
    text = path.read_text(encoding="utf-8")
    quiet = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in quiet and token.type != tokenize.ENDMARKER:
            lines |= set(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            first = node.body[0]
            lines -= set(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    return len(lines)
