"""Family ``dqn``: the value of each action (Mnih et al. 2015; dueling, Wang et al. 2016)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from keras import layers, ops

from sixarts.errors import OptionError
from sixarts_game_ai.action import Action
from sixarts_game_ai.agent_model import AgentModel, Building


class DQN(AgentModel):
    """Action values of an observation.

    Output: ``values`` ``[b, actions]``, in scaled rewards. ``dueling`` adds up the observation's value and
    what each action is better than their mean.
    """

    family = "dqn"
    defaults: ClassVar[Mapping[str, Any]] = {
        **AgentModel.defaults,
        "hidden": [128, 128],
        "activation": "relu",
        "dueling": False,
    }
    settings = frozenset(defaults)
    taught = "values"

    def sized(self, processor: Any) -> dict[str, Any]:
        if processor.spaces.continuous:
            raise OptionError(
                "family 'dqn' for an environment of continuous actions; expected numbered ones; use "
                "family='ppo'"
            )
        return super().sized(processor)

    def heads(self, build: Building) -> dict[str, Any]:
        actions = self.processor.spaces.actions
        x = build.body("body")
        if not self.config["dueling"]:
            values = build.dense(x, "head", actions, 1.0)
        else:
            value = build.dense(x, "value.head", 1, 1.0)
            better = build.dense(x, "advantage.head", actions, 1.0)
            values = value + better - ops.mean(better, axis=-1, keepdims=True)
        return {"values": layers.Identity(dtype="float32", name="values")(values)}

    # Outputs in words.

    def worth(self, outputs: Mapping[str, Any]) -> Any:
        """What is expected, in scaled rewards ``[b]``."""
        return ops.max(outputs["values"], axis=-1)

    def expected(self, outputs: Mapping[str, np.ndarray]) -> float:
        """What is expected from the first row on, in the environment's rewards."""
        return float(outputs["values"][0].max()) * self.processor.reward_scale

    def drawn(self, outputs: Mapping[str, np.ndarray], random: np.random.Generator) -> np.ndarray:
        """A DQN has no policy but the best."""
        raise OptionError("drawn=True for family 'dqn', which has no policy to draw from; expected False")

    def answers(self, outputs: Mapping[str, np.ndarray]) -> list[Action]:
        """An answer a row."""
        spaces, values = self.processor.spaces, outputs["values"] * self.processor.reward_scale
        return [
            Action(
                int(place) + spaces.start,
                float(row[place]),
                spaces.names[place] if spaces.names else "",
                values=tuple(map(float, row)),
                names=spaces.names,
            )
            for place, row in zip(values.argmax(axis=-1), values, strict=True)
        ]
