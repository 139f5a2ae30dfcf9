"""Calibration, sets, abstention, metrics: against the field's libraries and against what they promise."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from sixarts.classification import probabilities
from sixarts.errors import CheckpointError
from sixarts_diagnosis import clinical_metrics as metrics
from sixarts_diagnosis import conformal
from sixarts_diagnosis.calibration import Calibration, calibrated
from sixarts_diagnosis.diagnosis import NOTICE, Diagnosis
from sixarts_diagnosis.familiarity import Familiarity
from sixarts_diagnosis.logistic import solved
from sixarts_diagnosis.reliability import KEY, Reliability, disease_of, held_aside

pytestmark = pytest.mark.quick


def overlapping(count: int, seed: int, labels: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Logits and classes of a task in which four in five answers are right, and logits are too large."""
    random = np.random.default_rng(seed)
    classes = random.integers(0, labels, count)
    own = np.eye(labels)[classes] * 1.6
    return 2.5 * (own + random.normal(0, 1, (count, labels))), classes


# Conformal sets.


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
@pytest.mark.parametrize("labels", [2, 4])
def test_sets_hold_their_coverage_over_100_random_splits(coverage: float, labels: int) -> None:
    logits, classes = overlapping(1200, 1, labels)
    chances, found = probabilities(logits), []
    for split in range(100):
        order = np.random.default_rng(split).permutation(len(classes))
        aside, held = order[:300], order[300:]
        limits = conformal.threshold(chances[aside], classes[aside], coverage)
        members = 1 - chances[held] <= np.asarray(limits)
        found.append(members[np.arange(len(held)), classes[held]].mean())
        given = conformal.prediction_sets(chances[held], limits)
        assert (given >= members).all() and given.any(axis=1).all()
    assert abs(np.mean(found) - coverage) < 0.02


def test_answers_hold_their_coverage_on_real_records_over_100_random_splits() -> None:
    """Wisconsin's records by logistic regression, through everything that an answer goes through."""
    datasets = pytest.importorskip("sklearn.datasets")
    x, y = datasets.load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    x, y = x[order], y[order]
    x = (x - x[:150].mean(axis=0)) / x[:150].std(axis=0)
    # Three measures, so that answers are wrong now and then.
    weights, bias = solved(x[:150, [1, 4, 8]], y[:150], 2, 1.0)
    logits, rest = x[150:, [1, 4, 8]] @ weights + bias, y[150:]
    covered = []
    for split in range(100):
        order = np.random.default_rng(split).permutation(len(rest))
        aside, held = order[:200], order[200:]
        found = Reliability.measured(logits[aside], rest[aside], coverage=0.9)
        answers = found.diagnoses(logits[held], ("malignant", "benign"), "malignant")
        names = np.array(["malignant", "benign"])[rest[held]]
        covered.append(np.mean([n in a.prediction_set for n, a in zip(names, answers, strict=True)]))
        assert all(answer.label in answer.prediction_set for answer in answers)
        assert {answer.coverage for answer in answers} == {0.9}
    assert abs(np.mean(covered) - 0.9) < 0.02


def test_sets_by_class_hold_it_among_the_cases_of_each_label() -> None:
    random = np.random.default_rng(0)
    classes = (random.random(4000) < 0.1).astype(int)
    logits = np.stack([np.zeros(4000), 3 * classes - 2.5 + random.normal(0, 1.2, 4000)], axis=1)
    rare: dict[str, list[float]] = {"marginal": [], "by class": []}
    for split in range(100):
        order = np.random.default_rng(split).permutation(4000)
        aside, held = order[:2000], order[2000:]
        ill = held[classes[held] == 1]
        for sets, kept in rare.items():
            limits = Reliability.measured(logits[aside], classes[aside], sets=sets).thresholds  # type: ignore[arg-type]
            kept.append(float((1 - probabilities(logits[ill])[:, 1] <= limits[1]).mean()))
    assert abs(np.mean(rare["by class"]) - 0.9) < 0.02
    assert np.mean(rare["marginal"]) < 0.8, "the test could not tell"


def test_too_few_cases_give_sets_of_all_labels() -> None:
    logits, classes = overlapping(8, 0)
    found = Reliability.measured(logits, classes, coverage=0.95)
    assert all(len(a.prediction_set) == 2 for a in found.diagnoses(logits, ("a", "b"), "b"))
    assert conformal.quantile(np.arange(19.0), 0.95) == 18.0
    assert conformal.quantile(np.arange(18.0), 0.95) == math.inf


# Calibration.


def test_platt_is_scikit_learns() -> None:
    calibration = pytest.importorskip("sklearn.calibration")
    logits, classes = overlapping(500, 3)
    found = calibrated(logits, classes)
    odds = logits[:, 1] - logits[:, 0]
    a, b = calibration._sigmoid_calibration(odds, classes)
    assert (found.scale, found.shift) == (pytest.approx(-a, rel=1e-3), pytest.approx(-b, abs=1e-3))
    assert found.scale < 0.7, "logits were too large"
    order = np.argsort(odds)
    assert (np.diff(found(logits)[order, 1]) >= 0).all()


