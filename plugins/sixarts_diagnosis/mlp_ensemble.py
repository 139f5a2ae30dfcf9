"""The ``mlp_ensemble`` family: several networks that learn apart and answer together, run as one.

Source: Lakshminarayanan, Pritzel and Blundell 2017 ("Simple and Scalable Predictive Uncertainty Estimation
using Deep Ensembles"): members begin differently, each learns all examples by a loss of its own, and their
probabilities are averaged.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import keras
import numpy as np
from keras import layers, ops

from sixarts.checkpoint import Target
from sixarts.labeled import labels_of
from sixarts.layers import activation
from sixarts.readers.limits import NAME, TRUTH, Limit, number, whole
from sixarts_diagnosis.record_model import RecordModel


class MlpEnsemble(RecordModel):
    """An ensemble of multilayer perceptrons.

    Settings: ``members``; ``hidden``, the width of a layer, ``depth``, their number; ``dropout``;
    ``activation``; ``linear``, whether a member adds a linear term to what its layers give.

    Example::

        task = sixarts.new("disease-diagnosis", family="mlp_ensemble", members=8)
        task.fit(records, target="disease")
    """

    family = "mlp_ensemble"
    defaults: ClassVar[dict[str, Any]] = {
        "members": 16,
        "hidden": 32,
        "depth": 1,
        "dropout": 0.1,
        "activation": "gelu",
        "linear": True,
    }
    limits: ClassVar[dict[str, Limit]] = {
        "members": whole(1, 1024),
        "hidden": whole(1, 4096),
        "depth": whole(1, 32),
        "dropout": number(0, 0.95),
        "activation": NAME,
        "linear": TRUTH,
    }
    settings = frozenset(defaults) | {"id2label", "label2id"}
    head = ("head.kernel", "head.bias", "linear.kernel")

    def logits(self, cells: Any, initializer: str) -> Any:
        c, policy, classes = self.config, self.device.policy, len(labels_of(self.config))
        x = flat = layers.Flatten(dtype=policy, name="flat")(cells)
        self.hidden_layers = []
        for place in range(c["depth"]):
            layer = Members(c["members"], c["hidden"], initializer, dtype=policy, name=f"hidden_{place}")
            self.hidden_layers.append(layer)
            x = Activated(c["activation"], dtype=policy, name=f"activation_{place}")(layer(x))
            x = layers.Dropout(c["dropout"], dtype=policy, name=f"dropout_{place}")(x)
        self.top = Members(c["members"], classes, initializer, dtype=policy, name="head")
        x = self.top(x)
        if c["linear"]:
            self.skip = Members(c["members"], classes, "zeros", bias=False, dtype=policy, name="linear")
            x = layers.Add(dtype=policy, name="sum")([x, self.skip(flat)])
        self.apart = x
        return Average(dtype="float32", name="logits")(x)

    def targets(self, names: frozenset[str]) -> Mapping[tuple[str, ...], Target]:
        found: dict[tuple[str, ...], Target] = {}
        for place, layer in enumerate(self.hidden_layers):
            found[(f"hidden.{place}.kernel",)] = Target(layer.kernel)
            found[(f"hidden.{place}.bias",)] = Target(layer.bias)
        found |= {("head.kernel",): Target(self.top.kernel), ("head.bias",): Target(self.top.bias)}
        return found | ({("linear.kernel",): Target(self.skip.kernel)} if self.config["linear"] else {})

    def training_network(self) -> keras.Model:
        """The members apart ``[b, members, classes]``, so that each learns by a loss of its own."""
        network = self.network
        return keras.Model(network.input, {"logits": self.apart}, name="members")


class Members(layers.Layer):  # type: ignore[misc]
    """A dense layer for each member: ``[b, in]`` or ``[b, members, in]`` to ``[b, members, out]``."""

    def __init__(self, members: int, width: int, initializer: str, bias: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.members, self.width, self.initializer, self.biased = members, width, initializer, bias

    def build(self, shape: Any) -> None:
        size = (self.members, shape[-1], self.width)
        self.kernel = self.add_weight(name="kernel", shape=size, initializer=self._drawn(shape[-1]))
        self.bias = (
            self.add_weight(name="bias", shape=size[::2], initializer="zeros") if self.biased else None
        )
        self.built = True

    def _drawn(self, inputs: int) -> Any:
        """Glorot's draw for one member's layer; Keras would take the members for a part of its size."""
        if self.initializer == "zeros":
            return "zeros"
        return keras.initializers.RandomNormal(stddev=float(np.sqrt(2.0 / (inputs + self.width))))

    def compute_output_spec(self, x: Any) -> Any:
        return keras.KerasTensor((x.shape[0], self.members, self.width), self.compute_dtype)

    def call(self, x: Any) -> Any:
        kernel = ops.cast(self.kernel, self.compute_dtype)
        pattern = "bi,mio->bmo" if len(x.shape) == 2 else "bmi,mio->bmo"
        out = ops.einsum(pattern, x, kernel)
        return out if self.bias is None else out + ops.cast(self.bias, self.compute_dtype)


class Activated(layers.Layer):  # type: ignore[misc]
    """An activation under its published name."""

    def __init__(self, called: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.function = activation(called)

    def compute_output_spec(self, x: Any) -> Any:
        return keras.KerasTensor(x.shape, self.compute_dtype)

    def call(self, x: Any) -> Any:
        return self.function(x)


class Average(layers.Layer):  # type: ignore[misc]
    """The logarithm of the members' mean probabilities: ``[b, members, classes]`` to ``[b, classes]``."""

    def compute_output_spec(self, x: Any) -> Any:
        return keras.KerasTensor((x.shape[0], x.shape[-1]), self.compute_dtype)

    def call(self, x: Any) -> Any:
        scores = ops.log_softmax(ops.cast(x, self.compute_dtype), axis=-1)
        return ops.logsumexp(scores, axis=1) - float(np.log(x.shape[1]))


class MemberCrossentropy(keras.losses.Loss):  # type: ignore[misc]
    """Cross-entropy of class numbers ``[b]`` against each member's logits ``[b, members, classes]``.

    Logits of one network, ``[b, classes]``, are those of a single member.

    Args:
        smoothing: share of each target's probability that is spread over the classes.
    """

    def __init__(self, smoothing: float = 0.0) -> None:
        super().__init__(name="member_crossentropy", reduction="mean_with_sample_weight")
        self.smoothing = smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        scores = ops.log_softmax(y_pred, axis=-1)
        if len(scores.shape) == 3:
            # The mean over members of each part of the loss is the loss of the mean.
            scores = ops.mean(scores, axis=1)
        places = ops.cast(ops.reshape(y_true, (-1, 1)), "int32")
        right = ops.take_along_axis(scores, places, axis=-1)[..., 0]
        return -(1 - self.smoothing) * right - self.smoothing * ops.mean(scores, axis=-1)
