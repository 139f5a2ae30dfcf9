"""The command line of a plugin's recipes: ``python -m PLUGIN.recipe NAME DATA FOLDER``."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sixarts.plugins import resolve

#: What makes a model of a data folder and a working folder, or its dotted path.
Recipe = Callable[[Path, Path], Any] | str


def run(package: str, recipes: Mapping[str, Recipe], arguments: Sequence[str] | None = None) -> None:
    """Runs the recipe that the command line names.

    Args:
        package: whose module ``recipe`` is run.
        recipes: by name.
        arguments: of the command line; the process's own by default.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {package}.recipe", description="Makes a model anew.")
    parser.add_argument("name", choices=list(recipes), help="which recipe")
    parser.add_argument("data", type=Path, help="the data as published: see the recipe")
    parser.add_argument("folder", type=Path, help="where the finished model goes")
    given = parser.parse_args(arguments)
    recipe = recipes[given.name]
    (resolve(recipe) if isinstance(recipe, str) else recipe)(given.data, given.folder)
