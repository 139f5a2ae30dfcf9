"""Small random networks for texts: the answers of the published implementation, and ours on any backend.

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

LABELS = {"0": "anger", "1": "joy", "2": "love"}
#: Text that small tokenizers are made from.
LINES = [
    "the quick brown fox jumps over a lazy dog, and 12 wizards box 3467890 jugs of liquid; why?",
    "Él comió piñas: ¡qué ricas! Größe, façade, naïve, coöperate, Ångström",
    "我有一只狗。你好！ 私は猫が好きです。 한국어도 됩니다. Привет мир, שלום עולם, مرحبا بالعالم",
    "unbelievable undoing of the underlying understanding; it's not the dog's, isn't it? (no) [yes] {so} #1",
    "great good bad awful love hate film food phone never always not very 😀 👍🏽 ❤️",
]


# Tokenizers, made here.


def write_word_pieces(folder: Path, **settings: Any) -> int:
    """``vocab.txt`` and its settings; returns the vocabulary's size."""
    text = " ".join(LINES)
    text += text.lower()
    letters = sorted({letter for letter in text if not letter.isspace()})
    words = sorted({word.strip(",;:?!.()") for line in LINES for word in line.lower().split()} - {""})
    pieces = dict.fromkeys(
        [
            "[PAD]",
            "[UNK]",
            "[CLS]",
            "[SEP]",
            "[MASK]",
            *words,
            *letters,
            *(f"##{letter}" for letter in letters),
        ]
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "BertTokenizer", **settings})
    )
    return len(pieces)


@functools.cache
def _byte_pairs() -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(LINES * 3, trainer)
    return json.loads(tokenizer.to_str())["model"]


def write_byte_pairs(folder: Path, **settings: Any) -> int:
    """``vocab.json`` and ``merges.txt``."""
    made = _byte_pairs()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(made["vocab"]))
    merges = [" ".join(merge) if isinstance(merge, list) else merge for merge in made["merges"]]
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "RobertaTokenizer", **settings})
    )
    return len(made["vocab"])


@functools.cache
def pieces(special: str = "<pad>") -> bytes:
    """A serialized SentencePiece unigram model, with DeBERTa's special tokens or XLM-RoBERTa's."""
    import sentencepiece

    out = io.BytesIO()
    how: dict[str, Any] = {}
    if special == "[PAD]":
        how = {
            "pad_id": 0,
            "pad_piece": "[PAD]",
            "bos_id": 1,
            "bos_piece": "[CLS]",
            "eos_id": 2,
            "eos_piece": "[SEP]",
            "unk_id": 3,
            "unk_piece": "[UNK]",
        }
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(LINES * 20),
        model_writer=out,
        vocab_size=300,
        hard_vocab_limit=False,
        minloglevel=2,
        num_threads=1,
        **how,
    )
    return out.getvalue()


def write_fairseq(folder: Path, **settings: Any) -> int:
    """``sentencepiece.bpe.model``, as XLM-RoBERTa has it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sentencepiece.bpe.model").write_bytes(pieces())
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "XLMRobertaTokenizer", **settings})
    )
    return _count(pieces()) + 2


def write_deberta(folder: Path, **settings: Any) -> int:
    """``spm.model``, as DeBERTa has it, with a mask added behind."""
    folder.mkdir(parents=True, exist_ok=True)
    model = pieces("[PAD]")
    (folder / "spm.model").write_bytes(model)
    (folder / "added_tokens.json").write_text(json.dumps({"[MASK]": _count(model)}))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "DebertaV2Tokenizer", **settings})
    )
    return _count(model) + 1


def _count(model: bytes) -> int:
    import sentencepiece

    return int(sentencepiece.SentencePieceProcessor(model_proto=model).get_piece_size())


WRITE = {
    "Bert": write_word_pieces,
    "DistilBert": write_word_pieces,
    "Roberta": write_byte_pairs,
    "XLMRoberta": write_fairseq,
    "DebertaV2": write_deberta,
}


# The published implementation.


def published(kind: str, config: Mapping[str, Any], seed: int) -> Any:
    """A model of ``transformers`` with every weight drawn: none is left at a value that hides a mistake."""
    import torch
    import transformers

    named = {int(number): label for number, label in LABELS.items()}
    made = getattr(transformers, f"{kind}Config")(**{"id2label": named, **config})
    made._attn_implementation = "eager"
    model = getattr(transformers, f"{kind}ForSequenceClassification")(made).eval()
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            drawn = torch.randn(weight.shape, generator=random)
            if "embeddings.weight" in name:
                weight.copy_(drawn * 0.7)
            elif weight.dim() >= 2:
                weight.copy_(drawn * 1.2 * weight[0].numel() ** -0.5)
            else:
                weight.copy_(drawn * 0.2 + ("norm.weight" in name.lower()))
    return model


def saved(folder: Path, kind: str, config: Mapping[str, Any], seed: int, **settings: Any) -> Any:
    """The published model in ``folder`` with a tokenizer, as its own library saves it."""
    size = WRITE[kind](folder, **settings)
    model = published(kind, {"vocab_size": size + seed % 3, **config}, seed)
    model.save_pretrained(folder)
    return model


def batch(size: int, pad: int, seed: int, rows: int = 3, length: int = 9) -> dict[str, np.ndarray]:
    """Rows of several lengths, padded; each second half is of segment 1."""
    random = np.random.default_rng(seed)
    ids = random.integers(pad + 1, size, (rows, length)).astype("int32")
    mask, segments = np.ones_like(ids), np.zeros_like(ids)
    for row in range(rows):
        end = length if row == 0 else int(random.integers(2, length + 1))
        mask[row, end:] = 0
        ids[row, end:] = pad
        segments[row, end // 2 : end] = 1
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": segments}


def published_logits(model: Any, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """Logits ``[b, classes]``."""
    import torch

    given = {name: torch.tensor(array).long() for name, array in arrays.items()}
    if getattr(model.config, "type_vocab_size", 0) < 2:
        del given["token_type_ids"]
    with torch.no_grad():
        return np.asarray(model(**given).logits)


# Ours, on any backend.


@functools.lru_cache(maxsize=4)
def task(folder: Path) -> Any:
    """The task, as anybody would load it."""
    import sixarts

    return sixarts.load("sentiment-analysis", folder, device="cpu")


def logits(folder: Path, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """Logits ``[b, classes]``."""
    return np.asarray(task(folder).model(arrays)["logits"])


def saved_again(folder: Path, copy: Path, lost: Sequence[str] = ()) -> bool:
    """Whether a folder that is loaded and saved holds the same weights, bit for bit.

    Args:
        lost: how the names of weights begin that no network reads.
    """
    from sixarts.checkpoint import open_weights

    task(folder).save(copy)
    before, after = open_weights(folder), open_weights(copy)
    kept = {name for name in before if not name.startswith(tuple(lost))}
    assert set(after) == kept, set(after) ^ kept
    return all(np.array_equal(before.read(name), after.read(name)) for name in after)
