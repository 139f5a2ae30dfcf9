"""The sentences that the starter is trained on and measured with: 52 of each language, CC0."""

from __future__ import annotations

import hashlib
from pathlib import Path

FOLDER = Path(__file__).parent / "sentences"
#: Sentences of each language that are held out.
HELD_OUT = 13


def split() -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Pairs (text, language) to learn from, and pairs to measure with, chosen by a hash of the text.

    >>> [len(part) for part in split()]
    [234, 78]
    """
    train, test = [], []
    for path in sorted(FOLDER.glob("*.txt")):
        texts = path.read_text(encoding="utf-8").split("\n")
        pairs = [(text, path.stem) for text in sorted(filter(None, texts), key=_digest)]
        test += pairs[:HELD_OUT]
        train += pairs[HELD_OUT:]
    return train, test


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
