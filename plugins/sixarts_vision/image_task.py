"""The ``image-classification`` task: a picture to what it shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sixarts.classification import Classification
from sixarts.errors import InputError
from sixarts.media.image_task import ImageTask
from sixarts.media.images import read_image, thumbnail
from sixarts.result import UNTOLD


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


class ImageClassificationTask(ImageTask):
    """Answers pictures with :class:`ImageClassification`.

    A picture is a path, bytes, a ``data:`` URI, a Pillow image or an array; a folder or a glob pattern stands
    for all the pictures in it.

    Example::

        classify = sixarts.load("image-classification")
        classify("cat.jpg").label
    """

    def result(self, label: str, score: float, scores: Mapping[str, float], context: Any) -> Any:
        return ImageClassification(label, score, scores, *context)
