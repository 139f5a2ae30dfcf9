"""The task: from every kind of source through fit, answers, groups and explanations, and the starters."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import record_reference as reference

import sixarts as sa
from sixarts.errors import InputError, OptionError, TrainingError
from sixarts_diagnosis.record_scores import Counterfactual

COUNT = 240


@pytest.fixture(scope="module")
def task() -> Any:
    """Logistic regression over made-up records, calibrated."""
    made = sa.new("disease-diagnosis", family="logistic", device="cpu")
    made.fit(reference.records(COUNT), schema=reference.schema(), disease="ill", epochs=1, progress=False)
    return made


@pytest.fixture(scope="module")
def heart() -> Any:
    return sa.load("disease-diagnosis", device="cpu")


# Learning.


def test_a_new_model_learns_from_a_file_and_makes_its_schema(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    rows = [{"number": i, **r, "outcome": label} for i, (r, label) in enumerate(reference.records(COUNT))]
    pandas.DataFrame(rows).to_csv(tmp_path / "visits.csv", index=False)
    made = sa.new("disease-diagnosis", family="logistic", device="cpu")
    history = made.fit(
        str(tmp_path / "visits.csv"),
        validation=rows[:50],
        target="outcome",
        ignore=("number",),
        epochs=1,
        progress=False,
    )
    assert history.replaced == ("schema of 5 columns and a network for 2 labels",)
    assert made.schema.target == "outcome" and made.schema.names == reference.schema().names
    assert made.model.config["disease"] == "ill"
    assert made.reliability.count == round(0.2 * COUNT) and made.reliability.coverage == 0.9
    card = made.save(tmp_path / "model") / "README.md"
    assert "split conformal sets of 90% coverage" in card.read_text()
    again = sa.load("disease-diagnosis", str(tmp_path / "model"), device="cpu")
    one = again(rows[0], ignore=("number",))
    assert one.to_dict() == made(rows[0], ignore=("number",)).to_dict()
    # The same from a table, in every way in which it may come; the column of labels is left out.
    table = [again(row, ignore=("number",)) for row in rows[:4]]
    frame = pandas.DataFrame(rows[:4])
    sources: list[Any] = [frame, {name: list(frame[name]) for name in frame}, rows[:4]]
    for source in sources:
        found = again(source, ignore=("number",))
        assert [a.label for a in found] == [b.label for b in table]
    with pytest.raises(InputError, match=r"input 0: unknown column 'number'"):
        again(frame)
    streamed = list(again.stream(str(tmp_path / "visits.csv"), ignore=("number",), progress=False))
    assert len(streamed) == COUNT and streamed[0].label == table[0].label


def test_a_bad_row_is_named_by_its_number_before_anything_is_learned() -> None:
    pairs = reference.records(30)
    pairs[17] = ({**pairs[17][0], "height": 1.8}, "ill")
    made = sa.new("disease-diagnosis", family="logistic", device="cpu")
    with pytest.raises(InputError, match=r"input 17: example: column 'height' .* in m;"):
        made.fit(pairs, schema=reference.schema(), epochs=1)
    assert not made.model.built
    for wrong, words in (
        ([], "no example came"),
        ([({}, "ill")], "column 'age' is missing"),
        ([(pairs[0][0], None)], "a label that is NoneType"),
        ([(pairs[0][0], "ill")], "records of 1 label"),
    ):
        with pytest.raises((InputError, TrainingError), match=words):
            made.fit(wrong, schema=reference.schema(), epochs=1, calibration=0.0)
    with pytest.raises(OptionError, match="disease='flu'; expected one of ill, well"):
        made.fit(pairs[:10], schema=reference.schema(), disease="flu", epochs=1)
    with pytest.raises(OptionError, match=r"coverage=1\.5"):
        made.fit(pairs, coverage=1.5)


def test_several_labels_have_the_probability_of_the_answer(tmp_path: Path) -> None:
    pairs = reference.records(COUNT, labels=("none", "mild", "severe"))
    made = sa.new("disease-diagnosis", family="mlp_ensemble", members=2, hidden=4, device="cpu")
    made.fit(pairs, schema=reference.schema(), epochs=8, sets="by class", progress=False)
    found = made(pairs[0][0])
    assert found.disease == "" and found.probability == max(found.probabilities.values())
    assert sum(found.probabilities.values()) == pytest.approx(1) and len(found.probabilities) == 3
    assert made.reliability.sets == "by class" and len(set(made.reliability.thresholds)) == 3
    measured = made.evaluate(pairs[:60], progress=False)
    assert {"auc", "accuracy", "brier", "coverage"} <= set(measured.values)
    assert made.explain(pairs[0][0]).target == found.label


def test_a_new_label_brings_a_new_head_and_a_new_calibration(task: Any, tmp_path: Path) -> None:
    other = sa.load("disease-diagnosis", str(task.save(tmp_path / "model")), device="cpu")
    pairs = reference.records(60, seed=4)
    pairs = [
        (record, "very ill" if label == "ill" and i % 2 else label) for i, (record, label) in enumerate(pairs)
    ]
    history = other.fit(pairs, epochs=2, progress=False)
    assert "head of 2 classes by one of 3, 2 of them kept" in history.replaced[0]
    assert set(other.model.processor.labels) == {"ill", "very ill", "well"}
    assert other.model.config["disease"] == "" and other.reliability.count == 12


def test_hidden_values_are_drawn_anew_and_never_where_a_value_is_needed(task: Any) -> None:
    training = task.Training(hide=0.5, batch_size=COUNT)
    examples = task.collect(reference.records(COUNT), "example")
    first, second = (next(iter(task.learn(examples, training, epoch))) for epoch in (0, 1))
    shown = next(iter(task.learn(examples, task.judging(training), 0))).arrays["features"]
    same = next(iter(task.learn(examples, training, 0)))
    np.testing.assert_array_equal(first.arrays["features"], same.arrays["features"])
    assert not np.array_equal(first.arrays["features"], second.arrays["features"])
    owners = task.model.processor.owners
    needed = np.isin(owners, [0, 3])
    np.testing.assert_array_equal(first.arrays["features"][:, needed], shown[:, needed])
    missing = first.arrays["features"][:, 2].mean()
    assert 0.4 < missing < 0.75


# Answers.


def test_a_record_unlike_the_others_is_abstained_from(task: Any) -> None:
    usual = task([record for record, _ in reference.records(200, seed=9)])
    assert np.mean([answer.abstained for answer in usual]) < 0.06
    odd = {"age": 118, "height": 61, "temperature": 44.9, "sex": "male", "stage": "I"}
    found = task(odd)
    assert found.abstained and found.distance > 1 and str(found).startswith("ABSTAINED")
    assert found.unusual == ("age", "height", "temperature")


def test_coverage_holds_on_records_that_were_never_seen(task: Any) -> None:
    pairs = reference.records(1500, seed=21)
    answers = task([record for record, _ in pairs])
    held = np.mean([label in a.prediction_set for a, (_, label) in zip(answers, pairs, strict=True)])
    # One calibration of 48 cases: its own coverage varies by about four points around what is stated.
    assert 0.82 < held < 0.98


def test_groups_are_judged_and_their_gap_goes_on_the_card(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    made = sa.new("disease-diagnosis", family="logistic", device="cpu")
    made.fit(reference.records(COUNT), schema=reference.schema(), disease="ill", epochs=1, progress=False)
    found = made.evaluate(
        reference.records(150, seed=8), by=("sex", "age band"), dataset="Made up", progress=False
    )
    assert found.disease == "ill" and found["auc"].value > 0.8
    assert {"auc gap, sex", "auc gap, age band", "brier gap, sex"} <= set(found.values)
    text = (made.save(tmp_path / "model") / "README.md").read_text()
    assert "auc gap, sex" in text and "Made up" in text
    with pytest.raises(OptionError, match="the nearest: age"):
        made.evaluate(reference.records(20), by=("agee",))


# Explanations.


def test_directions_are_those_of_the_weights(task: Any) -> None:
    old = {"age": 78, "height": 171, "temperature": 36.8, "sex": "male", "stage": "III"}
    for method in ("integrated_gradients", "permutation"):
        found = task.explain(old, method)
        values = dict(zip(found.input_labels, found.values[0], strict=True))
        assert found.target == "ill" and values["age"] > 0.5 and values["stage"] > 0.3
        assert abs(values["sex"]) < values["age"]
        assert "age 78 years raises ill" in str(found)
        assert "78" not in repr(found)
        young = task.explain({**old, "age": 22}, method)
        assert young.values[0, 0] < -0.5 and "age 22 years lowers ill" in str(young)
    against = task.explain(old, target="well")
    np.testing.assert_allclose(against.values, -task.explain(old).values, atol=1e-3)
    with pytest.raises(OptionError, match="target='il'"):
        task.explain(old, target="il")


def test_a_linear_models_attributions_are_its_weights_times_the_distance(task: Any) -> None:
    record = reference.records(1, seed=77)[0][0] | {"height": 170.0, "temperature": 36.5, "stage": "II"}
    processor = task.model.processor
    x = processor.features([processor.schema.read(record)])[0].astype("float64")
    kernel = np.asarray(task.model.linear.kernel, "float64")
    place = processor.labels.index("ill")
    each = (x - processor.average()) * (kernel[:, place] - kernel[:, 1 - place])
    wanted = np.bincount(processor.owners, weights=each) * task.reliability.calibration.scale
    np.testing.assert_allclose(task.explain(record).values[0], wanted, atol=1e-4)


def test_the_counterfactual_turns_the_answer_there_and_not_before(task: Any) -> None:
    record = {"age": 57.0, "height": 170.0, "temperature": 36.5, "sex": "male", "stage": "II"}
    now = task(record)
    found = task.explain(record, "counterfactual")
    assert isinstance(found, Counterfactual) and found.turns
    shares = [turn.share for turn in found.turns]
    assert shares == sorted(shares)
    ages = [turn for turn in found.turns if turn.column == "age"]
    assert ages and str(found).startswith(f"counterfactual: would turn to {ages[0].label} at ")
    limit, direction = float(ages[0].at.split()[0]), ages[0].at.split()[-1]
    step = 1.0 if direction == "more" else -1.0
    assert task({**record, "age": limit}).label != now.label
    assert task({**record, "age": limit - step}).label == now.label
    low, high = reference.schema().column("age").usual or (0, 0)
    assert low <= limit <= high
    missing = task.explain({**record, "stage": None}, "counterfactual")
    assert "stage" not in {turn.column for turn in missing.turns}
    firm = task.explain({**record, "age": 25.0, "stage": "I"}, "counterfactual")
    assert all(turn.share <= 1 for turn in firm.turns)


# Starters.


def test_the_heart_starter_answers_and_explains(heart: Any) -> None:
    ill, well, little = heart(list(heart.spec.samples))
    assert ill.label == "heart disease" and ill.probability > 0.8 and ill.disease == "heart disease"
    assert well.label == "no heart disease" and well.probability < 0.2
    assert "thallium" in little.missing and ill.coverage == 0.9
    found = heart.explain({**heart.sample, "max_heart_rate": 108})
    assert "heart disease" in str(found) and math.isfinite(found.values.sum())
    with pytest.raises(InputError, match=r"'cholesterol' .* mmol/l of cholesterol"):
        heart({**heart.sample, "cholesterol": 6.2})


def test_the_breast_cancer_starter_has_a_schema_and_a_sample_of_its_own() -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    task = sa.load("disease-diagnosis", "starter/breast-cancer", device="cpu")
    assert len(task.schema.columns) == 30 and set(task.sample) == set(task.schema.names)
    assert task(task.sample).label in ("malignant", "benign")
    with pytest.raises(InputError, match="another schema"):
        task(task.spec.samples[0])
    found = datasets.load_breast_cancer()
    names = [str(name) for name in found.feature_names]
    rows = [dict(zip(names, map(float, row), strict=True)) for row in found.data[:60]]
    right = [a.label == str(found.target_names[t]) for a, t in zip(task(rows), found.target, strict=False)]
    assert np.mean(right) > 0.9
    assert task.footprint(repeats=1).parameters == task.model.parameters


def test_live_and_failures_keep_their_place(heart: Any) -> None:
    good = heart.sample
    found = heart([good, {**good, "age": 900}, good], on_error="return")
    assert [bool(each) for each in (found[0], found[2])] == [True, True]
    assert found[1].index == 1 and "column 'age'" in found[1].error and "900" not in found[1].error
    endless = heart.stream(itertools.repeat(good), batch_size=2, progress=False)
    assert next(iter(endless)).label == found[0].label
