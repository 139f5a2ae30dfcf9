"""Small random presets over texts that KerasHub itself saves, its answers, and ours on any backend."""

from __future__ import annotations

import functools
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from preset_reference import drawn_and_saved

#: Text that small tokenizers are made from.
LINES = [
    "the quick brown fox jumps over a lazy dog, and 12 wizards box 3467890 jugs of liquid; why?",
    "Él comió piñas: ¡qué ricas! Größe, façade, naïve, coöperate, Ångström",
    "我有一只狗。你好！ 私は猫が好きです。 한국어도 됩니다. Привет мир, שלום עולם, مرحبا بالعالم",
    "unbelievable undoing of the underlying understanding; it's not the dog's, isn't it? (no) [yes] {so} #1",
    "great good bad awful love hate film food phone never always not very 😀 👍🏽 ❤️",
    "in 2021 and 2021, 12345 12345",
    "spaces      in      a      row,    a      table\n    of      them      \n\n    here",
]
HARD = [
    "I love it 😀👍🏽, don't you? ❤️\u200d🔥 🇨🇭",
    "我有一只狗。你好！ 私は猫が好きです。한국어",
    "Él comió piñas; Größe, na\u00efve vs nai\u0308ve, Å Å Å, ﬁ ½ Ａ\u3000Ｂ ① ² İstanbul Straße ΣΊΣΥΦΟΣ",
    "tab\tnew\nline\r\nreturn\r\x0b\x0c bell\x07 escape\x1b zero\u200bwidth\u00adsoft \u202eright",
    "שלום عالم हिन्दी ไทยไม่มีช่องว่าง",
    "a" * 101 + " " + "é" * 50 + " " + "é" * 51,
    "not" * 33 + " !" + "💥" * 50,
    "1,234.56 $%&@#^*()_+-=[]{}|;':\",./<>?`~ in 2021 12345 days",
    "  leading,  double   and trailing  ",
    "it's can't 'quoted' I'LL",
    "e\u0323\u0301\u0302 \u0301alone a\u0300\u0316\u0345 \u1112\u1161\u11ab 각\u11a8",
]
#: Beginning of a class's name to settings of its backbone beside the size of its vocabulary.
_BLOCKS: dict[str, Any] = {"num_layers": 2, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 12}
LENGTH = 24
NETWORKS: dict[str, dict[str, Any]] = {
    "Albert": {**_BLOCKS, "embedding_dim": 6, "num_groups": 1, "num_inner_repetitions": 2},
    "Bert": _BLOCKS,
    "DebertaV3": {**_BLOCKS, "bucket_size": 4},
    "DistilBert": _BLOCKS,
    "FNet": {name: value for name, value in _BLOCKS.items() if name != "num_heads"},
    "Roberta": _BLOCKS,
    "XLMRoberta": _BLOCKS,
}


# Tokenizers, made here.


@functools.cache
def word_pieces() -> tuple[str, ...]:
    text = " ".join(LINES)
    text += text.lower() + "éss"
    letters = sorted({letter for letter in text if not letter.isspace()})
    words = sorted({word.strip(",;:?!.()") for line in LINES for word in line.lower().split()} - {""})
    special = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    return tuple(dict.fromkeys([*special, *words, *letters, *(f"##{letter}" for letter in letters)]))


@functools.cache
def byte_pairs() -> tuple[dict[str, int], list[str]]:
    """Vocabulary and merges, those of numbers after a space among them, as published ones have."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=480,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(LINES * 3, trainer)
    made = json.loads(tokenizer.to_str())["model"]
    return made["vocab"], [" ".join(pair) if isinstance(pair, list) else pair for pair in made["merges"]]


@functools.cache
def pieces(pad: str | None) -> bytes:
    """A serialized SentencePiece model with BERT's special tokens, or as XLM-RoBERTa has it."""
    import sentencepiece

    out = io.BytesIO()
    named = {"pad_piece": pad, "bos_piece": "[CLS]", "eos_piece": "[SEP]", "unk_piece": "[UNK]"}
    numbers = {"pad_id": 0, "bos_id": 1, "eos_id": 2, "unk_id": 3, "control_symbols": ["[MASK]"]}
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(LINES * 20),
        model_writer=out,
        vocab_size=300,
        hard_vocab_limit=False,
        minloglevel=2,
        num_threads=1,
        **(named | numbers if pad else {}),
    )
    return out.getvalue()


def tokenizer(stem: str, **settings: Any) -> Any:
    """KerasHub's tokenizer for a kind of preset."""
    import keras_hub

    kind = getattr(keras_hub.models, f"{stem}Tokenizer")
    if stem in ("Bert", "DistilBert"):
        return kind(vocabulary=list(word_pieces()), **settings)
    if stem in ("Roberta", "Bart"):
        vocabulary, merges = byte_pairs()
        return kind(vocabulary=vocabulary, merges=merges, **settings)
    pad = {"XLMRoberta": None, "DebertaV3": "[PAD]"}.get(stem, "<pad>")
    return kind(proto=pieces(pad), **settings)


