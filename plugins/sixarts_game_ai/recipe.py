"""The recipes of the games' starters: learning, then measuring on the weights that ship, card.

::

    python -m sixarts_game_ai.recipe connect-four connect4 runs/connect-four
"""

from __future__ import annotations

from sixarts.cli.recipes import run

#: Name of a starter to what makes it of a data folder and a working folder.
RECIPES = {
    "connect-four": "sixarts_game_ai.board_recipe:connect_four",
    "tic-tac-toe": "sixarts_game_ai.board_recipe:tic_tac_toe",
    "breakthrough": "sixarts_game_ai.board_recipe:breakthrough",
    "cartpole": "sixarts_game_ai.agent_recipe:cartpole",
    "lunar-lander": "sixarts_game_ai.agent_recipe:lunar_lander",
    "minatar-breakout": "sixarts_game_ai.agent_recipe:minatar_breakout",
    "minatar-space-invaders": "sixarts_game_ai.agent_recipe:minatar_space_invaders",
}

if __name__ == "__main__":
    run("sixarts_game_ai", RECIPES)
