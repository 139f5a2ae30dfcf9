"""The encoder–decoder transformer that the families of several plugins are: Marian, BART and their kin.

Widths, depths and weight names follow the layout that ``transformers`` publishes for them. A family says in
class attributes how it differs, and which positions it uses.

Source: Vaswani et al. 2017; Lewis et al. 2020 (BART), whose names the layout kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from sixarts.checkpoint import Target, Weights
from sixarts.device import backend
from sixarts.errors import CheckpointError
from sixarts.generation import PUBLISHED, Generator, Search
from sixarts.layers import DecoderBlock, EncoderBlock, OutputBias, Positions
from sixarts.masks import mask_bias
from sixarts.model import Model, read_optional_json, write_json
from sixarts.readers.limits import check, check_transformer, search_limits
from sixarts.step_cache import empty_cache, past_bias

#: What a configuration means where it is silent and its family says nothing else.
DEFAULTS: dict[str, Any] = {
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
    "tie_word_embeddings": True,
}

#: Most hypotheses in a batch for which the output layer multiplies from the left.
FEW = 16

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


class EncoderDecoder(Model):
    """Encoder, decoder with cached steps, and output layer; all widths from ``config.json``.

    Attributes:
        defaults: the family's own values over :data:`DEFAULTS`.
        norm_first: whether blocks normalize before each part; then encoder and decoder end with a norm.
        norm_embedding: whether embeddings with their positions are normalized.
        bias_logits: whether a bias is added to the logits.
        positions: what :class:`sixarts.layers.Positions` takes besides sizes.
        search: how the checkpoint's authors generate, from ``generation_config.json`` or ``config.json``.
        attention_network: ``network``'s inputs to ``cross_attention``, ``[b, layers, h, t, s]``.
    """

    cut = "input_ids"
    defaults: ClassVar[Mapping[str, Any]] = {}
    norm_first: ClassVar[bool] = False
    norm_embedding: ClassVar[bool] = False
    bias_logits: ClassVar[bool] = True
    positions: ClassVar[Mapping[str, Any]] = {}
    # `shared` stands beside untied tables in some files; nothing reads it there.
    ignored: ClassVar[tuple[str, ...]] = ("model.shared.weight",)
    settings = frozenset({*DEFAULTS, *PUBLISHED, "vocab_size", "eos_token_id", "bad_words_ids"})
    generation: Mapping[str, Any] = {}
    #: Names of the tables of positions that the file had: in half precision they are not the formula's.
    tables: frozenset[str] = frozenset()

    @classmethod
    def configure(cls, /, **config: Any) -> dict[str, Any]:
        """Fills in the layout's defaults and checks what must fit together."""
        full = {**DEFAULTS, **cls.defaults, **config}
        check_transformer(full)
        return full

    @property
    def target_words(self) -> int:
        """Size of the vocabulary that is written."""
        return int(self.config.get("decoder_vocab_size") or self.config["vocab_size"])

    def build(self, initializer: str) -> keras.Model:
        c, policy = self.config, self.device.policy
        width = c["d_model"]
        tied = c["tie_word_embeddings"]
        normal = keras.initializers.RandomNormal(stddev=width**-0.5)
        table = initializer if initializer == "zeros" else normal
        embedding = partial(
            keras.layers.ReversibleEmbedding, output_dim=width, embeddings_initializer=table, dtype=policy
        )
        self.target_embedding = embedding(self.target_words, tie_weights=tied, name="target_embedding")
        shared = c.get("share_encoder_decoder_embeddings", True) and tied
        self.source_embedding = (
            self.target_embedding if shared else embedding(c["vocab_size"], name="source_embedding")
        )
        positions = partial(
            Positions,
            c["max_position_embeddings"],
            **self.positions,
            norm=self.norm_embedding,
            scale=math.sqrt(width) if c["scale_embedding"] else 1.0,
            dropout=c["dropout"],
            initializer=table,
            dtype=policy,
        )
        self.source_positions = positions(name="source_positions")
        self.target_positions = positions(name="target_positions")
        block = {name: c[name] for name in ("dropout", "attention_dropout", "activation_dropout")} | {
            "activation_name": c["activation_function"],
            "initializer": initializer,
            "norm_first": self.norm_first,
            "dtype": policy,
        }
        self.encoder, self.decoder = (
            [
                kind(width, c[f"{side}_attention_heads"], c[f"{side}_ffn_dim"], **block, name=f"{side}_{i}")
                for i in range(c[f"{side}_layers"])
            ]
            for side, kind in (("encoder", EncoderBlock), ("decoder", DecoderBlock))
        )
        last = partial(keras.layers.LayerNormalization, epsilon=1e-5, dtype=policy)
        self.encoder_norm = last(name="encoder_norm") if self.norm_first else _same
        self.decoder_norm = last(name="decoder_norm") if self.norm_first else _same
        if self.bias_logits:
            self.output_bias = OutputBias(self.target_words, dtype=policy, name="output_bias")

        def decode(target: Any, memory: Any, mask: Any) -> tuple[Any, list[Any]]:
            x, weights = self.target_positions(self.target_embedding(target)), []
            for layer in self.decoder:
                x, attention = layer(x, memory, mask)
                weights.append(attention)
            return x, weights

        return wired(self, decode)

    def _encoded(self, embedded: Any, mask: Any) -> Any:
        """Source embeddings to the encoder's output, ``[b, s, d]``."""
        memory = self.source_positions(embedded)
        for layer in self.encoder:
            memory = layer(memory, mask)
        return self.encoder_norm(memory)

    def _logits(self, x: Any) -> Any:
        """The last decoder block's output to float32 logits."""
        logits = self._scored(self.decoder_norm(x))
        return self.output_bias(logits) if self.bias_logits else ops.cast(logits, "float32")

    def _scored(self, x: Any) -> Any:
        """Each word of the vocabulary against ``[b, k, d]``."""
        tied, known = self.config["tie_word_embeddings"], None not in x.shape
        if not (tied and known and math.prod(x.shape[:2]) <= FEW and backend() != "torch"):
            return self.target_embedding(x, reverse=True)
        # XLA reads the table once, in its own order, where it stands on the left; for one hypothesis a whole
        # step takes a fifth less time than the usual way around. A transpose it would fold into the product,
        # which is the usual way around again.
        table = ops.cast(self.target_embedding.embeddings, x.dtype)
        logits = ops.matmul(table, ops.transpose(ops.reshape(x, (-1, x.shape[2]))))
        each = [logits[:, number] for number in range(logits.shape[1])]
        return ops.reshape(ops.stack(each), (*x.shape[:2], self.target_words))

    # Weights.

    def targets(self, names: frozenset[str]) -> Mapping[tuple[str, ...], Target]:
        found = self._embedding_targets()
        if self.bias_logits and (not names or "final_logits_bias" in names):
            # A buffer of zeros that some files leave out.
            found[("final_logits_bias",)] = Target(self.output_bias.bias)
        for side, blocks, parts, places, norm in (
            ("encoder", self.encoder, ENCODER_PARTS, self.source_positions, self.encoder_norm),
            ("decoder", self.decoder, DECODER_PARTS, self.target_positions, self.decoder_norm),
        ):
            head = f"model.{side}"
            for i, block in enumerate(blocks):
                for part, path in parts.items():
                    found |= layer_targets(f"{head}.layers.{i}.{part}", _at(block, path))
            table = f"{head}.embed_positions.weight"
            # A formula's table is read where a file carries it, and is then saved with the others.
            if places.formula is None or table in (names or self.tables):
                found[(table,)] = Target(places.table)
            if places.norm:
                found |= layer_targets(f"{head}.layernorm_embedding", places.norm)
            if self.norm_first:
                found |= layer_targets(f"{head}.layer_norm", norm)
        return found

    def load_weights(self, weights: Weights) -> None:
        super().load_weights(weights)
        self.tables = frozenset(name for name in weights if name.endswith(".embed_positions.weight"))

    def _embedding_targets(self) -> dict[tuple[str, ...], Target]:
        source, target = "model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight"
        table = Target(self.target_embedding.embeddings)
        if self.source_embedding is self.target_embedding:
            return {("model.shared.weight", source, target, "lm_head.weight"): table}
        found: dict[tuple[str, ...], Target] = {(source,): Target(self.source_embedding.embeddings)}
        if self.config["tie_word_embeddings"]:
            return {**found, (target, "lm_head.weight"): table}
        head = Target(self.target_embedding.reverse_embeddings, np.transpose)
        return {**found, (target,): table, ("lm_head.weight",): head}

    # Generation.

    def read_extras(self, folder: Path) -> None:
        self.generation = read_optional_json(folder / "generation_config.json")
        stated = self.published_settings
        check(stated, search_limits(self.target_words), optional=True)
        if lost := [name for name in ("decoder_start_token_id", "pad_token_id") if stated.get(name) is None]:
            raise CheckpointError(
                f"config.json states no {lost[0]}; expected the token's number; fetch the model again"
            )

    def save(self, folder: Path) -> None:
        super().save(folder)
        if self.generation:
            write_json(Path(folder) / "generation_config.json", self.generation)

    @property
    def published_settings(self) -> dict[str, Any]:
        """What the checkpoint's authors say of generation and all else, the later file over the earlier."""
        return {**self.config, **self.generation}

    @property
    def longest(self) -> int:
        """Most tokens that the decoder writes."""
        return int(self.config["max_position_embeddings"])

    @property
    def search(self) -> Search:
        stated = self.published_settings
        if stated.get("max_length") is None:
            stated["max_length"] = 512
        found = Search.from_config(stated)
        return found if found.max_length <= self.longest else found.with_options(max_length=self.longest)

    @property
    def generator(self) -> Generator:
        if not hasattr(self, "_generator"):
            self._generator = Generator(self)
        return self._generator

    def flops(self, source: int, target: int, beams: int) -> float:
        """Operations of turning ``source`` tokens into ``target`` ones: two a weight and position.

        Counts matrix products of blocks, attention and the output layer; source: Kaplan et al. 2020,
        appendix B.
        """
        c, width = self.config, self.config["d_model"]
        encoder = c["encoder_layers"] * (4 * width**2 + 2 * width * c["encoder_ffn_dim"] + 2 * source * width)
        per_token = 6 * width**2 + 2 * width * c["decoder_ffn_dim"] + (source + target) * 2 * width
        cross_keys = c["decoder_layers"] * 2 * width**2 * source
        decoder = c["decoder_layers"] * per_token + width * self.target_words
        return float(2 * (encoder * source + cross_keys + beams * decoder * target))

    def encode(self, inputs: Mapping[str, Any]) -> Any:
        """Source tokens to every decoder block's cross keys and values, and the mask's bias."""
        mask = inputs["attention_mask"]
        memory = self._encoded(self.source_embedding(inputs["input_ids"]), mask)
        bias = mask_bias(mask, self.decoder[0].compute_dtype)
        return [layer.cross_attention.project(memory) for layer in self.decoder], bias

    def empty_cache(self, rows: int, beams: int, length: int) -> Any:
        heads = self.config["decoder_attention_heads"]
        size, dtype = self.config["d_model"] // heads, self.decoder[0].compute_dtype
        return empty_cache(len(self.decoder), rows, heads, length * beams, size, dtype)

    def step(self, tokens: Any, index: Any, cache: Any, memory: Any, ancestors: Any) -> tuple[Any, Any]:
        cross, bias = memory
        past = past_bias(
            index, cache[0][1].shape[1] // tokens.shape[1], ancestors, self.decoder[0].compute_dtype
        )
        x = self.target_positions(self.target_embedding(tokens), index=index)
        updated = []
        for layer, kept, keys_and_values in zip(self.decoder, cache, cross, strict=True):
            x, kept = layer.step(x, kept, index, past, keys_and_values, bias)
            updated.append(kept)
        return self._logits(x), updated


