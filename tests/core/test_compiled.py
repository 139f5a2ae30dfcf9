"""Compiled functions: one for each set of shapes, fresh weights, trees in and out."""

from __future__ import annotations

import logging
from typing import Any

import keras
import numpy as np
import pytest

from sixarts.compiled import Compiled, to_numpy
from sixarts.device import Device


def test_trees_go_in_and_come_out() -> None:
    run = Compiled(lambda x, rest: {"sum": x["a"] + rest[0], "rest": rest}, [], Device.of("cpu"))
    ones = np.ones((2, 3), "float32")
    found = to_numpy(run({"a": ones}, (ones, np.int32(4))))
    assert (found["sum"] == 2).all() and found["rest"][1] == 4


def test_later_weights_are_seen() -> None:
    weight = keras.Variable(np.ones(3, "float32"))
    run = Compiled(lambda x: x * weight, [weight], Device.of("cpu"))
    ones = np.ones(3, "float32")
    assert (to_numpy(run(ones)) == 1).all()
    weight.assign(np.full(3, 5, "float32"))
    assert (to_numpy(run(ones)) == 5).all()


def test_names_and_dtypes_are_told_apart() -> None:
    run = Compiled(lambda x: {name: value * 2 for name, value in x.items()}, [], Device.of("cpu"))
    for name, dtype in (("a", "float32"), ("b", "float32"), ("a", "int32")):
        found = to_numpy(run({name: np.ones(2, dtype)}))
        assert list(found) == [name] and found[name].dtype == dtype


def test_a_shape_is_traced_once_and_many_shapes_bring_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    traced: list[Any] = []

    def double(x: Any) -> Any:
        traced.append(x.shape)
        return x * 2

    run = Compiled(double, [], Device.of("cpu"))
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            for size in range(1, 12):
                assert (to_numpy(run(np.ones(size, "float32"))) == 2).all()
    if keras.backend.backend() != "torch":  # which runs eagerly
        assert len(traced) == 11
    assert "retracing" not in caplog.text
