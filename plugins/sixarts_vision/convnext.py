"""The ``convnext`` family: a convolutional network with a transformer's manners.

Source: Liu et al. 2022; weight names as published with ``transformers`` (``ConvNextForImageClassification``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import keras
from keras import layers, ops

from sixarts.checkpoint import Target
from sixarts.errors import CheckpointError
from sixarts.layers import activation
from sixarts.networks import published
from sixarts.networks.image_model import SIDES, ImageModel, pair
from sixarts.networks.residual import CHANNELS
from sixarts.readers.limits import NAME, check, number, one_of, some, whole

LIMITS = {
    "num_channels": one_of(3),
    "image_size": SIDES,
    "patch_size": SIDES,
    "num_stages": whole(1, 16),
    "hidden_sizes": some(whole(1, 2**14), 16),
    "depths": some(whole(1, 256), 16),
    "hidden_act": NAME,
    "layer_norm_eps": number(0, 1),
    "layer_scale_init_value": number(0, 1e6),
    "drop_path_rate": number(0, 1),
}


class ConvNextBlock(keras.layers.Layer):  # type: ignore[misc]
    """A depthwise 7 × 7 convolution, a norm, two dense layers, a scale, and the residual.

    Args:
        width: channels.
        act: name of the activation.
        scale: first value of the scale; 0 for none.
        drop_path: how often the block is skipped in training (Huang et al. 2016).
        initializer: of the kernels.
    """

    def __init__(
        self, width: int, act: str, scale: float, drop_path: float, initializer: str, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.width, self.act, self.first = width, activation(act), scale
        policy = self.dtype_policy
        self.mixed = keras.layers.DepthwiseConv2D(
            7,
            padding="same",
            depthwise_initializer=initializer,
            data_format=CHANNELS,
            dtype=policy,
            name="depthwise",
        )
        self.norm = keras.layers.LayerNormalization(epsilon=1e-6, dtype=policy, name="norm")
        self.inner = keras.layers.Dense(4 * width, kernel_initializer=initializer, dtype=policy, name="inner")
        self.outer = keras.layers.Dense(width, kernel_initializer=initializer, dtype=policy, name="outer")
        self.skip = keras.layers.Dropout(drop_path, noise_shape=(None, 1, 1, 1), dtype=policy, name="skip")

    def build(self, shape: Any) -> None:
        for layer in (self.mixed, self.norm, self.inner):
            layer.build((None, None, None, self.width))
        self.outer.build((None, None, None, 4 * self.width))
        self.scale = (
            self.add_weight(
                name="scale", shape=(self.width,), initializer=keras.initializers.Constant(self.first)
            )
            if self.first > 0
            else None
        )
        self.built = True

    def compute_output_shape(self, shape: Any) -> Any:
        return shape

    def call(self, x: Any, training: bool = False) -> Any:
        added = self.outer(self.act(self.inner(self.norm(self.mixed(x)))))
        if self.scale is not None:
            added = added * ops.cast(self.scale, added.dtype)
        return x + self.skip(added, training=training)


class ConvNext(ImageModel):
    """Stages of blocks, each stage after a norm and a strided convolution."""

    family = "convnext"
    preparing: ClassVar[dict[str, Any]] = {"image_processor_type": "ViTImageProcessor"}
    defaults: ClassVar[Mapping[str, Any]] = {
        "model_type": "convnext",
        "architectures": ["ConvNextForImageClassification"],
        "num_channels": 3,
        "image_size": 224,
        "patch_size": 4,
        "num_stages": 4,
        "hidden_sizes": [96, 192, 384, 768],
        "depths": [3, 3, 9, 3],
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-12,
        "layer_scale_init_value": 1e-6,
        "drop_path_rate": 0.0,
    }
    settings = frozenset(defaults) | {"id2label", "label2id"}
    head = ("classifier.weight", "classifier.bias")
    fused = False

    @classmethod
    def configure(cls, /, **config: Any) -> dict[str, Any]:
        full = {**cls.defaults, **config}
        check(full, LIMITS, optional=True)
        if not len(full["hidden_sizes"]) == len(full["depths"]) == full["num_stages"]:
            raise CheckpointError(
                f"num_stages={full['num_stages']}, hidden_sizes={full['hidden_sizes']} and "
                f"depths={full['depths']}; expected as many of each"
            )
        return full

    def build(self, initializer: str) -> keras.Model:
        c, policy = self.config, self.device.policy
        self.named: dict[str, tuple[str, Any]] = {}

        def norm(x: Any, at: str, epsilon: float = 1e-6) -> Any:
            layer = layers.LayerNormalization(epsilon=epsilon, dtype=policy, name=at.replace(".", "_"))
            self.named[at] = ("norm", layer)
            return layer(x)

        def strided(x: Any, at: str, width: int, patch: Any) -> Any:
            layer = layers.Conv2D(
                width,
                patch,
                patch,
                kernel_initializer=initializer,
                data_format=CHANNELS,
                dtype=policy,
                name=at.replace(".", "_"),
            )
            self.named[at] = ("convolution", layer)
            return layer(x)

        inputs, x = self.pixels()
        x = strided(x, "embeddings.patch_embeddings", c["hidden_sizes"][0], pair(c["patch_size"]))
        x = norm(x, "embeddings.layernorm")
        self.blocks: dict[str, ConvNextBlock] = {}
        rates = iter(_linspace(c["drop_path_rate"], sum(c["depths"])))
        for stage, (width, depth) in enumerate(zip(c["hidden_sizes"], c["depths"], strict=True)):
            at = f"encoder.stages.{stage}"
            if stage:
                x = norm(x, f"{at}.downsampling_layer.0")
                x = strided(x, f"{at}.downsampling_layer.1", width, (2, 2))
            for place in range(depth):
                name = f"{at}.layers.{place}"
                self.blocks[name] = ConvNextBlock(
                    width,
                    c["hidden_act"],
                    c["layer_scale_init_value"],
                    next(rates),
                    initializer,
                    dtype=policy,
                    name=name.replace(".", "_"),
                )
                x = self.blocks[name](x)
        self.focus = x._keras_history.operation.name
        x = layers.GlobalAveragePooling2D(data_format=CHANNELS, dtype=policy, name="pool")(x)
        x = norm(x, "layernorm", c["layer_norm_eps"])
        self.classifier = self.dense_head("classifier", initializer)
        return self.closed(inputs, self.classifier(x))

    def targets(self, names: frozenset[str]) -> Mapping[tuple[str, ...], Target]:
        found: published.Targets = {}
        for at, (kind, layer) in self.named.items():
            found |= getattr(published, kind)(f"convnext.{at}", layer)
        for at, block in self.blocks.items():
            name = f"convnext.{at}"
            found |= published.depthwise(f"{name}.dwconv", block.mixed)
            found |= published.norm(f"{name}.layernorm", block.norm)
            found |= published.dense(f"{name}.pwconv1", block.inner)
            found |= published.dense(f"{name}.pwconv2", block.outer)
            if block.scale is not None:
                found[(f"{name}.layer_scale_parameter",)] = Target(block.scale)
        return found | published.dense("classifier", self.classifier)


def _linspace(end: float, count: int) -> list[float]:
    """Evenly from 0 to ``end``."""
    return [end * place / max(count - 1, 1) for place in range(count)]
