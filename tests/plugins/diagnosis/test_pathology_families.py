"""The networks for pictures and tiles against plain PyTorch, on every backend."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pathology_reference as reference
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

from sixarts.device import Device
from sixarts.errors import SixartsError
from sixarts_diagnosis.attention_mil import AttentionMil
from sixarts_diagnosis.cnn import Cnn

#: XLA is left out: see ``without_xla``.
MANY_NETWORKS = True

LABELS = {"id2label": {"0": "ill", "1": "well"}, "label2id": {"ill": 0, "well": 1}}
CLOSE: dict[str, Any] = {"rtol": 1e-4, "atol": 1e-4}


def made(kind: Any, seed: int, **config: Any) -> Any:
    """A network with every weight drawn."""
    full = kind.configure(**config, **LABELS)
    empty = kind(full, None, Device.of("cpu"))
    model = kind(full, empty.processor_for(("ill", "well")), Device.of("cpu"))
    reference.randomized(model, seed)
    return model


@settings(max_examples=4, deadline=None)
@given(st.data())
def test_attention_is_that_of_the_paper(backends: dict[str, Any], data: st.DataObject) -> None:
    seed, gated = data.draw(st.integers(0, 2**16)), data.draw(st.booleans())
    sizes = data.draw(st.lists(st.integers(1, 20), min_size=1, max_size=3))
    width, hidden = data.draw(st.integers(1, 7)), data.draw(st.integers(1, 9))
    model = made(AttentionMil, seed, feature_size=width, hidden_size=hidden, attention_size=3, gated=gated)
    random = np.random.default_rng(seed)
    bags = [random.normal(size=(size, width)).astype("float32") for size in sizes]
    arrays = model.processor.arrays(bags)
    with tempfile.TemporaryDirectory() as place:
        model.save(Path(place))
        weights = load_file(Path(place) / "model.safetensors")
        found = {"here": model(arrays)}
        for name, worker in backends.items():
            found[name] = worker.call("pathology_reference:outputs", "attention_mil", place, arrays)
    for name, outputs in found.items():
        for row, bag in enumerate(bags):
            logits, attention = reference.attention_mil(weights, bag)
            np.testing.assert_allclose(outputs["logits"][row], logits, err_msg=name, **CLOSE)
            np.testing.assert_allclose(
                outputs["attention"][row, : len(bag)], attention, err_msg=name, **CLOSE
            )
            assert (outputs["attention"][row, len(bag) :] == 0).all()


@settings(max_examples=3, deadline=None)
@given(st.data())
def test_members_are_plain_convolutions(backends: dict[str, Any], data: st.DataObject) -> None:
    seed = data.draw(st.integers(0, 2**16))
    config = {
        "image_size": data.draw(st.integers(8, 13)),
        "widths": data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=2)),
        "members": data.draw(st.integers(1, 3)),
    }
    model = made(Cnn, seed, **config)
    side = config["image_size"]
    pixels = np.random.default_rng(seed).normal(size=(2, side, side, 3)).astype("float32")
    with tempfile.TemporaryDirectory() as place:
        model.save(Path(place))
        wanted = reference.cnn(load_file(Path(place) / "model.safetensors"), config, pixels)
        found = {"here": model({"pixel_values": pixels})}
        for name, worker in backends.items():
            found[name] = worker.call("pathology_reference:outputs", "cnn", place, {"pixel_values": pixels})
    for name, outputs in found.items():
        np.testing.assert_allclose(outputs["logits"], wanted, err_msg=name, **CLOSE)
    assert model.hidden_constants() == []


@pytest.mark.quick
@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (Cnn, {"image_size": 7}),
        (Cnn, {"image_size": 8, "widths": [4, 4, 4, 4]}),
        (Cnn, {"members": 0}),
        (Cnn, {"depth": 3}),
        (AttentionMil, {"attention_size": 0}),
        (AttentionMil, {"gated": 1}),
        (AttentionMil, {"feature_size": -1}),
    ],
)
def test_settings_are_held_to_limits(kind: Any, wrong: dict[str, Any]) -> None:
    with pytest.raises(SixartsError, match=next(iter(wrong))):
        kind.configure(**wrong)
