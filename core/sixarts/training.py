"""``fit``: Keras's compiled train step under a loop that can be killed at any moment and goes on.

A checkpoint is a folder that appears whole under its final name, or not at all. It holds the network, the
optimizer, the states of random layers, and where the loop stood, so a resumed run takes the steps that
an unbroken one would have taken.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from sixarts.checkpoint import Target, assign, open_weights
from sixarts.device import Device, backend
from sixarts.errors import OptionError, TrainingError
from sixarts.progress import progress_bar
from sixarts.result import Result
from sixarts.resuming import Checkpoints

Arrays = Mapping[str, np.ndarray]


class Lesson(NamedTuple):
    """One batch to learn from: the network's inputs, its targets, and weights of the targets, by name."""

    arrays: Arrays
    targets: Arrays
    weights: Arrays


@dataclass(frozen=True)
class Training:
    """Options of ``fit``; a task may subclass it to add its own.

    Attributes:
        epochs: passes over the examples.
        batch_size: examples a step.
        learning_rate: the highest that the schedule reaches.
        schedule: ``"constant"``, ``"linear"`` or ``"cosine"`` (to zero at the end), or ``"inverse_sqrt"``.
        warmup: steps over which the rate rises from zero.
        optimizer: ``"adamw"`` (Loshchilov and Hutter 2019), or ``"sgd"`` with Nesterov's momentum of 0.9.
        weight_decay: what share of a weight goes in a step, times the learning rate, beside the gradient.
        clip_norm: largest global norm of a step's gradients.
        average: how many of the last epochs' weights are averaged into the result; 0 takes the best epoch's.
        patience: epochs without a better validation loss before it stops; ``None`` never stops early.
        seed: of shuffling, dropout and everything else drawn.
        folder: where checkpoints are kept; a run with the same folder resumes there. ``None`` keeps none.
        progress: whether a bar is shown; ``None`` shows it on a terminal.
    """

    epochs: int = 10
    batch_size: int = 32
    learning_rate: float = 1e-4
    schedule: str = "constant"
    warmup: int = 0
    optimizer: str = "adamw"
    weight_decay: float = 0.0
    clip_norm: float = 1.0
    average: int = 0
    patience: int | None = None
    seed: int = 0
    folder: str | Path | None = None
    progress: bool | None = None

    def __post_init__(self) -> None:
        for name, low in (("epochs", 1), ("batch_size", 1), ("warmup", 0), ("average", 0)):
            if getattr(self, name) < low:
                raise OptionError(f"{name}={getattr(self, name)!r}; expected {low} or more")
        if self.schedule not in SCHEDULES:
            raise OptionError(f"schedule={self.schedule!r}; expected one of {', '.join(SCHEDULES)}")
        if self.optimizer not in OPTIMIZERS:
            raise OptionError(f"optimizer={self.optimizer!r}; expected one of {', '.join(OPTIMIZERS)}")
        if not self.learning_rate > 0:
            raise OptionError(f"learning_rate={self.learning_rate!r}; expected more than 0")

    def rate(self, step: int, done: float) -> float:
        """The learning rate at ``step`` (from 0), when the share ``done`` of all epochs is over."""
        if step < self.warmup:
            return self.learning_rate * (step + 1) / self.warmup
        return self.learning_rate * SCHEDULES[self.schedule](step, self.warmup, done)


SCHEDULES: dict[str, Callable[[int, int, float], float]] = {
    "constant": lambda step, warmup, done: 1.0,
    "linear": lambda step, warmup, done: max(1.0 - done, 0.0),
    "cosine": lambda step, warmup, done: 0.5 * (1 + math.cos(math.pi * min(done, 1.0))),
    "inverse_sqrt": lambda step, warmup, done: math.sqrt(max(warmup, 1) / max(step + 1, warmup, 1)),
}

#: Name to the optimizer, and its settings beside rate, decay and clipping.
OPTIMIZERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "adamw": (keras.optimizers.AdamW, {"beta_2": 0.98}),
    "sgd": (keras.optimizers.SGD, {"momentum": 0.9, "nesterov": True}),
}


