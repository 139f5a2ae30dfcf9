"""Proximal policy optimization (Schulman et al. 2017): acting, and an update as one compiled function."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from keras import ops

from sixarts.compiled import Loop, to_numpy
from sixarts_game_ai.advantages import discounted, generalized_advantages
from sixarts_game_ai.agent_options import AgentTraining
from sixarts_game_ai.agent_processor import FURTHEST, AgentProcessor
from sixarts_game_ai.compiled_step import CompiledStep, placed
from sixarts_game_ai.flat_network import FlatNetwork, adam, slope
from sixarts_game_ai.lanes import Lanes, Update
from sixarts_game_ai.running_statistics import EPSILON, RunningStatistics

LOG_2PI = float(np.log(2 * np.pi))
#: What an update tells, means over its minibatches.
TOLD = ("policy loss", "value loss", "entropy", "divergence", "clipped")
#: Truncated observations are judged in so many rows together.
ROWS = 64


class PPOLearner:
    """One network that learns in lanes; an update is a rollout and the passes over it.

    Args:
        model: of family ``ppo``; its network's weights begin what is learned.
        training: the options.
    """

    def __init__(self, model: Any, training: AgentTraining) -> None:
        self.training, self.device = training, model.device
        self.processor: AgentProcessor = model.processor
        self.network = FlatNetwork(model.network)
        self.rows = training.rollout * training.lanes
        self.minibatches = max(1, round(self.rows / training.minibatch))
        self.size = self.rows // self.minibatches
        self.steps_an_update = self.rows
        zeros = np.zeros(self.network.size, "float32")
        self._take({"weights": self.network.vector(), "first": zeros, "second": zeros})
        self.optimizer_steps = 0.0
        self.statistics = self.processor.statistics
        self.reward_statistics = RunningStatistics()
        self._act = CompiledStep(self._acted, self.device)
        self._judge = CompiledStep(self._judged, self.device)
        total = training.passes * self.minibatches
        self._learn = Loop(lambda state: state["at"] < total, self._step, [], self.device)
        self.collected = np.zeros(training.lanes, "float32")

    # The network as functions of its weights.

    def _acted(self, weights: Any, observations: Any, noise: Any) -> Any:
        """Actions, the logarithms of their probabilities, values, side by side, ``[lanes, n + 2]``."""
        outputs = self.network(weights, {"observation": observations})
        if self.processor.spaces.continuous:
            actions = outputs["mean"] + ops.exp(outputs["log_deviation"]) * noise
            likely = normal_log(actions, outputs["mean"], outputs["log_deviation"])
        else:
            # The largest of logits with Gumbel noise is a draw of the policy.
            drawn = ops.argmax(outputs["logits"] + noise, axis=-1)
            chances = log_chances(outputs["logits"])
            likely = ops.sum(marked(drawn, self.processor.spaces.actions) * chances, axis=-1)
            actions = ops.cast(drawn, "float32")[:, None]
        return ops.concatenate([actions, likely[:, None], outputs["value"][:, None]], axis=-1)

    def _judged(self, weights: Any, observations: Any) -> Any:
        return self.network(weights, {"observation": observations})["value"]

    def _loss(self, weights: Any, batch: dict[str, Any], clip: Any) -> tuple[Any, Any]:
        training = self.training
        outputs = self.network.apply(weights, {"observation": batch["observations"]})
        if self.processor.spaces.continuous:
            likely = normal_log(batch["actions"], outputs["mean"], outputs["log_deviation"])
            entropy = ops.mean(ops.sum(outputs["log_deviation"] + 0.5 * (1 + LOG_2PI), axis=-1))
        else:
            chances = log_chances(outputs["logits"])
            marks = marked(ops.cast(batch["actions"], "int32"), chances.shape[-1])
            likely = ops.sum(marks * chances, axis=-1)
            entropy = -ops.mean(ops.sum(ops.exp(chances) * chances, axis=-1))
        advantages = batch["advantages"]
        if self.size > 1:
            advantages = advantages - ops.mean(advantages)
            advantages = advantages / (ops.sqrt(ops.mean(advantages * advantages)) + 1e-8)
        change = likely - batch["likely"]
        ratio = ops.exp(change)
        policy = -ops.mean(ops.minimum(advantages * ratio, advantages * ops.clip(ratio, 1 - clip, 1 + clip)))
        value, returns = outputs["value"], batch["returns"]
        far = (value - returns) * (value - returns)
        if training.clip_value:
            held = batch["values"] + ops.clip(value - batch["values"], -clip, clip)
            far = ops.maximum(far, (held - returns) * (held - returns))
        off = ops.mean(far)
        loss = policy + training.value_weight * off - training.entropy * entropy
        told = [
            policy,
            off,
            entropy,
            ops.mean(ratio - 1 - change),
            ops.mean(ops.cast(ops.abs(ratio - 1) > clip, "float32")),
        ]
        return loss, ops.stack(told)

    def _step(self, state: Any, data: Any, order: Any, rate: Any, clip: Any) -> Any:
        """One minibatch."""
        rows = ops.take(order, state["at"], axis=0)
        batch = {name: ops.take(values, rows, axis=0) for name, values in data.items()}
        gradient, told = slope(lambda weights: self._loss(weights, batch, clip), state["weights"])
        step = state["step"] + 1.0
        weights, (first, second) = adam(
            state["weights"], gradient, (state["first"], state["second"]), step, rate, self.training.clip_norm
        )
        return {
            "weights": weights,
            "first": first,
            "second": second,
            "step": step,
            "at": state["at"] + 1,
            "told": state["told"] + told,
        }

    # What a run asks of a learner.

    def begin(self) -> None:
        """Episodes begin anew."""
        self.collected = np.zeros(self.training.lanes, "float32")

    def weights(self) -> np.ndarray:
        """The network's weights now, as one vector."""
        return self.network.joined(self.state["weights"])

    def tensors(self) -> dict[str, np.ndarray]:
        """What a checkpoint keeps, beside :meth:`notes`."""
        return {name: self.network.joined(leaves) for name, leaves in self.state.items()}

    def notes(self) -> dict[str, Any]:
        """The same, of numbers and lists."""
        return {
            "optimizer_steps": self.optimizer_steps,
            "statistics": self.statistics.told(),
            "reward_statistics": self.reward_statistics.told(),
        }

    def restore(self, tensors: Mapping[str, np.ndarray], notes: Mapping[str, Any]) -> None:
        """Takes up what a checkpoint kept."""
        self._take(tensors)
        self.optimizer_steps = notes["optimizer_steps"]
        self.statistics = RunningStatistics.of(notes["statistics"])
        self.reward_statistics = RunningStatistics.of(notes["reward_statistics"])

    def update(
        self, lanes: Lanes, observations: np.ndarray, random: np.random.Generator, done: float
    ) -> Update:
        """A rollout, and what is learned from it.

        Args:
            lanes: where it acts.
            observations: of the lanes now.
            random: what is drawn, is drawn from it.
            done: share of all steps that is over, for what fades.
        """
        training = self.training
        rollout = self._rollout(lanes, observations, random)
        data = self._data(rollout)
        left = 1.0 - done if training.fading else 1.0
        order = np.stack(
            [
                random.permutation(self.rows)[: self.minibatches * self.size].reshape(
                    self.minibatches, self.size
                )
                for _ in range(training.passes)
            ]
        ).reshape(-1, self.size)
        state = {
            **self.state,
            "step": np.float32(self.optimizer_steps),
            "at": np.int32(0),
            "told": np.zeros(len(TOLD), "float32"),
        }
        after = self._learn(
            state,
            data,
            order.astype("int32"),
            np.float32(training.rate_of(done)),
            np.float32(training.clip * left),
        )
        self.state = {name: after[name] for name in self.state}
        self.vector = placed(self.weights())
        self.optimizer_steps += len(order)
        told = to_numpy(after["told"]) / len(order)
        return Update(
            rollout["after"],
            rollout["rewards"],
            rollout["ended"],
            dict(zip(TOLD, map(float, told), strict=True)),
        )

    def _rollout(self, lanes: Lanes, seen: np.ndarray, random: np.random.Generator) -> dict[str, Any]:
        training, spaces = self.training, self.processor.spaces
        steps, count = training.rollout, training.lanes
        width = spaces.actions if spaces.continuous else 1
        observed = np.empty((steps, *seen.shape), seen.dtype)
        answers = np.empty((steps, count, width + 2), "float32")
        rewards = np.empty((steps, count), "float32")
        ended = np.zeros((steps, count), bool)
        cut: list[tuple[int, int, np.ndarray]] = []
        # Drawn for all steps at once.
        shape = (steps, count, spaces.actions)
        noise = random.standard_normal(shape, "float32") if spaces.continuous else gumbel(random, shape)
        weights = self.vector
        current = self.current()
        for step in range(steps):
            observed[step] = seen
            given = self._act(weights, current.arrays(seen)["observation"], noise[step])
            answer = answers[step] = np.asarray(ops.convert_to_numpy(given))
            raw = answer[:, :width] if spaces.continuous else answer[:, 0].astype("int64")
            taken = lanes.step(current.acted(raw))
            seen, rewards[step] = taken.observations, taken.rewards
            if taken.last:
                ended[step] = taken.terminated | taken.truncated
                cut += [(step, lane, last) for lane, last in taken.last.items() if taken.truncated[lane]]
        return {
            "observed": observed,
            "answers": answers,
            "rewards": rewards,
            "ended": ended,
            "cut": cut,
            "after": seen,
            "episodes": (rewards.copy(), ended),
            "processor": current,
        }

    def _data(self, rollout: dict[str, Any]) -> dict[str, np.ndarray]:
        """What a rollout teaches, a row a step of a lane."""
        training, current = self.training, rollout["processor"]
        rewards, ended, answers = rollout["rewards"], rollout["ended"], rollout["answers"]
        values, likely = answers[..., -1], answers[..., -2]
        if training.normalize_rewards:
            found = discounted(rewards, ended, self.collected, training.discount)
            self.collected = np.where(ended[-1], 0, found[-1]).astype("float32")
            self.reward_statistics = self.reward_statistics.updated(found.reshape(-1, 1))
            rewards = np.clip(rewards / self.reward_scale, -FURTHEST, FURTHEST)
        else:
            rewards = rewards.copy()
        if rollout["cut"]:
            later = self._values(current, np.stack([last for *_, last in rollout["cut"]]))
            places = tuple(np.array([place[:2] for place in rollout["cut"]]).T)
            rewards[places] += training.discount * later
        after = self._values(current, rollout["after"])
        advantages = generalized_advantages(rewards, values, ended, after, training.discount, training.trace)
        observed = rollout["observed"].reshape(self.rows, *rollout["observed"].shape[2:])
        actions = answers[..., :-2].reshape(self.rows, -1)
        data = {
            "observations": current.arrays(observed)["observation"],
            "actions": actions if self.processor.spaces.continuous else actions[:, 0],
            "likely": likely.reshape(-1),
            "values": values.reshape(-1),
            "advantages": advantages.reshape(-1),
            "returns": (advantages + values).reshape(-1),
        }
        if training.normalize:
            self.statistics = self.statistics.updated(observed)
        return {name: np.ascontiguousarray(value) for name, value in data.items()}

    def _values(self, current: AgentProcessor, observations: np.ndarray) -> np.ndarray:
        """Values of observations, in batches of few shapes."""
        count = len(observations)
        rows = self.training.lanes if count == self.training.lanes else -(-count // ROWS) * ROWS
        filled = np.resize(observations, (rows, *observations.shape[1:])) if rows != count else observations
        size = rows if rows == count else ROWS
        found = [
            np.asarray(
                ops.convert_to_numpy(
                    self._judge(self.vector, current.arrays(filled[start : start + size])["observation"])
                )
            )
            for start in range(0, rows, size)
        ]
        return np.concatenate(found)[:count]

    def _take(self, tensors: Mapping[str, np.ndarray]) -> None:
        """Puts weights and moments in place; acting takes the weights as one vector."""
        self.state = {name: self.network.leaves(tensors[name]) for name in ("weights", "first", "second")}
        self.vector = placed(tensors["weights"])

    @property
    def reward_scale(self) -> float:
        """What rewards are divided by."""
        if not self.reward_statistics.count:
            return 1.0
        return float(np.sqrt(self.reward_statistics.variance[0] + EPSILON))

    def current(self) -> AgentProcessor:
        """The processor with what is known of observations and rewards now."""
        return replace(
            self.processor,
            statistics=self.statistics,
            normalized=self.training.normalize or self.processor.normalized,
            reward_scale=self.reward_scale,
        )


def marked(actions: Any, count: int) -> Any:
    """1 where an action is, ``[b, count]``; Keras's own looks at values, which PyTorch cannot trace."""
    numbers = ops.arange(count, dtype="int32")[None]
    return ops.cast(ops.equal(ops.cast(actions, "int32")[:, None], numbers), "float32")


def log_chances(logits: Any) -> Any:
    """Logarithms of a policy's probabilities."""
    high = ops.max(logits, axis=-1, keepdims=True)
    moved = logits - high
    return moved - ops.log(ops.sum(ops.exp(moved), axis=-1, keepdims=True))


def normal_log(actions: Any, mean: Any, log_deviation: Any) -> Any:
    """Logarithms of continuous actions' densities ``[b]``."""
    far = (actions - mean) * ops.exp(-log_deviation)
    return -ops.sum(0.5 * far * far + log_deviation + 0.5 * LOG_2PI, axis=-1)


def gumbel(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Gumbel noise."""
    return -np.log(-np.log(random.random(shape, "float32").clip(1e-20, 1 - 1e-7))).astype("float32")
