"""Batches to learn from: pictures changed at random, and what each candidate of the network learns of them.

What a candidate learns depends on what the network says at that moment, so a batch is answered before it is
learned from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sixarts.classification import probabilities
from sixarts.errors import OptionError
from sixarts.labeled import numbered
from sixarts.lessons import Batches
from sixarts.media.images import image_size, read_image
from sixarts.training import Lesson, Training
from sixarts_detection.assignment import Assigned, aligned, matched
from sixarts_detection.augmentation import changed
from sixarts_detection.boxes import centers
from sixarts_detection.losses import Boxes, Classes, Scores
from sixarts_detection.objects import Objects, objects_of

#: Weight of candidates that learn no object, where they have a class of their own (Carion et al. 2020).
NONE = 0.1


@dataclass(frozen=True)
class DetectionTraining(Training):
    """Options of ``fit`` for detection.

    Attributes:
        flip: whether pictures are mirrored, left to right, half of the time.
        flip_vertical: the same, top to bottom: for what has no up and down.
        zoom: how much nearer or farther at most; 0.5 draws up to 1.5 times as large or small.
        light: how much brightness, contrast and tint change at most, as a share.
        freeze: learn the head alone, on the features that the network has.
    """

    batch_size: int = 16
    flip: bool = True
    flip_vertical: bool = False
    zoom: float = 0.25
    light: float = 0.2
    freeze: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, most in (("zoom", 4), ("light", 1)):
            if not 0 <= getattr(self, name) <= most:
                raise OptionError(f"{name}={getattr(self, name)!r}; expected 0 to {most}")


def losses(model: Any) -> dict[str, Any]:
    """What a family's outputs are held to, by name."""
    scores = Classes() if model.scoring == "softmax" else Scores()
    return {"logits": scores, "boxes": Boxes(distance=5.0 if model.queries else 0.0)}


class Lessons(Batches):
    """Shuffled batches of pictures of one canvas each.

    Args:
        model: what learns.
        examples: pictures and their objects.
        training: the options.
        epoch: the number of the pass; with the seed it decides every draw.
    """

    def __init__(self, model: Any, examples: Sequence[Any], training: Any, epoch: int) -> None:
        self.model, self.examples = model, examples
        said = (label for _, target in examples for label in objects_of(target).labels)
        self.numbers = numbered(model.processor.labels, said)
        random = np.random.default_rng([training.seed, epoch])
        groups: dict[tuple[int, int], list[int]] = {}
        for index in random.permutation(len(examples)):
            canvas = model.processor.canvas(*image_size(examples[index][0]))
            groups.setdefault(canvas, []).append(int(index))
        size = training.batch_size
        batches = [group[at : at + size] for group in groups.values() for at in range(0, len(group), size)]
        shuffled = [batches[place] for place in random.permutation(len(batches))]
        super().__init__(shuffled, training, epoch)

    def lesson(self, rows: np.ndarray, weights: np.ndarray, key: tuple[int, int, int]) -> Lesson:
        random = np.random.default_rng(key)
        examples = [self.examples[row] for row in rows.tolist()]
        pictures, objects = zip(*(self._drawn(example, random) for example in examples), strict=True)
        arrays = self.model.processor.arrays(pictures)
        outputs = self.model(arrays)
        truths = [self._truth(entry, picture.shape) for entry, picture in zip(objects, pictures, strict=True)]
        learned = [self._assigned(outputs, row, arrays, truth) for row, truth in enumerate(truths)]
        return Lesson(arrays, *self._targets(outputs, truths, learned, int(weights.sum())))

    def _drawn(self, example: Any, random: np.random.Generator) -> tuple[np.ndarray, Objects]:
        picture, (boxes, labels) = read_image(example[0]), objects_of(example[1])
        picture, boxes, kept = changed(picture, boxes, self.training, random)
        return picture, Objects(boxes, tuple(labels[place] for place in kept))

    def _truth(self, objects: Objects, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Boxes as shares of the picture, and numbers of classes."""
        height, width = shape[:2]
        boxes = centers(objects.boxes / np.array([width, height, width, height], "float32"))
        return boxes, np.array([self.numbers[label] for label in objects.labels], "int64")

    def _assigned(
        self, outputs: Mapping[str, np.ndarray], row: int, arrays: Mapping[str, np.ndarray], truth: Any
    ) -> Assigned:
        scores, boxes = scores_of(self.model, outputs["logits"][row]), outputs["boxes"][row]
        if self.model.queries:
            return matched(scores, boxes, *truth)
        places = self.model.places()[:, :2] / arrays["extent"][row][::-1]
        return aligned(scores, boxes, places, *truth)

    def _targets(
        self, outputs: Mapping[str, np.ndarray], truths: Any, learned: Sequence[Assigned], count: int
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Targets and weights by output; rows from ``count`` on weigh nothing."""
        logits, boxes = outputs["logits"], np.array(outputs["boxes"])
        single = self.model.scoring == "softmax"
        scores = (
            np.full(logits.shape[:2], logits.shape[-1] - 1) if single else np.zeros(logits.shape, "float32")
        )
        weights = {name: np.zeros(logits.shape[:2], "float32") for name in ("logits", "boxes")}
        for row, ((gold, classes), (objects, quality)) in enumerate(zip(truths, learned, strict=True)):
            those = np.flatnonzero(objects >= 0)
            wanted = objects[those]
            boxes[row, those] = gold[wanted]
            if single:
                scores[row, those] = classes[wanted]
            else:
                scores[row, those, classes[wanted]] = quality[those]
            if row < count:
                weights["logits"][row] = NONE if single else 1.0
                weights["logits"][row, those] = 1.0
                weights["boxes"][row, those] = 1.0 if self.model.queries else quality[those]
        shared = max(float(weights["boxes"].sum()), 1.0)
        of_scores = float(weights["logits"].sum()) if single else shared
        return (
            {"logits": scores.astype("int32") if single else scores, "boxes": boxes},
            {"logits": weights["logits"] / of_scores, "boxes": weights["boxes"] / shared},
        )


def scores_of(model: Any, logits: np.ndarray) -> np.ndarray:
    """Probabilities of the classes ``[..., classes]``, without that of no object."""
    if model.scoring == "softmax":
        return probabilities(logits)[..., :-1]
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -60, 60))))