@dataclass(frozen=True)
class History(Result):
    """What training did, an entry an epoch.

    Attributes:
        metrics: ``loss``, ``val_loss`` where there was validation, and ``learning_rate``.
        best_epoch: the epoch (from 0) with the best validation loss, or loss.
        stopped: why training ended: ``"epochs"``, ``"patience"`` or ``"interrupted"``.
        replaced: what ``adapt`` made new, in words.
    """

    metrics: dict[str, list[float]] = field(default_factory=dict)
    best_epoch: int = 0
    stopped: str = "epochs"
    replaced: tuple[str, ...] = ()

    def __str__(self) -> str:
        losses = ", ".join(
            f"{name} {values[self.best_epoch]:.4f}" for name, values in self.metrics.items() if values
        )
        return f"best epoch {self.best_epoch + 1} of {len(self.metrics.get('loss', []))}: {losses}"

    def plot(self) -> Any:
        """Losses over epochs."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6, 3.6), layout="constrained")
        axes = figure.add_subplot()
        for name in ("loss", "val_loss"):
            if values := self.metrics.get(name):
                axes.plot(range(1, len(values) + 1), values, label=name.replace("_", " "), marker=".")
        axes.axvline(self.best_epoch + 1, color="0.7", linewidth=1, zorder=0)
        axes.set(xlabel="epoch", ylabel="loss")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
        return figure


def train(
    network: keras.Model,
    lessons: Callable[[int], Iterable[Lesson]],
    training: Training,
    *,
    loss: Any,
    validation: Callable[[], Iterable[Lesson]] | None = None,
    device: Device,
    replaced: tuple[str, ...] = (),
) -> History:
    """Trains a network in place.

    Args:
        network: with named inputs and outputs.
        lessons: epoch (from 0) to its batches, shuffled by the epoch and the seed.
        training: the options.
        loss: what ``keras.Model.compile`` takes, by output name.
        validation: batches to measure after each epoch.
        device: where it runs.
        replaced: handed on to the history.

    Returns:
        The history. After Ctrl-C what was learned is kept, and ``stopped`` says ``"interrupted"``; with a
        ``folder``, the same call goes on from there.

    Raises:
        TrainingError: a loss that is not finite, no examples, or a checkpoint of another run.
    """
    with device.scope():
        return _Run(network, training, loss, device).go(lessons, validation, replaced)


class _Run:
    """One training run and the state that a checkpoint keeps of it."""

    def __init__(self, network: keras.Model, training: Training, loss: Any, device: Device) -> None:
        self.network, self.training = network, training
        keras.utils.set_random_seed(training.seed)
        kind, usual = OPTIMIZERS[training.optimizer]
        if training.optimizer == "adamw":
            usual = {**usual, "epsilon": 1e-9 if device.precision == "float32" else 1e-7}
        self.optimizer = kind(
            learning_rate=training.learning_rate,
            weight_decay=training.weight_decay,
            global_clipnorm=training.clip_norm,
            **usual,
        )
        # Norms and biases are not decayed, as published with every transformer recipe.
        self.optimizer.exclude_from_weight_decay(
            var_list=[variable for variable in network.trainable_variables if len(variable.shape) < 2]
        )
        network.compile(optimizer=self.optimizer, loss=loss)
        _seed_layers(network, training.seed)
        self.optimizer.build(network.trainable_variables)
        self.place: dict[str, Any] = {"epoch": 0, "step": 0, "best": math.inf, "best_epoch": 0, "averaged": 0}
        self.metrics: dict[str, list[float]] = {}
        self.best: list[np.ndarray] | None = None
        self.sums: list[np.ndarray] | None = None
        self.checkpoints = Checkpoints(training.folder) if training.folder else None

    def go(
        self,
        lessons: Callable[[int], Iterable[Lesson]],
        validation: Callable[[], Iterable[Lesson]] | None,
        replaced: tuple[str, ...],
    ) -> History:
        self._resume()
        stopped = "epochs"
        epochs = self.training.epochs
        try:
            while self.place["epoch"] < epochs and self._patient():
                self._epoch(lessons(self.place["epoch"]))
                if validation is not None:
                    self._log("val_loss", _mean(self._tested(lesson) for lesson in validation()))
                self._close_epoch()
            if self.place["epoch"] < epochs:
                stopped = "patience"
        except KeyboardInterrupt:
            stopped = "interrupted"
        if stopped != "interrupted":
            self._take_result()
        return History(self.metrics, self.place["best_epoch"], stopped, replaced)

    def _epoch(self, batches: Iterable[Lesson]) -> None:
        epoch, epochs = self.place["epoch"], self.training.epochs
        _seed_process(self.training.seed + epoch)
        total = len(batches) if isinstance(batches, Sequence) else None
        losses: list[float] = []
        with progress_bar(f"epoch {epoch + 1}/{epochs}", total, self.training.progress) as advance:
            for number, lesson in enumerate(batches):
                done = (epoch + (number / total if total else 0)) / epochs
                rate = self.training.rate(self.place["step"], done)
                self.optimizer.learning_rate = rate
                logs = self.network.train_on_batch(*lesson, return_dict=True)
                self.network.reset_metrics()
                losses.append(_finite(float(logs["loss"]), self.place["step"]))
                self.place["step"] += 1
                advance(1, f"loss {np.mean(losses[-50:]):.3f}")
        if not losses:
            raise TrainingError("no example came; expected at least one (input, target) pair")
        self._log("loss", float(np.mean(losses)))
        self._log("learning_rate", rate)

    def _tested(self, lesson: Lesson) -> tuple[float, float]:
        logs = self.network.test_on_batch(*lesson, return_dict=True)
        self.network.reset_metrics()
        return float(logs["loss"]), float(sum(np.sum(weights) for weights in lesson.weights.values()))

    def _log(self, name: str, value: float) -> None:
        self.metrics.setdefault(name, []).append(value)

    def _close_epoch(self) -> None:
        """Keeps the best and the average, writes the checkpoint."""
        judged = self.metrics.get("val_loss") or self.metrics["loss"]
        weights = _values(self.network.variables)
        if judged[-1] < self.place["best"]:
            self.place |= {"best": judged[-1], "best_epoch": self.place["epoch"]}
            self.best = weights
        if self.place["epoch"] >= self.training.epochs - self.training.average:
            self.sums = (
                weights if self.sums is None else [a + b for a, b in zip(self.sums, weights, strict=True)]
            )
            self.place["averaged"] += 1
        self.place["epoch"] += 1
        if self.checkpoints:
            self.checkpoints.write(self.place["epoch"], self._tensors(), self._notes())

    def _patient(self) -> bool:
        """Whether the best epoch is not too long ago; a run that had stopped stays so when it is resumed."""
        patience = self.training.patience
        return patience is None or self.place["epoch"] - 1 - self.place["best_epoch"] < patience

    def _take_result(self) -> None:
        """Leaves the averaged weights in the network, or those of the best epoch."""
        if self.sums is not None:
            count = self.place["averaged"]
            result = [
                (total / count).astype(total.dtype) if total.dtype.kind == "f" else None
                for total in self.sums
            ]
        else:
            result = list(self.best or [])
        for variable, value in zip(self.network.variables, result, strict=False):
            if value is not None and value.dtype.kind == "f":
                variable.assign(value)

    # Checkpoints.

    def _notes(self) -> dict[str, Any]:
        options = {name: value for name, value in asdict(self.training).items() if name not in _FREE}
        return {"place": self.place, "metrics": self.metrics, "options": options}

    def _variables(self) -> dict[str, Any]:
        named = {f"network.{i}": variable for i, variable in enumerate(self.network.variables)}
        return named | {f"optimizer.{i}": variable for i, variable in enumerate(self.optimizer.variables)}

    def _tensors(self) -> dict[str, np.ndarray]:
        tensors = {name: _value(variable) for name, variable in self._variables().items()}
        for kind, values in (("best", self.best), ("sum", self.sums)):
            tensors |= {f"{kind}.{i}": value for i, value in enumerate(values or [])}
        return tensors

    def _resume(self) -> None:
        found = self.checkpoints.resumed(self._notes()["options"]) if self.checkpoints else None
        if found is None:
            return
        folder, notes = found
        weights = open_weights(folder)
        assign(
            {name: Target(variable) for name, variable in self._variables().items()},
            weights,
            ignore=("best.*", "sum.*"),
        )
        count = len(self.network.variables)
        for kind in ("best", "sum"):
            if f"{kind}.0" in weights:
                setattr(
                    self,
                    "best" if kind == "best" else "sums",
                    [np.array(weights.read(f"{kind}.{i}")) for i in range(count)],
                )
        self.place, self.metrics = notes["place"], notes["metrics"]


#: Options that may change between a run and its resumption.
_FREE = {"folder", "progress", "patience"}


def _seed_layers(network: keras.Model, seed: int) -> None:
    """Gives every random layer its own stream of ``seed``; Keras draws them from the clock otherwise."""
    states = [variable for variable in network.variables if variable.name == "seed_generator_state"]
    for place, state in enumerate(states):
        state.assign(np.array([seed % 2**32, place], "uint32"))


def _seed_process(seed: int) -> None:
    """Starts PyTorch's own generator anew: its dropout draws from it, and no checkpoint holds its state."""
    if backend() == "torch":
        import torch

        torch.manual_seed(seed)


def _value(variable: Any) -> np.ndarray:
    return np.array(keras.ops.convert_to_numpy(variable))


def _values(variables: Iterable[Any]) -> list[np.ndarray]:
    return [_value(variable) for variable in variables]


def _mean(pairs: Iterable[tuple[float, float]]) -> float:
    values, weights = zip(*pairs, strict=True)
    return float(np.average(values, weights=np.maximum(weights, 1e-9)))


def _finite(loss: float, step: int) -> float:
    if not math.isfinite(loss):
        raise TrainingError(
            f"the loss is {loss} at step {step}; expected a finite one; lower learning_rate, "
            "lower clip_norm, or look for bad examples"
        )
    return loss
