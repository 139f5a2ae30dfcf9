"""What is learned from records: batches of features, some of whose values are hidden."""

from __future__ import annotations

from typing import Any

import numpy as np

from sixarts.classification import Lessons
from sixarts.training import Lesson
from sixarts_diagnosis.records import Examples


class RecordLessons(Lessons):
    """Batches of features that were made once, with some of their values hidden anew in each epoch."""

    def __init__(self, task: Any, examples: Examples, numbers: Any, training: Any, epoch: int) -> None:
        super().__init__(task, examples, numbers, training, epoch)
        self.processor = task.model.processor
        self.features = examples.features(self.processor)
        self.classes = np.array([numbers[label] for label in examples.labels], "int32")

    def __getitem__(self, place: Any) -> Lesson:  # type: ignore[override]
        size = self.training.batch_size
        chosen = self.order[place * size : (place + 1) * size]
        if not len(chosen):
            raise IndexError(place)
        # The last batch is filled up, with weight 0, so that one shape compiles.
        full = min(size, len(self.order))
        rows_ = np.concatenate([chosen, np.resize(self.order, full - len(chosen))])
        weights = (np.arange(full) < len(chosen)).astype("float32")
        features = self._hidden(self.features[rows_], place)
        return Lesson({"features": features}, {"logits": self.classes[rows_]}, {"logits": weights})

    def _hidden(self, features: np.ndarray, place: int) -> np.ndarray:
        """Hides values that may be missing, each with the same chance."""
        if not self.training.hide:
            return features
        nothing, able = self.processor.hidden()
        random = np.random.default_rng([self.training.seed, self.epoch, place, 11])
        gone = (random.random((len(features), len(able))) < self.training.hide) & able
        return np.where(gone[:, self.processor.owners], nothing, features)
