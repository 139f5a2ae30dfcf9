"""The recipes of this plugin by name: ``python -m sixarts_diagnosis.recipe NAME DATA FOLDER``.

What each does stands in :mod:`sixarts_diagnosis.record_recipe` and :mod:`sixarts_diagnosis.pathology_recipe`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from sixarts_diagnosis import pathology_recipe, record_recipe

RECIPES: dict[str, Callable[[Path, Path], Any]] = {
    **record_recipe.RECIPES,
    **{name: partial(pathology_recipe.run, name) for name in pathology_recipe.RECIPES},
}


def main(arguments: list[str] | None = None) -> None:
    """Runs a recipe; see the module's text."""
    parser = argparse.ArgumentParser(prog="python -m sixarts_diagnosis.recipe", description=main.__doc__)
    parser.add_argument("name", choices=list(RECIPES), help="which recipe")
    parser.add_argument("data", type=Path, help="the data as published: see `corpora`")
    parser.add_argument("folder", type=Path, help="where the finished model goes")
    given = parser.parse_args(arguments)
    RECIPES[given.name](given.data, given.folder)


if __name__ == "__main__":
    main()
