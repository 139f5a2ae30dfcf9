"""What a call of ``next-item-prediction`` may choose, and what its ``fit`` may."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

from sixarts.errors import OptionError
from sixarts.task import Options
from sixarts.training import Training


@dataclass(frozen=True)
class NextItemOptions(Options):
    """Options of ``next-item-prediction``.

    Attributes:
        k: how many items are recommended; fewer where fewer are left.
        exclude_seen: whether items of the history, and of what is remembered of the user, are left out.
        allowed: ids that alone may be recommended.
        categories: names of categories of which an item must have one.
    """

    k: int = 10
    exclude_seen: bool = True
    allowed: Collection[Any] | None = None
    categories: Collection[str] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.k < 1:
            raise OptionError(f"k={self.k!r}; expected 1 or more")
        for name in ("allowed", "categories"):
            if isinstance(getattr(self, name), str | bytes):
                raise OptionError(f"{name}={getattr(self, name)!r}; expected several, e.g. a set of them")


@dataclass(frozen=True)
class NextItemTraining(Training):
    """Options of ``fit`` for ``next-item-prediction``.

    Attributes:
        user, item, time: what a table of interactions calls its columns; a column ``time`` is taken for the
            time where there is one, and rows are in order where there is none.
        title, categories: columns that tell of the item, where each row does.
        duplicates: what becomes of a row with the user, item and time of another.
        hold_out: of how many histories of three or more items, as a share, the last item is held out where
            no validation data is given, to stop early and to choose the best epoch by; 0 learns from all.
        negatives: items drawn for each batch, for catalogs too large for cross-entropy over all of them;
            ``None`` takes all.
        sampled_loss: over drawn items: ``"gbce"``, binary cross-entropy that corrects for their number
            (Petrov and Macdonald 2023), or ``"softmax"``, cross-entropy over them and the right one.
        calibration: how far ``"gbce"`` corrects, from 0 to 1.
        label_smoothing: share of each target's probability spread over all items.
        remember: whether the last items of each user are kept, and saved, with the model, so that a user's
            id alone asks for recommendations.
    """

    epochs: int = 30
    batch_size: int = 128
    learning_rate: float = 1e-3
    patience: int | None = 3
    user: str = "user"
    item: str = "item"
    time: str | None = None
    title: str | None = None
    categories: str | None = None
    duplicates: Literal["refuse", "drop", "keep"] = "refuse"
    hold_out: float = 0.1
    negatives: int | None = None
    sampled_loss: Literal["gbce", "softmax"] = "gbce"
    calibration: float = 0.75
    label_smoothing: float = 0.0
    remember: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.negatives is not None and self.negatives < 1:
            raise OptionError(f"negatives={self.negatives!r}; expected 1 or more, or None for all items")
        if not 0 <= self.hold_out <= 1:
            raise OptionError(f"hold_out={self.hold_out!r}; expected a share from 0 to 1")
        for name, end in (("calibration", "1"), ("label_smoothing", "less than 1")):
            value = getattr(self, name)
            if not (0 <= value < 1 or (name == "calibration" and value == 1)):
                raise OptionError(f"{name}={value!r}; expected 0 to {end}")
