"""The ``deberta-v2`` family: DeBERTa's second and third version.

Sources: He et al. 2021 ("DeBERTa: Decoding-enhanced BERT with disentangled attention"), He et al. 2023
("DeBERTaV3"); weight names as published with ``transformers`` (``DebertaV2ForSequenceClassification``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import keras
import numpy as np
from keras import layers, ops

from sixarts.checkpoint import Target
from sixarts.errors import CheckpointError
from sixarts.layers import activation
from sixarts.networks import published
from sixarts.readers.limits import NAME, TRUTH, check, number, one_of, whole
from sixarts_text.bert import block_targets
from sixarts_text.disentangled import KINDS, DisentangledBlock, Distances, Neighbors, distance_rows
from sixarts_text.text_model import LIMITS, Embeddings, TextModel, aged_norm, drawn
from sixarts_text.text_processors import DebertaProcessor

ATTENTION = {
    "query": "attention.self.query_proj",
    "key": "attention.self.key_proj",
    "value": "attention.self.value_proj",
    "out": "attention.output.dense",
}


class Shown(layers.Layer):  # type: ignore[misc]
    """Puts zeros where there is padding."""

    def compute_output_spec(self, x: Any, mask: Any) -> Any:
        return keras.KerasTensor(x.shape, self.compute_dtype)

    def call(self, x: Any, mask: Any) -> Any:
        return x * ops.cast(mask, x.dtype)[..., None]


class DebertaV2(TextModel):
    """Disentangled attention, and where a configuration says so a convolution after the first block."""

    family = "deberta-v2"
    processor_class = DebertaProcessor
    defaults: ClassVar[Mapping[str, Any]] = {
        "model_type": "deberta-v2",
        "architectures": ["DebertaV2ForSequenceClassification"],
        "vocab_size": 128100,
        "hidden_size": 1536,
        "num_hidden_layers": 24,
        "num_attention_heads": 24,
        "intermediate_size": 6144,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "max_position_embeddings": 512,
        "type_vocab_size": 0,
        "layer_norm_eps": 1e-7,
        "relative_attention": False,
        "max_relative_positions": -1,
        "position_buckets": -1,
        "pad_token_id": 0,
        "position_biased_input": True,
        "pos_att_type": [],
        "share_att_key": False,
        "norm_rel_ebd": "none",
        "conv_kernel_size": 0,
        "conv_act": "tanh",
        "pooler_dropout": 0.0,
        "pooler_hidden_act": "gelu",
    }
    limits: ClassVar[Mapping[str, Any]] = {
        **LIMITS,
        "relative_attention": TRUTH,
        "max_relative_positions": whole(-1, 2**20),
        "position_buckets": whole(-1, 2**20),
        "position_biased_input": TRUTH,
        "share_att_key": TRUTH,
        "norm_rel_ebd": NAME,
        "conv_kernel_size": whole(0, 99),
        # The published layouts have one group alone.
        "conv_groups": one_of(1),
        "conv_act": NAME,
        "cls_dropout": number(0, 1),
        "pooler_dropout": number(0, 1),
        "pooler_hidden_act": NAME,
        "embedding_size": whole(1, 2**14),
        "pooler_hidden_size": whole(1, 2**14),
        "attention_head_size": whole(1, 2**14),
    }

    @classmethod
    def configure(cls, /, **config: Any) -> dict[str, Any]:
        full = super().configure(**config)
        kinds_of(full)
        for name, wanted in (
            ("pooler_hidden_size", full["hidden_size"]),
            ("attention_head_size", full["hidden_size"] // full["num_attention_heads"]),
        ):
            check(full, {name: one_of(wanted)}, optional=True)
        if full["conv_kernel_size"] and full["conv_kernel_size"] % 2 == 0:
            raise CheckpointError(f"conv_kernel_size={full['conv_kernel_size']}; expected an odd number")
        if full["position_buckets"] > 0 and not 1 < full["position_buckets"] // 2 < farthest(full) - 1:
            raise CheckpointError(
                f"position_buckets={full['position_buckets']} for distances up to {farthest(full)}; expected "
                "4 or more, and half of them within those distances"
            )
        return full

    @property
    def ignored(self) -> tuple[str, ...]:  # type: ignore[override]
        """Heads of pretraining, and what a configuration leaves unread."""
        c, unread = self.config, []
        if not c["position_biased_input"]:
            unread.append("*.position_embeddings.*")
        if not c["relative_attention"]:
            unread.append("deberta.encoder.LayerNorm.*")
        return (*TextModel.ignored, "lm_predictions.*", "mask_predictions.*", *unread)

    def build(self, initializer: str) -> keras.Model:
        c, policy, inputs = self.config, self.device.policy, self.inputs()
        width, made = c["hidden_size"], drawn(initializer)
        own = c.get("embedding_size", width)
        x = self.words(inputs["input_ids"], own, initializer)
        self.embeddings = Embeddings(
            c["max_position_embeddings"] if c["position_biased_input"] else 0,
            c["type_vocab_size"],
            epsilon=c["layer_norm_eps"],
            dropout=c["hidden_dropout_prob"],
            projected=None if own == width else width,
            initializer=initializer,
            dtype=policy,
            name="embeddings",
        )
        mask = inputs["attention_mask"]
        embedded = x = Shown(dtype=policy, name="shown")(self.embeddings(x, inputs["token_type_ids"]), mask)
        rows = self._rows()
        distances = x
        if rows is not None:
            normed = "layer_norm" in [part.strip() for part in c["norm_rel_ebd"].lower().split("|")]
            self.distances = Distances(
                2 * span_of(c),
                width,
                c["layer_norm_eps"] if normed else None,
                made,
                dtype=policy,
                name="distances",
            )
            distances = self.distances(x)
        self.blocks = [self._block(f"block_{place}", rows, made) for place in range(c["num_hidden_layers"])]
        for place, block in enumerate(self.blocks):
            x = block(x, distances, mask)
            if place == 0 and c["conv_kernel_size"]:
                self.neighbors = Neighbors(
                    width,
                    c["conv_kernel_size"],
                    activation(c["conv_act"]),
                    c["layer_norm_eps"],
                    c["hidden_dropout_prob"],
                    made,
                    dtype=policy,
                    name="neighbors",
                )
                x = self.neighbors(x, embedded, mask)
        return self.closed(inputs, self._headed(x[:, 0], initializer))

    def _rows(self) -> np.ndarray | None:
        """The row of each distance, where distances are looked at."""
        c = self.config
        if not c["relative_attention"]:
            return None
        # A text has no more tokens than the processor lets through, nor than there are positions.
        length = max(self.processor.limit, c["max_position_embeddings"])
        return distance_rows(length, span_of(c), c["position_buckets"], farthest(c))

    def _block(self, name: str, rows: np.ndarray | None, made: Any) -> Any:
        c = self.config
        return DisentangledBlock(
            c["hidden_size"],
            c["num_attention_heads"],
            c["intermediate_size"],
            c["hidden_act"],
            c["hidden_dropout_prob"],
            c["attention_probs_dropout_prob"],
            initializer=made,
            epsilon=c["layer_norm_eps"],
            kinds=kinds_of(c),
            shared=c["share_att_key"],
            rows=rows,
            dtype=self.device.policy,
            name=name,
        )

    def _headed(self, x: Any, initializer: str) -> Any:
        c, policy = self.config, self.device.policy
        x = layers.Dropout(c["pooler_dropout"], dtype=policy, name="pooler_dropout")(x)
        act = activation(c["pooler_hidden_act"])
        self.pooler = self.dense_layer("pooler", c["hidden_size"], initializer, activation=act)
        return self.classified(self.pooler(x), c.get("cls_dropout", c["hidden_dropout_prob"]), initializer)

    def targets(self, names: frozenset[str]) -> Mapping[tuple[str, ...], Target]:
        c, at = self.config, "deberta.embeddings"
        found: published.Targets = {
            (f"{at}.word_embeddings.weight",): Target(self.word_embeddings.embeddings)
        }
        found |= self.embeddings.targets(at)
        for place, block in enumerate(self.blocks):
            at = f"deberta.encoder.layer.{place}"
            found |= block_targets(at, block, ATTENTION)
            if c["relative_attention"] and not c["share_att_key"]:
                one = block.attention
                for part, layer in (("key", one.distance_key), ("query", one.distance_query)):
                    if layer is not None:
                        found |= published.dense(f"{at}.attention.self.pos_{part}_proj", layer)
        if c["relative_attention"]:
            found[("deberta.encoder.rel_embeddings.weight",)] = Target(self.distances.table)
            if self.distances.norm is not None:
                found |= aged_norm("deberta.encoder.LayerNorm", self.distances.norm)
        if c["conv_kernel_size"]:
            kernel = self.neighbors.convolution
            # (out, in, size) there, (size, in, out) here.
            found[("deberta.encoder.conv.conv.weight",)] = Target(kernel.kernel, np.transpose)
            found[("deberta.encoder.conv.conv.bias",)] = Target(kernel.bias)
            found |= aged_norm("deberta.encoder.conv.LayerNorm", self.neighbors.norm)
        return (
            found
            | published.dense("pooler.dense", self.pooler)
            | published.dense("classifier", self.classifier)
        )


def kinds_of(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Which scores of distance a configuration asks for, which states them as a list or as one text.

    Raises:
        CheckpointError: one that is not known.
    """
    stated = config["pos_att_type"]
    if isinstance(stated, str):
        stated = [part.strip() for part in stated.lower().split("|") if part.strip()]
    if not isinstance(stated, list) or any(kind not in KINDS for kind in stated):
        raise CheckpointError(f"pos_att_type={str(stated)[:80]!r}; expected some of {', '.join(KINDS)}")
    return tuple(kind for kind in KINDS if kind in stated)


def farthest(config: Mapping[str, Any]) -> int:
    """The distance beyond which all are one."""
    stated = int(config["max_relative_positions"])
    return stated if stated > 0 else int(config["max_position_embeddings"])


def span_of(config: Mapping[str, Any]) -> int:
    """Half of the rows of the table of distances."""
    return int(config["position_buckets"]) if config["position_buckets"] > 0 else farthest(config)
