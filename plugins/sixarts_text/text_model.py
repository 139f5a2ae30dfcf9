"""What the transformers that classify texts share: inputs, embeddings, and where attribution cuts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import keras
import numpy as np
from keras import layers, ops

from sixarts.checkpoint import Target
from sixarts.errors import CheckpointError, TrainingError
from sixarts.labeled import LabeledModel, labels_of
from sixarts.networks.operations import operations
from sixarts.networks.published import Targets, dense
from sixarts.readers.limits import NAME, TRUTH, check, number, one_of, whole
from sixarts.readers.text_processor import TextProcessor, is_exclusive

#: What a configuration of such a network may say; each far beyond what is published.
LIMITS = {
    "vocab_size": whole(1, 2**24),
    "max_position_embeddings": whole(1, 2**20),
    "type_vocab_size": whole(0, 2**10),
    "hidden_size": whole(1, 2**14),
    "num_hidden_layers": whole(1, 256),
    "num_attention_heads": whole(1, 2**10),
    "intermediate_size": whole(1, 2**17),
    "hidden_act": NAME,
    "hidden_dropout_prob": number(0, 1),
    "attention_probs_dropout_prob": number(0, 1),
    "classifier_dropout": number(0, 1),
    "layer_norm_eps": number(0, 1),
    "pad_token_id": whole(0, 2**24),
    # What was tried once and is in no checkpoint that is used today.
    "position_embedding_type": one_of("absolute"),
    "is_decoder": one_of(False),
    "add_cross_attention": one_of(False),
    "tie_word_embeddings": TRUTH,
}


class TextModel(LabeledModel):
    """A network over ``input_ids``, ``attention_mask`` and ``token_type_ids``, each ``[b, t]``.

    A family states its layout in class variables, in the names of its own ``config.json``.
    """

    processor_class: ClassVar[type[Any]] = TextProcessor
    cut = "input_ids"
    defaults: ClassVar[Mapping[str, Any]]
    limits: ClassVar[Mapping[str, Any]] = LIMITS
    #: Settings of the width and of the heads that must divide it.
    sizes: ClassVar[tuple[str, str]] = ("hidden_size", "num_attention_heads")
    head = ("classifier.weight", "classifier.bias")
    #: Counters that old files store, and the heads of pretraining that some left in.
    ignored: ClassVar[Any] = (
        "*.position_ids",
        "*.embeddings.token_type_ids",
        "cls.predictions.*",
        "cls.seq_relationship.*",
    )

    @classmethod
    def configure(cls, /, **config: Any) -> dict[str, Any]:
        full = {**cls.defaults, **{name: value for name, value in config.items() if value is not None}}
        check(full, cls.limits)
        width, heads = cls.sizes
        if full[width] % full[heads]:
            raise CheckpointError(
                f"{width}={full[width]} and {heads}={full[heads]}; expected heads that divide the width"
            )
        is_exclusive(full)
        return full

    def processor_for(self, labels: Sequence[str]) -> Any:
        if self.built:
            return self.processor.relabeled(labels)
        raise TrainingError(
            f"a new model of family {self.family!r}; expected one with weights, since its tokenizer comes "
            "with a checkpoint; load one and fine-tune it, or take family='linear' and call fit(examples)"
        )

    def inputs(self) -> dict[str, Any]:
        """The network's inputs; segments come to all, and are read by those that know them."""
        return {
            name: keras.Input((None,), dtype="int32", name=name)
            for name in ("input_ids", "attention_mask", "token_type_ids")
        }

    def words(self, ids: Any, width: int, initializer: str) -> Any:
        """Each token's own vector ``[b, t, width]``, which is where attribution cuts."""
        self.word_embeddings = layers.Embedding(
            self.config["vocab_size"],
            width,
            embeddings_initializer=drawn(initializer),
            dtype=self.device.policy,
            name="word_embeddings",
        )
        self.embedded = self.word_embeddings(ids)
        return self.embedded

    def dense_layer(self, name: str, width: int, initializer: str, **how: Any) -> Any:
        """A dense layer of the head or the pooler."""
        return layers.Dense(
            width, kernel_initializer=drawn(initializer), dtype=self.device.policy, name=name, **how
        )

    def classified(self, x: Any, dropout: float, initializer: str, name: str = "classifier") -> Any:
        """Logits ``[b, classes]`` in float32, of features ``[b, width]``."""
        x = layers.Dropout(dropout, dtype=self.device.policy, name="head_dropout")(x)
        self.classifier = self.dense_layer(name, len(labels_of(self.config)), initializer)
        return layers.Activation("linear", dtype="float32", name="logits")(self.classifier(x))

    def flops(self, arrays: Mapping[str, np.ndarray]) -> float:
        """Operations for one row, those of padding too."""
        with self.device.scope():
            return operations(self.network, {name: array.shape[1:] for name, array in arrays.items()})

    def closed(self, inputs: Mapping[str, Any], logits: Any) -> keras.Model:
        """The network from its inputs to its logits."""
        return keras.Model(dict(inputs), {"logits": logits}, name=self.family.replace("-", "_"))


