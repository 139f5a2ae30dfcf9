"""The ``image-classification`` task: a picture to what it shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from sixarts.classification import Classification, ClassificationOptions, ClassificationTraining, Classifier
from sixarts.errors import InputError, OptionError
from sixarts.explanation import Explanation
from sixarts.media.heatmap import heatmap
from sixarts.media.images import check_image, images_in, read_image, thumbnail
from sixarts.media.sources import path_of
from sixarts.networks.operations import operations
from sixarts.result import UNTOLD
from sixarts_vision.attribution import METHODS
from sixarts_vision.augmentation import Augmentation
from sixarts_vision.labeled_files import labeled_files

#: Longest side of the picture in an explanation.
PICTURE = 512


@dataclass(frozen=True)
class ImageClassification(Classification):
    """What a picture shows.

    Attributes:
        source: where the picture lies, where it came by path.
        image: the picture, or where it lies, for drawing: it is read again then, and held by no answer.
    """

    source: str = ""
    image: Any = field(default=None, repr=False, compare=False, metadata=UNTOLD)

    def __str__(self) -> str:
        return f"{self.source}: {super().__str__()}" if self.source else super().__str__()

    def plot(self) -> Any:
        """The picture, and a bar for each class shown; the bars alone where the picture is gone."""
        from matplotlib.figure import Figure

        try:
            shown = thumbnail(read_image(self.image))
        except InputError:
            return super().plot()
        figure = Figure(figsize=(8, max(3.0, 0.9 + 0.32 * len(self.scores))), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.3))
        left.imshow(shown)
        left.set_axis_off()
        self.draw_scores(right)
        return figure


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


class ImageClassificationTask(Classifier):
    """Answers pictures with :class:`ImageClassification`.

    A picture is a path, bytes, a ``data:`` URI, a Pillow image or an array; a folder or a glob pattern stands
    for all the pictures in it.

    Example::

        classify = sixarts.load("image-classification")
        classify("cat.jpg").label
    """

    Options = ClassificationOptions
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
        return self.model.processor.arrays(read)

    def context(self, piece: Any, read: np.ndarray) -> tuple[str, Any]:
        return path_of(piece), piece

    def result(self, label: str, score: float, scores: Mapping[str, float], context: Any) -> Any:
        return ImageClassification(label, score, scores, *context)

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

    def flops(self, x: Any, result: Any, options: Any) -> float:
        with self.model.device.scope():
            return operations(self.model.network, {self.model.cut: self.model.input_shape()})
