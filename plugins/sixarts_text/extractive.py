"""The ``extractive`` family: scores every sentence of a document by its features and those around it.

Each feature has a vector and a number of its own. A sentence's number is what its features add to its score
by themselves; its vector goes with those of the other sentences through transformer blocks, which add what
its neighbors say. After the sentence selection of Nallapati et al. 2017 (SummaRuNNer) and of Liu and Lapata
2019, with features in place of a pretrained encoder. The network is our own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import keras
from keras import layers, ops

from sixarts.checkpoint import Target
from sixarts.errors import CheckpointError
from sixarts.layers import EncoderBlock
from sixarts.model import Model
from sixarts.networks.encoder_decoder import ENCODER_PARTS, layer_targets
from sixarts.readers.limits import NAME, check, number, whole
from sixarts_text.sentence_features import SENTENCES, FeatureProcessor

LIMITS = {
    "num_features": whole(0, 2**20),
    "d_model": whole(1, 1024),
    "num_layers": whole(0, 12),
    "num_heads": whole(1, 64),
    "least": whole(1, 2**20),
    "dropout": number(0, 0.95),
    "feature_dropout": number(0, 0.95),
    "summary_sentences": whole(1, 1000),
    "source_sentences": whole(1, SENTENCES[-1]),
    "model_type": NAME,
}
#: What padding's score is lowered by.
NEVER = 1e9


class FeatureTable(layers.Layer):  # type: ignore[misc]
    """Numbers of features ``[..., n]`` to their vectors ``[..., n, width]``; padding's is zero."""

    def __init__(self, rows: int, width: int, initializer: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rows, self.width, self.initializer = rows, width, initializer

    def build(self, shape: Any) -> None:
        self.table = self.add_weight(
            name="table", shape=(self.rows + 1, self.width), initializer=self.initializer
        )
        self.built = True

    def compute_output_spec(self, ids: Any) -> Any:
        return keras.KerasTensor((*ids.shape, self.width), self.compute_dtype)

    def call(self, ids: Any) -> Any:
        found = ops.cast(ops.take(self.table, ids, axis=0), self.compute_dtype)
        return found * ops.cast(ids > 0, self.compute_dtype)[..., None]


class WeightedSum(layers.Layer):  # type: ignore[misc]
    """``[b, s, n, d]`` and weights ``[b, s, n]`` to ``[b, s, d]``."""

    def compute_output_spec(self, x: Any, weights: Any) -> Any:
        return keras.KerasTensor((*x.shape[:2], x.shape[3]), self.compute_dtype)

    def call(self, x: Any, weights: Any) -> Any:
        return ops.matmul(ops.cast(weights, x.dtype)[:, :, None, :], x)[:, :, 0]


class Score(layers.Layer):  # type: ignore[misc]
    """What a sentence's vector and its own number say ``[b, s, d]``, ``[b, s, 1]``, as logits ``[b, s]``."""

    def __init__(self, width: int, initializer: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dense = layers.Dense(
            1, use_bias=False, kernel_initializer=initializer, dtype=self.dtype_policy, name="dense"
        )
        self.width = width

    def build(self, *shapes: Any, **named: Any) -> None:
        self.dense.build((None, None, self.width))
        self.built = True

    def compute_output_spec(self, x: Any, own: Any, mask: Any) -> Any:
        return keras.KerasTensor(x.shape[:2], "float32")

    def call(self, x: Any, own: Any, mask: Any) -> Any:
        scores = ops.cast((self.dense(x) + own)[..., 0], "float32")
        return ops.where(ops.cast(mask, "bool"), scores, -NEVER)


class Extractive(Model):
    """Picks sentences.

    Settings: ``d_model``, ``num_layers``, ``num_heads``, of the blocks over sentences; ``dropout``;
    ``feature_dropout``, of features in training; ``least``, in how many sentences a feature occurs;
    ``source_sentences``, how many sentences are read at once; ``summary_sentences``, how many a summary has
    where nobody says; a new model takes it from what it learns from.

    Example::

        sixarts.new("summarization", family="extractive").fit(examples)
    """

    family = "extractive"
    processor_class = FeatureProcessor
    cut = "input_ids"
    # XLA takes longer to compile a shape than such a network takes for a thousand documents.
    fused = False
    defaults: ClassVar[Mapping[str, Any]] = {
        "model_type": "extractive",
        "architectures": ["ExtractiveForSummarization"],
        "num_features": 0,
        "d_model": 32,
        "num_layers": 1,
        "num_heads": 4,
        "dropout": 0.2,
        "feature_dropout": 0.3,
        "least": 4,
        "source_sentences": 32,
        "summary_sentences": 1,
    }
    settings = frozenset(defaults)

    @classmethod
    def configure(cls, /, **config: Any) -> dict[str, Any]:
        full = {**cls.defaults, **config}
        check(full, LIMITS)
        if full["d_model"] % full["num_heads"]:
            raise CheckpointError(
                f"d_model={full['d_model']} with num_heads={full['num_heads']}; expected a multiple of it"
            )
        return full

    def build(self, initializer: str) -> keras.Model:
        c, policy = self.config, self.device.policy
        width = c["d_model"]
        ids = keras.Input((None, None), dtype="int32", name="input_ids")
        weights = keras.Input((None, None), dtype="float32", name="feature_weights")
        mask = keras.Input((None,), dtype="int32", name="sentence_mask")

        def table(size: int, values: Any, name: str) -> FeatureTable:
            return FeatureTable(c["num_features"], size, values, dtype=policy, name=name)

        normal = keras.initializers.RandomNormal(stddev=width**-0.5)
        self.vectors = table(width, initializer if initializer == "zeros" else normal, "vectors")
        self.numbers = table(1, "zeros", "numbers")
        self.embedded = layers.Concatenate(name="embedded", dtype=policy)(
            [self.vectors(ids), self.numbers(ids)]
        )
        dropped = layers.Dropout(c["feature_dropout"], name="feature_dropout", dtype="float32")(weights)
        self.sum = WeightedSum(name="sum", dtype=policy)
        summed = self.sum(self.embedded, dropped)
        x, own = summed[..., :width], summed[..., width:]
        x = layers.Dropout(c["dropout"], name="dropout", dtype=policy)(x)
        self.blocks = [
            EncoderBlock(
                width,
                c["num_heads"],
                2 * width,
                "gelu",
                c["dropout"],
                initializer=initializer,
                norm_first=True,
                dtype=policy,
                name=f"block_{place}",
            )
            for place in range(c["num_layers"])
        ]
        for block in self.blocks:
            x = block(x, mask)
        self.norm = layers.LayerNormalization(epsilon=1e-5, dtype=policy, name="norm")
        self.score = Score(width, initializer, dtype=policy, name="score")
        inputs = {"input_ids": ids, "feature_weights": weights, "sentence_mask": mask}
        x = layers.Dropout(c["dropout"], name="last_dropout", dtype=policy)(self.norm(x))
        return keras.Model(inputs, {"logits": self.score(x, own, mask)}, name="extractive")

    def attention(self, inputs: Mapping[str, Any]) -> Any:
        """How much each sentence looks at each other one, ``[b, s, s]``: a mean over blocks and heads."""
        mask = inputs["sentence_mask"]
        x, found = self.sum(self.vectors(inputs["input_ids"]), inputs["feature_weights"]), []
        for block in self.blocks:
            found.append(ops.mean(block.weights_of(x, mask), axis=1))
            x = block(x, mask)
        return ops.mean(ops.stack(found, axis=0), axis=0)

    def targets(self, names: frozenset[str]) -> Mapping[tuple[str, ...], Target]:
        found: dict[tuple[str, ...], Target] = {
            ("vectors.weight",): Target(self.vectors.table),
            ("numbers.weight",): Target(self.numbers.table),
            ("score.weight",): Target(self.score.dense.kernel),
            **layer_targets("norm", self.norm),
        }
        for place, block in enumerate(self.blocks):
            for part, path in ENCODER_PARTS.items():
                layer: Any = block
                for name in path.split("."):
                    layer = getattr(layer, name)
                found |= layer_targets(f"layers.{place}.{part}", layer)
        return found

    def sized(self, processor: Any) -> dict[str, Any]:
        return {**self.config, "num_features": len(processor.features)}

    def learned_from(self, documents: Sequence[Sequence[str]], summary_sentences: int) -> Self:
        """A new model of the features of some documents.

        Args:
            documents: the sentences of each.
            summary_sentences: how many sentences a summary has where nobody says.
        """
        made = self.build_for(FeatureProcessor.learned_from(documents, self.config["least"]))
        made.config["summary_sentences"] = summary_sentences
        return made

    def flops(self, sentences: int, features: int) -> float:
        """Operations for a document: two a weight of blocks and sums, attention included."""
        width, depth = self.config["d_model"], self.config["num_layers"]
        block = 8 * width**2 + 2 * sentences * width
        return float(2 * (features * (width + 1) + sentences * (depth * block + width)))
