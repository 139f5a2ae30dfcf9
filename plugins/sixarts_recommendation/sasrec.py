"""The ``sasrec`` family: causal self-attention over a history.

Source: Kang and McAuley 2018 ("Self-Attentive Sequential Recommendation"), with norms before each part
(Xiong et al. 2020) unless ``norm_first`` says otherwise, and cross-entropy over all items in the place of the
paper's one negative (Klenitskiy and Vasilev 2023). Positions count from a history's first item on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from keras import layers

from sixarts.checkpoint import Target
from sixarts.errors import CheckpointError
from sixarts.layers import PROJECTIONS, EncoderBlock, Positions
from sixarts.readers.limits import NAME, TRUTH, whole
from sixarts_recommendation.item_layers import CausalBlock
from sixarts_recommendation.sequence_model import LIMITS, SequenceModel

TRANSFORMER = {
    **LIMITS,
    "num_heads": whole(1, 2**8),
    "inner_size": whole(1, 2**14),
    "activation": NAME,
    "norm_first": TRUTH,
    "positions": TRUTH,
}


class Transformer(SequenceModel):
    """A stack of attention blocks over a history.

    Settings: ``max_length``, ``hidden_size``, ``num_layers``, ``num_heads``, ``inner_size``, ``dropout``,
    ``activation``; ``norm_first``; ``positions``, without which a history is read as a set; ``item_bias``;
    ``scale_embedding``, whether rows are multiplied by the root of their width; ``distributed``, whether
    they are a :class:`~sixarts_recommendation.embedding_rows.DistributedRows`.
    """

    limits = TRANSFORMER
    block: ClassVar[type[EncoderBlock]] = EncoderBlock

    @classmethod
    def configure(cls, /, **config: Any) -> dict[str, Any]:
        full = super().configure(**config)
        if full["hidden_size"] % full["num_heads"]:
            raise CheckpointError(
                f"hidden_size={full['hidden_size']}, num_heads={full['num_heads']}; expected a divisor of it"
            )
        return full

    def masks(self, inputs: dict[str, Any]) -> Any:
        """What a block is told of padding."""
        return None

    def hidden(self, embedded: Any, inputs: dict[str, Any], initializer: Any) -> Any:
        c, policy = self.config, self.device.policy
        self.positions = None
        x = embedded
        scale = c["hidden_size"] ** 0.5 if c["scale_embedding"] else 1.0
        if c["positions"]:
            self.positions = Positions(
                c["max_length"],
                scale=scale,
                norm=not c["norm_first"],
                dropout=c["dropout"],
                initializer=self.drawn(initializer),
                dtype=policy,
                name="positions",
            )
            x = self.positions(x)
        else:
            x = layers.Rescaling(scale, dtype=policy, name="scaled")(x)
            x = layers.Dropout(c["dropout"], dtype=policy, name="dropout")(x)
        mask = self.masks(inputs)
        self.blocks = []
        for number in range(c["num_layers"]):
            block = self.block(
                c["hidden_size"],
                c["num_heads"],
                c["inner_size"],
                c["activation"],
                dropout=c["dropout"],
                attention_dropout=c["dropout"],
                initializer=initializer,
                norm_first=c["norm_first"],
                dtype=policy,
                name=f"block_{number}",
            )
            x = block(x, mask) if mask is not None else block(x)
            self.blocks.append(block)
        self.norm = None
        if c["norm_first"]:
            self.norm = layers.LayerNormalization(epsilon=1e-5, dtype=policy, name="norm")
            x = self.norm(x)
        return x

    def body_targets(self) -> dict[tuple[str, ...], Target]:
        found: dict[tuple[str, ...], Target] = {}

        def dense(name: str, layer: Any) -> None:
            found[f"{name}.weight",] = Target(layer.kernel, np.transpose)
            found[f"{name}.bias",] = Target(layer.bias)

        def norm(name: str, layer: Any) -> None:
            found[f"{name}.weight",] = Target(layer.gamma)
            found[f"{name}.bias",] = Target(layer.beta)

        if self.positions is not None:
            found["positions",] = Target(self.positions.table)
            if self.positions.norm:
                norm("positions_norm", self.positions.norm)
        for number, block in enumerate(self.blocks):
            for part in PROJECTIONS:
                dense(f"blocks.{number}.{part}", getattr(block.attention, part))
            norm(f"blocks.{number}.attention_norm", block.attention_norm)
            dense(f"blocks.{number}.inner", block.feed_forward.inner)
            dense(f"blocks.{number}.outer", block.feed_forward.outer)
            norm(f"blocks.{number}.norm", block.norm)
        if self.norm is not None:
            norm("norm", self.norm)
        return found

    def flops(self, length: int) -> float:
        """Operations of answering one history: its matrices' products and sums, and all items' scores."""
        c = self.config
        d = c["hidden_size"]
        block = 2 * length * (4 * d * d + 2 * d * c["inner_size"]) + 4 * length * length * d
        return float(c["num_layers"] * block + 2 * d * c["num_items"])


class SASRec(Transformer):
    """Reads a history from its first item on and never looks ahead; see :class:`Transformer` for settings.

    Example::

        sixarts.new("next-item-prediction", family="sasrec", hidden_size=64).fit("orders.csv")
    """

    family = "sasrec"
    block = CausalBlock
    defaults: ClassVar[Mapping[str, Any]] = {
        "model_type": "sasrec",
        "architectures": ["SASRecForNextItem"],
        "num_items": 1,
        "objective": "softmax",
        "max_length": 50,
        "hidden_size": 64,
        "num_layers": 2,
        "num_heads": 2,
        "inner_size": 256,
        "dropout": 0.2,
        "activation": "gelu",
        "norm_first": True,
        "positions": True,
        "item_bias": False,
        "scale_embedding": True,
        "initializer_range": 0.02,
        "distributed": False,
    }
    settings = frozenset(defaults) - {"num_items", "objective", "model_type", "architectures"}
