"""What the families over pictures share: what goes in, and how large it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from sixarts.errors import CheckpointError
from sixarts_kerashub.image_processor import ConverterProcessor
from sixarts_kerashub.preset import stem_of
from sixarts_kerashub.preset_model import PresetModel
from sixarts_kerashub.reading import stated


class PictureModel(PresetModel):
    """A KerasHub task over pictures ``pixel_values`` ``[b, height, width, 3]``."""

    processor_class = ConverterProcessor
    cut = "pixel_values"

    def build(self, initializer: str) -> keras.Model:
        backbone, task = self.network_parts(initializer)
        shape, wanted = tuple(backbone.input.shape[1:]), self.input_shape()
        if any(known not in (None, side) for known, side in zip(shape, wanted, strict=True)):
            raise CheckpointError(
                f"the image converter gives pictures of {wanted}, the network takes {shape}; expected the "
                "same; check that both are of one preset"
            )
        inputs = keras.Input(wanted, dtype="float32", name="pixel_values")
        self.embedded = keras.layers.Identity(dtype=self.device.policy, name="pixels")(inputs)
        return self.joined(inputs, backbone, task)

    def joined(self, inputs: Any, backbone: Any, task: Any) -> keras.Model:
        """The network, from ``embedded`` on."""
        raise NotImplementedError

    def input_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of a prepared picture."""
        return (*self.processor_size(), 3)

    def processor_size(self) -> tuple[int, int]:
        """Height and width of what the processor gives."""
        return self.processor.output_size

    def processor_for(self, labels: Sequence[str]) -> ConverterProcessor:
        if self.built:
            return self.processor.relabeled(labels)
        stem, (_, settings) = stem_of(self.bridge, self.config), stated(self.config, "config.json")
        shape = settings.get("image_shape") or settings.get("input_shape") or [None]
        converter = {"image_size": list(shape[:2]), "scale": 1 / 255}
        return self.processor_class(f"{stem}ImageConverter", converter, labels)
