"""Reads the data that the text recipes learn from, as it is published, and deals it out in folds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sixarts.files import lines
from sixarts_text.ngrams import words_of

#: Places whose reviews the sentences are from, and their files.
DOMAINS = {"amazon": "amazon_cells", "imdb": "imdb", "yelp": "yelp"}


class Sentence(NamedTuple):
    """A sentence with its label, and where it comes from."""

    text: str
    label: str
    domain: str


def reviews(folder: Path) -> list[Sentence]:
    """Sentences of reviews, positive or negative (Kotzias et al. 2015): 1,000 of each of three places."""
    found = []
    for domain, name in DOMAINS.items():
        for line in lines(folder / f"{name}_labelled.txt"):
            if line.strip():
                text, label = line.rsplit("\t", 1)
                found.append(Sentence(text.strip(), {"0": "negative", "1": "positive"}[label], domain))
    return found


def movie_reviews(folder: Path) -> list[Sentence]:
    """Sentences of film reviews (Pang and Lee 2005, "rt-polarity"): 5,331 of each kind, in Latin-1."""
    return [
        Sentence(line.strip(), label, "movies")
        for label, ending in (("positive", "pos"), ("negative", "neg"))
        for line in (folder / f"rt-polarity.{ending}").read_text("latin-1").splitlines()
        if line.strip()
    ]


def folds(sentences: Sequence[Sentence], count: int, seed: int) -> np.ndarray:
    """The fold of each sentence, from 0: as many of each domain and label in each.

    Sentences of the same words are in one fold: the data has some twice.
    """
    random = np.random.default_rng(seed)
    groups: dict[tuple[str, ...], list[int]] = {}
    for place, sentence in enumerate(sentences):
        groups.setdefault(tuple(words_of(sentence.text).words), []).append(place)
    alike = list(groups.values())
    found = np.zeros(len(sentences), int)
    dealt: dict[tuple[str, str], int] = {}
    for group in random.permutation(len(alike)):
        first = sentences[alike[group][0]]
        kind = (first.domain, first.label)
        turn = dealt.get(kind, 0)
        found[alike[group]] = turn % count
        dealt[kind] = turn + 1
    return found
