"""Small random Whispers: what the published implementation makes of sound, and ours on any backend.

The first half imports PyTorch and runs in the tests' own process; the second half runs in the workers too.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

#: Pieces of text, then special tokens, then a time for each position of the encoder.
TEXTS = 60
LANGUAGES = ("en", "zh", "de")
SPECIAL = (
    "<|endoftext|>",
    "<|startoftranscript|>",
    *(f"<|{code}|>" for code in LANGUAGES),
    "<|translate|>",
    "<|transcribe|>",
    "<|startoflm|>",
    "<|startofprev|>",
    "<|nospeech|>",
    "<|notimestamps|>",
)
NUMBERS = {name: TEXTS + place for place, name in enumerate(SPECIAL)}
EOS, SOT, NO_TIMES = (
    NUMBERS[name] for name in ("<|endoftext|>", "<|startoftranscript|>", "<|notimestamps|>")
)
TOLD = ("<|translate|>", "<|transcribe|>", "<|notimestamps|>")
FIRST_TIME = NO_TIMES + 1
#: Positions of the encoder: a window is a second.
SOURCES = 50
WORDS = FIRST_TIME + SOURCES + 1
BANDS = 12
ROOM = 40


# Files.


@functools.cache
def pieces(size: int = TEXTS) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """A byte-level vocabulary: the letters of a text and what it is made of."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    # The bytes alone are 256; a small model knows those of a few letters.
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=[], show_progress=False)
    tokenizer.train_from_iterator([" the cat sat on the mat, that's it. So then the hat"] * 9, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    return model["vocab"], [tuple(pair) for pair in model["merges"]]


def write_processor(folder: Path, bands: int = BANDS) -> None:
    """The files of the processor in the layout from before ``tokenizer.json``."""
    vocabulary, merges = pieces()
    assert len(vocabulary) <= TEXTS
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
    times = {f"<|{tick * 0.02:.2f}|>": FIRST_TIME + tick for tick in range(SOURCES + 1)}
    (folder / "added_tokens.json").write_text(json.dumps({**NUMBERS, **times}))
    (folder / "preprocessor_config.json").write_text(
        json.dumps({"feature_size": bands, "chunk_length": 1, "n_fft": 400, "hop_length": 160})
    )


# The published implementation.


def configuration(**changes: Any) -> dict[str, Any]:
    """A small ``config.json`` with these values."""
    return {
        "vocab_size": WORDS,
        "num_mel_bins": BANDS,
        "d_model": 16,
        "encoder_layers": 1,
        "decoder_layers": 2,
        "encoder_attention_heads": 2,
        "decoder_attention_heads": 4,
        "encoder_ffn_dim": 24,
        "decoder_ffn_dim": 20,
        "activation_function": "gelu",
        "max_source_positions": SOURCES,
        "max_target_positions": ROOM,
        "pad_token_id": EOS,
        "eos_token_id": EOS,
        "bos_token_id": EOS,
        "decoder_start_token_id": SOT,
        "suppress_tokens": None,
        "begin_suppress_tokens": None,
    } | changes


def generation(**changes: Any) -> dict[str, Any]:
    """A small ``generation_config.json`` as multilingual checkpoints have it."""
    return {
        "is_multilingual": True,
        "lang_to_id": {f"<|{code}|>": NUMBERS[f"<|{code}|>"] for code in LANGUAGES},
        "task_to_id": {task: NUMBERS[f"<|{task}|>"] for task in ("translate", "transcribe")},
        "no_timestamps_token_id": NO_TIMES,
        "prev_sot_token_id": NUMBERS["<|startofprev|>"],
        "decoder_start_token_id": SOT,
        "pad_token_id": EOS,
        "eos_token_id": EOS,
        "bos_token_id": EOS,
        "max_length": ROOM,
        "max_initial_timestamp_index": 20,
        "suppress_tokens": [3, 5, 7, *range(SOT, NO_TIMES)],
        "begin_suppress_tokens": [2, EOS],
        "alignment_heads": [[0, 1], [1, 0], [1, 3]],
        "return_timestamps": False,
    } | changes


def saved(
    folder: Path, config: Mapping[str, Any], seed: int = 0, settings: Mapping[str, Any] | None = None
) -> Any:
    """A checkpoint with every weight drawn, and the published network of it."""
    import torch
    from transformers import GenerationConfig, WhisperConfig, WhisperForConditionalGeneration

    model = WhisperForConditionalGeneration._from_config(
        WhisperConfig(**config), attn_implementation="eager"
    ).eval()
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            drawn = torch.randn(weight.shape, generator=random)
            if "embed_positions" in name:
                weight.copy_(drawn * 0.5)
            elif weight.dim() > 1:
                weight.copy_(drawn * 1.6 * (weight[0].numel()) ** -0.5)
            else:
                weight.copy_(drawn * 0.2 + ("norm.weight" in name))
        # Ends are common enough to be met.
        model.get_input_embeddings().weight[EOS] *= 2.0
    model.generation_config = GenerationConfig(**(generation() if settings is None else settings))
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    write_processor(folder, config["num_mel_bins"])
    return model


def sounds(seed: int, rows: int = 2, frames: int = 2 * SOURCES, bands: int = BANDS) -> np.ndarray:
    """Features ``[rows, frames, bands]``."""
    return np.random.default_rng(seed).standard_normal((rows, frames, bands)).astype("float32")


def teacher_forced(model: Any, features: np.ndarray, tokens: np.ndarray) -> dict[str, np.ndarray]:
    """The published network's encoder output, logits and attention over the sound."""
    import torch

    with torch.no_grad():
        out = model(
            torch.tensor(features.transpose(0, 2, 1)),
            decoder_input_ids=torch.tensor(tokens).long(),
            output_attentions=True,
        )
    return {
        "encoder": out.encoder_last_hidden_state.numpy(),
        "logits": out.logits.numpy(),
        "attention": np.stack([layer.numpy() for layer in out.cross_attentions], axis=1),
    }


def generated(model: Any, features: np.ndarray, **how: Any) -> list[list[int]]:
    """The published network's tokens of each row alone: one window, after the prompt and before the end."""
    import torch

    found = []
    for row in features:
        with torch.no_grad():
            out = model.generate(torch.tensor(row.T[None]), force_unique_generate_call=True, **how)
        found.append(cut(after_prompt(out[0].tolist())))
    return found


def after_prompt(tokens: Sequence[int]) -> list[int]:
    """Tokens after the last start and what is said to the model there."""
    told = {NUMBERS[name] for name in (*(f"<|{code}|>" for code in LANGUAGES), *TOLD)}
    rest = list(tokens[tokens.index(SOT) + 1 :])
    while rest and rest[0] in told:
        rest.pop(0)
    return rest


def cut(tokens: Sequence[int]) -> list[int]:
    """Tokens up to the end."""
    tokens = [int(token) for token in tokens]
    return tokens[: tokens.index(EOS)] if EOS in tokens else tokens


# Ours, here and in the workers.


@functools.lru_cache(maxsize=2)
def opened(folder: str, precision: str = "float32") -> Any:
    """Our model of a folder; the last ones are kept, with what they compiled."""
    from sixarts.device import Device
    from sixarts_speech.whisper import Whisper

    return Whisper.from_folder(Path(folder), Device.of("cpu", precision))


def answers(
    folder: str, features: np.ndarray, tokens: np.ndarray, precision: str = "float32"
) -> dict[str, np.ndarray]:
    """Encoder output; logits of the network, of a pass after hearing, of one cached step at a time."""
    from sixarts.compiled import Compiled, to_numpy

    model = opened(folder, precision)

    def compiled(function: Any) -> Compiled:
        return Compiled(function, model.variables, model.device)

    rows, length = tokens.shape
    offsets = np.zeros(rows, "int32")
    heard = compiled(model.hear)(features)
    read = compiled(lambda tokens, heard, offsets: model._logits(model.read(tokens, (heard, offsets))[0]))
    cache = compiled(lambda tokens: model.empty_cache(tokens.shape[0], 1, length))(tokens)
    step = compiled(model.step)
    steps = []
    for index in range(length):
        logits, cache = step(tokens[:, index : index + 1], np.int32(index), cache, (heard, offsets), None)
        steps.append(to_numpy(logits))
    arrays = {"input_features": features, "decoder_input_ids": tokens}
    attended = Compiled(model.attention_network, model.variables, model.device)(arrays)["cross_attention"]
    return {
        "encoder": to_numpy(compiled(lambda x: model._encoded(x, None))(features)),
        "logits": model(arrays)["logits"],
        "read": to_numpy(read(tokens, heard, offsets)),
        "steps": np.concatenate(steps, axis=1),
        "attention": to_numpy(attended),
    }


def recognized(
    folder: str, features: np.ndarray, how: Mapping[str, Any], previous: Sequence[Sequence[int]] = ()
) -> list[dict[str, Any]]:
    """What our recognizer hears in each row."""
    from sixarts_speech.whisper_decoding import Decoding

    return [vars(heard) for heard in opened(folder).recognizer.recognize(features, Decoding(**how), previous)]
