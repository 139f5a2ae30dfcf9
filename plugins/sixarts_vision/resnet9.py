"""The ``resnet9`` family: a small residual network for small pictures; the starter's.

Source: Page 2018, "How to Train Your ResNet"; residual blocks of He et al. 2016.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import layers

from sixarts.checkpoint import Target
from sixarts.errors import CheckpointError
from sixarts.networks.image_model import ImageModel
from sixarts.networks.published import convolution, dense, norm
from sixarts.networks.residual import CHANNELS
from sixarts.readers.limits import only, whole

DEFAULTS: dict[str, Any] = {
    "model_type": "resnet9",
    "architectures": ["ResNet9ForImageClassification"],
    "image_size": 32,
    "widths": [24, 48, 96, 192],
    "id2label": None,
    "label2id": None,
}


class ResNet9(ImageModel):
    """Eight convolutions of 3 × 3, two residual blocks among them, and a head over the pooled maxima.

    Example::

        sixarts.new("image-classification", family="resnet9", image_size=32)
    """

    family = "resnet9"
    settings = frozenset(DEFAULTS)
    head = ("head.weight", "head.bias")
    focus = "last"
    fused = False

    @classmethod
    def configure(cls, /, **config: Any) -> dict[str, Any]:
        only(config, DEFAULTS, cls.family)
        full = {**DEFAULTS, **config}
        fits, words = whole(8, 1024)
        if not fits(full["image_size"]) or full["image_size"] % 8:
            raise CheckpointError(f"image_size={full['image_size']!r}; expected {words}, a multiple of 8")
        widths, (fits, words) = full["widths"], whole(1, 4096)
        if not (isinstance(widths, list) and len(widths) == 4 and all(map(fits, widths))):
            raise CheckpointError(f"widths={widths!r}; expected a list of four, each {words}")
        return full

    def build(self, initializer: str) -> keras.Model:
        c, policy = self.config, self.device.policy
        he = initializer if initializer == "zeros" else "he_normal"
        self.convolutions: dict[str, Any] = {}

        def block(x: Any, name: str, width: int, pooled: bool = False) -> Any:
            kernel = layers.Conv2D(
                width,
                3,
                padding="same",
                use_bias=False,
                kernel_initializer=he,
                data_format=CHANNELS,
                dtype=policy,
                name=name,
            )
            scale = layers.BatchNormalization(epsilon=1e-5, momentum=0.9, dtype=policy, name=f"{name}_norm")
            self.convolutions[name] = (kernel, scale)
            x = kernel(x)
            if pooled:
                x = layers.MaxPooling2D(2, data_format=CHANNELS, dtype=policy, name=f"{name}_pool")(x)
            return layers.Activation("relu", dtype=policy, name=f"{name}_relu")(scale(x))

        def residual(x: Any, name: str, width: int, added: str) -> Any:
            inner = block(block(x, f"{name}_1", width), f"{name}_2", width)
            return layers.Add(dtype=policy, name=added)([x, inner])

        inputs, x = self.pixels()
        first, second, third, fourth = c["widths"]
        x = block(x, "stem", first)
        x = residual(block(x, "down_1", second, pooled=True), "residual_1", second, "middle")
        x = block(x, "down_2", third, pooled=True)
        x = residual(block(x, "down_3", fourth, pooled=True), "residual_2", fourth, "last")
        x = layers.GlobalMaxPooling2D(data_format=CHANNELS, dtype=policy, name="pool")(x)
        self.dense = self.dense_head("head", initializer)
        return self.closed(inputs, self.dense(x))

    def targets(self, names: frozenset[str]) -> Mapping[tuple[str, ...], Target]:
        found: dict[tuple[str, ...], Target] = {}
        for name, (kernel, scale) in self.convolutions.items():
            found |= convolution(f"{name}.convolution", kernel) | norm(f"{name}.normalization", scale)
        return found | dense("head", self.dense)
