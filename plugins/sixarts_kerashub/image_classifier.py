"""The ``kerashub-image-classifier`` family: KerasHub's image classifier presets."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any, ClassVar

import keras

from sixarts.checkpoint import Target
from sixarts.errors import CheckpointError, OptionError
from sixarts_hub.strict_json import short
from sixarts_kerashub.labels import imagenet_names
from sixarts_kerashub.preset import make_backbone, make_task, targets_of
from sixarts_kerashub.preset_model import PresetModel
from sixarts_kerashub.table import IMAGE_CLASSIFIER

#: What a class's score may go through in KerasHub; ours are the numbers before it.
ACTIVATIONS = (None, "linear", "softmax")
#: Settings that KerasHub writes and does not take back, with their only value.
FIXED = {"SwinTransformer": {"pooling": "gap"}}


class ImageClassifier(PresetModel):
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
        found = {name: value for name, value in settings.items() if name not in ("backbone", "preprocessor")}
        for name, only in FIXED.get(stem, {}).items():
            if (value := found.pop(name, only)) != only:
                raise CheckpointError(f"task.json has {name} {short(value)}; expected {only!r}")
        if (activation := found.pop("activation", None)) not in ACTIVATIONS:
            raise CheckpointError(
                f"task.json has activation {short(activation)}; expected one of {ACTIVATIONS}: a picture "
                "is of one class"
            )
        return found

    def parts(self, stem: str, head: Mapping[str, Any]) -> tuple[Any, Any]:
        backbone = make_backbone(self.bridge, self.config, self.device.policy)
        task = make_task(stem, self.bridge.task, backbone, head)
        self._targets = targets_of(backbone, task)
        self.head = _names_of(self._targets, _last(task))
        return backbone, task

    def joined(self, inputs: Any, backbone: Any, task: Any) -> keras.Model:
        place, head = _head(backbone, task)
        features = keras.tree.flatten(backbone(self.embedded))[place]
        features = keras.layers.Identity(dtype=self.device.policy, name="features")(features)
        if len(features.shape) == 4:
            self.focus = "features"
        else:
            self.attention_maps = _no_maps
        logits = keras.layers.Activation("linear", dtype="float32", name="logits")(head(features))
        return keras.Model({"pixel_values": inputs}, {"logits": logits}, name="kerashub_image_classifier")


def _head(backbone: Any, task: Any) -> tuple[int, keras.Model]:
    """Which of the backbone's outputs the task goes on from, and the network from there to its logits."""
    outputs = backbone._inbound_nodes[-1].output_tensors
    for place in reversed(range(len(outputs))):
        with contextlib.suppress(ValueError):  # the logits do not come from this one
            return place, keras.Model(outputs[place], task.output, name="head")
    raise CheckpointError("this preset's head looks at several of its backbone's outputs; expected one")


def _last(task: Any) -> Any:
    """The layer that gives the logits."""
    layer = task.output._keras_history.operation
    while isinstance(layer, keras.Sequential):
        layer = layer.layers[-1]
    return layer


def _names_of(targets: Mapping[tuple[str, ...], Target], layer: Any) -> tuple[str, ...]:
    own = {id(variable) for variable in layer.variables}
    return tuple(names[0] for names, target in targets.items() if id(target.variable) in own)


def _no_maps(arrays: Any) -> Any:
    raise OptionError(
        "received method='cam' for a network over tokens, whose attention KerasHub does not give; expected "
        "'integrated_gradients' or 'occlusion'"
    )
