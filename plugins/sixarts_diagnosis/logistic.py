"""The ``logistic`` family: multinomial logistic regression, whose coefficients can be read.

Features are scaled, so a coefficient tells what a standard deviation of a number, or a category, adds to the
log-odds. The optimum is solved for (Byrd et al. 1995, L-BFGS), as scikit-learn does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import keras
import numpy as np
from keras import layers

from sixarts.checkpoint import Target
from sixarts.compiled import to_numpy
from sixarts.errors import OptionError
from sixarts.labeled import labels_of
from sixarts.networks.published import dense as published
from sixarts.readers.limits import Limit, number
from sixarts_diagnosis.record_model import RecordModel, dense
from sixarts_diagnosis.record_processor import RecordProcessor

#: Steps after which the solver ends; it ends earlier where the slope is flat.
STEPS = 500
FLAT = 1e-7


class Logistic(RecordModel):
    """Logistic regression with an L2 penalty.

    Settings: ``c``, the inverse strength of the penalty, as in scikit-learn.

    A new model's weights begin at the optimum; the epochs of ``fit`` go on from there, and change little.

    Example::

        task = sixarts.new("disease-diagnosis", family="logistic")
        task.fit(records, target="disease", epochs=1)
        task.model.coefficients()
    """

    family = "logistic"
    defaults: ClassVar[dict[str, Any]] = {"c": 1.0, "decay": 0.0}
    limits: ClassVar[dict[str, Limit]] = {"c": number(1e-6, 1e6), "decay": number(0, 1e9)}
    settings = frozenset(("c", "id2label", "label2id"))
    head = ("linear.weight", "linear.bias")

    def logits(self, cells: Any, initializer: str) -> Any:
        flat = layers.Flatten(dtype=self.device.policy, name="flat")(cells)
        self.linear = dense(
            "linear",
            len(labels_of(self.config)),
            "zeros",
            self.device.policy,
            kernel_regularizer=keras.regularizers.L2(self.config["decay"]) if self.config["decay"] else None,
        )
        return layers.Activation("linear", dtype="float32", name="logits")(self.linear(flat))

    def targets(self, names: frozenset[str]) -> Mapping[tuple[str, ...], Target]:
        return published("linear", self.linear)

    def configured_for(self, processor: RecordProcessor, disease: str, count: int) -> Self:
        self.config["decay"] = penalty(self.config["c"], count, len(processor.labels))
        return super().configured_for(processor, disease, count)

    def prepared(self, features: np.ndarray, classes: np.ndarray) -> None:
        weights, bias = solved(features, classes, len(self.processor.labels), self.config["c"])
        self.linear.kernel.assign(weights.astype("float32"))
        self.linear.bias.assign(bias.astype("float32"))

    def coefficients(self, label: str | None = None) -> dict[str, float]:
        """What each column adds to a class's log-odds against the others, those that add most first.

        Args:
            label: a class; the disease, or the last, when left out.

        Returns:
            Of a number, by its name: for each standard deviation above the average. Of a category, by
            ``"name = category"``; of what may be missing, by ``"name missing"``.
        """
        labels = self.processor.labels
        label = label or self.config.get("disease") or labels[-1]
        if label not in labels:
            raise OptionError(f"label {label!r}; expected one of {', '.join(labels)}")
        weights = to_numpy(self.linear.kernel)
        own = labels.index(label)
        odds = weights[:, own] - np.delete(weights, own, axis=1).mean(axis=1)
        names: list[str] = []
        for column in self.processor.schema.columns:
            names += [f"{column.name} = {each}" for each in column.categories] or [column.name]
            names += [] if column.required else [f"{column.name} missing"]
        order = np.argsort(-np.abs(odds), kind="stable")
        return {names[place]: float(odds[place]) for place in order}


def penalty(c: float, rows: int, labels: int) -> float:
    """What the weights' squares are multiplied by, beside the mean cross-entropy.

    Two labels have two weights for a feature, of which scikit-learn keeps the difference.
    """
    return (2.0 if labels == 2 else 1.0) * 0.5 / (c * rows)


def solved(features: np.ndarray, classes: np.ndarray, labels: int, c: float) -> tuple[np.ndarray, np.ndarray]:
    """The weights ``[f, labels]`` and biases of the best penalized logistic regression.

    The penalty is half of the squares' sum over ``c``, of the difference of the weights where there are two
    labels, as scikit-learn has it.
    """
    from scipy.optimize import minimize

    rows, width = features.shape
    x = np.asarray(features, "float64")
    wanted = np.eye(labels)[classes]
    decay = penalty(c, rows, labels)

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights, bias = flat[:-labels].reshape(width, labels), flat[-labels:]
        logits = x @ weights + bias
        logits -= logits.max(axis=1, keepdims=True)
        scores = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        error = (np.exp(scores) - wanted) / rows
        slope = x.T @ error + 2 * decay * weights
        value = -float((scores * wanted).sum()) / rows + decay * float((weights**2).sum())
        return value, np.concatenate([slope.ravel(), error.sum(axis=0)])

    begin = np.zeros(width * labels + labels)
    options = {"maxiter": STEPS, "gtol": FLAT, "ftol": 1e-14}
    found = minimize(loss, begin, jac=True, method="L-BFGS-B", options=options).x
    return found[:-labels].reshape(width, labels), found[-labels:]
