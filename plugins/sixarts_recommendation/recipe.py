"""The recipes of the recommendation plugin.

::

    python -m sixarts_recommendation.recipe baskets-next groceries runs/baskets-next
    python -m sixarts_recommendation.recipe toys s3rec runs/toys
"""

from __future__ import annotations

import argparse
from pathlib import Path

from sixarts.plugins import resolve

#: Recipe to the function that runs it, of the data's folder and the folder where results go.
RECIPES = {
    "baskets-next": "sixarts_recommendation.next_item_recipe:baskets",
    "toys": "sixarts_recommendation.next_item_recipe:toys",
    "games": "sixarts_recommendation.next_item_recipe:games",
    "basket-items": "sixarts_recommendation.click_recipe:basket_items",
    "adult": "sixarts_recommendation.click_recipe:adult",
    "similar-items": "sixarts_recommendation.similarity_recipe:similar_items",
}


def main(arguments: list[str] | None = None) -> None:
    """Runs a recipe; see the module's text."""
    parser = argparse.ArgumentParser(prog="python -m sixarts_recommendation.recipe", description=main.__doc__)
    parser.add_argument("name", choices=list(RECIPES), help="which recipe")
    parser.add_argument("data", type=Path, help="the data as published: see the recipe")
    parser.add_argument("folder", type=Path, help="where the finished model goes")
    given = parser.parse_args(arguments)
    resolve(RECIPES[given.name])(given.data, given.folder)


if __name__ == "__main__":
    main()
