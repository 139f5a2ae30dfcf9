"""One seed is one network and one way of learning on every backend; the arithmetic against plain NumPy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import agent_reference as reference
import keras
import numpy as np
import pytest

from everywhere import everywhere
from sixarts_game_ai.agent_model import Convolution, Orthogonal
from sixarts_game_ai.agent_processor import Spaces
from sixarts_game_ai.flat_network import FlatNetwork, adam

MANY_NETWORKS = True

VECTOR = Spaces((3,), 4)
MOVING = Spaces((3,), 2, continuous=True, low=(-1.0, -2.0), high=(1.0, 2.0))
PLANES = Spaces((6, 6, 2), 3, dtype="bool")
FRAMES = Spaces((40, 44, 2), 3, dtype="uint8")
CASES = {
    "ppo of numbers": ("ppo", VECTOR, {"hidden": [8]}),
    "ppo of numbers, one body": ("ppo", VECTOR, {"hidden": [8, 5], "shared": True, "activation": "silu"}),
    "ppo of moves": ("ppo", MOVING, {"hidden": [8]}),
    "ppo of planes": ("ppo", PLANES, {"hidden": [8], "channels": [4, 3]}),
    "dqn of numbers": ("dqn", VECTOR, {"hidden": [8]}),
    "dueling dqn of planes": ("dqn", PLANES, {"hidden": [8], "dueling": True}),
    "dqn of frames": ("dqn", FRAMES, {"hidden": [4]}),
}


def seen_of(spaces: Spaces) -> np.ndarray:
    drawn = np.random.default_rng(3).normal(size=(5, *spaces.shape))
    if spaces.dtype == "float32":
        return drawn.astype("float32")
    return (drawn > 0.5) if spaces.dtype == "bool" else (drawn * 60).clip(0, 255).astype("uint8")


@pytest.mark.parametrize("name", list(CASES))
def test_one_seed_answers_alike_everywhere(name: str, backends: Mapping[str, Any]) -> None:
    family, spaces, network = CASES[name]
    found = everywhere(backends, reference, "outputs", family, spaces, network, seen_of(spaces))
    wanted = found.pop("here")
    assert any(np.ptp(values) > 1e-3 for values in wanted.values())
    for where, got in found.items():
        for output in wanted:
            np.testing.assert_allclose(got[output], wanted[output], atol=1e-4, rtol=1e-4, err_msg=where)


OPTIONS: dict[str, dict[str, Any]] = {
    "ppo": {"lanes": 4, "rollout": 8, "passes": 2, "minibatch": 16, "entropy": 0.01, "clip_value": True},
    "dqn": {"lanes": 4, "train_every": 16, "updates": 5, "minibatch": 8, "warm": 8, "sync": 3, "n_step": 2},
}


@pytest.mark.parametrize("name", ["ppo of numbers", "ppo of moves", "ppo of planes", "dueling dqn of planes"])
def test_one_seed_learns_alike_everywhere(name: str, backends: Mapping[str, Any]) -> None:
    family, spaces, network = CASES[name]
    options = OPTIONS[family] | ({"prioritized": 0.5} if family == "dqn" else {"normalize_rewards": True})
    found = everywhere(backends, reference, "updated", family, spaces, network, options)
    weights, told = found.pop("here")
    begun = FlatNetwork(reference.model_of(family, spaces, network).network).vector()
    assert np.abs(weights - begun).max() > 1e-3
    for where, (got, said) in found.items():
        np.testing.assert_allclose(got, weights, atol=2e-4, err_msg=where)
        assert said == pytest.approx(told, abs=1e-3), where


def test_adam_is_published() -> None:
    """Against Kingma and Ba's algorithm 1, in double precision, with the norm of both gradients clipped."""
    random = np.random.default_rng(0)
    weights, first, second = random.normal(size=7), np.zeros(7), np.zeros(7)
    tensors = [
        [keras.ops.convert_to_tensor(part) for part in halves(each)] for each in (weights, first, second)
    ]
    for step in range(1, 6):
        gradient = random.normal(size=7) * 3
        gradients = [keras.ops.convert_to_tensor(part) for part in halves(gradient)]
        at = keras.ops.convert_to_tensor(np.float32(step))
        moved, moments = adam(tensors[0], gradients, (tensors[1], tensors[2]), at, 0.01, 0.5)
        tensors = [moved, *moments]
        clipped = gradient * min(1, 0.5 / np.linalg.norm(gradient))
        first, second = 0.9 * first + 0.1 * clipped, 0.999 * second + 0.001 * clipped**2
        mean, square = first / (1 - 0.9**step), second / (1 - 0.999**step)
        weights = weights - 0.01 * mean / (np.sqrt(square) + 1e-5)
    ours = np.concatenate([np.asarray(keras.ops.convert_to_numpy(each)) for each in tensors[0]])
    np.testing.assert_allclose(ours, weights, atol=1e-5)


def halves(values: np.ndarray) -> list[np.ndarray]:
    return [values[:3].astype("float32"), values[3:].astype("float32")]


def test_a_network_begins_orthogonal() -> None:
    for shape in ((6, 4), (4, 6), (3, 3, 2, 8)):
        drawn = np.asarray(keras.ops.convert_to_numpy(Orthogonal(2.0)(shape))).reshape(-1, shape[-1])
        small = drawn if drawn.shape[0] >= drawn.shape[1] else drawn.T
        np.testing.assert_allclose(small.T @ small, 4 * np.eye(small.shape[1]), atol=1e-4)


@pytest.mark.parametrize(("shape", "kernel", "stride"), [((2, 10, 10, 4), 3, 1), ((2, 21, 30, 3), 8, 4)])
def test_convolutions_by_patches_are_convolutions(shape: Any, kernel: int, stride: int) -> None:
    seen = np.random.default_rng(0).normal(size=shape).astype("float32")
    ours = Convolution(5, kernel, stride, "relu", "glorot_uniform")
    found = keras.ops.convert_to_numpy(ours(seen))
    theirs = keras.layers.Conv2D(5, kernel, stride, activation="relu")
    theirs.build(shape)
    theirs.kernel.assign(ours.kernel)
    np.testing.assert_allclose(found, keras.ops.convert_to_numpy(theirs(seen)), atol=1e-4)
    assert found.shape == ours.compute_output_shape(shape)
