"""Reads the data that the vision recipes learn from, as it is published, and splits it."""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

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


class Scenes(NamedTuple):
    """What clips are rendered out of: photos, views through a microscope, and things that pass."""

    photos: list[Image.Image]
    views: list[Image.Image]
    things: list[Image.Image]


def scenes(folder: Path) -> dict[str, Scenes]:
    """Gray pictures to learn from, to choose by and to measure with, none of them in two parts.

    Photos of Pixabay as they come with NVIDIA's DALI_extra (``dali_pixabay_24.tar``), those of one name kept
    together; microscope views of BCCD (``BCCD.tar``); photos of hands (``Dataset_80_per_class.tar``).
    """
    archives = {
        name: next(folder.rglob(name))
        for name in ("dali_pixabay_24.tar", "BCCD.tar", "Dataset_80_per_class.tar")
    }
    photos, views, hands = (list(_gray(path)) for path in archives.values())
    groups = sorted({_group(name) for name, _ in photos})
    of = {3: "validation", 4: "test"}

    def part(pictures: list[tuple[str, Image.Image]], name: str, number: Any) -> list[Image.Image]:
        return [picture for key, picture in pictures if of.get(number(key) % 5, "train") == name]

    return {
        name: Scenes(
            part(photos, name, lambda key: groups.index(_group(key))),
            part(views, name, lambda key: zlib.crc32(key.encode()))[:100],
            part(hands, name, lambda key: zlib.crc32(key.encode()))[:200],
        )
        for name in ("train", "validation", "test")
    }


def _group(name: str) -> str:
    """The word that a photo's name begins with."""
    return Path(name).name.partition("-")[0]


def _gray(path: Path) -> Iterator[tuple[str, Image.Image]]:
    """Name and picture of each photo in an archive, in order of names."""
    for name, content in _photos(path):
        picture = Image.fromarray(read_image(content)).convert("L")
        # Larger ones would be made small for every clip anew.
        yield name, picture.reduce(2) if picture.width > 1000 else picture


def _pictures(path: Path) -> Iterator[tuple[str, np.ndarray, str]]:
    """Name, picture and class of each file of an archive with a folder a class, in order of names."""
    for name, content in _photos(path):
        yield name, read_image(content), Path(name).parent.name


def _photos(path: Path) -> list[tuple[str, bytes]]:
    """Name and content of each JPEG file of an archive, in order of names."""
    with tarfile.open(path) as archive:
        # Read as they lie there: going back means to unpack the archive from its start.
        return sorted(
            (entry.name, file.read())
            for entry in archive
            if entry.name.lower().endswith(".jpg") and (file := archive.extractfile(entry)) is not None
        )
