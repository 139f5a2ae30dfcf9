"""The ``kerashub-bart`` family: KerasHub's BART presets, which write.

Source: Lewis et al. 2020, as ``keras_hub.models.BartSeq2SeqLM`` builds it; its variables are core's
encoder–decoder's, under other names. No part of it is a head: words are scored by the table that embeds them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Self

import keras
import numpy as np

from sixarts.checkpoint import Target, Weights
from sixarts.errors import CheckpointError, TrainingError
from sixarts.model import CONFIG, WEIGHTS, read_json, read_optional_json
from sixarts.networks.encoder_decoder import EncoderDecoder
from sixarts.readers.sequence_processor import SequenceProcessor
from sixarts_hub.strict_json import short
from sixarts_kerashub.labels import read_card_names
from sixarts_kerashub.preset import IGNORED, open_preset
from sixarts_kerashub.preset_lengths import check_fit, length_of, read_settings, settings_file
from sixarts_kerashub.preset_tokens import read_tokens
from sixarts_kerashub.reading import DECIDED, stated
from sixarts_kerashub.table import BART

#: Settings of KerasHub's backbone to core's; layers and heads are the same on both sides.
SETTINGS = {
    "vocabulary_size": ("vocab_size",),
    "num_layers": ("encoder_layers", "decoder_layers"),
    "num_heads": ("encoder_attention_heads", "decoder_attention_heads"),
    "hidden_dim": ("d_model",),
    "intermediate_dim": ("encoder_ffn_dim", "decoder_ffn_dim"),
    "dropout": ("dropout",),
    "max_sequence_length": ("max_position_embeddings",),
}
#: How the authors of KerasHub's published summarizer write, which its preset does not say.
#: Source: ``generation_config.json`` of ``facebook/bart-large-cnn``, of which it is a copy.
PUBLISHED = {
    "bart_large_en_cnn": {
        "num_beams": 4,
        "length_penalty": 2.0,
        "early_stopping": True,
        "no_repeat_ngram_size": 3,
        "min_length": 56,
        "max_length": 142,
        "forced_eos_token_id": 2,
    }
}
#: Parts of a block in KerasHub to the path of core's layer.
_ATTENTIONS = {"_self_attention_layer": "attention", "_cross_attention_layer": "cross_attention"}
_OTHERS = {
    "_self_attention_layer_norm": "attention_norm",
    "_cross_attention_layer_norm": "cross_attention_norm",
    "_feedforward_intermediate_dense": "feed_forward.inner",
    "_feedforward_output_dense": "feed_forward.outer",
    "_feedforward_layer_norm": "norm",
}


class BartPresetProcessor(SequenceProcessor):
    """Texts to token numbers as a preset's preprocessor makes them: ``<s> A </s>``."""

    @classmethod
    def from_folder(cls, folder: Path, config: Mapping[str, Any]) -> Self:
        tokens, files = read_tokens(folder, "Bart")
        settings = read_settings(folder, "BartSeq2SeqLMPreprocessor")
        check_fit(tokens, config, folder)
        limit = length_of(config, settings, "encoder_sequence_length", 1024)
        if tokens.framed([], None) != [config["forced_bos_token_id"], config["eos_token_id"]]:
            raise CheckpointError(
                f"the tokenizer in {folder} numbers <s> and </s> {tokens.framed([], None)}; expected "
                f"{config['forced_bos_token_id']} and {config['eos_token_id']}; fetch the preset again"
            )
        return cls(tokens, limit, files={**files, **settings_file(folder)})


