"""The ``click-prediction`` task: what it learns from, what it answers, how it is judged and explained."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sixarts as sa
from sixarts.errors import InputError, OptionError, TrainingError
from sixarts_recommendation import click_corpora
from sixarts_recommendation.click_corpora import Candidates
from sixarts_recommendation.click_examples import Given, Prepared, Source
from sixarts_recommendation.probability_metrics import calibration_error, probability_metrics

SMALL: dict[str, Any] = {"family": "deepfm", "width": 4, "hidden": [8], "device": "cpu"}
QUIET: dict[str, Any] = {"epochs": 6, "batch_size": 64, "learning_rate": 0.02, "progress": False}


def clicks(count: int = 600, seed: int = 0) -> list[dict[str, Any]]:
    """Records whose outcome hangs on a site, a hump of a price, and a tag on one of the sites."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        site, price = str(random.choice(list("abcd"))), round(float(random.uniform(0, 10)), 2)
        tags = [tag for tag in ("new", "sale") if random.random() < 0.5]
        odds = (2 if site in "ab" else -2) + (3 if 3 < price < 6 else -1) + (2 if "sale" in tags else 0)
        click = int(random.random() < 1 / (1 + math.exp(-odds)))
        found.append({"site": site, "price": price, "tags": tags, "click": click})
    return found


def inputs(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: cell for name, cell in row.items() if name != "click"} for row in rows]


@pytest.fixture(scope="module")
def task() -> Any:
    made = sa.new("ctr", **SMALL)
    history = made.fit(clicks(), clicks(200, 1), target="click", **QUIET)
    assert history.replaced == ("a schema of 3 columns and a network for it",)
    return made


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The same records as every kind of source."""
    import pandas
    import polars

    place, rows = tmp_path_factory.mktemp("clicks"), clicks(200)
    flat = [{**row, "tags": "|".join(row["tags"])} for row in rows]
    with (place / "clicks.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(flat[0]))
        writer.writeheader()
        writer.writerows(flat)
    (place / "clicks.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    polars.DataFrame(rows).write_parquet(place / "clicks.parquet")
    return {
        "pairs": list(zip(inputs(rows), [row["click"] for row in rows], strict=True)),
        "mappings": rows,
        "iterator": iter(rows),
        "pairs once": ((record, row["click"]) for record, row in zip(inputs(rows), rows, strict=True)),
        "csv": place / "clicks.csv",
        "json": str(place / "clicks.jsonl"),
        "parquet": place / "clicks.parquet",
        "pandas": pandas.DataFrame(rows),
        "polars": polars.DataFrame(rows),
    }


def test_every_source_is_learned_from_alike(task: Any, files: dict[str, Any]) -> None:
    """The same records, wherever they come from, give the same arrays and the same figures."""
    whole = Given(files["mappings"], "example").prepare(task.model.schema, "click")
    wanted = task.evaluate(files["mappings"], progress=False)
    for name, source in files.items():
        if name in ("mappings", "iterator", "pairs once"):
            continue
        found = Given(source, "example").prepare(task.model.schema, "click")
        for one, other in ((whole.arrays(np.arange(200)), found.arrays(np.arange(200))),):
            np.testing.assert_array_equal(one.ids, other.ids, err_msg=name)
            np.testing.assert_array_equal(one.weights, other.weights, err_msg=name)
        np.testing.assert_array_equal(whole.outcomes, found.outcomes, err_msg=name)
    assert task.evaluate(files["pandas"], progress=False).to_dict() == wanted.to_dict()
    for name in ("iterator", "pairs once"):  # read once, and spooled
        found = Given(files[name], "example")
        assert len(found.first("click")[1]) == 200
        np.testing.assert_array_equal(found.prepare(task.model.schema, "click").outcomes, whole.outcomes)


def test_a_table_and_pairs_train_the_same_network(files: dict[str, Any]) -> None:
    both = []
    for name in ("csv", "pairs"):
        made = sa.new("ctr", **SMALL)
        made.fit(files[name], target="click", multi=["tags"], **{**QUIET, "epochs": 1})
        both.append([answer.probability for answer in made(inputs(clicks(5, 3)))])
    assert both[0] == pytest.approx(both[1], abs=1e-6)


def test_memory_does_not_grow_with_the_data(task: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an iterator no more than a part is held at a time: parts that were given out are gone."""
    import gc
    import weakref

    from sixarts_recommendation import click_examples

    monkeypatch.setattr(click_examples, "CHUNK", 50)

    class Row(dict):  # type: ignore[type-arg]
        pass

    alive: weakref.WeakSet[Any] = weakref.WeakSet()
    most = 0

    class Reference:
        """Something that a set can hold weakly, for as long as its row lives."""

    def rows() -> Iterator[Any]:
        nonlocal most
        for row in clicks(1000):
            made = Row(row)
            held = Reference()
            made.held = held  # type: ignore[attr-defined]
            alive.add(held)
            gc.collect(0)
            most = max(most, len(alive))
            yield made
            del made, held

    found = Given(rows(), "example").prepare(task.model.schema, "click")
    assert len(found) == 1000 and most <= 120


