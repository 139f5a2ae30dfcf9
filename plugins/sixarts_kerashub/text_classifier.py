"""The ``kerashub-text-classifier`` family: KerasHub's text classifier presets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from sixarts.checkpoint import Weights
from sixarts.errors import CheckpointError, TrainingError
from sixarts.model import WEIGHTS
from sixarts.networks.operations import operations
from sixarts.readers.text_processor import is_exclusive
from sixarts_kerashub.heads import ACTIVATIONS, after, last_layer, names_of, settings_of
from sixarts_kerashub.preset import make_backbone, make_task, targets_of
from sixarts_kerashub.preset_model import PresetModel
from sixarts_kerashub.preset_texts import PresetTextProcessor
from sixarts_kerashub.reading import BLOCKS_CAP, stated
from sixarts_kerashub.table import TEXT_CLASSIFIER

#: What KerasHub calls the network's inputs, to what ours are called.
INPUTS = {"token_ids": "input_ids", "padding_mask": "attention_mask", "segment_ids": "token_type_ids"}


class TextClassifier(PresetModel):
    """A KerasHub text classifier over ``input_ids``, ``attention_mask`` and ``token_type_ids`` ``[b, t]``.

    Its output is ``logits`` ``[b, classes]``. Every network takes all three, and reads those that it knows.
    """

    bridge = TEXT_CLASSIFIER
    family = TEXT_CLASSIFIER.family
    processor_class = PresetTextProcessor
    cut = "input_ids"

    @classmethod
    def head_settings(cls, stem: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        return settings_of(settings, (*ACTIVATIONS, "sigmoid"))

    @classmethod
    def configure(cls, /, **config: Any) -> dict[str, Any]:
        full = super().configure(**config)
        several = stated(config["head"], "task.json")[1].get("activation") == "sigmoid"
        kind = "multi_label_classification" if several else config.get("problem_type")
        full |= {} if kind is None else {"problem_type": kind}
        is_exclusive(full)
        settings = full["config"]
        calls = [settings.get(name, 1) for name in ("num_layers", "num_inner_repetitions")]
        if not all(type(count) is int and count > 0 for count in calls) or np.prod(calls) > BLOCKS_CAP:
            raise CheckpointError(
                f"config.json has num_layers and num_inner_repetitions {calls}; expected whole numbers that "
                f"multiply to at most {BLOCKS_CAP}"
            )
        return full

    @classmethod
    def open_weights(cls, folder: Path) -> Weights:
        weights = super().open_weights(folder)
        if not (folder / WEIGHTS).is_file():
            _check_trained(weights, folder)
        return weights

    def parts(self, stem: str, head: Mapping[str, Any]) -> tuple[Any, Any]:
        backbone = make_backbone(self.bridge, self.config, self.device.policy)
        task = make_task(stem, self.bridge.task, backbone, head)
        self._targets = targets_of(backbone, task)
        self.head = names_of(self._targets, last_layer(task))
        return backbone, task

    def build(self, initializer: str) -> keras.Model:
        backbone, task = self.network_parts(initializer)
        inputs = {name: keras.Input((None,), dtype="int32", name=name) for name in INPUTS.values()}
        # What gives each token its own vector may give its position's, too.
        words = getattr(backbone, "embeddings", backbone.token_embedding)
        vectors = words._inbound_nodes[0].output_tensors[0]
        others = [name for name in INPUTS if name != "token_ids" and name in backbone.input]
        trunk = keras.Model(
            [vectors, *(backbone.input[name] for name in others)], backbone.output, name="trunk"
        )
        self.embedded = words(inputs["input_ids"])
        found = keras.tree.flatten(trunk([self.embedded, *(inputs[INPUTS[name]] for name in others)]))
        place, head = after(backbone, task)
        logits = keras.layers.Activation("linear", dtype="float32", name="logits")(head(found[place]))
        return keras.Model(inputs, {"logits": logits}, name="kerashub_text_classifier")

    def processor_for(self, labels: Sequence[str]) -> PresetTextProcessor:
        if self.built:
            return self.processor.relabeled(labels)
        raise TrainingError(
            f"a new model of family {self.family!r}; expected one with weights, since its tokenizer comes "
            "with a preset; load one and fine-tune it"
        )

    def flops(self, arrays: Mapping[str, np.ndarray]) -> float:
        """Operations for one row, those of padding too."""
        with self.device.scope():
            return operations(self.network, {name: array.shape[1:] for name, array in arrays.items()})


def _check_trained(weights: Weights, folder: Path) -> None:
    """Refuses a head that was never trained.

    KerasHub's conversion of some checkpoints of ``transformers`` (DistilBERT's, in 0.32) gives them random
    heads in silence, which are then saved as any other. What it draws has biases of 0; what was learned has
    not.
    """
    named = [name for name in weights if name.startswith("head/layers/")]
    biases = [name for name in named if len(weights.shape(name)) == 1]
    if biases and not any(np.any(weights.read(name)) for name in biases):
        raise CheckpointError(
            f"{folder} has a head whose biases are all 0 ({', '.join(biases)}), as KerasHub draws them where "
            "it converts a checkpoint without reading its head; expected one that was trained; load the "
            "checkpoint that it was converted from, or train the head and save it again"
        )
