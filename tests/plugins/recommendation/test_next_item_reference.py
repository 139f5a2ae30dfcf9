"""Next-item networks against PyTorch's own layers, on every Keras backend; and what must hold of each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import next_item_reference as reference
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sixarts.device import Device, backend
from sixarts.model import Model
from sixarts.plugins import registry, resolve
from sixarts.readers.safetensors_file import write_weights
from sixarts.testing import Worker

#: XLA is left out: see ``without_xla``.
MANY_NETWORKS = True

CLOSE = {"rtol": 1e-4, "atol": 1e-4}
HISTORIES = [[3], [1, 2, 3, 1], [5, 4, 3, 2, 1, 0, 6, 5, 4], [2, 2]]
ITEMS = 7
CONFIGS: dict[str, tuple[str, dict[str, Any]]] = {
    "sasrec": ("sasrec", {}),
    "sasrec as published": (
        "sasrec",
        {"norm_first": False, "activation": "relu", "item_bias": True, "scale_embedding": False},
    ),
    "sasrec of sets": ("sasrec", {"positions": False, "num_heads": 1}),
    "bert4rec": ("bert4rec", {}),
    "bert4rec, norms first": ("bert4rec", {"norm_first": True, "num_heads": 4, "scale_embedding": True}),
    "bert4rec of sets": ("bert4rec", {"positions": False, "item_bias": False}),
    "gru4rec": ("gru4rec", {}),
    "gru4rec, two layers": ("gru4rec", {"num_layers": 2, "item_bias": False}),
}
SMALL = {"hidden_size": 8, "max_length": 6, "dropout": 0.5}


def kind(family: str) -> type[Model]:
    return resolve(registry().family(family).model)


def folder_of(family: str, settings: Mapping[str, Any], folder: Path) -> Any:
    """A model folder of a random PyTorch network, and that network."""
    more = {} if family == "gru4rec" else {"inner_size": 12}
    config = kind(family).configure(**{**SMALL, **more, **settings}, num_items=ITEMS)
    torch.manual_seed(len(json.dumps(config)))
    network = reference.made(family, config)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "items.json").write_text(json.dumps({"ids": list(range(ITEMS))}))
    write_weights(folder / "model.safetensors", reference.weights(network, config))
    return network


def scored(family: str, folder: str) -> np.ndarray:
    """What ours says of the histories, together; run here and in workers."""
    model = kind(family).from_folder(Path(folder), Device.of("cpu"))
    return model(model.asked([np.array(history, "int32") for history in HISTORIES]))["logits"]


@pytest.mark.parametrize("name", list(CONFIGS))
def test_scores_are_those_of_pytorch(name: str, tmp_path: Path, backends: dict[str, Worker]) -> None:
    family, config = CONFIGS[name]
    network = folder_of(family, config, tmp_path / "model")
    wanted = reference.scores(network, HISTORIES)
    ours = {backend(): scored(family, str(tmp_path / "model"))}
    for other, worker in backends.items():
        ours[other] = worker.call("test_next_item_reference:scored", family, str(tmp_path / "model"))
    for place, found in ours.items():
        np.testing.assert_allclose(found, wanted, **CLOSE, err_msg=place)


@settings(max_examples=4, deadline=None)
@given(data=st.data())
def test_any_configuration_agrees(data: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    family = data.draw(st.sampled_from(["sasrec", "bert4rec", "gru4rec"]))
    config: dict[str, Any] = {
        "hidden_size": data.draw(st.sampled_from([4, 12])),
        "num_layers": data.draw(st.integers(1, 2)),
        "item_bias": data.draw(st.booleans()),
        "max_length": data.draw(st.integers(2, 9)),
    }
    if family != "gru4rec":
        config |= {name: data.draw(st.booleans()) for name in ("norm_first", "positions", "scale_embedding")}
        config["num_heads"] = data.draw(st.sampled_from([1, 2]))
    folder = tmp_path_factory.mktemp("random")
    network = folder_of(family, config, folder)
    np.testing.assert_allclose(scored(family, str(folder)), reference.scores(network, HISTORIES), **CLOSE)


@pytest.mark.parametrize("family", ["sasrec", "gru4rec"])
def test_the_future_changes_nothing_before_it(family: str, tmp_path: Path) -> None:
    folder_of(family, {}, tmp_path)
    model: Any = kind(family).from_folder(tmp_path, Device.of("cpu"))
    random = np.random.default_rng(0)
    items = random.integers(1, ITEMS + 1, (3, 6)).astype("int32")
    changed = items.copy()
    changed[:, 4:] = items[:, 4:] % ITEMS + 1
    places = (np.arange(3)[:, None] * 6 + np.arange(6)).ravel().astype("int32")
    before, after = (
        model({"items": rows, "places": places})["logits"].reshape(3, 6, ITEMS) for rows in (items, changed)
    )
    np.testing.assert_array_equal(before[:, :4], after[:, :4])
    assert (np.abs(before[:, 4:] - after[:, 4:]).max(axis=-1) > 1e-3).all()


def test_a_set_has_no_order_and_a_hidden_item_sees_both_sides(tmp_path: Path) -> None:
    folder_of("bert4rec", {"positions": False}, tmp_path)
    model: Any = kind("bert4rec").from_folder(tmp_path, Device.of("cpu"))
    one, other = (
        model(model.asked([np.array(history, "int32")]))["logits"] for history in ([1, 2, 3], [3, 1, 2])
    )
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    windows = np.array([[1, 2, 3, 4, 5, 6]]), np.array([6])
    for seed in range(20):
        arrays, (rows, columns), wanted = model.asked_in(windows, False, np.random.default_rng(seed))
        hidden = np.flatnonzero(arrays["items"][0] == 1)
        assert columns.tolist() == hidden.tolist() and 1 <= len(hidden) < 6 and not rows.any()
        np.testing.assert_array_equal(windows[0][0][hidden], wanted)


def test_drawn_items_are_scored_as_all_are(tmp_path: Path) -> None:
    """The network that learns from few items shares its weights with the one that scores all."""
    folder_of("sasrec", {"item_bias": True}, tmp_path)
    model: Any = kind("sasrec").from_folder(tmp_path, Device.of("cpu"))
    arrays = model.asked([np.array(history, "int32") for history in HISTORIES])
    whole = model(arrays)["logits"]
    wanted, negatives = np.array([0, 1, 2, 3], "int32"), np.array([5, 0, 6], "int32")
    few = model.sampled()
    found = np.asarray(few.predict_on_batch({**arrays, "wanted": wanted, "negatives": negatives})["scores"])
    np.testing.assert_allclose(found[:, 0], whole[np.arange(4), wanted], **CLOSE)
    np.testing.assert_allclose(found[1:, 1:], whole[1:, negatives], **CLOSE)
    assert found[0, 2] < -1e8  # the right item is no negative of its own
    assert {id(variable) for variable in few.variables} == {id(v) for v in model.network.variables}


def test_the_loss_over_drawn_items_is_the_papers() -> None:
    from sixarts_recommendation.next_item_losses import GeneralizedBCE

    random = np.random.default_rng(0)
    scores = random.normal(size=(5, 4)).astype("float32")
    share, t = 0.1, 0.75
    beta = share * (t * (1 - 1 / share) + 1 / share)
    chance = 1 / (1 + np.exp(-scores.astype("float64")))
    wanted = -(beta * np.log(chance[:, 0]) + np.log(1 - chance[:, 1:]).sum(axis=1)).mean()
    found = GeneralizedBCE(share, t)(np.zeros(5, "int32"), scores)
    assert float(found) == pytest.approx(wanted, rel=1e-5)
