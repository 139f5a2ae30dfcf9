"""What the networks for pictures share: their input, and where attribution cuts them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import keras

from sixarts.errors import CheckpointError
from sixarts.labeled import LabeledModel, labels_of
from sixarts.media.image_processor import ImageProcessor
from sixarts.readers.limits import NAME, TRUTH, either, number, one_of, whole


class ImageModel(LabeledModel):
    """A network over pictures ``pixel_values`` ``[b, height, width, 3]``.

    Attributes:
        focus: name of the layer whose output ``[b, h, w, channels]`` Grad-CAM weighs; empty where there is
            none.
    """

    processor_class: ClassVar[type[Any]] = ImageProcessor
    cut = "pixel_values"
    focus: str = ""
    #: What a new network's ``preprocessor_config.json`` says beside its size.
    preparing: ClassVar[dict[str, Any]] = {"image_processor_type": "ViTImageProcessor"}

    def pixels(self) -> tuple[Any, Any]:
        """The network's input, and the tensor that attribution takes for it.

        Raises:
            CheckpointError: the processor gives pictures of another size than the network takes.
        """
        inputs = keras.Input(self.input_shape(), dtype="float32", name="pixel_values")
        self.embedded = keras.layers.Identity(dtype=self.device.policy, name="pixels")(inputs)
        return inputs, self.embedded

    def input_shape(self) -> tuple[int, ...]:
        """Sizes of what the network sees at once, without the rows."""
        return (*self.processor_size(), 3)

    def processor_size(self) -> tuple[int, int]:
        """Height and width of what the processor gives.

        Raises:
            CheckpointError: they are each picture's own.
        """
        size = self.processor.output_size
        if size is None:
            raise CheckpointError(
                "preprocessor_config.json leaves pictures at sizes of their own; expected one size for all: "
                "state size with height and width, or crop_size"
            )
        height, width = size
        return height, width

    def dense_head(self, name: str, initializer: str) -> Any:
        """A dense layer with an output for each class."""
        return keras.layers.Dense(
            len(labels_of(self.config)),
            kernel_initializer=initializer,
            dtype=self.device.policy,
            name=name,
        )

    def closed(self, inputs: Any, logits: Any) -> keras.Model:
        """The network from its input to its logits, which are float32 on every device."""
        logits = keras.layers.Activation("linear", dtype="float32", name="logits")(logits)
        return keras.Model({"pixel_values": inputs}, {"logits": logits}, name=self.family)

    def processor_for(self, labels: Sequence[str]) -> Any:
        if self.built:
            return self.processor.relabeled(labels)
        height, width = pair(self.config["image_size"])
        return self.processor_class({**self.preparing, "size": {"height": height, "width": width}}, labels)


def pair(size: Any) -> tuple[int, int]:
    """Height and width of a setting that is one number for both, or a list of two.

    >>> pair(224), pair([32, 64])
    ((224, 224), (32, 64))
    """
    return (size, size) if isinstance(size, int) else (size[0], size[1])


#: A size along two axes as configurations state it, each side up to 4,096.
SIDES = either(
    whole(1, 4096),
    (
        lambda value: (
            isinstance(value, list)
            and len(value) == 2
            and all(type(side) is int and 1 <= side <= 4096 for side in value)
        ),
        "a list of two such",
    ),
)
#: What every published configuration of a picture's network may say; each far beyond what is published.
LIMITS = {
    "image_size": SIDES,
    "patch_size": SIDES,
    "num_channels": one_of(3),
    "hidden_size": whole(1, 2**14),
    "num_hidden_layers": whole(1, 256),
    "num_attention_heads": whole(1, 2**10),
    "intermediate_size": whole(1, 2**17),
    "hidden_act": NAME,
    "hidden_dropout_prob": number(0, 1),
    "attention_probs_dropout_prob": number(0, 1),
    "layer_norm_eps": number(0, 1),
    "qkv_bias": TRUTH,
}
