"""Learning in an environment: lanes, a learner, judged episodes, checkpoints.

A run goes in legs of ``every`` steps. At the beginning of each, episodes begin anew and generators are
seeded by run and leg; at its end the policy is judged without noise, and a checkpoint is written. What a
killed run does after its last checkpoint is done again in the same way: its result is that of an unbroken
one.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from sixarts.checkpoint import open_weights
from sixarts.errors import TrainingError
from sixarts.progress import progress_bar
from sixarts.resuming import Checkpoints
from sixarts.training import History
from sixarts_game_ai.agent_options import AgentTraining
from sixarts_game_ai.dqn_learning import DQNLearner
from sixarts_game_ai.environments import Source, named
from sixarts_game_ai.episodes import Played, play, play_lanes
from sixarts_game_ai.lanes import LaneError, Lanes, is_batched, open_lanes
from sixarts_game_ai.ppo_learning import PPOLearner

#: Family to what learns.
LEARNERS: dict[str, Any] = {"ppo": PPOLearner, "dqn": DQNLearner}
#: Episodes whose mean return is compared with the target.
RECENT = 100
#: Points of a learning curve.
POINTS = 500
#: Options that may change between a run and its resumption.
FREE = {"folder", "progress", "workers", "target"}


@dataclass(frozen=True)
class LearningCurve(History):
    """What learning in an environment did.

    Attributes:
        metrics: ``steps`` of the environment; ``return``, the mean of the last 100 episodes then; and what
        each
            update told, e.g. ``entropy``.
        best_epoch: the leg (from 0) whose judged return was best.
        stopped: ``"steps"``, ``"target"`` or ``"interrupted"``.
        replaced: what was made new, in words.
        judged: ``steps`` and ``return`` at the end of each leg, without noise.
        steps: of the environment in all.
        episodes: that ended.
    """

    judged: dict[str, list[float]] = field(default_factory=dict)
    steps: int = 0
    episodes: int = 0

    def __str__(self) -> str:
        recent = self.metrics.get("return") or [math.nan]
        text = f"{self.steps:,} steps, {self.episodes:,} episodes, return {recent[-1]:.4g} at the end"
        if best := self.judged.get("return"):
            at = int(self.judged["steps"][self.best_epoch])
            text += f", judged {best[self.best_epoch]:.4g} after {at:,} steps"
        return f"{text} ({self.stopped})"

    def plot(self) -> Any:
        """Returns over steps, of the episodes learned from and of those judged."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6, 3.6), layout="constrained")
        axes = figure.add_subplot()
        axes.plot(self.metrics.get("steps", []), self.metrics.get("return", []), label="while learning")
        if self.judged.get("steps"):
            axes.plot(self.judged["steps"], self.judged["return"], "o-", label="judged, without noise")
            axes.axvline(self.judged["steps"][self.best_epoch], color="0.7", linewidth=1, zorder=0)
        axes.set(xlabel="steps of the environment", ylabel="return of an episode")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
        return figure


