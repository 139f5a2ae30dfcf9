"""Explanations as values, tables and pictures; gradients on every backend."""

from __future__ import annotations

import io
import json
import warnings
from typing import Any

import numpy as np
import pytest

from sixarts import pictures
from sixarts.explanation import Explanation, gradients
from sixarts.testing.workers import Worker

FOUND = Explanation(
    "integrated_gradients",
    "all tokens",
    ("I", "<b>", "狗"),
    ("我", "$x_1"),
    np.array([[0.5, -0.25, 0.0], [0.1, 0.2, -2.0]]),
    signed=True,
    unit="nats",
)


def cubes(point: list[float]) -> list[float]:
    """The gradient of a sum of cubes, on whatever backend this process has."""
    import keras

    tensor = keras.ops.convert_to_tensor(np.array(point, "float32"))
    slope = gradients(lambda value: value**3, tensor)
    return [float(x) for x in keras.ops.convert_to_numpy(slope)]


def test_gradients_on_every_backend(backends: dict[str, Worker]) -> None:
    point = [1.0, -2.0, 0.5]
    wanted = pytest.approx([3.0, 12.0, 0.75])
    assert cubes(point) == wanted
    for worker in backends.values():
        assert worker.call("test_explanation:cubes", point) == wanted


@pytest.mark.quick
def test_it_prints_and_is_json() -> None:
    assert str(FOUND) == "integrated_gradients: 我 ← I, $x_1 ← 狗"
    assert json.loads(json.dumps(FOUND.to_dict()))["values"][1] == [0.1, 0.2, -2.0]


@pytest.mark.quick
def test_the_page_holds_every_label_and_runs_none() -> None:
    shown = FOUND.to_html()
    assert shown == FOUND._repr_html_()
    assert "狗" in shown and "我" in shown and "&lt;b&gt;" in shown and "<b>" not in shown
    assert shown.count("<td title") == 6 and "-2.00" in shown


def labels_of(figure: Any) -> list[str]:
    """Tick labels, after the figure was drawn without a warning about a glyph."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.savefig(io.BytesIO(), format="png")
    axes = figure.axes[0]
    return [tick.get_text() for tick in (*axes.get_xticklabels(), *axes.get_yticklabels())]


@pytest.mark.quick
def test_the_picture_has_no_boxes_without_a_chinese_font(monkeypatch: pytest.MonkeyPatch) -> None:
    fonts = tuple(font for font in pictures._fonts() if font[0] == "DejaVu Sans")
    monkeypatch.setattr(pictures, "_fonts", lambda: fonts)
    labels = labels_of(FOUND.plot())
    assert "U+72D7" in labels and "U+6211" in labels and "<b>" in labels


@pytest.mark.quick
def test_the_picture_is_drawn_with_the_fonts_there_are() -> None:
    assert len(labels_of(FOUND.plot())) == 5


@pytest.mark.quick
def test_nothing_but_zeros_is_drawn_too() -> None:
    zeros = Explanation("occlusion", "token 0", ("a",), ("b",), np.zeros((1, 1)))
    assert labels_of(zeros.plot()) == ["a", "b"]
    assert "0.00" in zeros.to_html()
