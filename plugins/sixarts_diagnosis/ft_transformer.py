"""The ``ft_transformer`` family: each column is a token, and tokens attend to one another.

Source: Gorishniy, Rubachev, Khrulkov and Babenko 2021 ("Revisiting Deep Learning Models for Tabular Data",
section 3.3 and appendix E): a feature tokenizer, a class token, pre-norm blocks whose first attention has no
norm, ReGLU feed-forward layers, and a head of norm, ReLU and a dense layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import keras
import numpy as np
from keras import layers, ops

from sixarts.checkpoint import Target
from sixarts.errors import CheckpointError
from sixarts.labeled import labels_of
from sixarts.layers import Attention
from sixarts.networks.published import Targets, attention, norm
from sixarts.networks.published import dense as published
from sixarts.readers.limits import Limit, number, whole
from sixarts_diagnosis.record_model import RecordModel, dense


class FtTransformer(RecordModel):
    """A transformer over columns.

    Settings: ``width`` of a token, ``blocks``, ``heads``, ``inner``, the width of the feed-forward layers;
    ``attention_dropout``, ``dropout`` in those layers, ``residual_dropout``.

    Example::

        task = sixarts.new("disease-diagnosis", family="ft_transformer", width=32, blocks=2)
        task.fit(records, target="disease")
    """

    family = "ft_transformer"
    defaults: ClassVar[dict[str, Any]] = {
        "width": 64,
        "blocks": 2,
        "heads": 4,
        "inner": 96,
        "attention_dropout": 0.2,
        "dropout": 0.1,
        "residual_dropout": 0.0,
    }
    limits: ClassVar[dict[str, Limit]] = {
        "width": whole(1, 2**12),
        "blocks": whole(1, 64),
        "heads": whole(1, 2**8),
        "inner": whole(1, 2**14),
        "attention_dropout": number(0, 0.95),
        "dropout": number(0, 0.95),
        "residual_dropout": number(0, 0.95),
    }
    settings = frozenset(defaults) | {"id2label", "label2id"}
    head = ("head.weight", "head.bias")

    @classmethod
    def configure(cls, /, **config: Any) -> dict[str, Any]:
        full = super().configure(**config)
        if full["width"] % full["heads"]:
            raise CheckpointError(
                f"width={full['width']} and heads={full['heads']}; expected heads that divide the width"
            )
        return full

    def logits(self, cells: Any, initializer: str) -> Any:
        c, policy = self.config, self.device.policy
        self.tokens = ColumnTokens(
            c["widths"], c["width"], initializer=initializer, dtype=policy, name="tokens"
        )
        x = self.tokens(cells)
        self.blocks = []
        for place in range(c["blocks"]):
            block = ColumnBlock(c, place > 0, initializer, dtype=policy, name=f"block_{place}")
            self.blocks.append(block)
            x = block(x)
        self.norm = layers.LayerNormalization(epsilon=1e-5, dtype=policy, name="norm")
        self.classifier = dense("head", len(labels_of(c)), initializer, policy)
        x = layers.ReLU(dtype=policy, name="relu")(self.norm(First(dtype=policy, name="class_token")(x)))
        return layers.Activation("linear", dtype="float32", name="logits")(self.classifier(x))

    def targets(self, names: frozenset[str]) -> Mapping[tuple[str, ...], Target]:
        found: Targets = {
            ("tokens.weight",): Target(self.tokens.kernel),
            ("tokens.bias",): Target(self.tokens.bias),
            ("tokens.cls",): Target(self.tokens.first),
        }
        for place, block in enumerate(self.blocks):
            found |= block.targets(f"blocks.{place}")
        return found | norm("norm", self.norm) | published("head", self.classifier)

    def flops(self) -> float:
        tokens = len(self.config["widths"]) + 1
        once = [*self.tokens.variables, *self.classifier.trainable_variables]
        all_of_them = sum(np.prod(each.shape) for each in self.network.trainable_variables)
        single = sum(np.prod(each.shape) for each in once)
        return 2.0 * float(single + tokens * (all_of_them - single))


class ColumnTokens(layers.Layer):  # type: ignore[misc]
    """A token for each column, behind one for the answer: cells ``[b, f, 1]`` to ``[b, 1 + c, d]``.

    A number's token is its value times a vector, a category's is the category's vector, and to each the
    column's own is added, as published; a value that is missing has a vector, too.

    Args:
        widths: how many features each column gives.
        width: of a token.
        initializer: of the vectors; published is a uniform draw.
    """

    def __init__(self, widths: list[int], width: int, initializer: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.widths, self.width, self.initializer = list(widths), width, initializer

    def build(self, shape: Any) -> None:
        bound = self.width**-0.5
        drawn = "zeros" if self.initializer == "zeros" else keras.initializers.RandomUniform(-bound, bound)
        sizes = {"kernel": sum(self.widths), "bias": len(self.widths), "first": 1}
        for name, rows in sizes.items():
            made = self.add_weight(name=name, shape=(rows, self.width), initializer=_again(drawn))
            setattr(self, name, made)
        owner = np.repeat(np.arange(len(self.widths)), self.widths)
        self.member = (owner[None] == np.arange(len(self.widths))[:, None]).astype("float32")
        self.built = True

    def compute_output_spec(self, x: Any) -> Any:
        return keras.KerasTensor((x.shape[0], len(self.widths) + 1, self.width), self.compute_dtype)

    def call(self, x: Any) -> Any:
        kernel, bias, first = (
            ops.cast(each, self.compute_dtype) for each in (self.kernel, self.bias, self.first)
        )
        member = ops.cast(ops.convert_to_tensor(self.member), self.compute_dtype)
        tokens = ops.einsum("cf,bfd->bcd", member, ops.cast(x, self.compute_dtype) * kernel) + bias
        front = ops.broadcast_to(first[None], (ops.shape(tokens)[0], 1, self.width))
        return ops.concatenate([front, tokens], axis=1)


def _again(drawn: Any) -> Any:
    """An initializer that draws afresh: Keras's own give the same numbers at each use."""
    return drawn if isinstance(drawn, str) else type(drawn).from_config(drawn.get_config() | {"seed": None})


