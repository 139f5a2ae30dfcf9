"""The ``dinov2`` family: ViT with layer scale, gated feed-forward layers, and positions for any size.

Source: Oquab et al. 2023; SwiGLU of Shazeer 2020; weight names as published with ``transformers``
(``Dinov2ForImageClassification``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import keras
from keras import layers, ops

from sixarts.checkpoint import Target
from sixarts.layers import EncoderBlock
from sixarts.networks import published
from sixarts.readers.limits import TRUTH, number
from sixarts_vision.vit import VisionTransformer, ViT


class GatedFeedForward(keras.layers.Layer):  # type: ignore[misc]
    """Two thirds of the inner width, times a gate (Shazeer 2020)."""

    def __init__(self, width: int, inner: int, initializer: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.width, self.inner_width = width, (int(inner * 2 / 3) + 7) // 8 * 8

        def dense(size: int, name: str) -> Any:
            return keras.layers.Dense(
                size, kernel_initializer=initializer, dtype=self.dtype_policy, name=name
            )

        self.inner, self.outer = dense(2 * self.inner_width, "inner"), dense(width, "outer")

    def build(self, *shapes: Any) -> None:
        self.inner.build((None, None, self.width))
        self.outer.build((None, None, self.inner_width))
        self.built = True

    def call(self, x: Any, training: bool = False) -> Any:
        gate, value = ops.split(self.inner(x), 2, axis=-1)
        return self.outer(ops.silu(gate) * value)


class ScaledBlock(EncoderBlock):
    """A block whose two parts are scaled, channel by channel, and skipped at random in training.

    Args:
        gated: whether the feed-forward layer is gated.
        scale: first value of the scales.
        drop_path: how often a part is skipped (Huang et al. 2016).
    """

    def __init__(self, *, gated: bool, scale: float, drop_path: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale = scale
        if gated:
            self.feed_forward = GatedFeedForward(
                kwargs["width"],
                kwargs["inner"],
                kwargs["initializer"],
                dtype=self.dtype_policy,
                name="feed_forward",
            )
        self.skip = keras.layers.Dropout(
            drop_path, noise_shape=(None, 1, 1), dtype=self.dtype_policy, name="skip"
        )

    def build(self, *shapes: Any, **named: Any) -> None:
        super().build(*shapes, **named)
        self.scales = [
            self.add_weight(
                name=f"scale_{part}",
                shape=(self.width,),
                initializer=keras.initializers.Constant(self.scale),
            )
            for part in (1, 2)
        ]

    def _after(self, x: Any, added: Any, norm: Any, training: bool) -> Any:
        scale = self.scales[0 if norm is self.attention_norm else 1]
        return x + self.skip(added * ops.cast(scale, added.dtype), training=training)


class Dinov2(VisionTransformer):
    """Classifies by the class token beside the mean of the patches."""

    family = "dinov2"
    trunk = "dinov2"
    stretches = True
    preparing: ClassVar[dict[str, Any]] = {
        "image_processor_type": "BitImageProcessor",
        "do_center_crop": False,
    }
    defaults: ClassVar[Mapping[str, Any]] = {
        **{name: value for name, value in ViT.defaults.items() if name != "intermediate_size"},
        "model_type": "dinov2",
        "architectures": ["Dinov2ForImageClassification"],
        "patch_size": 14,
        "mlp_ratio": 4,
        "layer_norm_eps": 1e-6,
        "layerscale_value": 1.0,
        "drop_path_rate": 0.0,
        "use_swiglu_ffn": False,
    }
    settings = frozenset(defaults) | {"id2label", "label2id"}
    limits: ClassVar[Mapping[str, Any]] = {
        **VisionTransformer.limits,
        "mlp_ratio": number(0.001, 64),
        "layerscale_value": number(-1e6, 1e6),
        "drop_path_rate": number(0, 1),
        "use_swiglu_ffn": TRUTH,
    }
    parts: ClassVar[Mapping[str, str]] = {
        "attention_norm": "norm1",
        "norm": "norm2",
        "inner": "mlp.fc1",
        "outer": "mlp.fc2",
    }

    def block(self, name: str, initializer: str) -> Any:
        c = self.config
        return ScaledBlock(
            gated=c["use_swiglu_ffn"],
            scale=c["layerscale_value"],
            drop_path=c["drop_path_rate"],
            name=name,
            **self.block_settings(initializer),
        )

    def block_settings(self, initializer: str) -> dict[str, Any]:
        inner = int(self.config["hidden_size"] * self.config["mlp_ratio"])
        return {**super().block_settings(initializer), "inner": inner}

    def classified(self, x: Any, initializer: str) -> Any:
        self.classifier = self.dense_head("classifier", initializer)
        patches = layers.GlobalAveragePooling1D(dtype=self.device.policy, name="patch_mean")(x[:, 1:])
        return self.classifier(
            layers.Concatenate(dtype=self.device.policy, name="features")([x[:, 0], patches])
        )

    def block_targets(self, at: str, block: Any) -> published.Targets:
        found = super().block_targets(at, block)
        for part, scale in enumerate(block.scales, 1):
            found[(f"{at}.layer_scale{part}.lambda1",)] = Target(scale)
        if not self.config["use_swiglu_ffn"]:
            return found
        # The gated layer's two kernels lie in one, and have names of their own.
        named = {"mlp.fc1": "mlp.weights_in", "mlp.fc2": "mlp.weights_out"}
        return {(_renamed(name, named),): target for (name,), target in found.items()}


def _renamed(name: str, table: Mapping[str, str]) -> str:
    for old, new in table.items():
        name = name.replace(old, new)
    return name
