"""The pictures that starters and benchmarks are made of, as they are published, with labels and in parts.

- pneumonia: PneumoniaMNIST (Yang et al. 2023, "MedMNIST v2"; chest X-rays of children by Kermany et al.
  2018), 28 × 28 pixels, CC BY 4.0, in MedMNIST's own ``.npz`` with its own parts.
- malaria: cells of blood smears (Rajaraman et al. 2018), gray and 50 × 50 pixels, a folder a class in a tar.
"""

from __future__ import annotations

import re
import tarfile
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sixarts.errors import InputError
from sixarts.media.images import read_image

#: A picture and the name of its class.
Pair = tuple[np.ndarray, str]
CHESTS = ("normal", "pneumonia")
CELLS = ("parasitized", "uninfected")


class Parts(NamedTuple):
    """Pictures to learn from, to choose and calibrate by, and to measure with once."""

    train: list[Pair]
    validation: list[Pair]
    test: list[Pair]

    def __str__(self) -> str:
        return f"train {len(self.train):,}, validation {len(self.validation):,}, test {len(self.test):,}"


def pneumonia(folder: Path) -> Parts:
    """PneumoniaMNIST in its own parts, from the ``.npz`` in a folder.

    Raises:
        InputError: no such file, or not one.
    """
    found = sorted(folder.glob("pneumoniamnist*.npz"))
    if len(found) != 1:
        raise InputError(f"{folder} holds {len(found)} files pneumoniamnist*.npz; expected one")
    with np.load(found[0], allow_pickle=False) as data:
        return Parts(
            *(
                [
                    (picture.reshape(28, 28), CHESTS[int(number)])
                    for picture, number in zip(
                        data[f"{part}_images"], data[f"{part}_labels"].ravel(), strict=True
                    )
                ]
                for part in ("train", "val", "test")
            )
        )


def malaria(folder: Path) -> Parts:
    """Cells from the tar in a folder, in parts by patient: about 70, 15 and 15 of 100.

    Names begin with a code of the slide's patient, such as ``C39P4``; all cells of one are in one part.

    Raises:
        InputError: no such file.
    """
    found = sorted(folder.glob("*.tar.gz"))
    if len(found) != 1:
        raise InputError(f"{folder} holds {len(found)} files *.tar.gz; expected one")
    parts = Parts([], [], [])
    with tarfile.open(found[0]) as archive:
        for member in sorted((entry for entry in archive if entry.isfile()), key=lambda entry: entry.name):
            label = Path(member.name).parent.name.lower()
            file = archive.extractfile(member)
            if label not in CELLS or file is None:
                continue
            place = zlib.crc32(patient(Path(member.name).name).encode()) % 100
            part = parts.train if place < 70 else parts.validation if place < 85 else parts.test
            part.append((read_image(file.read()), label))
    return parts


def patient(name: str) -> str:
    """The code of a patient that a picture's name begins with.

    >>> patient("C100P61ThinF_IMG_20150918_144104_cell_162.png"), patient("C1_thinF_IMG_1.png")
    ('C100P61', 'C1')
    """
    found = re.match(r"C\d+(P\d+)?", name)
    return found[0] if found else name
