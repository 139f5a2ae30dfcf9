"""A schema: what it makes of data, of records, and of what is wrong with them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sixarts.errors import CheckpointError, InputError, OptionError, TrainingError
from sixarts_recommendation.cells import BadRow
from sixarts_recommendation.columns import Column, bucket_of
from sixarts_recommendation.schema import Schema
from sixarts_recommendation.schema_file import schema_from, stated
from sixarts_recommendation.study import Study, Wishes, knots_of

pytestmark = pytest.mark.quick

ROWS: dict[str, list[Any]] = {
    "site": ["a", "b", "a", "c", "a", "b"],
    "price": [1.0, 2.0, 3.0, 4.0, 5.0, 100.0],
    "age": [10, None, 30, 40, 50, 60],
    "tags": [["x", "y"], [], ["x"], None, ["z", "x", "y"], ["y"]],
}


def studied(columns: Any = ROWS, **wishes: Any) -> Schema:
    study = Study(Wishes(**wishes))
    count = len(next(iter(columns.values())))
    study.add(columns, [row % 2 for row in range(count)])
    return study.schema("click")


def record(**changed: Any) -> dict[str, Any]:
    return {"site": "a", "price": 2.0, "age": 30, "tags": ["x"]} | changed


def test_kinds_are_found_or_stated() -> None:
    kinds = {column.name: column.kind for column in studied().columns}
    assert kinds == {"site": "categorical", "price": "numeric", "age": "numeric", "tags": "multi"}
    assert studied(categorical=["age"]).inputs["age"].values == ()  # each age once, and least=2
    assert studied(categorical=["age"], least=1).inputs["age"].values == ("10", "30", "40", "50", "60")
    assert [name for name, column in studied().inputs.items() if column.optional] == ["age"]
    assert "site" not in studied(ignored=["site"]).inputs
    with pytest.raises(OptionError, match=r"'sit'.*site"):
        studied(numeric=["sit"])


def test_text_from_a_file_is_the_same_as_numbers_from_a_frame() -> None:
    text = {name: [None if cell is None else str(cell) for cell in cells] for name, cells in ROWS.items()}
    text["tags"] = ["|".join(tags or []) for tags in ROWS["tags"]]
    one, other = studied(), studied(text, multi=["tags"])
    assert stated(one) == stated(other)
    rows = [record(), record(age=None, tags=[]), record(site=" c ", price="3")]
    first = one.encode_records(rows)
    second = other.encode_records(
        [{**r, "price": str(r["price"]), "tags": "|".join(r["tags"])} for r in rows]
    )
    np.testing.assert_array_equal(first.ids, second.ids)
    np.testing.assert_array_equal(first.weights, second.weights)


@settings(max_examples=30, derandomize=True, database=None, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60), st.integers(2, 12), st.floats(-2e6, 2e6))
def test_numbers_lie_between_their_knots(values: list[float], most: int, asked: float) -> None:
    """The two weights are the linear interpolation's: they give the number back, cut at the ends."""
    knots = knots_of(np.array(values), most)
    assert 2 <= len(knots) <= max(most, 2) + 1 and list(knots) == sorted(set(knots))
    schema = Schema((Column("x", "numeric", optional=True, knots=knots, mean=1.0, scale=2.0),))
    encoded = schema.encode({"x": [asked, None]}, 2)
    places = encoded.ids[0, :2] - 2  # nothing, missing
    again = (np.array(knots)[places] * encoded.weights[0, :2]).sum()
    near = 1e-6 * (knots[-1] - knots[0]) + 1e-9  # weights are float32
    assert again == pytest.approx(np.clip(asked, knots[0], knots[-1]), rel=1e-6, abs=near)
    assert encoded.weights[0, 2] == pytest.approx(np.clip((asked - 1) / 2, -8, 8), abs=1e-5)
    assert encoded.ids[1].tolist() == [1, 1, 0] and encoded.weights[1].tolist() == [1, 0, 0]


def test_what_was_never_seen_stands_in_a_bucket_everywhere() -> None:
    schema = studied()
    column = schema.inputs["site"]
    ids = schema.encode_records([record(site="zürich"), record(site="zürich"), record(site="a")]).ids[:, 0]
    assert ids[0] == ids[1] != ids[2]
    assert ids[0] == 1 + 1 + len(column.values) + bucket_of("zürich", column.buckets)
    assert schema.unseen(record(site="zürich", tags=["x", "new"])) == [("site", "zürich"), ("tags", "new")]
    code = (
        "from sixarts_recommendation.columns import bucket_of as b; "
        "print([b(t, 97) for t in ('zürich', '日本')])"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"},
        ).stdout
        for seed in ("1", "2")
    }
    assert told == {f"{[bucket_of(text, 97) for text in ('zürich', '日本')]}\n"}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"site": None}, "column 'site' has no value; expected"),
        ({"site": float("nan")}, "column 'site' has no value; expected"),
        ({"site": ["a"]}, "column 'site' holds a value of type list; expected one value"),
        ({"price": "cheap"}, "column 'price' holds text that is no number; expected a finite number"),
        ({"price": float("inf")}, "column 'price' holds an infinite number; expected"),
        ({"price": float("nan")}, "column 'price' has no value; expected"),
        ({"price": True}, "column 'price' holds a value of type bool; expected"),
        ({"tags": 3}, "column 'tags' holds a value of type int; expected a list"),
        ({"sites": "a"}, "unknown column 'sites'; expected some of site"),
    ],
)
def test_a_bad_cell_is_named(changed: Any, said: str) -> None:
    schema = studied()
    schema.check(record())
    with pytest.raises(InputError, match=said):
        schema.check(record(**changed))
    # In a table, the row is named too, and no cell is shown.
    rows = [record(), record(), record(**changed)]
    names = dict.fromkeys(name for row in rows for name in row)
    with pytest.raises(InputError, match=said) as caught:
        schema.encode({name: [row.get(name) for row in rows] for name in names}, 3, first=41)
    assert "cheap" not in str(caught.value)
    if "unknown" not in said:
        assert isinstance(caught.value, BadRow) and caught.value.row == 43


