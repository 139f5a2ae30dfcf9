"""A network that looks at letters, attends to some, and tells a mood."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np
from keras import ops

from sixarts.checkpoint import Target
from sixarts.model import Model, Processor, read_json, write_json


class Letters(Processor):
    """Letters to numbers; 0 is padding."""

    def __init__(self, letters: str = "abcdefghijklmnopqrstuvwxyz ") -> None:
        self.letters = letters

    @classmethod
    def from_folder(cls, folder: Path, config: Mapping[str, Any]) -> Self:
        return cls(read_json(folder / "vocab.json")["letters"])

    def save(self, folder: Path) -> None:
        write_json(folder / "vocab.json", {"letters": self.letters})

    def encode(self, text: str) -> list[int]:
        return [self.letters.find(letter) + 2 for letter in text.lower()[:16]]


class Mood(Model):
    """Embedding, attention pooling, two logits."""

    family = "mood"
    processor_class = Letters
    cut = "input_ids"

    @classmethod
    def configure(cls, **config: Any) -> dict[str, Any]:
        return {"model_type": "mood", "width": 4, "size": 32, **config}

    def build(self, initializer: str) -> keras.Model:
        width = self.config["width"]
        ids = keras.Input((None,), dtype="int32", name="input_ids")
        mask = keras.Input((None,), dtype="float32", name="mask")
        spread = initializer if initializer == "zeros" else keras.initializers.RandomNormal(stddev=1.0)
        self.embedding = keras.layers.Embedding(
            self.config["size"], width, embeddings_initializer=spread, name="embedding"
        )
        self.look = keras.layers.Dense(1, kernel_initializer=initializer, name="look")
        self.head = keras.layers.Dense(2, kernel_initializer=initializer, name="head")
        self.embedded = self.embedding(ids)
        scores = self.look(self.embedded)[..., 0] - 1e9 * (1 - mask)
        shares = ops.softmax(scores, axis=-1)
        pooled = self.pool(shares, self.embedded)
        inputs = {"input_ids": ids, "mask": mask}
        self.attention = keras.Model(inputs, shares)
        return keras.Model(inputs, {"logits": self.head(ops.tanh(pooled))}, name="mood")

    def pool(self, shares: Any, embedded: Any) -> Any:
        return ops.sum(shares[..., None] * embedded, axis=1)

    def targets(self, names: frozenset[str]) -> Mapping[tuple[str, ...], Target]:
        return {
            ("embedding",): Target(self.embedding.embeddings),
            ("look.kernel",): Target(self.look.kernel),
            ("look.bias",): Target(self.look.bias),
            ("head.kernel",): Target(self.head.kernel),
            ("head.bias",): Target(self.head.bias),
        }

    def shares(self, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
        return np.asarray(ops.convert_to_numpy(self.attention(dict(arrays), training=False)))
