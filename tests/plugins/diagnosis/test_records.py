"""Schemas, records, tables and groups: what is refused, in which words, and what is kept of records."""

from __future__ import annotations

import contextlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import record_reference as reference
from hypothesis import given, settings
from hypothesis import strategies as st

from sixarts.errors import CheckpointError, InputError, OptionError
from sixarts_diagnosis.inferred_schema import inferred
from sixarts_diagnosis.power import power, powered
from sixarts_diagnosis.record_processor import RecordProcessor
from sixarts_diagnosis.records import Examples, groups_of, pairs_of
from sixarts_diagnosis.schema import Column, Reading, Schema
from sixarts_diagnosis.units import MISTAKEN, likely_units

pytestmark = pytest.mark.quick

GOOD: dict[str, Any] = {"age": 61, "height": 171.5, "temperature": 36.9, "sex": "male", "stage": "II"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"age": None}, ["column 'age' is missing", "a number from 0 to 120 years", "needs it"]),
        ({"age": float("nan")}, ["column 'age' is missing"]),
        ({"age": ""}, ["column 'age' is missing"]),
        ({"age": 733}, ["column 'age'", "looks as if it were in months", "0 to 120 years", "convert"]),
        ({"age": -3}, ["column 'age' is below what is possible", "check the value and its unit"]),
        ({"age": "sixty"}, ["column 'age' holds a str that is no number"]),
        ({"age": True}, ["column 'age' holds a bool"]),
        ({"age": math.inf}, ["column 'age' is infinite"]),
        ({"age": [61]}, ["column 'age' holds a list"]),
        ({"height": 1.8}, ["column 'height'", "looks as if it were in m;", "50 to 250 cm"]),
        ({"temperature": 98.6}, ["'temperature'", "looks as if it were in °F"]),
        ({"temperature": 310.0}, ["'temperature'", "looks as if it were in K"]),
        ({"sex": "unknown"}, ["column 'sex'", "never seen", "one of 'female', 'male'"]),
        ({"sex": None}, ["column 'sex' is missing"]),
        ({"stage": 2}, ["column 'stage'", "one of 'I', 'II', 'III'"]),
        ({"temprature": 37.0}, ["unknown column 'temprature'", "the nearest: 'temperature'", "ignore="]),
        ({"63.0": 1.0}, ["a column whose name is a number", "lack its header"]),
    ],
)
def test_each_bad_value_is_named_and_never_shown(change: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        reference.schema().read({**GOOD, **change})
    message = str(caught.value)
    assert all(word in message for word in words), message
    for value in change.values():
        if value not in (None, "", 2) and str(value) not in ("nan", "inf", "True"):
            assert str(value) not in message.replace("120", "").replace("250", ""), message
    assert caught.value.__cause__ is None and caught.value.__context__ is None


@pytest.mark.parametrize("wrong", [None, 3, "61, male", ("age", 61), [GOOD], {3: 4}, np.zeros(3)])
def test_what_is_no_record_is_refused(wrong: Any) -> None:
    with pytest.raises(InputError, match="expected a record"):
        reference.schema().read(wrong)


def test_a_record_of_another_schema_is_told_as_such() -> None:
    with pytest.raises(InputError, match="a record of another schema, with columns such as 'mean radius'"):
        reference.schema().read({"mean radius": 14.0})
    with pytest.raises(InputError, match="column 'age' is missing"):
        reference.schema().read({})


def test_a_good_record_is_read_as_files_frames_and_people_write_it() -> None:
    schema = reference.schema()
    wanted = schema.read(GOOD)
    assert wanted == Reading((61.0, 171.5, 36.9, "male", "II"))
    texts = {name: str(value) for name, value in GOOD.items()}
    assert schema.read(texts) == wanted
    assert schema.read({**GOOD, "sex": "MALE ", "label": "ill"}) == wanted, "the target is left out"
    assert schema.read({**GOOD, "age": np.float32(61), "height": np.float64(171.5)}) == wanted
    pandas = pytest.importorskip("pandas")
    assert schema.read(pandas.DataFrame([GOOD]).iloc[0]) == wanted
    numbered = Schema((Column("smoker", "category", categories=("0", "1")),))
    assert {numbered.read({"smoker": value}).values[0] for value in (1, 1.0, "1", "1.0", True)} == {"1"}


def test_missing_and_unusual_values_are_reported() -> None:
    found = reference.schema().read({"age": 97, "sex": "female", "height": None, "temperature": " "})
    assert found.missing == ("height", "temperature", "stage")
    assert found.unusual == ("age",)
    assert "97" not in repr(found)


@pytest.mark.parametrize("unit", list(MISTAKEN))
def test_units_are_converted_the_right_way_round(unit: str) -> None:
    for conversion in MISTAKEN[unit]:
        right = 40.0
        mistaken = (right - conversion.offset) / conversion.factor
        assert conversion.unit in likely_units(mistaken, unit, right - 1, right + 1)


def test_units_are_the_known_ones() -> None:
    """Against figures from outside: body heat, a foot, blood pressure, a cholesterol."""
    for value, unit, other, low, high in (
        (98.6, "°C", "°F", 36.9, 37.1),
        (6.0, "cm", "feet", 182, 183),
        (16.0, "mmHg", "kPa", 119.9, 120.1),
        (5.17, "mg/dl", "mmol/l of cholesterol", 199, 201),
        (5.55, "mg/dl", "mmol/l of glucose", 99, 101),
        (154.0, "kg", "lb", 69.8, 69.9),
    ):
        assert other in likely_units(value, unit, low, high)


# Schemas.


def test_a_schema_is_written_and_read_again(tmp_path: Path) -> None:
    schema = reference.schema()
    schema.save(tmp_path)
    assert Schema.of(tmp_path / "schema.json") == schema == Schema.of(schema.to_config())
    with pytest.raises(OptionError, match="the nearest: height"):
        schema.column("heigth")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({}, "no list of columns"),
        ({"columns": []}, "0 columns"),
        ({"columns": [{"kind": "number"}]}, "column 1: name is missing"),
        ({"columns": [{"name": "a", "kind": "text"}]}, "kind"),
        ({"columns": [{"name": "a", "low": "x"}]}, "low"),
        ({"columns": [{"name": "a", "low": 3, "high": 2}]}, "in this order"),
        ({"columns": [{"name": "a", "low": 3, "usual": [1, 4]}]}, "in this order"),
        ({"columns": [{"name": "a", "kind": "category"}]}, "categories for a category alone"),
        ({"columns": [{"name": "a", "kind": "category", "categories": ["x", "X"]}]}, "categories"),
        ({"columns": [{"name": "a"}, {"name": "a"}]}, "two columns 'a'"),
        ({"columns": [{"name": "a", "units": "cm"}]}, "'units'"),
        ({"columns": ["a"]}, "expected an object"),
    ],
)
def test_a_schema_that_is_none_is_refused(said: Any, words: str) -> None:
    with pytest.raises(CheckpointError, match=words):
        Schema.from_config(said)


