"""The summarizers that ``bench_summarization.py`` compares, each in a process of its own: ours on a backend,
``transformers`` on PyTorch, CTranslate2. All read one folder of random weights in BART's published layout.

Lengths are forced, since random weights never stop by themselves: the end token is suppressed up to the
length that is wanted, on every side.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
from translators import THREADS, timed

BOS, PAD, EOS = 0, 1, 2
#: The size of ``facebook/bart-base``.
CONFIG: dict[str, Any] = {
    "vocab_size": 50265,
    "d_model": 768,
    "encoder_layers": 6,
    "decoder_layers": 6,
    "encoder_attention_heads": 12,
    "decoder_attention_heads": 12,
    "encoder_ffn_dim": 3072,
    "decoder_ffn_dim": 3072,
    "max_position_embeddings": 1024,
    "forced_eos_token_id": None,
    # What the first files state, and CTranslate2's converter reads.
    "normalize_before": False,
    "normalize_embedding": True,
}
WORDS = CONFIG["vocab_size"]


def write_model(folder: str) -> None:
    """Random weights, and a tokenizer with a name for every number."""
    import torch
    from tokenizers import pre_tokenizers
    from transformers import BartConfig, BartForConditionalGeneration

    place = Path(folder)
    torch.manual_seed(0)
    model = BartForConditionalGeneration(BartConfig(**CONFIG)).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() == 2 and "embed_positions" not in name:
                weight.normal_(0.0, weight.shape[1] ** -0.5)
    model.save_pretrained(place)
    names = ["<s>", "<pad>", "</s>", "<unk>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    names += [f"w{number}" for number in range(len(names), WORDS - 1)] + ["<mask>"]
    (place / "vocab.json").write_text(json.dumps({name: number for number, name in enumerate(names)}))
    (place / "merges.txt").write_text("#version: 0.2\n")
    (place / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BartTokenizer"}))


def batch(rows: int, length: int) -> np.ndarray:
    """Source tokens ``[rows, length]``, none of them padding."""
    tokens = np.random.default_rng(0).integers(4, WORDS - 1, (rows, length)).astype("int32")
    tokens[:, 0], tokens[:, -1] = BOS, EOS
    return tokens


@functools.cache
def ours(folder: str) -> Any:
    """The family's model."""
    from sixarts.device import Device
    from sixarts_text.summarizer import Bart

    return Bart.from_folder(Path(folder), Device.of("cpu"))


def ours_generate(
    folder: str, rows: int, source: int, beams: int, length: int, ngram: int
) -> tuple[float, list[list[int]]]:
    """Seconds for ``length`` new tokens a row, and the tokens.

    Args:
        ngram: size of the n-grams that may not come twice; 0 allows all.
    """
    model = ours(folder)
    ids = batch(rows, source)
    search = model.search.with_options(
        beams=beams, max_new_tokens=length, suppress=((EOS,), (PAD,)), no_repeat_ngram_size=ngram
    )
    inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
    seconds, found = timed(lambda: model.generator(inputs, search))
    return seconds, found["tokens"][:, 0, 1:].tolist()


@functools.cache
def theirs(folder: str) -> Any:
    """``BartForConditionalGeneration``."""
    import torch
    from transformers import BartForConditionalGeneration

    torch.set_num_threads(THREADS)
    return BartForConditionalGeneration.from_pretrained(folder).eval()


def transformers_generate(
    folder: str, rows: int, source: int, beams: int, length: int, ngram: int
) -> tuple[float, list[list[int]]]:
    import torch

    model, ids = theirs(folder), torch.tensor(batch(rows, source)).long()

    def call() -> Any:
        with torch.inference_mode():
            return model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                num_beams=beams,
                min_new_tokens=length,
                max_new_tokens=length,
                max_length=None,
                forced_eos_token_id=None,
                bad_words_ids=[[PAD]],
                no_repeat_ngram_size=ngram,
            )

    seconds, found = timed(call)
    return seconds, found[:, 1:].tolist()


@functools.cache
def engine(folder: str) -> Any:
    """CTranslate2's engine in float32, on weights that its own converter read."""
    import ctranslate2

    place = Path(folder) / "ctranslate2"
    if not place.exists():
        ctranslate2.converters.TransformersConverter(folder).convert(str(place))
    return ctranslate2.Translator(
        str(place), device="cpu", compute_type="float32", inter_threads=1, intra_threads=THREADS
    )


@functools.cache
def _names(folder: str) -> list[str]:
    words = json.loads((Path(folder) / "vocab.json").read_text())
    return sorted(words, key=words.__getitem__)


def ctranslate2_generate(
    folder: str, rows: int, source: int, beams: int, length: int, ngram: int
) -> tuple[float, list[list[int]]]:
    made, names = engine(folder), _names(folder)
    sources = [[names[token] for token in row] for row in batch(rows, source)]
    seconds, found = timed(
        lambda: made.translate_batch(
            sources,
            beam_size=beams,
            min_decoding_length=length,
            max_decoding_length=length,
            no_repeat_ngram_size=ngram,
        )
    )
    numbers = {name: number for number, name in enumerate(names)}
    return seconds, [[numbers[name] for name in row.hypotheses[0]] for row in found]
