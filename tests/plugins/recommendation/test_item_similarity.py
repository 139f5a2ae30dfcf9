"""The ``item-similarity`` task: search, vectors, new items, and what is learned from which source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sixarts as sa
from sixarts.errors import InputError, OptionError, TrainingError
from sixarts.testing.checks_model import randomized
from sixarts_recommendation import similarity_examples, similarity_recipe, vector_search
from sixarts_recommendation.item_model import unit
from sixarts_recommendation.items import Items
from sixarts_recommendation.similarity_options import SimilarityTraining
from sixarts_recommendation.skip_grams import SkipGrams, drawing
from sixarts_recommendation.vector_search import Index, exact_search

QUIET: dict[str, Any] = {"batch_size": 64, "progress": False}


def baskets(count: int = 400, seed: int = 0) -> list[list[str]]:
    """Baskets of three kinds of things: what is of a kind is bought together."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        kind = int(random.integers(3))
        found.append([f"{'xyz'[kind]}{place}" for place in random.choice(6, 3, replace=False)])
    return found


@pytest.fixture(scope="module")
def task() -> Any:
    made = sa.new("item-similarity", family="item2vec", device="cpu", width=8)
    catalog = [
        {"item": f"{kind}{place}", "title": f"Thing {kind}{place}", "categories": f"{kind}|all"}
        for kind in "xyz"
        for place in range(6)
    ]
    made.fit(baskets(), baskets(80, 1), catalog=catalog, epochs=12, learning_rate=0.02, **QUIET)
    return made


# Search.


@settings(max_examples=25, derandomize=True, database=None, deadline=None)
@given(st.integers(1, 60), st.integers(1, 7), st.integers(1, 12), st.integers(0, 999), st.booleans())
def test_exact_search_finds_the_best(count: int, rows: int, k: int, seed: int, coarse: bool) -> None:
    """Against a plain sort, with equal scores, banned numbers, and many blocks."""
    random = np.random.default_rng(seed)
    vectors = random.integers(-2, 3, (count, 3)) if coarse else random.normal(size=(count, 3))
    vectors = vectors.astype("float32")
    queries = vectors[random.integers(0, count, rows)]
    banned = random.integers(-1, count, (rows, 2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vector_search, "BLOCK_BYTES", 4 * rows * 5)
        numbers, scores = exact_search(queries, vectors, k, banned)
    for row in range(rows):
        all_scores = queries[row] @ vectors.T
        left = [n for n in np.lexsort((np.arange(count), -all_scores)) if n not in banned[row]]
        wanted = left[:k]
        found = numbers[row][numbers[row] >= 0]
        assert len(found) == len(wanted)
        np.testing.assert_allclose(scores[row][: len(wanted)], all_scores[wanted], rtol=1e-5, atol=1e-6)
        if coarse:  # whole numbers are exact, so that equal ones are
            assert found.tolist() == wanted


def test_the_graph_finds_nearly_all_and_says_so() -> None:
    random = np.random.default_rng(0)
    vectors = unit(random.normal(size=(5000, 16)))
    index = Index(vectors)
    queries, banned = vectors[:50], np.arange(50)[:, None]
    exact, _ = index.exact(queries, 10, banned)
    near, scores = index.approximate(queries, 10, banned)
    recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(exact, near, strict=True)])
    assert recall > 0.9 and abs(index.graph.recall - recall) < 0.08
    assert not (near == banned).any() and (np.diff(scores, axis=1) <= 0).all()
    # Where few are allowed, all of them are looked at.
    allowed = np.zeros(5000, bool)
    allowed[100:112] = True
    found, _ = index.approximate(queries[:1], 20, banned[:1], allowed)
    assert sorted(found[0][:12]) == list(range(100, 112)) and (found[0][12:] == -1).all()


# Answers.


def test_neighbors_are_of_a_kind(task: Any) -> None:
    for item in ("x0", "y3", "z5"):
        found = task(item, k=5)
        assert {name[0] for name in found.items} == {item[0]} and item not in found.items
        assert found.titles[0] == f"Thing {found.items[0]}"
        assert {name[0] for name in task(item, k=5, relation="together").items} == {item[0]}
    assert {name[0] for name in task({"history": ["x0", "x1"]}, k=4).items} == {"x"}
    assert task.evaluate(baskets(100, 3), k=5, progress=False)["hr@5"].value > 0.9


