"""The ``gru4rec`` family: gated recurrent units over a history.

Sources: Hidasi et al. 2016 ("Session-based Recommendations with Recurrent Neural Networks"); Hidasi and
Karatzoglou 2018 for one embedding for reading and scoring ("constrained embeddings").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from keras import layers

from sixarts.checkpoint import Target
from sixarts_recommendation.sequence_model import SequenceModel


class GRU4Rec(SequenceModel):
    """Reads a history item by item.

    Settings: ``max_length``, ``hidden_size``, ``num_layers``, ``dropout``, ``item_bias``.

    Example::

        sixarts.new("next-item-prediction", family="gru4rec", hidden_size=64).fit("orders.csv")
    """

    family = "gru4rec"
    defaults: ClassVar[Mapping[str, Any]] = {
        "model_type": "gru4rec",
        "architectures": ["GRU4RecForNextItem"],
        "num_items": 1,
        "objective": "softmax",
        "max_length": 50,
        "hidden_size": 64,
        "num_layers": 1,
        "dropout": 0.2,
        "item_bias": True,
        "scale_embedding": False,
        "initializer_range": 0.05,
        "distributed": False,
    }
    settings = frozenset(defaults) - {
        "num_items",
        "objective",
        "model_type",
        "architectures",
        "scale_embedding",
    }

    def hidden(self, embedded: Any, inputs: dict[str, Any], initializer: Any) -> Any:
        c, policy = self.config, self.device.policy
        x = layers.Dropout(c["dropout"], dtype=policy, name="dropout")(embedded)
        self.grus = []
        for number in range(c["num_layers"]):
            gru = layers.GRU(
                c["hidden_size"],
                return_sequences=True,
                kernel_initializer=initializer,
                # Keras's orthogonal matrices take a decomposition, which a checkpoint would overwrite.
                recurrent_initializer="zeros" if initializer == "zeros" else "orthogonal",
                dtype=policy,
                name=f"gru_{number}",
            )
            x = gru(x)
            self.grus.append(gru)
        x = layers.Dropout(c["dropout"], dtype=policy, name="output_dropout")(x)
        self.out = layers.Dense(c["hidden_size"], kernel_initializer=initializer, dtype=policy, name="out")
        return self.out(x)

    def body_targets(self) -> dict[tuple[str, ...], Target]:
        found: dict[tuple[str, ...], Target] = {}
        for number, gru in enumerate(self.grus):
            for part in ("kernel", "recurrent_kernel", "bias"):
                found[f"gru.{number}.{part}",] = Target(getattr(gru.cell, part))
        return found | {
            ("out.weight",): Target(self.out.kernel, np.transpose),
            ("out.bias",): Target(self.out.bias),
        }

    def flops(self, length: int) -> float:
        """Operations of answering one history."""
        c = self.config
        d = c["hidden_size"]
        return float(length * (c["num_layers"] * 12 * d * d + 2 * d * d) + 2 * d * c["num_items"])
