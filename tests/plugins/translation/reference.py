"""Small random Marian networks: the answers of the published implementation, and ours on any backend.

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

#: Every network here has this many pieces a side, the end token first and padding last.
WORDS = 40
EOS, PAD = 0, WORDS - 1
TEXT = (
    "the quick brown fox jumps over a lazy dog, and 12 wizards box 3467890 jugs of liquid; why? "
    "Él comió piñas: ¡qué ricas! Größe, façade, naïve. 我有一只狗。你好！ Привет мир"
)


# Files.


@functools.cache
def pieces(seed: int = 0, size: int = 150) -> bytes:
    """A serialized SentencePiece model; another seed gives another text, thus other pieces."""
    import sentencepiece

    words = TEXT.split()
    random = np.random.default_rng(seed)
    lines = [" ".join(random.choice(words, 9)) for _ in range(300)]
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_writer=out,
        vocab_size=size,
        hard_vocab_limit=False,
        minloglevel=2,
        num_threads=1,
    )
    return out.getvalue()


def piece_names(model: bytes) -> list[str]:
    """The pieces that stand for text."""
    import sentencepiece

    spm = sentencepiece.SentencePieceProcessor(model_proto=model)
    return [
        spm.id_to_piece(i)
        for i in range(spm.get_piece_size())
        if not (spm.is_control(i) or spm.is_unknown(i))
    ]


def write_tokenizer(folder: Path, size: int = WORDS) -> None:
    """Tokenizer files whose vocabulary has ``size`` numbers; what they say is of no matter."""
    words = ["</s>", "<unk>", *piece_names(pieces())[: size - 3], "<pad>"]
    (folder / "source.spm").write_bytes(pieces())
    (folder / "target.spm").write_bytes(pieces())
    (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))


# The published implementation.


def configuration(**changes: Any) -> dict[str, Any]:
    """A small ``config.json`` with these values."""
    return {
        "vocab_size": WORDS,
        "d_model": 16,
        "encoder_layers": 1,
        "decoder_layers": 1,
        "encoder_attention_heads": 2,
        "decoder_attention_heads": 2,
        "encoder_ffn_dim": 24,
        "decoder_ffn_dim": 20,
        "max_position_embeddings": 64,
        "activation_function": "swish",
        "scale_embedding": True,
        "share_encoder_decoder_embeddings": True,
        "tie_word_embeddings": True,
        "pad_token_id": PAD,
        "eos_token_id": EOS,
        "decoder_start_token_id": PAD,
        "forced_eos_token_id": EOS,
        "dropout": 0.0,
    } | changes


def published(config: Mapping[str, Any], seed: int) -> Any:
    """``MarianMTModel`` with every weight drawn: none is left at a value that hides a mistake."""
    import torch
    from transformers import MarianConfig, MarianMTModel

    model = MarianMTModel(MarianConfig(**config)).eval()
    random = torch.Generator().manual_seed(seed)

    def draw(shape: Any, scale: float) -> Any:
        return torch.randn(shape, generator=random) * scale

    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "embed_positions" in name:
                continue
            if weight.dim() == 2:
                weight.copy_(draw(weight.shape, 1.6 * weight.shape[1] ** -0.5))
            else:
                weight.copy_(draw(weight.shape, 0.2) + ("norm.weight" in name))
        model.final_logits_bias.copy_(draw(model.final_logits_bias.shape, 0.7))
        # Ends are common enough that beams meet them.
        model.final_logits_bias[:, EOS] += 1.0
    return model


def saved(folder: Path, config: Mapping[str, Any], seed: int = 0, **how: Any) -> Any:
    """Writes a foreign checkpoint with its tokenizer, and returns the published network of it."""
    model = published(config, seed)
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder, **how)
    write_tokenizer(folder, config["vocab_size"])
    return model


def source(seed: int, rows: int = 3, length: int = 9, words: int = WORDS) -> dict[str, np.ndarray]:
    """A batch of sources of several lengths, padded."""
    random = np.random.default_rng(seed)
    ids = random.integers(2, words - 1, (rows, length)).astype("int32")
    mask = np.ones_like(ids)
    for row in range(1, rows):
        end = int(random.integers(1, length + 1))
        mask[row, end:] = 0
        ids[row, end - 1] = EOS
        ids[row, end:] = PAD
    return {"input_ids": ids, "attention_mask": mask}


def teacher_forced(model: Any, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The published network's encoder output and logits."""
    import torch

    with torch.no_grad():
        out = model(**{name: torch.tensor(array).long() for name, array in arrays.items()})
    return {"encoder": out.encoder_last_hidden_state.numpy(), "logits": out.logits.numpy()}


#: What every search states, in the words of ``generation_config.json``.
SEARCH = {"pad_token_id": PAD, "eos_token_id": EOS, "decoder_start_token_id": PAD, "max_length": 20}


def generated(
    model: Any, inputs: Mapping[str, np.ndarray], search: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """The published network's sequences, ``[b, k, n]``, and their scores where it searches with beams."""
    import torch
    from transformers import GenerationConfig

    beams = search.get("num_beams", 1)
    model.generation_config = GenerationConfig(
        **SEARCH | search, num_return_sequences=beams, return_dict_in_generate=True, output_scores=beams > 1
    )
    with torch.no_grad():
        out = model.generate(**{name: torch.tensor(a).long() for name, a in inputs.items()})
    rows = len(inputs["input_ids"])
    found = {"tokens": out.sequences.numpy().reshape(rows, beams, -1)}
    if beams > 1:
        found["scores"] = out.sequences_scores.numpy().reshape(rows, beams)
    return found


def same_tokens(ours: np.ndarray, theirs: np.ndarray, pad: int = PAD) -> bool:
    """Whether sequences are equal but for the padding after them."""
    width = max(ours.shape[-1], theirs.shape[-1])

    def wide(tokens: np.ndarray) -> np.ndarray:
        more = width - tokens.shape[-1]
        return np.pad(tokens, ((0, 0), (0, 0), (0, more)), constant_values=pad)

    return bool(np.array_equal(wide(ours), wide(theirs)))


# Ours, here and in the workers.


@functools.lru_cache(maxsize=2)
def opened(folder: str, precision: str = "float32") -> Any:
    """Our model of a folder; the last ones are kept, with what they compiled."""
    from sixarts.device import Device
    from sixarts.model import read_json
    from sixarts.plugins import registry, resolve

    family = read_json(Path(folder) / "config.json")["model_type"]
    kind = next(f for f in registry().families("text -> text") if f.name == family)
    return resolve(kind.model).from_folder(Path(folder), Device.of("cpu", precision))


def answers(
    folder: str, arrays: Mapping[str, np.ndarray], precision: str = "float32"
) -> dict[str, np.ndarray]:
    """Encoder output, logits of the whole network, and logits made one cached step at a time."""
    from sixarts.compiled import Compiled, to_numpy

    model = opened(folder, precision)

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
    folder: str,
    inputs: Mapping[str, np.ndarray],
    searches: Sequence[Mapping[str, Any]],
    seed: int = 0,
    precision: str = "float32",
    start: np.ndarray | None = None,
    forced: np.ndarray | None = None,
) -> list[dict[str, np.ndarray]]:
    """Our sequences and scores, for each way to search."""
    from sixarts.generation import Search

    generator = opened(folder, precision).generator
    return [
        generator(inputs, Search.from_config(SEARCH | search), seed, start, forced) for search in searches
    ]


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

    found = Generator(Counted())(inputs, Search.from_config(SEARCH | search))
    return len(calls), found["tokens"].shape[-1]