@pytest.mark.parametrize("search", ["exact", "approximate"])
def test_neighbors_as_arrays_are_what_rankings_say(task: Any, search: str) -> None:
    if search == "approximate":
        pytest.importorskip("faiss")
    options = {"k": 6, "search": search, "exclude": {"x0"}, "batch_size": 4}
    ids = ["y1", "x0", "z5", "x3", "y1"]
    found = task.neighbors(ids, **options)
    for row, ranking in enumerate(task(ids, **options)):
        assert tuple(found.items[row]) == ranking.items and len(ranking) == 6
        np.testing.assert_allclose(found.scores[row], ranking.scores, atol=1e-6)
    assert found.asked.tolist() == ids and len(found) == 5 and found.unit == "cosine similarity"
    whole = task.neighbors(k=20, relation="together", search=search)
    assert whole.asked.tolist() == task.model.items.ids
    # Of 18 items 17 are left: the other places are empty, and columns leave them out.
    assert (whole.items[:, 17:] == None).all() and (whole.scores[:, 17:] == -np.inf).all()  # noqa: E711
    columns = whole.columns()
    assert len(columns["item"]) == 18 * 17 and columns["rank"].max() == 17
    assert not len(task.neighbors([]))


def test_neighbors_of_what_is_unknown(task: Any) -> None:
    with pytest.raises(InputError, match=r"item 'x77' was never seen.*x") as caught:
        task.neighbors(["x1", "x77"])
    assert caught.value.index == 1
    with pytest.raises(InputError, match="missing id"):
        task.neighbors(["x1", None])
    with pytest.raises(InputError, match="ids of type str; expected several"):
        task.neighbors("x1")
    with pytest.raises(OptionError, match="k=0"):
        task.neighbors(["x1"], k=0)


def test_filters_and_options(task: Any) -> None:
    whole = task("x0", k=17)
    assert len(whole) == 17 == len(task("x0", k=100))
    assert task("x0", k=4, exclude={whole.items[0]}).items == whole.items[1:5]
    assert set(task("x0", allowed=["y1", "z2", "x0"]).items) == {"y1", "z2"}
    assert {name[0] for name in task("x0", categories=["y"]).items} == {"y"}
    assert task("x0", search="approximate").items == task("x0").items
    assert task("x0", k=3, search="approximate", exclude=[whole.items[0]]).items == whole.items[1:4]
    for bad, said in (
        ({"k": 0}, "k=0; expected 1"),
        ({"exclude": "x0"}, "exclude='x0'; expected several"),
        ({"allowed": ["x9"]}, "allowed: item 'x9' was never seen; expected .*x"),
        ({"categories": ["q"]}, "categories: no 'q'; expected some of 'x'"),
        ({"relation": "alike"}, "relation"),
    ):
        with pytest.raises(OptionError, match=said):
            task("x0", **bad)


def test_bad_items_are_named(task: Any) -> None:
    with pytest.raises(InputError, match="item 'x' was never seen; expected one of the 18 items"):
        task("x")
    with pytest.raises(InputError, match=r"input 1: item 'y33' was never seen; expected .*'y3'"):
        task(["x0", "y33"])
    with pytest.raises(InputError, match="knows items by id alone; family='two_tower' knows"):
        task({"color": "red"})
    with pytest.raises(InputError, match="expected an item's id"):
        task(("x0", "x1"))
    with pytest.raises(InputError, match="an id of type float"):
        task.fit([["x0", 1.5]])
    with pytest.raises(InputError, match="a tuple of 1; expected a pair") as caught:
        task.evaluate([("x0", "x1"), ("x0",)])
    assert caught.value.index == 1
    with pytest.raises(TrainingError, match="no basket of two different items"):
        task.evaluate([["x0"]])


