"""The ``dcn_v2`` family: layers that cross every number of a record with every other, and a deep network.

Source: Wang, Shivanna, Cheng, Jain, Lin, Hong and Chi 2021, "DCN V2: Improved Deep & Cross Network and
Practical Lessons for Web-scale Learning to Rank Systems", equations 1 to 3 and figure 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import keras_rs
from keras import layers

from sixarts.checkpoint import Target
from sixarts.networks.published import Targets, dense
from sixarts.readers.limits import Limit, one_of, whole
from sixarts_recommendation.record_layers import layer_name
from sixarts_recommendation.record_model import RecordModel


class DCNv2(RecordModel):
    """Cross layers beside the deep part, or before it.

    Settings beside :class:`RecordModel`'s: ``crosses``, how many cross layers; ``rank`` of their matrices, 0
    for full ones; ``structure``, ``"parallel"`` or ``"stacked"``.

    Example::

        sixarts.new("click-prediction", family="dcn_v2", crosses=3).fit("clicks.csv", target="click")
    """

    family = "dcn_v2"
    linear = False
    defaults: ClassVar[Mapping[str, Any]] = {
        **RecordModel.defaults,
        "crosses": 2,
        "rank": 0,
        "structure": "parallel",
    }
    settings = frozenset(defaults)
    limits: ClassVar[Mapping[str, Limit]] = {
        **RecordModel.limits,
        "crosses": whole(1, 16),
        "rank": whole(0, 2**12),
        "structure": one_of("parallel", "stacked"),
    }

    def member(self, columns: Any, linear: Any, at: str) -> tuple[Any, Targets]:
        c, found = self.config, {}
        first = layers.Flatten(dtype=self.policy, name=layer_name(f"{at}.flat"))(columns)
        x = first
        for place in range(c["crosses"]):
            name = f"{at}.cross.{place}"
            layer = keras_rs.layers.FeatureCross(
                projection_dim=c["rank"] or None,
                kernel_initializer=self.initializer,
                dtype=self.policy,
                name=layer_name(name),
            )
            x = layer(first, x)
            found |= dense(name, layer.dense)
            if c["rank"]:
                found |= {(f"{name}.down.weight",): Target(layer.down_proj_dense.kernel, _turned)}
        deep, more = self.deep(x if c["structure"] == "stacked" else first, at)
        if c["structure"] == "parallel":
            deep = layers.Concatenate(dtype=self.policy, name=layer_name(f"{at}.both"))([x, deep])
        odds, last = self.odds(deep, at)
        return odds, found | more | last


def _turned(stored: Any) -> Any:
    return stored.T
