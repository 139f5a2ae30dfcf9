"""The ``ngram-bag`` family: hashed character n-grams, the mean of their embeddings, one dense layer.

Source: Joulin et al. 2017, "Bag of Tricks for Efficient Text Classification" (EACL), with its hashing trick.
"""

from __future__ import annotations

import unicodedata
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np
from keras import ops

from sixarts import Model, Processor
from sixarts.batching import bucket
from sixarts.checkpoint import Target
from sixarts.errors import CheckpointError, OptionError, nearest

DEFAULTS: dict[str, Any] = {
    "model_type": "ngram-bag",
    "buckets": 4096,
    "width": 16,
    "sizes": [1, 2, 3],
    "labels": [],
}
#: Counts of distinct n-grams that are rounded up to; there are never more than buckets.
COUNTS = (64, 256, 1024, 4096)


class NgramProcessor(Processor):
    """Texts to bags of n-grams, and numbers to labels.

    Args:
        labels: what the network tells apart, in its order.
        buckets: how many numbers n-grams are hashed to; 0 is kept for padding.
        sizes: lengths of the n-grams, in characters.
    """

    def __init__(self, labels: Sequence[str], buckets: int, sizes: Sequence[int]) -> None:
        self.labels, self.buckets, self.sizes = tuple(labels), buckets, tuple(sizes)

    @classmethod
    def from_folder(cls, folder: Path, config: Mapping[str, Any]) -> Self:
        if not config.get("labels"):
            raise CheckpointError(f"{folder}/config.json states no labels; expected the network's classes")
        full = {**DEFAULTS, **config}
        return cls(full["labels"], full["buckets"], full["sizes"])

    def save(self, folder: Path) -> None:
        """Writes nothing: all there is stands in ``config.json``."""

    def bag(self, text: str) -> Counter[int]:
        """How often each bucket's n-grams occur.

        >>> sum(NgramProcessor(["en"], 4096, [1]).bag("Hé  ho").values())
        7
        """
        text = f" {' '.join(unicodedata.normalize('NFC', text).casefold().split())} "
        return Counter(
            zlib.crc32(text[start : start + size].encode()) % (self.buckets - 1) + 1
            for size in self.sizes
            for start in range(len(text) - size + 1)
        )

    def arrays(self, texts: Sequence[str]) -> dict[str, np.ndarray]:
        """``ids`` (int32) and ``shares`` (float32) of ``[len(texts), most distinct n-grams]``."""
        bags = [self.bag(text) for text in texts]
        length = bucket(max(map(len, bags)), COUNTS)
        ids = np.zeros((len(bags), length), "int32")
        shares = np.zeros((len(bags), length), "float32")
        for row, bag in enumerate(bags):
            ids[row, : len(bag)] = list(bag)
            shares[row, : len(bag)] = np.fromiter(bag.values(), "float32") / bag.total()
        return {"ids": ids, "shares": shares}


class NgramBag(Model):
    """An embedding bag under a dense layer."""

    family = "ngram-bag"
    processor_class = NgramProcessor
    cut = "ids"

    @classmethod
    def configure(cls, **config: Any) -> dict[str, Any]:
        """The defaults with these values; a name that the family does not know is refused."""
        for name in config:
            if name not in DEFAULTS:
                near = nearest(name, DEFAULTS) or list(DEFAULTS)
                raise OptionError(f"no {name!r} in the ngram-bag family; nearest: {', '.join(near)}")
        return {**DEFAULTS, **config}

    def sized(self, processor: Any) -> dict[str, Any]:
        return {**self.config, "labels": list(processor.labels)}

    def build(self, initializer: str) -> keras.Model:
        c, policy = self.config, self.device.policy
        ids = keras.Input((None,), dtype="int32", name="ids")
        shares = keras.Input((None,), dtype="float32", name="shares")
        self.embedding = keras.layers.Embedding(
            c["buckets"], c["width"], embeddings_initializer=initializer, dtype=policy, name="embedding"
        )
        self.head = keras.layers.Dense(
            len(c["labels"]), kernel_initializer=initializer, dtype=policy, name="head"
        )
        self.embedded = self.embedding(ids)
        bag = ops.sum(self.embedded * ops.expand_dims(shares, -1), axis=1)
        logits = ops.cast(self.head(bag), "float32")
        return keras.Model({"ids": ids, "shares": shares}, {"logits": logits}, name="ngram_bag")

    def targets(self, names: frozenset[str]) -> Mapping[tuple[str, ...], Target]:
        return {
            ("embedding.weight",): Target(self.embedding.embeddings),
            ("head.weight",): Target(self.head.kernel),
            ("head.bias",): Target(self.head.bias),
        }

    def with_labels(self, labels: Sequence[str]) -> Self:
        """A copy that tells these labels apart; what this network knows of its own is taken over."""
        processor = NgramProcessor(labels, self.config["buckets"], self.config["sizes"])
        grown = self.build_for(processor)
        if self.built:
            places = [processor.labels.index(label) for label in self.processor.labels]
            grown.embedding.set_weights(self.embedding.get_weights())
            kernel, bias = grown.head.get_weights()
            kernel[:, places], bias[places] = self.head.get_weights()
            grown.head.set_weights([kernel, bias])
        return grown
