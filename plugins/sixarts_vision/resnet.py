"""The ``resnet`` family: He et al. 2016 as ``microsoft/resnet-50`` and its kin are published.

Weight names as published with ``transformers`` (``ResNetForImageClassification``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import keras
from keras import layers

from sixarts.checkpoint import Target
from sixarts.errors import CheckpointError
from sixarts.networks import published, residual
from sixarts.networks.image_model import SIDES, ImageModel
from sixarts.networks.residual import CHANNELS, Residual
from sixarts.readers.limits import check

LIMITS = {**residual.LIMITS, "image_size": SIDES}


class ResNet(ImageModel):
    """A residual trunk, its mean over the picture, and a dense layer."""

    family = "resnet"
    preparing: ClassVar[dict[str, Any]] = {"image_processor_type": "ViTImageProcessor"}
    defaults: ClassVar[Mapping[str, Any]] = {
        "model_type": "resnet",
        "architectures": ["ResNetForImageClassification"],
        "num_channels": 3,
        "image_size": 224,
        "embedding_size": 64,
        "hidden_sizes": [256, 512, 1024, 2048],
        "depths": [3, 4, 6, 3],
        "layer_type": "bottleneck",
        "hidden_act": "relu",
        "downsample_in_first_stage": False,
        "downsample_in_bottleneck": False,
    }
    settings = frozenset(defaults) | {"id2label", "label2id"}
    head = ("classifier.1.weight", "classifier.1.bias")
    ignored = ("*.num_batches_tracked",)
    fused = False

    @classmethod
    def configure(cls, /, **config: Any) -> dict[str, Any]:
        full = {**cls.defaults, **config}
        check(full, LIMITS, optional=True)
        if len(full["hidden_sizes"]) != len(full["depths"]):
            raise CheckpointError(
                f"hidden_sizes={full['hidden_sizes']} and depths={full['depths']}; expected as many of each"
            )
        return full

    def build(self, initializer: str) -> keras.Model:
        policy = self.device.policy
        inputs, x = self.pixels()
        self.residual = Residual(self.config, policy, initializer)
        last = self.residual(x)[-1]
        self.focus = last._keras_history.operation.name
        x = layers.GlobalAveragePooling2D(data_format=CHANNELS, dtype=policy, name="pool")(last)
        self.classifier = self.dense_head("classifier", initializer)
        return self.closed(inputs, self.classifier(x))

    def targets(self, names: frozenset[str]) -> Mapping[tuple[str, ...], Target]:
        return self.residual.targets("resnet.") | published.dense("classifier.1", self.classifier)
