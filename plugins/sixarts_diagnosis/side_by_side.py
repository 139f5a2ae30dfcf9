"""Many ensembles that learn side by side, as one network: the folds of a cross-validation in seconds.

Each has records, features and weights of its own, and its own part of one loss, so that none tells another
anything: what one learns is what it would have learned alone. Network, loss, optimizer and schedule are those
of the ``mlp_ensemble`` family under ``fit`` with batches of all records.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import layers, ops

from sixarts.classification import probabilities
from sixarts.compiled import to_numpy
from sixarts.training import OPTIMIZERS, Training
from sixarts_diagnosis.mlp_ensemble import Activated

#: Groups that learn together; more take more memory and no less time.
TOGETHER = 96


class Hiding(NamedTuple):
    """What a hidden value looks like.

    Attributes:
        nothing: features of a record of which nothing is known, of each group ``[g, f]``.
        able: which columns may be hidden ``[c]``.
        owners: of which column each feature is ``[f]``.
    """

    nothing: np.ndarray
    able: np.ndarray
    owners: np.ndarray


def ensembles(
    features: np.ndarray,
    classes: np.ndarray,
    learns: np.ndarray,
    asked: np.ndarray,
    settings: Mapping[str, Any],
    training: Training,
    hiding: Hiding,
    share: float,
) -> np.ndarray:
    """Trains an ensemble for each group, on the records that it learns from, and asks it of others.

    Args:
        features: ``[g, n, f]``, as each group's own processor gives them.
        classes: the number of the label of each record ``[n]``.
        learns: which records each group learns from ``[g, n]`` truth values.
        asked: ``[g, q, f]``, records that each group is asked of.
        settings: of the ``mlp_ensemble`` family, all of them.
        training: ``epochs``, ``learning_rate``, ``schedule``, ``weight_decay`` and ``seed``.
        hiding: how values are hidden.
        share: of the values that may be hidden, how many are in an epoch.

    Returns:
        Logits ``[g, q, labels]``: the logarithms of the members' mean probabilities.
    """
    parts = range(0, len(features), TOGETHER)
    return np.concatenate(
        [
            _learned(
                features[start : start + TOGETHER],
                classes,
                learns[start : start + TOGETHER],
                asked[start : start + TOGETHER],
                settings,
                training,
                hiding._replace(nothing=hiding.nothing[start : start + TOGETHER]),
                share,
            )
            for start in parts
        ]
    )


def _learned(
    features: np.ndarray,
    classes: np.ndarray,
    learns: np.ndarray,
    asked: np.ndarray,
    settings: Mapping[str, Any],
    training: Training,
    hiding: Hiding,
    share: float,
) -> np.ndarray:
    groups, count, width = features.shape
    keras.utils.set_random_seed(training.seed)
    network = _network(groups, width, int(classes.max()) + 1, settings)
    kind, usual = OPTIMIZERS[training.optimizer]
    optimizer = kind(
        learning_rate=training.learning_rate,
        weight_decay=training.weight_decay,
        **usual | {"epsilon": 1e-9},
    )
    network.compile(optimizer=optimizer, loss=Apart())
    weights = learns / learns.sum(axis=1, keepdims=True) * count
    targets = np.stack([np.broadcast_to(classes, (groups, count)), weights], axis=-1).astype("float32")
    random = np.random.default_rng([training.seed, 11])
    for epoch in range(training.epochs):
        optimizer.learning_rate = training.rate(epoch, epoch / training.epochs)
        gone = (random.random((groups, count, len(hiding.able)), "float32") < share) & hiding.able
        shown = np.where(gone[..., hiding.owners], hiding.nothing[:, None], features)
        network.train_on_batch(shown.astype("float32"), targets)
    logits = to_numpy(network(asked.astype("float32"), training=False)).astype("float64")
    return np.asarray(np.log(probabilities(logits).mean(axis=2)))


def _network(groups: int, width: int, labels: int, settings: Mapping[str, Any]) -> keras.Model:
    """``[g, n, f]`` to logits ``[g, n, members, labels]``; the groups stand where rows usually do."""
    members = settings["members"]
    x = records = keras.Input(batch_shape=(groups, None, width), name="features")
    for place in range(settings["depth"]):
        x = Groups(groups, members, settings["hidden"], name=f"hidden_{place}")(x)
        x = Activated(settings["activation"], name=f"activation_{place}")(x)
        x = layers.Dropout(settings["dropout"], name=f"dropout_{place}")(x)
    x = Groups(groups, members, labels, name="head")(x)
    if settings["linear"]:
        skip = Groups(groups, members, labels, initializer="zeros", bias=False, name="linear")
        x = layers.Add(name="sum")([x, skip(records)])
    return keras.Model(records, x, name="side_by_side")


class Groups(layers.Layer):  # type: ignore[misc]
    """A dense layer for each member of each group: ``[g, n, (m,) in]`` to ``[g, n, m, out]``."""

    def __init__(
        self,
        groups: int,
        members: int,
        width: int,
        initializer: str = "drawn",
        bias: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.groups, self.members, self.width = groups, members, width
        self.initializer, self.biased = initializer, bias

    def build(self, shape: Any) -> None:
        spread = float(np.sqrt(2.0 / (shape[-1] + self.width)))
        drawn = "zeros" if self.initializer == "zeros" else keras.initializers.RandomNormal(stddev=spread)
        size = (self.groups, self.members, shape[-1], self.width)
        self.kernel = self.add_weight(name="kernel", shape=size, initializer=drawn)
        if self.biased:
            self.bias = self.add_weight(
                name="bias", shape=(self.groups, 1, self.members, self.width), initializer="zeros"
            )
        self.built = True

    def compute_output_spec(self, x: Any) -> Any:
        return keras.KerasTensor((*x.shape[:2], self.members, self.width), self.compute_dtype)

    def call(self, x: Any) -> Any:
        out = ops.einsum("gnf,gmfh->gnmh" if len(x.shape) == 3 else "gnmf,gmfh->gnmh", x, self.kernel)
        return out + self.bias if self.biased else out


class Apart(keras.losses.Loss):  # type: ignore[misc]
    """The sum over groups and members of their cross-entropies, each a mean over the records that it learns.

    Targets are ``[g, n, 2]``: the label's number, and the record's weight in the group.
    """

    def __init__(self) -> None:
        super().__init__(name="apart", reduction="sum")

    def call(self, y_true: Any, y_pred: Any) -> Any:
        scores = ops.log_softmax(y_pred, axis=-1)
        places = ops.cast(y_true[:, :, None, :1], "int32")
        own = ops.take_along_axis(scores, ops.broadcast_to(places, (*scores.shape[:3], 1)), axis=-1)
        return -ops.mean(ops.sum(own[..., 0] * y_true[..., 1:], axis=2), axis=1)
