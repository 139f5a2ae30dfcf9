"""The ``wide_resnet`` family: a residual network for small pictures, trained from nothing by this project.

Source: Zagoruyko and Komodakis 2016 (wide residual networks; blocks of He et al. 2016b, norms before
convolutions).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import layers, ops

from sixarts.checkpoint import Target
from sixarts.networks.image_model import ImageModel
from sixarts.networks.published import Targets, convolution, dense, norm
from sixarts.networks.residual import CHANNELS
from sixarts.readers.limits import TRUTH, number, whole

DEFAULTS: dict[str, Any] = {
    "model_type": "wide_resnet",
    "architectures": ["WideResNetForImageClassification"],
    "image_size": 32,
    "width": 32,
    "blocks": 2,
    "dropout": 0.0,
    "mirrored": False,
}
#: Maps are half as large and twice as wide from one group to the next.
GROUPS = 3
LIMITS = {
    "image_size": (
        lambda value: type(value) is int and 8 <= value <= 1024 and value % 4 == 0,
        "a multiple of 4 from 8 to 1,024",
    ),
    "width": whole(1, 1024),
    "blocks": whole(1, 64),
    "dropout": number(0, 1),
    "mirrored": TRUTH,
}


class WideResNet(ImageModel):
    """Three groups of residual blocks over maps of full, half and quarter size, and a head over their means.

    With two blocks a group it has 13 convolutions of 3 × 3, and its authors call it WRN-16. With ``mirrored``
    it answers with the mean of a picture and its mirror image, in twice the time; it learns, and explains,
    the picture as it is.

    Example::

        sixarts.new("image-classification", family="wide_resnet", image_size=32, width=32)
    """

    family = "wide_resnet"
    defaults, limits = DEFAULTS, LIMITS
    settings = frozenset(DEFAULTS)
    head = ("head.weight", "head.bias")
    focus = "last"
    fused = False

    def build(self, initializer: str) -> keras.Model:
        c, policy = self.config, self.device.policy
        self.initializer = initializer if initializer == "zeros" else "he_normal"
        self.units: Targets = {}
        inputs, x = self.pixels()
        x = self._convolved(x, "stem", c["width"])
        for group in range(GROUPS):
            for place in range(c["blocks"]):
                stride = 2 if group and not place else 1
                x = self._block(x, f"groups.{group}.blocks.{place}", c["width"] * 2**group, stride)
        x = self._shown(x, "last")
        x = layers.GlobalAveragePooling2D(data_format=CHANNELS, dtype=policy, name="pool")(x)
        self.dense = self.dense_head("head", initializer)
        return self.closed(inputs, self.dense(x))

    def _block(self, x: Any, name: str, width: int, stride: int) -> Any:
        """Two convolutions, and the input beside them."""
        policy, flat = self.device.policy, name.replace(".", "_")
        short = x
        x = self._shown(x, f"{name}.first")
        if stride != 1 or short.shape[-1] != width:
            short = self._convolved(x, f"{name}.shortcut", width, stride, size=1)
        x = self._shown(self._convolved(x, f"{name}.first", width, stride), f"{name}.second")
        x = layers.Dropout(self.config["dropout"], dtype=policy, name=f"{flat}_dropout")(x)
        return layers.Add(dtype=policy, name=f"{flat}_sum")(
            [self._convolved(x, f"{name}.second", width), short]
        )

    def _shown(self, x: Any, name: str) -> Any:
        """Norm and activation, before a convolution sees it."""
        policy, flat = self.device.policy, name.replace(".", "_")
        scale = layers.BatchNormalization(epsilon=1e-5, momentum=0.9, dtype=policy, name=f"{flat}_norm")
        x = layers.Activation("relu", dtype=policy, name=flat if flat == "last" else f"{flat}_relu")(scale(x))
        self.units |= norm(f"{name}.normalization", scale)
        return x

    def _convolved(self, x: Any, name: str, width: int, stride: int = 1, size: int = 3) -> Any:
        kernel = layers.Conv2D(
            width,
            size,
            stride,
            padding="same",
            use_bias=False,
            kernel_initializer=self.initializer,
            data_format=CHANNELS,
            dtype=self.device.policy,
            name=name.replace(".", "_"),
        )
        x = kernel(x)
        self.units |= convolution(f"{name}.convolution", kernel)
        return x

    def outputs(self, inputs: Mapping[str, Any]) -> Any:
        found = super().outputs(inputs)
        if not self.config["mirrored"]:
            return found
        other = super().outputs({"pixel_values": ops.flip(inputs["pixel_values"], axis=2)})
        return {"logits": (found["logits"] + other["logits"]) / 2}

    def targets(self, names: frozenset[str]) -> Mapping[tuple[str, ...], Target]:
        return self.units | dense("head", self.dense)
