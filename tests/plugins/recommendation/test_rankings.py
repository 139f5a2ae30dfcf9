"""Rankings, their figures, the catalog, and tables of interactions: everything but networks."""

from __future__ import annotations

import csv
import tracemalloc
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sixarts.errors import CheckpointError, InputError, TrainingError
from sixarts_recommendation import interactions, ranking_metrics
from sixarts_recommendation.interactions import Columns, read
from sixarts_recommendation.items import Items, checked_id
from sixarts_recommendation.ranking import Ranking, best, rank_of
from sixarts_recommendation.sequences import from_examples

pytestmark = pytest.mark.quick
few = settings(max_examples=40, deadline=None)


@few
@given(
    st.lists(st.sampled_from([0.0, 0.5, 0.25, -1.0, -np.inf]), min_size=1, max_size=30), st.integers(1, 40)
)
def test_best_is_a_stable_sort(scores: list[float], k: int) -> None:
    row = np.array(scores, "float32")
    order = [place for place in np.argsort(-row, kind="stable") if row[place] > -np.inf]
    assert best(row, k).tolist() == order[:k]
    for place, number in enumerate(order, 1):
        assert rank_of(row, number) == place


def test_figures_are_those_by_hand() -> None:
    found = ranking_metrics.of_ranks(np.array([1, 3, 11, ranking_metrics.MISSED]), 10)
    assert found["hr@10"].value == 0.5
    assert found["ndcg@10"].value == pytest.approx((1 + 0.5) / 4)
    assert found["mrr"].value == pytest.approx((1 + 1 / 3 + 1 / 11) / 4)
    shown = np.array([[0, 1], [0, 2], [0, -1]])
    assert ranking_metrics.coverage(shown, 6).value == 0.5
    counts = np.array([9, 3, 6])
    lift = ranking_metrics.popularity(shown, np.array([6.0, 6.0, 3.0]), counts)
    assert lift.value == pytest.approx((6 + 7.5 + 9) / 15)
    assert lift.low <= lift.value <= lift.high


def test_intervals_hold_the_truth() -> None:
    """Of 200 samples of 100 rankings, about 95 % of the intervals hold the rate they are drawn from."""
    random = np.random.default_rng(0)
    held = 0
    for seed in range(200):
        ranks = np.where(random.random(100) < 0.3, 5, 50)
        hit = ranking_metrics.of_ranks(ranks, 10, seed)["hr@10"]
        held += hit.low <= 0.3 <= hit.high
    assert 180 <= held <= 198


def test_a_ranking_says_what_it_is() -> None:
    ranking = Ranking(("a", 7), (0.5, 0.25), ("Apple", ""), "probability", ("left out 1",))
    assert list(ranking) == ["a", 7] and len(ranking) == 2 and ranking.names == ("Apple", "7")
    assert str(ranking) == "Apple 0.5, 7 0.25; left out 1"
    assert ranking.to_dict()["items"] == ["a", 7]
    assert ranking.plot().axes[0].get_xlabel() == "probability"
    assert str(Ranking((), ())) == "nothing to recommend" and Ranking((), ())


def test_items_keep_their_numbers(tmp_path: Path) -> None:
    items = Items(["b", 3, "a"], {"a": "Apple"}, {3: ("fruit", "red"), "a": ("fruit",)})
    items.counted(np.array([5, 1, 2]))
    grown = items.copy()
    assert grown.add(["a", "3", 9]) == 2 and grown.ids == ["b", 3, "a", "3", 9]
    assert grown.count_of_each().tolist() == [5, 1, 2, 0, 0] and len(items) == 3
    assert items.in_categories({"red"}).tolist() == [False, True, False]
    grown.save(tmp_path)
    again = Items.from_folder(tmp_path, 5)
    assert again.ids == grown.ids and again.titles == grown.titles and again.categories == grown.categories
    assert again.count_of_each().tolist() == [5, 1, 2, 0, 0]
    with pytest.raises(CheckpointError, match="expected 4"):
        Items.from_folder(tmp_path, 4)
    with pytest.raises(InputError, match="'3': the ids of this model are text"):
        Items(["3"]).number(3)
    with pytest.raises(InputError, match="'milk'"):
        Items(["milk"]).number("mlik")
    for bad in (None, float("nan"), True, 1.5, "", " ", ["a"], b"a", "x" * 2000):
        with pytest.raises(InputError, match="expected"):
            checked_id(bad)


@pytest.mark.parametrize(
    "stated",
    [
        '{"ids": ["a", "a"]}',
        '{"ids": [1.5]}',
        '{"ids": ["a"], "titles": ["x", "y"]}',
        '{"ids": ["a"], "titles": [3]}',
        '{"ids": ["a"], "categories": {"c": [1]}}',
        '{"ids": ["a"], "categories": []}',
        '{"ids": ["a"], "counts": [-1]}',
        '{"ids": "a"}',
        "{}",
        "[]",
    ],
)
def test_a_strangers_catalog_is_read_or_refused(stated: str, tmp_path: Path) -> None:
    (tmp_path / "items.json").write_text(stated)
    with pytest.raises(CheckpointError):
        Items.from_folder(tmp_path)


def table(count: int = 3000) -> dict[str, Any]:
    random = np.random.default_rng(0)
    return {
        "user": random.integers(0, 90, count),
        "item": np.array([f"i{number}" for number in random.integers(0, 40, count)], object),
        "time": random.permutation(count),
    }


def by_hand(columns: dict[str, Any]) -> dict[int, list[str]]:
    found: dict[int, list[tuple[int, str]]] = defaultdict(list)
    for user, item, time in zip(*columns.values(), strict=True):
        found[int(user)].append((int(time), item))
    return {user: [item for _, item in sorted(rows)] for user, rows in found.items()}


