"""What the networks that find objects share: their input, their two outputs, and how those are read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import keras
import numpy as np

from sixarts.labeled import LabeledModel
from sixarts.model import Processor


class DetectionProcessor(Processor):
    """RGB pictures to what a detection network takes. A family states sizes; canvases are batched.

    A picture is resized to its ``target`` and laid on the top left of a ``canvas``, which is zero elsewhere
    (after normalization). Pictures of one canvas go through the network together, and a picture's answer does
    not depend on the others.

    Attributes:
        labels: the network's classes, in order; without the class that stands for no object.
    """

    labels: tuple[str, ...]

    def target(self, height: int, width: int) -> tuple[int, int]:
        """Height and width that a picture of this size is resized to."""
        raise NotImplementedError

    def canvas(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the array that holds a picture of this (original) size."""
        raise NotImplementedError

    def arrays(self, images: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """The network's inputs for ``uint8`` pictures whose canvases are the same.

        Returns:
            ``pixel_values`` ``[b, height, width, 3]`` in float32 and, where the network asks for it,
            ``extent`` ``[b, 2]`` in int32: height and width of each picture on its canvas.
        """
        raise NotImplementedError

    def relabeled(self, labels: Sequence[str]) -> DetectionProcessor:
        """The same for other classes."""
        raise NotImplementedError


class DetectionModel(LabeledModel):
    """A network with the outputs ``logits`` and ``boxes``.

    ``logits`` ``[b, n, classes]`` and ``boxes`` ``[b, n, 4]``: center x, center y, width and height of each
    candidate as shares of the *picture's* sides (not the canvas's), both float32.

    Attributes:
        scoring: ``"softmax"``: a candidate is of one class or, by the last column of ``logits``, of none;
            ``"sigmoid"``: every column of ``logits`` is a class by itself.
        overlapping: whether several candidates are learned for one object, so that all but the best are
            suppressed.
        queries: whether candidates are learned one for each object by matching (Carion et al. 2020); else the
            family writes ``assign``.
    """

    cut = "pixel_values"
    scoring: ClassVar[Literal["softmax", "sigmoid"]] = "softmax"
    overlapping: ClassVar[bool] = False
    queries: ClassVar[bool] = True
    #: Whether a candidate stands for the same place, or the same query, whatever the picture.
    steady: ClassVar[bool] = True
    #: Most candidates of a picture that become detections; all of them where it is ``None``.
    most: ClassVar[int | None] = None

    def pixels(self, height: int | None, width: int | None) -> tuple[Any, Any]:
        """The input for canvases of this size (``None``: of any), and the tensor that attribution cuts."""
        inputs = keras.Input((height, width, 3), dtype="float32", name="pixel_values")
        self.embedded = keras.layers.Identity(dtype=self.device.policy, name="pixels")(inputs)
        return inputs, self.embedded

    def closed(self, inputs: Any, logits: Any, boxes: Any) -> keras.Model:
        """The network from its inputs (by name) to its outputs, which are float32 on every device."""
        ends = {
            name: keras.layers.Activation("linear", dtype="float32", name=name)(tensor)
            for name, tensor in (("logits", logits), ("boxes", boxes))
        }
        return keras.Model(inputs, ends, name=self.family)
