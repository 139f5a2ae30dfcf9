"""Nested cross-validation of records: every fold's pipeline is made of that fold's other records alone.

Schema, scaling, filling, choice of settings and the baseline's pipeline are refitted in each fold; a held-out
record touches nothing but the answer to itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sixarts_diagnosis.corpora import folds
from sixarts_diagnosis.record_processor import RecordProcessor
from sixarts_diagnosis.schema import Reading, Schema
from sixarts_diagnosis.side_by_side import Hiding, ensembles

#: Folds that are measured, and folds inside each in which settings are compared.
OUTER, INNER = 10, 3
#: Draws of the paired bootstrap.
DRAWS = 2000
Readings = Sequence[Reading]


@dataclass(frozen=True)
class Setting:
    """What is chosen inside a fold.

    Attributes:
        name: in words.
        settings: of the ``mlp_ensemble`` family, those that are not its defaults.
        training: of ``fit``.
    """

    name: str
    settings: Mapping[str, Any]
    training: Any


def logits_of(
    schema: Schema,
    readings: Readings,
    classes: np.ndarray,
    learns: np.ndarray,
    setting: Setting,
    others: Readings = (),
) -> np.ndarray:
    """Log-odds of the disease of every record, by a network for each group of records.

    Args:
        schema: of the records.
        readings: all of them ``n``.
        classes: 1 for the disease ``[n]``.
        learns: which records each group learns from ``[g, n]``.
        setting: of the networks.
        others: records from elsewhere ``m``, asked after the first.

    Returns:
        ``[g, n + m]``.
    """
    from sixarts_diagnosis.mlp_ensemble import MlpEnsemble

    made = processors(schema, readings, learns, setting.training.even)
    features = np.stack([each.features(readings) for each in made])
    asked = np.stack([each.features([*readings, *others]) for each in made])
    hidden = [each.hidden() for each in made]
    hiding = Hiding(np.stack([nothing for nothing, _ in hidden]), hidden[0][1], made[0].owners)
    full = MlpEnsemble.configure(**setting.settings)
    logits = ensembles(
        features, classes, learns, asked, full, setting.training, hiding, setting.training.hide
    )
    return np.asarray(logits[..., 1] - logits[..., 0])


def processors(
    schema: Schema, readings: Readings, learns: np.ndarray, even: bool = True
) -> list[RecordProcessor]:
    """A processor for each group, made of the records that the group learns from and of no other."""
    return [
        RecordProcessor.learned_from(
            schema, [readings[row] for row in np.flatnonzero(own)], ("no", "yes"), even
        )
        for own in learns
    ]


def parts(classes: np.ndarray, repeats: int) -> np.ndarray:
    """Which records are learned from in each fold of each repeat ``[repeats * OUTER, n]``."""
    return np.concatenate(
        [
            part[None] != np.arange(OUTER)[:, None]
            for part in (folds(classes, OUTER, repeat) for repeat in range(repeats))
        ]
    )


def nested(
    schema: Schema, readings: Readings, classes: np.ndarray, grid: Sequence[Setting], repeats: int
) -> tuple[np.ndarray, list[str]]:
    """Log-odds of each record by networks that had not seen it, whose setting was chosen without it.

    Returns:
        ``[repeats, n]``, and the name of the setting that each fold chose.
    """
    learns = parts(classes, repeats)
    chosen = choices(schema, readings, classes, learns, grid)
    found = np.zeros((repeats, len(classes)))
    for setting in grid:
        rows = [row for row, name in enumerate(chosen) if name == setting.name]
        if not rows:
            continue
        logits = logits_of(schema, readings, classes, learns[rows], setting)
        for row, own in zip(rows, logits, strict=True):
            held = ~learns[row]
            found[row // OUTER][held] = own[held]
    return found, chosen


def choices(
    schema: Schema, readings: Readings, classes: np.ndarray, learns: np.ndarray, grid: Sequence[Setting]
) -> list[str]:
    """For each group the setting under which its own records are told best by networks without them.

    Args:
        learns: the records of each group ``[g, n]`` truth values; no others are looked at for it.
    """
    if len(grid) == 1:
        return [grid[0].name] * len(learns)
    part = np.full(learns.shape, -1)
    for group, own in enumerate(learns):
        part[group, own] = folds(classes[own], INNER, 1000)
    inside = [learns[group] & (part[group] != fold) for group in range(len(learns)) for fold in range(INNER)]
    losses = []
    for setting in grid:
        logits = logits_of(schema, readings, classes, np.array(inside), setting)
        found = []
        for group, own in enumerate(learns):
            held = np.zeros(len(classes))
            for fold in range(INNER):
                rows = part[group] == fold
                held[rows] = logits[group * INNER + fold][rows]
            found.append(loss(classes[own], held[own]))
        losses.append(found)
    return [grid[int(place)].name for place in np.argmin(losses, axis=0)]


def loss(classes: np.ndarray, odds: np.ndarray) -> float:
    """Mean cross-entropy after the best scale and shift, since answers are calibrated."""
    from sixarts_diagnosis.calibration import calibrated

    logits = np.stack([np.zeros_like(odds), odds], axis=1)
    chances = calibrated(logits, classes)(logits)
    return -float(np.log(np.maximum(chances[np.arange(len(classes)), classes], 1e-12)).mean())


def baseline(schema: Schema) -> Any:
    """scikit-learn's logistic regression as people set it up: median or most frequent, scaled, one-hot."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = [place for place, column in enumerate(schema.columns) if column.kind == "number"]
    categories = [place for place, column in enumerate(schema.columns) if column.kind == "category"]
    filled = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    coded = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
    columns = ColumnTransformer([("numbers", filled, numbers), ("categories", coded, categories)])
    return make_pipeline(columns, LogisticRegression(max_iter=5000))