def histories(found: Any) -> dict[Any, list[Any]]:
    ids = found.catalog.ids
    return {user: [ids[n] for n in row] for user, row in zip(found.users, found, strict=True)}


def test_every_source_gives_the_same_histories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interactions, "TOGETHER", 100)  # many parts, as of a large table
    columns = table()
    wanted = by_hand(columns)
    assert histories(read(columns, Columns(), Items(), True, "row")) == wanted
    records = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    assert histories(read(iter(records), Columns(), Items(), True, "row")) == wanted
    with (tmp_path / "log.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["who", "what", "when"])
        writer.writerows(zip(*columns.values(), strict=True))
    named = Columns("who", "what", "when")
    found = histories(read(tmp_path / "log.csv", named, Items(), True, "row"))
    assert found == {str(user): row for user, row in wanted.items()}
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    frame = pandas.DataFrame(columns)
    assert histories(read(frame, Columns(), Items(), True, "row")) == wanted
    frame.to_parquet(tmp_path / "log.parquet")
    assert histories(read(tmp_path / "log.parquet", Columns(), Items(), True, "row")) == wanted
    assert histories(read(polars.from_pandas(frame), Columns(), Items(), True, "row")) == wanted
    # Without a time, rows are in order.
    del columns["time"]
    rest = read(columns, Columns(), Items(), True, "row")
    first = [item for user, item in zip(*columns.values(), strict=True) if user == rest.users[0]]
    assert histories(rest)[rest.users[0]] == first


def test_times_may_be_dates() -> None:
    columns = {
        "user": [1, 1, 1],
        "item": ["c", "a", "b"],
        "time": ["2024-03-01", "2023-12-31", "2024-01-01T08:00"],
    }
    assert histories(read(columns, Columns(), Items(), True, "row")) == {1: ["a", "b", "c"]}


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"user": [1], "thing": [2]}, "expected 'item' among them"),
        ({"user": [1, None], "item": ["a", "b"]}, "row 2, column 'user': a missing id"),
        ({"user": [1, 2], "item": ["a", 1.5]}, "row 2, column 'item': an id of type float"),
        ({"user": [1], "item": [["a"]]}, "row 1, column 'item': an id of type list"),
        ({"user": [1, 1], "item": ["a", "b"], "time": [1.0, None]}, "row 2, column 'time': a missing time"),
        (
            {"user": [1, 1], "item": ["a", "b"], "time": ["1", "soon"]},
            "row 2, column 'time': a time of 'soon'",
        ),
        (
            {"user": [1, 2, 1], "item": ["a", "a", "a"], "time": [5, 5, 5]},
            "row 3: the user, item and time of row 1 once more",
        ),
    ],
)
def test_bad_rows_are_named(columns: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        read(columns, Columns(), Items(), True, "row")


def test_repeats_are_dropped_or_kept() -> None:
    columns = {"user": [1, 2, 1], "item": ["a", "a", "a"], "time": [5, 5, 5]}
    dropped = read(columns, Columns(duplicates="drop"), Items(), True, "row")
    assert histories(dropped) == {1: ["a"], 2: ["a"]}
    kept = read(columns, Columns(duplicates="keep"), Items(), True, "row")
    assert histories(kept) == {1: ["a", "a"], 2: ["a"]}
    with pytest.raises(TrainingError, match="no row came"):
        read({"user": [], "item": []}, Columns(), Items(), True, "row")


def test_a_large_table_takes_little_memory() -> None:
    """Interactions as they come, none of which is there at the end but on disk."""

    def rows() -> Iterator[dict[str, int]]:
        for number in range(300_000):
            yield {"user": number % 1000, "item": number * 7 % 500}

    tracemalloc.start()
    try:
        found = read(rows(), Columns(), Items(), True, "row")
        left, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found.count == 300_000
    # One chunk of rows, and one of records that are sorted; nothing that grows with the table.
    assert left < 2e6 and most < 80e6


@few
@given(st.lists(st.integers(1, 23), min_size=1, max_size=12), st.integers(1, 7))
def test_windows_learn_every_step_once(lengths: list[int], step: int) -> None:
    """Windows of ``step + 1`` items, ``step`` apart, hold each pair of neighbors once."""
    rows = [list(range(100 * user, 100 * user + length)) for user, length in enumerate(lengths)]
    items = np.concatenate(rows).astype("int32")
    stops = np.cumsum(lengths)
    whole = from_examples([[0, 1]], Items(), True, "x")
    found = replace(whole, items=items, starts=stops - lengths, stops=stops)
    windows = found.windows(step + 1, step)
    steps = [
        (int(items[place]), int(items[place + 1]))
        for start, stop in zip(*windows, strict=True)
        for place in range(start, stop - 1)
    ]
    assert sorted(steps) == sorted(pair for row in rows for pair in pairwise(row))
    assert all(2 <= stop - start <= step + 1 for start, stop in zip(*windows, strict=True))


def test_examples_are_read_or_named() -> None:
    pairs = from_examples([(["a", "b"], "c"), (("a",), "d")], Items(), True, "example")
    assert pairs.last_only and [row.tolist() for row in pairs] == [[0, 1, 2], [0, 3]]
    users = from_examples([{"user": 5, "history": [1, 2]}], Items(), True, "example")
    assert list(users.users or ()) == [5] and not users.last_only
    for bad in ([["a", "b"], ["c"]], [["a", "b"], 3], [(["a"], "b"), (["a"],)], [(["a"], "b"), ([], "a")]):
        with pytest.raises(InputError, match="expected") as caught:
            from_examples(bad, Items(), True, "example")
        assert caught.value.index == 1