class ColumnBlock(layers.Layer):  # type: ignore[misc]
    """Attention among tokens, then a ReGLU layer, each behind a norm and added to what came.

    Args:
        c: the family's settings.
        normed: whether the attention has a norm; the first block's has none.
        initializer: of the dense layers.
    """

    def __init__(self, c: Mapping[str, Any], normed: bool, initializer: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        policy, self.width, self.inner_width = self.dtype_policy, c["width"], c["inner"]
        self.attention_norm = (
            layers.LayerNormalization(epsilon=1e-5, dtype=policy, name="attention_norm") if normed else None
        )
        self.attention = Attention(
            c["heads"],
            c["width"],
            c["attention_dropout"],
            initializer=initializer,
            dtype=policy,
            name="attention",
        )
        self.norm = layers.LayerNormalization(epsilon=1e-5, dtype=policy, name="norm")
        self.inner = dense("inner", 2 * c["inner"], initializer, policy)
        self.outer = dense("outer", c["width"], initializer, policy)
        self.dropout = layers.Dropout(c["dropout"], dtype=policy, name="dropout")
        self.residual_dropout = layers.Dropout(c["residual_dropout"], dtype=policy, name="residual_dropout")

    def build(self, shape: Any) -> None:
        if self.attention_norm is not None:
            self.attention_norm.build(shape)
        self.attention.build(shape)
        self.norm.build(shape)
        self.inner.build(shape)
        self.outer.build((*shape[:-1], self.inner_width))
        self.built = True

    def compute_output_spec(self, x: Any, training: bool = False) -> Any:
        return keras.KerasTensor(x.shape, self.compute_dtype)

    def call(self, x: Any, training: bool = False) -> Any:
        at = x if self.attention_norm is None else self.attention_norm(x)
        mixed, _ = self.attention(at, at, training=training)
        x = x + self.residual_dropout(mixed, training=training)
        halves = self.inner(self.norm(x))
        gated = halves[..., : self.inner_width] * ops.relu(halves[..., self.inner_width :])
        out = self.outer(self.dropout(gated, training=training))
        return x + self.residual_dropout(out, training=training)

    def targets(self, at: str) -> Targets:
        """Names of its weights, under ``at``."""
        names = {part: f"{at}.attention.{part}" for part in ("query", "key", "value", "out")}
        found = attention(names, self.attention)
        found |= norm(f"{at}.norm", self.norm) | published(f"{at}.inner", self.inner)
        found |= published(f"{at}.outer", self.outer)
        return found | (
            norm(f"{at}.attention_norm", self.attention_norm) if self.attention_norm is not None else {}
        )


class First(layers.Layer):  # type: ignore[misc]
    """The first token: ``[b, t, d]`` to ``[b, d]``."""

    def compute_output_spec(self, x: Any) -> Any:
        return keras.KerasTensor((x.shape[0], x.shape[-1]), self.compute_dtype)

    def call(self, x: Any) -> Any:
        return x[:, 0]
