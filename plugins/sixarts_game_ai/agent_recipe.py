"""The recipes of the agents' starters: learning, fresh episodes with the weights that ship, card.

::

    python -m sixarts_game_ai.recipe cartpole any runs/cartpole
    python -m sixarts_game_ai.recipe minatar-breakout any runs/minatar-breakout

Nothing is read from the data folder: what is learned from is played. The best of the judged weights is
taken; the episodes that are reported have seeds of their own, and are played once, on the half-precision
weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sixarts as sa
from sixarts.card import Card, Measured
from sixarts.result import Metrics

#: Seed of the episodes that are reported; those that judge are drawn from the training's.
FRESH = 20_260_000
EPISODES = 100


@dataclass(frozen=True)
class Recipe:
    """How a starter learns, and what its card says.

    Attributes:
        environment: its id.
        title: of the card.
        network: settings of the family ``ppo``.
        training: options of ``fit``.
        license: of the environment's code, in words.
        published: what others report, in Markdown.
        limits: what it cannot do.
    """

    environment: str
    title: str
    network: Mapping[str, Any]
    training: Mapping[str, Any]
    license: str
    published: str
    limits: str


_ZOO = (
    "[RL Baselines3 Zoo](https://github.com/DLR-RM/rl-baselines3-zoo/blob/"
    "22e3ff2450fd92033f7f032915e1f64894a09584/benchmark.md)"
)
_MINATAR = {
    "steps": 10_000_000,
    "lanes": 256,
    "rollout": 64,
    "passes": 3,
    "minibatch": 2048,
    "learning_rate": 1e-3,
    "discount": 0.99,
    "trace": 0.95,
    "clip": 0.2,
    "entropy": 0.01,
    "every": 1_000_000,
    "judged": 100,
}
_PLANES = {"hidden": [128], "channels": [16], "activation": "relu"}
_MINATAR_LICENSE = (
    "MinAtar 1.0.15 is by Kenny Young and Tian Tian, license GPL-3.0. Nothing of it is in these weights or "
    "in this "
    "package: the rules were written anew, for many lanes at once, for training; episodes are reported in "
    "MinAtar's "
    "own code"
)
_CUT = (
    "One game with its sticky actions of .1, as planes and not as pixels. Episodes are cut after 10,000 "
    "steps, since "
    "the game itself has no limit."
)

RECIPES: dict[str, Recipe] = {
    "cartpole": Recipe(
        environment="CartPole-v1",
        title="CartPole starter",
        network={},
        training={
            "steps": 100_000,
            "passes": 20,
            "trace": 0.8,
            "discount": 0.98,
            "every": 10_000,
            "judged": 100,
        },
        license="Gymnasium's own code, license MIT",
        published=f"{_ZOO} reports 500 ± 0 for PPO, DQN and others; 500 is the most that there is.",
        limits="A pole that begins near upright; no swing up, no other masses or lengths.",
    ),
    "lunar-lander": Recipe(
        environment="LunarLander-v3",
        title="LunarLander starter",
        network={},
        training={
            "steps": 1_500_000,
            "lanes": 16,
            "rollout": 512,
            "minibatch": 1024,
            "passes": 8,
            "discount": 0.999,
            "trace": 0.98,
            "entropy": 0.01,
            "normalize": True,
            "normalize_rewards": True,
            "every": 100_000,
            "judged": 100,
        },
        license="Gymnasium's own code, license MIT",
        published=(
            f"{_ZOO} reports 242.119 ± 31.823 for PPO (LunarLander-v2, 1M steps, 150,000 steps of "
            "evaluation; "
            "deviation over episodes); 200 counts as solved."
        ),
        limits="No wind, four engines' settings, the default gravity.",
    ),
    "minatar-breakout": Recipe(
        environment="MinAtar/Breakout-v1",
        title="MinAtar Breakout starter",
        network=_PLANES,
        training=_MINATAR,
        license=_MINATAR_LICENSE,
        published=(
            "Young and Tian 2019 (arXiv:1903.03176, learning curves): DQN about 10 after 5M frames, "
            "actor-critic "
            "with traces of .8 about 17.5, means of 30 runs, of episodes while learning. pgx's PPO "
            "(Koyamada et al. "
            "2023, `examples/minatar-ppo` at 079b2d7, figure): about 50 after 20M steps, 100 lanes of "
            "evaluation."
        ),
        limits=_CUT,
    ),
    "minatar-space-invaders": Recipe(
        environment="MinAtar/SpaceInvaders-v1",
        title="MinAtar Space Invaders starter",
        network=_PLANES,
        training=_MINATAR,
        license=_MINATAR_LICENSE,
        published=(
            "Young and Tian 2019 (arXiv:1903.03176, learning curves): DQN about 45 after 5M frames, "
            "actor-critic "
            "with traces of .8 about 185, means of 30 runs, of episodes while learning. pgx's PPO "
            "(Koyamada et al. "
            "2023, `examples/minatar-ppo` at 079b2d7, figure): about 145 after 20M steps, 100 lanes of "
            "evaluation."
        ),
        limits=_CUT,
    ),
}


def cartpole(data: Path, folder: Path) -> None:
    """The default starter."""
    made("cartpole", folder)


def lunar_lander(data: Path, folder: Path) -> None:
    """LunarLander-v3."""
    made("lunar-lander", folder)


def minatar_breakout(data: Path, folder: Path) -> None:
    """MinAtar's Breakout, with the actions that have an effect."""
    made("minatar-breakout", folder)


