"""What learns from self-play: network, optimizer, replay buffer, and checkpoints that survive a kill."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from typing import Any

import keras
import numpy as np

from sixarts.checkpoint import Target, assign, open_weights
from sixarts.errors import TrainingError
from sixarts.resuming import Checkpoints
from sixarts_game_ai.self_play import Replay, Samples
from sixarts_game_ai.self_play_options import SelfPlayTraining

#: Options that may change between a run and its resumption.
_FREE = {"folder", "progress", "minutes", "workers", "iterations"}
#: Samples that a checkpoint keeps.
KEPT = 20_000
#: Steps over which the learning rate rises.
WARM = 200


def losses() -> dict[str, Any]:
    """The loss of each of the network's outputs."""
    return {
        "policy": keras.losses.CategoricalCrossentropy(from_logits=True),
        "wdl": keras.losses.CategoricalCrossentropy(from_logits=True),
        "value": keras.losses.MeanSquaredError(),
    }


class Learner:
    """The network with its optimizer, the replay buffer, and where the run stands.

    Args:
        model: what learns, in place.
        training: the options.
    """

    def __init__(self, model: Any, training: SelfPlayTraining) -> None:
        self.model, self.training = model, training
        self.network = model.network
        keras.utils.set_random_seed(training.seed)
        self.optimizer = keras.optimizers.AdamW(
            learning_rate=training.learning_rate,
            weight_decay=training.weight_decay,
            global_clipnorm=1.0,
            beta_2=0.99,
        )
        self.optimizer.exclude_from_weight_decay(
            var_list=[each for each in self.network.trainable_variables if len(each.shape) < 2]
        )
        self.network.compile(optimizer=self.optimizer, loss=losses())
        self.optimizer.build(self.network.trainable_variables)
        self.replay = Replay(training.replay)
        self.random = np.random.default_rng(training.seed)
        self.place: dict[str, Any] = {"iteration": 0, "step": 0, "positions": 0, "games": 0}
        self.metrics: dict[str, list[float]] = {}
        self.checkpoints = Checkpoints(training.folder) if training.folder else None
        self._resume()

    def step(self, done: float) -> dict[str, float]:
        """One batch; ``done`` is the share of the run that is over."""
        training = self.training
        warm = min(1.0, (self.place["step"] + 1) / WARM)
        falling = 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
        self.optimizer.learning_rate = training.learning_rate * max(warm * falling, 1e-3)
        arrays, targets = self._batch(self.replay.draw(training.batch_size, self.random))
        logs = self.network.train_on_batch(arrays, targets, return_dict=True)
        self.network.reset_metrics()
        self.place["step"] += 1
        told = {name: float(value) for name, value in logs.items()}
        if not math.isfinite(told["loss"]):
            raise TrainingError(f"the loss is {told['loss']}; expected a finite one; lower learning_rate")
        return told

    def _batch(self, drawn: Samples) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        planes, policy = drawn.planes.astype("float32"), drawn.policy.astype("float32")
        if self.training.mirror:
            turned = self.random.random(len(drawn)) < 0.5
            planes[turned] = planes[turned, :, ::-1]
            policy[turned] = self.model.processor.mirrored(policy[turned])
        targets = {"policy": policy, "wdl": drawn.wdl.astype("float32"), "value": drawn.value}
        return {"planes": planes}, targets

    def close(
        self, steps: list[dict[str, float]], told: Callable[[Learner], Mapping[str, float]] | None
    ) -> None:
        """Ends an iteration: its figures are kept."""
        self.place["iteration"] += 1
        means = {name: float(np.mean([each[name] for each in steps])) for name in steps[0]}
        self._log(**means, games=self.place["games"], positions=self.place["positions"])
        if told is not None:
            self._log(**told(self))

    def _log(self, **values: float) -> None:
        for name, value in values.items():
            self.metrics.setdefault(name, []).append(value)

    # Checkpoints.

    def save(self) -> None:
        """Writes a checkpoint, where there is a folder."""
        if self.checkpoints is None:
            return
        tensors = {name: as_array(variable) for name, variable in self._variables().items()}
        notes = {"place": self.place, "metrics": self.metrics, "options": self._options()}
        self.checkpoints.write(self.place["iteration"], tensors | self.replay.tensors(KEPT), notes)

    def _options(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self.training).items() if name not in _FREE}

    def _variables(self) -> dict[str, Any]:
        named = {f"network.{i}": variable for i, variable in enumerate(self.network.variables)}
        return named | {f"optimizer.{i}": variable for i, variable in enumerate(self.optimizer.variables)}

    def _resume(self) -> None:
        found = self.checkpoints.resumed(self._options()) if self.checkpoints else None
        if found is None:
            return
        folder, notes = found
        weights = open_weights(folder)
        targets = {name: Target(variable) for name, variable in self._variables().items()}
        assign(targets, weights, ignore=("replay.*",))
        if "replay.value" in weights:
            self.replay.add(Samples(*(weights.read(f"replay.{entry.name}") for entry in fields(Samples))))
        self.place, self.metrics = notes["place"], notes["metrics"]
        self.random = np.random.default_rng([self.training.seed, self.place["iteration"]])


def as_array(variable: Any) -> np.ndarray:
    """A variable's value."""
    return np.array(keras.ops.convert_to_numpy(variable))
