"""The ``object-detection`` task: a picture or a video to what is where in it."""

from __future__ import annotations

from collections.abc import Generator, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sixarts.batching import Batch
from sixarts.errors import OptionError
from sixarts.explanation import Explanation
from sixarts.labeled import relabeled
from sixarts.media.images import check_image, images_in
from sixarts.media.sources import path_of
from sixarts.media.video import check_video, is_video
from sixarts.networks.operations import operations
from sixarts.result import Metrics
from sixarts.task import Options, Task
from sixarts.training import History, Lesson
from sixarts_detection import views
from sixarts_detection.decoding import Found, decoded, merged
from sixarts_detection.detections import Detections, VideoDetections
from sixarts_detection.learning import DetectionTraining, Lessons, losses
from sixarts_detection.objects import check_pair, objects_of


@dataclass(frozen=True)
class DetectionOptions(Options):
    """Options of a call.

    Attributes:
        batch_size: pictures, tiles or frames that go through the network together.
        threshold: how sure a detection must be; the model's own by default.
        overlap: how much two boxes of a class may overlap (intersection over union), for families that find
            an object several times.
        most: most detections of a picture.
        tile: side of square tiles, in pixels, that a large picture is cut into; 0 takes it whole.
        every: seconds between the frames of a video that are looked at; 0 looks at each.
    """

    batch_size: int = 8
    threshold: float | None = None
    overlap: float = 0.6
    most: int = 300
    tile: int = 0
    every: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, low, high in (
            ("threshold", 0, 1),
            ("overlap", 0, 1),
            ("most", 1, 10_000),
            ("every", 0, 3600),
        ):
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise OptionError(f"{name}={value!r}; expected {low} to {high}")
        if self.tile != 0 and self.tile < 32:
            raise OptionError(f"tile={self.tile!r}; expected 0, or 32 pixels or more")


class ObjectDetectionTask(Task):
    """Answers pictures with :class:`Detections`, and videos with :class:`VideoDetections`.

    A picture is a path, bytes, a ``data:`` URI, a Pillow image or an array; a folder or a glob pattern stands
    for all the pictures in it. A video is a path, bytes, a ``data:`` URI or an array of frames.

    Example::

        detect = sixarts.load("object-detection")
        detect("smear.jpg").counts
    """

    Options = DetectionOptions
    Training = DetectionTraining
    #: A :class:`sixarts_detection.detection_model.DetectionModel`.
    model: Any

    def check(self, x: Any, options: Any) -> None:
        (check_video if is_video(x) else check_image)(x)

    def many(self, x: Any) -> Iterable[Any] | None:
        return super().many(x) if isinstance(x, list) else images_in(x)

    @classmethod
    def read_document(cls, path: str | Path) -> tuple[Any, dict[str, Any]]:
        return path, {}

    def chosen(self, **options: Any) -> Any:
        chosen = super().chosen(**options)
        usual = self.model.config.get("threshold", 0.5)
        return replace(chosen, threshold=usual) if chosen.threshold is None else chosen

    def pieces(self, x: Any, options: Any) -> Generator[Any, Any, None]:
        if is_video(x):
            yield from views.framed(x, options.every)
        elif options.tile:
            yield from views.tiled(x, options.tile)
        else:
            yield views.whole(x)

    def size(self, piece: Any) -> int:
        return 0

    def shape(self, piece: Any) -> Hashable:
        canvas: Hashable = self.model.processor.canvas(*piece.size)
        return canvas

    def prepare(self, pieces: Sequence[Any], options: Any) -> Batch:
        return Batch(self.model.processor.arrays([piece.read() for piece in pieces]), list(pieces))

    def finish(self, outputs: Mapping[str, np.ndarray], batch: Batch, options: Any) -> list[Any]:
        return [
            (view, decoded(self.model, outputs, row, view, options)) for row, view in enumerate(batch.context)
        ]

    def join(self, results: Sequence[Any], x: Any, options: Any) -> Any:
        if is_video(x):
            frames = tuple(self._told(found, view.size) for view, found in results)
            return VideoDetections(frames, tuple(float(view.time) for view, _ in results), path_of(x), x)
        # Without tiles there is one view; with them the last is the whole picture.
        size = results[-1][0].size
        parts = [found for _, found in results]
        found = parts[0] if len(parts) == 1 else merged(parts, options.most)
        return self._told(found, size, path_of(x), x)

    def _told(self, found: Found, size: tuple[int, int], source: str = "", image: Any = None) -> Detections:
        labels = self.model.processor.labels
        return Detections(
            found.boxes,
            tuple(labels[number] for number in found.classes),
            found.scores,
            size,
            source,
            found.candidates,
            image,
        )

    # Learning.

    @classmethod
    def read_examples(cls, path: str | Path) -> list[Any]:
        """Pictures and their objects: a COCO file, or a folder in COCO's, VOC's or YOLO's layout."""
        from sixarts_detection.corpora import read

        return read(Path(path))

    def check_example(self, example: Any, options: Any) -> None:
        super().check_example(example, options)
        check_pair(example)

    def fit(self, examples: Any, validation: Any = None, **options: Any) -> History:
        try:
            return super().fit(examples, validation, **options)
        finally:
            if self.model.built:
                self.model.freeze(False)

    def adapt(self, examples: Sequence[Any], training: Any) -> tuple[str, ...]:
        """A new head where the examples have a class that the network does not tell apart."""
        wanted = sorted({label for _, target in examples for label in objects_of(target).labels})
        self.model, replaced = relabeled(self.model, wanted)
        self.model.freeze(training.freeze)
        return replaced

    def learn(self, examples: Sequence[Any], training: Any, epoch: int) -> Iterable[Lesson]:
        return Lessons(self.model, examples, training, epoch)

    def loss(self, training: Any) -> Any:
        return losses(self.model)

    def judging(self, training: Any) -> Any:
        return replace(training, flip=False, flip_vertical=False, zoom=0.0, light=0.0)

    # Judging.

    def evaluate(self, examples: Any, **options: Any) -> Metrics:
        # Precision is averaged over all thresholds, so that none cuts answers off beforehand.
        return super().evaluate(examples, **{"threshold": 0.0, "most": 100, **options})

    def measure(self, results: Sequence[Any], targets: Sequence[Any], options: Any) -> Metrics:
        """COCO's average precision, by pycocotools."""
        from sixarts_detection.coco_metrics import measured

        return measured(results, [objects_of(target) for target in targets])

    # Explaining.

    def attribute(self, x: Any, method: str, target: Any, options: Any) -> Explanation:
        """Why a detection is there, and why it has its label.

        Args:
            target: its number in the answer, or a label for the surest of that class; the surest by default.
        """
        from sixarts_detection.attribution import explained

        return explained(self, x, method, target, options)

    def flops(self, x: Any, result: Any, options: Any) -> float | None:
        if is_video(x):
            return None
        view = views.whole(x)
        arrays = self.model.processor.arrays([view.read()])
        with self.model.device.scope():
            return operations(self.model.network, {name: array.shape[1:] for name, array in arrays.items()})
