"""What people ask of ``next-item-prediction``: recommendations for anybody, from data of their own."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sixarts as sa
from sixarts.errors import CheckpointError, InputError, OptionError, TrainingError
from sixarts_recommendation import next_item_baselines as baselines
from sixarts_recommendation import next_item_recipe as recipe
from sixarts_recommendation.items import Items
from sixarts_recommendation.next_item_lessons import NextItemLessons
from sixarts_recommendation.sequences import from_examples

NAME = "next-item-prediction"
SMALL = {"hidden_size": 16, "max_length": 6, "device": "cpu"}
QUICK = {"learning_rate": 0.02, "batch_size": 32, "progress": False}
#: Things that are bought in this order.
ORDER = [f"i{number}" for number in range(8)]
CATALOG = {
    "item": ORDER,
    "title": [f"Item {name}" for name in ORDER],
    "categories": ["even" if number % 2 == 0 else "odd|prime" for number in range(8)],
}


def log(users: int = 80) -> Iterator[dict[str, Any]]:
    """Each user buys five neighbors; user 3 begins at ``i3``."""
    for user in range(users):
        for day in range(5):
            yield {"user": user, "item": ORDER[(user + day) % 8], "time": day}


@pytest.fixture(scope="module")
def task() -> Any:
    made = sa.new(NAME, family="sasrec", **SMALL)
    history = made.fit(log(), catalog=CATALOG, epochs=12, remember=True, **QUICK)
    assert history.replaced == ("an embedding of 8 items",)
    assert len(history.metrics["val_loss"]) == len(history.metrics["loss"])
    assert history.metrics["val_loss"][-1] < 0.2 < history.metrics["val_loss"][0]
    return made


def test_it_recommends_for_anybody(task: Any) -> None:
    new = task(["i2", "i3", "i4"], k=3)
    assert new.items[0] == "i5" and new.titles[0] == "Item i5" and new.scores[0] > 0.8
    assert not {"i2", "i3", "i4"} & set(new.items)
    # User 3 has i3 to i7.
    assert task({"user": 3}).items[0] == "i0" and task(3).items == task({"user": 3}).items
    # What a known user had is left out, too; the ranking is of the history that is given.
    assert set(task({"user": 3, "history": ["i1"]}).items) == {"i0", "i2"}
    assert {"i2", "i3"} <= set(task(["i2", "i3"], exclude_seen=False).items)
    # As tuples, arrays, mappings, one or many.
    many = task([["i2", "i3"], ("i6",), {"history": ["i2", "i3"]}, np.array(["i2", "i3"])][:3], k=1)
    assert [each.items for each in many] == [("i4",), ("i7",), ("i4",)]
    assert task(np.array(["i2", "i3"]), k=1).items == ("i4",)


def test_what_may_be_recommended_is_chosen(task: Any) -> None:
    assert set(task(["i2"], allowed={"i0", "i2", "i5"}).items) == {"i0", "i5"}
    assert set(task(["i2"], categories=["even"]).items) == {"i0", "i4", "i6"}
    assert set(task(["i2"], categories={"prime"}, allowed=["i1", "i4"]).items) == {"i1"}
    assert task(["i2"], allowed={"i2"}).items == () and str(task(["i2"], allowed=["i2"]))
    for wrong, told in (
        ({"allowed": {"i9"}}, "'i9' was never seen"),
        ({"allowed": "i1"}, "expected several"),
        ({"categories": ["pime"]}, "'prime'"),
        ({"k": 0}, "1 or more"),
        ({"k": 2.5}, "expected int"),
    ):
        with pytest.raises(OptionError, match=told):
            task(["i2"], **wrong)


def test_unknown_ids_are_told(task: Any) -> None:
    found = task(["i2", "new", "i3", 7], k=1)
    assert found.items == ("i4",)
    assert found.notes == ("left out 2 of the history, never seen in training: 'new', 7",)
    assert "'new'" in str(found)
    for bad, told in (
        (["new", "old"], "no id is known"),
        ([], None),
        ((), "an empty history"),
        ({"user": 99}, "remembers 80 others"),
        (["i1", 1.5], "place 1 of the history: an id of type float"),
        (["i1", np.nan], "place 1 of the history: a missing id"),
    ):
        if told is None:
            assert task(bad) == []
            continue
        with pytest.raises(InputError, match=told):
            task(bad)


def test_it_loads_back_with_all_it_knows(task: Any, tmp_path: Path) -> None:
    again = sa.load(NAME, task.save(tmp_path), device="cpu")
    for asked in (["i2", "i3"], {"user": 3}, {"user": 5, "history": ["i1"]}):
        assert again(asked).to_dict() == task(asked).to_dict()
    assert again(["i2"], categories=["even"]).items == task(["i2"], categories=["even"]).items
    assert again.model.processor.items.count_of_each().tolist() == [50] * 8
    (tmp_path / "sixarts.json").unlink()  # which would tell that a file is another
    (tmp_path / "users.json").write_text(json.dumps({"users": [1, 2]}))
    with pytest.raises(CheckpointError, match="fits neither"):
        sa.load(NAME, tmp_path, device="cpu")


def test_new_items_leave_old_ones_as_they_are(task: Any, tmp_path: Path) -> None:
    mine = sa.load(NAME, task.save(tmp_path), device="cpu")
    grown = mine.model.grown(_with(mine.model.processor.items, "i8", ("even",)))
    same = grown(grown.asked([np.array([2, 3])]))["logits"][0]
    was = mine.model(mine.model.asked([np.array([2, 3])]))["logits"][0]
    np.testing.assert_allclose(same[:8], was, rtol=1e-5, atol=1e-5)
    # A new item begins as the mean of its category.
    table = np.asarray(_numpy(grown.embedding.table))
    np.testing.assert_allclose(table[9], table[[1, 3, 5, 7]].mean(axis=0), atol=1e-6)
    history = mine.fit([["i6", "i7", "i8"]] * 60, epochs=6, **QUICK)
    assert history.replaced == ("1 new items beside 8",)
    assert mine.model.processor.items.ids == [*ORDER, "i8"]
    assert mine(["i6", "i7"], k=1).items == ("i8",)


def test_items_that_nobody_chose_can_be_recommended(task: Any, tmp_path: Path) -> None:
    mine = sa.load(NAME, task.save(tmp_path), device="cpu")
    table = {"item": ["i1", "fresh"], "title": ["One", "Fresh"], "categories": ["odd", "odd"]}
    assert mine.add_items(table) == 1 and mine.add_items(table) == 0
    found = mine(["i0"], k=8)
    assert "fresh" in found.items and found.titles[found.items.index("fresh")] == "Fresh"
    assert set(mine(["i0"], categories=["odd"]).items) == {"i1", "i3", "i5", "i7", "fresh"}


def test_remembered_users_go_on(task: Any, tmp_path: Path) -> None:
    """What comes later is learned behind what is remembered, and counts once."""
    mine = sa.load(NAME, task.save(tmp_path), device="cpu")
    assert [ORDER[n] for n in mine.model.processor.tails.of(3)] == ORDER[3:8]
    later = [{"user": 3, "item": "i0", "time": 9}, {"user": "new one", "item": "i4", "time": 9}]
    mine.fit([*later, {"user": "new one", "item": "i5", "time": 10}], remember=True, epochs=1, **QUICK)
    tails = mine.model.processor.tails
    assert [ORDER[n] for n in tails.of(3)] == [*ORDER[3:8], "i0"] and len(tails.of("new one")) == 2
    assert mine.model.processor.items.count_of_each().sum() == 403
    assert mine({"user": "new one"}, k=1).items == ("i6",)
    assert [ORDER[n] for n in tails.of(4)] == [ORDER[n % 8] for n in range(4, 9)]


def _with(items: Items, raw: str, categories: tuple[str, ...]) -> Items:
    found = items.copy()
    found.describe(raw, categories=categories)
    found.add([raw])
    return found


def _numpy(variable: Any) -> np.ndarray:
    from sixarts.compiled import to_numpy

    return np.asarray(to_numpy(variable))


def test_why(task: Any) -> None:
    for method in ("leave_one_out", "integrated_gradients"):
        found = task.explain(["i5", "i1", "i2"], method, target=1)
        assert found.target_labels == ("Item i3",) and found.input_labels[-1] == "Item i2"
        assert found.values[0].argmax() == 2 and "because of Item i2" in str(found)
    item = task.explain(["i5", "i1", "i2"], target={"item": "i6"})
    assert item.target_labels == ("Item i6",) and item.target == "item"
    # Of one item alone, nothing is left without it; both methods then say the same.
    one, other = (task.explain(["i4"], m, target=1).values for m in ("leave_one_out", "integrated_gradients"))
    np.testing.assert_allclose(one, other, rtol=0.02)
    for bad in (0, "i3", True, 99, {"item": "no"}):
        with pytest.raises(OptionError, match="expected"):
            task.explain(["i1"], target=bad)


def test_files_are_learned_from(tmp_path: Path) -> None:
    """Interactions, or pairs as JSON lines; the command line gives paths, too."""
    made = sa.new(NAME, family="gru4rec", **SMALL)
    rows = ["who,what,when", *(f"{row['user']},{row['item']},{row['time']}" for row in log(9))]
    (tmp_path / "log.csv").write_text("\n".join(rows))
    path = made.read_examples(tmp_path / "log.csv")
    names = {"user": "who", "item": "what", "time": "when"}
    assert made.fit(path, epochs=1, **names, **QUICK).replaced == ("an embedding of 8 items",)
    assert made.evaluate(path, progress=False, **names).count == 9
    pairs = [{"input": ["i1", "i2"], "target": "i3"}, {"input": ["i4"], "target": "i9"}]
    (tmp_path / "pairs.jsonl").write_text("\n".join(map(json.dumps, pairs)))
    assert made.fit(tmp_path / "pairs.jsonl", epochs=1, **QUICK).replaced == ("1 new items beside 8",)
    asked = tmp_path / "asked.txt"
    asked.write_text('i1,i2\n["i3"]\n{"history": ["i1"]}\n')
    inputs = list(made.read_inputs(asked))
    assert inputs == [["i1", "i2"], ["i3"], {"history": ["i1"]}] and len(made(inputs)) == 3


def test_it_is_measured_as_others_would(task: Any) -> None:
    """Ranks by hand from the scores, over all items and among drawn ones."""
    judged = [["i2", "i3", "i4"], ["i0", "i5", "i1"], ["i6", "i0"], ["i1", "unheard of"]]
    found = task.evaluate(judged, k=2, progress=False)
    ranks = []
    for history in judged[:3]:
        ranking = task(history[:-1], k=8)
        ranks.append(ranking.items.index(history[-1]) + 1)
    each = np.array([*ranks, np.inf])
    assert found["hr@2"].value == np.mean(each <= 2)
    assert found["mrr"].value == pytest.approx(np.mean(1 / each))
    assert found["ndcg@2"].value == pytest.approx(np.mean(np.where(each <= 2, 1 / np.log2(1 + each), 0)))
    assert "miss" in found.protocol and found.count == 4
    among = task.evaluate(judged, k=2, negatives=3, seed=1, progress=False)
    assert among["mrr"].value >= found["mrr"].value and "3 items drawn" in among.protocol
    # Seen items may be right, too, where people buy again.
    again = [["i2", "i3", "i2"]]
    assert task.evaluate(again, progress=False)["mrr"].value == 0
    assert task.evaluate(again, progress=False, exclude_seen=False)["mrr"].value > 0
    with pytest.raises(InputError, match="one item"):
        task.evaluate({"user": [1, 2, 2], "item": ["i1", "i1", "i2"]}, progress=False)


def test_a_batch_holds_no_padding_that_counts(task: Any) -> None:
    """Every step of every history is a target once, whatever the batches."""
    rows = [ORDER[:n] for n in (2, 5, 3, 8, 2, 4)]
    found = from_examples(rows, task.model.processor.items, False, "x")
    lessons = NextItemLessons(task.model, found, task.Training(batch_size=4), 0)
    steps = []
    for lesson in lessons:
        real = lesson.weights["logits"] > 0
        items = lesson.arrays["items"].ravel()[lesson.arrays["places"]] - 1
        steps += list(zip(items[real].tolist(), lesson.targets["logits"][real].tolist(), strict=True))
    assert sorted(steps) == sorted((n, n + 1) for row in rows for n in range(len(row) - 1))
    last = NextItemLessons(task.model, found.last(2), task.Training(batch_size=4), 0)
    wanted = [n for lesson in last for n in lesson.targets["logits"][lesson.weights["logits"] > 0].tolist()]
    assert sorted(wanted) == sorted(len(row) - 1 for row in rows)


def test_gru4rec_learns() -> None:
    made = sa.new(NAME, family="gru4rec", **SMALL)
    made.fit(log(), epochs=20, patience=None, **QUICK)
    found = made.evaluate(log(), progress=False, k=1)
    assert found["hr@1"].value > 0.9, found


def test_bert4rec_learns_sets() -> None:
    """Of four things that are always bought together, three are had."""
    random = np.random.default_rng(0)
    rows = [[f"i{4 * (user % 3) + n}" for n in random.permutation(4)] for user in range(96)]
    made = sa.new(NAME, family="bert4rec", positions=False, dropout=0.0, **SMALL)
    made.fit(rows, epochs=12, patience=None, **QUICK)
    assert made.evaluate(rows, progress=False, k=1)["hr@1"].value > 0.9
    assert made(["i5", "i6", "i4"], k=1).items == made(["i4", "i5", "i6"], k=1).items == ("i7",)


@pytest.mark.parametrize("family", ["sasrec", "bert4rec", "gru4rec"])
def test_no_two_matrices_begin_alike(family: str) -> None:
    """An initializer of Keras that is used twice gives the same numbers twice, and nothing tells."""
    made = sa.new(NAME, family=family, num_layers=2, **SMALL)
    made.adapt(made.collect([["a", "b", "c"]], "example"), made.Training())
    seen = [_numpy(v) for v in made.model.network.trainable_variables if len(v.shape) == 2]
    random = [value for value in seen if value.std() > 0]
    assert len(random) > 3
    for place, one in enumerate(random):
        for other in random[:place]:
            assert one.shape != other.shape or np.abs(one - other).max() > 1e-3


@pytest.mark.parametrize("loss", ["gbce", "softmax"])
def test_few_drawn_items_teach_too(loss: str) -> None:
    made = sa.new(NAME, family="sasrec", **SMALL)
    chosen = QUICK | {"epochs": 20, "batch_size": 16, "patience": None}
    made.fit(log(), negatives=4, sampled_loss=loss, **chosen)
    assert made.evaluate(log(), progress=False, k=1)["hr@1"].value > 0.5
    assert made.model.config["objective"] == {"gbce": "sigmoid", "softmax": "softmax"}[loss]
    assert 0 < made(["i1"], k=1).scores[0] <= 1


def test_what_cannot_be_learned_is_named(task: Any) -> None:
    made = sa.new(NAME, family="sasrec", **SMALL)
    for wrong, told in (
        ("log.txt", "ends in .csv"),
        ([["i1"]], "two or more"),
        ([{"user": 1, "item": "a"}, {"user": 1}], "row 2, column 'item': a missing id"),
        ({"customer": [1], "item": ["a"]}, "expected 'user'"),
    ):
        with pytest.raises(InputError, match=told):
            made.fit(wrong)
    for nothing in ([], {"user": [], "item": []}):
        with pytest.raises(TrainingError, match="no example came"):
            made.fit(nothing)
    with pytest.raises(TrainingError, match="name no users"):
        made.fit([["a", "b", "c"]] * 4, remember=True, epochs=1, progress=False)
    with pytest.raises(OptionError, match="duplicates"):
        made.fit([["a", "b"]], duplicates="ask")
    with pytest.raises(OptionError, match="negatives"):
        made.fit([["a", "b"]], negatives=0)
    with pytest.raises(CheckpointError, match="divisor"):
        sa.new(NAME, family="sasrec", hidden_size=10, num_heads=3)
    with pytest.raises(OptionError, match="hidden_size"):
        sa.new(NAME, family="gru4rec", hidden_sizes=10)


def test_a_killed_run_goes_on(tmp_path: Path) -> None:
    """Two epochs of four, then all four: the weights are those of an unbroken run."""

    def fitted(folder: Path | None) -> Any:
        made = sa.new(NAME, family="sasrec", **SMALL)
        made.fit(log(20), epochs=4, folder=folder, **QUICK)
        return made

    whole = fitted(None)
    stopped = sa.new(NAME, family="sasrec", **SMALL)
    learn = stopped.learn

    def killed(examples: Any, training: Any, epoch: int) -> Any:
        if epoch == 2 and training.seed == 0:
            raise KeyboardInterrupt
        return learn(examples, training, epoch)

    stopped.learn = killed
    assert stopped.fit(log(20), epochs=4, folder=tmp_path, **QUICK).stopped == "interrupted"
    went_on = fitted(tmp_path)
    for one, other in zip(whole.model.variables, went_on.model.variables, strict=True):
        if "float" in str(one.dtype):
            np.testing.assert_allclose(_numpy(one), _numpy(other), rtol=1e-5, atol=1e-6)


# The recipe's parts.


def test_baskets_are_parted_without_overlap() -> None:
    random = np.random.default_rng(0)
    baskets = [
        [f"i{n}" for n in random.choice(20, size, replace=False)] for size in random.integers(1, 6, 200)
    ]
    learned, judged, held = recipe.parted(baskets)
    assert all(len(basket) > 1 for basket in learned)
    whole = [sorted([*rest, item]) for rest, item in (*judged, *held)] + [sorted(each) for each in learned]
    assert sorted(whole) == sorted(sorted(each) for each in baskets if len(each) > 1)
    assert all(item not in rest for rest, item in held)
    orders = recipe.in_other_orders(learned, 2)
    assert [sorted(each) for each in orders] == [
        sorted(each) for each in learned
    ] * 2 and orders != learned * 2


def test_baselines_are_those_by_hand() -> None:
    items = Items()
    learned = from_examples([["a", "b"], ["a", "b"], ["a", "c"], ["d", "a"]], items, True, "x")
    judged = from_examples([(["a"], "b"), (["d"], "c")], items, True, "x")
    found = baselines.measured(baselines.LastItem(learned, 4), judged, 10, True)
    assert found["mrr"].value == pytest.approx((1 + 1 / 3) / 2)  # after d came a; then b, c by popularity
    together = baselines.Together(learned, 4).scores(np.array([1]))
    assert together[0] == pytest.approx(2 / np.sqrt(4 * 2), abs=1e-6) and together[2] < 1e-6


def test_the_recipe_runs_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    lines = [",".join(f"i{n}" for n in random.choice(12, size, replace=False)) for size in [2, 3, 4] * 30]
    (tmp_path / "groceries.csv").write_text("\n".join(lines))
    monkeypatch.setattr(recipe, "BASKETS", recipe.BASKETS | {"hidden_size": 8})
    monkeypatch.setattr(recipe, "BASKET_LEARNING", recipe.BASKET_LEARNING | {"epochs": 1})
    recipe.baskets(tmp_path, tmp_path / "run")
    made = sa.load(NAME, tmp_path / "run" / "baskets-next", device="cpu")
    assert made(["i1", "i2"], k=3).items and "co-occurrence" in made.card


def test_the_benchmarks_run_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both forms of data; the epoch is chosen by the last item but one, and what was chosen is measured."""
    monkeypatch.setattr(
        recipe, "REVIEWS", recipe.REVIEWS | {"hidden_size": 8, "inner_size": 8, "num_layers": 1}
    )
    monkeypatch.setattr(recipe, "GAMES", recipe.GAMES | recipe.REVIEWS)
    for name in ("LEARNING", "GAMES_LEARNING"):
        monkeypatch.setattr(recipe, name, getattr(recipe, name) | {"epochs": 3})
    monkeypatch.setattr(recipe, "EVERY", 1)
    rows = [[user, *((user + step) % 9 + 1 for step in range(5))] for user in range(1, 41)]
    with gzip.open(tmp_path / "Toys_and_Games.txt.gz", "wt") as file:
        file.write("".join(" ".join(map(str, row)) + "\n" for row in rows))
    recipe.toys(tmp_path, tmp_path / "toys")
    said = capsys.readouterr().out
    assert "40 users, 9 items, 200 interactions" in said and said.count("sasrec: hr@10") == 2
    assert "LastItem: hr@10 1 " in said and said.count("validation after") == 2
    with gzip.open(tmp_path / "Video.txt.gz", "wt") as file:
        file.write("".join(f"{row[0]} {item}\n" for row in rows for item in row[1:]))
    recipe.games(tmp_path, tmp_path / "games")
    assert "among 100 items drawn" in capsys.readouterr().out