def test_the_index_follows_the_weights(task: Any) -> None:
    """What is kept in memory is made anew when the weights change, and is the same object until then."""
    before, index = task("x0", k=17), task.index()
    assert task.index() is index
    with randomized(task.model, seed=1):
        assert task.index() is not index
        assert task("x0", k=17).items != before.items
    assert task("x0", k=17).items == before.items


def test_contexts_explain_the_cosine_exactly(task: Any) -> None:
    found = task.explain("x0")
    assert found.target_labels == tuple(f"Thing {item}" for item in task("x0", k=5).items)
    np.testing.assert_allclose(found.totals, task("x0", k=5).scores, atol=1e-5)
    np.testing.assert_allclose(found.values.sum(axis=1), found.totals, atol=1e-6)
    # More items than numbers in a vector: the terms of all contexts alone make up the cosine.
    second, first = (task.model.table(name).astype("float64") for name in ("second", "first"))
    one, other = (unit(first[task.model.items.number(item)]) for item in ("x0", "x1"))
    weights = drawing(task.model.items.count_of_each())[:, None]
    terms = (second @ one) * (weights * second @ np.linalg.pinv(second.T @ (weights * second)) @ other)
    assert terms.sum() == pytest.approx(float(one @ other), abs=1e-5)
    (row,) = task.explain("x0", target={"item": "x1"}).values
    np.testing.assert_allclose(np.sort(np.abs(row[:-1])), np.sort(np.abs(terms))[-12:], atol=1e-6)
    with pytest.raises(OptionError, match="target=99; expected a place in the ranking, 1 to 10"):
        task.explain("x0", target=99)


# Learning.


def test_skip_grams_are_all_pairs_of_a_basket() -> None:
    items = Items()
    read = similarity_examples.read(
        [["a", "b", "c"], ["d", "a"], ["e"]], SimilarityTraining(), items, True, "x"
    )
    counts = read.popularity(len(items))
    training = SimilarityTraining(batch_size=4, negatives=3)
    lessons = list(SkipGrams(read, counts, training, 0))
    pairs = [
        (items.ids[one[0]], items.ids[others[0]])
        for lesson in lessons
        for one, others, weight in zip(
            lesson.arrays["item"], lesson.arrays["others"], lesson.weights["logits"], strict=True
        )
        if weight
    ]
    wanted = [(a, b) for basket in ("abc", "da") for a in basket for b in basket if a != b]
    assert sorted(pairs) == sorted(wanted)
    assert all(lesson.arrays["others"].shape[1] == 4 for lesson in lessons)
    # In order, a window takes neighbors alone.
    near = SkipGrams(read, counts, SimilarityTraining(batch_size=64, window=1), 0)
    (lesson,) = near
    rows = int(lesson.weights["logits"].sum())
    found = zip(lesson.arrays["item"][:rows, 0], lesson.arrays["others"][:rows, 0], strict=True)
    assert {"".join(items.ids[place] for place in pair) for pair in found} == {
        "ab",
        "ba",
        "bc",
        "cb",
        "da",
        "ad",
    }


def test_frequent_items_are_drawn_more_and_kept_less() -> None:
    items = Items()
    examples = [["often", f"rare{n % 50}"] for n in range(500)]
    read = similarity_examples.read(examples, SimilarityTraining(), items, True, "x")
    counts = read.popularity(len(items))
    lessons = list(SkipGrams(read, counts, SimilarityTraining(batch_size=1000, negatives=20), 0))
    drawn = np.concatenate([lesson.arrays["others"][:, 1:].ravel() for lesson in lessons])
    powered = counts**0.75 / (counts**0.75).sum()
    assert np.mean(drawn == items.number("often")) == pytest.approx(powered[items.number("often")], abs=0.03)
    few = SkipGrams(read, counts, SimilarityTraining(batch_size=1000, subsampling=0.05), 0)
    rows = sum(int(lesson.weights["logits"].sum()) for lesson in few)
    assert rows < 600 < sum(int(lesson.weights["logits"].sum()) for lesson in lessons)