def test_what_may_be_missing_may_be_left_out() -> None:
    schema = studied()
    schema.check({"site": "a", "price": 1})
    one, other = (
        schema.encode_records([{"site": "a", "price": 1}]),
        schema.encode_records([{"site": "a", "price": 1, "age": None, "tags": []}]),
    )
    np.testing.assert_array_equal(one.ids, other.ids)
    with pytest.raises(InputError, match="no column 'price'; expected"):
        schema.check({"site": "a"})


def test_a_study_names_what_it_cannot_learn_from() -> None:
    study = Study(Wishes())
    study.add({"x": [1, 2]}, [0, 1])
    with pytest.raises(BadRow, match="row 4: column 'x' holds text that is no number"):
        study.add({"x": [3, "many"]}, [0, 1])
    with pytest.raises(BadRow, match="row 3: column 'y' was not in the rows before"):
        study.add({"x": [3], "y": [1]}, [0])
    with pytest.raises(BadRow, match="row 3: a third value of the target"):
        study.add({"x": [3]}, [2])
    one = Study(Wishes())
    one.add({"x": [1, 2]}, [0, 0])
    with pytest.raises(TrainingError, match="distinct values of the target: 1; expected two"):
        one.schema("click")


def test_labels_and_what_is_predicted() -> None:
    study = Study(Wishes())
    study.add({"x": [1, 2]}, ["yes", "no"])
    assert study.schema("t").labels == ("no", "yes")
    assert study.schema("t", positive="no").labels == ("yes", "no")
    with pytest.raises(OptionError, match="positive='maybe'"):
        study.schema("t", positive="maybe")
    truths = Study(Wishes())
    truths.add({"x": [1, 2, 3]}, [True, 0, 1.0])
    assert truths.schema("t", labels=["left", "bought"]).labels == ("left", "bought")


def test_a_rare_value_shares_a_bucket_and_memory_stays_small(monkeypatch: pytest.MonkeyPatch) -> None:
    from sixarts_recommendation import study as module

    monkeypatch.setattr(module, "COUNTED", 100)
    monkeypatch.setattr(module, "SAMPLED", 500)
    study = Study(Wishes(least=3))
    random = np.random.default_rng(0)
    for part in range(40):
        ids = [f"rare-{part}-{row}" for row in range(50)] + ["often"] * 50
        study.add({"id": ids, "x": random.normal(size=100).tolist()}, [0, 1] * 50)
        assert len(study.seen["id"].counts) <= 200 and len(study.seen["x"].sample) <= 500
    columns = study.schema("t").inputs
    assert columns["id"].values == ("often",) and columns["id"].buckets >= 512
    assert abs(columns["x"].usual) < 0.2 and columns["x"].scale == pytest.approx(1, abs=0.1)


def test_it_is_written_and_read() -> None:
    schema = studied(categorical=["age"], crosses=["site*age"])
    with pytest.raises(OptionError, match="expected two categorical columns"):
        studied(crosses=["site*site"])
    again = schema_from(json.loads(json.dumps(stated(schema))))
    assert again == schema
    rows = [record(), record(site="new", age=None)]
    np.testing.assert_array_equal(schema.encode_records(rows).ids, again.encode_records(rows).ids)
    assert schema.encode_records(rows).ids.max() < schema.rows


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("columns", 0, "buckets"), 2**40),
        (("columns", 0, "kind"), "magic"),
        (("columns", 0, "values"), ["a", "a"]),
        (("columns", 0, "values"), "abc"),
        (("columns", 1, "knots"), [3, 2]),
        (("columns", 1, "knots"), []),
        (("columns", 1, "scale"), 0),
        (("columns", 1, "usual"), "text"),
        (("columns", 3, "most"), 10**9),
        (("columns", 3, "separator"), ""),
        (("columns", 0, "__class__"), "x"),
        (("columns",), []),
        (("labels",), ["a"]),
        (("labels",), ["a", "a"]),
        (("ignored",), 3),
        (("more",), 1),
    ],
)
def test_a_strangers_schema_is_held_to_its_form(place: tuple[Any, ...], value: Any) -> None:
    found = json.loads(json.dumps(stated(studied())))
    *way, last = place
    inner = found
    for step in way:
        inner = inner[step]
    inner[last] = value
    with pytest.raises(CheckpointError, match=r"schema\.json"):
        schema_from(found)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**40) | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=4,
)


@settings(max_examples=200, derandomize=True, database=None, deadline=None)
@given(st.data())
def test_any_value_in_any_place_is_read_or_refused(data: Any) -> None:
    """A schema with something else in one of its places is a schema, or an error of ours."""
    found = json.loads(json.dumps(stated(studied(categorical=["age"], crosses=["site*age"]))))
    inner, way = found, []
    while isinstance(inner, dict | list) and inner and (not way or data.draw(st.booleans())):
        way.append(
            (inner, data.draw(st.sampled_from(list(inner) if isinstance(inner, dict) else range(len(inner)))))
        )
        inner = way[-1][0][way[-1][1]]
    holder, last = way[-1]
    holder[last] = data.draw(JSON)
    try:
        schema = schema_from(found)
    except CheckpointError:
        return
    assert schema.rows > 0 and len(schema.owners) >= len(schema.columns) - 1