ENTRIES = ["columns", "name", "kind", "low", "usual", "categories"]
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.recursive(
        LEAVES,
        lambda x: st.lists(x, max_size=3) | st.dictionaries(st.sampled_from(ENTRIES), x, max_size=4),
        max_leaves=8,
    )
)
def test_a_strangers_schema_is_read_or_refused(said: Any) -> None:
    with contextlib.suppress(CheckpointError):
        Schema.from_config(said if isinstance(said, dict) else {"columns": said})


def test_a_schema_is_made_from_records() -> None:
    found = inferred([record for record, _ in reference.records(200)], "label")
    kinds = {column.name: (column.kind, column.required) for column in found.columns}
    assert kinds == {
        "age": ("number", True),
        "height": ("number", False),
        "temperature": ("number", False),
        "sex": ("category", True),
        "stage": ("category", False),
    }
    assert found.column("stage").categories == ("I", "II", "III")
    low, high = found.column("age").usual or (0, 0)
    assert 19 <= low <= 25 and 75 <= high <= 81
    assert (found.column("age").low, found.column("age").high) == (None, None), "nobody's least or largest"


def test_a_column_that_tells_who_somebody_is_makes_no_schema() -> None:
    people = [{"name": f"person {number}", "age": number} for number in range(40)]
    with pytest.raises(InputError, match="'name' holds 40 different texts") as caught:
        inferred(people)
    assert "person" not in str(caught.value)
    with pytest.raises(InputError, match="has no value in any record"):
        inferred([{"a": None, "b": 1.0}, {"a": None, "b": 2.0}])


# Processors.


def readings(count: int, seed: int = 0) -> list[Reading]:
    return [reference.schema().read(record) for record, _ in reference.records(count, seed)]


def test_statistics_are_of_the_records_that_are_given_and_no_others() -> None:
    some, others = readings(60), readings(60, 1)
    one = RecordProcessor.learned_from(reference.schema(), some, ("a", "b"))
    again = RecordProcessor.learned_from(reference.schema(), some, ("a", "b"))
    assert one.statistics == again.statistics
    one.features(others)
    assert one.statistics == again.statistics
    ages = np.array([reading.values[0] for reading in some], float)
    assert one.statistics[0].power != 1.0 or one.statistics[0].mean == pytest.approx(ages.mean())


