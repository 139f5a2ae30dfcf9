"""Decision support from records: answers with what must not be missed, bad values, why, a new disease.

Run it as ``python examples/diagnose.py [FOLDER]``. It leaves pictures and a model folder there.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

import sixarts as sa
from sixarts.errors import MissingExtra


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    diagnose = sa.load("disease-diagnosis")
    patient = dict(diagnose.sample)

    # Label, calibrated probability, and a set of labels that holds the right one in nine of ten cases.
    answer = diagnose(patient)
    print(answer)
    print("decided:   ", answer.decided, answer.prediction_set, f"{answer.probability:.2f}")
    answer.plot().savefig(folder / "answer.png")

    # What is missing is filled in and reported; a patient unlike those that it learned from is not answered.
    little = {"age": 57, "sex": "male", "chest_pain": "atypical angina", "max_heart_rate": 149}
    print("little:    ", diagnose(little).missing)
    unlike = {**patient, "age": 104, "resting_bp": 250, "max_heart_rate": 226, "st_depression": 9.0}
    print("unlike:    ", str(diagnose(unlike))[:70])

    # Bad values are named by row and column; the values themselves are private and shown nowhere.
    for wrong in ({"cholesterol": 6.2}, {"sex": "m"}, {"age": None}, {"cholestrol": 240}):
        failure = diagnose([{**patient, **wrong}], on_error="return")[0]
        print("refused:   ", failure.error)

    # Why, and what would turn it.
    why = diagnose.explain(patient)
    print("why:       ", why)
    why.plot().savefig(folder / "why.png")
    turns = diagnose.explain(little, "counterfactual")
    print("turns:     ", turns)
    turns.plot().savefig(folder / "turns.png")

    # A disease of one's own: records from anywhere, here drawn at random.
    random = np.random.default_rng(0)
    rows = []
    for _ in range(300):
        glucose, bmi = random.normal(110, 25), random.normal(27, 4)
        ill = (glucose - 120) / 12 + (bmi - 28) / 4 + random.logistic() > 0
        rows.append({"glucose": glucose, "bmi": bmi, "outcome": "diabetes" if ill else "none"})
    task = sa.new("disease-diagnosis", family="logistic")
    task.fit(rows[:200], target="outcome", disease="diabetes", epochs=1)
    print("learned:   ", task.reliability)
    print("weights:   ", {name: round(value, 2) for name, value in task.model.coefficients().items()})
    try:
        figures = task.evaluate(rows[200:], target="outcome", by=("bmi band",))
        print("auc:       ", figures["auc"], "gap by bmi:", figures["auc gap, bmi band"])
    except MissingExtra as error:
        print("auc:       ", error)
    print("saved:     ", task.save(folder / "diabetes").name)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        main(Path(sys.argv[1] if len(sys.argv) > 1 else temporary))
