"""Environments so small that what is best in them is known."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces


class Corridor(gymnasium.Env[Any, Any]):
    """Five places in a row; the fifth is worth 1, a step costs .05, and 12 steps are all.

    It begins in the first or the second place. The best return is 1 − .05 times the steps: .8 or .85.
    """

    observation_space = spaces.Box(-1, 1, (5,), np.float32)
    action_space = spaces.Discrete(2)
    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012

    def __init__(self, render_mode: str | None = None, breaks: int | None = None) -> None:
        self.render_mode, self.breaks, self.taken, self.closed = render_mode, breaks, 0, False

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.place, self.steps = int(self.np_random.integers(2)), 0
        return self.seen(), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.taken += 1
        if self.breaks is not None and self.taken > self.breaks:
            raise ZeroDivisionError("the corridor fell in")
        self.place = min(max(self.place + (1 if action else -1), 0), 4)
        self.steps += 1
        there = self.place == 4
        return self.seen(), (1.0 if there else 0.0) - 0.05, there, self.steps == 12 and not there, {}

    def seen(self) -> np.ndarray:
        return np.eye(5, dtype="float32")[self.place]

    def render(self) -> np.ndarray:
        picture = np.zeros((8, 40, 3), "uint8")
        picture[:, self.place * 8 : self.place * 8 + 8] = 255
        return picture

    def close(self) -> None:
        self.closed = True


class Aim(gymnasium.Env[Any, Any]):
    """One step: the action should be the number that is seen; the reward is minus their distance."""

    observation_space = spaces.Box(-2, 2, (1,), np.float32)
    action_space = spaces.Box(-2, 2, (1,), np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.wanted = self.np_random.uniform(-2, 2, 1).astype("float32")
        return self.wanted, {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(np.asarray(action, "float32")), action
        return self.wanted, -float(np.abs(action - self.wanted)[0]), True, False, {}


class Numbered(gymnasium.Env[Any, Any]):
    """Three numbered states; the right action, from 1 on, is the state's own, and one step is all."""

    observation_space = spaces.Discrete(3)
    action_space = spaces.Discrete(3, start=1)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[int, dict[str, Any]]:
        super().reset(seed=seed)
        self.state = int(self.np_random.integers(3))
        return self.state, {}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        return self.state, float(action == self.state + 1), True, False, {}
