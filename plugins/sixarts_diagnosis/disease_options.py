"""What a call and a ``fit`` of ``disease-diagnosis`` may choose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sixarts.classification import ClassificationTraining
from sixarts.errors import OptionError
from sixarts.task import Options
from sixarts_diagnosis.conformal import COVERAGE
from sixarts_diagnosis.familiarity import QUANTILE
from sixarts_diagnosis.schema import Schema


@dataclass(frozen=True)
class DiagnosisOptions(Options):
    """Options of ``disease-diagnosis``.

    Attributes:
        ignore: columns of the records that are left out, such as a number that tells who somebody is.
    """

    ignore: tuple[str, ...] = ()


@dataclass(frozen=True)
class DiagnosisTraining(ClassificationTraining):
    """Options of ``fit``.

    Attributes:
        target: the column of the labels, where records come as a table; the schema's when left out.
        ignore: columns that are left out.
        schema: what records hold: a :class:`~sixarts_diagnosis.schema.Schema`, what its file has, or the
            file's path. A new model makes one from the records when it is left out; a trained one has its
            own, and learns anew where another is given.
        disease: which of two labels is the disease; by its name, or else the second, when left out.
        calibration: share of the records that is held aside, to calibrate probabilities and sets with; 0
            holds none aside, and gives neither.
        coverage: share of sets of labels that hold the right one.
        sets: whether that holds over all cases (``"marginal"``) or among those of each label
            (``"by class"``), for which sets are larger.
        familiar: share of the records learned from that lie within the distance at which a model abstains.
        even: whether skewed numbers are made even by a power (Yeo and Johnson 2000) before they are scaled.
        hide: share of the values that may be missing which are hidden while it learns, so that it learns to
            do without.
    """

    epochs: int = 60
    batch_size: int = 64
    learning_rate: float = 3e-3
    schedule: str = "cosine"
    weight_decay: float = 0.02
    target: str = ""
    ignore: tuple[str, ...] = ()
    schema: Schema | Mapping[str, Any] | str | Path | None = None
    disease: str = ""
    calibration: float = 0.2
    coverage: float = COVERAGE
    sets: Literal["marginal", "by class"] = "marginal"
    familiar: float = QUANTILE
    even: bool = True
    hide: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, low, high in (("calibration", 0, 0.9), ("hide", 0, 0.9)):
            if not low <= getattr(self, name) <= high:
                raise OptionError(f"{name}={getattr(self, name)!r}; expected {low} to {high}")
        for name in ("coverage", "familiar"):
            if not 0 < getattr(self, name) < 1:
                raise OptionError(f"{name}={getattr(self, name)!r}; expected more than 0 and less than 1")