def test_new_items_come_behind_and_old_ones_keep_what_was_learned(task: Any, tmp_path: Path) -> None:
    made = sa.load("item-similarity", task.save(tmp_path / "one"), device="cpu")
    ids, before = list(made.model.items.ids), made.model.table("first")
    history = made.fit([["x0", "new"], ["new", "x1"]], epochs=1, learning_rate=1e-6, **QUIET)
    assert history.replaced == ("1 new items beside 18",)
    assert made.model.items.ids == [*ids, "new"]
    np.testing.assert_allclose(made.model.table("first")[:18], before, atol=1e-4)
    again = sa.load("item-similarity", made.save(tmp_path / "two"), device="cpu")
    assert again("new") == made("new")


def test_tables_frames_and_baskets_are_learned_from_alike(tmp_path: Path) -> None:
    import pandas

    rows = [(number, item) for number, basket in enumerate(baskets(60)) for item in basket]
    frame = pandas.DataFrame(rows, columns=["user", "item"])
    frame.to_csv(tmp_path / "bought.csv", index=False)
    found = []
    for source in (frame, tmp_path / "bought.csv", baskets(60), iter(baskets(60))):
        made = sa.new("item-similarity", family="item2vec", device="cpu", width=4)
        made.fit(source, epochs=1, **QUIET)
        found.append(made("x0", k=3))
    assert all(each == found[0] for each in found)


def test_towers_know_new_items_by_their_attributes(tmp_path: Path) -> None:
    catalog = [
        {
            "item": number,
            "title": f"T{number}",
            "color": ("red", "blue", "green")[number % 3],
            "price": number // 3,
        }
        for number in range(30)
    ]
    random = np.random.default_rng(0)
    sessions = [
        (random.choice(10, 4, replace=False) * 3 + color).tolist() for color in random.integers(0, 3, 300)
    ]
    made = sa.new("item-similarity", family="two_tower", device="cpu", embedding=8, width=8, hidden=[16])
    made.fit(sessions, sessions[:60], catalog=catalog, epochs=6, learning_rate=5e-3, **QUIET)
    new = made({"color": "red", "price": 4}, k=5)
    assert {item % 3 for item in new.items} == {0} and new.titles[0].startswith("T")
    assert {item % 3 for item in made(4, k=5).items} == {1}
    assert {item % 3 for item in made({"history": [2, 5]}, k=5, relation="together").items} == {2}
    found = made.explain({"color": "red", "price": 4})
    assert found.input_labels == ("no id", "color: red", "price: 4")
    np.testing.assert_allclose(found.values.sum(axis=1), found.totals, rtol=0.02, atol=2e-3)
    assert (found.values.argmax(axis=1) == 1).all()
    again = sa.load("item-similarity", made.save(tmp_path / "towers"), device="cpu")
    assert again(3) == made(3) and again({"color": "red", "price": 4}) == made({"color": "red", "price": 4})
    with pytest.raises(InputError, match="unknown column 'colour'; expected some of color"):
        made({"colour": "red"})
    with pytest.raises(InputError, match="column 'price' holds text that is no number"):
        made({"color": "red", "price": "dear"})
    with pytest.raises(InputError, match="for relation='together'; expected an item that was learned"):
        made({"color": "red", "price": 1}, relation="together")
    with pytest.raises(InputError, match=r"catalog lacks 1 items, e\.g\. 99; expected every one"):
        made.fit([[0, 99]], catalog=catalog, epochs=1, **QUIET)
    with pytest.raises(TrainingError, match="1 new items without attributes"):
        made.fit([[0, 99]], epochs=1, **QUIET)


def test_baselines_count(tmp_path: Path) -> None:
    """The recipe's figures beside the model, on baskets that can be counted by hand."""
    learned = [["a", "b"], ["a", "b"], ["a", "c"], ["d", "c"]]
    found = similarity_recipe.baselines(learned, ["a", "b", "c", "d"], [("b", "a"), ("d", "c")])
    assert found["co-occurrence"]["mrr"].value == 1.0
    assert found["popularity"]["mrr"].value == pytest.approx((1 + 1 / 3) / 2)
    drawn = similarity_recipe.drawn([["a", "b", "c"], ["d"]])
    assert len(drawn) == similarity_recipe.DRAWS and all(one != other for one, other in drawn)
