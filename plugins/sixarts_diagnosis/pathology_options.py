"""What a call and ``fit`` of ``pathology-classification`` may choose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sixarts.classification import ClassificationTraining
from sixarts.errors import OptionError
from sixarts.task import Options
from sixarts_diagnosis.acquisition import Acquisition, Orientation
from sixarts_diagnosis.conformal import COVERAGE
from sixarts_diagnosis.familiarity import QUANTILE
from sixarts_diagnosis.tiles import TISSUE


@dataclass(frozen=True)
class PathologyOptions(Options):
    """Options of ``pathology-classification``.

    Attributes:
        tile: side of the tiles that a picture is cut into, in pixels of its finest level; 0 takes pictures
            whole, and cuts scanners' slides into tiles of the network's own size.
        tissue: share of a tile that must be tissue for it to be judged; 0 judges all.
    """

    tile: int = 0
    tissue: float = TISSUE

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.tile < 0 or 0 < self.tile < 8:
            raise OptionError(f"tile={self.tile!r}; expected 8 pixels or more, or 0")
        if not 0 <= self.tissue <= 1:
            raise OptionError(f"tissue={self.tissue!r}; expected a share, from 0 to 1")


@dataclass(frozen=True)
class PathologyTraining(ClassificationTraining):
    """Options of ``fit``.

    Attributes:
        shift, rotate, zoom, contrast, brightness, orientation: how pictures are changed at random; see
            :class:`~sixarts_diagnosis.acquisition.Acquisition`. Brightness is in units of the network's
            input, rotation in degrees.
        balance: whether the labels count alike, however many examples each has.
        disease: which of two labels is the disease; by its name, or else the second, when left out.
        calibration: share of the examples that is held aside, to calibrate probabilities and sets with; 0
            holds none aside, and gives neither; see :meth:`PathologyTask.calibrate`.
        coverage: share of sets of labels that hold the right one.
        sets: whether that holds over all cases (``"marginal"``) or among those of each label
            (``"by class"``), for which sets are larger.
        familiar: share of the examples learned from that lie within the distance at which a model abstains.
    """

    batch_size: int = 64
    learning_rate: float = 1e-3
    shift: float = 0.05
    rotate: float = 5.0
    zoom: float = 0.05
    contrast: float = 0.1
    brightness: float = 0.1
    orientation: Orientation = "fixed"
    balance: bool = False
    disease: str = ""
    calibration: float = 0.2
    coverage: float = COVERAGE
    sets: Literal["marginal", "by class"] = "marginal"
    familiar: float = QUANTILE

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, high in (
            *(("shift", 0.5), ("zoom", 1), ("contrast", 1), ("calibration", 0.9)),
            *(("rotate", 180), ("brightness", 10)),
        ):
            if not 0 <= getattr(self, name) <= high:
                raise OptionError(f"{name}={getattr(self, name)!r}; expected 0 to {high}")
        for name in ("coverage", "familiar"):
            if not 0 < getattr(self, name) < 1:
                raise OptionError(f"{name}={getattr(self, name)!r}; expected more than 0 and less than 1")

    @property
    def changes(self) -> Acquisition:
        """The changes of pictures."""
        names = ("shift", "rotate", "zoom", "contrast", "brightness", "orientation")
        return Acquisition(**{name: getattr(self, name) for name in names})