def wired(model: Any, decode: Callable[[Any, Any, Any], tuple[Any, list[Any]]]) -> keras.Model:
    """The network of an encoder–decoder model whose layers are made, and its ``attention_network``.

    Args:
        model: is given ``embedded`` and ``attention_network``; has ``source_embedding``, ``_encoded`` and
            ``_logits``.
        decode: target tokens, the encoder's output and its mask to the decoder's output and each layer's
            cross-attention, ``[b, h, t, s]``.
    """
    source = keras.Input((None,), dtype="int32", name="input_ids")
    mask = keras.Input((None,), dtype="int32", name="attention_mask")
    target = keras.Input((None,), dtype="int32", name="decoder_input_ids")
    # An operation of its own: a cut at a table that both sides share would lose the other side's call.
    cut = keras.layers.Identity(dtype=model.device.policy, name="embedded")
    model.embedded = cut(model.source_embedding(source))
    x, weights = decode(target, model._encoded(model.embedded, mask), mask)
    inputs = {"input_ids": source, "attention_mask": mask, "decoder_input_ids": target}
    stacked = keras.layers.Lambda(partial(ops.stack, axis=1), name="attention")
    model.attention_network = keras.Model(inputs, {"cross_attention": stacked(weights)})
    return keras.Model(inputs, {"logits": model._logits(x)}, name=model.family)


def layer_targets(prefix: str, layer: Any) -> dict[tuple[str, ...], Target]:
    """The published weights of a dense layer, a norm, or an attention's four projections."""
    if isinstance(layer, keras.layers.Dense):
        return {
            (f"{prefix}.weight",): Target(layer.kernel, np.transpose),
            (f"{prefix}.bias",): Target(layer.bias),
        }
    if isinstance(layer, keras.layers.LayerNormalization):
        return {(f"{prefix}.weight",): Target(layer.gamma), (f"{prefix}.bias",): Target(layer.beta)}
    found: dict[tuple[str, ...], Target] = {}
    for name, attribute in PROJECTIONS.items():
        found |= layer_targets(f"{prefix}.{name}", getattr(layer, attribute))
    return found


def _same(x: Any) -> Any:
    return x


def _at(block: Any, path: str) -> Any:
    for name in path.split("."):
        block = getattr(block, name)
    return block
