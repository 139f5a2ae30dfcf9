"""The ``attention_mil`` family: the tiles of a slide, pooled by how much each counts.

Source: Ilse, Tomczak and Welling 2018 ("Attention-based Deep Multiple Instance Learning", equations 8 and 9);
the layer before it as in Lu et al. 2021 (CLAM).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import keras
from keras import layers, ops

from sixarts.checkpoint import Target
from sixarts.errors import TrainingError
from sixarts.labeled import LabeledModel, labels_of
from sixarts.networks.published import Targets, dense
from sixarts.readers.limits import TRUTH, number, whole
from sixarts_diagnosis.tile_processor import TileProcessor

DEFAULTS: dict[str, Any] = {
    "model_type": "attention_mil",
    "architectures": ["AttentionMilForSlideDiagnosis"],
    "feature_size": 0,
    "hidden_size": 128,
    "attention_size": 64,
    "gated": True,
    "dropout": 0.25,
}
LIMITS = {
    "feature_size": whole(0, 2**16),
    "hidden_size": whole(1, 2**14),
    "attention_size": whole(1, 2**14),
    "gated": TRUTH,
    "dropout": number(0, 0.95),
}


class AttentionMil(LabeledModel):
    """Tiles' features ``[b, n, d]`` to logits of the slide ``[b, classes]``, and attention ``[b, n]``.

    Settings: ``hidden_size``, width of a tile's embedding; ``attention_size``; ``gated``, whether
    attention is gated; ``dropout``. ``feature_size`` is the data's.

    Example::

        pooled = sixarts.new("pathology-classification", family="attention_mil")
        pooled.fit([(encoder.features(slide), label) for slide, label in slides])
    """

    family = "attention_mil"
    processor_class = TileProcessor
    defaults, limits = DEFAULTS, LIMITS
    settings = frozenset(DEFAULTS) | {"id2label", "label2id"}
    head = ("classifier.weight", "classifier.bias")
    cut = "features"
    pools_tiles = True

    def build(self, initializer: str) -> keras.Model:
        c, policy = self.config, self.device.policy
        features = keras.Input((None, c["feature_size"]), dtype="float32", name="features")
        mask = keras.Input((None,), dtype="float32", name="mask")
        self.embedded = layers.Identity(dtype=policy, name="tiles")(features)
        self.embed = layers.Dense(
            c["hidden_size"], "relu", kernel_initializer=initializer, dtype=policy, name="embed"
        )
        x = layers.Dropout(c["dropout"], dtype=policy, name="dropout")(self.embed(self.embedded))
        self.attention = Attention(
            c["attention_size"], c["gated"], initializer, dtype=policy, name="attention"
        )
        shares = self.attention([x, mask])
        pooled = Pooled(dtype=policy, name="pooled")([x, shares])
        self.classifier = layers.Dense(
            len(labels_of(c)), kernel_initializer=initializer, dtype=policy, name="classifier"
        )
        logits = layers.Activation("linear", dtype="float32", name="logits")(self.classifier(pooled))
        shares = layers.Activation("linear", dtype="float32", name="shares")(shares)
        return keras.Model(
            {"features": features, "mask": mask}, {"logits": logits, "attention": shares}, name=self.family
        )

    def targets(self, names: frozenset[str]) -> Mapping[tuple[str, ...], Target]:
        found: Targets = {**dense("embed", self.embed), **dense("classifier", self.classifier)}
        for name, layer in self.attention.parts.items():
            found |= dense(f"attention.{name}", layer)
        return found

    def training_network(self) -> keras.Model:
        """The network without its attention, which is not taught by itself."""
        network = self.network
        return keras.Model(network.input, {"logits": network.output["logits"]}, name="taught")

    def processor_for(self, labels: Sequence[str]) -> Any:
        if self.built:
            return self.processor.relabeled(labels)
        if not self.config["feature_size"]:
            raise TrainingError("a new model knows no features yet; call fit(examples) first")
        return TileProcessor(labels, self.config["feature_size"])

    def sized_for(self, width: int) -> Self:
        """The model for tiles of so many features, where it is new; else as it is."""
        if self.built or self.config["feature_size"]:
            return self
        return type(self)({**self.config, "feature_size": width}, None, self.device)


class Attention(layers.Layer):  # type: ignore[misc]
    """How much each tile counts: ``[b, n, d]`` and a mask ``[b, n]`` to shares ``[b, n]`` of 1."""

    def __init__(self, width: int, gated: bool, initializer: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        how = {"kernel_initializer": initializer, "dtype": self.dtype_policy}
        self.parts = {"value": layers.Dense(width, "tanh", name="value", **how)}
        if gated:
            self.parts["gate"] = layers.Dense(width, "sigmoid", name="gate", **how)
        self.parts["score"] = layers.Dense(1, name="score", **how)
        self.width = width

    def build(self, shapes: Any) -> None:
        for name, part in self.parts.items():
            part.build((None, None, self.width if name == "score" else shapes[0][-1]))
        self.built = True

    def compute_output_spec(self, taken: Any) -> Any:
        return keras.KerasTensor(taken[1].shape, self.compute_dtype)

    def call(self, taken: Any) -> Any:
        x, mask = taken
        known = self.parts["value"](x)
        if "gate" in self.parts:
            known = known * self.parts["gate"](x)
        scores = ops.cast(self.parts["score"](known)[..., 0], "float32")
        scores = ops.where(ops.cast(mask, "float32") > 0, scores, -1e30)
        return ops.cast(ops.softmax(scores, axis=-1), self.compute_dtype)


class Pooled(layers.Layer):  # type: ignore[misc]
    """The mean of tiles, weighed by their shares."""

    def compute_output_spec(self, taken: Any) -> Any:
        return keras.KerasTensor((taken[0].shape[0], taken[0].shape[-1]), self.compute_dtype)

    def call(self, taken: Any) -> Any:
        x, shares = taken
        return ops.sum(x * shares[..., None], axis=1)
