"""The classifiers that ``bench_text.py`` compares, each in a process of its own: ours on a backend, and the
``transformers`` text pipeline on PyTorch. Both read one folder of random weights and the same texts.
"""

from __future__ import annotations

import functools
import time
from pathlib import Path
from typing import Any

import numpy as np

THREADS = 2
#: Words that the texts are made of, each a piece of the vocabulary, as most words of reviews are.
WORDS = [f"{start}{middle}{end}" for start in "bdfgklmnprst" for middle in "aeiou" for end in "dlmnrst"]


def written(count: int, short: bool = False) -> list[str]:
    """Texts whose lengths are spread as those of reviews are: most short, a few near the model's limit."""
    random = np.random.default_rng(0)
    lengths = np.exp(random.normal(4.3, 0.8, count)).clip(4, 480).astype(int)
    if short:
        lengths = random.integers(6, 15, count)
    return [" ".join(random.choice(WORDS, length)) + "." for length in lengths]


def write_model(folder: str) -> None:
    """Random weights of DistilBERT-base's size with two classes, in the layout that is published."""
    import torch
    import transformers

    torch.manual_seed(0)
    config = transformers.DistilBertConfig(id2label={0: "negative", 1: "positive"})
    transformers.DistilBertForSequenceClassification(config).eval().save_pretrained(folder)
    letters = "abcdefghijklmnopqrstuvwxyz."
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{a}" for a in letters), *WORDS]
    (Path(folder) / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")
    transformers.DistilBertTokenizer.from_pretrained(folder).save_pretrained(folder)


@functools.cache
def ours(folder: str) -> Any:
    import sixarts as sa

    return sa.load("sentiment-analysis", folder, device="cpu")


def ours_many(folder: str, texts: list[str], batch: int) -> tuple[float, list[str]]:
    """Seconds for all texts in a stream, and their labels."""
    task = ours(folder)
    begin = time.perf_counter()
    found = list(task.stream(texts, batch_size=batch, progress=False))
    return time.perf_counter() - begin, [one.label for one in found]


def ours_one(folder: str, texts: list[str], batch: int) -> tuple[float, list[str]]:
    """Seconds for the texts one after another, and their labels."""
    task = ours(folder)
    begin = time.perf_counter()
    found = [task(text) for text in texts]
    return time.perf_counter() - begin, [one.label for one in found]


@functools.cache
def theirs(folder: str) -> Any:
    import torch
    import transformers

    torch.set_num_threads(THREADS)
    return transformers.pipeline("text-classification", model=folder, device="cpu")


def transformers_many(folder: str, texts: list[str], batch: int) -> tuple[float, list[str]]:
    import torch

    pipe = theirs(folder)
    begin = time.perf_counter()
    with torch.inference_mode():
        found = pipe(texts, batch_size=batch, truncation=True)
    return time.perf_counter() - begin, [one["label"] for one in found]


def transformers_one(folder: str, texts: list[str], batch: int) -> tuple[float, list[str]]:
    import torch

    pipe = theirs(folder)
    begin = time.perf_counter()
    with torch.inference_mode():
        found = [pipe(text)[0] for text in texts]
    return time.perf_counter() - begin, [one["label"] for one in found]