def table(schema: Schema, readings: Readings) -> np.ndarray:
    """Records as scikit-learn takes them: categories as numbers, NaN where one is missing ``[n, c]``."""
    found = np.full((len(readings), len(schema.columns)), np.nan)
    for row, reading in enumerate(readings):
        for place, (column, value) in enumerate(zip(schema.columns, reading.values, strict=True)):
            if value is not None:
                found[row, place] = column.categories.index(value) if isinstance(value, str) else value
    return found


def baseline_odds(schema: Schema, readings: Readings, classes: np.ndarray, repeats: int) -> np.ndarray:
    """The baseline's log-odds in the same folds ``[repeats, n]``."""
    x, learns = table(schema, readings), parts(classes, repeats)
    found = np.zeros((repeats, len(classes)))
    for row, own in enumerate(learns):
        model = baseline(schema).fit(x[own], classes[own])
        found[row // OUTER][~own] = model.decision_function(x[~own])
    return found


@dataclass(frozen=True)
class Compared:
    """Two judges of the same records, by one measure.

    Attributes:
        ours, theirs: the measure, the mean over repeats.
        difference, low, high: of the two, with its interval by the paired bootstrap over records.
        better: 1 where more is better, -1 where less is.
    """

    ours: float
    theirs: float
    difference: float
    low: float
    high: float
    better: int = 1

    def __str__(self) -> str:
        return (
            f"{self.ours:.4f} against {self.theirs:.4f}, difference {self.difference:+.4f} "
            f"({self.low:+.4f} to {self.high:+.4f})"
        )

    @property
    def verdict(self) -> str:
        """What the interval says, in words."""
        if self.low <= 0 <= self.high:
            return "not told apart from it"
        return "better than it" if (self.low > 0) == (self.better > 0) else "worse than it"


def compared(
    classes: np.ndarray, ours: np.ndarray, theirs: np.ndarray, draws: int = DRAWS, level: float = 0.95
) -> dict[str, Compared]:
    """Two judges by each of :data:`MEASURES`, on the same draws of records.

    Args:
        classes: 1 for the disease ``[n]``.
        ours, theirs: log-odds ``[repeats, n]``.
        draws: of the bootstrap.
        level: of its intervals.
    """
    random = np.random.default_rng(0)
    drawn = [random.integers(0, len(classes), len(classes)) for _ in range(draws)]
    drawn = [rows for rows in drawn if 0 < classes[rows].sum() < len(rows)]
    tails = (0.5 - level / 2, 0.5 + level / 2)
    found = {}
    for name, (measure, better) in MEASURES.items():
        one, other = measure(classes, ours), measure(classes, theirs)
        apart = [
            measure(classes[rows], ours[:, rows]) - measure(classes[rows], theirs[:, rows]) for rows in drawn
        ]
        low, high = np.quantile(apart, tails)
        found[name] = Compared(one, other, one - other, float(low), float(high), better)
    return found


def auc(classes: np.ndarray, odds: np.ndarray) -> float:
    """Mean over repeats of the area under the ROC curve, by ranks (Mann and Whitney 1947).

    >>> auc(np.array([0, 1, 1]), np.array([[0.1, 0.2, 0.1]]))
    0.75
    """
    from scipy.stats import rankdata

    ones = int(classes.sum())
    ranks = rankdata(odds, axis=-1)[:, classes == 1].sum(axis=1)
    return float(((ranks - ones * (ones + 1) / 2) / (ones * (len(classes) - ones))).mean())


def log_loss(classes: np.ndarray, odds: np.ndarray) -> float:
    """Mean over repeats and records of the cross-entropy, in nats.

    >>> round(log_loss(np.array([0, 1]), np.zeros((1, 2))), 4)
    0.6931
    """
    return float(np.logaddexp(0, np.where(classes == 1, -odds, odds)).mean())


def brier(classes: np.ndarray, odds: np.ndarray) -> float:
    """Mean over repeats and records of the squared error of the probability (Brier 1950).

    >>> brier(np.array([0, 1]), np.zeros((1, 2)))
    0.25
    """
    return float(((0.5 * (1 + np.tanh(0.5 * odds)) - classes) ** 2).mean())


#: Measure to what computes it of labels ``[n]`` and log-odds ``[repeats, n]``, and 1 where more is better.
MEASURES: dict[str, tuple[Callable[[np.ndarray, np.ndarray], float], int]] = {
    "AUC": (auc, 1),
    "log loss": (log_loss, -1),
    "Brier score": (brier, -1),
}
