"""What ``game-strategy`` registers; imports nothing heavy."""

from __future__ import annotations

from sixarts.spec import FamilySpec, ModelEntry, TaskSpec

#: What a family maps that judges the positions of a board game.
BOARD = "board -> policy, value"

TASK = TaskSpec(
    name="game-strategy",
    summary="The best move of a board game, by search with a network that learned by self-play.",
    task="sixarts_game_ai.strategy:StrategyTask",
    signatures=(BOARD,),
    default_model="starter/connect-four",
    samples=("4455", [3, 3, 2, 4, 2, 4, 2], {"game": "connect_four", "moves": "112233"}),
    examples=(
        ("4455", {"best": ["3", "6"], "value": 1.0}),
        ("112233", {"best": "4", "value": 1.0}),
        ("414141", {"best": "4", "value": 1.0}),
        ("1122337", {"best": "4", "value": 0.0}),
        ([3, 2, 3, 2, 3, 2], {"best": 3, "value": 1.0}),
        ("7766556", {"scores": {"4": 1, "1": -1, "2": -1}}),
        ("", {"best": "4", "value": 1.0}),
        ("4", {"best": "4", "value": -1.0}),
    ),
    bad_inputs=(
        "48",
        "11111111",
        "1212121",
        None,
        3.5,
        b"4455",
        "e2e4",
        {"board": "4455"},
        {"game": "hex", "moves": "a1"},
        {"game": "backgammon", "moves": ""},
        [3, 9],
    ),
    documents=(".sgf",),
    explanations={
        "integrated_gradients": ("move", "value"),
        "occlusion": ("move", "value"),
        "tree": ("visits",),
    },
    metrics=("best", "value"),
    extra="game-ai",
    requires=("pyspiel",),
)

FAMILY = FamilySpec(
    name="alphazero",
    signature=BOARD,
    model="sixarts_game_ai.alphazero:AlphaZero",
    model_types=("alphazero",),
    architectures=("AlphaZeroForGameStrategy",),
    weights=("model.safetensors",),
)

#: Subcommands of ``sixarts``.
COMMANDS = {"play": "sixarts_game_ai.strategy_play:play"}

#: Starter to the game that it plays, and a line about it.
_STARTERS = {
    "connect-four": ("connect_four", "Connect Four, 6 rows by 7 columns."),
    "breakthrough": ("breakthrough", "Breakthrough, 8 rows by 8 columns."),
    "tic-tac-toe": ("tic_tac_toe", "Tic-tac-toe, played perfectly."),
}

MODELS = [
    ModelEntry(
        reference=f"starter/{name}",
        task="game-strategy",
        family="alphazero",
        license="Apache-2.0",
        summary=f"{summary} Learned by self-play alone, by this project.",
        folder=f"sixarts_game_ai:starters/{name}",
        options={"game": game},
    )
    for name, (game, summary) in _STARTERS.items()
]
