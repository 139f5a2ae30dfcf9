"""Reads the data that the vision recipes learn from, as it is published, and splits it."""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sixarts.media.images import read_image

#: A picture and the name of its class.
Pair = tuple[np.ndarray, str]


class Split(NamedTuple):
    """Pictures to learn from, to choose by, and to measure with once."""

    train: list[Pair]
    validation: list[Pair]
    test: list[Pair]

    def __str__(self) -> str:
        return f"train {len(self.train):,}, validation {len(self.validation):,}, test {len(self.test):,}"


def cifar10(folder: Path) -> Split:
    """CIFAR-10 (Krizhevsky 2009) as JPEG files: ``train_50000.tar.gz`` and ``test_a_5000.tar.gz``.

    A twentieth of the training part, by a hash of the picture's name, is kept to choose by.
    """
    train, validation = [], []
    for name, picture, label in _pictures(folder / "train_50000.tar.gz"):
        (validation if zlib.crc32(name.encode()) % 20 == 0 else train).append((picture, label))
    test = [(picture, label) for _, picture, label in _pictures(folder / "test_a_5000.tar.gz")]
    return Split(train, validation, test)


def _pictures(path: Path) -> Iterator[tuple[str, np.ndarray, str]]:
    """Name, picture and class of each file of an archive with a folder a class, in order of names."""
    with tarfile.open(path) as archive:
        members = sorted((entry for entry in archive if entry.isfile()), key=lambda entry: entry.name)
        for member in members:
            file = archive.extractfile(member)
            if file is not None and member.name.endswith(".jpg"):
                yield member.name, read_image(file.read()), Path(member.name).parent.name
