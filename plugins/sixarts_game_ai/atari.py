"""Atari's games by the protocol of Machado et al. 2018, through ale-py.

Sticky actions (.25), no end of an episode with a life, frames skipped with the maximum of the last two,
84 × 84 gray, four frames stacked, five minutes an episode at most. Source: Machado, Bellemare, Talvitie,
Veness, Hausknecht and Bowling 2018, "Revisiting the Arcade Learning Environment", table 1 and section 4.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import gymnasium
import numpy as np

SIDE, FRAMES = 84, 4
#: Frames of an episode at most: five minutes at 60 a second.
LONGEST = 18_000


def make(
    name: str,
    mode: str | None = None,
    *,
    frame_skip: int = 5,
    sticky: float = 0.25,
    full_actions: bool = True,
    **settings: Any,
) -> gymnasium.Env[Any, Any]:
    """One game, observed as ``[84, 84, 4]`` ``uint8``, the newest frame last.

    Args:
        name: an id such as ``"ALE/Breakout-v5"``.
        mode: Gymnasium's ``render_mode``.
        frame_skip: frames an action lasts; 5 in the protocol, 4 in most work before it.
        sticky: how likely the last action is done once more in place of the new one.
        full_actions: all 18 actions of the console, as in the protocol, or those of the game.
        **settings: of the environment, e.g. ``difficulty=1``.
    """
    game = gymnasium.make(
        name,
        render_mode=mode,
        disable_env_checker=True,
        frameskip=1,
        repeat_action_probability=sticky,
        full_action_space=full_actions,
        obs_type="grayscale",
        max_num_frames_per_episode=LONGEST,
        **settings,
    )
    return Frames(game, frame_skip)


class Frames(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Skips frames, takes the maximum of the last two, and stacks four of them, small.

    Args:
        game: gives gray frames ``[height, width]``, one an action.
        skip: frames an action lasts.
    """

    def __init__(self, game: gymnasium.Env[Any, Any], skip: int) -> None:
        super().__init__(game)
        self.skip = skip
        height, width = game.observation_space.shape
        self._down, self._across = areas(height, SIDE), areas(width, SIDE)
        self._frames: deque[np.ndarray] = deque(maxlen=FRAMES)
        self.observation_space = gymnasium.spaces.Box(0, 255, (SIDE, SIDE, FRAMES), np.uint8)

    def reset(self, **how: Any) -> tuple[np.ndarray, dict[str, Any]]:
        frame, told = self.env.reset(**how)
        self._frames.extend([self._small(frame)] * FRAMES)
        return self._observed(), told

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        total, seen = 0.0, deque[np.ndarray](maxlen=2)
        for _ in range(self.skip):
            frame, reward, terminated, truncated, told = self.env.step(action)
            seen.append(frame)
            total += float(reward)
            if terminated or truncated:
                break
        # Sprites that are drawn in every other frame are seen in the maximum.
        self._frames.append(self._small(np.max(seen, axis=0)))
        return self._observed(), total, terminated, truncated, told

    def _small(self, frame: np.ndarray) -> np.ndarray:
        return np.rint(self._down @ frame.astype("float32") @ self._across.T).astype("uint8")

    def _observed(self) -> np.ndarray:
        return np.stack(self._frames, axis=-1)


def areas(size: int, small: int) -> np.ndarray:
    """The matrix that averages ``size`` pixels over ``small`` equal stretches, ``[small, size]``.

    >>> (3 * areas(3, 2)).round().tolist()
    [[2.0, 1.0, 0.0], [0.0, 1.0, 2.0]]
    """
    edges = np.arange(small + 1) * size / small
    pixels = np.arange(size)
    inside = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return (np.clip(inside, 0, None) * small / size).astype("float32")
