"""Many environments side by side, as learning needs them: arrays in, arrays out, a new episode at once.

A lane's last observation of an episode is told apart from the first of its next, so that what is truncated
can be bootstrapped. An environment that raises is closed with its lane's episode; see :class:`LaneError`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np

from sixarts.errors import OptionError, SixartsError
from sixarts_game_ai.environments import Source, make, named


class Step(NamedTuple):
    """What one step of every lane gave.

    Attributes:
        observations: ``[lanes, …]``, of a new episode where one ended.
        rewards: ``[lanes]``.
        terminated: ``[lanes]``, where the episode ended by itself.
        truncated: ``[lanes]``, where it was cut.
        last: lane to the last observation of its episode, where one ended.
    """

    observations: np.ndarray
    rewards: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray
    last: dict[int, np.ndarray]


class Update(NamedTuple):
    """What a learner did in some steps of every lane.

    Attributes:
        observations: of the lanes after it.
        rewards, ended: of each step, ``[t, lanes]``.
        told: figures of the update, by name.
    """

    observations: np.ndarray
    rewards: np.ndarray
    ended: np.ndarray
    told: dict[str, float]


class LaneError(SixartsError):
    """An environment that raised in the middle of an episode; every environment is closed."""


class Lanes(Protocol):
    """Environments side by side."""

    count: int

    def reset(self, seed: int) -> np.ndarray:
        """Begins every lane's episode anew, drawn from the seed; ``[lanes, …]``."""

    def step(self, actions: np.ndarray) -> Step:
        """One step of every lane."""

    def close(self) -> None:
        """Closes every environment."""


def seeds_of(seed: int, count: int) -> list[int]:
    """A seed for each lane, none like another's of another seed."""
    return [int(each) for each in np.random.SeedSequence(seed).generate_state(count)]


class LocalLanes:
    """Lanes one after another in this process, which is quickest for quick environments.

    Args:
        source: an environment's id, or a function that makes one.
        count: how many.
        settings: of each environment.
    """

    def __init__(self, source: Source, count: int, settings: dict[str, Any] | None = None) -> None:
        self.count, self.name = count, named(source)
        self.environments = [make(source, **(settings or {})) for _ in range(count)]

    def reset(self, seed: int) -> np.ndarray:
        try:
            first = [
                each.reset(seed=own)[0]
                for each, own in zip(self.environments, seeds_of(seed, self.count), strict=True)
            ]
        except Exception as error:
            raise self._ended(error) from error
        return np.stack(first)

    def step(self, actions: np.ndarray) -> Step:
        observed: list[Any] = []
        rewards = np.zeros(self.count, "float32")
        terminated, truncated = np.zeros(self.count, bool), np.zeros(self.count, bool)
        last: dict[int, np.ndarray] = {}
        # NumPy's numbers make environments slow, and some refuse them.
        chosen = actions.tolist() if actions.ndim == 1 else list(actions)
        try:
            for lane, each in enumerate(self.environments):
                seen, reward, ended, cut, _ = each.step(chosen[lane])
                if ended or cut:
                    last[lane] = np.asarray(seen)
                    seen = each.reset()[0]
                    terminated[lane], truncated[lane] = ended, cut and not ended
                observed.append(seen)
                rewards[lane] = reward
        except Exception as error:
            raise self._ended(error) from error
        return Step(np.stack(observed), rewards, terminated, truncated, last)

    def close(self) -> None:
        for each in self.environments:
            each.close()

    def _ended(self, error: Exception) -> LaneError:
        self.close()
        return LaneError(
            f"{self.name} raised {type(error).__name__}: {str(error)[:200]}; its episodes are closed, and "
            "what "
            "was learned is kept; look into the environment, then go on with the same folder"
        )


class ProcessLanes:
    """Lanes in processes of their own, by Gymnasium's vectorized environments, for slow environments.

    Args:
        source: an environment's id, or a function that makes one and can be pickled.
        count: how many processes.
        settings: of each environment.
    """

    def __init__(self, source: Source, count: int, settings: dict[str, Any] | None = None) -> None:
        from functools import partial

        from gymnasium.vector import AsyncVectorEnv, AutoresetMode

        self.count, self.name = count, named(source)
        make(source, **(settings or {})).close()  # what is wrong with it is told from here
        self.vector = AsyncVectorEnv(
            [partial(make, source, **(settings or {})) for _ in range(count)],
            autoreset_mode=AutoresetMode.SAME_STEP,
            context="spawn",
        )

    def reset(self, seed: int) -> np.ndarray:
        try:
            return np.array(self.vector.reset(seed=seeds_of(seed, self.count))[0])
        except Exception as error:
            raise self._ended(error) from error

    def step(self, actions: np.ndarray) -> Step:
        try:
            seen, rewards, terminated, truncated, told = self.vector.step(actions)
        except Exception as error:
            raise self._ended(error) from error
        ended = terminated | truncated
        last = {int(lane): np.asarray(told["final_obs"][lane]) for lane in np.flatnonzero(ended)}
        return Step(np.array(seen), rewards.astype("float32"), terminated, truncated & ~terminated, last)

    def close(self) -> None:
        self.vector.close()

    def _ended(self, error: Exception) -> LaneError:
        self.vector.close(terminate=True)
        return LaneError(
            f"{self.name} raised {type(error).__name__}: {str(error)[:200]}; its episodes are closed, and "
            "what "
            "was learned is kept; look into the environment, then go on with the same folder"
        )


#: Ids of environments that step many lanes at once, to the class that does.
BATCHED = {
    "MinAtar/Breakout-v1": "sixarts_game_ai.minatar_batch:Breakout",
    "MinAtar/SpaceInvaders-v1": "sixarts_game_ai.minatar_batch:SpaceInvaders",
}
#: Name to how lanes are run.
WORKERS = ("auto", "local", "processes")


def is_batched(source: Source, settings: Mapping[str, Any] | None = None) -> bool:
    """Whether somebody wrote the environment for many lanes at once."""
    return isinstance(source, str) and source in BATCHED and not settings


def open_lanes(
    source: Source, count: int, *, workers: str = "auto", settings: dict[str, Any] | None = None
) -> Lanes:
    """Lanes of an environment.

    Args:
        source: an environment's id, or a function that makes one.
        count: how many.
        workers: ``"local"``, ``"processes"``, or ``"auto"``: all lanes at once where somebody wrote that
            (MinAtar's Breakout and Space Invaders), else local.
        settings: of each environment.
    """
    from sixarts.plugins import resolve

    if workers not in WORKERS:
        raise OptionError(f"workers={workers!r}; expected one of {', '.join(WORKERS)}")
    if workers == "auto" and is_batched(source, settings):
        made: Lanes = resolve(BATCHED[source])(count)
        return made
    kind = ProcessLanes if workers == "processes" else LocalLanes
    return kind(source, count, settings)
