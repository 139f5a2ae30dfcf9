"""What a preset's classes are called. KerasHub's files do not say; a folder's own words may.

A ``config.json`` with ``id2label`` names them. Where it has none, a head of 1,000 classes whose card names
one of KerasHub's own presets for the same network is one of ImageNet, as all those are, in KerasHub's
order (``keras_hub.utils.imagenet_id_to_name``); a detector's of 80 classes, or of 91 with COCO's own numbers,
is one of COCO in the same way.
Of any other head nobody knows: ``LABEL_0``, ``LABEL_1``, …
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

#: Classes of ImageNet's well-known part.
IMAGENET = 1000
#: Numbers of COCO's 91 classes that none of its pictures shows; the other 80 are what is learned.
UNSEEN = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83, 91)
#: Longest card that is looked through, in bytes.
CARD_CAP = 1 << 20


def named_presets(card: str, presets: Iterable[str]) -> list[str]:
    """Which of these presets a card names as a word.

    >>> named_presets("Load it: `hf://keras/resnet_50_imagenet`.", ["resnet_50_imagenet", "resnet_18"])
    ['resnet_50_imagenet']
    """
    words = set(re.findall(r"[A-Za-z0-9_]+", card))
    return [preset for preset in presets if preset in words]


def imagenet_names() -> list[str]:
    """ImageNet's classes as KerasHub names and orders them, with spaces."""
    from keras_hub.utils import imagenet_id_to_name

    return [imagenet_id_to_name(number).replace("_", " ") for number in range(IMAGENET)]


def coco_names() -> list[str]:
    """COCO's 80 classes as KerasHub names them, with spaces, in the order of their numbers."""
    from keras_hub.utils import coco_id_to_name

    return [coco_id_to_name(number).replace("_", " ") for number in range(1, 92) if number not in UNSEEN]


def coco_numbers() -> list[str]:
    """COCO's numbers from 0 to 90 as KerasHub names them, with spaces; some are in no picture."""
    from keras_hub.utils import coco_id_to_name

    return [coco_id_to_name(number).replace("_", " ") for number in range(91)]


def known_names(
    folder: Path, presets: Iterable[str], names: Callable[[], list[str]] | None
) -> list[str] | None:
    """The names of a preset's classes, ``None`` where its card tells nothing.

    Args:
        folder: the preset's.
        presets: KerasHub's own for the same network.
        names: gives those of KerasHub's own with as many classes, where there are such.
    """
    return names() if names is not None and read_card_names(folder, presets) else None


def read_card_names(folder: Path, presets: Iterable[str]) -> list[str]:
    """Which of these presets a folder's card names."""
    card = folder / "README.md"
    if not card.is_file():
        return []
    with card.open(encoding="utf-8", errors="replace") as file:
        text = file.read(CARD_CAP)
    return named_presets(text, presets)
