"""Importing the ground floor is light, and its public face is whole."""

from __future__ import annotations

import ast
import doctest
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import sixarts_hub

pytestmark = pytest.mark.quick

ROOT = Path(sixarts_hub.__file__).parent
MODULES = sorted(module.name for module in pkgutil.iter_modules([str(ROOT)]))


def test_importing_loads_nothing_heavy() -> None:
    program = "import sys, sixarts_hub; from sixarts_hub import Hub, Manifest; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {module.partition(".")[0] for module in done.stdout.split()}
    assert not loaded & {"huggingface_hub", "httpx2", "tqdm", "numpy", "keras", "sixarts", "socket"}


def test_every_public_name_is_there() -> None:
    for name in sixarts_hub.__all__:
        assert getattr(sixarts_hub, name).__name__ == name
    assert set(sixarts_hub.__all__) <= set(dir(sixarts_hub))
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        sixarts_hub.__getattr__("Nothing")


@pytest.mark.parametrize("module", MODULES)
def test_imports_run_downward(module: str) -> None:
    tree = ast.parse((ROOT / f"{module}.py").read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    tops = {name.partition(".")[0] for name in names}
    assert not {top for top in tops if top == "keras" or (top.startswith("sixarts") and top != "sixarts_hub")}


@pytest.mark.parametrize("module", MODULES)
def test_examples_in_docstrings_hold(module: str) -> None:
    assert doctest.testmod(importlib.import_module(f"sixarts_hub.{module}")).failed == 0
