"""The ``early_fusion`` family: a small convolutional network that sees a clip's frames as channels.

Source: Karpathy et al. 2014, section 3.1 (early fusion): the first convolution covers all frames, so that
it can answer to the direction and speed of motion; residual blocks of He et al. 2016.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import keras
from keras import layers, ops

from sixarts.checkpoint import Target
from sixarts.errors import CheckpointError
from sixarts.networks.image_model import SIDES, pair
from sixarts.networks.published import Targets, convolution, dense, norm
from sixarts.networks.residual import CHANNELS
from sixarts.readers.limits import check, number, some, whole
from sixarts_vision.video_model import VideoModel

#: How much red, green and blue count for gray (ITU-R BT.601).
GRAY = (0.299, 0.587, 0.114)
#: What the network's sides are divided by on the way to its last maps.
SHRUNK = 16

LIMITS = {
    "image_size": SIDES,
    "num_frames": whole(1, 256),
    "seconds": number(1e-3, 1e4),
    "widths": some(whole(1, 4096), 4),
    "dropout": number(0, 1),
}


class Stacked(keras.layers.Layer):  # type: ignore[misc]
    """Frames in color ``[b, t, height, width, 3]`` to gray channels ``[b, height, width, t]``."""

    def compute_output_shape(self, shape: Any) -> Any:
        return (shape[0], shape[2], shape[3], shape[1])

    def call(self, x: Any) -> Any:
        gray = sum(ops.cast(share, x.dtype) * x[..., place] for place, share in enumerate(GRAY))
        return ops.transpose(gray, (0, 2, 3, 1))


class EarlyFusion(VideoModel):
    """A strided 7 × 7 convolution over all frames, five of 3 × 3, and a head over the last maps' places.

    The head knows where on the maps something is, since a zoom differs from a pan by that alone.

    Example::

        sixarts.new("video-classification", family="early_fusion", num_frames=8, seconds=1.0)
    """

    family = "early_fusion"
    defaults: ClassVar[Mapping[str, Any]] = {
        "model_type": "early_fusion",
        "architectures": ["EarlyFusionForVideoClassification"],
        "num_frames": 12,
        "seconds": 1.5,
        "image_size": [48, 64],
        "widths": [32, 48, 64, 64],
        "dropout": 0.0,
    }
    settings = frozenset(defaults) | {"id2label", "label2id"}
    head = ("head.weight", "head.bias")
    focus = "last"
    fused = False

    @classmethod
    def configure(cls, /, **config: Any) -> dict[str, Any]:
        full = {**cls.defaults, **config}
        check(full, LIMITS)
        if any(side % SHRUNK for side in pair(full["image_size"])):
            raise CheckpointError(f"image_size={full['image_size']}; expected multiples of {SHRUNK}")
        if len(full["widths"]) != 4:
            raise CheckpointError(f"widths={full['widths']}; expected four")
        return full

    @property
    def seconds(self) -> float:
        return float(self.config["seconds"])

    def build(self, initializer: str) -> keras.Model:
        c, policy = self.config, self.device.policy
        he = initializer if initializer == "zeros" else "he_normal"
        self.convolutions: dict[str, Any] = {}

        def block(x: Any, name: str, width: int, size: int = 3, stride: int = 1) -> Any:
            kernel = layers.Conv2D(
                width,
                size,
                stride,
                padding="same",
                use_bias=False,
                kernel_initializer=he,
                data_format=CHANNELS,
                dtype=policy,
                name=name,
            )
            scale = layers.BatchNormalization(epsilon=1e-5, momentum=0.9, dtype=policy, name=f"{name}_norm")
            self.convolutions[name] = (kernel, scale)
            return layers.Activation("relu", dtype=policy, name=f"{name}_relu")(scale(kernel(x)))

        def pooled(x: Any, name: str) -> Any:
            return layers.MaxPooling2D(2, data_format=CHANNELS, dtype=policy, name=name)(x)

        def residual(x: Any, name: str, width: int, added: str) -> Any:
            inner = block(block(x, f"{name}_1", width), f"{name}_2", width)
            return layers.Add(dtype=policy, name=added)([x, inner])

        inputs, x = self.pixels()
        first, second, third, fourth = c["widths"]
        x = block(Stacked(dtype=policy, name="stacked")(x), "stem", first, size=7, stride=4)
        x = pooled(block(x, "wide", second), "wide_pool")
        x = block(x, "middle", third)
        x = residual(block(x, "narrow", fourth), "residual", fourth, "last")
        x = layers.Flatten(data_format=CHANNELS, dtype=policy, name="places")(pooled(x, "last_pool"))
        x = layers.Dropout(c["dropout"], dtype=policy, name="dropout")(x)
        self.dense = self.dense_head("head", initializer)
        return self.closed(inputs, self.dense(x))

    def targets(self, names: frozenset[str]) -> Mapping[tuple[str, ...], Target]:
        found: Targets = {}
        for name, (kernel, scale) in self.convolutions.items():
            found |= convolution(f"{name}.convolution", kernel) | norm(f"{name}.normalization", scale)
        return found | dense("head", self.dense)
