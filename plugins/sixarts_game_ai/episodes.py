"""Episodes that a policy plays without noise: several at once, each with a seed of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from sixarts_game_ai.environments import Source, make
from sixarts_game_ai.lanes import LaneError, Lanes

#: Steps after which an episode is cut where the environment has no limit of its own.
LONGEST = 10_000
#: Episodes that are played side by side.
ABREAST = 128


class Played(NamedTuple):
    """One episode.

    Attributes:
        total: sum of its rewards.
        length: its steps.
    """

    total: float
    length: int


def play(
    model: Any,
    source: Source,
    count: int,
    seed: Sequence[int],
    settings: Mapping[str, Any] | None = None,
) -> list[Played]:
    """What episodes return in which the model's best actions are taken.

    Args:
        model: of an agent.
        source: the environment; its own code, also where lanes for learning are others'.
        count: how many episodes.
        seed: each episode's seed is drawn from it.
        settings: of the environment.

    Raises:
        LaneError: the environment raised.
    """
    found: list[Played] = []
    seeds = np.random.SeedSequence(list(seed)).generate_state(count)
    for start in range(0, count, ABREAST):
        found += _abreast(
            model, source, [int(each) for each in seeds[start : start + ABREAST]], settings or {}
        )
    return found


def play_lanes(model: Any, lanes: Lanes, seed: int) -> list[Played]:
    """The first episode of each lane; many times quicker than :func:`play` where lanes go all at once.

    Args:
        model: of an agent.
        lanes: which cut episodes themselves.
        seed: of the lanes.
    """
    processor = model.processor
    totals, lengths = np.zeros(lanes.count), np.zeros(lanes.count, int)
    playing = np.ones(lanes.count, bool)
    seen = lanes.reset(seed)
    while playing.any():
        taken = lanes.step(processor.acted(model.best(model(processor.arrays(seen)))))
        totals += taken.rewards * playing
        lengths += playing
        playing &= ~(taken.terminated | taken.truncated)
        seen = taken.observations
    return [Played(float(total), int(length)) for total, length in zip(totals, lengths, strict=True)]


def limit_of(environment: Any) -> int | None:
    """Steps after which :func:`play` cuts an episode, where the environment does not cut it itself."""
    return None if environment.spec is not None and environment.spec.max_episode_steps else LONGEST


def _abreast(model: Any, source: Source, seeds: list[int], settings: Mapping[str, Any]) -> list[Played]:
    environments = [make(source, **settings) for _ in seeds]
    totals, lengths = np.zeros(len(seeds)), np.zeros(len(seeds), int)
    processor = model.processor
    try:
        limit = limit_of(environments[0])
        seen = [each.reset(seed=seed)[0] for each, seed in zip(environments, seeds, strict=True)]
        playing = list(range(len(seeds)))
        while playing:
            outputs = model(processor.arrays(np.stack(seen)))
            actions = processor.acted(model.best(outputs))
            chosen = actions.tolist() if actions.ndim == 1 else list(actions)
            going = []
            for lane in playing:
                seen[lane], reward, terminated, truncated, _ = environments[lane].step(chosen[lane])
                totals[lane] += float(reward)
                lengths[lane] += 1
                if not (terminated or truncated or lengths[lane] == limit):
                    going.append(lane)
            playing = going
    except Exception as error:
        raise LaneError(
            f"{source} raised {type(error).__name__}: {str(error)[:200]}; every episode is closed; look into "
            "the environment"
        ) from error
    finally:
        for each in environments:
            each.close()
    return [Played(float(total), int(length)) for total, length in zip(totals, lengths, strict=True)]
