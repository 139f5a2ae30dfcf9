"""The ``wide_deep`` family: a linear model that memorizes, and a deep network that generalizes.

Source: Cheng et al. 2016, "Wide & Deep Learning for Recommender Systems", section 3. The wide part's
cross-product transformations are the schema's crosses: ``fit(…, crosses=["education*occupation"])``.
"""

from __future__ import annotations

from typing import Any

from keras import layers

from sixarts.networks.published import Targets
from sixarts_recommendation.record_layers import layer_name
from sixarts_recommendation.record_model import RecordModel


class WideDeep(RecordModel):
    """Linear weights of every value and cross, and a deep part over the columns that are no crosses.

    Example::

        task = sixarts.new("click-prediction", family="wide_deep")
        task.fit("clicks.csv", target="click", crosses=["site*device"])
    """

    family = "wide_deep"
    settings = frozenset(RecordModel.defaults)

    def member(self, columns: Any, linear: Any, at: str) -> tuple[Any, Targets]:
        flat = layers.Flatten(dtype=self.policy, name=layer_name(f"{at}.flat"))(
            columns[:, : len(self.schema.inputs)]
        )
        deep, found = self.deep(flat, at)
        odds, last = self.odds(deep, at)
        return layers.Add(dtype="float32", name=layer_name(f"{at}.sum"))([linear, odds]), found | last
