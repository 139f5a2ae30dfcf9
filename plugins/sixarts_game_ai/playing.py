"""One episode, step by step: what was seen, done, got and expected, and its film."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sixarts.errors import InputError, OptionError
from sixarts_game_ai import filming
from sixarts_game_ai.action import Episode
from sixarts_game_ai.agent_processor import Spaces
from sixarts_game_ai.environments import Source, make, named
from sixarts_game_ai.episodes import limit_of
from sixarts_game_ai.lanes import LaneError


class Player:
    """Plays one episode.

    Args:
        model: of an agent.
        source: the environment.
        settings: of it.
    """

    def __init__(self, model: Any, source: Source, settings: Mapping[str, Any]) -> None:
        self.model, self.source, self.settings = model, source, dict(settings)
        self.seen: list[np.ndarray] = []
        self.done: list[Any] = []
        self.rewards: list[float] = []
        self.values: list[float] = []
        self.frames: dict[int, np.ndarray] = {}
        self.ended = "truncated"

    def episode(self, seed: int | None, film: Path | None, drawn: bool, longest: int) -> Episode:
        """Plays it, and writes its film.

        Raises:
            LaneError: the environment raised; it is closed, and no film is left.
        """
        environment = make(self.source, render=film is not None, **self.settings)
        try:
            self._check(environment)
            rate = float(environment.metadata.get("render_fps") or filming.RATE)
            steps = self._steps(environment, seed, drawn, longest, film is not None)
            if film is None:
                for _ in steps:
                    pass
            else:
                try:
                    filming.write_film(film, (frame for frame in steps if frame is not None), rate)
                except LaneError:
                    film.unlink(missing_ok=True)
                    raise
        finally:
            environment.close()
        return Episode(
            total=float(sum(self.rewards)),
            length=len(self.rewards),
            ended=self.ended,
            environment=named(self.source),
            seed=seed,
            rewards=np.array(self.rewards),
            values=np.array(self.values),
            actions=np.array(self.done),
            observations=np.stack(self.seen),
            frames=self.frames,
            path=str(film) if film is not None else "",
        )

    def _check(self, environment: Any) -> None:
        mine = self.model.processor.spaces
        its = Spaces.of(environment, named(self.source))
        if (its.shape, its.states, its.actions, its.continuous) != (
            mine.shape,
            mine.states,
            mine.actions,
            mine.continuous,
        ):
            raise InputError(
                f"{named(self.source)} observes {its.shape or its.states} and takes {its.actions} "
                f"{'numbers' if its.continuous else 'actions'}; expected {mine.shape or mine.states} and "
                f"{mine.actions} {'numbers' if mine.continuous else 'actions'}, as the model learned"
            )

    def _steps(
        self, environment: Any, seed: int | None, drawn: bool, longest: int, shown: bool
    ) -> Iterator[np.ndarray | None]:
        """Plays; yields a picture a step where there are any."""
        random = np.random.default_rng(seed)
        model, processor = self.model, self.model.processor
        limit = min(longest, limit_of(environment) or longest)
        gap = 1
        try:
            seen = np.asarray(environment.reset(seed=seed)[0])
            over = False
            while not over:
                outputs = model(processor.arrays(seen[None]))
                self.seen.append(seen)
                self.values.append(model.expected(outputs))
                raw = model.drawn(outputs, random) if drawn else model.best(outputs)
                action = processor.acted(raw)[0]
                self.done.append(action)
                if shown:
                    frame = filming.picture(environment, seen)
                    step = len(self.rewards)
                    if step % gap == 0:
                        self.frames[step] = frame
                        if len(self.frames) > filming.KEPT:
                            # Twice as far apart from here on.
                            gap *= 2
                            self.frames = {at: each for at, each in self.frames.items() if at % gap == 0}
                    yield frame
                seen, reward, terminated, truncated, _ = environment.step(
                    action if processor.spaces.continuous else int(action)
                )
                seen = np.asarray(seen)
                self.rewards.append(float(reward))
                self.ended = "terminated" if terminated else "truncated"
                over = terminated or truncated or len(self.rewards) == limit
            if shown:
                yield filming.picture(environment, seen)
        except (GeneratorExit, OptionError):
            raise
        except Exception as error:
            raise LaneError(
                f"{named(self.source)} raised {type(error).__name__} after {len(self.rewards)} steps: "
                f"{str(error)[:200]}; the episode is closed; look into the environment"
            ) from error
