"""What is learned from records: batches of features, some of whose values are hidden."""

from __future__ import annotations

from typing import Any

import numpy as np

from sixarts.lessons import Batches, mixed
from sixarts.training import Lesson
from sixarts_diagnosis.records import Examples


class RecordLessons(Batches):
    """Batches of features that were made once, with some of their values hidden anew in each epoch."""

    def __init__(self, processor: Any, examples: Examples, numbers: Any, training: Any, epoch: int) -> None:
        super().__init__(mixed(len(examples), training, epoch), training, epoch)
        self.processor = processor
        self.features = examples.features(processor)
        self.classes = np.array([numbers[label] for label in examples.labels], "int32")

    def lesson(self, rows: np.ndarray, weights: np.ndarray, key: tuple[int, int, int]) -> Lesson:
        features = self._hidden(self.features[rows], key)
        return Lesson({"features": features}, {"logits": self.classes[rows]}, {"logits": weights})

    def _hidden(self, features: np.ndarray, key: tuple[int, int, int]) -> np.ndarray:
        """Hides values that may be missing, each with the same chance."""
        if not self.training.hide:
            return features
        nothing, able = self.processor.hidden()
        random = np.random.default_rng([*key, 11])
        gone = (random.random((len(features), len(able))) < self.training.hide) & able
        return np.where(gone[:, self.processor.owners], nothing, features)