def test_a_temperature_makes_the_right_labels_likeliest() -> None:
    logits, classes = overlapping(600, 4, 3)
    found = calibrated(logits, classes)

    def loss(scale: float) -> float:
        return -float(np.log(probabilities(logits * scale)[np.arange(600), classes]).mean())

    assert found.shift == 0 and loss(found.scale) < min(loss(found.scale * f) for f in (0.97, 1.03))
    assert (found(logits).argmax(axis=1) == logits.argmax(axis=1)).all()
    assert calibrated(logits[:9], classes[:9]) == Calibration()


def test_probabilities_mean_what_they_say_afterwards() -> None:
    logits, classes = overlapping(4000, 5)
    found = calibrated(logits[:2000], classes[:2000])
    before, after = probabilities(logits[2000:])[:, 1], found(logits[2000:])[:, 1]
    gaps = []
    for chance in (before, after):
        parts = np.array_split(np.argsort(chance), 10)
        gaps.append(np.mean([abs(chance[p].mean() - classes[2000:][p].mean()) for p in parts]))
    assert gaps[1] < 0.03 < gaps[0]


# Familiarity.


def test_few_like_cases_are_abstained_from_and_all_unlike_ones() -> None:
    random = np.random.default_rng(0)
    mix = random.normal(size=(6, 6))
    learned, others = random.normal(size=(400, 6)) @ mix, random.normal(size=(4000, 6)) @ mix
    found = Familiarity.of(learned)
    assert found is not None
    assert 0.002 < (found.share(others) > 1).mean() < 0.03
    assert (found.share(learned[:50] + 30) > 1).all()
    # A direction in which nothing varies is told, too.
    flat = np.concatenate([learned, np.zeros((400, 1))], axis=1)
    away = np.concatenate([learned[:20], np.full((20, 1), 8.0)], axis=1)
    of_flat = Familiarity.of(flat)
    assert of_flat is not None and (of_flat.share(away) > 1).all()
    assert Familiarity.of(learned[:5]) is None


def test_the_distance_is_mahalanobis_where_all_directions_are_kept() -> None:
    features = np.random.default_rng(1).normal(size=(5000, 4)) * (1, 2, 3, 4)
    found = Familiarity.of(features)
    assert found is not None
    away = features[:9] - features.mean(axis=0)
    wanted = np.sqrt((away @ np.linalg.inv(np.cov(features.T)) * away).sum(axis=1))
    np.testing.assert_allclose(found.distance(features[:9]), wanted, rtol=0.01)


def test_what_was_measured_is_written_and_read_again() -> None:
    logits, classes = overlapping(200, 6)
    features = np.random.default_rng(0).normal(size=(100, 3))
    found = Reliability.measured(logits, classes, features)
    said = json.loads(json.dumps(found.to_config()))
    again = Reliability.from_config({KEY: said}, 2)
    first, second = (each.diagnoses(logits[:20], ("a", "b"), "b", features[:20]) for each in (found, again))
    assert [a.to_dict() for a in first] == [b.to_dict() for b in second]
    assert Reliability.from_config({}, 2) == Reliability()
    changes: list[dict[str, Any]] = [
        {"scale": 0},
        {"scale": "x"},
        {"thresholds": [0.5]},
        {"thresholds": [2.0, 0.1]},
        {"coverage": 1.5},
        {"sets": "odd"},
        {"count": -1},
        {"familiarity": {**said["familiarity"], "spreads": [0.0, 1.0, 1.0]}},
        {"familiarity": {**said["familiarity"], "mean": [0.0]}},
        {"familiarity": 3},
    ]
    for change in changes:
        with pytest.raises(CheckpointError, match=r"config.json"):
            Reliability.from_config({KEY: {**said, **change}}, 2)


def test_cases_are_held_aside_from_all_alike() -> None:
    classes = np.array([0] * 90 + [1] * 10)
    found = [held_aside(classes, 0.2, seed) for seed in range(50)]
    assert {own.sum() for own in found} == {20}
    assert len({own.tobytes() for own in found}) == 50
    assert np.mean([own[90:].mean() for own in found]) == pytest.approx(0.2, abs=0.05)
    tiny = held_aside(np.array([0, 1]), 0.9, 0)
    assert not tiny.any(), "one of each label is left to learn from"


def test_the_disease_is_named_or_known_by_its_name() -> None:
    assert disease_of(("no heart disease", "heart disease")) == "heart disease"
    assert disease_of(("1", "0")) == "1" and disease_of(("b", "a")) == "a"
    assert disease_of(("b", "a"), "b") == "b" and disease_of(("a", "b", "c")) == ""


# The answer.


