"""The residual trunk that RT-DETR was published with: three convolutions first, and means before shortcuts.

Source: He et al. 2019 (ResNet-D), Zhao et al. 2024; weight names as published with ``transformers``
(``RTDetrResNetBackbone``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keras import layers

from sixarts.errors import CheckpointError
from sixarts.networks.residual import CHANNELS, Residual
from sixarts_detection import backbone


def trunk_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """The trunk's configuration, complete, with the stages that the detector looks at.

    Raises:
        CheckpointError: a trunk that this cannot read, or whose sums do not fit.
    """
    given = config.get("backbone_config")
    usual = {"model_type": "rt_detr_resnet", "out_indices": [2, 3, 4]}
    full = backbone.stated(usual if given is None else given, "rt_detr_resnet")
    backbone.levels(full)
    same = full["embedding_size"] == full["hidden_sizes"][0]
    if full["layer_type"] == "basic" and not same and not full["downsample_in_first_stage"]:
        raise CheckpointError(
            f"embedding_size={full['embedding_size']} and hidden_sizes={full['hidden_sizes']} in "
            "backbone_config; expected a first stage of the embedding's size"
        )
    return full


class DeepResidual(Residual):
    """A residual trunk whose shortcuts take the mean of what they skip, so that nothing is left unseen."""

    def _embedded(self, x: Any) -> Any:
        width, act = self.config["embedding_size"], self.config["hidden_act"]
        x = self._unit(x, "embedder.embedder.0", width // 2, 3, 2, act)
        self.at = 2
        x = self._unit(x, "embedder.embedder.1", width // 2, 3, 1, act)
        x = self._pooled(self._unit(x, "embedder.embedder.2", width, 3, 1, act))
        self.at = 4
        return x

    def _shortcut(self, x: Any, name: str, width: int, stride: int) -> Any:
        wider = x.shape[-1] != width
        basic = self.config["layer_type"] == "basic"
        if wider if basic else stride == 2:
            flat = name.replace(".", "_")
            # Of a last row or column alone the mean is its own.
            x = layers.AveragePooling2D(
                2, 2, "same", data_format=CHANNELS, dtype=self.policy, name=f"{flat}_mean"
            )(x)
            return self._unit(x, f"{name}.shortcut.1", width, 1, 1, None)
        # The first of basic blocks has a shortcut of its own, even where nothing changes its size.
        if wider or (basic and name.endswith(".layers.0")):
            return self._unit(x, f"{name}.shortcut", width, 1, stride, None)
        return x
