"""The data of the recipes: read as published, made into plain pairs, split."""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

Pair = tuple[str, str]
#: Shares of data that comes unsplit, in thousandths of the English sides.
VALIDATION, TEST = 25, 50


class Split(NamedTuple):
    """Pairs for training, validation and test; no source is in two of them."""

    train: list[Pair]
    validation: list[Pair]
    test: list[Pair]

    def __str__(self) -> str:
        train, validation, test = map(len, self)
        return f"{train} for training, {validation} for validation, {test} for test"


def tatoeba_en_zh(path: Path) -> Split:
    """English–Chinese sentences of Tatoeba, one tab-separated pair a line, plain or gzipped.

    Half of the sentences are in Traditional characters and half in Simplified ones, and nothing in the
    English says which is wanted: OpenCC makes them all Simplified.
    """
    from opencc import OpenCC

    convert = OpenCC("t2s").convert
    rows = [line.split("\t")[:2] for line in _lines(path) if line]
    return split(dict.fromkeys((source.strip(), convert(target.strip())) for source, target in rows))


def small_parallel_enja(folder: Path) -> Split:
    """The 50,000 English–Japanese pairs of ``odashi/small_parallel_enja`` (from the Tanaka corpus).

    Its English is lower-case and both sides are cut into words; spaces are put back as they are written.
    Sources of its dev and test parts do not stay in the training part.
    """

    def part(name: str) -> list[Pair]:
        return [
            (joined(source), re.sub(r"\s+", "", target))
            for source, target in _sides(folder, name, "en", "ja")
        ]

    parts = {name: list(dict.fromkeys(part(name))) for name in ("train", "dev", "test")}
    kept = _key_set(parts["dev"]) | _key_set(parts["test"])
    return Split(
        [pair for pair in parts["train"] if _key(pair[0]) not in kept],
        # Nothing is left out of the published parts, so that figures on them compare.
        parts["dev"],
        parts["test"],
    )


def multi30k_en_de(folder: Path) -> Split:
    """English–German captions of Multi30k (Elliott et al. 2016): train, val and test_2016_flickr."""
    return Split(*(list(_sides(folder, name, "en", "de")) for name in ("train", "val", "test_2016_flickr")))


def split(pairs: Iterable[Pair]) -> Split:
    """A split by a hash of the English side, letters and digits only: it depends on nothing else.

    >>> parts = split([("Hi.", "嗨。"), ("Hi!", "你好。")])
    >>> sorted(map(len, parts))
    [0, 0, 2]
    """
    parts = Split([], [], [])
    for pair in pairs:
        place = int.from_bytes(hashlib.sha256(_key(pair[0]).encode()).digest()[:4], "big") % 1000
        part = parts.test if place < TEST else parts.validation if place < TEST + VALIDATION else parts.train
        part.append(pair)
    return parts


def joined(text: str) -> str:
    """English whose words and marks stand apart, as it is written.

    >>> joined("i 'm late , haven 't you seen ? it is 3 o 'clock .")
    "i'm late, haven't you seen? it is 3 o'clock."
    """
    text = re.sub(r" '(?=(t|s|m|ll|ve|d|re|clock)\b)", "'", text)
    return re.sub(r" (?=[.,?!;:])", "", text).strip()


def _key(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", " ", text.lower()).strip()


def _key_set(pairs: Iterable[Pair]) -> set[str]:
    return {_key(source) for source, _ in pairs}


def _sides(folder: Path, name: str, source: str, target: str) -> Iterable[Pair]:
    """The pairs of two files, a line each side."""
    sides = [[line.strip() for line in _lines(_found(folder, f"{name}.{code}"))] for code in (source, target)]
    return zip(*sides, strict=True)


def _found(folder: Path, name: str) -> Path:
    zipped = folder / f"{name}.gz"
    return zipped if zipped.is_file() else folder / name


def _lines(path: Path) -> list[str]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        # Not `splitlines`, which takes separators inside a sentence for its end.
        return [line.strip() for line in file]
