"""The ``bert``, ``roberta`` and ``xlm-roberta`` families.

Sources: Devlin et al. 2019, Liu et al. 2019, Conneau et al. 2020; weight names as published with
``transformers`` (``BertForSequenceClassification``, ``RobertaFor…``, ``XLMRobertaFor…``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import keras
from keras import layers

from sixarts.checkpoint import Target
from sixarts.layers import EncoderBlock
from sixarts.networks import published
from sixarts_text.text_model import Embeddings, TextModel, aged_norm
from sixarts_text.text_processors import RobertaProcessor, XLMRobertaProcessor

#: What the four projections of a block's attention are called in the file.
ATTENTION = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "out": "attention.output.dense",
}


class Bert(TextModel):
    """Devlin et al. 2019: the first token's vector through a pooler is what is classified."""

    family = "bert"
    #: Name of the trunk in the file.
    trunk: ClassVar[str] = "bert"
    defaults: ClassVar[Mapping[str, Any]] = {
        "model_type": "bert",
        "architectures": ["BertForSequenceClassification"],
        "vocab_size": 30522,
        "hidden_size": 768,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "intermediate_size": 3072,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "max_position_embeddings": 512,
        "type_vocab_size": 2,
        "layer_norm_eps": 1e-12,
        "pad_token_id": 0,
    }

    def build(self, initializer: str) -> keras.Model:
        c, inputs = self.config, self.inputs()
        x = self.words(inputs["input_ids"], c["hidden_size"], initializer)
        self.embeddings = Embeddings(
            c["max_position_embeddings"],
            c["type_vocab_size"],
            self.offset,
            c["layer_norm_eps"],
            c["hidden_dropout_prob"],
            initializer=initializer,
            dtype=self.device.policy,
            name="embeddings",
        )
        x = self.embeddings(x, inputs["token_type_ids"])
        self.blocks = [
            EncoderBlock(
                c["hidden_size"],
                c["num_attention_heads"],
                c["intermediate_size"],
                c["hidden_act"],
                c["hidden_dropout_prob"],
                c["attention_probs_dropout_prob"],
                initializer=initializer,
                epsilon=c["layer_norm_eps"],
                dtype=self.device.policy,
                name=f"block_{place}",
            )
            for place in range(c["num_hidden_layers"])
        ]
        for block in self.blocks:
            x = block(x, inputs["attention_mask"])
        return self.closed(inputs, self.headed(x[:, 0], initializer))

    @property
    def offset(self) -> int:
        """Row of the first position."""
        return 0

    @property
    def head_dropout(self) -> float:
        """Rate before the head."""
        return float(self.config.get("classifier_dropout", self.config["hidden_dropout_prob"]))

    def headed(self, x: Any, initializer: str) -> Any:
        """Logits of the first token's vector."""
        self.pooler = self.dense_layer("pooler", self.config["hidden_size"], initializer, activation="tanh")
        return self.classified(self.pooler(x), self.head_dropout, initializer)

    def targets(self, names: frozenset[str]) -> Mapping[tuple[str, ...], Target]:
        at = f"{self.trunk}.embeddings"
        found: published.Targets = {
            (f"{at}.word_embeddings.weight",): Target(self.word_embeddings.embeddings)
        }
        found |= self.embeddings.targets(at)
        for place, block in enumerate(self.blocks):
            found |= block_targets(f"{self.trunk}.encoder.layer.{place}", block, ATTENTION)
        return found | self.head_targets()

    def head_targets(self) -> published.Targets:
        """Published names of what stands on the trunk."""
        return published.dense(f"{self.trunk}.pooler.dense", self.pooler) | published.dense(
            "classifier", self.classifier
        )


def block_targets(at: str, block: Any, attention: Mapping[str, str]) -> published.Targets:
    """Published names of a block's weights, under ``at``."""
    found = published.attention({part: f"{at}.{name}" for part, name in attention.items()}, block.attention)
    found |= aged_norm(f"{at}.attention.output.LayerNorm", block.attention_norm)
    found |= published.dense(f"{at}.intermediate.dense", block.feed_forward.inner)
    found |= published.dense(f"{at}.output.dense", block.feed_forward.outer)
    return found | aged_norm(f"{at}.output.LayerNorm", block.norm)


class Roberta(Bert):
    """Liu et al. 2019: positions begin after the padding token's number; a head of two layers."""

    family = "roberta"
    trunk = "roberta"
    processor_class = RobertaProcessor
    defaults: ClassVar[Mapping[str, Any]] = {
        **Bert.defaults,
        "model_type": "roberta",
        "architectures": ["RobertaForSequenceClassification"],
        "vocab_size": 50265,
        "max_position_embeddings": 514,
        "type_vocab_size": 1,
        "layer_norm_eps": 1e-5,
        "pad_token_id": 1,
    }
    head = ("classifier.out_proj.weight", "classifier.out_proj.bias")
    # The trunk's own pooler and the head of pretraining are no part of the classifier; old files have them.
    ignored = (*TextModel.ignored, "roberta.pooler.*", "lm_head.*")

    @property
    def offset(self) -> int:
        return int(self.config["pad_token_id"]) + 1

    def headed(self, x: Any, initializer: str) -> Any:
        x = layers.Dropout(self.head_dropout, dtype=self.device.policy, name="dense_dropout")(x)
        self.pooler = self.dense_layer("dense", self.config["hidden_size"], initializer, activation="tanh")
        return self.classified(self.pooler(x), self.head_dropout, initializer)

    def head_targets(self) -> published.Targets:
        return published.dense("classifier.dense", self.pooler) | published.dense(
            "classifier.out_proj", self.classifier
        )


class XLMRoberta(Roberta):
    """Conneau et al. 2020: RoBERTa over a hundred languages."""

    family = "xlm-roberta"
    processor_class = XLMRobertaProcessor
    defaults: ClassVar[Mapping[str, Any]] = {
        **Roberta.defaults,
        "model_type": "xlm-roberta",
        "architectures": ["XLMRobertaForSequenceClassification"],
        "vocab_size": 250002,
    }
