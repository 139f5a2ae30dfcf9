"""What published checkpoints do to the frames of a video before their network sees them.

Source: ``preprocessor_config.json`` or ``video_preprocessor_config.json`` as ``transformers`` reads them
(5.24, ``models/videomae``). Frame by frame it is what is done to pictures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from sixarts.labeled import labels_of
from sixarts.media.image_processor import ImageProcessor
from sixarts.media.preparation import FILE, STANDARD, kind_of
from sixarts.model import Processor, read_json, write_json

#: The other name under which the file is published.
VIDEO_FILE = "video_preprocessor_config.json"
#: Class of the processor, without its ending, to what it does where the file does not say.
DEFAULTS: dict[str, dict[str, Any]] = {
    "VideoMAE": {
        **STANDARD,
        "size": {"shortest_edge": 224},
        "default_to_square": False,
        "do_center_crop": True,
        "crop_size": {"height": 224, "width": 224},
        "resample": 2,
    }
}


class VideoProcessor(Processor):
    """Frames to the array that a network takes.

    Args:
        settings: as the file holds them.
        labels: the network's classes, in order.
        file: the name under which they are published.

    Raises:
        CheckpointError: a processor class or a value that this cannot follow.
    """

    def __init__(self, settings: Mapping[str, Any], labels: Sequence[str], file: str = FILE) -> None:
        self.stated, self.labels, self.file = dict(settings), tuple(labels), file
        named = settings.get("video_processor_type")
        kind = kind_of({"image_processor_type": named, **settings}, DEFAULTS, "VideoMAE")
        said = {name: value for name, value in settings.items() if value is not None}
        # Its defaults, whole, are said to the pictures' processor: of whose class no value is left to be.
        self.frames = ImageProcessor({**DEFAULTS[kind], **said, "image_processor_type": "Bit"}, labels)

    @classmethod
    def from_folder(cls, folder: Path, config: Mapping[str, Any]) -> Self:
        file = VIDEO_FILE if (folder / VIDEO_FILE).is_file() and not (folder / FILE).is_file() else FILE
        return cls(read_json(folder / file), labels_of(config), file)

    def save(self, folder: Path) -> None:
        write_json(folder / self.file, self.stated)

    def relabeled(self, labels: Sequence[str]) -> Self:
        """The same for other classes."""
        return type(self)(self.stated, labels, self.file)

    @property
    def output_size(self) -> tuple[int, int] | None:
        """Height and width of every frame that comes out; ``None`` where they are the video's."""
        return self.frames.output_size

    def shaped(self, image: np.ndarray) -> np.ndarray:
        """A frame resized and cropped, still ``uint8``: what waits for its window to be full is small."""
        return self.frames.shaped(image)

    def seen(self, height: int, width: int) -> tuple[float, float, float, float]:
        """The part of a frame that the network sees: top, left, bottom, right, in the frame's pixels."""
        return self.frames.seen(height, width)

    def arrays(self, clips: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """``pixel_values`` ``[b, frames, height, width, 3]`` in float32, of clips of shaped frames."""
        return {"pixel_values": np.stack([self.frames.normalized(clip) for clip in clips])}
