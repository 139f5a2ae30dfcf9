"""What the tests of ``game-strategy`` share, and run in workers of the other backends."""

from __future__ import annotations

from typing import Any

import numpy as np

import sixarts as sa
from sixarts_game_ai.alphazero import AlphaZero
from sixarts_game_ai.fresh_model import fresh_model
from sixarts_game_ai.games import start_of
from sixarts_game_ai.ladder import openings

SMALL = {"filters": 8, "blocks": 1, "policy_filters": 2, "value_filters": 2, "value_hidden": 8}


def new(game: str = "tic_tac_toe", **settings: Any) -> Any:
    """A small untrained task."""
    return sa.new("game-strategy", family="alphazero", device="cpu", game=game, **SMALL | settings)


def new_built(game: str = "tic_tac_toe") -> Any:
    """A small untrained model whose network is there."""
    task = new(game)
    task.begin(None)
    return task.model


def filled(game: str, settings: dict[str, Any], seed: int) -> AlphaZero:
    """A network whose weights are drawn in NumPy, the same on every backend."""
    model = fresh_model(game, SMALL | settings, "cpu")
    draw = np.random.default_rng(seed)
    for variable in model.network.variables:
        value = draw.normal(0, 0.3, variable.shape)
        variable.assign(np.abs(value) + 0.5 if "variance" in variable.path else value)
    return model


def outputs(networks: list[tuple[str, dict[str, Any]]], seed: int) -> list[dict[str, np.ndarray]]:
    """What such networks say of some positions."""
    found = []
    for game, settings in networks:
        model = filled(game, settings, seed)
        positions = openings(start_of(game), 5, 3, seed)
        found.append(model(model.processor.arrays(positions)))
    return found


def by_hand(model: AlphaZero, planes: np.ndarray) -> dict[str, np.ndarray]:
    """The network's outputs in plain NumPy, from the names and orientations that its folder has."""
    weights = {
        names[0]: target.stored(np.asarray(target.variable, "float64"))
        for names, target in model.targets(frozenset()).items()
    }

    def convolved(x: np.ndarray, name: str) -> np.ndarray:
        kernel = weights[f"{name}.convolution.weight"]
        out, _, size, _ = kernel.shape
        pad = size // 2
        padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
        b, _, rows, columns = x.shape
        found = np.zeros((b, out, rows, columns))
        for i in range(size):
            for j in range(size):
                part = padded[:, :, i : i + rows, j : j + columns]
                found += np.einsum("bchw,oc->bohw", part, kernel[:, :, i, j])
        scale = {part: weights[f"{name}.normalization.{part}"][None, :, None, None] for part in NORM}
        centered = (found - scale["running_mean"]) / np.sqrt(scale["running_var"] + 1e-5)
        return np.asarray(centered * scale["weight"] + scale["bias"])

    def dense(x: np.ndarray, name: str) -> np.ndarray:
        return np.asarray(x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"])

    x = np.maximum(convolved(np.moveaxis(planes, -1, 1).astype("float64"), "stem"), 0)
    for block in range(model.config["blocks"]):
        inner = np.maximum(convolved(x, f"block_{block}_1"), 0)
        x = np.maximum(x + convolved(inner, f"block_{block}_2"), 0)
    flat = [
        np.moveaxis(np.maximum(convolved(x, name), 0), 1, -1).reshape(len(x), -1)
        for name in ("policy_conv", "value_conv")
    ]
    hidden = np.maximum(dense(flat[1], "value_hidden"), 0)
    return {
        "policy": dense(flat[0], "policy"),
        "wdl": dense(hidden, "wdl"),
        "value": np.tanh(dense(hidden, "value"))[:, 0],
    }


NORM = ("weight", "bias", "running_mean", "running_var")
