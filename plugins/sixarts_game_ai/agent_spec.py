"""What the plugin registers of ``game-agent``: plain data, nothing heavy."""

from __future__ import annotations

from sixarts.spec import FamilySpec, ModelEntry, TaskSpec

SIGNATURE = "observation -> action"
EXTRA = "game-ai"

TASK = TaskSpec(
    name="game-agent",
    summary="What to do now, of what an environment shows: agents that learn by acting.",
    task="sixarts_game_ai.agent_task:GameAgent",
    signatures=(SIGNATURE,),
    default_model="starter/cartpole",
    samples=((0.01, -0.02, 0.03, 0.04), (1.2, 0.4, -0.1, -0.8), (-0.5, 0.9, 0.18, 1.1)),
    examples=(
        ((0.01, -0.02, 0.03, 0.04), 1),
        ((0.0, 0.2, -0.05, -0.4), 0),
        ((0.5, 0.1, 0.08, 0.6), 1),
        ((-0.3, -0.4, -0.02, -0.1), 0),
        ((0.1, 0.6, 0.12, 0.5), 1),
        ((0.2, -0.9, -0.1, -0.7), 0),
        ((-1.0, 0.0, 0.02, 0.5), 1),
        ((1.0, 0.3, -0.01, -0.6), 0),
    ),
    bad_inputs=(
        None,
        "left",
        3,
        (0.1, 0.2, 0.3),
        (0.1, 0.2, 0.3, float("nan")),
        (0.1, 0.2, "0.3", 0.4),
        {"position": 0.1},
        ((0.1, 0.2), (0.3,)),
        b"bytes",
    ),
    explanations={"integrated_gradients": ("action", "value"), "occlusion": ("action", "value")},
    metrics=("agreement",),
    extra=EXTRA,
    requires=("gymnasium",),
)

FAMILY_SPECS = [
    FamilySpec.own("sixarts_game_ai", model, SIGNATURE, files=("environment.json",))
    for model in ("ppo:PPO", "dqn:DQN")
]

#: Starter, its environment, and what it does there.
_STARTERS = (
    ("cartpole", "CartPole-v1", "Balances a pole on a cart"),
    ("lunar-lander", "LunarLander-v3", "Lands a craft between two flags"),
    ("minatar-breakout", "MinAtar/Breakout-v1", "Plays MinAtar's Breakout"),
    ("minatar-space-invaders", "MinAtar/SpaceInvaders-v1", "Plays MinAtar's Space Invaders"),
)

MODELS = [
    ModelEntry(
        reference=f"starter/{name}",
        task="game-agent",
        family="ppo",
        license="apache-2.0",
        summary=f"{summary}: {environment}.",
        folder=f"sixarts_game_ai:starters/{name}",
        options={"environment": environment},
    )
    for name, environment, summary in _STARTERS
]
