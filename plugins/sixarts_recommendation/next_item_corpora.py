"""The data of the recipes, in its original form."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

from sixarts_recommendation.items import Items
from sixarts_recommendation.sequences import Sequences, from_examples


def of_lines(path: Path) -> Sequences:
    """Histories in S3-Rec's form: a line a user, the user's number and then items' in order of time."""
    with gzip.open(path, "rt", encoding="ascii") as lines:
        return from_examples((list(map(int, line.split()))[1:] for line in lines), Items(), True, "history")


def of_pairs(path: Path) -> Sequences:
    """Histories in SASRec's form: ``user item`` a line, each user's in order of time.

    Users of fewer than three interactions are left out, as there.
    """
    with gzip.open(path, "rt", encoding="ascii") as lines:
        table = np.array([line.split() for line in lines], "int64")
    users, items = table.T
    order = np.argsort(users, kind="stable")
    catalog = Items()
    numbers = catalog.numbers_of(items[order], grow=True)
    _, starts, counts = np.unique(users[order], return_index=True, return_counts=True)
    found = Sequences(numbers, starts.astype("int64"), (starts + counts).astype("int64"), catalog)
    return found.chosen(found.lengths >= 3)


def baskets(path: Path) -> list[list[str]]:
    """Baskets of goods, each once, in the order in which the file lists them."""
    lines = path.read_text(encoding="utf-8").splitlines()
    cut = ([name.strip() for name in line.split(",")] for line in lines)
    return [[name for name in dict.fromkeys(names) if name] for names in cut]
