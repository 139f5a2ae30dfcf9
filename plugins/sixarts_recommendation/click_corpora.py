"""The data of the click recipes, as published, and how it is split."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Row = dict[str, Any]

#: Columns of the Adult data (Kohavi 1996), in the file's order.
ADULT = (
    "age",
    "workclass",
    "fnlwgt",
    "education",
    "education_years",
    "marital_status",
    "occupation",
    "relationship",
    "race",
    "sex",
    "capital_gain",
    "capital_loss",
    "hours_per_week",
    "native_country",
    "income",
)


def adult(folder: Path) -> tuple[list[Row], list[Row]]:
    """The official training and test part of Adult; ``?`` is a missing value."""
    return _adult(folder / "adult-train.csv.gz"), _adult(folder / "adult-test.csv.gz")


def _adult(path: Path) -> list[Row]:
    found = []
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for cells in csv.reader(file, skipinitialspace=True):
            if len(cells) == len(ADULT):
                # Labels of the test part end in a full stop.
                texts = [None if cell == "?" else cell.rstrip(".") for cell in cells]
                found.append(dict(zip(ADULT, texts, strict=True)))
    return found


def parts(count: int, shares: Sequence[float], seed: int = 0) -> list[np.ndarray]:
    """Numbers from 0 to ``count``, shuffled and cut into parts of these shares; the last takes what is left.

    >>> [part.tolist() for part in parts(4, (0.5, 0.5))]
    [[2, 0], [1, 3]]
    """
    order = np.random.default_rng(seed).permutation(count)
    ends = np.cumsum([round(share * count) for share in shares[:-1]])
    return np.split(order, ends)


@dataclass(frozen=True)
class Candidates:
    """Every item as a candidate for the rest of every basket: records that can be gone through again.

    Of a basket of ``n`` items, a number from 0 to ``n - 1``, each as likely, is known, drawn at random; each
    other item of the shop is a candidate, and is bought if it is in the rest.

    Args:
        baskets: of item names.
        items: all items.
        draws: how often each basket is cut.
        seed: of the cuts.
        kept: share of the negative candidates that is drawn; of all of them where it is 1.
    """

    baskets: Sequence[Sequence[str]]
    items: Sequence[str]
    draws: int = 1
    seed: int = 0
    kept: float = 1.0

    def cuts(self) -> Iterator[tuple[list[str], set[str]]]:
        """What is known of each basket, and the rest of it."""
        random = np.random.default_rng(self.seed)
        for _ in range(self.draws):
            for basket in self.baskets:
                order = [basket[place] for place in random.permutation(len(basket))]
                known = int(random.integers(0, len(basket)))
                yield order[:known], set(order[known:])

    def __iter__(self) -> Iterator[Row]:
        random = np.random.default_rng([self.seed, 1])
        for known, rest in self.cuts():
            there, chances = set(known), random.random(len(self.items))
            for item, chance in zip(self.items, chances, strict=True):
                if item not in there and (item in rest or chance < self.kept):
                    yield {"basket": known, "item": item, "bought": int(item in rest)}