def test_it_answers_records_lists_frames_and_files(task: Any, files: dict[str, Any]) -> None:
    rows = inputs(clicks(200))
    wanted = [answer.probability for answer in task(rows)]
    assert task(rows[0]).probability == pytest.approx(wanted[0], abs=1e-6)
    for name in ("csv", "parquet", "polars", "pandas"):
        assert [answer.probability for answer in task(files[name])] == pytest.approx(wanted, abs=1e-6), name
    row = files["pandas"].drop(columns="click").iloc[0]
    assert task(row).probability == pytest.approx(wanted[0], abs=1e-6)
    answer = task(rows[0], threshold=0.01)
    assert answer.label == answer.positive == "1"
    assert "site 'zzz' is new" in task({**rows[0], "site": "zzz"}).notes[0]


def test_bad_records_are_named_by_place_row_and_column(task: Any, tmp_path: Path) -> None:
    good, outcome = inputs(clicks(1))[0], 1
    with pytest.raises(InputError, match="column 'price' has no value") as caught:
        task.fit([(good, 1), ({**good, "price": None}, 0)], epochs=1)
    assert caught.value.index == 1
    with pytest.raises(InputError, match=r"unknown column 'prise'.*price") as caught:
        task.evaluate([(good, 1), (good, 0), ({**good, "prise": 3}, outcome)])
    assert caught.value.index == 2
    with pytest.raises(
        InputError, match="outcome of type str that the model does not know; expected '0'"
    ) as c:
        task.evaluate([(good, 1), (good, "perhaps")])
    assert c.value.index == 1
    path = tmp_path / "bad.csv"
    path.write_text("site,price,tags,click\na,1,new,1\nb,cheap,,0\n")
    with pytest.raises(InputError, match="row 2: column 'price' holds text that is no number"):
        task.evaluate(path)
    with pytest.raises(InputError, match=r"no column 'clicked' for the target; expected target= .*click"):
        task.evaluate(path, target="clicked")
    with pytest.raises(InputError, match="input 1: column 'price' has no value"):
        task([good, {**good, "price": float("nan")}])
    with pytest.raises(TrainingError, match="no example came"):
        task.fit(iter([]), target="click")
    with pytest.raises(OptionError, match="categorical='site'; expected a list"):
        task.fit([(good, 1)], categorical="site")
    with pytest.raises(InputError, match="expected the path of a table"):
        task.fit("clicks.xlsx")


def test_other_columns_make_a_new_schema_and_the_same_ones_keep_it(task: Any) -> None:
    made = sa.new("ctr", **SMALL)
    made.fit(clicks(100), target="click", **{**QUIET, "epochs": 1})
    schema = made.model.schema
    assert made.fit(clicks(100, 5), **{**QUIET, "epochs": 1}).replaced == ()
    assert made.model.schema is schema
    history = made.fit([({"x": 1}, 0), ({"x": 2}, 1)] * 4, **{**QUIET, "epochs": 1})
    assert history.replaced == ("a schema of 1 columns and a network for it, in the place of one of 3",)


def test_sampled_negatives_are_corrected_for() -> None:
    """With a tenth of the negatives, probabilities are those of all records, and not ten times the odds."""
    rows = [row for row in clicks(4000, 7) if row["click"] or np.hypot(row["price"], 1) < 11]
    whole = np.mean([row["click"] for row in rows])
    for options in ({"negatives": 0.1}, {"sampled": 0.1}):
        random = np.random.default_rng(3)
        kept = rows if "negatives" in options else [r for r in rows if r["click"] or random.random() < 0.1]
        made = sa.new("ctr", **SMALL)
        made.fit(kept, target="click", **{**QUIET, "epochs": 4}, **options)
        found = Given(rows, "example").prepare(made.model.schema, "click")
        mean = made.chances(found).mean()
        uncorrected = 1 / (1 + (1 - whole) * 0.1 / whole)
        assert abs(mean - whole) < 0.06 < abs(uncorrected - whole)
        # Learning on with all of them moves the shift into the weights, and the answers stay.
        before = made.chances(found)
        made._shift(0.0)
        np.testing.assert_allclose(made.chances(found), before, atol=1e-5)
        assert made.model.config["prior_shift"] == 0.0