def preprocessor(stem: str, length: int = LENGTH, truncate: str = "round_robin", **settings: Any) -> Any:
    import keras_hub

    kind = getattr(keras_hub.models, f"{stem}TextClassifierPreprocessor")
    return kind(tokenizer(stem, **settings), sequence_length=length, truncate=truncate)


def saved(folder: Path, stem: str, classes: int = 3, head: dict[str, Any] | None = None, **how: Any) -> Any:
    """A KerasHub text classifier, saved as a preset, with every weight drawn."""
    import keras_hub

    models, prepared = keras_hub.models, preprocessor(stem, **how)
    size = prepared.tokenizer.vocabulary_size()
    length = {"max_sequence_length": prepared.sequence_length}
    backbone = getattr(models, f"{stem}Backbone")(vocabulary_size=size, **length, **NETWORKS[stem])
    task = getattr(models, f"{stem}TextClassifier")(
        backbone=backbone, num_classes=classes, preprocessor=prepared, **head or {}
    )
    return drawn_and_saved(task, folder, len(stem))


def published(task: Any, inputs: list[Any]) -> list[tuple[list[int], np.ndarray]]:
    """KerasHub's own numbers of each text or pair, without padding, and its own answer."""
    import keras

    found: dict[int, tuple[list[int], np.ndarray]] = {}
    for paired in (False, True):
        places = [place for place, x in enumerate(inputs) if isinstance(x, tuple) == paired]
        if not places:
            continue
        given = [inputs[place] for place in places]
        # Without a y KerasHub takes the second text for it.
        prepared = task.preprocessor(tuple(map(list, zip(*given, strict=True))) if paired else given, y=None)
        answers = np.asarray(keras.ops.convert_to_numpy(task(prepared)))
        for place, ids, answer in zip(places, np.asarray(prepared["token_ids"]), answers, strict=True):
            count = np.flatnonzero(ids != task.preprocessor.tokenizer.pad_token_id)[-1] + 1
            found[place] = ids[:count].tolist(), answer
    return [found[place] for place in range(len(inputs))]


# Ours, on any backend.


@functools.lru_cache(maxsize=16)
def task(folder: Path) -> Any:
    """The task, as anybody would load it."""
    import sixarts

    return sixarts.load("sentiment-analysis", folder, device="cpu")


def answers(folder: Path, inputs: list[Any]) -> list[tuple[list[int], np.ndarray]]:
    """What our processor makes of each text, cut where it is too long, and our network's logits for it."""
    model = task(folder).model
    arrays = model.processor.arrays([next(model.processor.pieces(x, "truncate")) for x in inputs])
    counts = arrays["attention_mask"].sum(axis=1)
    rows = [row[:count].tolist() for row, count in zip(arrays["input_ids"], counts, strict=True)]
    return list(zip(rows, model(arrays)["logits"], strict=True))


def all_answers(folders: list[Path], inputs: list[Any]) -> list[list[tuple[list[int], np.ndarray]]]:
    """The same for several presets."""
    return [answers(folder, inputs) for folder in folders]


# Networks that write.


def saved_bart(folder: Path, length: int = 40, card: str = "", **settings: Any) -> Any:
    """A KerasHub BART that writes, in the same way."""
    import keras_hub

    models = keras_hub.models
    prepared = models.BartSeq2SeqLMPreprocessor(
        tokenizer("Bart"), encoder_sequence_length=length, decoder_sequence_length=20
    )
    size = prepared.tokenizer.vocabulary_size()
    backbone = models.BartBackbone(size, **_BLOCKS, max_sequence_length=48, **settings)
    task = models.BartSeq2SeqLM(backbone, preprocessor=prepared)
    task.compile(sampler="greedy")
    drawn_and_saved(task, folder, 3)
    if card:
        (folder / "README.md").write_text(card)
    return task


def bart_arrays(task: Any, texts: list[str], written: list[str]) -> dict[str, np.ndarray]:
    """KerasHub's own arrays for texts and what was written of them."""
    arrays = task.preprocessor({"encoder_text": texts, "decoder_text": written})[0]
    return {name: np.asarray(array).astype("int32") for name, array in arrays.items()}


@functools.lru_cache(maxsize=4)
def summarizer(folder: Path) -> Any:
    """The task, as anybody would load it."""
    import sixarts

    return sixarts.load("summarization", folder, device="cpu")


def bart_answers(folder: Path, arrays: dict[str, np.ndarray], texts: list[str]) -> dict[str, Any]:
    """Our logits for KerasHub's arrays, and what greedy search writes of texts."""
    from dataclasses import replace

    model = summarizer(folder).model
    names = {"encoder_token_ids": "input_ids", "encoder_padding_mask": "attention_mask"}
    ours = {ours: arrays[theirs] for theirs, ours in names.items()}
    logits = model({**ours, "decoder_input_ids": arrays["decoder_token_ids"]})["logits"]
    processor, found = model.processor, []
    for text in texts:
        batch = processor.pad(processor.encode([text], processor.source_limit))
        tokens = model.generator(batch, replace(model.search, beams=1, max_length=12), 0)["tokens"]
        found.append(processor.decode(tokens[0, 0, 1:]))
    return {"logits": logits, "texts": found}
