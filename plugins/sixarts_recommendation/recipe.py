"""The recipes of the recommendation plugin.

::

    python -m sixarts_recommendation.recipe baskets-next groceries runs/baskets-next
    python -m sixarts_recommendation.recipe toys s3rec runs/toys
"""

from __future__ import annotations

from sixarts.cli.recipes import run

#: Recipe to the function that runs it, of the data's folder and the folder where results go.
RECIPES = {
    "baskets-next": "sixarts_recommendation.next_item_recipe:baskets",
    "toys": "sixarts_recommendation.next_item_recipe:toys",
    "games": "sixarts_recommendation.next_item_recipe:games",
    "basket-items": "sixarts_recommendation.click_recipe:basket_items",
    "adult": "sixarts_recommendation.click_recipe:adult",
    "similar-items": "sixarts_recommendation.similarity_recipe:similar_items",
}

if __name__ == "__main__":
    run("sixarts_recommendation", RECIPES)