def answer(**change: Any) -> Diagnosis:
    said: dict[str, Any] = {
        "label": "ill",
        "probability": 0.8,
        "probabilities": {"ill": 0.8, "well": 0.2},
        "prediction_set": ("ill",),
        "coverage": 0.9,
        "disease": "ill",
    }
    return Diagnosis(**{**said, **change})


def test_an_answer_says_what_must_not_be_missed() -> None:
    assert str(answer()).startswith("ill (probability of ill 80%; 90% set: ill). ")
    assert str(answer()).endswith(NOTICE) and "no medical device" in NOTICE
    assert answer().decided == "ill"
    away = answer(abstained=True, distance=2.34)
    assert str(away).startswith("ABSTAINED: ") and "2.3 times" in str(away)
    assert "do not rely on it" in str(away) and away.decided is None
    both = answer(prediction_set=("ill", "well"))
    assert "cannot tell these labels apart" in str(both) and both.decided is None
    told = str(answer(missing=("bmi",), unusual=("age",)))
    assert "Missing, filled in: bmi" in told and "Outside of the usual range: age" in told
    for page in (away._repr_html_(), both._repr_html_()):
        assert "no medical device" in page
    texts = [text.get_text() for text in away.plot().findobj() if hasattr(text, "get_text")]
    assert any("ABSTAINED" in text for text in texts) and any("no medical device" in text for text in texts)


# Metrics.


def judged(
    count: int = 300, seed: int = 0
) -> tuple[list[Diagnosis], list[metrics.Case], np.ndarray, np.ndarray]:
    logits, classes = overlapping(count, seed)
    chances = probabilities(logits)[:, 1]
    answers = [
        answer(
            label="ill" if p > 0.5 else "well",
            probability=float(p),
            probabilities={"ill": float(p), "well": float(1 - p)},
        )
        for p in chances
    ]
    cases = [
        metrics.Case(("well", "ill")[k], {"sex": ("female", "male")[i % 2]}) for i, k in enumerate(classes)
    ]
    return answers, cases, chances, classes


def test_figures_are_scikit_learns() -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    answers, cases, chances, classes = judged()
    found = metrics.measured(answers, cases, 100)
    assert found["auc"].value == pytest.approx(sklearn.roc_auc_score(classes, chances))
    assert found["brier"].value == pytest.approx(sklearn.brier_score_loss(classes, chances))
    assert found["accuracy"].value == pytest.approx(((chances > 0.5) == classes).mean())
    best = max(
        (chances[classes == 1] >= t).mean()
        for t in np.unique(chances)
        if (chances[classes == 0] < t).mean() >= 0.9
    )
    assert found[metrics.SENSITIVITY].value == pytest.approx(best)
    for metric in found.values.values():
        assert metric.low <= metric.value <= metric.high
    assert found["auc"].low < found["auc"].value < found["auc"].high


def test_a_gap_between_groups_is_found_and_small_groups_are_not_told_of() -> None:
    pytest.importorskip("sklearn")
    answers, cases, chances, _ = judged(400)
    # Of one sex the answers are drawn at random.
    random = np.random.default_rng(0)
    worse = [
        answer(probability=float(p), probabilities={"ill": float(p), "well": float(1 - p)})
        for p in np.where(np.arange(400) % 2, random.random(400), chances)
    ]
    found = metrics.measured(worse, cases, 100)
    assert found["auc gap, sex"].low > 0.15
    assert found["auc, sex female"].value > found["auc, sex male"].value + 0.15
    few = [metrics.Case(case.label, {"place": "rare" if i < 9 else "usual"}) for i, case in enumerate(cases)]
    told = metrics.measured(answers, few, 20)
    assert "auc, place usual" in told.values and not any("rare" in name for name in told.values)
    assert told.groups == {"place": {"usual": 391}}


def test_the_decision_curve_is_net_benefit_by_counting() -> None:
    pytest.importorskip("sklearn")
    answers, cases, chances, classes = judged(200)
    found = metrics.measured(answers, cases, 50)
    assert found.decision is not None and found.treat_all is not None and found.calibration is not None
    for x, y, everybody in zip(found.decision.x, found.decision.y, found.treat_all.y, strict=True):
        true = sum(1 for p, k in zip(chances, classes, strict=True) if p >= x and k == 1)
        false = sum(1 for p, k in zip(chances, classes, strict=True) if p >= x and k == 0)
        assert y == pytest.approx((true - false * x / (1 - x)) / 200)
        assert everybody == pytest.approx(classes.mean() - (1 - classes.mean()) * x / (1 - x))
    share = np.average(found.calibration.y)
    assert abs(share - classes.mean()) < 0.03
    assert len(found.plot().axes) == 3


def test_one_label_alone_tells_what_it_can() -> None:
    pytest.importorskip("sklearn")
    answers, cases, _, classes = judged(60)
    ill = [(a, c) for a, c, k in zip(answers, cases, classes, strict=True) if k]
    found = metrics.measured([a for a, _ in ill], [c for _, c in ill], 20)
    assert "auc" not in found.values and "auc" in found.protocol and found.decision is None
    assert "accuracy" in found.values
