"""The ``ngram-bag`` family: hashed character n-grams, the mean of their embeddings, one dense layer.

Source: Joulin et al. 2017, "Bag of Tricks for Efficient Text Classification" (EACL), with its hashing trick.
"""

from __future__ import annotations

import unicodedata
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import keras
import numpy as np
from keras import ops

from sixarts import Processor
from sixarts.batching import bucket
from sixarts.checkpoint import Target
from sixarts.labeled import LabeledModel, labels_of
from sixarts.readers.limits import some, whole

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
        return cls(labels_of(config), config["buckets"], config["sizes"])

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


class NgramBag(LabeledModel):
    """An embedding bag under a dense layer.

    Settings: ``buckets`` that n-grams are hashed to, ``width`` of an embedding, ``sizes`` of the n-grams.
    """

    family = "ngram-bag"
    processor_class = NgramProcessor
    cut = "ids"
    defaults: ClassVar[Mapping[str, Any]] = {"buckets": 4096, "width": 16, "sizes": [1, 2, 3]}
    limits: ClassVar[Mapping[str, Any]] = {
        "buckets": whole(2, 2**24),
        "width": whole(1, 2**12),
        "sizes": some(whole(1, 16), 16),
    }
    settings = frozenset(defaults)
    head = ("head.weight", "head.bias")

    def processor_for(self, labels: Sequence[str]) -> NgramProcessor:
        return NgramProcessor(labels, self.config["buckets"], self.config["sizes"])

    def build(self, initializer: str) -> keras.Model:
        c, policy = self.config, self.device.policy
        ids = keras.Input((None,), dtype="int32", name="ids")
        shares = keras.Input((None,), dtype="float32", name="shares")
        self.embedding = keras.layers.Embedding(
            c["buckets"], c["width"], embeddings_initializer=initializer, dtype=policy, name="embedding"
        )
        self.head_layer = keras.layers.Dense(
            len(self.processor.labels), kernel_initializer=initializer, dtype=policy, name="head"
        )
        self.embedded = self.embedding(ids)
        bag = ops.sum(self.embedded * ops.expand_dims(shares, -1), axis=1)
        logits = ops.cast(self.head_layer(bag), "float32")
        return keras.Model({"ids": ids, "shares": shares}, {"logits": logits}, name="ngram_bag")

    def targets(self, names: frozenset[str]) -> Mapping[tuple[str, ...], Target]:
        return {
            ("embedding.weight",): Target(self.embedding.embeddings),
            ("head.weight",): Target(self.head_layer.kernel),
            ("head.bias",): Target(self.head_layer.bias),
        }
