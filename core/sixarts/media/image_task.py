"""What tasks over pictures share: taking them, learning from them, and what of them counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sixarts.classification import ClassificationTraining, Classifier
from sixarts.errors import OptionError
from sixarts.explanation import Explanation
from sixarts.media.heatmap import heatmap
from sixarts.media.images import check_image, images_in, read_image, thumbnail
from sixarts.media.labeled_files import labeled_files
from sixarts.media.sources import path_of
from sixarts.networks.augmentation import Augmentation
from sixarts.networks.image_attribution import METHODS
from sixarts.networks.operations import operations

#: Longest side of the picture in an explanation.
PICTURE = 512


@dataclass(frozen=True)
class ImageTraining(ClassificationTraining):
    """Options of ``fit`` for pictures.

    Attributes:
        shift: how far a picture is moved at random, as a share of its sides.
        flip: whether it is mirrored, left to right, half of the time.
        erase: largest share of each side of a rectangle that is hidden (Zhong et al. 2020).
    """

    shift: float = 0.1
    flip: bool = True
    erase: float = 0.25

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("shift", "erase"):
            if not 0 <= getattr(self, name) < 1:
                raise OptionError(f"{name}={getattr(self, name)!r}; expected 0 or more, and less than 1")


class ImageTask(Classifier):
    """A task over pictures that tells classes apart; a domain writes ``result``.

    A picture is a path, bytes, a ``data:`` URI, a Pillow image or an array; a folder or a glob pattern stands
    for all the pictures in it. Families have the processor and the network of
    :mod:`sixarts.media.image_processor` and :mod:`sixarts.networks.image_model`, or such as these.
    """

    Training = ImageTraining

    def check(self, x: Any, options: Any) -> None:
        check_image(x)

    def many(self, x: Any) -> Iterable[Any] | None:
        return super().many(x) if isinstance(x, list) else images_in(x)

    @classmethod
    def read_examples(cls, path: str | Path) -> list[Any]:
        """Pictures and their classes: a folder with a folder for each class, or a file of pairs.

        Pictures in a file are found from where it lies.
        """
        return labeled_files(path, "pictures", images_in, super().read_examples)

    def size(self, piece: Any) -> int:
        return 0

    def read(self, piece: Any) -> np.ndarray:
        return read_image(piece)

    def arrays(self, read: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        found: dict[str, np.ndarray] = self.model.processor.arrays(read)
        return found

    def context(self, piece: Any, read: np.ndarray) -> tuple[str, Any]:
        return path_of(piece), piece

    def judging(self, training: Any) -> Any:
        return replace(training, shift=0.0, flip=False, erase=0.0)

    def augment(self, arrays: dict[str, np.ndarray], training: Any, epoch: int, number: int) -> Any:
        change = Augmentation.of(training.shift, training.flip, training.erase)
        return change(arrays, (training.seed, epoch, number), self.model.device)

    def attribute(self, x: Any, method: str, target: Any, options: Any) -> Explanation:
        """What of the picture made it this class.

        Args:
            target: a class; the answer by default.
        """
        picture = read_image(x)
        answer = self(x, **vars(options))
        label = self.label_of(target, answer)
        processor = self.model.processor
        values, said = METHODS[method](self.model, processor.arrays([picture]), processor.labels.index(label))
        small = thumbnail(picture, PICTURE)
        down, across = (new / old for new, old in zip(small.shape, picture.shape[:2], strict=False))
        top, left, bottom, right = processor.seen(*picture.shape[:2])
        region = (top * down, left * across, bottom * down, right * across)
        return heatmap(method, label, values, small, region, answer=answer.label, **said)

    def flops(self, x: Any, result: Any, options: Any) -> float | None:
        with self.model.device.scope():
            return operations(self.model.network, {self.model.cut: self.model.input_shape()})
