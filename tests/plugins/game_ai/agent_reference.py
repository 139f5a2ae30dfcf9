"""What every backend is asked alike: an agent's outputs, and what an update makes of its weights."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from sixarts.device import Device
from sixarts_game_ai.agent_options import AgentTraining
from sixarts_game_ai.agent_processor import AgentProcessor, Spaces
from sixarts_game_ai.dqn import DQN
from sixarts_game_ai.lanes import Step
from sixarts_game_ai.ppo import PPO
from sixarts_game_ai.reinforcement import LEARNERS

KINDS = {"ppo": PPO, "dqn": DQN}


def model_of(family: str, spaces: Spaces, network: dict[str, Any], seed: int = 0) -> Any:
    """A new network, which one seed begins alike everywhere."""
    keras.utils.set_random_seed(seed)
    kind: Any = KINDS[family]
    new = kind(kind.configure(**network), None, Device.of("cpu"))
    return new.build_for(AgentProcessor(spaces))


def outputs(family: str, spaces: Spaces, network: dict[str, Any], seen: np.ndarray) -> dict[str, np.ndarray]:
    """Of a new network."""
    model = model_of(family, spaces, network)
    return dict(model(model.processor.arrays(seen)))


class Random:
    """Lanes whose observations, rewards and ends are drawn, whatever is done."""

    def __init__(self, spaces: Spaces, count: int) -> None:
        self.spaces, self.count, self.random = spaces, count, np.random.default_rng(0)

    def seen(self) -> np.ndarray:
        drawn = self.random.normal(size=(self.count, *self.spaces.shape))
        return (drawn > 1).astype(bool) if self.spaces.dtype == "bool" else drawn.astype("float32")

    def reset(self, seed: int) -> np.ndarray:
        return self.seen()

    def step(self, actions: np.ndarray) -> Step:
        terminated, truncated = self.random.random((2, self.count)) < 0.1
        truncated &= ~terminated
        last = {int(lane): self.seen()[lane] for lane in np.flatnonzero(terminated | truncated)}
        rewards = self.random.normal(size=self.count).astype("float32")
        return Step(self.seen(), rewards, terminated, truncated, last)

    def close(self) -> None:
        pass


def updated(
    family: str, spaces: Spaces, network: dict[str, Any], options: dict[str, Any]
) -> tuple[np.ndarray, dict[str, float]]:
    """Weights after two updates in drawn lanes, and what the last one told."""
    training = AgentTraining(**options).of(family)
    learner = LEARNERS[family](model_of(family, spaces, network), training)
    lanes, random = Random(spaces, training.lanes or 1), np.random.default_rng(1)
    seen = lanes.reset(0)
    with learner.device.scope():
        for done in (0.0, 0.5):
            update = learner.update(lanes, seen, random, done)
            seen = update.observations
        return learner.weights(), update.told
