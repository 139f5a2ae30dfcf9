"""The click families, the towers and item2vec against plain formulas, on every backend that is installed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import records_reference as reference
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sixarts as sa
from everywhere import everywhere
from sixarts.testing.checks_model import randomize

#: XLA is left out: see ``without_xla``.
MANY_NETWORKS = True

#: Examples are the same in every run: a compile is dear, and what fails must fail again.
drawn = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=2,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
CLICKS = [
    {"site": site, "device": device, "age": age, "tags": tags, "click": click}
    for site, device, age, tags, click in [
        ("a", "tv", 3.0, ["x"], 1),
        ("b", "pc", None, [], 0),
        ("a", "pc", 8.5, ["y", "x"], 0),
        ("c", "tv", 1.0, ["z"], 1),
        ("b", "tv", 4.0, [], 1),
    ]
]


def held(
    backends: Mapping[str, Any], task: str, folder: Path, wanted: np.ndarray, arrays: Mapping[str, np.ndarray]
) -> None:
    assert np.abs(wanted).max() > 1e-2
    for name, got in everywhere(backends, reference, "logits", task, folder, arrays).items():
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4, err_msg=name)


SIZES = st.fixed_dictionaries(
    {
        "width": st.integers(1, 5),
        "hidden": st.lists(st.integers(1, 7), min_size=1, max_size=2),
        "members": st.integers(1, 3),
    }
)
FAMILIES = {
    "deepfm": st.just({}),
    "wide_deep": st.just({}),
    "dcn_v2": st.fixed_dictionaries(
        {
            "crosses": st.integers(1, 3),
            "rank": st.sampled_from([0, 2]),
            "structure": st.sampled_from(["parallel", "stacked"]),
        }
    ),
}


@pytest.mark.parametrize("family", list(FAMILIES))
@drawn
@given(data=st.data())
def test_click_families(backends: Any, tmp_path_factory: Any, family: str, data: Any) -> None:
    config = data.draw(SIZES) | data.draw(FAMILIES[family])
    folder = tmp_path_factory.mktemp(family)
    task = sa.new("click-prediction", family=family, device="cpu", **config)
    crosses = ["site*device"] if family == "wide_deep" else []
    task.fit(CLICKS, target="click", epochs=1, least=1, crosses=crosses, progress=False)
    randomize(task.model, seed=data.draw(st.integers(0, 99)))
    for variable in task.model.network.variables:  # so that no part is too small to be seen
        variable.assign(np.asarray(variable) * 4)
    task.save(folder)
    arrays = task.model.processor.arrays([{k: v for k, v in row.items() if k != "click"} for row in CLICKS])
    held(backends, "click-prediction", folder, reference.published_logits(folder, arrays), arrays)


@drawn
@given(
    width=st.integers(2, 6),
    hidden=st.lists(st.integers(2, 7), min_size=1, max_size=2),
    temperature=st.sampled_from([0.1, 1.0]),
    seed=st.integers(0, 99),
)
def test_two_towers(
    backends: Any, tmp_path_factory: Any, width: int, hidden: list[int], temperature: float, seed: int
) -> None:
    folder = tmp_path_factory.mktemp("towers")
    task = sa.new(
        "item-similarity",
        family="two_tower",
        device="cpu",
        width=width,
        hidden=hidden,
        temperature=temperature,
        history=3,
    )
    catalog = [
        {"item": name, "kind": kind, "price": price}
        for name, kind, price in zip("abcd", "xyxy", range(4), strict=True)
    ]
    baskets = [["a", "b"], ["b", "c", "a"], ["d", "a", "c", "b"]]
    task.fit(baskets, catalog=catalog, epochs=1, batch_size=8, progress=False)
    randomize(task.model, seed)
    task.save(folder)
    lesson = next(iter(task.learn(baskets, task.Training(batch_size=8, id_dropout=0.5), 0)))
    wanted = reference.published_towers(folder, lesson.arrays)
    seen = wanted > -1e8
    assert not seen.all(), "no item stands twice in the batch: nothing is held of wrong negatives"
    for name, got in everywhere(
        backends, reference, "logits", "item-similarity", folder, lesson.arrays
    ).items():
        np.testing.assert_allclose(got[seen], wanted[seen], rtol=1e-4, atol=1e-4, err_msg=name)
        assert (got[~seen] < -1e8).all()


def test_item2vec(backends: Any, tmp_path: Path) -> None:
    task = sa.new("item-similarity", family="item2vec", device="cpu", width=5)
    baskets = [["a", "b"], ["b", "c", "a"], ["d", "a", "c", "b"]]
    task.fit(baskets, epochs=1, batch_size=8, progress=False)
    randomize(task.model)
    task.save(tmp_path)
    arrays = dict(next(iter(task.learn(baskets, task.Training(batch_size=8), 0))).arrays)
    held(backends, "item-similarity", tmp_path, reference.published_products(tmp_path, arrays), arrays)
