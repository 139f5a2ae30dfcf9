"""Small random summarizers: published files, the published networks' answers, and ours on any backend.

The first half imports PyTorch and runs in the tests' own process; the second half runs in the workers too.
"""

from __future__ import annotations

import functools
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from text_reference import LINES, write_byte_pairs

KINDS = {"bart": "Bart", "pegasus": "Pegasus", "t5": "T5"}


# Tokenizers, made here.


@functools.cache
def pieces(kind: str) -> bytes:
    """A serialized SentencePiece unigram model, with T5's and Pegasus's special tokens first."""
    import sentencepiece

    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(LINES * 20),
        model_writer=out,
        vocab_size=300,
        hard_vocab_limit=False,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        user_defined_symbols=["<n>"] if kind == "pegasus" else [],
        minloglevel=2,
        num_threads=1,
    )
    return out.getvalue()


def write_pieces(folder: Path, kind: str, **settings: Any) -> int:
    """``spiece.model`` and its settings; returns how many numbers the tokenizer has."""
    import sentencepiece

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "spiece.model").write_bytes(pieces(kind))
    stated = {"tokenizer_class": f"{KINDS[kind]}Tokenizer", **settings}
    (folder / "tokenizer_config.json").write_text(json.dumps(stated))
    count = int(sentencepiece.SentencePieceProcessor(model_proto=pieces(kind)).get_piece_size())
    return count + (settings.get("extra_ids", 100) if kind == "t5" else settings.get("offset", 103))


def write_tokenizer(folder: Path, kind: str, **settings: Any) -> int:
    """The files of a family's tokenizer; returns how many numbers it has."""
    if kind == "bart":
        return write_byte_pairs(folder, **{"tokenizer_class": "BartTokenizer", **settings})
    return write_pieces(folder, kind, **settings)


# The published implementation.


def published(kind: str, config: Mapping[str, Any], seed: int, untied: bool = False) -> Any:
    """A model of ``transformers`` with every weight drawn: none is left at a value that hides a mistake."""
    import torch
    import transformers

    made = getattr(transformers, f"{KINDS[kind]}Config")(**config)
    made._attn_implementation = "eager"
    model = getattr(transformers, f"{KINDS[kind]}ForConditionalGeneration")(made).eval()
    if untied:
        # Version 1.1 of T5 has a head of its own, which the library ties again in a new model.
        model.lm_head.weight = torch.nn.Parameter(torch.empty_like(model.lm_head.weight))
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "embed_positions" in name and kind == "pegasus":
                continue
            drawn = torch.randn(weight.shape, generator=random)
            if weight.dim() == 2 and "relative" not in name:
                scale = 1.6 if kind != "t5" or "shared" in name or "lm_head" in name else 0.9
                weight.copy_(drawn * scale * weight.shape[1] ** -0.5)
            else:
                around = "norm" in name and "weight" in name
                weight.copy_(drawn * (0.7 if "relative" in name else 0.2) + around)
        # Ends are common enough that beams meet them.
        end = model.config.eos_token_id
        if kind == "t5":
            if config.get("tie_word_embeddings", True):
                # The output is scaled by the width.
                model.shared.weight.mul_(model.config.d_model**0.5)
            model.lm_head.weight[end] *= 2
        else:
            model.final_logits_bias.copy_(torch.randn(model.final_logits_bias.shape, generator=random) * 0.7)
            model.final_logits_bias[:, end] += 3.0
    return model


def saved(folder: Path, kind: str, config: Mapping[str, Any], seed: int, untied: bool = False) -> Any:
    """Writes a foreign checkpoint with its tokenizer, and returns the published network of it."""
    size = write_tokenizer(folder, kind)
    model = published(kind, {"vocab_size": size + seed % 3, **config}, seed, untied)
    model.save_pretrained(folder)
    stated = json.loads((folder / "config.json").read_text())
    # As the original authors stated it; what newer versions write is tested apart.
    if "tie_word_embeddings" in config:
        stated["tie_word_embeddings"] = config["tie_word_embeddings"]
        stated.pop("scale_decoder_outputs", None)
    (folder / "config.json").write_text(json.dumps(stated))
    return model


def source(
    model: Any, seed: int, rows: int = 3, length: int = 12, full: bool = False
) -> dict[str, np.ndarray]:
    """A batch of sources of several lengths, padded; of one length where ``full``."""
    random = np.random.default_rng(seed)
    config = model.config
    ids = random.integers(4, config.vocab_size, (rows, length)).astype("int32")
    mask = np.ones_like(ids)
    for row in range(rows):
        end = length if row == 0 or full else int(random.integers(1, length + 1))
        mask[row, end:] = 0
        ids[row, end - 1] = config.eos_token_id
        ids[row, end:] = config.pad_token_id
    return {"input_ids": ids, "attention_mask": mask}


