"""The ``whisper`` family: every published size, multilingual and English, and those that were distilled.

Sources: Radford et al. 2022 (Whisper); Gandhi et al. 2023 (Distil-Whisper); weight names and settings as
published with ``transformers`` (``WhisperForConditionalGeneration``).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar

import keras
import numpy as np
from keras import layers, ops

from sixarts.checkpoint import Target
from sixarts.errors import CheckpointError
from sixarts.generation import PUBLISHED
from sixarts.layers import EncoderBlock, Positions, activation
from sixarts.masks import bias_of, causal_bias
from sixarts.media.listening import Listening
from sixarts.model import read_optional_json
from sixarts.networks.encoder_decoder import EncoderDecoder
from sixarts.networks.published import Targets, attention, dense, norm
from sixarts.readers.limits import POSITIONS_CAP, TRANSFORMER, check, search_limits, whole
from sixarts.step_cache import past_bias, write_position
from sixarts_speech.whisper_layers import PromptedBlock, TimeConvolution, wave_positions
from sixarts_speech.whisper_processor import WhisperProcessor
from sixarts_speech.whisper_settings import SpeechTokens

DEFAULTS: dict[str, Any] = {
    "model_type": "whisper",
    "architectures": ["WhisperForConditionalGeneration"],
    "vocab_size": 51865,
    "num_mel_bins": 80,
    "d_model": 384,
    "encoder_layers": 4,
    "decoder_layers": 4,
    "encoder_attention_heads": 6,
    "decoder_attention_heads": 6,
    "encoder_ffn_dim": 1536,
    "decoder_ffn_dim": 1536,
    "activation_function": "gelu",
    "dropout": 0.0,
    "attention_dropout": 0.0,
    "activation_dropout": 0.0,
    "scale_embedding": False,
    "max_source_positions": 1500,
    "max_target_positions": 448,
    "median_filter_width": 7,
    "tie_word_embeddings": True,
    "decoder_start_token_id": 50257,
    "pad_token_id": 50256,
    "bos_token_id": 50256,
    "eos_token_id": 50256,
}
LIMITS = {
    **{name: limit for name, limit in TRANSFORMER.items() if name in DEFAULTS},
    "num_mel_bins": whole(1, 2**10),
    "max_source_positions": whole(1, 2**18),
    "max_target_positions": whole(4, 2**16),
    "median_filter_width": (
        lambda value: type(value) is int and 1 <= value <= 255 and value % 2 == 1,
        "an odd number from 1 to 255",
    ),
}
#: Our name of a projection to the published one.
PROJECTIONS = {"query": "q_proj", "key": "k_proj", "value": "v_proj", "out": "out_proj"}
#: The projections that have a bias.
BIASES = ("query", "value", "out")


class Whisper(EncoderDecoder):
    """Log-mel features of a window of sound to the tokens of what is said in it."""

    family = "whisper"
    processor_class = WhisperProcessor
    cut = "input_features"
    norm_first = True
    bias_logits = False
    ignored: ClassVar[tuple[str, ...]] = ()
    settings = frozenset({*DEFAULTS, *PUBLISHED, "suppress_tokens", "begin_suppress_tokens"})

    @classmethod
    def configure(cls, /, **config: Any) -> dict[str, Any]:
        full = {**DEFAULTS, **{name: value for name, value in config.items() if value is not None}}
        check(full, LIMITS)
        activation(full["activation_function"])
        for side, places in (("encoder", "max_source_positions"), ("decoder", "max_target_positions")):
            heads = full[f"{side}_attention_heads"]
            if full["d_model"] % heads:
                raise CheckpointError(
                    f"d_model={full['d_model']} with {side}_attention_heads={heads}; expected a divisor"
                )
            if full[places] * full["d_model"] > POSITIONS_CAP:
                raise CheckpointError(
                    f"{places}={full[places]} with d_model={full['d_model']}; expected at most "
                    f"{POSITIONS_CAP} numbers in the table of positions; choose another model"
                )
        if full["d_model"] % 2:
            raise CheckpointError(f"d_model={full['d_model']}; expected an even number")
        return full

    def sized(self, processor: Any) -> dict[str, Any]:
        return {**self.config, "vocab_size": processor.tokens.size}

    def build(self, initializer: str) -> keras.Model:
        c, policy = self.config, self.device.policy
        width, blank = c["d_model"], initializer == "zeros"
        self.convolutions = [
            TimeConvolution(width, stride, initializer, dtype=policy, name=f"convolution_{stride}")
            for stride in (1, 2)
        ]
        self.source_positions = Positions(
            c["max_source_positions"],
            formula=wave_positions,
            dropout=c["dropout"],
            dtype=policy,
            name="source_positions",
        )
        self.target_embedding = layers.ReversibleEmbedding(
            c["vocab_size"],
            width,
            tie_weights=c["tie_word_embeddings"],
            embeddings_initializer=initializer if blank else keras.initializers.RandomNormal(stddev=0.02),
            dtype=policy,
            name="target_embedding",
        )
        self.target_positions = Positions(
            c["max_target_positions"],
            dropout=c["dropout"],
            initializer=initializer if blank else keras.initializers.RandomNormal(stddev=0.02),
            dtype=policy,
            name="target_positions",
        )
        block = {name: c[name] for name in ("dropout", "attention_dropout", "activation_dropout")} | {
            "activation_name": c["activation_function"],
            "initializer": initializer,
            "norm_first": True,
            "biases": BIASES,
            "dtype": policy,
        }
        self.encoder, self.decoder = (
            [
                kind(width, c[f"{side}_attention_heads"], c[f"{side}_ffn_dim"], **block, name=f"{side}_{i}")
                for i in range(c[f"{side}_layers"])
            ]
            for side, kind in (("encoder", EncoderBlock), ("decoder", PromptedBlock))
        )
        last = partial(layers.LayerNormalization, epsilon=1e-5, dtype=policy)
        self.encoder_norm, self.decoder_norm = last(name="encoder_norm"), last(name="decoder_norm")

        features = keras.Input((self.window_frames, c["num_mel_bins"]), name="input_features")
        target = keras.Input((None,), dtype="int32", name="decoder_input_ids")
        self.embedded = features
        memory = self._encoded(features, None)
        x, weights = self.target_positions(self.target_embedding(target)), []
        for layer in self.decoder:
            x, attended = layer(x, memory)
            weights.append(attended)
        inputs = {"input_features": features, "decoder_input_ids": target}
        self.attention_network = keras.Model(
            inputs,
            {"cross_attention": layers.Lambda(partial(ops.stack, axis=1), name="attention")(weights)},
        )
        return keras.Model(inputs, {"logits": self._logits(x)}, name=self.family)

    def _encoded(self, embedded: Any, mask: Any) -> Any:
        """Features ``[b, frames, bands]`` to the encoder's output ``[b, s, d]``."""
        memory = embedded
        for layer in self.convolutions:
            memory = layer(memory)
        memory = self.source_positions(memory)
        for block in self.encoder:
            memory = block(memory)
        return self.encoder_norm(memory)

    @property
    def window_frames(self) -> int:
        """Frames of a window: two a position."""
        return 2 * int(self.config["max_source_positions"])

    @property
    def longest(self) -> int:
        return int(self.config["max_target_positions"])

    # Weights.

    def targets(self, names: frozenset[str]) -> Mapping[tuple[str, ...], Target]:
        table = Target(self.target_embedding.embeddings)
        head, words = "proj_out.weight", "model.decoder.embed_tokens.weight"
        if self.config["tie_word_embeddings"]:
            found: Targets = {(words, head): table}
        else:
            reverse = Target(self.target_embedding.reverse_embeddings, np.transpose)
            found = {(words,): table, (head,): reverse}
        for number, layer in enumerate(self.convolutions, 1):
            name = f"model.encoder.conv{number}"
            found |= {
                # (out, in, 3) there, (3, in, out) here.
                (f"{name}.weight",): Target(layer.kernel, np.transpose),
                (f"{name}.bias",): Target(layer.bias),
            }
        for side, blocks, places, last in (
            ("encoder", self.encoder, self.source_positions, self.encoder_norm),
            ("decoder", self.decoder, self.target_positions, self.decoder_norm),
        ):
            found[(f"model.{side}.embed_positions.weight",)] = Target(places.table)
            found |= norm(f"model.{side}.layer_norm", last)
            for number, block in enumerate(blocks):
                found |= _block_targets(f"model.{side}.layers.{number}", block)
        return found

    # Generation.

    @cached_property
    def speech(self) -> SpeechTokens:
        """The tokens by which it is told what to do, and those that it may not say."""
        return SpeechTokens.of(self.published_settings, self.processor.tokens)

    @cached_property
    def recognizer(self) -> Any:
        """What was said in a window; a :class:`~sixarts_speech.whisper_search.Recognizer`."""
        from sixarts_speech.whisper_search import Recognizer

        return Recognizer(self)

    def listening(self) -> Listening:
        """How it answers."""
        from sixarts_speech.whisper_listening import WhisperListening

        return WhisperListening(self)

    def read_extras(self, folder: Path) -> None:
        self.generation = read_optional_json(folder / "generation_config.json")
        check(self.published_settings, search_limits(self.target_words), optional=True)
        self.speech  # noqa: B018, what does not fit together is told now

    def encode(self, inputs: Mapping[str, Any]) -> Any:
        """What was heard once, and how many tokens of each row's prompt are padding, ``offsets`` ``[b]``."""
        return inputs["heard"], inputs["offsets"]

    def hear(self, features: Any) -> Any:
        """Features ``[b, frames, bands]`` to every decoder block's cross keys and values."""
        memory = self._encoded(ops.cast(features, self.decoder[0].compute_dtype), None)
        return [block.cross_attention.project(memory) for block in self.decoder]

    def prefill(self, tokens: Any, cache: Any, memory: Any, beams: int) -> Any:
        """The cache with the keys and values of a prompt at its first positions, the same for all hypotheses.

        Args:
            tokens: ``[b, t]``, padded before.
            cache: as :meth:`empty_cache` makes it.
            memory: as :meth:`encode` gives it.
            beams: hypotheses a row.
        """
        _, own, _ = self.read(tokens, memory)
        return [
            tuple(
                write_position(old, ops.repeat(new, beams, axis=axis), 0, axis - 1)
                for old, new, axis in zip(kept, made, (3, 2), strict=True)
            )
            for kept, made in zip(cache, own, strict=True)
        ]

    def read(self, tokens: Any, memory: Any) -> tuple[Any, Any, Any]:
        """The decoder over given tokens ``[b, t]``.

        Returns:
            Its last block's output ``[b, t, d]``, each block's own keys and values, and its weights over the
            memory ``[b, h, t, s]``.
        """
        cross, offsets = memory
        length, dtype = tokens.shape[1], self.decoder[0].compute_dtype
        places = ops.arange(length, dtype="int32")
        known = places[None, :] >= offsets[:, None]
        # What pads a prompt sees itself alone, so that nothing of it is undefined.
        seen = ops.logical_or(known[:, None, :], ops.eye(length, dtype="bool")[None])
        seen = causal_bias(length, dtype) + bias_of(seen, dtype)[:, None]
        x = self._placed(tokens, places[None, :], offsets)
        own, weights = [], []
        for block, keys_and_values in zip(self.decoder, cross, strict=True):
            x, made, attended = block.several(x, seen, keys_and_values)
            own.append(made)
            weights.append(attended)
        return x, own, weights

    def _placed(self, tokens: Any, index: Any, offsets: Any) -> Any:
        """Embeddings of ``tokens`` ``[b, k]`` with their positions, counted from each row's first token."""
        places = ops.clip(index - offsets[:, None], 0, self.longest - 1)
        x = self.target_embedding(tokens)
        return x + ops.cast(ops.take(self.target_positions.table, places, axis=0), x.dtype)

    def step(self, tokens: Any, index: Any, cache: Any, memory: Any, ancestors: Any) -> tuple[Any, Any]:
        cross, offsets = memory
        beams = tokens.shape[1]
        length, dtype = cache[0][1].shape[1] // beams, self.decoder[0].compute_dtype
        known = ops.repeat(ops.arange(length, dtype="int32"), beams)[None, :] >= offsets[:, None]
        past = past_bias(index, length, ancestors, dtype) + bias_of(known, dtype)[:, None, None]
        x, updated = self._placed(tokens, index, offsets), []
        for block, kept, keys_and_values in zip(self.decoder, cache, cross, strict=True):
            x, kept = block.step(x, kept, index, past, keys_and_values, None)
            updated.append(kept)
        return self._logits(x), updated


def _block_targets(at: str, block: Any) -> Targets:
    """Published names of a block's weights."""

    def named(part: str) -> dict[str, str]:
        return {ours: f"{at}.{part}.{theirs}" for ours, theirs in PROJECTIONS.items()}

    found = attention(named("self_attn"), block.attention)
    found |= norm(f"{at}.self_attn_layer_norm", block.attention_norm)
    if isinstance(block, PromptedBlock):
        found |= attention(named("encoder_attn"), block.cross_attention)
        found |= norm(f"{at}.encoder_attn_layer_norm", block.cross_attention_norm)
    found |= dense(f"{at}.fc1", block.feed_forward.inner) | dense(f"{at}.fc2", block.feed_forward.outer)
    return found | norm(f"{at}.final_layer_norm", block.norm)
