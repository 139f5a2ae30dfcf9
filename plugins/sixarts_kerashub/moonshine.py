"""The ``kerashub-moonshine`` family: KerasHub's Moonshine presets, which write down what is said.

Source: Jeffries et al. 2024, as ``keras_hub.models.MoonshineAudioToText`` builds it. Its layers are
KerasHub's; the decoder's steps are written anew over them, for core's search. None of it is a head: words are
scored by the table that embeds them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from sixarts.checkpoint import Target, Weights
from sixarts.compiled import Compiled
from sixarts.errors import CheckpointError
from sixarts.generation import Generator, Search
from sixarts.masks import mask_bias
from sixarts.model import CONFIG, WEIGHTS, Model, read_json, read_optional_json
from sixarts.step_cache import cached, empty_cache, past_bias
from sixarts_hub.strict_json import short
from sixarts_kerashub.moonshine_layers import Angles, SoundFrames, attended, by_heads, keyed, turned
from sixarts_kerashub.moonshine_listening import MoonshineListening
from sixarts_kerashub.moonshine_processor import MoonshineProcessor
from sixarts_kerashub.preset import IGNORED, make_backbone, open_preset, targets_of, zeroed
from sixarts_kerashub.reading import stated
from sixarts_kerashub.table import MOONSHINE

#: What KerasHub's files hold of positions, which is computed here.
ROTARY = "backbone/layers/moonshine_rotary_embedding*/vars/0"


class Moonshine(Model):
    """Samples and the tokens before to scores of each next one, ``logits`` ``[b, t, words]``.

    Saved, ``config.json`` is the preset's own; weights are named as in its file, after ``backbone/``.
    """

    family = MOONSHINE.family
    processor_class = MoonshineProcessor
    cut = "input_values"
    ignored = (*IGNORED, ROTARY)
    settings = frozenset(("registered_name", "config"))
    #: Its convolutions are slower by XLA.
    fused = False

    @classmethod
    def read_config(cls, folder: Path) -> dict[str, Any]:
        if task := read_optional_json(folder / "task.json"):
            name, _ = stated(task, "task.json")
            if name not in ("MoonshineAudioToText", "AudioToText"):
                raise CheckpointError(
                    f"task.json states {short(name)}; expected MoonshineAudioToText; choose a preset that "
                    "writes down what is said"
                )
        return read_json(folder / CONFIG)

    @classmethod
    def configure(cls, /, **config: Any) -> dict[str, Any]:
        name, settings = stated(config, "config.json")
        if name != "MoonshineBackbone":
            raise CheckpointError(f"config.json states {short(name)}; expected MoonshineBackbone")
        return {"registered_name": f"keras_hub>{name}", "config": settings}

    @classmethod
    def open_weights(cls, folder: Path) -> Weights:
        there = (folder / WEIGHTS).is_file()
        return super().open_weights(folder) if there else open_preset(MOONSHINE, folder)

    def build(self, initializer: str) -> keras.Model:
        policy = self.device.policy
        with zeroed() if initializer == "zeros" else contextlib.nullcontext():
            backbone = self.backbone = make_backbone(MOONSHINE, self.config, policy)
        rotary = {
            id(backbone.encoder_rotary_embedding.inv_freq),
            id(backbone.decoder_rotary_embedding.inv_freq),
        }
        self._targets = {
            names: target
            for names, target in targets_of(backbone).items()
            if id(target.variable) not in rotary
        }
        self.frames = SoundFrames(backbone, dtype=policy, name="sound_frames")
        self.places = [
            Angles(layer.rotary_dim, layer.base_value, dtype=policy, name=layer.name)
            for layer in (backbone.encoder_rotary_embedding, backbone.decoder_rotary_embedding)
        ]
        for block in (*backbone.encoder_blocks, *backbone.decoder_blocks):
            # What a block is given keeps its precision, the angles above all; its parts have their own.
            block.autocast = False
        for attention in self._attentions("self"):
            attention.autocast = False

        samples = keras.Input((None,), name="input_values")
        lengths = keras.Input((), dtype="int32", name="lengths")
        tokens = keras.Input((None,), dtype="int32", name="decoder_input_ids")
        self.embedded = keras.layers.Identity(dtype=policy, name="embedded")(samples)
        memory, mask = self._encoded(self.embedded, lengths)
        x = backbone.decoder_dropout(backbone.token_embedding(tokens))
        angles = self.places[1](x)
        for block in backbone.decoder_blocks:
            x = block(
                decoder_sequence=x,
                encoder_sequence=memory,
                rotary_embedding=angles,
                encoder_padding_mask=mask,
            )
        inputs = {"input_values": samples, "lengths": lengths, "decoder_input_ids": tokens}
        logits = keras.layers.Activation("linear", dtype="float32", name="logits")(self._scored(x))
        return keras.Model(inputs, {"logits": logits}, name="kerashub_moonshine")

    def _attentions(self, which: str) -> list[Any]:
        """The attentions of the decoder over itself or ``"cross"``; the encoder's, too, over itself."""
        found = [getattr(block, f"{which}_attention") for block in self.backbone.decoder_blocks]
        if which == "self":
            found += [block.self_attention_layer for block in self.backbone.encoder_blocks]
        return found

    def _encoded(self, samples: Any, lengths: Any) -> tuple[Any, Any]:
        """Samples ``[b, n]`` and their counts to the encoder's output ``[b, s, d]`` and mask ``[b, s]``."""
        x, mask = self.frames(samples, lengths)
        angles = self.places[0](x)
        x = self.backbone.encoder_dropout(x)
        for block in self.backbone.encoder_blocks:
            x = block(x, angles, attention_mask=mask)
        return self.backbone.encoder_final_layer_norm(x), mask

    def _scored(self, x: Any) -> Any:
        """Each word of the vocabulary against ``[b, t, d]``."""
        return self.backbone.token_embedding(self.backbone.decoder_post_norm(x), reverse=True)

    @property
    def shortest(self) -> int:
        """Samples of which the network makes anything."""
        return self.frames.shortest

    # Weights.

    def targets(self, names: frozenset[str]) -> Mapping[tuple[str, ...], Target]:
        return self._targets

    def load_weights(self, weights: Weights) -> None:
        super().load_weights(weights)
        for name in weights:
            if "moonshine_rotary_embedding" in name:
                self._check_places(name, np.asarray(weights.read(name), "float32"))

    def _check_places(self, name: str, found: np.ndarray) -> None:
        wanted = self.places["_1/" in name].frequencies
        # As near as half precision is.
        if found.shape != wanted.shape or not np.allclose(found, wanted, rtol=1e-2, atol=1e-6):
            raise CheckpointError(
                f"{name} is {short(found.tolist())}; expected {short(wanted.tolist())}, as config.json "
                "has it; fetch the preset again"
            )

    # Answering.

    def listening(self) -> MoonshineListening:
        """How it answers."""
        return MoonshineListening(self)

    @property
    def search(self) -> Search:
        """How it writes: as KerasHub's greedy ``generate``, whose texts begin with the start twice."""
        processor = self.processor
        return Search(
            start=processor.start,
            eos=(processor.end,),
            pad=processor.pad,
            max_length=processor.limit,
            forced_bos=processor.start,
        )

    def written(self, arrays: Mapping[str, np.ndarray], search: Search) -> dict[str, np.ndarray]:
        """Tokens ``[b, n]`` of each sound, the two at the start left out, and their mean log-probability."""
        heard, bias = self._hear(arrays["input_values"], arrays["lengths"])
        found = self._generator({"bias": bias, "heard": heard}, search)
        return {"tokens": found["tokens"][:, 0, 2:], "scores": found["scores"][:, 0]}

    @cached_property
    def _hear(self) -> Compiled:
        return Compiled(self.hear, self.variables, self.device, self.fused)

    @cached_property
    def _generator(self) -> Generator:
        return Generator(self)

    def hear(self, samples: Any, lengths: Any) -> tuple[Any, Any]:
        """Samples to every decoder block's cross keys and values, and the bias of what is no sound."""
        memory, mask = self._encoded(samples, lengths)
        heard = [
            (keyed(layer._key_dense(memory)), by_heads(layer._value_dense(memory)))
            for layer in self._attentions("cross")
        ]
        return heard, mask_bias(mask, keras.backend.standardize_dtype(heard[0][0].dtype))

    def encode(self, inputs: Mapping[str, Any]) -> Any:
        """What was heard once."""
        return inputs["heard"], inputs["bias"]

    def empty_cache(self, rows: int, beams: int, length: int) -> Any:
        layer = self.backbone.decoder_blocks[0].self_attention
        blocks, dtype = len(self.backbone.decoder_blocks), layer._key_dense.compute_dtype
        return empty_cache(blocks, rows, layer.num_heads, length * beams, layer.key_dim, dtype)

    def step(self, tokens: Any, index: Any, cache: Any, memory: Any, ancestors: Any) -> tuple[Any, Any]:
        heard, bias = memory
        dtype = keras.backend.standardize_dtype(cache[0][0].dtype)
        past = past_bias(index, cache[0][1].shape[1] // tokens.shape[1], ancestors, dtype)
        # All hypotheses are at one place.
        angles = self.places[1].of(ops.broadcast_to(ops.reshape(index, (1,)), (tokens.shape[1],)))
        x, updated = self.backbone.token_embedding(tokens), []
        for block, kept, given in zip(self.backbone.decoder_blocks, cache, heard, strict=True):
            x, kept = _step(block, x, angles, index, kept, past, given, bias)
            updated.append(kept)
        return ops.cast(self._scored(x), "float32"), updated


def _step(
    block: Any, x: Any, angles: Any, index: Any, kept: Any, past: Any, given: Any, bias: Any
) -> tuple[Any, Any]:
    """One position ``[b, k, d]`` through a decoder block, and its keys and values with that position's."""
    own, other = block.self_attention, block.cross_attention
    y = block.norm1(x)
    made = (keyed(turned(own._key_dense(y), angles)), by_heads(own._value_dense(y)))
    kept, (keys, values) = cached(kept, made, index)
    x = x + attended(own, by_heads(turned(own._query_dense(y), angles)), keys, values, past)
    x = x + attended(other, by_heads(other._query_dense(block.norm2(x))), given[0], given[1], bias)
    return x + block.ff(block.norm3(x)), kept