def teacher_forced(model: Any, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The published network's encoder output and logits."""
    import torch

    with torch.no_grad():
        out = model(**{name: torch.tensor(array).long() for name, array in arrays.items()})
    return {"encoder": out.encoder_last_hidden_state.numpy(), "logits": out.logits.numpy()}


def generated(
    model: Any, inputs: Mapping[str, np.ndarray], search: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """The published network's sequences, ``[b, k, n]``, and their scores where it searches with beams."""
    import torch
    from transformers import GenerationConfig

    beams = search.get("num_beams", 1)
    model.generation_config = GenerationConfig(
        **common(model.config) | search,
        num_return_sequences=beams,
        return_dict_in_generate=True,
        output_scores=beams > 1,
    )
    with torch.no_grad():
        out = model.generate(**{name: torch.tensor(a).long() for name, a in inputs.items()})
    rows = len(inputs["input_ids"])
    found = {"tokens": out.sequences.numpy().reshape(rows, beams, -1)}
    if beams > 1:
        found["scores"] = out.sequences_scores.numpy().reshape(rows, beams)
    return found


def common(config: Any) -> dict[str, Any]:
    """What every search states."""
    names = ("pad_token_id", "eos_token_id", "decoder_start_token_id")
    return {name: getattr(config, name) for name in names} | {"max_length": 20}


def same_tokens(ours: np.ndarray, theirs: np.ndarray, config: Any) -> bool:
    """Whether sequences are equal up to their ends; the library pads with ends where padding has number 0."""

    def until_end(row: np.ndarray) -> list[int]:
        found: list[int] = row.tolist()
        ends = [place for place, token in enumerate(found) if place and token == config.eos_token_id]
        return found[: ends[0] + 1] if ends else found

    one, other = (
        [until_end(row) for row in tokens.reshape(-1, tokens.shape[-1])] for tokens in (ours, theirs)
    )
    return one == other


# Ours, here and in the workers.


@functools.lru_cache(maxsize=2)
def opened(folder: str, precision: str = "float32") -> Any:
    """Our model of a folder; the last ones are kept, with what they compiled."""
    from sixarts.device import Device
    from sixarts.model import read_json
    from sixarts.plugins import registry, resolve

    family = read_json(Path(folder) / "config.json")["model_type"]
    kind = next(f for f in registry().families("text -> summary") if f.name == family)
    return resolve(kind.model).from_folder(Path(folder), Device.of("cpu", precision))


def answers(folder: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Encoder output, logits of the whole network, and logits made one cached step at a time."""
    from sixarts.compiled import Compiled, to_numpy

    model = opened(folder)

    def encoder(inputs: Mapping[str, Any]) -> Any:
        return model._encoded(model.source_embedding(inputs["input_ids"]), inputs["attention_mask"])

    def compiled(function: Any) -> Compiled:
        return Compiled(function, model.variables, model.device)

    inputs = {name: arrays[name] for name in ("input_ids", "attention_mask")}
    target = arrays["decoder_input_ids"]
    begin = compiled(
        lambda inputs: (model.encode(inputs), model.empty_cache(len(target), 1, target.shape[1]))
    )
    step = compiled(model.step)
    memory, cache = begin(inputs)
    steps = []
    for index in range(target.shape[1]):
        logits, cache = step(target[:, index : index + 1], np.int32(index), cache, memory, None)
        steps.append(to_numpy(logits))
    return {
        "encoder": to_numpy(compiled(encoder)(inputs)),
        "logits": model(arrays)["logits"],
        "steps": np.concatenate(steps, axis=1),
    }


def searched(
    folder: str, inputs: Mapping[str, np.ndarray], searches: Sequence[Mapping[str, Any]], seed: int = 0
) -> list[dict[str, np.ndarray]]:
    """Our sequences and scores, for each way to search."""
    from sixarts.generation import Search

    model = opened(folder)
    names = ("pad_token_id", "eos_token_id", "decoder_start_token_id")
    usual = {name: model.config[name] for name in names} | {"max_length": 20}
    return [model.generator(inputs, Search.from_config(usual | search), seed) for search in searches]


def python_steps(folder: str, inputs: Mapping[str, np.ndarray], search: Mapping[str, Any]) -> tuple[int, int]:
    """How often Python ran the network's step while it made sequences, and their length."""
    from sixarts.generation import Generator, Search

    model = opened(folder)
    calls: list[int] = []

    class Counted:
        device, variables = model.device, model.variables
        encode, empty_cache = model.encode, model.empty_cache

        def step(self, *arguments: Any) -> Any:
            calls.append(1)
            return model.step(*arguments)

    names = ("pad_token_id", "eos_token_id", "decoder_start_token_id")
    usual = {name: model.config[name] for name in names} | {"max_length": 20}
    found = Generator(Counted())(inputs, Search.from_config(usual | search))
    return len(calls), found["tokens"].shape[-1]