def drawn(initializer: str) -> Any:
    """The published draw of new weights, or none where a checkpoint follows."""
    return initializer if initializer == "zeros" else keras.initializers.TruncatedNormal(0.02)


class Embeddings(layers.Layer):  # type: ignore[misc]
    """Adds positions and segments to the words' vectors, and normalizes the sum.

    Args:
        positions: rows of the table of positions; none where 0.
        segments: rows of the table of segments; none where 0.
        offset: row of the first position.
        epsilon: of the norm.
        dropout: rate on the sum.
        projected: width that the sum is turned into before it is normalized, where it is another.
        initializer: of the tables.
    """

    def __init__(
        self,
        positions: int,
        segments: int,
        offset: int = 0,
        epsilon: float = 1e-12,
        dropout: float = 0.0,
        projected: int | None = None,
        initializer: str = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.positions, self.segments, self.offset = positions, segments, offset
        self.projected, self.initializer = projected, initializer
        self.norm = layers.LayerNormalization(epsilon=epsilon, dtype=self.dtype_policy, name="norm")
        self.dropout = layers.Dropout(dropout, dtype=self.dtype_policy, name="dropout")
        self.projection = (
            layers.Dense(
                projected,
                use_bias=False,
                kernel_initializer=drawn(initializer),
                dtype=self.dtype_policy,
                name="projection",
            )
            if projected
            else None
        )

    def build(self, x_shape: Any, segments_shape: Any = None) -> None:
        shape, made = x_shape, drawn(self.initializer)
        width = shape[-1]
        if self.positions:
            self.position_table = self.add_weight(
                name="positions", shape=(self.positions, width), initializer=made
            )
        if self.segments:
            self.segment_table = self.add_weight(
                name="segments", shape=(self.segments, width), initializer=made
            )
        if self.projection is not None:
            self.projection.build(shape)
        self.norm.build((*shape[:-1], self.projected or width))
        self.built = True

    def compute_output_spec(self, x: Any, segments: Any, training: bool = False) -> Any:
        return keras.KerasTensor((*x.shape[:-1], self.projected or x.shape[-1]), self.compute_dtype)

    def call(self, x: Any, segments: Any, training: bool = False) -> Any:
        if self.positions:
            x = x + ops.cast(self.position_table[self.offset : self.offset + ops.shape(x)[1]], x.dtype)
        if self.segments == 1:
            x = x + ops.cast(self.segment_table[0], x.dtype)
        elif self.segments:
            x = x + ops.cast(ops.take(self.segment_table, segments, axis=0), x.dtype)
        if self.projection is not None:
            x = self.projection(x)
        return self.dropout(self.norm(x), training=training)

    def targets(self, at: str) -> Targets:
        """Published names of its weights, under ``at``."""
        found: Targets = {}
        if self.positions:
            found[(f"{at}.position_embeddings.weight",)] = Target(self.position_table)
        if self.segments:
            found[(f"{at}.token_type_embeddings.weight",)] = Target(self.segment_table)
        if self.projection is not None:
            found |= dense(f"{at}.embed_proj", self.projection)
        return found | aged_norm(f"{at}.LayerNorm", self.norm)


def aged_norm(name: str, layer: Any) -> Targets:
    """A layer normalization, under today's names or those that TensorFlow's checkpoints brought."""
    return {
        (f"{name}.weight", f"{name}.gamma"): Target(layer.gamma),
        (f"{name}.bias", f"{name}.beta"): Target(layer.beta),
    }
