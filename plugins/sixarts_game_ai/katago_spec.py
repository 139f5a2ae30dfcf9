"""What the family ``katago`` registers; imports nothing heavy."""

from __future__ import annotations

from sixarts.spec import FamilySpec, ModelEntry

#: Networks of KataGo: as its project publishes them (``model.bin.gz`` beside a ``config.json`` that states
#: ``"model_type": "katago"``), or as this one saves them.
FAMILY = FamilySpec(
    name="katago",
    signature="board -> policy, value",
    model="sixarts_game_ai.katago:Katago",
    model_types=("katago",),
    files=("model.bin.gz",),
    weights=("model.safetensors", "model.bin.gz"),
)

MODELS = [
    ModelEntry(
        reference="starter/go",
        task="game-strategy",
        family="katago",
        license="MIT",
        summary="Go on boards of 7 to 19, any komi, area and territory rules: KataGo's g170-b6c96.",
        folder="sixarts_game_ai:starters/go-b6c96",
        options={"game": "go"},
        source="https://github.com/lightvector/KataGo/tree/master/cpp/tests/models",
    )
]

COMMANDS = {"gtp": "sixarts_game_ai.gtp_command:gtp"}