class Bart(EncoderDecoder):
    """KerasHub's BART. Saved, ``config.json`` holds the preset's own beside ours."""

    family = BART.family
    processor_class = BartPresetProcessor
    norm_embedding = True
    bias_logits = False
    ignored = IGNORED
    settings = EncoderDecoder.settings | {"registered_name", "config"}
    defaults: ClassVar[Mapping[str, Any]] = {
        "pad_token_id": 1,
        "eos_token_id": 2,
        "decoder_start_token_id": 2,
        "forced_bos_token_id": 0,
    }

    @classmethod
    def read_config(cls, folder: Path) -> dict[str, Any]:
        config = read_json(folder / CONFIG)
        if "d_model" in config:
            return config
        if task := read_optional_json(folder / "task.json"):
            name, _ = stated(task, "task.json")
            if name not in ("BartSeq2SeqLM", "Seq2SeqLM"):
                raise CheckpointError(
                    f"task.json states {short(name)}; expected BartSeq2SeqLM; choose a preset that writes"
                )
        numbers = _numbers(folder)
        said = next((PUBLISHED[name] for name in read_card_names(folder, PUBLISHED)), {})
        return {**config, **numbers, **said}

    @classmethod
    def configure(cls, /, **config: Any) -> dict[str, Any]:
        if "registered_name" in config:
            name, settings = stated(config, "config.json")
            if name != "BartBackbone":
                raise CheckpointError(f"config.json states {short(name)}; expected BartBackbone")
            if unknown := sorted(set(settings) - set(SETTINGS) - DECIDED):
                raise CheckpointError(
                    f"config.json has {short(unknown[0])}, which BartBackbone does not take"
                )
            if missing := [each for each in SETTINGS if each not in settings]:
                raise CheckpointError(f"config.json lacks {', '.join(missing)}")
            ours = {each: settings[name] for name, names in SETTINGS.items() for each in names}
            config = {**config, **ours, "activation_function": "gelu"}
        return super().configure(**config)

    @classmethod
    def open_weights(cls, folder: Path) -> Weights:
        return super().open_weights(folder) if (folder / WEIGHTS).is_file() else open_preset(BART, folder)

    def targets(self, names: frozenset[str]) -> Mapping[tuple[str, ...], Target]:
        found = {"reversible_embedding/vars/0": Target(self.target_embedding.embeddings)}
        for which, places in (("", self.source_positions), ("_1", self.target_positions)):
            found[f"position_embedding{which}/vars/0"] = Target(places.table)
            found |= _variables(f"layer_normalization{which}", places.norm)
        for side, blocks in (("encoder", self.encoder), ("decoder", self.decoder)):
            for number, block in enumerate(blocks):
                at = f"transformer_{side}" + (f"_{number}" if number else "")
                for part, path in _OTHERS.items():
                    if side == "decoder" or "cross" not in part:
                        found |= _variables(f"{at}/{part}", _reached(block, path))
                for part, path in _ATTENTIONS.items():
                    if side == "decoder" or "cross" not in part:
                        found |= _attention(f"{at}/{part}", getattr(block, path))
        return {(f"backbone/layers/{name}",): target for name, target in found.items()}

    def learned_from(self, documents: Sequence[Any], count: int) -> Self:
        """A model sized by documents, which there is none of here.

        Raises:
            TrainingError: always; what to do instead.
        """
        raise TrainingError(
            f"a new model of family {self.family!r}; expected one with weights, since its tokenizer comes "
            "with a preset; load one and fine-tune it"
        )


def _numbers(folder: Path) -> dict[str, int]:
    """What the special tokens' numbers are in a preset."""
    tokens, _ = read_tokens(folder, "Bart")
    first, last = tokens.framed([], None)
    return {
        "pad_token_id": tokens.pad,
        "eos_token_id": last,
        # KerasHub begins with the end and the beginning.
        "decoder_start_token_id": last,
        "forced_bos_token_id": first,
    }


def _reached(block: Any, path: str) -> Any:
    for name in path.split("."):
        block = getattr(block, name)
    return block


def _variables(at: str, layer: Any) -> dict[str, Target]:
    """A dense layer's or a norm's, which KerasHub has in the same form."""
    pair = (layer.kernel, layer.bias) if isinstance(layer, keras.layers.Dense) else (layer.gamma, layer.beta)
    return {f"{at}/vars/{place}": Target(variable) for place, variable in enumerate(pair)}


def _attention(at: str, layer: Any) -> dict[str, Target]:
    """An attention's, which KerasHub keeps by heads: ``[d, h, e]`` is ``[d, h * e]`` here."""
    found = {}
    width, heads, size = layer.width, layer.heads, layer.size
    for part, name in (("query", "query"), ("key", "key"), ("value", "value"), ("output", "out")):
        dense, out = getattr(layer, name), name == "out"
        kernel = ((width, heads * size), (width, heads, size))
        if out:
            kernel = ((heads * size, width), (heads, size, width))
        bias = ((width,), (width,)) if out else ((heads * size,), (heads, size))
        for place, (variable, (ours, theirs)) in enumerate(((dense.kernel, kernel), (dense.bias, bias))):
            found[f"{at}/{part}_dense/vars/{place}"] = Target(
                variable, partial(_shaped, theirs, ours), partial(_shaped, ours, theirs)
            )
    return found


def _shaped(given: tuple[int, ...], wanted: tuple[int, ...], value: np.ndarray) -> np.ndarray:
    """A tensor of one shape in another; one of any other shape as it is, which is then told as unfit."""
    return value.reshape(wanted) if value.shape == given else value
