"""The ``vit`` and ``deit`` families: transformers over patches of a picture.

Source: Dosovitskiy et al. 2021 (ViT), Touvron et al. 2021 (DeiT, with a distillation token and its head);
weight names as published with ``transformers`` (``ViTForImageClassification``, ``DeiTFor…``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import keras
from keras import layers

from sixarts.checkpoint import Target
from sixarts.compiled import Compiled, to_numpy
from sixarts.errors import CheckpointError
from sixarts.layers import PROJECTIONS, EncoderBlock
from sixarts.networks import published
from sixarts.networks.image_model import LIMITS, ImageModel, pair
from sixarts.networks.patches import Patches, Tokens
from sixarts.readers.limits import check

#: What the four projections of a block's attention are called in the file.
ATTENTION = {
    "query": "attention.attention.query",
    "key": "attention.attention.key",
    "value": "attention.attention.value",
    "out": "attention.output.dense",
}


class VisionTransformer(ImageModel):
    """What transformers over patches share. A family states its layout in class variables.

    Attributes:
        blocks: the transformer's blocks, first to last.
    """

    defaults: ClassVar[Mapping[str, Any]]
    #: Name of the trunk in the file, e.g. ``"vit"``.
    trunk: ClassVar[str]
    #: Names of the learned tokens that come before the patches.
    tokens: ClassVar[tuple[str, ...]] = ("cls_token",)
    #: Parts of a block to their names in the file.
    parts: ClassVar[Mapping[str, str]] = {
        "attention_norm": "layernorm_before",
        "norm": "layernorm_after",
        "inner": "intermediate.dense",
        "outer": "output.dense",
    }
    limits: ClassVar[Mapping[str, Any]] = LIMITS
    #: Whether pictures of another size than ``image_size`` are seen, by interpolated positions.
    stretches: ClassVar[bool] = False
    head = ("classifier.weight", "classifier.bias")
    ignored = ("*.pooler.*", "*.mask_token")

    @classmethod
    def configure(cls, /, **config: Any) -> dict[str, Any]:
        full = {**cls.defaults, **config}
        check(full, cls.limits, optional=True)
        if full["hidden_size"] % full["num_attention_heads"]:
            raise CheckpointError(
                f"hidden_size={full['hidden_size']} and num_attention_heads={full['num_attention_heads']}; "
                "expected heads that divide the width"
            )
        size, patch = pair(full["image_size"]), pair(full["patch_size"])
        if any(a < b for a, b in zip(size, patch, strict=True)):
            raise CheckpointError(f"image_size={size} and patch_size={patch}; expected at least one patch")
        return full

    def build(self, initializer: str) -> keras.Model:
        c, policy = self.config, self.device.policy
        inputs, x = self.pixels()
        size, patch = pair(c["image_size"]), pair(c["patch_size"])
        seen = self.processor_size()
        if seen != size and not self.stretches:
            raise CheckpointError(
                f"preprocessor_config.json gives pictures of {seen[0]} × {seen[1]}, config.json expects "
                f"{size[0]} × {size[1]}; expected the same; check that both files are of one model"
            )
        self.patches = Patches(patch, c["hidden_size"], initializer, dtype=policy, name="patches")
        x = self.patches(x)
        self.embeddings = Tokens(
            len(self.tokens),
            self.patches.grid(size),
            self.patches.grid(seen),
            c["hidden_dropout_prob"],
            initializer if initializer == "zeros" else keras.initializers.TruncatedNormal(0.02),
            dtype=policy,
            name="embeddings",
        )
        x = self.embeddings(x)
        self.blocks = [self.block(f"block_{place}", initializer) for place in range(c["num_hidden_layers"])]
        for block in self.blocks:
            x = block(x)
        self.norm = layers.LayerNormalization(epsilon=c["layer_norm_eps"], dtype=policy, name="norm")
        return self.closed(inputs, self.classified(self.norm(x), initializer))

    def block(self, name: str, initializer: str) -> Any:
        """One block of the transformer."""
        return EncoderBlock(name=name, **self.block_settings(initializer))

    def block_settings(self, initializer: str) -> dict[str, Any]:
        """What a block is built with."""
        c = self.config
        return {
            "width": c["hidden_size"],
            "heads": c["num_attention_heads"],
            "inner": c.get("intermediate_size"),
            "activation_name": c["hidden_act"],
            "dropout": c["hidden_dropout_prob"],
            "attention_dropout": c["attention_probs_dropout_prob"],
            "epsilon": c["layer_norm_eps"],
            "norm_first": True,
            "biases": self.biases,
            "initializer": initializer,
            "dtype": self.device.policy,
        }

    @property
    def biases(self) -> tuple[str, ...]:
        """Which projections of an attention have one."""
        return PROJECTIONS if self.config["qkv_bias"] else ("out",)

    def classified(self, x: Any, initializer: str) -> Any:
        """Logits from the tokens ``[b, n, width]``."""
        self.classifier = self.dense_head("classifier", initializer)
        return self.classifier(x[:, 0])

    def heads(self) -> published.Targets:
        """Published names of the head's weights."""
        return published.dense("classifier", self.classifier)

    def targets(self, names: frozenset[str]) -> Mapping[tuple[str, ...], Target]:
        at = f"{self.trunk}.embeddings"
        found: published.Targets = {
            (f"{at}.{name}",): Target(token)
            for name, token in zip(self.tokens, self.embeddings.tokens, strict=True)
        }
        found[(f"{at}.position_embeddings",)] = Target(self.embeddings.table)
        found |= published.patches(f"{at}.patch_embeddings.projection", self.patches)
        for place, block in enumerate(self.blocks):
            found |= self.block_targets(f"{self.trunk}.encoder.layer.{place}", block)
        return found | published.norm(f"{self.trunk}.layernorm", self.norm) | self.heads()

    def block_targets(self, at: str, block: Any) -> published.Targets:
        """Published names of a block's weights, under ``at``."""
        names = {part: f"{at}.{name}" for part, name in self.parts.items()}
        found = published.attention(
            {part: f"{at}.{name}" for part, name in ATTENTION.items()}, block.attention
        )
        for part in ("attention_norm", "norm"):
            found |= published.norm(names[part], getattr(block, part))
        for part in ("inner", "outer"):
            found |= published.dense(names[part], getattr(block.feed_forward, part))
        return found

    def attention_maps(self, arrays: Mapping[str, Any]) -> Any:
        """How much each token looks at each other one, in each block: ``[blocks, b, n, n]``, heads' mean."""
        if self._maps is None:
            before = keras.Model(self.network.inputs, self.embeddings.output)

            def maps(pixels: Any) -> Any:
                x, found = before(pixels, training=False), []
                for block in self.blocks:
                    found.append(keras.ops.mean(block.weights_of(x), axis=1))
                    x = block(x, training=False)
                return keras.ops.stack(found)

            self._maps = Compiled(maps, self.variables, self.device)
        return to_numpy(self._maps(arrays["pixel_values"]))

    _maps: Any = None

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches."""
        return self.embeddings.shown[0], self.embeddings.shown[1]


class ViT(VisionTransformer):
    """Dosovitskiy et al. 2021."""

    family = "vit"
    trunk = "vit"
    defaults: ClassVar[Mapping[str, Any]] = {
        "model_type": "vit",
        "architectures": ["ViTForImageClassification"],
        "image_size": 224,
        "patch_size": 16,
        "num_channels": 3,
        "hidden_size": 768,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "intermediate_size": 3072,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "layer_norm_eps": 1e-12,
        "qkv_bias": True,
    }
    settings = frozenset(defaults) | {"id2label", "label2id"}


class DeiT(VisionTransformer):
    """Touvron et al. 2021: a second learned token; with a head of its own, the answer is the mean of both."""

    family = "deit"
    trunk = "deit"
    tokens = ("cls_token", "distillation_token")
    defaults: ClassVar[Mapping[str, Any]] = {
        **ViT.defaults,
        "model_type": "deit",
        "architectures": ["DeiTForImageClassificationWithTeacher"],
    }
    settings = ViT.settings
    head = (
        *ViT.head,
        "cls_classifier.weight",
        "cls_classifier.bias",
        "distillation_classifier.weight",
        "distillation_classifier.bias",
    )

    @property
    def taught(self) -> bool:
        """Whether the distillation token has a head."""
        return "DeiTForImageClassificationWithTeacher" in (self.config.get("architectures") or [])

    def classified(self, x: Any, initializer: str) -> Any:
        if not self.taught:
            return super().classified(x, initializer)
        self.classifier = self.dense_head("cls_classifier", initializer)
        self.distilled = self.dense_head("distillation_classifier", initializer)
        both = layers.Average(dtype=self.device.policy, name="mean")
        return both([self.classifier(x[:, 0]), self.distilled(x[:, 1])])

    def heads(self) -> published.Targets:
        if not self.taught:
            return super().heads()
        return published.dense("cls_classifier", self.classifier) | published.dense(
            "distillation_classifier", self.distilled
        )
