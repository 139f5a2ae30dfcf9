"""Deep Q-learning (Mnih et al. 2015): acting, replay, and a block of updates as one compiled function.

Options: double (van Hasselt et al. 2016), returns over several steps (Sutton 1988), prioritized replay
(Schaul et al. 2016); dueling is the network's (Wang et al. 2016).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from keras import ops

from sixarts.compiled import Loop, to_numpy
from sixarts.errors import OptionError
from sixarts_game_ai.agent_options import AgentTraining
from sixarts_game_ai.agent_processor import AgentProcessor
from sixarts_game_ai.compiled_step import CompiledStep, placed
from sixarts_game_ai.flat_network import FlatNetwork, adam, slope
from sixarts_game_ai.lanes import Lanes, Update
from sixarts_game_ai.ppo_learning import marked
from sixarts_game_ai.replay import Replay, Waiting
from sixarts_game_ai.running_statistics import RunningStatistics

#: Bytes up to which a checkpoint holds the replay; a run that resumes without it fills it anew.
KEPT = 2**28


class DQNLearner:
    """Action values that learn in lanes; an update is some steps of the lanes and the minibatches after them.

    Args:
        model: of family ``dqn``; its network's weights begin what is learned.
        training: the options.
    """

    def __init__(self, model: Any, training: AgentTraining) -> None:
        if training.normalize_rewards:
            raise OptionError(
                "normalize_rewards=True for family 'dqn', whose replay keeps rewards as they were; "
                "expected False"
            )
        self.training, self.device = training, model.device
        self.processor: AgentProcessor = model.processor
        self.network = FlatNetwork(model.network)
        self.actions = self.processor.spaces.actions
        lanes = training.lanes or 1
        self.rounds = max(1, training.train_every // lanes)
        self.steps_an_update = self.rounds * lanes
        vector = self.network.vector()
        zeros = np.zeros_like(vector)
        self._take({"weights": vector, "target": vector, "first": zeros, "second": zeros})
        self.optimizer_steps, self.taken = 0.0, 0
        self.statistics = self.processor.statistics
        spaces = self.processor.spaces
        kind = "int64" if not spaces.shape else spaces.dtype
        self.replay = Replay(training.replay, spaces.shape, kind, training.prioritized)
        self.begin()
        self._act = CompiledStep(self._acted, self.device)
        self._learn = Loop(lambda state: state["at"] < training.updates, self._step, [], self.device)

    def _acted(self, weights: Any, observations: Any) -> Any:
        return ops.argmax(self.network(weights, {"observation": observations})["values"], axis=-1)

    def _loss(self, weights: Any, target: Any, batch: dict[str, Any]) -> tuple[Any, Any]:
        values = self.network.apply(weights, {"observation": batch["observations"]})["values"]
        after = self.network.apply(target, {"observation": batch["after"]})["values"]
        chooser = after
        if self.training.double:
            chooser = self.network.apply(weights, {"observation": batch["after"]})["values"]
        best = marked(ops.argmax(ops.stop_gradient(chooser), axis=-1), self.actions)
        wanted = batch["returns"] + batch["discounts"] * ops.sum(after * best, axis=-1)
        errors = ops.sum(values * marked(batch["actions"], self.actions), axis=-1) - ops.stop_gradient(wanted)
        far = ops.abs(errors)
        huber = ops.where(far < 1, 0.5 * errors * errors, far - 0.5)
        return ops.mean(huber * batch["weights"]), ops.stop_gradient(errors)

    def _step(self, state: Any, data: Any, rate: Any) -> Any:
        """One minibatch."""
        batch = {name: ops.take(values, state["at"], axis=0) for name, values in data.items()}
        gradient, errors = slope(
            lambda weights: self._loss(weights, state["target"], batch), state["weights"]
        )
        step = state["step"] + 1.0
        weights, (first, second) = adam(
            state["weights"], gradient, (state["first"], state["second"]), step, rate, self.training.clip_norm
        )
        # Renewed every `sync` minibatches.
        due = ops.cast(ops.equal(ops.mod(step, float(self.training.sync)), 0.0), "float32")
        place = marked(ops.reshape(state["at"], (1,)), self.training.updates)[0]
        return {
            "weights": weights,
            "target": [
                due * new + (1 - due) * old for new, old in zip(weights, state["target"], strict=True)
            ],
            "first": first,
            "second": second,
            "step": step,
            "at": state["at"] + 1,
            "errors": state["errors"] + place[:, None] * errors[None],
        }

    # What a run asks of a learner.

    def begin(self) -> None:
        """Episodes begin anew; steps that wait for rewards are dropped."""
        training = self.training
        self.waiting = [
            Waiting(self.replay, training.n_step, training.discount) for _ in range(training.lanes or 1)
        ]

    def weights(self) -> np.ndarray:
        """The network's weights now, as one vector."""
        return self.network.joined(self.state["weights"])

    def tensors(self) -> dict[str, np.ndarray]:
        """What a checkpoint keeps, beside :meth:`notes`; the replay only where it is small."""
        kept = {name: self.network.joined(leaves) for name, leaves in self.state.items()}
        return kept | (self.replay.tensors() if self.replay.nbytes <= KEPT else {})

    def notes(self) -> dict[str, Any]:
        """The same, of numbers and lists."""
        return {
            "optimizer_steps": self.optimizer_steps,
            "taken": self.taken,
            "statistics": self.statistics.told(),
            "replay": {"next": self.replay.next, "highest": self.replay.highest},
        }

    def restore(self, tensors: Mapping[str, np.ndarray], notes: Mapping[str, Any]) -> None:
        """Takes up what a checkpoint kept."""
        self._take(tensors)
        self.optimizer_steps, self.taken = notes["optimizer_steps"], notes["taken"]
        self.statistics = RunningStatistics.of(notes["statistics"])
        if "replay.actions" in tensors:
            self.replay.restore(tensors, notes["replay"]["next"], notes["replay"]["highest"])

    def _take(self, tensors: Mapping[str, np.ndarray]) -> None:
        """Puts weights and moments in place; acting takes the weights as one vector."""
        names = ("weights", "target", "first", "second")
        self.state = {name: self.network.leaves(tensors[name]) for name in names}
        self.vector = placed(tensors["weights"])

    def current(self) -> AgentProcessor:
        """The processor with what is known of observations now."""
        normalized = self.training.normalize or self.processor.normalized
        return replace(self.processor, statistics=self.statistics, normalized=normalized, reward_scale=1.0)

    def update(
        self, lanes: Lanes, observations: np.ndarray, random: np.random.Generator, done: float
    ) -> Update:
        """Steps of every lane, and what is learned after them; see :meth:`PPOLearner.update`."""
        training, seen = self.training, observations
        rewards = np.zeros((self.rounds, lanes.count), "float32")
        ended = np.zeros((self.rounds, lanes.count), bool)
        current = self.current()
        observed = [seen]
        share = min(done / training.exploring, 1.0) if training.exploring else 1.0
        chance = 1.0 + share * (training.exploration - 1.0)
        for step in range(self.rounds):
            best = np.asarray(
                ops.convert_to_numpy(self._act(self.vector, current.arrays(seen)["observation"]))
            )
            explored = random.random(lanes.count) < chance
            actions = np.where(explored, random.integers(self.actions, size=lanes.count), best)
            taken = lanes.step(current.acted(actions))
            for lane, waiting in enumerate(self.waiting):
                waiting.add(seen[lane], int(actions[lane]), float(taken.rewards[lane]))
                last = taken.last.get(lane)
                after = taken.observations[lane] if last is None else last
                waiting.pass_on(after, bool(taken.terminated[lane]), last is not None)
            rewards[step], ended[step] = taken.rewards, taken.terminated | taken.truncated
            seen = taken.observations
            observed.append(seen)
        self.taken += self.steps_an_update
        if training.normalize:
            self.statistics = self.statistics.updated(np.concatenate(observed[1:]))
        told = {"exploration": chance}
        if self.replay.count >= min(training.warm, self.replay.size):
            told |= self._learned(random, done)
        return Update(seen, rewards, ended, told)

    def _learned(self, random: np.random.Generator, done: float) -> dict[str, float]:
        training, current = self.training, self.current()
        shape = (training.updates, training.minibatch)
        beta = training.correction + (1 - training.correction) * min(done, 1.0)
        drawn = self.replay.draw(random, shape[0] * shape[1], beta)
        arrays = drawn.arrays | {"weights": drawn.weights}
        data = {}
        for name, array in arrays.items():
            if name in ("observations", "after"):
                array = current.arrays(array)["observation"]
            data[name] = array.reshape(*shape, *array.shape[1:])
        state = {
            **self.state,
            "step": np.float32(self.optimizer_steps),
            "at": np.int32(0),
            "errors": np.zeros(shape, "float32"),
        }
        after = self._learn(state, data, np.float32(training.rate_of(done)))
        self.state = {name: after[name] for name in self.state}
        self.vector = placed(self.weights())
        self.optimizer_steps += training.updates
        errors = np.asarray(to_numpy(after["errors"]))
        self.replay.found(drawn.rows, errors.reshape(-1))
        return {"error": float(np.abs(errors).mean())}
