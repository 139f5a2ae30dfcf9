"""Transformer layers against their formulas, and one position at a time against all at once."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from sixarts import layers
from sixarts.compiled import to_numpy
from sixarts.layers import (
    Attention,
    DecoderBlock,
    EncoderBlock,
    OutputBias,
    Positions,
    activation,
    sinusoids,
)
from sixarts.masks import mask_bias
from sixarts.step_cache import empty_cache, past_bias

RANDOM = np.random.default_rng(0)


def normal(*shape: int) -> np.ndarray:
    return RANDOM.normal(size=shape).astype("float32")


def randomized(layer: Any, *arguments: Any) -> Any:
    """The layer, built, with no weight at a value that hides a mistake."""
    layer(*arguments)
    for variable in layer.trainable_variables:
        variable.assign(normal(*variable.shape))
    return layer


def array(tensor: Any) -> np.ndarray:
    return np.asarray(to_numpy(ops.stop_gradient(tensor)))


@pytest.mark.quick
def test_attention_is_its_formula() -> None:
    x, memory = normal(2, 3, 8), normal(2, 5, 8)
    layer = randomized(Attention(heads=2, width=8), x, memory)
    out, weights = layer(x, memory)

    def projected(dense: Any, value: np.ndarray) -> np.ndarray:
        flat = value @ array(dense.kernel) + array(dense.bias)
        return flat.reshape(2, -1, 2, 4).transpose(0, 2, 1, 3)

    queries, keys, values = (
        projected(dense, value)
        for dense, value in ((layer.query, x), (layer.key, memory), (layer.value, memory))
    )
    scores = queries @ keys.transpose(0, 1, 3, 2) / math.sqrt(4)
    shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares /= shares.sum(axis=-1, keepdims=True)
    mixed = (shares @ values).transpose(0, 2, 1, 3).reshape(2, 3, 8)
    np.testing.assert_allclose(array(weights), shares, atol=1e-4)
    np.testing.assert_allclose(
        array(out), mixed @ array(layer.out.kernel) + array(layer.out.bias), rtol=1e-4, atol=1e-4
    )


@pytest.mark.quick
@pytest.mark.parametrize("biased", ["not at all", "by key", "by both"])
@pytest.mark.parametrize("scores", [7, 30, 60, 10**6])
def test_attention_in_parts_is_the_same(scores: int, biased: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "SCORES", scores)
    x, memory = normal(2, 5, 8), normal(2, 3, 8)
    layer = randomized(Attention(heads=2, width=8), x, memory)
    shape = {"not at all": None, "by key": (2, 1, 1, 3), "by both": (1, 1, 5, 3)}[biased]
    bias = None if shape is None else ops.convert_to_tensor(normal(*shape))
    keys_and_values = layer.project(memory)
    whole = layer.attend(ops.convert_to_tensor(x), *keys_and_values, bias)[0]
    parts = layer.mix(ops.convert_to_tensor(x), *keys_and_values, bias)
    np.testing.assert_allclose(array(parts), array(whole), rtol=1e-5, atol=1e-5)


@pytest.mark.quick
def test_masked_positions_are_not_seen() -> None:
    x = normal(1, 4, 8)
    mask = np.array([[1, 1, 0, 1]])
    block = randomized(EncoderBlock(8, 2, 12), x, mask)
    other = x.copy()
    other[:, 2] += 5
    changed = np.abs(array(block(x, mask)) - array(block(other, mask))).max(axis=-1)[0]
    assert changed[2] > 1e-3 and changed[[0, 1, 3]].max() < 1e-6


@pytest.mark.quick
def test_the_decoder_sees_no_future_and_steps_as_it_calls() -> None:
    x, memory, mask = normal(2, 5, 8), normal(2, 3, 8), np.array([[1, 1, 1], [1, 0, 0]])
    block = randomized(DecoderBlock(8, 2, 12, activation_name="gelu"), x, memory, mask)
    whole, weights = block(x, memory, mask)
    assert array(weights)[1, :, :, 1:].max() < 1e-6
    later = x.copy()
    later[:, 3:] += 1
    np.testing.assert_allclose(array(block(later, memory, mask)[0])[:, :3], array(whole)[:, :3], atol=1e-5)
    cache: Any = empty_cache(1, 2, 2, 5, 4, "float32")[0]
    cross, bias = block.cross_attention.project(memory), mask_bias(mask, "float32")
    for index in range(5):
        step, cache = block.step(
            ops.convert_to_tensor(x[:, index : index + 1]),
            cache,
            index,
            past_bias(index, 5, None, "float32"),
            cross,
            bias,
        )
        np.testing.assert_allclose(array(step)[:, 0], array(whole)[:, index], rtol=1e-4, atol=1e-4)


@pytest.mark.quick
@pytest.mark.parametrize("width", [6, 7])
def test_positions(width: int) -> None:
    x = normal(2, 4, width)
    layer = Positions(9, sinusoids, scale=3.0)
    whole = array(layer(x))
    half = (width + 1) // 2
    for place in range(4):
        for i in range(width):
            even = 2 * i if i < half else 2 * (i - half)
            angle = place / 10000 ** (even / width)
            wave = math.sin(angle) if i < half else math.cos(angle)
            assert whole[0, place, i] == pytest.approx(3 * x[0, place, i] + wave, abs=1e-5)
    np.testing.assert_allclose(array(layer(x[:, 2:3], index=2)), whole[:, 2:3], atol=1e-6)
    assert sinusoids(9, width).dtype == np.float32
    assert not layer.trainable_variables


@pytest.mark.quick
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_a_mask_is_finite_and_large_in_every_precision(dtype: str) -> None:
    bias = array(ops.cast(mask_bias(np.array([[1, 0]]), dtype), "float32"))
    assert bias.shape == (1, 1, 1, 2)
    assert bias[0, 0, 0, 0] == 0 and np.isfinite(bias).all() and bias[0, 0, 0, 1] < -1e4


@pytest.mark.quick
def test_logits_are_in_full_precision() -> None:
    layer = OutputBias(3, dtype="mixed_bfloat16")
    layer.build((None, 3))
    layer.bias.assign([[1.0, 2.0, 3.0]])
    out = layer(ops.cast(np.ones((2, 3)), "bfloat16"))
    assert keras.backend.standardize_dtype(out.dtype) == "float32"
    np.testing.assert_allclose(array(out), [[2, 3, 4]] * 2)


@pytest.mark.quick
@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("relu", lambda x: max(x, 0)),
        ("swish", lambda x: x / (1 + math.exp(-x))),
        ("silu", lambda x: x / (1 + math.exp(-x))),
        ("gelu", lambda x: 0.5 * x * (1 + math.erf(x / math.sqrt(2)))),
        ("gelu_new", lambda x: 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))),
    ],
)
def test_activations_are_those_of_published_configurations(name: str, formula: Any) -> None:
    points = np.linspace(-3, 3, 13).astype("float32")
    found = array(activation(name)(ops.convert_to_tensor(points)))
    np.testing.assert_allclose(found, [formula(float(x)) for x in points], atol=1e-5)


@pytest.mark.quick
def test_zeros_draw_nothing() -> None:
    """A network that a checkpoint fills starts without random draws."""
    block = DecoderBlock(8, 2, 12, initializer="zeros")
    block(normal(1, 2, 8), normal(1, 2, 8), np.ones((1, 2)))
    kernels = [v for v in block.trainable_variables if v.path.endswith("kernel")]
    assert len(kernels) == 10 and not any(array(kernel).any() for kernel in kernels)
