"""The data that starters and benchmarks are made of, in its original form, as records with labels.

- heart: UCI Heart Disease (Janosi, Steinbrunn, Pfisterer and Detrano 1988), ``processed.cleveland.data`` and
  ``processed.hungarian.data``, CC BY 4.0. The disease is a narrowing of more than half in any major vessel.
- breast cancer: Breast Cancer Wisconsin, Diagnostic (Wolberg, Mangasarian, Street and Street 1995), CC BY
  4.0, which scikit-learn holds.
- pima: Pima Indians Diabetes (Smith et al. 1988); zeros stand for missing values in five columns.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sixarts.errors import InputError
from sixarts_diagnosis.schema import Schema

SCHEMAS = Path(__file__).parent / "schemas"
Pairs = list[tuple[dict[str, Any], str]]

#: Codes of the heart data's categories, by column; the order of columns is the files'.
HEART: dict[str, Mapping[int, str] | None] = {
    "age": None,
    "sex": {0: "female", 1: "male"},
    "chest_pain": {1: "typical angina", 2: "atypical angina", 3: "non-anginal pain", 4: "asymptomatic"},
    "resting_bp": None,
    "cholesterol": None,
    "fasting_sugar_high": {0: "no", 1: "yes"},
    "resting_ecg": {0: "normal", 1: "ST-T abnormality", 2: "left ventricular hypertrophy"},
    "max_heart_rate": None,
    "exercise_angina": {0: "no", 1: "yes"},
    "st_depression": None,
    "st_slope": {1: "upsloping", 2: "flat", 3: "downsloping"},
    "vessels": None,
    "thallium": {3: "normal", 6: "fixed defect", 7: "reversible defect"},
}
PIMA = (
    "pregnancies",
    "glucose",
    "diastolic_bp",
    "skin_thickness",
    "insulin",
    "bmi",
    "pedigree",
    "age",
)
#: Columns of the Pima data in which a zero stands for a missing value.
PIMA_ZEROS = PIMA[1:6]


@dataclass(frozen=True)
class Corpus:
    """Records of one place.

    Attributes:
        name: in words.
        pairs: records and labels.
        schema: of the records.
        disease: the label that is the disease.
    """

    name: str
    pairs: Pairs
    schema: Schema
    disease: str

    def __repr__(self) -> str:
        return f"<{self.name}: {len(self.pairs)} records>"

    @property
    def labels(self) -> np.ndarray:
        """1 for the disease, 0 for none, one a record."""
        return np.array([int(label == self.disease) for _, label in self.pairs])


def heart(folder: Path, place: str) -> Corpus:
    """One place's records of the heart data.

    Args:
        folder: with ``processed.PLACE.data``.
        place: ``"cleveland"`` or ``"hungarian"``.
    """
    pairs: Pairs = []
    for cells in _cells(folder / f"processed.{place}.data", len(HEART) + 1):
        record: dict[str, Any] = {}
        for (name, codes), cell in zip(HEART.items(), cells, strict=False):
            if cell == "?":
                record[name] = None
            else:
                record[name] = float(cell) if codes is None else codes[int(float(cell))]
        pairs.append((record, "heart disease" if int(float(cells[-1])) > 0 else "no heart disease"))
    return Corpus(f"UCI Heart Disease, {place.title()}", pairs, schema_of("heart"), "heart disease")


def breast_cancer() -> Corpus:
    """The Wisconsin data, as scikit-learn holds it."""
    from sklearn.datasets import load_breast_cancer

    found = load_breast_cancer()
    names = [str(name) for name in found.feature_names]
    pairs: Pairs = [
        (dict(zip(names, map(float, row), strict=True)), str(found.target_names[number]))
        for row, number in zip(found.data, found.target, strict=True)
    ]
    return Corpus("Breast Cancer Wisconsin (Diagnostic)", pairs, schema_of("breast_cancer"), "malignant")


def pima(folder: Path) -> Corpus:
    """The Pima data, with missing values as such; a benchmark, whose schema is made from the records."""
    from sixarts_diagnosis.inferred_schema import inferred

    pairs: Pairs = []
    for cells in _cells(folder / "pima-indians-diabetes.csv", len(PIMA) + 1):
        record: dict[str, Any] = {
            name: None if name in PIMA_ZEROS and float(cell) == 0 else float(cell)
            for name, cell in zip(PIMA, cells, strict=False)
        }
        pairs.append((record, "diabetes" if int(cells[-1]) else "no diabetes"))
    return Corpus("Pima Indians Diabetes", pairs, inferred([record for record, _ in pairs]), "diabetes")


def schema_of(name: str) -> Schema:
    """A schema that this project wrote for published data."""
    return Schema.of(SCHEMAS / f"{name}.json")


def folds(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """The fold of each record ``[n]``, with like shares of labels in each.

    >>> sorted(np.bincount(folds(np.array([0, 0, 1, 1]), 2, 0)).tolist())
    [2, 2]
    """
    random = np.random.default_rng([seed, 3])
    found = np.zeros(len(labels), int)
    for label in np.unique(labels):
        own = random.permutation(np.flatnonzero(labels == label))
        found[own] = (np.arange(len(own)) + random.integers(count)) % count
    return found


def chosen(pairs: Sequence[Any], rows: np.ndarray) -> list[Any]:
    """Some of the pairs, by truth values."""
    return [pair for pair, own in zip(pairs, rows, strict=True) if own]


def _cells(path: Path, count: int) -> Iterator[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        for number, cells in enumerate(csv.reader(file), 1):
            if cells and len(cells) != count:
                raise InputError(f"{path.name}, row {number}: {len(cells)} cells; expected {count}")
            if cells:
                yield cells
