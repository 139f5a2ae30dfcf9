"""The ``cnn`` family: small convolutional networks that learn apart and answer together; the starter's.

Source: stages of two 3 × 3 convolutions (Simonyan and Zisserman 2015) with batch norm (Ioffe and Szegedy
2015); members as in Lakshminarayanan, Pritzel and Blundell 2017 (deep ensembles).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import layers, ops

from sixarts.checkpoint import Target
from sixarts.errors import CheckpointError
from sixarts.labeled import labels_of
from sixarts.networks.image_model import ImageModel
from sixarts.networks.published import Targets, convolution, norm
from sixarts.networks.residual import CHANNELS
from sixarts.readers.limits import number, some, whole
from sixarts_diagnosis.mlp_ensemble import Average, Members

DEFAULTS: dict[str, Any] = {
    "model_type": "cnn",
    "architectures": ["CnnForImageDiagnosis"],
    "image_size": 28,
    "widths": [16, 32, 64],
    "members": 3,
    "dropout": 0.3,
}
LIMITS = {
    "image_size": whole(8, 1024),
    "widths": some(whole(1, 1024), 6),
    "members": whole(1, 32),
    "dropout": number(0, 0.95),
}


class Cnn(ImageModel):
    """An ensemble of small convolutional networks over one picture.

    A member halves its maps between stages, pools the last ones to their mean, and ends in logits of its
    own; the answer is the logarithm of the members' mean probabilities, centered.

    Settings: ``image_size``; ``widths``, channels of each stage; ``members``; ``dropout``.

    Example::

        sixarts.new("pathology-classification", family="cnn", image_size=28, members=3)
    """

    family = "cnn"
    defaults, limits = DEFAULTS, LIMITS
    settings = frozenset(DEFAULTS) | {"id2label", "label2id"}
    head = ("head.weight", "head.bias")
    focus = "last"
    fused = False

    @classmethod
    def configure(cls, /, **config: Any) -> dict[str, Any]:
        full = super().configure(**config)
        if full["image_size"] >> (len(full["widths"]) - 1) < 2:
            raise CheckpointError(
                f"image_size={full['image_size']} and {len(full['widths'])} widths; expected maps of 2 × 2 "
                "at least after halving between stages: fewer widths, or larger pictures"
            )
        return full

    def build(self, initializer: str) -> keras.Model:
        c, policy = self.config, self.device.policy
        self.convolutions: dict[str, tuple[Any, Any]] = {}
        inputs, x = self.pixels()
        maps = [self._member(x, f"member_{place}", initializer) for place in range(c["members"])]
        # One layer holds the last maps of all members, which is where Grad-CAM looks.
        last = layers.Concatenate(dtype=policy, name="last")(maps) if len(maps) > 1 else maps[0]
        last = layers.Activation("linear", dtype=policy, name="last")(last) if len(maps) == 1 else last
        x = layers.GlobalAveragePooling2D(data_format=CHANNELS, dtype=policy, name="pool")(last)
        x = layers.Reshape((c["members"], c["widths"][-1]), dtype=policy, name="apart")(x)
        x = layers.Dropout(c["dropout"], dtype=policy, name="dropout")(x)
        self.top = Members(c["members"], len(labels_of(c)), initializer, dtype=policy, name="head")
        self.apart = self.top(x)
        logits = Centered(dtype="float32", name="centered")(Average(dtype="float32", name="mean")(self.apart))
        return self.closed(inputs, logits)

    def _member(self, x: Any, name: str, initializer: str) -> Any:
        """The last maps ``[b, h, w, channels]`` of one member."""
        policy, he = self.device.policy, initializer if initializer == "zeros" else "he_normal"
        for stage, width in enumerate(self.config["widths"]):
            if stage:
                x = layers.MaxPooling2D(2, data_format=CHANNELS, dtype=policy, name=f"{name}_pool_{stage}")(x)
            for turn in (0, 1):
                called = f"{name}_stage_{stage}_{turn}"
                kernel = layers.Conv2D(
                    width,
                    3,
                    padding="same",
                    use_bias=False,
                    kernel_initializer=he,
                    data_format=CHANNELS,
                    dtype=policy,
                    name=called,
                )
                scale = layers.BatchNormalization(
                    epsilon=1e-5, momentum=0.9, dtype=policy, name=f"{called}_norm"
                )
                self.convolutions[f"{name}.stage.{stage}.{turn}"] = (kernel, scale)
                x = layers.Activation("relu", dtype=policy, name=f"{called}_relu")(scale(kernel(x)))
        return x

    def targets(self, names: frozenset[str]) -> Mapping[tuple[str, ...], Target]:
        found: Targets = {}
        for name, (kernel, scale) in self.convolutions.items():
            found |= convolution(f"{name}.convolution", kernel) | norm(f"{name}.normalization", scale)
        return found | {("head.weight",): Target(self.top.kernel), ("head.bias",): Target(self.top.bias)}

    def training_network(self) -> keras.Model:
        """The members apart ``[b, members, classes]``, so that each learns by a loss of its own."""
        network = self.network
        return keras.Model(network.inputs, {"logits": self.apart}, name="members")


class Centered(layers.Layer):  # type: ignore[misc]
    """Logits ``[b, classes]`` whose mean is 0.

    A log-probability is flat where a label is certain, and tells nothing of why; of two labels, these are
    half of their log-odds, which are not.
    """

    def compute_output_spec(self, x: Any) -> Any:
        return keras.KerasTensor(x.shape, self.compute_dtype)

    def call(self, x: Any) -> Any:
        return x - ops.mean(x, axis=-1, keepdims=True)