class Run:
    """One run of learning, and the state that a checkpoint keeps of it.

    Args:
        model: whose network learns; it has what was learned at the end, whatever ends it.
        source: the environment.
        training: the options, complete.
        watch: called after each update with the steps so far and the run; learning ends when it gives true.
    """

    def __init__(
        self,
        model: Any,
        source: Source,
        training: AgentTraining,
        watch: Callable[[int, Run], bool] | None = None,
    ) -> None:
        self.model, self.source, self.training, self.watch = model, source, training, watch
        self.learner = LEARNERS[model.family](model, training)
        each = self.learner.steps_an_update
        self.updates = max(1, -(-training.steps // each))
        self.leg = max(1, training.every // each)
        self.gap = max(1, self.updates // POINTS)
        self.place: dict[str, Any] = {
            "update": 0,
            "episodes": 0,
            "best": -math.inf,
            "best_leg": 0,
            "reached": False,
        }
        self.metrics: dict[str, list[float]] = {"steps": [], "return": []}
        self.judged: dict[str, list[float]] = {"steps": [], "return": []}
        self.recent: deque[float] = deque(maxlen=RECENT)
        self.best: tuple[np.ndarray, Any] | None = None
        self.checkpoints = Checkpoints(training.folder) if training.folder else None

    @property
    def steps(self) -> int:
        """Steps of the environment so far."""
        return int(self.place["update"] * self.learner.steps_an_update)

    def go(self, replaced: tuple[str, ...] = ()) -> LearningCurve:
        """Learns until the steps are over, the target is reached, or somebody interrupts.

        Raises:
            TrainingError: the environment raised, or weights are no longer finite; what was learned is kept.
        """
        training, stopped, failed = self.training, "steps", None
        with self.model.device.scope():
            self._resume()
            lanes = open_lanes(
                self.source, training.lanes, workers=training.workers, settings=dict(training.settings)
            )
            try:
                self._learn(lanes)
                stopped = "target" if self.place["reached"] else "steps"
            except KeyboardInterrupt:
                stopped = "interrupted"
            except LaneError as error:
                failed = error
            finally:
                lanes.close()
            self._leave(stopped == "interrupted" or failed is not None)
        if failed is not None:
            raise TrainingError(f"after {self.steps:,} steps: {failed}") from failed
        return LearningCurve(
            self.metrics,
            self.place["best_leg"],
            stopped,
            replaced,
            self.judged,
            self.steps,
            self.place["episodes"],
        )

    def _learn(self, lanes: Lanes) -> None:
        training = self.training
        observations = np.zeros(0)
        with progress_bar(named(self.source), self.updates, training.progress) as advance:
            advance(self.place["update"])
            while self.place["update"] < self.updates and not self.place["reached"]:
                leg, at = divmod(self.place["update"], self.leg)
                if at == 0:
                    random = np.random.default_rng([training.seed, leg])
                    observations = lanes.reset(int(random.integers(2**31)))
                    self.learner.begin()
                    returns = np.zeros(lanes.count)
                done = self.place["update"] / self.updates
                update = self.learner.update(lanes, observations, random, done)
                observations = update.observations
                self._count(returns, update.rewards, update.ended)
                self.place["update"] += 1
                self._note(update.told)
                advance(1, f"return {np.mean(self.recent):.1f}" if self.recent else "")
                if self._reached() or (self.watch is not None and self.watch(self.steps, self)):
                    self.place["reached"] = True
                over = self.place["update"] >= self.updates or self.place["reached"]
                if over or self.place["update"] % self.leg == 0:
                    self._close_leg(leg)

    def _count(self, returns: np.ndarray, rewards: np.ndarray, ended: np.ndarray) -> None:
        """Adds up the rewards of each lane, and keeps what an episode returned."""
        for step, ends in zip(rewards, ended, strict=True):
            returns += step
            if ends.any():
                self.recent.extend(returns[ends].tolist())
                self.place["episodes"] += int(ends.sum())
                returns[ends] = 0

    def _note(self, told: dict[str, float]) -> None:
        if not all(map(math.isfinite, told.values())):
            raise TrainingError(
                f"{told} after {self.steps:,} steps; expected finite figures; lower learning_rate or "
                "clip_norm, "
                "or scale rewards with normalize_rewards=True"
            )
        if self.place["update"] % self.gap == 0 and self.recent:
            for name, value in {"steps": self.steps, "return": float(np.mean(self.recent)), **told}.items():
                self.metrics.setdefault(name, []).append(value)

    def _reached(self) -> bool:
        target = self.training.target
        return target is not None and len(self.recent) == RECENT and float(np.mean(self.recent)) >= target

    def _close_leg(self, leg: int) -> None:
        """Judges the policy, keeps the best, writes a checkpoint."""
        weights, processor = self.learner.weights(), self.learner.current()
        if self.training.judged:
            self.model.take(weights, processor)
            mean = float(np.mean([each.total for each in self._play(leg)]))
            self.judged["steps"].append(self.steps)
            self.judged["return"].append(mean)
            if mean >= self.place["best"]:
                self.place |= {"best": mean, "best_leg": leg}
                self.best = (weights, processor)
        if self.checkpoints:
            self.checkpoints.write(leg + 1, self._tensors(), self._notes())

    def _play(self, leg: int) -> list[Played]:
        """Episodes that judge what the model holds."""
        training, seed = self.training, [self.training.seed, 1, leg]
        if is_batched(self.source, training.settings):
            lanes = open_lanes(self.source, training.judged)
            return play_lanes(self.model, lanes, int(np.random.SeedSequence(seed).generate_state(1)[0]))
        return play(self.model, self.source, training.judged, seed, training.settings)

    def _leave(self, broken: bool) -> None:
        """Puts the result into the model: the best judged weights, or those now."""
        if self.best is not None and not broken:
            self.model.take(*self.best)
        else:
            self.model.take(self.learner.weights(), self.learner.current())

    # Checkpoints.

    def _tensors(self) -> dict[str, np.ndarray]:
        kept: dict[str, np.ndarray] = self.learner.tensors()
        return kept | ({"best": self.best[0]} if self.best else {})

    def _notes(self) -> dict[str, Any]:
        best = self.best[1] if self.best else None
        return {
            "place": self.place,
            "metrics": self.metrics,
            "judged": self.judged,
            "recent": list(self.recent),
            "learner": self.learner.notes(),
            "best": None
            if best is None
            else {"statistics": best.statistics.told(), "reward_scale": best.reward_scale},
            "options": self._options(),
        }

    def _options(self) -> dict[str, Any]:
        stated = {name: value for name, value in asdict(self.training).items() if name not in FREE}
        return {**stated, "environment": named(self.source)}

    def _resume(self) -> None:
        from dataclasses import replace

        from sixarts_game_ai.running_statistics import RunningStatistics

        found = self.checkpoints.resumed(self._options()) if self.checkpoints else None
        if found is None:
            return
        folder, notes = found
        weights = open_weights(folder)
        tensors = {name: np.array(weights.read(name)) for name in weights}
        if tensors["weights"].shape != (self.learner.network.size,):
            raise TrainingError(f"{folder.parent} holds a run of another network; give another folder")
        self.learner.restore(tensors, notes["learner"])
        self.place, self.metrics, self.judged = notes["place"], notes["metrics"], notes["judged"]
        self.recent.extend(notes["recent"])
        if notes["best"] is not None:
            processor = replace(
                self.learner.current(),
                statistics=RunningStatistics.of(notes["best"]["statistics"]),
                reward_scale=notes["best"]["reward_scale"],
            )
            self.best = (tensors["best"], processor)
