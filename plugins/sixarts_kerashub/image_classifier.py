"""The ``kerashub-image-classifier`` family: KerasHub's image classifier presets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import keras

from sixarts.errors import CheckpointError, OptionError
from sixarts_hub.strict_json import short
from sixarts_kerashub.heads import after, last_layer, names_of, settings_of
from sixarts_kerashub.labels import imagenet_names
from sixarts_kerashub.picture_model import PictureModel
from sixarts_kerashub.preset import make_backbone, make_task, targets_of
from sixarts_kerashub.table import IMAGE_CLASSIFIER

#: Settings that KerasHub writes and does not take back, with their only value.
FIXED = {"SwinTransformer": {"pooling": "gap"}}


class ImageClassifier(PictureModel):
    """A KerasHub image classifier; its output is ``logits`` ``[b, classes]``.

    Attributes:
        focus: name of the layer whose output ``[b, h, w, channels]`` Grad-CAM weighs; empty for transformers
            over tokens.
    """

    bridge = IMAGE_CLASSIFIER
    family = IMAGE_CLASSIFIER.family
    focus: str = ""
    published: ClassVar = {1000: imagenet_names}

    @classmethod
    def head_settings(cls, stem: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        found = settings_of(settings)
        for name, only in FIXED.get(stem, {}).items():
            if (value := found.pop(name, only)) != only:
                raise CheckpointError(f"task.json has {name} {short(value)}; expected {only!r}")
        return found

    def parts(self, stem: str, head: Mapping[str, Any]) -> tuple[Any, Any]:
        backbone = make_backbone(self.bridge, self.config, self.device.policy)
        task = make_task(stem, self.bridge.task, backbone, head)
        self._targets = targets_of(backbone, task)
        self.head = names_of(self._targets, last_layer(task))
        return backbone, task

    def joined(self, inputs: Any, backbone: Any, task: Any) -> keras.Model:
        place, head = after(backbone, task)
        features = keras.tree.flatten(backbone(self.embedded))[place]
        features = keras.layers.Identity(dtype=self.device.policy, name="features")(features)
        if len(features.shape) == 4:
            self.focus = "features"
        else:
            self.attention_maps = _no_maps
        logits = keras.layers.Activation("linear", dtype="float32", name="logits")(head(features))
        return keras.Model({"pixel_values": inputs}, {"logits": logits}, name="kerashub_image_classifier")


def _no_maps(arrays: Any) -> Any:
    raise OptionError(
        "received method='cam' for a network over tokens, whose attention KerasHub does not give; expected "
        "'integrated_gradients' or 'occlusion'"
    )
