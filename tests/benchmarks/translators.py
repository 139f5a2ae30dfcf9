"""The translators that ``bench_translation.py`` compares, each in a process of its own: ours on a backend,
``transformers`` on PyTorch, CTranslate2. All read one folder of random weights in the published layout.

Lengths are forced, since random weights never stop by themselves: the end token is suppressed up to the
length that is wanted, on every side.
"""

from __future__ import annotations

import functools
import json
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from bench_load_memory import SIZES

THREADS = 2
#: Tokens of every source where one batch is timed.
SOURCE = 32
EOS, WORDS = 0, SIZES["vocab_size"]
PAD = WORDS - 1
#: The size of ``Helsinki-NLP/opus-mt-*``.
CONFIG = SIZES | {
    "pad_token_id": PAD,
    "eos_token_id": EOS,
    "decoder_start_token_id": PAD,
    "forced_eos_token_id": EOS,
    "num_beams": 4,
    "max_length": 512,
}
SYLLABLES = [a + b for a in "bdfgklmnprstvz" for b in "aeiou"]


# The weights, and the text.


def write_model(folder: str) -> None:
    """Random weights, and a tokenizer whose pieces are syllables, in the layout that is published."""
    import io

    import sentencepiece
    import torch
    from transformers import MarianConfig, MarianMTModel

    place = Path(folder)
    torch.manual_seed(0)
    model = MarianMTModel(MarianConfig(**CONFIG)).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() == 2 and "embed_positions" not in name:
                weight.normal_(0.0, weight.shape[1] ** -0.5)
    model.save_pretrained(place)
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(corpus(2000)),
        model_writer=out,
        vocab_size=400,
        hard_vocab_limit=False,
        minloglevel=2,
        num_threads=1,
    )
    pieces = sentencepiece.SentencePieceProcessor(model_proto=out.getvalue())
    names = [pieces.id_to_piece(i) for i in range(3, pieces.get_piece_size())]
    words = ["</s>", "<unk>", *names]
    # Every number that the network may write is a piece, as in a published vocabulary.
    words += [f"▁w{number}" for number in range(len(words), PAD)] + ["<pad>"]
    for side in ("source.spm", "target.spm"):
        (place / side).write_bytes(out.getvalue())
    (place / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (place / "tokenizer_config.json").write_text(
        json.dumps({"source_lang": "en", "target_lang": "de", "tokenizer_class": "MarianTokenizer"})
    )


def corpus(sentences: int, seed: int = 0) -> list[str]:
    """Sentences of made-up words; lengths as in everyday text, a few long ones among many short ones."""
    draw = random.Random(seed)

    def word() -> str:
        return "".join(draw.choice(SYLLABLES) for _ in range(draw.randint(1, 2)))

    return [
        " ".join(word() for _ in range(min(max(int(draw.lognormvariate(2.2, 0.6)), 2), 40))).capitalize()
        + "."
        for _ in range(sentences)
    ]


def wanted_length(source: Sequence[int]) -> int:
    """Tokens of the translation that a source of so many tokens is given, the end included."""
    return min(max(int(len(source) * 1.1), 4), 100)


def batch(rows: int, length: int = SOURCE) -> np.ndarray:
    """Source tokens ``[rows, length]``, none of them padding."""
    tokens = np.random.default_rng(0).integers(2, WORDS - 1, (rows, length)).astype("int32")
    tokens[:, -1] = EOS
    return tokens


def timed(call: Any) -> tuple[float, Any]:
    begin = time.perf_counter()
    answer = call()
    return time.perf_counter() - begin, answer


# Ours.


@functools.cache
def ours(folder: str) -> Any:
    """The task, as anybody would load it."""
    import sixarts as sa

    return sa.load("translation", folder, device="cpu")


def ours_generate(
    folder: str, rows: int, beams: int, length: int, source: int = SOURCE
) -> tuple[float, list[list[int]]]:
    """Seconds for ``length`` new tokens a row, and the tokens."""
    from dataclasses import replace

    model = ours(folder).model
    ids = batch(rows, source)
    search = replace(
        model.search, beams=beams, max_length=length + 1, suppress=((EOS,), (PAD,)), forced_eos=None
    )
    inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
    seconds, found = timed(lambda: model.generator(inputs, search))
    return seconds, found["tokens"][:, 0, 1:].tolist()


@functools.cache
def _forced_lengths() -> Any:
    """The task's class with the lengths that are wanted, and nothing else changed."""
    from sixarts_translation.task import TranslationTask

    class Forced(TranslationTask):
        def prepare(self, pieces: Sequence[str], options: Any) -> Any:
            found = super().prepare(pieces, options)
            rows = [wanted_length(self.model.processor.encode(piece)) for piece in pieces]
            forced = np.full((len(pieces), 128), -1, "int32")
            forced[np.arange(len(pieces)), np.array(rows) - 1] = EOS
            return type(found)({**found.arrays, "forced": forced}, found.context)

        def _search(self, options: Any) -> Any:
            from dataclasses import replace

            return replace(super()._search(options), suppress=((EOS,), (PAD,)), max_length=129)

    return Forced


def ours_stream(folder: str, sentences: int, beams: int) -> tuple[float, list[int], int]:
    """Seconds for a corpus, the tokens of each translation, and how many shapes of batches there were."""
    task = ours(folder)
    forced = _forced_lengths()(task.spec, task.model, {"beams": beams, "segment": "none"}, task.reference)
    counts: list[int] = []
    shapes: set[Any] = set()
    finish = forced.finish

    def counted(outputs: Any, batch: Any, options: Any) -> Any:
        shapes.add(batch.arrays["input_ids"].shape)
        counts.extend(int((row[0] != PAD).sum()) for row in outputs["tokens"])
        return finish(outputs, batch, options)

    forced.finish = counted
    texts = corpus(sentences)
    seconds, _ = timed(lambda: list(forced.stream(texts)))
    return seconds, sorted(counts), len(shapes)


def ours_bucketed(folder: str, rows: int) -> dict[str, Any]:
    """Texts of a new length in a bucket that was seen: how many functions were traced for it, and seconds."""
    from sixarts.device import backend
    from sixarts.networks import encoder_decoder

    task = _forced_lengths()(ours(folder).spec, ours(folder).model, {"beams": 1, "segment": "none"})
    traced: list[int] = []
    encode, step = encoder_decoder.EncoderDecoder.encode, encoder_decoder.EncoderDecoder.step

    def texts(words: int) -> list[str]:
        return [" ".join(["ba"] * words) + "." for _ in range(rows)]

    def counted(function: Any) -> Any:
        def run(*arguments: Any) -> Any:
            traced.append(1)
            return function(*arguments)

        return run

    task(texts(20))
    model: Any = encoder_decoder.EncoderDecoder
    model.step = counted(step)
    if backend() != "torch":  # where only the step is compiled
        model.encode = counted(encode)
    try:
        seconds, _ = timed(lambda: task(texts(24)))
    finally:
        model.encode, model.step = encode, step
    return {"seconds": seconds, "again": timed(lambda: task(texts(24)))[0], "compiled": len(traced)}


# The peers.


@functools.cache
def theirs(folder: str) -> Any:
    """``MarianMTModel`` and its tokenizer."""
    import torch
    from transformers import MarianMTModel, MarianTokenizer

    torch.set_num_threads(THREADS)
    return MarianMTModel.from_pretrained(folder).eval(), MarianTokenizer.from_pretrained(folder)


def transformers_generate(folder: str, rows: int, beams: int, length: int) -> tuple[float, list[list[int]]]:
    import torch

    model, _ = theirs(folder)
    ids = torch.tensor(batch(rows)).long()

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
            )

    seconds, found = timed(call)
    return seconds, found[:, 1:].tolist()


