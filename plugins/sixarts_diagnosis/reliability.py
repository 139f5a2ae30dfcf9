"""What turns logits into a :class:`Diagnosis`: calibration, sets of labels, and where a model's ground ends.

It is learned on cases that were held aside, and travels in ``config.json`` under ``"reliability"``, so that
any family can carry it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import numpy as np

from sixarts.classification import probabilities
from sixarts.errors import CheckpointError
from sixarts_diagnosis import conformal
from sixarts_diagnosis.calibration import Calibration, calibrated
from sixarts_diagnosis.diagnosis import Diagnosis
from sixarts_diagnosis.familiarity import QUANTILE, Familiarity

#: Its place in ``config.json``.
KEY = "reliability"
#: Names of labels that are the disease, where a model of two labels does not say.
DISEASES = frozenset(
    (
        *("1", "abnormal", "cancer", "case", "disease", "diseased", "heart disease", "ill", "infected"),
        *("malignant", "parasitized", "pneumonia", "positive", "present", "sick", "true", "yes"),
    )
)


@dataclass(frozen=True)
class Reliability:
    """How far a model's answers can be relied on.

    Attributes:
        calibration: of probabilities.
        thresholds: how unlikely each label may be and still be in the set; empty where nobody measured.
            They are of the network's own probabilities, so that learning the calibration on the same
            held-aside cases costs the sets nothing of their guarantee.
        coverage: share of cases whose set holds the right label.
        sets: ``"marginal"``, or ``"by class"`` where that holds among the cases of each label.
        count: cases that were held aside for this.
        familiarity: where the cases lie that the model learned from.
    """

    calibration: Calibration = field(default_factory=Calibration)
    thresholds: tuple[float, ...] = ()
    coverage: float = 0.0
    sets: Literal["marginal", "by class"] = "marginal"
    count: int = 0
    familiarity: Familiarity | None = None

    @classmethod
    def measured(
        cls,
        logits: np.ndarray,
        classes: np.ndarray,
        features: np.ndarray | None = None,
        *,
        coverage: float = conformal.COVERAGE,
        sets: Literal["marginal", "by class"] = "marginal",
        quantile: float = QUANTILE,
    ) -> Self:
        """What held-aside cases, and the features of those that were learned from, say of a model.

        Args:
            logits: ``[n, labels]`` of cases that the network has not learned from.
            classes: the number of the right label of each.
            features: ``[m, d]`` of the cases that it has learned from.
            coverage, sets: of the sets of labels.
            quantile: share of the cases learned from that is not abstained from.
        """
        found = _THRESHOLDS[sets](probabilities(np.asarray(logits, "float64")), classes, coverage)
        return cls(
            calibrated(logits, classes),
            tuple(found),
            coverage,
            sets,
            len(classes),
            None if features is None else Familiarity.of(features, quantile),
        )

    def diagnoses(
        self,
        logits: np.ndarray,
        labels: Sequence[str],
        disease: str = "",
        features: np.ndarray | None = None,
        notes: Sequence[Mapping[str, Any]] | None = None,
    ) -> list[Diagnosis]:
        """One answer a case.

        Args:
            logits: ``[n, labels]``.
            labels: their names.
            disease: which of two labels ``probability`` is of.
            features: ``[n, d]``, as for :meth:`measured`.
            notes: further fields of each answer: ``missing``, ``unusual``.
        """
        chances = self.calibration(logits)
        shares = np.zeros(len(chances))
        if self.familiarity is not None and features is not None:
            shares = self.familiarity.share(features)
        members = (
            conformal.prediction_sets(probabilities(np.asarray(logits, "float64")), self.thresholds)
            if self.thresholds
            else np.zeros(chances.shape, bool)
        )
        found = []
        for row, (own, held, share) in enumerate(zip(chances, members, shares, strict=True)):
            order = np.argsort(-own, kind="stable")
            best = int(order[0])
            # The calibrated order may differ from the network's own: what is answered is in the set.
            inside = [labels[place] for place in order if held[place] or (self.thresholds and place == best)]
            found.append(
                Diagnosis(
                    label=labels[best],
                    probability=float(own[labels.index(disease)] if disease else own[best]),
                    probabilities={labels[place]: float(own[place]) for place in order},
                    prediction_set=tuple(inside),
                    coverage=self.coverage if self.thresholds else 0.0,
                    abstained=bool(share > 1),
                    distance=float(share),
                    disease=disease,
                    **(notes[row] if notes else {}),
                )
            )
        return found

    def __str__(self) -> str:
        if not self.thresholds:
            return "never calibrated: fit measures calibration, sets and limits on cases that it holds aside"
        among = " among the cases of each label" if self.sets == "by class" else ""
        scale = (
            f"log-odds scaled by {self.calibration.scale:.2f} and shifted by {self.calibration.shift:+.2f}"
            if self.calibration.count
            else "probabilities as the network gives them, since too few cases were held aside"
        )
        limit = (
            f"; abstains from what lies farther away than {self.familiarity.quantile:.0%} of the cases "
            "that it learned from"
            if self.familiarity
            else ""
        )
        return (
            f"split conformal sets of {self.coverage:.0%} coverage{among} from {self.count} held-aside "
            f"cases; {scale}{limit}"
        )

    def to_config(self) -> dict[str, Any]:
        """As ``config.json`` keeps it."""
        return {
            "scale": self.calibration.scale,
            "shift": self.calibration.shift,
            "calibrated_on": self.calibration.count,
            "thresholds": list(self.thresholds),
            "coverage": self.coverage,
            "sets": self.sets,
            "count": self.count,
            "familiarity": self.familiarity.to_config() if self.familiarity else None,
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any], labels: int) -> Self:
        """What a model's ``config.json`` says, or nothing measured where it says nothing.

        Args:
            labels: how many the model tells apart.

        Raises:
            CheckpointError: it is no such thing.
        """
        said = config.get(KEY)
        if said is None:
            return cls()
        try:
            numbers = [float(said[name]) for name in ("scale", "shift", "coverage")]
            thresholds = tuple(float(each) for each in said["thresholds"])
            counts = [said["calibrated_on"], said["count"]]
            fits = (
                bool(np.isfinite([*numbers, *thresholds]).all())
                and numbers[0] > 0
                and 0 <= numbers[2] < 1
                and len(thresholds) in (0, labels)
                and all(0 <= each <= 1 for each in thresholds)
                and said["sets"] in _THRESHOLDS
                and all(type(each) is int and each >= 0 for each in counts)
            )
        except (KeyError, TypeError, ValueError, OverflowError):
            fits = False
        if not fits:
            raise CheckpointError(
                f"{KEY} in config.json is no calibration, thresholds and coverage for {labels} labels; "
                "expected what fit wrote; fetch the model again"
            )
        place = said.get("familiarity")
        return cls(
            Calibration(numbers[0], numbers[1], counts[0]),
            thresholds,
            numbers[2],
            said["sets"],
            counts[1],
            Familiarity.from_config(place) if place is not None else None,
        )


_THRESHOLDS = {"marginal": conformal.threshold, "by class": conformal.thresholds_by_class}


def disease_of(labels: Sequence[str], stated: str | None = None) -> str:
    """Which of two labels is the disease: the stated one, or one that is called so, or else the second.

    >>> disease_of(("benign", "malignant")), disease_of(("a", "b")), disease_of(("a", "b", "c"))
    ('malignant', 'b', '')
    """
    if stated:
        return stated
    if len(labels) != 2:
        return ""
    return next((label for label in labels if label.strip().lower() in DISEASES), labels[-1])


def held_aside(classes: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Which cases are kept from learning, to calibrate with ``[n]`` truth values.

    They are drawn from all alike, not label by label, as the guarantee of the sets asks for; but one case of
    each label at least is left to learn from.

    >>> int(held_aside(np.array([0, 1] * 10), 0.5, 0).sum())
    10
    """
    order = np.random.default_rng([seed, 7]).permutation(len(classes))
    found = np.zeros(len(classes), bool)
    found[order[: round(share * len(classes))]] = True
    for label in np.unique(classes):
        own = np.flatnonzero(classes == label)
        if found[own].all():
            found[own[0]] = False
    return found
