"""The ``deepfm`` family: a factorization machine and a deep network over the same embeddings.

Source: Guo, Tang, Ye, Li and He 2017, "DeepFM: A Factorization-Machine based Neural Network for CTR
Prediction", equations 1 to 4.
"""

from __future__ import annotations

from typing import Any

import keras_rs
from keras import layers, ops

from sixarts.networks.published import Targets
from sixarts_recommendation.record_layers import layer_name
from sixarts_recommendation.record_model import RecordModel


class DeepFM(RecordModel):
    """Linear weights, the inner products of each two columns' embeddings, and a deep part, added up.

    Example::

        sixarts.new("click-prediction", family="deepfm", width=16).fit("clicks.csv", target="click")
    """

    family = "deepfm"
    settings = frozenset(RecordModel.defaults)

    def member(self, columns: Any, linear: Any, at: str) -> tuple[Any, Targets]:
        flat = layers.Flatten(dtype=self.policy, name=layer_name(f"{at}.flat"))(columns)
        deep, found = self.deep(flat, at)
        odds, last = self.odds(deep, at)
        parts = [linear, odds]
        if (count := columns.shape[1]) > 1:
            products = keras_rs.layers.DotInteraction(dtype=self.policy, name=layer_name(f"{at}.products"))(
                [columns[:, place] for place in range(count)]
            )
            parts.append(ops.sum(ops.cast(products, "float32"), axis=-1, keepdims=True))
        return layers.Add(dtype="float32", name=layer_name(f"{at}.sum"))(parts), found | last
