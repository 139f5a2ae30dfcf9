"""The ``bert4rec`` family: attention in both directions, taught to fill in hidden items.

Source: Sun et al. 2019 ("BERT4Rec: Sequential Recommendation with Bidirectional Encoder Representations from
Transformer"). What comes next is asked by a hidden item behind the history. Without ``positions`` it reads a
history as a set, which a shopping basket is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import keras
import numpy as np
from keras import layers, ops

from sixarts.checkpoint import Target
from sixarts.readers.limits import number
from sixarts_recommendation.sasrec import TRANSFORMER, Transformer

#: The row of the hidden item.
MASK = 1
#: How many windows have their last item hidden alone, as answering has (section 3.6 of the paper).
LAST_SHARE = 0.2


class BERT4Rec(Transformer):
    """Reads a history in both directions; see :class:`~sixarts_recommendation.sasrec.Transformer`.

    Settings beside those: ``mask_share``, how many items of a history are hidden in training.

    Example::

        sixarts.new("next-item-prediction", family="bert4rec", hidden_size=64).fit("orders.csv")
    """

    family = "bert4rec"
    reserved = 2
    limits: ClassVar[Mapping[str, Any]] = {**TRANSFORMER, "mask_share": number(0.01, 0.99)}
    defaults: ClassVar[Mapping[str, Any]] = {
        "model_type": "bert4rec",
        "architectures": ["BERT4RecForNextItem"],
        "num_items": 1,
        "objective": "softmax",
        "max_length": 50,
        "hidden_size": 64,
        "num_layers": 2,
        "num_heads": 2,
        "inner_size": 256,
        "dropout": 0.1,
        "activation": "gelu",
        "norm_first": False,
        "positions": True,
        "item_bias": True,
        "scale_embedding": False,
        "initializer_range": 0.02,
        "distributed": False,
        "mask_share": 0.3,
    }
    settings = frozenset(defaults) - {"num_items", "objective", "model_type", "architectures"}

    def more_inputs(self) -> dict[str, Any]:
        """``lengths`` ``[b]``: how many places of each history are real."""
        return {"lengths": keras.Input((), dtype="int32", name="lengths")}

    def masks(self, inputs: dict[str, Any]) -> Any:
        return Seen(name="seen")(self.embedded, inputs["lengths"])

    def head(self, hidden: Any, initializer: Any) -> Any:
        policy = self.device.policy
        self.dense = layers.Dense(
            self.config["hidden_size"],
            activation="gelu",
            kernel_initializer=initializer,
            dtype=policy,
            name="head_dense",
        )
        self.head_norm = layers.LayerNormalization(epsilon=1e-5, dtype=policy, name="head_norm")
        return self.head_norm(self.dense(hidden))

    def body_targets(self) -> dict[tuple[str, ...], Target]:
        return super().body_targets() | {
            ("head.weight",): Target(self.dense.kernel, np.transpose),
            ("head.bias",): Target(self.dense.bias),
            ("head_norm.weight",): Target(self.head_norm.gamma),
            ("head_norm.bias",): Target(self.head_norm.beta),
        }

    def asked(self, histories: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        hidden = np.array([MASK - self.reserved], "int32")
        asking = [
            np.concatenate([history[len(history) - self.config["max_length"] + 1 :], hidden])
            if len(history) >= self.config["max_length"]
            else np.concatenate([history, hidden])
            for history in histories
        ]
        lengths = np.array([len(history) for history in asking], "int32")
        return {**self._arrays(asking, (lengths - 1).tolist()), "lengths": lengths}

    @property
    def window(self) -> tuple[int, int]:
        return self.config["max_length"], self.config["max_length"]

    def asked_in(
        self, windows: tuple[np.ndarray, np.ndarray], last_only: bool, random: np.random.Generator
    ) -> tuple[dict[str, np.ndarray], tuple[np.ndarray, np.ndarray], np.ndarray]:
        """Some items of each window hidden, one at least, and never all; in every fifth the last alone."""
        numbers, lengths = windows
        inside = np.arange(numbers.shape[1])[None, :]
        real = inside < lengths[:, None]
        last = inside == lengths[:, None] - 1
        hidden = last
        if not last_only:
            drawn = np.where(real, random.random(numbers.shape), 2.0)
            # At least the place with the least draw, and never the one with the greatest.
            least = drawn == drawn.min(axis=1, keepdims=True)
            most = drawn == np.where(real, drawn, -1.0).max(axis=1, keepdims=True)
            cloze = ((drawn < self.config["mask_share"]) | least) & ~most
            hidden = np.where(random.random((len(numbers), 1)) < LAST_SHARE, last, cloze)
        rows, columns = np.nonzero(hidden)
        wanted = numbers[rows, columns]
        arrays = {"items": self._padded(np.where(hidden, MASK - self.reserved, numbers), real)}
        return arrays | {"lengths": lengths.astype("int32")}, (rows, columns), wanted


class Seen(layers.Layer):  # type: ignore[misc]
    """Which places of a batch are real: ``[b, t, d]`` and lengths ``[b]`` to ``[b, t]``."""

    def build(self, *shapes: Any) -> None:
        self.built = True

    def compute_output_spec(self, x: Any, lengths: Any) -> Any:
        return keras.KerasTensor((x.shape[0], x.shape[1]), "bool")

    def call(self, x: Any, lengths: Any) -> Any:
        return ops.arange(ops.shape(x)[1])[None, :] < lengths[:, None]
