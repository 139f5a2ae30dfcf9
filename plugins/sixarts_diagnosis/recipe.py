"""The recipes of this plugin by name: ``python -m sixarts_diagnosis.recipe NAME DATA FOLDER``.

What each does stands in :mod:`sixarts_diagnosis.record_recipe`, :mod:`sixarts_diagnosis.beside_logistic` and
:mod:`sixarts_diagnosis.pathology_recipe`.
"""

from __future__ import annotations

from functools import partial

from sixarts.cli.recipes import Recipe, run
from sixarts_diagnosis import beside_logistic, pathology_recipe, record_recipe

RECIPES: dict[str, Recipe] = {
    **record_recipe.RECIPES,
    "beside-logistic": beside_logistic.beside_logistic,
    **{name: partial(pathology_recipe.run, name) for name in pathology_recipe.RECIPES},
}

if __name__ == "__main__":
    run("sixarts_diagnosis", RECIPES)
