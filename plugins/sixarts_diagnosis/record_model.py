"""What the families that read records share: features in, logits out, and where attribution cuts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import keras
import numpy as np
from keras import layers

from sixarts.errors import CheckpointError, TrainingError
from sixarts.labeled import LabeledModel, labels_of, naming
from sixarts.readers.limits import NAME, Limit, check, some, whole
from sixarts_diagnosis.record_processor import RecordProcessor
from sixarts_diagnosis.reliability import KEY, Reliability
from sixarts_diagnosis.schema import COLUMNS_CAP

#: What any configuration of such a network may say.
LIMITS: dict[str, Limit] = {"model_type": NAME, "widths": some(whole(1, 1024), COLUMNS_CAP), "disease": NAME}


class RecordModel(LabeledModel):
    """A network over ``features`` ``[b, f]``, the scaled and encoded columns of records.

    A family states its settings in class variables and writes :meth:`logits`. ``config.json`` also holds the
    names of the classes, which of two is the disease, how many features each column gives (``widths``), and
    what calibration measured (``reliability``).
    """

    processor_class = RecordProcessor
    cut = "features"
    stated = LabeledModel.stated | {"widths", "disease", KEY}

    @classmethod
    def configure(cls, /, **config: Any) -> dict[str, Any]:
        full = super().configure(**config)
        check(full, LIMITS)
        if "id2label" in full:
            labels = labels_of(full)
            if full.get("disease") and full["disease"] not in labels:
                raise CheckpointError(f"disease in config.json is none of {', '.join(labels[:20])}")
            Reliability.from_config(full, len(labels))
        return full

    def build(self, initializer: str) -> keras.Model:
        widths = self.processor.widths
        if self.config.get("widths") != widths:
            raise CheckpointError(
                f"config.json tells of {len(self.config.get('widths') or ())} columns and schema.json of "
                f"{len(widths)}, or their widths differ; expected the same; the two are not of one model"
            )
        features = keras.Input((sum(widths),), dtype="float32", name="features")
        # A column's features side by side, each of width 1, so that attributions come one a feature.
        self.embedded = layers.Reshape((sum(widths), 1), dtype="float32", name="cells")(features)
        logits = self.logits(self.embedded, initializer)
        return keras.Model({"features": features}, {"logits": logits}, name=self.family)

    def logits(self, cells: Any, initializer: str) -> Any:
        """Logits ``[b, classes]`` in float32, of cells ``[b, f, 1]``."""
        raise NotImplementedError

    @property
    def reliability(self) -> Reliability:
        """What calibration measured of it."""
        return Reliability.from_config(self.config, len(self.processor.labels))

    @reliability.setter
    def reliability(self, found: Reliability) -> None:
        self.config[KEY] = found.to_config()

    def processor_for(self, labels: Sequence[str]) -> Any:
        if self.built:
            return self.processor.relabeled(labels)
        raise TrainingError("a new model knows no columns yet; call fit(records, target=…) first")

    def with_labels(self, labels: Sequence[str]) -> Self:
        # What was measured, and which is the disease, was said of other classes.
        said, self.config = (
            self.config,
            {name: value for name, value in self.config.items() if name not in (KEY, "disease")},
        )
        try:
            return super().with_labels(labels)
        finally:
            self.config = said

    def configured_for(self, processor: RecordProcessor, disease: str, count: int) -> Self:
        """A new network of these settings for the columns and classes of a processor.

        Args:
            processor: made from the records that will be learned from.
            disease: which of two classes is the disease.
            count: how many records there are.
        """
        said = {name: value for name, value in self.config.items() if name != KEY}
        config = self.configure(
            **{**said, **naming(processor.labels), "widths": processor.widths, "disease": disease}
        )
        return type(self)(config, processor, self.device)

    def prepared(self, features: np.ndarray, classes: np.ndarray) -> None:
        """Takes a first look at what a new network will learn from; by default none."""

    def training_network(self) -> keras.Model:
        """What ``fit`` trains: by default the network itself."""
        return self.network

    def flops(self) -> float:
        """Operations for one record: two for each weight, which each is used once."""
        return 2.0 * sum(np.prod(each.shape) for each in self.network.trainable_variables)


def dense(name: str, width: int, initializer: str, policy: Any, **how: Any) -> Any:
    """A dense layer with the initializer of a new network, or none where a checkpoint follows."""
    return layers.Dense(width, kernel_initializer=initializer, dtype=policy, name=name, **how)
