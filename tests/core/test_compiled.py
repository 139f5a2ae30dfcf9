"""Compiled functions: one for each set of shapes, fresh weights, trees in and out."""

from __future__ import annotations

import importlib.util
import logging
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from sixarts.compiled import Compiled, Loop, to_numpy
from sixarts.device import Device
from sixarts.testing.workers import Worker


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


def counting(weight: Any, traced: list[Any] | None = None) -> Loop:
    """Adds ``weight`` until a limit is reached, and counts how often."""

    def step(state: dict[str, Any], limit: Any) -> dict[str, Any]:
        if traced is not None:
            traced.append(state["sum"].shape)
        total = state["sum"] + weight
        return {"sum": total, "steps": state["steps"] + 1, "open": keras.ops.all(total < limit)}

    return Loop(lambda state: state["open"], step, [weight], Device.of("cpu"))


def start(size: int, going: bool = True) -> dict[str, Any]:
    return {"sum": np.zeros(size, "float32"), "steps": np.int32(0), "open": np.bool_(going)}


@pytest.mark.quick
def test_a_loop_runs_until_its_state_says_so_and_sees_later_weights() -> None:
    weight = keras.Variable(np.float32(2))
    run = counting(weight)
    found = to_numpy(run(start(3), np.float32(7)))
    assert (found["sum"] == 8).all() and found["steps"] == 4
    weight.assign(np.float32(5))
    assert to_numpy(run(start(3), np.float32(7)))["steps"] == 2
    assert to_numpy(run(start(3), np.float32(23)))["steps"] == 5


@pytest.mark.quick
def test_a_loop_that_has_nothing_to_do_returns_its_state() -> None:
    found = to_numpy(counting(keras.Variable(np.float32(2)))(start(2, going=False), np.float32(9)))
    assert (found["sum"] == 0).all() and found["steps"] == 0


@pytest.mark.quick
def test_a_loop_is_traced_once_for_its_shapes() -> None:
    traced: list[Any] = []
    run = counting(keras.Variable(np.float32(1)), traced)
    for limit in (2, 4, 9):
        assert to_numpy(run(start(3), np.float32(limit)))["steps"] == limit
    before = len(traced)
    assert before <= 2  # JAX looks twice at what a loop carries
    run(start(4), np.float32(2))
    assert len(traced) == 2 * before


@pytest.mark.quick
def test_a_step_that_looks_at_values_runs_on_every_backend() -> None:
    def step(state: dict[str, Any]) -> dict[str, Any]:
        # PyTorch's own one-hot checks its input's values, which no tracer can follow.
        row = keras.ops.sum(keras.ops.one_hot(state["steps"], 5), axis=0)
        return {"steps": state["steps"] + 1, "sum": state["sum"] + row}

    run = Loop(lambda state: keras.ops.all(state["steps"] < 3), step, [], Device.of("cpu"))
    found = to_numpy(run({"steps": np.zeros(1, "int32"), "sum": np.zeros(5, "float32")}))
    assert found["sum"].tolist() == [1, 1, 1, 0, 0]


@pytest.mark.quick
def test_one_tensor_in_two_places_of_a_state_is_two() -> None:
    def step(state: dict[str, Any]) -> dict[str, Any]:
        return {"up": state["up"] + 1, "down": state["down"] - 1}

    same = keras.ops.zeros(2)
    found = to_numpy(
        Loop(lambda state: keras.ops.all(state["up"] < 3), step, [], Device.of("cpu"))(
            {"up": same, "down": same}
        )
    )
    assert (found["up"] == 3).all() and (found["down"] == -3).all()


@pytest.mark.quick
def test_a_mistake_in_a_step_is_told_as_it_is() -> None:
    def step(state: dict[str, Any]) -> dict[str, Any]:
        raise ZeroDivisionError("as it is")

    with pytest.raises(ZeroDivisionError, match="as it is"):
        Loop(lambda state: state["open"], step, [], Device.of("cpu"))(start(1))


@pytest.mark.quick
@pytest.mark.skipif(keras.backend.backend() != "torch", reason="only PyTorch's loop is driven from Python")
def test_a_loop_of_ordinary_layers_is_traced_on_pytorch() -> None:
    dense = keras.layers.Dense(3)
    dense.build((None, 3))
    calls: list[int] = []

    def step(state: dict[str, Any]) -> dict[str, Any]:
        calls.append(1)
        return {"x": keras.ops.softmax(dense(state["x"])), "steps": state["steps"] + 1}

    run = Loop(lambda state: state["steps"] < 6, step, dense.variables, Device.of("cpu"))
    found = to_numpy(run({"x": np.ones((2, 3), "float32"), "steps": np.int32(0)}))
    assert found["steps"] == 6 and len(calls) == 1


def what_jax_keeps() -> tuple[str, list[str]]:
    """In a worker on JAX: where it keeps what it compiled, and what is there after something slow was."""
    import jax

    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    Compiled(lambda x: keras.ops.sort(x) * 3, [], Device.of("cpu"))(np.ones(7, "float32"))
    folder = Path(jax.config.jax_compilation_cache_dir)
    return str(folder), sorted(path.name for path in folder.glob("*-cache"))


def test_jax_keeps_what_it_compiled_for_the_next_process(tmp_path: Path) -> None:
    if importlib.util.find_spec("jax") is None:
        pytest.skip("JAX is not installed")
    for environment, expected in (
        ({"SIXARTS_HOME": str(tmp_path / "home")}, tmp_path / "home" / "compiled"),
        ({"JAX_COMPILATION_CACHE_DIR": str(tmp_path / "own")}, tmp_path / "own"),
    ):
        worker = Worker("jax", environment)
        try:
            folder, kept = worker.call("test_compiled:what_jax_keeps")
            assert folder == str(expected) and kept
            # A file that was cut is compiled anew.
            for name in kept:
                (expected / name).write_bytes((expected / name).read_bytes()[:20])
            worker.close()
            assert worker.call("test_compiled:what_jax_keeps")[0] == folder
        finally:
            worker.close()
