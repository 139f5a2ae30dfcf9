"""What the networks for pictures share: their input, and where attribution cuts them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import keras

from sixarts.labeled import LabeledModel
from sixarts_vision.image_processor import ImageProcessor

#: Every convolution and pooling states it: the user's Keras may be set to the other order.
CHANNELS = "channels_last"


class ImageModel(LabeledModel):
    """A network over pictures ``pixel_values`` ``[b, height, width, 3]``.

    Attributes:
        focus: name of the layer whose output ``[b, h, w, channels]`` Grad-CAM weighs; empty where there is
            none.
    """

    processor_class = ImageProcessor
    cut = "pixel_values"
    focus: str = ""
    #: What a new network's ``preprocessor_config.json`` says beside its size.
    preparing: ClassVar[dict[str, Any]] = {"image_processor_type": "ViTImageProcessor"}

    def pixels(self) -> tuple[Any, Any]:
        """The network's input, and the tensor that attribution takes for it."""
        size = self.config["image_size"]
        inputs = keras.Input((size, size, 3), dtype="float32", name="pixel_values")
        self.embedded = keras.layers.Identity(dtype=self.device.policy, name="pixels")(inputs)
        return inputs, self.embedded

    def processor_for(self, labels: Sequence[str]) -> ImageProcessor:
        if self.built:
            return self.processor.relabeled(labels)
        size = self.config["image_size"]
        return ImageProcessor({**self.preparing, "size": {"height": size, "width": size}}, labels)
