"""What the networks for clips share: so many frames of one size, taken over so many seconds."""

from __future__ import annotations

from typing import Any, ClassVar

from sixarts.errors import CheckpointError
from sixarts.networks.image_model import ImageModel, pair
from sixarts_vision.video_processor import VideoProcessor


class VideoModel(ImageModel):
    """A network over clips ``pixel_values`` ``[b, frames, height, width, 3]``.

    Its configuration states ``num_frames`` and ``image_size``.
    """

    processor_class = VideoProcessor
    preparing: ClassVar[dict[str, Any]] = {
        "image_processor_type": "VideoMAEImageProcessor",
        "do_center_crop": False,
    }

    @property
    def frames(self) -> int:
        """How many frames it sees at once."""
        return int(self.config["num_frames"])

    @property
    def seconds(self) -> float:
        """How much time those frames are usually taken from."""
        raise NotImplementedError

    def input_shape(self) -> tuple[int, ...]:
        """Frames, height, width and channels.

        Raises:
            CheckpointError: the processor gives frames of another size than the network takes.
        """
        seen, size = self.processor_size(), pair(self.config["image_size"])
        if seen != size:
            raise CheckpointError(
                f"{self.processor.file} gives frames of {seen[0]} × {seen[1]}, config.json expects "
                f"{size[0]} × {size[1]}; expected the same; check that both files are of one model"
            )
        return (self.frames, *super().input_shape())