def minatar_space_invaders(data: Path, folder: Path) -> None:
    """MinAtar's Space Invaders, with the actions that have an effect."""
    made("minatar-space-invaders", folder)


def made(name: str, folder: Path, **changed: Any) -> Path:
    """Learns, measures and saves a starter; with the same folder a killed run goes on.

    Args:
        name: of the recipe.
        folder: where the run and the finished model go.
        **changed: options of ``fit`` that differ, e.g. ``steps`` of a trial.
    """
    recipe = RECIPES[name]
    folder.mkdir(parents=True, exist_ok=True)
    task = sa.new("game-agent", family="ppo", **recipe.network)
    history = task.fit(recipe.environment, **{"folder": folder / "run", **recipe.training, **changed})
    print(history, flush=True)
    history.plot().savefig(folder / "learning.png")
    task.model.stored_dtype = "float16"
    draft = task.save(folder / "draft")
    return measured(name, draft, folder / name, str(history))


def measured(name: str, draft: Path, folder: Path, history: str) -> Path:
    """Plays fresh episodes with a finished model, writes its card, and saves it."""
    recipe = RECIPES[name]
    starter = sa.load("game-agent", draft, device="cpu")
    found = starter.evaluate(episodes=EPISODES, seed=FRESH)
    print(found, flush=True)
    starter.card = str(card(starter, recipe, name, found, history))
    place = starter.save(folder)
    print(place, flush=True)
    return place


def card(task: Any, recipe: Recipe, name: str, found: Metrics, history: str) -> Card:
    """The starter's card, with its measured figures."""
    cost = task.footprint()
    rows = "\n".join(
        f"| {figure} | {metric.value:.2f} | {metric.low:.2f} to {metric.high:.2f} |"
        for figure, metric in found.values.items()
    )
    environment = recipe.environment
    sections = {
        "Use": f"""What to do now in {environment}, by what it shows:

```python
import sixarts

agent = sixarts.load("game-agent", environment="{environment}")
print(agent(agent.sample))
episode = agent.run_episode(seed=1, render="episode.gif")
episode.plot()
```""",
        "Data": f"""No data: the environment {environment} was played. {recipe.license}.""",
        "Training": f"""`python -m sixarts_game_ai.recipe {name} any FOLDER` makes such a folder again.
Proximal policy optimization (Schulman et al. 2017). {history}.
The best of the judged weights are these; judged episodes and those below have other seeds. Options: {
            ", ".join(f"{key} {value}" for key, value in recipe.training.items())
        }.""",
        "Evaluation": f"""{found.protocol[:1].upper()}{found.protocol[1:]}. Played once, with the
half-precision weights that ship; mean, median and interquartile mean (iqm) as rliable reports them (Agarwal
et al. 2021).

| | value | 95 % interval |
|---|---|---|
{rows}

{recipe.published}""",
        "Footprint": f"{cost.parameters:,} parameters, stored in float16.",
        "Limits": recipe.limits,
    }
    return Card(
        title=recipe.title,
        task="game-agent",
        license="apache-2.0",
        sections=sections,
        datasets=(environment,),
        measured=(Measured(found, environment, split="fresh episodes"),),
    )
