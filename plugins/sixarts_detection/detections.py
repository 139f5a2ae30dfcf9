"""What was found in a picture: boxes with their classes, as numbers, drawn, cut out, for other programs."""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from sixarts.errors import InputError, OptionError
from sixarts.media.images import read_image
from sixarts.media.video import RATE, read_video, write_video
from sixarts.result import UNTOLD, Result
from sixarts_detection.boxes import areas


@dataclass(frozen=True)
class Detections(Result):
    """The objects in a picture, the surest first.

    Attributes:
        boxes: ``[n, 4]``: left, top, right, bottom, in pixels of the picture as it came.
        labels: the class of each.
        scores: how sure each is, from 0 to 1, ``[n]``.
        size: height and width of the picture.
        source: where it lies, where it came by path.
        candidates: which of the network's candidates each is, ``[n]``; for explanations.
        image: the picture, or where it lies; for drawing and cutting out.
    """

    boxes: np.ndarray
    labels: tuple[str, ...]
    scores: np.ndarray
    size: tuple[int, int]
    source: str = ""
    candidates: np.ndarray | None = field(default=None, repr=False, compare=False, metadata=UNTOLD)
    image: Any = field(default=None, repr=False, compare=False, metadata=UNTOLD)

    def __len__(self) -> int:
        return len(self.labels)

    def __bool__(self) -> bool:
        """An answer is true though nothing was found; a failure is not."""
        return True

    def __str__(self) -> str:
        found = ", ".join(f"{count} {label}" for label, count in self.counts.items()) or "nothing"
        return f"{self.source}: {found}" if self.source else found

    def to_dict(self) -> dict[str, Any]:
        return {**super().to_dict(), "counts": dict(self.counts)}

    @property
    def counts(self) -> Mapping[str, int]:
        """How many of each class there are, the most frequent first.

        >>> found = Detections(np.zeros((3, 4)), ("cell", "platelet", "cell"), np.ones(3), (9, 9))
        >>> found.counts
        {'cell': 2, 'platelet': 1}
        """
        return dict(Counter(self.labels).most_common())

    def only(
        self,
        labels: str | Sequence[str] | None = None,
        score: float = 0.0,
        area: tuple[float, float] = (0.0, float("inf")),
    ) -> Self:
        """The detections of some classes, of at least a score, and of an area in square pixels.

        >>> found = Detections(np.array([[0, 0, 2, 2]]), ("cat",), np.array([0.7]), (9, 9))
        >>> len(found.only("cat", score=0.5)), len(found.only(area=(5, 9)))
        (1, 0)
        """
        wanted = {labels} if isinstance(labels, str) else set(self.labels if labels is None else labels)
        sizes = areas(np.asarray(self.boxes, "float64").reshape(-1, 4))
        kept = [
            place
            for place, label in enumerate(self.labels)
            if label in wanted and self.scores[place] >= score and area[0] <= sizes[place] <= area[1]
        ]
        return self._taken(kept)

    def crop(self, around: float = 0.0) -> list[np.ndarray]:
        """Each object cut out of the picture, ``[height, width, 3]``.

        Args:
            around: how much of its surroundings comes along, as a share of its sides.

        Raises:
            InputError: the picture is not there any more.
        """
        picture, (height, width) = self.picture(), self.size
        found = []
        for left, top, right, bottom in self.boxes:
            down, across = (bottom - top) * around, (right - left) * around
            rows = slice(max(int(top - down), 0), min(int(np.ceil(bottom + down)), height))
            columns = slice(max(int(left - across), 0), min(int(np.ceil(right + across)), width))
            found.append(picture[rows, columns])
        return found

    def picture(self) -> np.ndarray:
        """The picture itself, read again where it came by path.

        Raises:
            InputError: it is not there any more, or these detections came without one.
        """
        if self.image is None:
            raise InputError("these detections hold no picture; expected those of a call; run the task again")
        return read_image(self.image)

    def drawn(self) -> np.ndarray:
        """The picture with its boxes and their names, ``[height, width, 3]``."""
        from sixarts_detection.drawing import drawn

        return drawn(self.picture(), self)

    def plot(self) -> Any:
        """The picture with its boxes, and how many there are of each class."""
        from sixarts_detection.drawing import figure

        return figure(self)

    def to_coco(self, categories: Mapping[str, int] | None = None, image_id: int = 0) -> list[dict[str, Any]]:
        """A list of COCO results: ``bbox`` is left, top, width, height.

        Args:
            categories: label to number; by default those here in order of their names, from 1.
            image_id: of the picture.

        >>> Detections(np.array([[1, 2, 4, 4]]), ("cat",), np.array([0.5]), (9, 9)).to_coco()
        [{'image_id': 0, 'category_id': 1, 'bbox': [1.0, 2.0, 3.0, 2.0], 'score': 0.5}]

        Raises:
            OptionError: a label that ``categories`` lacks.
        """
        numbers = categories or {label: place for place, label in enumerate(sorted(set(self.labels)), 1)}
        return [
            {
                "image_id": image_id,
                "category_id": _number(numbers, label),
                "bbox": [float(left), float(top), float(right - left), float(bottom - top)],
                "score": float(score),
            }
            for (left, top, right, bottom), label, score in self._rows()
        ]

    def to_yolo(self, categories: Mapping[str, int] | None = None) -> str:
        """Lines of a YOLO label file: class, center x, center y, width, height as shares, and the score.

        Args:
            categories: label to number; by default those here in order of their names, from 0.

        >>> Detections(np.array([[0, 0, 4, 2]]), ("cat",), np.array([0.5]), (4, 8)).to_yolo()
        '0 0.250000 0.250000 0.500000 0.500000 0.500000'
        """
        numbers = categories or {label: place for place, label in enumerate(sorted(set(self.labels)))}
        height, width = self.size
        lines = []
        for (left, top, right, bottom), label, score in self._rows():
            shares = (
                (left + right) / 2 / width,
                (top + bottom) / 2 / height,
                (right - left) / width,
                (bottom - top) / height,
                score,
            )
            lines.append(" ".join([str(_number(numbers, label)), *(f"{share:.6f}" for share in shares)]))
        return "\n".join(lines)

    def _rows(self) -> Any:
        return zip(self.boxes, self.labels, self.scores, strict=True)

    def _taken(self, places: Sequence[int]) -> Self:
        chosen = np.asarray(places, "int64")
        return replace(
            self,
            boxes=self.boxes[chosen],
            labels=tuple(self.labels[place] for place in places),
            scores=self.scores[chosen],
            candidates=None if self.candidates is None else self.candidates[chosen],
        )