def test_metrics_are_scikit_learns() -> None:
    from sklearn.metrics import log_loss, roc_auc_score

    random = np.random.default_rng(0)
    chances, outcomes = random.random(300), random.integers(0, 2, 300)
    found = probability_metrics(chances, outcomes, 0.4)
    assert found["auc"].value == roc_auc_score(outcomes, chances)
    assert found["log_loss"].value == log_loss(outcomes, chances)
    assert found["accuracy"].value == ((chances >= 0.4) == outcomes).mean()
    for metric in found.values.values():
        assert metric.low <= metric.value <= metric.high and metric.low < metric.high
    assert calibration_error(np.full(1000, 0.3), np.arange(1000) < 300) == pytest.approx(0, abs=1e-9)
    with pytest.raises(InputError, match="one outcome alone; expected both"):
        probability_metrics(chances, np.ones(300, int))


def test_it_learns_what_is_there_to_learn(task: Any) -> None:
    found = task.evaluate(clicks(500, 2), progress=False)
    assert found["auc"].value > 0.85
    assert found["ece"].value < 0.12


def test_explanations_say_which_columns(task: Any) -> None:
    record = {"site": "a", "price": 4.5, "tags": ["sale", "new"]}
    found = task.explain(record)
    assert set(found.input_labels) == {"site: a", "price: 4.5", "tags: sale", "tags: new"}
    assert found.values.sum() == pytest.approx(float(found.totals[0]), rel=0.02, abs=1e-3)
    # The sum is the difference of the log-odds of the record and of the reference, which is nearly usual.
    schema, arrays = task.model.schema, task.model.processor.arrays([record])
    baseline = task.model({**arrays, "ids": schema.reference_ids(arrays["ids"])})["logits"]
    odds = task.model(arrays)["logits"] - baseline
    assert float(found.totals[0]) == pytest.approx(float(odds[0, 0]), abs=1e-4)
    usual = task.model(task.model.processor.arrays([{**schema.reference(), "tags": []}]))["logits"]
    np.testing.assert_allclose(baseline, usual, atol=0.6)
    lost = task.explain(record, "occlusion")
    by_name = dict(zip(lost.input_labels, lost.values[0], strict=True))
    without = task({**record, "tags": []}).probability
    whole = task(record).probability
    wanted = math.log(whole / (1 - whole)) - math.log(without / (1 - without))
    assert by_name["tags: ['sale', 'new']"] == pytest.approx(wanted, abs=1e-4)
    with pytest.raises(OptionError, match="target='2'; expected '1'"):
        task.explain(record, target="2")


def test_it_loads_back_bit_for_bit(task: Any, tmp_path: Path) -> None:
    again = sa.load("click-prediction", task.save(tmp_path), device="cpu")
    rows = inputs(clicks(20, 9))
    assert again(rows) == task(rows)
    assert again.model.schema == task.model.schema


def test_candidates_are_every_item_that_is_not_known() -> None:
    baskets, items = [["a", "b", "c"], ["d"]], list("abcde")
    whole = list(Candidates(baskets, items, draws=50, seed=1))
    for row in whole:
        assert row["item"] not in row["basket"]
        (basket,) = [b for b in baskets if set(row["basket"]) < set(b)][:1] or [["d"]]
        if row["basket"]:
            assert row["bought"] == (row["item"] in basket)
    sizes = [len(known) for known, _ in Candidates(baskets[:1], items, draws=300).cuts()]
    assert min(np.bincount(sizes)) > 60 and max(sizes) == 2
    assert whole == list(Candidates(baskets, items, draws=50, seed=1))
    some = list(Candidates(baskets, items, draws=200, seed=1, kept=0.25))
    every = list(Candidates(baskets, items, 200, 1))
    negatives = [sum(not row["bought"] for row in rows) for rows in (some, every)]
    assert 0.2 < negatives[0] / negatives[1] < 0.3
    assert sum(r["bought"] for r in some) == sum(r["bought"] for r in every)


def test_adult_is_read_as_published(tmp_path: Path) -> None:
    import gzip

    line = (
        "39, Private, 77516, Masters, 13, Never-married, ?, Not-in-family, White, Male, 2174, 0, 40, ?, <=50K"
    )
    for name, tail in (("train", ""), ("test", ".")):
        with gzip.open(tmp_path / f"adult-{name}.csv.gz", "wt") as file:
            file.write(line + tail + "\n\n")
    train, test = click_corpora.adult(tmp_path)
    assert train == test and len(train) == 1
    assert train[0]["income"] == "<=50K" and train[0]["occupation"] is None and train[0]["age"] == "39"


def test_an_iterator_of_sources_is_read_once(task: Any) -> None:
    source = Source(iter(clicks(30)), "click")
    first, second = (sum(len(targets) for _, targets in source) for _ in range(2))
    assert first == second == 30
    assert isinstance(Prepared(task.model.schema, source), Prepared)
