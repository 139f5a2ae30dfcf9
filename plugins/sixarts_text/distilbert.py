"""The ``distilbert`` family.

Source: Sanh et al. 2019; weight names as published with ``transformers``
(``DistilBertForSequenceClassification``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import keras

from sixarts.checkpoint import Target
from sixarts.layers import EncoderBlock
from sixarts.networks import published
from sixarts.readers.limits import NAME, TRUTH, number, whole
from sixarts_text.text_model import LIMITS, Embeddings, TextModel, aged_norm

#: What the four projections of a block's attention are called in the file.
ATTENTION = {
    "query": "attention.q_lin",
    "key": "attention.k_lin",
    "value": "attention.v_lin",
    "out": "attention.out_lin",
}
#: Of every norm; the configuration does not state it.
EPSILON = 1e-12


class DistilBert(TextModel):
    """BERT with half of its blocks, without segments, and a head of two layers.

    Positions by sine and cosine are in the file like learned ones.
    """

    family = "distilbert"
    sizes = ("dim", "n_heads")
    defaults: ClassVar[Mapping[str, Any]] = {
        "model_type": "distilbert",
        "architectures": ["DistilBertForSequenceClassification"],
        "vocab_size": 30522,
        "max_position_embeddings": 512,
        "sinusoidal_pos_embds": False,
        "n_layers": 6,
        "n_heads": 12,
        "dim": 768,
        "hidden_dim": 3072,
        "dropout": 0.1,
        "attention_dropout": 0.1,
        "activation": "gelu",
        "seq_classif_dropout": 0.2,
        "pad_token_id": 0,
    }
    limits: ClassVar[Mapping[str, Any]] = {
        **{name: LIMITS[name] for name in ("vocab_size", "max_position_embeddings", "pad_token_id")},
        "sinusoidal_pos_embds": TRUTH,
        "n_layers": whole(1, 256),
        "n_heads": whole(1, 2**10),
        "dim": whole(1, 2**14),
        "hidden_dim": whole(1, 2**17),
        "dropout": number(0, 1),
        "attention_dropout": number(0, 1),
        "activation": NAME,
        "seq_classif_dropout": number(0, 1),
    }
    ignored = (*TextModel.ignored, "vocab_transform.*", "vocab_layer_norm.*", "vocab_projector.*")

    def build(self, initializer: str) -> keras.Model:
        c, inputs = self.config, self.inputs()
        # The layout has no segments; they are taken and left, so that all such networks are called alike.
        x = self.words(inputs["input_ids"], c["dim"], initializer)
        self.embeddings = Embeddings(
            c["max_position_embeddings"],
            0,
            epsilon=EPSILON,
            dropout=c["dropout"],
            initializer=initializer,
            dtype=self.device.policy,
            name="embeddings",
        )
        x = self.embeddings(x, inputs["token_type_ids"])
        self.blocks = [
            EncoderBlock(
                c["dim"],
                c["n_heads"],
                c["hidden_dim"],
                c["activation"],
                c["dropout"],
                c["attention_dropout"],
                initializer=initializer,
                epsilon=EPSILON,
                dtype=self.device.policy,
                name=f"block_{place}",
            )
            for place in range(c["n_layers"])
        ]
        for block in self.blocks:
            x = block(x, inputs["attention_mask"])
        self.pooler = self.dense_layer("pre_classifier", c["dim"], initializer, activation="relu")
        logits = self.classified(self.pooler(x[:, 0]), c["seq_classif_dropout"], initializer)
        return self.closed(inputs, logits)

    def targets(self, names: frozenset[str]) -> Mapping[tuple[str, ...], Target]:
        at = "distilbert.embeddings"
        found: published.Targets = {
            (f"{at}.word_embeddings.weight",): Target(self.word_embeddings.embeddings)
        }
        found |= self.embeddings.targets(at)
        for place, block in enumerate(self.blocks):
            at = f"distilbert.transformer.layer.{place}"
            found |= published.attention(
                {part: f"{at}.{name}" for part, name in ATTENTION.items()}, block.attention
            )
            found |= aged_norm(f"{at}.sa_layer_norm", block.attention_norm)
            found |= published.dense(f"{at}.ffn.lin1", block.feed_forward.inner)
            found |= published.dense(f"{at}.ffn.lin2", block.feed_forward.outer)
            found |= aged_norm(f"{at}.output_layer_norm", block.norm)
        return (
            found
            | published.dense("pre_classifier", self.pooler)
            | published.dense("classifier", self.classifier)
        )