def _number(numbers: Mapping[str, int], label: str) -> int:
    if label not in numbers:
        raise OptionError(f"categories lacks {label!r}; expected a number for each of the labels")
    return int(numbers[label])


@dataclass(frozen=True)
class VideoDetections(Result):
    """The objects in a video, frame by frame.

    Attributes:
        frames: what was found in each frame that was looked at.
        times: when each of them is shown, in seconds.
        source: where the video lies, where it came by path.
        video: the video, or where it lies; for drawing.
    """

    frames: tuple[Detections, ...]
    times: tuple[float, ...]
    source: str = ""
    video: Any = field(default=None, repr=False, compare=False, metadata=UNTOLD)

    def __len__(self) -> int:
        return len(self.frames)

    def __str__(self) -> str:
        most = Counter[str]()
        for frame in self.frames:
            most |= Counter(frame.counts)
        found = ", ".join(f"up to {count} {label}" for label, count in most.most_common()) or "nothing"
        where = f"{self.source}: " if self.source else ""
        return f"{where}{found} in {len(self.frames)} frames"

    def save(self, path: str | Path) -> None:
        """Writes the video with its boxes, without sound; a frame that was not looked at has the last's.

        Raises:
            InputError: the video is not there any more, or ``path`` ends in no video's suffix.
        """
        if self.video is None:
            raise InputError("these detections hold no video; expected those of a call; run the task again")
        with contextlib.closing(read_video(self.video)) as frames:
            first, second = next(frames), next(frames, None)
            rate = 1 / (second.time - first.time) if second and second.time > first.time else RATE
            seen = itertools.chain([first], [second] if second else [], frames)
            write_video(path, self._drawn(seen), rate)

    def _drawn(self, frames: Iterable[Any]) -> Iterator[np.ndarray]:
        from sixarts_detection.drawing import colors_of, drawn

        colors = colors_of([label for frame in self.frames for label in frame.labels])
        times = np.asarray(self.times)
        for frame in frames:
            last = max(int(np.searchsorted(times, frame.time + 1e-6, side="right")) - 1, 0)
            yield drawn(frame.image, self.frames[last], colors)

    def plot(self) -> Any:
        """How many of each class there are over time."""
        from sixarts_detection.drawing import timeline

        return timeline(self)
