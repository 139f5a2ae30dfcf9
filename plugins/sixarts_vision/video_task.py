"""The ``video-classification`` task: a video to what it shows, over time."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sixarts.batching import Batch
from sixarts.classification import ClassificationOptions, Classifier, probabilities
from sixarts.errors import OptionError
from sixarts.explanation import Explanation
from sixarts.media.image_task import ImageTraining
from sixarts.media.images import thumbnail
from sixarts.media.labeled_files import labeled_files
from sixarts.media.sources import path_of
from sixarts.media.video import RATE, Frame, check_video, read_video, sampled, videos_in
from sixarts.networks.augmentation import Augmentation
from sixarts.networks.operations import operations
from sixarts_vision.filmstrip import filmstrip
from sixarts_vision.video_attribution import METHODS
from sixarts_vision.video_result import Part, VideoClassification, joined
from sixarts_vision.windows import Clip, clips, drawn

#: Longest side of the frames in an explanation.
PICTURE = 256


@dataclass(frozen=True)
class VideoOptions(ClassificationOptions):
    """Options of ``video-classification``.

    Attributes:
        window: seconds that are classified at once; the model's own length by default. The model's number of
            frames is taken from them at even distances.
        stride: seconds from one window's start to the next one's; ``window`` by default: no overlap, no gap.
        rate: frames a second of an array, which states none.
        batch_size: windows that go through the model together.
    """

    window: float | None = None
    stride: float | None = None
    rate: float = RATE
    batch_size: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("window", "stride", "rate"):
            value = getattr(self, name)
            if value is not None and not 1e-3 <= value <= 1e6:
                raise OptionError(f"{name}={value!r}; expected a number from 0.001 to 1,000,000")


@dataclass(frozen=True)
class VideoTraining(ImageTraining):
    """Options of ``fit`` for videos: every frame of a clip is changed alike.

    Left and right are not swapped unless it is asked for: many classes of videos are directions.
    """

    shift: float = 0.0
    flip: bool = False
    erase: float = 0.0
    batch_size: int = 16


@dataclass(frozen=True)
class Drawn:
    """A video to learn from, and the seed of the window that is drawn out of it."""

    video: Any
    seed: int


class VideoClassificationTask(Classifier):
    """Answers videos with :class:`VideoClassification`.

    A video is a path, bytes, a ``data:`` URI or an array of frames ``[frames, height, width, channels]``; a
    folder or a glob pattern stands for all the videos in it. It is decoded as a stream and cut into windows;
    the answer is the mean over them.

    Example::

        classify = sixarts.load("video-classification")
        classify("clip.mp4").plot()
    """

    Options = VideoOptions
    Training = VideoTraining

    def check(self, x: Any, options: Any) -> None:
        check_video(x)

    def many(self, x: Any) -> Iterable[Any] | None:
        return super().many(x) if isinstance(x, list) else videos_in(x)

    @classmethod
    def read_examples(cls, path: str | Path) -> list[Any]:
        """Videos and their classes: a folder with a folder for each class, or a file of pairs.

        Videos in a file are found from where it lies.
        """
        return labeled_files(path, "videos", videos_in, super().read_examples)

    # Answering.

    def pieces(self, x: Any, options: Any) -> Generator[Any, Any, None]:
        model = self.model
        seconds = options.window or model.seconds
        with _frames(x, options) as frames:
            yield from clips(frames, model.frames, seconds, options.stride or seconds, model.processor.shaped)

    def size(self, piece: Any) -> int:
        return 0

    def read(self, piece: Clip | Drawn) -> np.ndarray:
        """The frames of a window, or of one that is drawn out of a video to learn from."""
        if isinstance(piece, Clip):
            return piece.frames
        model, options = self.model, self.options
        with _frames(piece.video, options) as frames:
            return drawn(
                frames,
                model.frames,
                options.window or model.seconds,
                model.processor.shaped,
                np.random.default_rng(piece.seed),
            )

    def arrays(self, read: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        return self.model.processor.arrays(read)

    def context(self, piece: Clip, read: np.ndarray) -> Clip:
        return replace(piece, frames=np.zeros(0, "uint8"))

    def finish(self, outputs: Mapping[str, np.ndarray], batch: Batch, options: Any) -> list[Part]:
        rows = zip(batch.context, probabilities(outputs["logits"]), strict=True)
        return [Part(clip.start, clip.end, row, clip.picture) for clip, row in rows]

    def join(self, results: Sequence[Part], x: Any, options: Any) -> VideoClassification:
        return joined(results, self.model.processor.labels, options.top, path_of(x))

    # Learning.

    def learn(self, examples: Sequence[tuple[Any, str]], training: Any, epoch: int) -> Any:
        random = np.random.default_rng([training.seed, epoch, 1])
        seeds = random.integers(2**32, size=len(examples))
        chosen = [(Drawn(x, int(seed)), label) for (x, label), seed in zip(examples, seeds, strict=True)]
        return super().learn(chosen, training, epoch)

    def judging(self, training: Any) -> Any:
        return replace(training, shift=0.0, flip=False, erase=0.0)

    def augment(self, arrays: dict[str, np.ndarray], training: Any, epoch: int, number: int) -> Any:
        change = Augmentation.of(training.shift, training.flip, training.erase)
        pixels = arrays[self.model.cut]
        rows, frames, height, width, colors = pixels.shape
        # Frames become channels of one picture, so that a clip is changed as a whole.
        flat = pixels.transpose(0, 2, 3, 1, 4).reshape(rows, height, width, frames * colors)
        key = (training.seed, epoch, number)
        changed = change({self.model.cut: flat}, key, self.model.device)[self.model.cut]
        back = changed.reshape(rows, height, width, frames, colors).transpose(0, 3, 1, 2, 4)
        return {**arrays, self.model.cut: np.ascontiguousarray(back)}

    # Explaining.

    def attribute(self, x: Any, method: str, target: Any, options: Any) -> Explanation:
        """Which frames, and what in them, made the window that speaks most for a class be of it.

        Args:
            target: a class; the answer by default.
        """
        answer = self(x, **vars(options))
        label = self.label_of(target, answer)
        place = self.model.processor.labels.index(label)
        clip = self._strongest(x, place, options)
        values, said = METHODS[method](self.model, self.arrays([clip.frames]), place)
        times = np.linspace(clip.start, clip.end, 2 * len(values) + 1)[1::2]
        pictures, (height, width) = self._pictures(x, clip, times, options)
        down, across = (new / old for new, old in zip(pictures.shape[1:], (height, width), strict=False))
        top, left, bottom, right = self.model.processor.seen(height, width)
        region = (top * down, left * across, bottom * down, right * across)
        return filmstrip(method, label, values, times, pictures, region, answer=answer.label, **said)

    def _strongest(self, x: Any, place: int, options: Any) -> Clip:
        """The window in which a class is likeliest; one more is in memory while they are compared."""
        best: tuple[float, Clip] | None = None
        for clip in self.pieces(x, options):
            (part,) = self.answer_pieces([clip], options)
            if best is None or part.probabilities[place] > best[0]:
                best = (float(part.probabilities[place]), clip)
        assert best is not None  # a video has a frame, and so a window
        return best[1]

    def _pictures(
        self, x: Any, clip: Clip, times: np.ndarray, options: Any
    ) -> tuple[np.ndarray, tuple[int, int]]:
        """The frames of a window as people see them, made small; and their height and width as they were."""
        shown, size, interval = [], (1, 1), times[1] - times[0] if len(times) > 1 else clip.end - clip.start
        with _frames(x, options) as frames:
            for frame in sampled(_until(frames, clip.end), max(interval, 1e-3)):
                if frame.time > clip.start:
                    size = (frame.image.shape[0], frame.image.shape[1])
                    shown.append(thumbnail(frame.image, PICTURE))
        places = [min(number * len(shown) // len(times), len(shown) - 1) for number in range(len(times))]
        return np.stack([shown[place] for place in places]), size

    def flops(self, x: Any, result: Any, options: Any) -> float:
        with self.model.device.scope():
            shapes = {self.model.cut: self.model.input_shape()}
            return operations(self.model.network, shapes) * len(result.windows)


@contextlib.contextmanager
def _frames(x: Any, options: Any) -> Iterator[Iterator[Frame]]:
    """A video's frames; those of an array at the rate that was said."""
    with contextlib.closing(read_video(x)) as frames:
        if isinstance(x, np.ndarray):
            yield (Frame(frame.time * RATE / options.rate, frame.image) for frame in frames)
        else:
            yield frames


def _until(frames: Iterable[Frame], end: float) -> Iterator[Frame]:
    """Frames until a time, and one more."""
    for frame in frames:
        yield frame
        if frame.time > end:
            return
