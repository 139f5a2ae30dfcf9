"""Small random Moonshine presets that KerasHub itself saves, its answers, and ours on any backend."""

from __future__ import annotations

import functools
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from preset_reference import drawn_and_saved

RATE = 16_000
#: Text that the tokenizer is made from; what the contract's examples say is among it.
LINES = ["one two three four five six seven eight nine zero", "the quick brown fox jumps over a lazy dog"]
#: Most tokens of a text.
LIMIT = 20
_SIZES: dict[str, Any] = {
    **dict.fromkeys(("filter_dim", "hidden_dim"), 16),
    **dict.fromkeys(
        ("encoder_num_layers", "decoder_num_layers", "encoder_num_heads", "decoder_num_heads"), 2
    ),
    "intermediate_dim": 32,
}
#: Settings of a backbone and of what prepares sounds: as published, and all that may differ.
NETWORKS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "published": (_SIZES, {}),
    "other": (
        {
            **_SIZES,
            "decoder_num_heads": 4,
            "decoder_num_layers": 1,
            "feedforward_expansion_factor": 2,
            "encoder_use_swiglu_activation": True,
            "decoder_use_swiglu_activation": False,
            "pad_head_dim_to_multiple_of": 6,
            "partial_rotary_factor": 0.9,
            "rope_theta": 500.0,
            "attention_bias": True,
            "dropout": 0.1,
            "attention_dropout": 0.1,
        },
        {"do_normalize": True},
    ),
}


@functools.cache
def pieces() -> bytes:
    """A serialized SentencePiece model with what is unknown at 0, as published ones have it."""
    import sentencepiece

    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(LINES * 20),
        model_writer=out,
        vocab_size=80,
        hard_vocab_limit=False,
        minloglevel=2,
        num_threads=1,
    )
    return out.getvalue()


#: By which weights are drawn that write unlike texts of unlike sounds.
SEEDS = {"published": 5, "other": 1}


def saved(folder: Path, name: str = "published", **settings: Any) -> Any:
    """A KerasHub Moonshine that writes greedily, saved as a preset, with every weight drawn."""
    import keras_hub

    models, (network, converter) = keras_hub.models, NETWORKS[name]
    tokenizer = models.MoonshineTokenizer(pieces())
    prepared = models.MoonshineAudioToTextPreprocessor(
        keras_hub.layers.MoonshineAudioConverter(**converter), tokenizer, decoder_sequence_length=LIMIT
    )
    # The network may know more numbers than the tokenizer has, as published ones do.
    backbone = models.MoonshineBackbone(tokenizer.vocabulary_size() + 3, **network | settings)
    task = models.MoonshineAudioToText(backbone, prepared)
    task.compile(sampler="greedy", run_eagerly=True)
    drawn_and_saved(task, folder, SEEDS[name])
    # KerasHub reads it, and does not write it.
    said = json.loads((folder / "preprocessor.json").read_text())
    said["config"]["decoder_sequence_length"] = LIMIT
    (folder / "preprocessor.json").write_text(json.dumps(said))
    return task


def sound(seed: int, seconds: float) -> np.ndarray:
    """A sound that swells, without a sample of 0."""
    random = np.random.default_rng(seed)
    count = int(seconds * RATE)
    swell = 0.2 + np.abs(np.sin(np.arange(count) / (1500 + 400 * seed)))
    return (random.standard_normal(count) * swell * 0.2 + np.sin(np.arange(count) / (5 + seed)) * 0.1).astype(
        "float32"
    )


SOUNDS = [sound(1, 0.6), sound(2, 0.97), sound(3, 0.9)]
SAID = ["one two", "the lazy fox", "nine"]


@functools.cache
def published(task: Any) -> tuple[list[np.ndarray], list[str]]:
    """KerasHub's own logits of each sound for what was said in it, and its own text."""
    import keras

    logits, texts = [], []
    for samples, text in zip(SOUNDS, SAID, strict=True):
        arrays = task.preprocessor({"audio": samples[None], "text": [text]})[0]
        count = int(np.asarray(keras.ops.convert_to_numpy(arrays["decoder_padding_mask"])).sum())
        logits.append(np.asarray(keras.ops.convert_to_numpy(task(arrays)))[0, :count])
        texts.append(task.generate({"audio": samples[None]})[0].strip())
    return logits, texts


# Ours, on any backend.


@functools.lru_cache(maxsize=4)
def task(folder: Path) -> Any:
    """The task, as anybody would load it."""
    import sixarts

    return sixarts.load("automatic-speech-recognition", folder, device="cpu")


def answers(folder: Path) -> tuple[list[np.ndarray], list[str]]:
    """Our logits for the same, all sounds in one batch, and our texts."""
    listen = task(folder)
    model, processor = listen.model, listen.model.processor
    ids = [[processor.start, *processor.encode(text).ids, processor.end] for text in SAID]
    read = np.full((len(ids), max(map(len, ids))), processor.pad, "int32")
    for row, numbers in enumerate(ids):
        read[row, : len(numbers)] = numbers
    arrays = listen.listening.arrays(SOUNDS)
    logits = model({**arrays, "decoder_input_ids": read})["logits"]
    rows = [row[: len(numbers)] for row, numbers in zip(logits, ids, strict=True)]
    return rows, [found.text for found in listen([(samples, RATE) for samples in SOUNDS])]
