"""Cards of the board games' starters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sixarts.card import Card
from sixarts.card import Measured as OnCard
from sixarts.result import Metrics
from sixarts_game_ai.board_plans import PLANS


def use(game: str, position: str) -> str:
    """The section "Use"."""
    return f"""Plays {game.replace("_", " ").partition("(")[0]}: the best move of a position, its value, and
how the game goes on.

```python
import sixarts

play = sixarts.load("game-strategy", game="{game}")
move = play({position!r})
print(move.action, move.value, move.proven)
move.plot()
```"""


def training_told(name: str) -> str:
    """The section "Training"."""
    plan = PLANS[name]
    training = plan.training
    mirror = ", boards mirrored half of the time" if training.mirror else ""
    network = {"blocks": 5, "filters": 32} | dict(plan.network)
    return f"""`python -m sixarts_game_ai.recipe {name} DATA FOLDER` makes such a folder again.

Gumbel AlphaZero (Danihelka et al. 2022) from random weights: self-play of {training.games} games side by side
(in each process, where there are several), {training.simulations} simulations a move, games begun with up to
{training.openings} random moves. Each position teaches its improved policy, and a value led back from the end
of the game that proofs of the search overrule. A sample is learned about {training.reuse:g} times by AdamW,
its learning rate falling from {training.learning_rate:g} to zero{mirror}. A residual network (Silver et al.
2018) of {network["blocks"]} blocks and {network["filters"]} filters with policy, win/draw/loss, and a value
that shrinks with the plies until the end. Nobody's games were read, and no figure below chose anything."""


NO_DATA = """None: the model played against itself by the rules of OpenSpiel (license Apache-2.0)."""


def footprint(task: Any) -> str:
    """The section "Footprint"."""
    cost = task.footprint()
    return f"""{cost}. One answer is a search of {task.options.simulations} simulations; fewer play weaker and
answer sooner."""


def against(matches: Mapping[str, Any]) -> str:
    """Games as lines of a card."""
    return (
        "\n".join(f"- against {name}: {result}" for name, result in matches.items()) or "- none were played"
    )


def connect_four_card(task: Any, measured: Sequence[Any], games: Mapping[str, Any]) -> Card:
    """The card of the Connect Four starter."""
    sections = {
        "Use": use("connect_four", "4455"),
        "Data": NO_DATA
        + """ It is judged by positions that Pascal Pons published (blog.gamesolver.org; no license stated),
of which every column was scored by a solver of our own; nothing was learned from them. Of `L1_R1` these are
the first 200.""",
        "Training": training_told("connect-four"),
        "Evaluation": "\n\n".join(map(str, measured))
        + f"""

`kept`: the move keeps win, draw or loss; `best`: it is among the best-scored, the quickest win or the longest
loss; `value`: win, draw or loss of the position are told rightly. OpenSpiel's own tree search with random
playouts keeps the value in .995 of L2_R1 with 1,000 simulations and plays the best-scored move in .955 of it,
in .975 with 10,000; on L1_R1 it keeps .975 with 1,000.

Games as the first player from the empty board, {task.options.simulations} simulations a move:

{against(games)}""",
        "Footprint": footprint(task),
        "Limits": """It knows Connect Four on 6 rows by 7 columns, and nothing else. It is not a solver: where
a proof is beyond its budget, a move may lose what was won; `proven` says where it is sure.""",
    }
    return Card(
        title="Connect Four starter",
        task="game-strategy",
        license="apache-2.0",
        sections=sections,
        measured=tuple(measured),
    )


def tic_tac_toe_card(task: Any, found: Metrics, games: Mapping[str, Any]) -> Card:
    """The card of the tic-tac-toe starter."""
    measured = OnCard(found, "tic-tac-toe, every reachable position", split="all")
    sections = {
        "Use": use("tic_tac_toe", "519"),
        "Data": NO_DATA + " It is judged by minimax over every position.",
        "Training": training_told("tic-tac-toe"),
        "Evaluation": f"""{measured}

`value`: win, draw or loss are told rightly; `kept`: the move keeps them. Games, each side as often:

{against(games)}""",
        "Footprint": footprint(task),
        "Limits": "It knows tic-tac-toe on 3 by 3 cells, and nothing else.",
    }
    return Card(
        title="Tic-tac-toe starter",
        task="game-strategy",
        license="apache-2.0",
        sections=sections,
        measured=(measured,),
    )


def breakthrough_card(task: Any, games: Mapping[str, Any]) -> Card:
    """The card of the Breakthrough starter."""
    sections = {
        "Use": use("breakthrough", "a7a6 a2a3"),
        "Data": NO_DATA,
        "Training": training_told("breakthrough"),
        "Evaluation": f"""Games as the first player from openings of four random moves,
{task.options.simulations} simulations a move:

{against(games)}

We know of no published figure to hold this against; OpenSpiel's search is the yardstick.""",
        "Footprint": footprint(task),
        "Limits": """It knows Breakthrough on 8 by 8 cells, and nothing else. Some openings of random moves
are lost for either side, whatever is played.""",
    }
    return Card(title="Breakthrough starter", task="game-strategy", license="apache-2.0", sections=sections)
