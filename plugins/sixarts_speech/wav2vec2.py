"""The ``wav2vec2`` and ``hubert`` families: transformers over raw sound that spell by CTC.

Sources: Baevski et al. 2020 (wav2vec 2.0), Hsu et al. 2021 (HuBERT); weight names and settings as published
with ``transformers`` (``Wav2Vec2ForCTC``, ``HubertForCTC``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import keras
import numpy as np
from keras import layers

from sixarts.checkpoint import Target
from sixarts.compiled import to_numpy
from sixarts.errors import CheckpointError
from sixarts.layers import EncoderBlock, activation
from sixarts.networks.published import Targets, attention, dense, norm
from sixarts.readers.limits import NAME, TRUTH, check, number, one_of, some, whole
from sixarts_speech.ctc_conv import along_time
from sixarts_speech.ctc_model import CTCModel
from sixarts_speech.vocabulary import Vocabulary
from sixarts_speech.wav2vec2_layers import (
    ChannelNorm,
    ConvolvedPositions,
    HeardFrames,
    Silenced,
    convolution,
    frames_after,
)
from sixarts_speech.wav2vec2_processor import Wav2Vec2Processor

#: Sizes of the base networks.
DEFAULTS: dict[str, Any] = {
    "vocab_size": 32,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "hidden_act": "gelu",
    "feat_extract_activation": "gelu",
    "feat_extract_norm": "group",
    "feat_proj_layer_norm": True,
    "conv_dim": [512] * 7,
    "conv_kernel": [10, 3, 3, 3, 3, 2, 2],
    "conv_stride": [5, 2, 2, 2, 2, 2, 2],
    "conv_bias": False,
    "num_conv_pos_embeddings": 128,
    "num_conv_pos_embedding_groups": 16,
    "do_stable_layer_norm": False,
    "layer_norm_eps": 1e-5,
    "hidden_dropout": 0.0,
    "attention_dropout": 0.0,
    "activation_dropout": 0.0,
    "final_dropout": 0.0,
    "feat_proj_dropout": 0.0,
    "pad_token_id": 0,
}
LIMITS = {
    "vocab_size": whole(2, 100_000),
    "hidden_size": whole(1, 2**14),
    "num_hidden_layers": whole(1, 128),
    "num_attention_heads": whole(1, 2**10),
    "intermediate_size": whole(1, 2**17),
    "hidden_act": NAME,
    "feat_extract_activation": NAME,
    "feat_extract_norm": one_of("group", "layer"),
    "feat_proj_layer_norm": TRUTH,
    "conv_dim": some(whole(1, 2**13), 32),
    "conv_kernel": some(whole(1, 1024), 32),
    "conv_stride": some(whole(1, 1024), 32),
    "conv_bias": TRUTH,
    "num_conv_pos_embeddings": whole(1, 4096),
    "num_conv_pos_embedding_groups": whole(1, 1024),
    "do_stable_layer_norm": TRUTH,
    "layer_norm_eps": number(0, 1),
    "pad_token_id": whole(0, 100_000),
    **{name: number(0, 1) for name in DEFAULTS if name.endswith("dropout")},
}
#: Settings of parts that these networks have not, and the values that mean so.
WITHOUT = {
    "add_adapter": (False,),
    "adapter_attn_dim": (None,),
    "conv_pos_batch_norm": (False,),
    "position_embeddings_type": (None, "absolute"),
}
PROJECTIONS = {"query": "q_proj", "key": "k_proj", "value": "v_proj", "out": "out_proj"}


class Wav2Vec2(CTCModel):
    """Strided convolutions over samples, a transformer over their frames, and a head of tokens."""

    family = "wav2vec2"
    processor_class = Wav2Vec2Processor
    #: What its weights' names begin with, and what training alone needs.
    prefix: ClassVar[str] = "wav2vec2"
    ignored = ("*masked_spec_embed", "quantizer.*", "project_q.*", "project_hid.*")
    architecture: ClassVar[str] = "Wav2Vec2ForCTC"
    settings = frozenset(DEFAULTS) | {"model_type", "architectures"}

    @classmethod
    def configure(cls, /, **config: Any) -> dict[str, Any]:
        full = {"model_type": cls.family, "architectures": [cls.architecture], **DEFAULTS, **config}
        check(full, LIMITS)
        for name, values in WITHOUT.items():
            if full.get(name, values[0]) not in values:
                raise CheckpointError(
                    f"{name}={full[name]!r} in config.json; expected {values[0]!r}: no such part here"
                )
        counts = {len(full[name]) for name in ("conv_dim", "conv_kernel", "conv_stride")}
        if len(counts) > 1:
            raise CheckpointError(
                "conv_dim, conv_kernel and conv_stride of unlike lengths; expected one length"
            )
        groups = full["num_conv_pos_embedding_groups"]
        if full["hidden_size"] % full["num_attention_heads"] or full["hidden_size"] % groups:
            raise CheckpointError(
                f"hidden_size={full['hidden_size']} with {full['num_attention_heads']} heads and {groups} "
                "groups of positions; expected divisors"
            )
        if not full["pad_token_id"] < full["vocab_size"]:
            raise CheckpointError(
                f"pad_token_id={full['pad_token_id']}; expected one of {full['vocab_size']} tokens"
            )
        return full

    @property
    def stride(self) -> int:  # type: ignore[override]
        return math.prod(self.config["conv_stride"])

    @property
    def step(self) -> float:
        return 1.0 / float(self.processor.rate)

    def frames(self, samples: int) -> int:
        return max(0, int(frames_after(samples, self.config["conv_kernel"], self.config["conv_stride"])))

    @property
    def shortest(self) -> int:
        """Samples of one frame."""
        length = 1
        for kernel, stride in zip(
            self.config["conv_kernel"][::-1], self.config["conv_stride"][::-1], strict=True
        ):
            length = (length - 1) * stride + kernel
        return length

    def sized(self, processor: Any) -> dict[str, Any]:
        vocabulary = processor.vocabulary
        return {**self.config, "vocab_size": len(vocabulary.tokens), "pad_token_id": vocabulary.blank}

    def with_vocabulary(self, vocabulary: Vocabulary) -> Self:
        rate, normalized = (self.processor.rate, self.processor.normalized) if self.built else (16_000, True)
        other = self.build_for(Wav2Vec2Processor(vocabulary, rate, normalized))
        if self.built:
            mine = self.targets(frozenset())
            for names, target in other.targets(frozenset()).items():
                if not names[0].startswith("lm_head."):
                    target.variable.assign(to_numpy(mine[names].variable))
        return other

    def build(self, initializer: str) -> keras.Model:
        c, policy = self.config, self.device.policy
        kernels, strides = c["conv_kernel"], c["conv_stride"]

        def normal(name: str) -> Any:
            return layers.LayerNormalization(epsilon=c["layer_norm_eps"], dtype=policy, name=name)

        values = keras.Input((None,), name="input_values")
        lengths = keras.Input((), dtype="int32", name="lengths")
        self.cut = "input_values"
        x = layers.Reshape((-1, 1), dtype=policy, name="samples")(values)
        self.embedded = x
        self.convolutions: list[tuple[Any, Any]] = []
        for place, width in enumerate(c["conv_dim"]):
            name = f"conv_{place}"
            kernel = convolution(
                width, kernels[place], strides[place], c["conv_bias"], initializer, policy, name
            )
            x, scale = kernel(x), None
            if c["feat_extract_norm"] == "layer":
                # The features' norm has PyTorch's usual epsilon, whatever the others have.
                scale = layers.LayerNormalization(epsilon=1e-5, dtype=policy, name=f"{name}_norm")
                x = scale(x)
            elif place == 0:
                scale = ChannelNorm(dtype=policy, name=f"{name}_norm")
                x = scale(
                    x, HeardFrames(kernels[:1], strides[:1], dtype=policy, name=f"{name}_heard")(x, lengths)
                )
            self.convolutions.append((kernel, scale))
            x = layers.Activation(
                activation(c["feat_extract_activation"]), dtype=policy, name=f"{name}_active"
            )(x)
        frames = HeardFrames(kernels, strides, dtype=policy, name="heard")(x, lengths)
        self.projection_norm = normal("projection_norm") if c["feat_proj_layer_norm"] else None
        if self.projection_norm:
            x = self.projection_norm(x)
        self.projection = layers.Dense(
            c["hidden_size"], kernel_initializer=initializer, dtype=policy, name="projection"
        )
        x = layers.Dropout(c["feat_proj_dropout"], dtype=policy, name="projection_dropout")(
            self.projection(x)
        )
        x = Silenced(dtype=policy, name="silenced")(x, frames)
        self.positions = ConvolvedPositions(
            c["hidden_size"],
            c["num_conv_pos_embeddings"],
            c["num_conv_pos_embedding_groups"],
            c["feat_extract_activation"],
            "glorot_uniform" if initializer == "zeros" else initializer,
            dtype=policy,
            name="positions",
        )
        x = self.positions(x)
        self.norm = normal("norm")
        if not c["do_stable_layer_norm"]:
            x = self.norm(x)
        x = layers.Dropout(c["hidden_dropout"], dtype=policy, name="dropout")(x)
        self.blocks = []
        for place in range(c["num_hidden_layers"]):
            block = EncoderBlock(
                c["hidden_size"],
                c["num_attention_heads"],
                c["intermediate_size"],
                c["hidden_act"],
                c["hidden_dropout"],
                c["attention_dropout"],
                c["activation_dropout"],
                initializer,
                c["layer_norm_eps"],
                c["do_stable_layer_norm"],
                dtype=policy,
                name=f"block_{place}",
            )
            x = block(x, frames)
            self.blocks.append(block)
        if c["do_stable_layer_norm"]:
            x = self.norm(x)
        x = layers.Dropout(c["final_dropout"], dtype=policy, name="final_dropout")(x)
        self.head = layers.Dense(c["vocab_size"], kernel_initializer=initializer, dtype=policy, name="head")
        logits = layers.Activation("linear", dtype="float32", name="logits")(self.head(x))
        return keras.Model([values, lengths], {"logits": logits}, name=self.family)

    def targets(self, names: frozenset[str]) -> Mapping[tuple[str, ...], Target]:
        found: Targets = {}
        for place, (kernel, scale) in enumerate(self.convolutions):
            at = f"{self.prefix}.feature_extractor.conv_layers.{place}"
            found |= along_time(f"{at}.conv", kernel) | (
                {} if scale is None else norm(f"{at}.layer_norm", scale)
            )
        if self.projection_norm:
            found |= norm(f"{self.prefix}.feature_projection.layer_norm", self.projection_norm)
        found |= dense(f"{self.prefix}.feature_projection.projection", self.projection)
        found |= self._positions(f"{self.prefix}.encoder.pos_conv_embed.conv")
        found |= norm(f"{self.prefix}.encoder.layer_norm", self.norm)
        for place, block in enumerate(self.blocks):
            at = f"{self.prefix}.encoder.layers.{place}"
            found |= attention(
                {ours: f"{at}.attention.{name}" for ours, name in PROJECTIONS.items()}, block.attention
            )
            found |= norm(f"{at}.layer_norm", block.attention_norm) | norm(
                f"{at}.final_layer_norm", block.norm
            )
            found |= dense(f"{at}.feed_forward.intermediate_dense", block.feed_forward.inner)
            found |= dense(f"{at}.feed_forward.output_dense", block.feed_forward.outer)
        return found | dense("lm_head", self.head)

    def _positions(self, at: str) -> Targets:
        """The normalized kernel, in the two ways in which PyTorch has named its parts."""

        def turned(stored: np.ndarray) -> np.ndarray:
            return np.transpose(stored, (2, 1, 0))

        new = f"{at}.parametrizations.weight"
        return {
            (f"{new}.original0", f"{at}.weight_g"): Target(self.positions.length, turned, turned),
            (f"{new}.original1", f"{at}.weight_v"): Target(self.positions.direction, turned, turned),
            (f"{at}.bias",): Target(self.positions.bias),
        }


class Hubert(Wav2Vec2):
    """The same network, named otherwise."""

    family = "hubert"
    prefix = "hubert"
    architecture = "HubertForCTC"
