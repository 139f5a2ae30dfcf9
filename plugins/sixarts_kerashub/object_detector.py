"""The ``kerashub-object-detector`` family: KerasHub's D-FINE presets; and what its detectors share.

Source: Peng et al. 2024 (D-FINE), as ``keras_hub.models.DFineObjectDetector`` builds it. Its candidates need
no suppression; KerasHub's ``predict`` suppresses some all the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import keras
import numpy as np

from sixarts.errors import CheckpointError, OptionError
from sixarts_hub.strict_json import short
from sixarts_kerashub.image_processor import ConverterProcessor
from sixarts_kerashub.labels import coco_names
from sixarts_kerashub.picture_model import PictureModel
from sixarts_kerashub.preset import make_backbone, targets_of
from sixarts_kerashub.table import OBJECT_DETECTOR


class DetectorProcessor(ConverterProcessor):
    """The same preparation, as detection asks for it: canvases of one size, each a window of its picture."""

    def target(self, height: int, width: int) -> tuple[int, int]:
        """Height and width that a picture of any size is resized to."""
        return self.size

    def canvas(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the array that holds a picture of any size."""
        return self.size

    def arrays(self, images: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """``pixel_values`` ``[b, height, width, 3]``, and ``window`` ``[b, 4]``: what they show of each.

        A window is left, top, width and height as shares of the picture's sides, in float32.
        """
        return {**super().arrays(images), "window": np.stack([self._window(*x.shape[:2]) for x in images])}

    def _window(self, height: int, width: int) -> np.ndarray:
        down, across = self.windows((height, width), self.size)
        shares = (across.start / width, down.start / height, across.length / width, down.length / height)
        return np.array(shares, "float32")


class ObjectDetector(PictureModel):
    """A KerasHub object detector.

    Outputs are ``logits`` ``[b, n, classes]``, each class by itself, and ``boxes`` ``[b, n, 4]``: center x,
    center y, width and height as shares of the picture's sides.
    """

    bridge = OBJECT_DETECTOR
    family = OBJECT_DETECTOR.family
    processor_class = DetectorProcessor
    head = ()
    published: ClassVar = {80: coco_names}
    #: What detection asks of its families: how scores are meant, whether candidates repeat each other, how
    #: they are learned, whether one stays at its place, and how many are told at most.
    scoring: ClassVar[str] = "sigmoid"
    overlapping: ClassVar[bool] = False
    queries: ClassVar[bool] = True
    steady: ClassVar[bool] = False
    most: ClassVar[int | None] = None

    @classmethod
    def head_settings(cls, stem: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        # The others are about losses and suppression.
        return {}

    def parts(self, stem: str, head: Mapping[str, Any]) -> tuple[Any, Any]:
        labels = self.config["config"].get("num_labels")
        if labels != head["num_classes"]:
            raise CheckpointError(
                f"config.json has num_labels {short(labels)}, task.json num_classes {head['num_classes']}; "
                "expected the same; KerasHub would make a new network with random weights"
            )
        # Objects that somebody trained on are in some files; they are for training alone.
        backbone = make_backbone(self.bridge, self.config, self.device.policy, labels=None)
        self._targets = targets_of(backbone)
        return backbone, None

    def joined(self, inputs: Any, backbone: Any, task: Any) -> keras.Model:
        found = backbone(self.embedded)
        boxes = keras.ops.cast(found["intermediate_reference_points"][:, -1], "float32")
        return self.closed(inputs, found["intermediate_logits"][:, -1], boxes)

    def closed(self, inputs: Any, logits: Any, boxes: Any) -> keras.Model:
        """The network from its pictures to its outputs.

        Args:
            inputs: ``pixel_values``.
            logits: ``[b, n, classes]``.
            boxes: ``[b, n, 4]`` in float32, as shares of the canvas.
        """
        window = keras.Input((4,), dtype="float32", name="window")
        start, size = window[:, None, :2], window[:, None, 2:]
        boxes = keras.ops.concatenate([start + boxes[..., :2] * size, boxes[..., 2:] * size], axis=-1)
        ends = {
            name: keras.layers.Activation("linear", dtype="float32", name=name)(tensor)
            for name, tensor in (("logits", logits), ("boxes", boxes))
        }
        named = self.family.replace("-", "_")
        return keras.Model({"pixel_values": inputs, "window": window}, ends, name=named)

    def with_labels(self, labels: Sequence[str]) -> ObjectDetector:
        raise OptionError(
            f"received the classes {', '.join(labels[:10])}; expected some of the preset's own: every layer "
            "of D-FINE scores classes, and none can be exchanged; fit another family"
        )

    def freeze(self, frozen: bool) -> None:
        if frozen:
            raise OptionError(
                "received freeze=True; expected False: D-FINE has no head that learns by itself"
            )
        super().freeze(frozen)
