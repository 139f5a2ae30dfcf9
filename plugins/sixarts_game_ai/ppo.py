"""Family ``ppo``: a policy and a value (Schulman et al. 2017)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from keras import layers

from sixarts.checkpoint import Target
from sixarts_game_ai.action import Action
from sixarts_game_ai.agent_model import AgentModel, Building, Spread


class PPO(AgentModel):
    """Policy and value of an observation.

    Outputs: ``value`` ``[b]``, in scaled rewards; ``logits`` ``[b, actions]``, or for continuous actions
    ``mean`` and ``log_deviation`` ``[b, actions]``. ``shared`` puts both on one body, which is what
    pictures need; without it each has its own.
    """

    family = "ppo"
    defaults: ClassVar[Mapping[str, Any]] = {**AgentModel.defaults, "shared": False}
    settings = frozenset(defaults)

    @property
    def taught(self) -> str:  # type: ignore[override]
        return "mean" if self.processor.spaces.continuous else "logits"

    def sized(self, processor: Any) -> dict[str, Any]:
        sized = super().sized(processor)
        return sized if sized["body"] == "dense" else {**sized, "shared": True}

    def heads(self, build: Building) -> dict[str, Any]:
        spaces = self.processor.spaces
        actor = build.body("shared" if self.config["shared"] else "policy")
        critic = actor if self.config["shared"] else build.body("value")
        value = build.dense(critic, "value.head", 1, 1.0)
        outputs = {"value": layers.Reshape((), dtype="float32", name="value")(value)}
        chosen = build.dense(actor, "policy.head", spaces.actions, 0.01)
        if not spaces.continuous:
            return {**outputs, "logits": layers.Identity(dtype="float32", name="logits")(chosen)}
        spread = Spread(spaces.actions, dtype="float32", name="log_deviation")
        outputs |= {
            "mean": layers.Identity(dtype="float32", name="mean")(chosen),
            "log_deviation": spread(chosen),
        }
        build.targets[("policy.log_deviation",)] = Target(spread.logarithm)
        return outputs

    # Outputs in words.

    def worth(self, outputs: Mapping[str, Any]) -> Any:
        """What is expected, in scaled rewards ``[b]``."""
        return outputs["value"]

    def expected(self, outputs: Mapping[str, np.ndarray]) -> float:
        """What is expected from the first row on, in the environment's rewards."""
        return float(outputs["value"][0]) * self.processor.reward_scale

    def drawn(self, outputs: Mapping[str, np.ndarray], random: np.random.Generator) -> np.ndarray:
        """Actions of the policy, with its noise."""
        if self.processor.spaces.continuous:
            noise = random.standard_normal(outputs["mean"].shape)
            return np.asarray(outputs["mean"] + np.exp(outputs["log_deviation"]) * noise)
        return np.asarray((outputs["logits"] + random.gumbel(size=outputs["logits"].shape)).argmax(axis=-1))

    def answers(self, outputs: Mapping[str, np.ndarray]) -> list[Action]:
        """An answer a row."""
        processor, spaces = self.processor, self.processor.spaces
        values = outputs["value"] * processor.reward_scale
        if spaces.continuous:
            spread = np.exp(outputs["log_deviation"])
            if spaces.low:
                spread = spread * (np.array(spaces.high) - np.array(spaces.low)) / 2
            return [
                Action(action, float(value), deviation=tuple(map(float, wide)), names=spaces.names)
                for action, value, wide in zip(processor.acted(outputs["mean"]), values, spread, strict=True)
            ]
        chances = softmax(outputs["logits"])
        best = chances.argmax(axis=-1)
        return [
            Action(
                int(place) + spaces.start,
                float(value),
                spaces.names[place] if spaces.names else "",
                probabilities=tuple(map(float, row)),
                names=spaces.names,
            )
            for place, value, row in zip(best, values, chances, strict=True)
        ]


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities of logits."""
    found = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(found / found.sum(axis=-1, keepdims=True))
