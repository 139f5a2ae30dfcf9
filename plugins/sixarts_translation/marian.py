"""The ``marian`` family: the encoder–decoder of Marian NMT, in the layout of ``Helsinki-NLP/opus-mt-*``.

Source: Junczys-Dowmunt et al. 2018 (Marian); Tiedemann and Thottingal 2020 (OPUS-MT); weight names as
published with ``transformers`` (``MarianMTModel``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from sixarts.checkpoint import Target, Weights
from sixarts.errors import CheckpointError
from sixarts.generation import PUBLISHED, Generator, Search
from sixarts.layers import DecoderBlock, EncoderBlock, OutputBias, SinusoidalPositions, mask_bias
from sixarts.model import Model, read_optional_json, write_json
from sixarts_translation.marian_processor import MarianProcessor

#: What a configuration means where it is silent, by the published layout.
DEFAULTS: dict[str, Any] = {
    "model_type": "marian",
    "architectures": ["MarianMTModel"],
    "vocab_size": 58101,
    "d_model": 1024,
    "encoder_layers": 12,
    "decoder_layers": 12,
    "encoder_attention_heads": 16,
    "decoder_attention_heads": 16,
    "encoder_ffn_dim": 4096,
    "decoder_ffn_dim": 4096,
    "max_position_embeddings": 1024,
    "activation_function": "gelu",
    "dropout": 0.1,
    "attention_dropout": 0.0,
    "activation_dropout": 0.0,
    "scale_embedding": False,
    "share_encoder_decoder_embeddings": True,
    "tie_word_embeddings": True,
}

#: Published name of a block's part to the path of our layer.
ENCODER_PARTS = {
    "self_attn": "attention",
    "self_attn_layer_norm": "attention_norm",
    "fc1": "feed_forward.inner",
    "fc2": "feed_forward.outer",
    "final_layer_norm": "norm",
}
DECODER_PARTS = {
    **ENCODER_PARTS,
    "encoder_attn": "cross_attention",
    "encoder_attn_layer_norm": "cross_attention_norm",
}
PROJECTIONS = {"q_proj": "query", "k_proj": "key", "v_proj": "value", "out_proj": "out"}


class Marian(Model):
    """Encoder, decoder with cached steps, and output layer; all widths from ``config.json``.

    Attributes:
        search: how the checkpoint's authors generate, from ``generation_config.json`` or ``config.json``.
        attention_network: ``network``'s inputs to ``cross_attention``, ``[b, layers, h, t, s]``.
    """

    family = "marian"
    processor_class = MarianProcessor
    cut = "input_ids"
    # `shared` stands beside untied tables in some files; nothing reads it there.
    ignored: ClassVar[tuple[str, ...]] = ("model.shared.weight",)
    settings = frozenset({*DEFAULTS, *PUBLISHED, "eos_token_id", "bad_words_ids", "decoder_vocab_size"})

    @classmethod
    def configure(cls, **config: Any) -> dict[str, Any]:
        """Fills in the layout's defaults and checks what must fit together."""
        full = {**DEFAULTS, **config}
        full["decoder_vocab_size"] = full.get("decoder_vocab_size") or full["vocab_size"]
        full.setdefault("pad_token_id", full["decoder_vocab_size"] - 1)
        full.setdefault("eos_token_id", 0)
        if full.get("decoder_start_token_id") is None:
            full["decoder_start_token_id"] = full["pad_token_id"]
        full.setdefault("forced_eos_token_id", full["eos_token_id"])
        for side in ("encoder", "decoder"):
            heads = full[f"{side}_attention_heads"]
            if full["d_model"] % heads:
                raise CheckpointError(
                    f"d_model={full['d_model']} with {side}_attention_heads={heads}; expected a divisor"
                )
        return full

    def sized(self, processor: Any) -> dict[str, Any]:
        words = processor.target_vocabulary
        return {
            **self.config,
            "vocab_size": len(processor.vocabulary),
            "decoder_vocab_size": len(words),
            "share_encoder_decoder_embeddings": False,
            "pad_token_id": words["<pad>"],
            "decoder_start_token_id": words["<pad>"],
            "eos_token_id": words["</s>"],
            "forced_eos_token_id": words["</s>"],
            "bad_words_ids": [[words["<pad>"]], [words["<unk>"]]],
        }

    def build(self, initializer: str) -> keras.Model:
        c, policy = self.config, self.device.policy
        width = c["d_model"]
        tied = c["tie_word_embeddings"]
        embedding = partial(
            keras.layers.ReversibleEmbedding,
            output_dim=width,
            embeddings_initializer=initializer if initializer == "zeros" else _embedding_initializer(width),
            dtype=policy,
        )
        self.target_embedding = embedding(c["decoder_vocab_size"], tie_weights=tied, name="target_embedding")
        shared = c["share_encoder_decoder_embeddings"] and tied
        self.source_embedding = (
            self.target_embedding if shared else embedding(c["vocab_size"], name="source_embedding")
        )
        positions = partial(
            SinusoidalPositions,
            c["max_position_embeddings"],
            scale=math.sqrt(width) if c["scale_embedding"] else 1.0,
            dropout=c["dropout"],
            dtype=policy,
        )
        self.source_positions = positions(name="source_positions")
        self.target_positions = positions(name="target_positions")
        block = {
            "activation_name": c["activation_function"],
            "dropout": c["dropout"],
            "attention_dropout": c["attention_dropout"],
            "activation_dropout": c["activation_dropout"],
            "initializer": initializer,
            "dtype": policy,
        }
        self.encoder = [
            EncoderBlock(
                width, c["encoder_attention_heads"], c["encoder_ffn_dim"], **block, name=f"encoder_{i}"
            )
            for i in range(c["encoder_layers"])
        ]
        self.decoder = [
            DecoderBlock(
                width, c["decoder_attention_heads"], c["decoder_ffn_dim"], **block, name=f"decoder_{i}"
            )
            for i in range(c["decoder_layers"])
        ]
        self.output_bias = OutputBias(c["decoder_vocab_size"], dtype=policy, name="output_bias")

        source = keras.Input((None,), dtype="int32", name="input_ids")
        mask = keras.Input((None,), dtype="int32", name="attention_mask")
        target = keras.Input((None,), dtype="int32", name="decoder_input_ids")
        self.embedded = self.source_embedding(source)
        memory = self.source_positions(self.embedded)
        for layer in self.encoder:
            memory = layer(memory, mask)
        x = self.target_positions(self.target_embedding(target))
        weights = []
        for layer in self.decoder:
            x, attention = layer(x, memory, mask)
            weights.append(attention)
        inputs = {"input_ids": source, "attention_mask": mask, "decoder_input_ids": target}
        logits = self.output_bias(self.target_embedding(x, reverse=True))
        self.attention_network = keras.Model(
            inputs, {"cross_attention": keras.layers.Lambda(_stacked, name="attention")(weights)}
        )
        return keras.Model(inputs, {"logits": logits}, name="marian")

    def targets(self, names: frozenset[str]) -> Mapping[tuple[str, ...], Target]:
        found = {
            ("final_logits_bias",): Target(self.output_bias.bias),
            **self._embedding_targets(),
        }
        for side, blocks, parts in (
            ("encoder", self.encoder, ENCODER_PARTS),
            ("decoder", self.decoder, DECODER_PARTS),
        ):
            for i, block in enumerate(blocks):
                for part, path in parts.items():
                    found |= _layer_targets(f"model.{side}.layers.{i}.{part}", _at(block, path))
        # Old files carry the table of positions, which is a formula; it is read where it is there.
        for side, layer in (("encoder", self.source_positions), ("decoder", self.target_positions)):
            name = f"model.{side}.embed_positions.weight"
            if name in names or (not names and name in self.tables):
                found[(name,)] = Target(layer.table)
        if names and "final_logits_bias" not in names:
            del found[("final_logits_bias",)]  # a buffer of zeros that some files leave out
        return found

    def _embedding_targets(self) -> dict[tuple[str, ...], Target]:
        source, target = "model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight"
        table = Target(self.target_embedding.embeddings)
        if self.source_embedding is self.target_embedding:
            return {("model.shared.weight", source, target, "lm_head.weight"): table}
        found = {(source,): Target(self.source_embedding.embeddings)}
        if self.config["tie_word_embeddings"]:
            return {**found, (target, "lm_head.weight"): table}
        head = Target(self.target_embedding.reverse_embeddings, np.transpose)
        return {**found, (target,): table, ("lm_head.weight",): head}

    #: Names of the tables of positions that the file had: in half precision they are not the formula's.
    tables: frozenset[str] = frozenset()

    def load_weights(self, weights: Weights) -> None:
        super().load_weights(weights)
        self.tables = frozenset(name for name in weights if name.endswith(".embed_positions.weight"))

    # Generation.

    def read_extras(self, folder: Path) -> None:
        self.generation = read_optional_json(folder / "generation_config.json")

    def save(self, folder: Path) -> None:
        super().save(folder)
        if self.generation:
            write_json(Path(folder) / "generation_config.json", self.generation)

    generation: Mapping[str, Any] = {}

    @property
    def search(self) -> Search:
        found = Search.from_config({"max_length": 512, **self.config, **self.generation})
        longest = self.config["max_position_embeddings"]
        return found if found.max_length <= longest else found.with_options(max_length=longest)

    @property
    def generator(self) -> Generator:
        if not hasattr(self, "_generator"):
            self._generator = Generator(self)
        return self._generator

    def flops(self, source: int, target: int, beams: int) -> float:
        """Operations of translating ``source`` tokens into ``target`` ones: two a weight and position.

        Counts matrix products of blocks, attention and the output layer; source: Kaplan et al. 2020,
        appendix B.
        """
        c, width = self.config, self.config["d_model"]
        encoder = c["encoder_layers"] * (4 * width**2 + 2 * width * c["encoder_ffn_dim"] + 2 * source * width)
        per_token = 6 * width**2 + 2 * width * c["decoder_ffn_dim"] + (source + target) * 2 * width
        cross_keys = c["decoder_layers"] * 2 * width**2 * source
        decoder = c["decoder_layers"] * per_token + width * c["decoder_vocab_size"]
        return 2.0 * (encoder * source + cross_keys + beams * decoder * target)

    def encode(self, inputs: Mapping[str, Any]) -> Any:
        """Source tokens to every decoder block's cross keys and values, and the mask's bias."""
        mask = inputs["attention_mask"]
        memory = self.source_positions(self.source_embedding(inputs["input_ids"]))
        for layer in self.encoder:
            memory = layer(memory, mask)
        bias = mask_bias(mask, self.decoder[0].compute_dtype)
        return [layer.cross_attention.project(memory) for layer in self.decoder], bias

    def empty_cache(self, rows: int, length: int) -> Any:
        heads = self.config["decoder_attention_heads"]
        shape = (rows, heads, length, self.config["d_model"] // heads)
        dtype = self.decoder[0].compute_dtype
        return [(ops.zeros(shape, dtype), ops.zeros(shape, dtype)) for _ in self.decoder]

    def step(self, tokens: Any, index: Any, cache: Any, memory: Any) -> tuple[Any, Any]:
        cross, bias = memory
        x = self.target_positions(self.target_embedding(tokens), index=index)
        updated = []
        for layer, kept, keys_and_values in zip(self.decoder, cache, cross, strict=True):
            x, kept = layer.step(x, kept, index, keys_and_values, bias)
            updated.append(kept)
        return self.output_bias(self.target_embedding(x, reverse=True)), updated


def _embedding_initializer(width: int) -> Any:
    return keras.initializers.RandomNormal(stddev=width**-0.5)


def _stacked(weights: Any) -> Any:
    return ops.stack(weights, axis=1)


def _at(block: Any, path: str) -> Any:
    for name in path.split("."):
        block = getattr(block, name)
    return block


def _layer_targets(prefix: str, layer: Any) -> dict[tuple[str, ...], Target]:
    """The weights of a dense layer, a norm, or an attention's four projections."""
    if isinstance(layer, keras.layers.Dense):
        return {
            (f"{prefix}.weight",): Target(layer.kernel, np.transpose),
            (f"{prefix}.bias",): Target(layer.bias),
        }
    if isinstance(layer, keras.layers.LayerNormalization):
        return {(f"{prefix}.weight",): Target(layer.gamma), (f"{prefix}.bias",): Target(layer.beta)}
    found: dict[tuple[str, ...], Target] = {}
    for name, attribute in PROJECTIONS.items():
        found |= _layer_targets(f"{prefix}.{name}", getattr(layer, attribute))
    return found