def test_features_are_scaled_filled_and_told_apart() -> None:
    processor = RecordProcessor.learned_from(reference.schema(), readings(300), ("a", "b"))
    features = processor.features(readings(300))
    assert features.shape == (300, sum(processor.widths)) and processor.widths == [1, 2, 2, 2, 4]
    assert abs(features[:, 0].mean()) < 0.01 and abs(features[:, 0].std() - 1) < 0.01
    missing = processor.features([Reading((50.0, None, 36.9, "male", None))])[0]
    fill = processor.statistics[1].scaled(processor.statistics[1].fill)
    assert missing[1:3].tolist() == [pytest.approx(fill), 1.0]
    assert missing[5:].tolist() == [0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    average = processor.average()
    np.testing.assert_allclose(average[5:], features[:, 5:].mean(axis=0), atol=1e-5)
    nothing, able = processor.hidden()
    assert able.tolist() == [False, True, True, False, True] and nothing[[2, 4, 10]].tolist() == [1, 1, 1]


def test_a_processor_is_saved_and_read_again(tmp_path: Path) -> None:
    processor = RecordProcessor.learned_from(reference.schema(), readings(50), ("a", "b"))
    processor.save(tmp_path)
    config = {"id2label": {"0": "a", "1": "b"}}
    again = RecordProcessor.from_folder(tmp_path, config)
    np.testing.assert_array_equal(again.features(readings(9, 2)), processor.features(readings(9, 2)))
    for change in ({"scale": 0.0}, {"mean": "x"}, {"deciles": [1.0]}, {"power": 99.0}):
        told = json.loads((tmp_path / "statistics.json").read_text())
        told["columns"][0] |= change
        other = tmp_path / "other"
        other.mkdir(exist_ok=True)
        processor.save(other)
        (other / "statistics.json").write_text(json.dumps(told))
        with pytest.raises(CheckpointError, match="statistics of column 'age'"):
            RecordProcessor.from_folder(other, config)


def test_the_power_is_scikit_learns_and_keeps_the_order() -> None:
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    skewed = np.exp(np.random.default_rng(0).normal(1, 0.8, 400))
    other = preprocessing.PowerTransformer(standardize=False).fit(skewed[:, None])
    assert power(skewed) == pytest.approx(other.lambdas_[0], abs=0.06)
    values = np.linspace(-5, 5, 50)
    for at in (-2.0, -0.5, 0.0, 1.0, 2.0):
        moved = np.asarray(powered(values, at))
        assert (np.diff(moved) > 0).all()
        other.lambdas_ = np.array([at])
        np.testing.assert_allclose(moved, other.transform(values[:, None])[:, 0], rtol=1e-9, atol=1e-9)


# Tables and groups.


def test_pairs_come_from_every_kind_of_table(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    polars = pytest.importorskip("polars")
    pairs = reference.records(12)
    rows = [{**record, "outcome": label} for record, label in pairs]
    frame = pandas.DataFrame(rows)
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_parquet(tmp_path / "a.parquet")
    schema = reference.schema()
    wanted = [(schema.read(record), label) for record, label in pairs]
    sources = (
        rows,
        iter(rows),
        frame,
        polars.DataFrame(rows),
        tmp_path / "a.csv",
        str(tmp_path / "a.parquet"),
        {name: [row[name] for row in rows] for name in rows[0]},
    )
    for source in sources:
        found = pairs_of(source, "outcome")
        assert [(schema.read(record), label) for record, label in found] == wanted, type(source)
    assert pairs_of(iter(pairs)) == pairs
    with pytest.raises(InputError, match="the nearest: 'outcome'"):
        pairs_of(rows, "outcomes")
    with pytest.raises(InputError, match="target or label or diagnosis"):
        pairs_of(rows)
    with pytest.raises(InputError, match="no path of a table"):
        pairs_of("61, male, ill")


def test_groups_are_categories_and_bands_of_numbers() -> None:
    schema = reference.schema()
    found = groups_of(schema, readings(300), ("sex", "age band"))
    assert {group["sex"] for group in found} == {"female", "male"}
    bands = {group["age band"] for group in found}
    assert 3 <= len(bands) <= 6 and any(band.startswith("under") for band in bands)
    for reading, group in zip(readings(300), found, strict=True):
        words = group["age band"].split()
        age = float(reading.values[0] or 0)
        if words[0] == "under":
            assert age < float(words[1])
        elif words[1] == "and":
            assert age >= float(words[0])
        else:
            assert float(words[0]) <= age <= float(words[2])
    with pytest.raises(OptionError, match="no column 'sx'"):
        groups_of(schema, readings(3), ("sx",))


def test_examples_print_as_their_number() -> None:
    pairs = reference.records(3)
    assert repr(Examples(pairs, readings(3))) == "<3 records with their labels>"