def transformers_stream(folder: str, sentences: int, beams: int) -> tuple[float, list[int], int]:
    """As :func:`ours_stream`, in batches of 16 as the corpus gives them."""
    import torch
    from transformers import LogitsProcessor, LogitsProcessorList

    model, tokenizer = theirs(folder)

    class Ends(LogitsProcessor):
        def __init__(self, lengths: Any) -> None:
            self.lengths = lengths

        def __call__(self, input_ids: Any, scores: Any) -> Any:
            scores[:, EOS] = -torch.inf
            over = self.lengths == input_ids.shape[1]
            scores[over] = -torch.inf
            scores[over, EOS] = 0.0
            return scores

    counts: list[int] = []

    def call() -> None:
        texts = corpus(sentences)
        for start in range(0, len(texts), 16):
            inputs = tokenizer(texts[start : start + 16], return_tensors="pt", padding=True)
            lengths = [wanted_length(row[row != PAD]) for row in inputs["input_ids"]]
            ends = Ends(torch.tensor(lengths).repeat_interleave(beams))
            with torch.inference_mode():
                found = model.generate(
                    **inputs,
                    num_beams=beams,
                    max_new_tokens=128,
                    max_length=None,
                    forced_eos_token_id=None,
                    bad_words_ids=[[PAD]],
                    logits_processor=LogitsProcessorList([ends]),
                )
            counts.extend(int((row[1:] != PAD).sum()) for row in found)
            tokenizer.batch_decode(found, skip_special_tokens=True)

    seconds, _ = timed(call)
    return seconds, sorted(counts), 0


@functools.cache
def translator(folder: str) -> Any:
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


def ctranslate2_generate(folder: str, rows: int, beams: int, length: int) -> tuple[float, list[list[int]]]:
    engine, names = translator(folder), _names(folder)
    sources = [[names[token] for token in row] for row in batch(rows)]
    seconds, found = timed(
        lambda: engine.translate_batch(
            sources, beam_size=beams, min_decoding_length=length, max_decoding_length=length
        )
    )
    numbers = {name: number for number, name in enumerate(names)}
    return seconds, [[numbers[name] for name in row.hypotheses[0]] for row in found]
