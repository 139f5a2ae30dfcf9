"""The ``kerashub-retinanet`` family: KerasHub's RetinaNet presets.

Source: Lin et al. 2017 (RetinaNet), as ``keras_hub.models.RetinaNetObjectDetector`` builds it. Several
anchors find one object, and the task suppresses all but the best. KerasHub's ``NonMaxSuppression`` does it in
another way: a box is of its likeliest class alone, and suppresses boxes of every class, where here each class
is by itself; and it drops what lies wholly left of its canvas and above it. With one class both give the same
else, where the option ``overlap`` is the preset's ``iou_threshold``, which is not read.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import keras
import keras_hub
import numpy as np

from sixarts.errors import CheckpointError, OptionError
from sixarts.readers.limits import check, number
from sixarts_hub.strict_json import short
from sixarts_kerashub.anchors import LIMITS, Anchored, anchors, cells
from sixarts_kerashub.labels import coco_numbers
from sixarts_kerashub.object_detector import ObjectDetector
from sixarts_kerashub.preset import make_backbone, make_task, targets_of
from sixarts_kerashub.reading import arguments, stated
from sixarts_kerashub.table import RETINA_NET

#: Settings of ``task.json`` that no candidate depends on: they are about losses and suppression.
UNUSED = ("backbone", "preprocessor", "activation", "label_encoder", "prediction_decoder")
#: How sure a detection must be where the preset does not say, as in KerasHub.
THRESHOLD = 0.5
#: Most pixels of a picture times anchors of a cell, since no weight in a file stands for either; published
#: presets have 5,760,000.
ANCHORS = 2**24


class RetinaNet(ObjectDetector):
    """A KerasHub RetinaNet: a score for each class and a box for each anchor.

    Outputs are those of :class:`ObjectDetector`; candidates stand at the same anchors in every picture. How
    sure a detection must be is the preset's own (``confidence_threshold``).
    """

    bridge = RETINA_NET
    family = RETINA_NET.family
    published: ClassVar = {91: coco_numbers}
    overlapping: ClassVar[bool] = True
    queries: ClassVar[bool] = False
    steady: ClassVar[bool] = True

    @classmethod
    def head_settings(cls, stem: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        found = {name: value for name, value in settings.items() if name not in UNUSED}
        where = "anchor_generator of task.json"
        kind, own = stated(found.get("anchor_generator"), where)
        if kind != "AnchorGenerator":
            raise CheckpointError(f"{where} is {short(kind)}; expected AnchorGenerator")
        plain = arguments(keras_hub.layers.AnchorGenerator, own, where)
        check(plain, LIMITS)
        check(found, {"bounding_box_format": LIMITS["bounding_box_format"]})
        return found | {"anchor_generator": {"registered_name": f"keras_hub>{kind}", "config": plain}}

    @classmethod
    def configure(cls, /, **config: Any) -> dict[str, Any]:
        found = super().configure(**config)
        threshold = config["threshold"] if "threshold" in config else _threshold(config["head"])
        check({"threshold": threshold}, {"threshold": number(0, 1)})
        return found | {"threshold": threshold}

    def parts(self, stem: str, head: Mapping[str, Any]) -> tuple[Any, Any]:
        own = self.config["config"]
        for name in ("min_level", "max_level"):
            check(own, {name: LIMITS[name]})
            if own.get(name) != (level := self._anchors[name]):
                raise CheckpointError(
                    f"config.json has {name} {short(own.get(name))}, the anchors of task.json {level}; "
                    "expected the same; check that both are of one preset"
                )
        backbone = make_backbone(self.bridge, self.config, self.device.policy)
        generator = keras_hub.layers.AnchorGenerator(**self._anchors)
        task = make_task(stem, self.bridge.task, backbone, head, anchor_generator=generator)
        self._targets = targets_of(backbone, task)
        return backbone, task

    def joined(self, inputs: Any, backbone: Any, task: Any) -> keras.Model:
        found, size = task(self.embedded), self.processor_size()
        _check_cells(backbone, size)
        a_cell = task.anchor_generator.num_base_anchors
        if a_cell * math.prod(size) > ANCHORS:
            raise CheckpointError(
                f"{a_cell} anchors in each cell of pictures of {size}; expected at most {ANCHORS} as the "
                "product of both; give the image converter a smaller image_size"
            )
        places = anchors(self._anchors, size)
        deltas = keras.ops.cast(found["bbox_regression"], "float32")
        boxes = Anchored(places, size, dtype="float32", name="anchored")(deltas)
        return self.closed(inputs, found["cls_logits"], boxes)

    @property
    def _anchors(self) -> dict[str, Any]:
        """Settings of the preset's ``AnchorGenerator``."""
        head = stated(self.config["head"], "task.json")[1]
        return stated(head["anchor_generator"], "anchor_generator of task.json")[1]

    # Learning.

    def with_labels(self, labels: Sequence[str]) -> ObjectDetector:
        raise _unlearned(f"the classes {', '.join(labels[:10])}")

    def freeze(self, frozen: bool) -> None:
        if frozen:
            raise _unlearned("freeze=True")
        super().freeze(frozen)

    def places(self) -> np.ndarray:
        """Where candidates learn, which they do not do here."""
        raise _unlearned("examples to learn")


def _check_cells(backbone: Any, size: tuple[int, int]) -> None:
    """Holds the levels of a picture against each other and against their anchors, before a call fails.

    Keras is told nothing of it beforehand: of a picture that is no square KerasHub tells it other shapes.
    """
    shapes = backbone.get_layer("backbone").compute_output_shape((None, *size, 3))
    levels = {int(name[1:]): tuple(shape[1:3]) for name, shape in shapes.items()}
    top, above = max(levels), levels[max(levels)]
    for level, found in levels.items():
        doubled = tuple(side * 2 ** (top - level) for side in above)
        if found != doubled or found != cells(size, level):
            raise CheckpointError(
                f"pictures of {size} have {found} cells at level {level}; expected {doubled}, twice as many "
                f"as at the next; check that image_size of the image converter is a multiple of {2**top}"
            )


def _threshold(head: Any) -> Any:
    """How sure KerasHub's own decoder asks a detection of this ``task.json`` to be."""
    decoder = stated(head, "task.json")[1].get("prediction_decoder")
    if decoder is None:
        return THRESHOLD
    name, settings = stated(decoder, "prediction_decoder of task.json")
    if name != "NonMaxSuppression" or settings.get("from_logits", True) is not True:
        raise CheckpointError(
            f"prediction_decoder of task.json is {short(name)} with from_logits "
            f"{short(settings.get('from_logits'))}; expected NonMaxSuppression with true: the network gives "
            "logits, whatever its activation"
        )
    return settings.get("confidence_threshold", THRESHOLD)


def _unlearned(received: str) -> OptionError:
    return OptionError(
        f"received {received}; expected a call with the preset's own classes: KerasHub's RetinaNet does not "
        "learn here; fit another family"
    )
