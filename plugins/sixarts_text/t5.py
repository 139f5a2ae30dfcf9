"""The ``t5`` family: T5, its version 1.1 and FLAN-T5, as ``google-t5/*`` and ``google/flan-t5-*`` lie.

Sources: Raffel et al. 2020; Chung et al. 2022 (FLAN); weight names as published with ``transformers``
(``T5ForConditionalGeneration``).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import keras
import numpy as np
from keras import layers, ops

from sixarts.checkpoint import Target
from sixarts.errors import CheckpointError
from sixarts.generation import PUBLISHED
from sixarts.networks.encoder_decoder import wired
from sixarts.readers.limits import NAME, TRUTH, check, number, whole
from sixarts.step_cache import empty_cache, past_bias
from sixarts_text.summarizer import Summarizer
from sixarts_text.summary_processor import T5Processor
from sixarts_text.t5_layers import RelativePositions, T5DecoderBlock, T5EncoderBlock

#: What a configuration says, each far beyond what is published.
LIMITS = {
    "vocab_size": whole(1, 2**24),
    "d_model": whole(1, 2**15),
    "d_kv": whole(1, 2**12),
    "d_ff": whole(1, 2**18),
    "num_layers": whole(1, 128),
    "num_decoder_layers": whole(1, 128),
    "num_heads": whole(1, 2**10),
    "relative_attention_num_buckets": whole(4, 2**12),
    "relative_attention_max_distance": whole(2, 2**16),
    "n_positions": whole(1, 2**20),
    "dropout_rate": number(0, 1),
    "layer_norm_epsilon": number(0, 1),
    "feed_forward_proj": NAME,
    "tie_word_embeddings": TRUTH,
    "scale_decoder_outputs": TRUTH,
}
DEFAULTS: dict[str, Any] = {
    "model_type": "t5",
    "architectures": ["T5ForConditionalGeneration"],
    "vocab_size": 32128,
    "d_model": 512,
    "d_kv": 64,
    "d_ff": 2048,
    "num_layers": 6,
    "num_heads": 8,
    "relative_attention_num_buckets": 32,
    "relative_attention_max_distance": 128,
    "dropout_rate": 0.1,
    "layer_norm_epsilon": 1e-6,
    "feed_forward_proj": "relu",
    "tie_word_embeddings": True,
    "pad_token_id": 0,
    "eos_token_id": 1,
    "decoder_start_token_id": 0,
}
#: Most tokens of a summary; positions are relative and set no limit of their own.
LONGEST = 4096

#: Published name of an attention's projection to ours.
PROJECTIONS = {"q": "query", "k": "key", "v": "value", "o": "out"}


class T5(Summarizer):
    """Raffel et al. 2020: norms before each part and without a mean, distances in place of positions."""

    family = "t5"
    processor_class = T5Processor
    defaults: ClassVar[Mapping[str, Any]] = DEFAULTS
    settings = frozenset({*DEFAULTS, *PUBLISHED, "num_decoder_layers", "n_positions", "bad_words_ids"})
    # Old files have a table of distances between decoder and encoder, which nothing reads.
    ignored: ClassVar[tuple[str, ...]] = (
        "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight",
    )

    @classmethod
    def configure(cls, /, **config: Any) -> dict[str, Any]:
        full = {**cls.defaults, **{name: value for name, value in config.items() if value is not None}}
        full.setdefault("num_decoder_layers", full["num_layers"])
        # What was published without tied tables is what does not scale its output either.
        full.setdefault("scale_decoder_outputs", full["tie_word_embeddings"])
        check(full, LIMITS)
        _feed_forward(full["feed_forward_proj"])
        count, farthest = full["relative_attention_num_buckets"], full["relative_attention_max_distance"]
        if farthest <= count // 2:
            raise CheckpointError(
                f"relative_attention_max_distance={farthest} with relative_attention_num_buckets={count}; "
                "expected more than half the buckets; check config.json"
            )
        return full

    @classmethod
    def read_config(cls, folder: Path) -> dict[str, Any]:
        config = super().read_config(folder)
        if not _stated(config, "tie_word_embeddings") or not _stated(config, "scale_decoder_outputs"):
            # Newer files say that tables are tied where they are not, and the reverse: the weights decide.
            config.setdefault("scale_decoder_outputs", False)
            config["tie_word_embeddings"] = "lm_head.weight" not in cls.open_weights(folder)
        return config

    @property
    def longest(self) -> int:
        return LONGEST

    def build(self, initializer: str) -> keras.Model:
        c, policy = self.config, self.device.policy
        width = c["d_model"]
        drawn = partial(self._drawn, initializer)
        self.target_embedding = self.source_embedding = layers.ReversibleEmbedding(
            c["vocab_size"],
            width,
            tie_weights=c["tie_word_embeddings"],
            embeddings_initializer=drawn(1.0),
            dtype=policy,
            name="embedding",
        )
        name, gated = _feed_forward(c["feed_forward_proj"])
        sizes = {
            "width": width,
            "heads": c["num_heads"],
            "size": c["d_kv"],
            "inner": c["d_ff"],
            "activation_name": name,
            "gated": gated,
            "dropout": c["dropout_rate"],
            "epsilon": c["layer_norm_epsilon"],
            "initializer": drawn(width**-0.5),
            "dtype": policy,
        }
        self.encoder, self.decoder = (
            [kind(**sizes, name=f"{side}_{i}") for i in range(c[count])]
            for side, kind, count in (
                ("encoder", T5EncoderBlock, "num_layers"),
                ("decoder", T5DecoderBlock, "num_decoder_layers"),
            )
        )
        self.encoder_distances, self.decoder_distances = (
            RelativePositions(
                c["num_heads"],
                c["relative_attention_num_buckets"],
                c["relative_attention_max_distance"],
                side == "encoder",
                drawn(width**-0.5),
                dtype=policy,
                name=f"{side}_distances",
            )
            for side in ("encoder", "decoder")
        )
        self.encoder_norm, self.decoder_norm = (
            layers.RMSNormalization(epsilon=c["layer_norm_epsilon"], dtype=policy, name=f"{side}_norm")
            for side in ("encoder", "decoder")
        )
        self.dropout = layers.Dropout(c["dropout_rate"], dtype=policy, name="dropout")

        def decode(target: Any, memory: Any, mask: Any) -> tuple[Any, list[Any]]:
            x = self.dropout(self.target_embedding(target))
            distances, weights = self.decoder_distances(x), []
            for layer in self.decoder:
                x, attention = layer(x, memory, mask, distances)
                weights.append(attention)
            return x, weights

        return wired(self, decode)

    @staticmethod
    def _drawn(initializer: str, deviation: float) -> Any:
        """The published draw of new weights, or none where a checkpoint follows."""
        return initializer if initializer == "zeros" else keras.initializers.RandomNormal(stddev=deviation)

    def _encoded(self, embedded: Any, mask: Any) -> Any:
        memory = self.dropout(embedded)
        distances = self.encoder_distances(memory)
        for layer in self.encoder:
            memory = layer(memory, mask, distances)
        return self.dropout(self.encoder_norm(memory))

    def _logits(self, x: Any) -> Any:
        x = self.dropout(self.decoder_norm(x))
        if self.config["scale_decoder_outputs"]:
            x = x * ops.cast(self.config["d_model"] ** -0.5, x.dtype)
        return ops.cast(self._scored(x), "float32")

    # Weights.

    def targets(self, names: frozenset[str]) -> Mapping[tuple[str, ...], Target]:
        places = ("shared.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight")
        table, head = Target(self.target_embedding.embeddings), ("lm_head.weight",)
        if self.config["tie_word_embeddings"]:
            found: dict[tuple[str, ...], Target] = {(*places, *head): table}
        else:
            found = {places: table, head: Target(self.target_embedding.reverse_embeddings, np.transpose)}
        for side, blocks, distances, norm in (
            ("encoder", self.encoder, self.encoder_distances, self.encoder_norm),
            ("decoder", self.decoder, self.decoder_distances, self.decoder_norm),
        ):
            first = f"{side}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
            found[(first,)] = Target(distances.table)
            found[(f"{side}.final_layer_norm.weight",)] = Target(norm.scale)
            for i, block in enumerate(blocks):
                found |= _block_targets(f"{side}.block.{i}.layer", block)
        return found

    # Generation.

    def flops(self, source: int, target: int, beams: int) -> float:
        """Operations of turning ``source`` tokens into ``target`` ones; as :meth:`EncoderDecoder.flops`."""
        c, width = self.config, self.config["d_model"]
        inner = c["num_heads"] * c["d_kv"]
        forward = width * c["d_ff"] * (3 if self.encoder[0].feed_forward.gate is not None else 2)
        encoder = c["num_layers"] * (4 * width * inner + forward + 2 * source * inner)
        per_token = 6 * width * inner + forward + (source + target) * 2 * inner
        cross_keys = c["num_decoder_layers"] * 2 * width * inner * source
        decoder = c["num_decoder_layers"] * per_token + width * self.target_words
        return float(2 * (encoder * source + cross_keys + beams * decoder * target))

    def empty_cache(self, rows: int, beams: int, length: int) -> Any:
        c, dtype = self.config, self.decoder[0].compute_dtype
        return empty_cache(len(self.decoder), rows, c["num_heads"], length * beams, c["d_kv"], dtype)

    def step(self, tokens: Any, index: Any, cache: Any, memory: Any, ancestors: Any) -> tuple[Any, Any]:
        cross, bias = memory
        beams = tokens.shape[1]
        length = cache[0][1].shape[1] // beams
        past = past_bias(index, length, ancestors, self.decoder[0].compute_dtype)
        past = past + self.decoder_distances.before(index, length, beams)
        x = self.target_embedding(tokens)
        updated = []
        for layer, kept, keys_and_values in zip(self.decoder, cache, cross, strict=True):
            x, kept = layer.step(x, kept, index, past, keys_and_values, bias)
            updated.append(kept)
        return self._logits(x), updated


def _stated(config: Mapping[str, Any], name: str) -> bool:
    """Whether a setting is on, or left out."""
    return config.get(name) is not False


def _feed_forward(stated: str) -> tuple[str, bool]:
    """Activation of a published ``feed_forward_proj``, e.g. ``"gated-gelu"``, and whether it is gated.

    >>> _feed_forward("gated-gelu"), _feed_forward("relu")
    (('gelu_new', True), ('relu', False))
    """
    gate, dash, name = stated.rpartition("-")
    if dash and gate != "gated":
        raise CheckpointError(
            f"feed_forward_proj={stated[:60]!r}; expected an activation, or 'gated-' and one; "
            "check config.json"
        )
    return ("gelu_new" if stated == "gated-gelu" else name), bool(dash)


def _block_targets(at: str, block: Any) -> dict[tuple[str, ...], Target]:
    """Published names of a block's weights."""
    found: dict[tuple[str, ...], Target] = {}
    parts = [("SelfAttention", block.attention, block.attention_norm)]
    if isinstance(block, T5DecoderBlock):
        parts.append(("EncDecAttention", block.cross_attention, block.cross_attention_norm))
    for place, (name, attention, norm) in enumerate(parts):
        found[(f"{at}.{place}.layer_norm.weight",)] = Target(norm.scale)
        for theirs, ours in PROJECTIONS.items():
            kernel = getattr(attention, ours).kernel
            found[(f"{at}.{place}.{name}.{theirs}.weight",)] = Target(kernel, np.transpose)
    forward, at = block.feed_forward, f"{at}.{len(parts)}"
    found[(f"{at}.layer_norm.weight",)] = Target(block.norm.scale)
    inner = {"wi": forward.inner} if forward.gate is None else {"wi_0": forward.inner, "wi_1": forward.gate}
    for name, layer in {**inner, "wo": forward.outer}.items():
        found[(f"{at}.DenseReluDense.{name}.weight",)] = Target(layer.kernel, np.transpose)
    return found
