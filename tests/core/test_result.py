"""Results: typed, printable, plottable, JSON-able."""

from __future__ import annotations

import io
import json
import warnings
from dataclasses import FrozenInstanceError, dataclass, field
from typing import Any

import numpy as np
import pytest

from sixarts.result import Failure, Footprint, Metric, Metrics, Result, plain

pytestmark = pytest.mark.quick


@dataclass(frozen=True)
class Boxes(Result):
    label: str
    boxes: np.ndarray
    inner: Any = None
    by_name: dict[Any, Any] = field(default_factory=dict)


RESULTS = [
    Boxes("<b>cat & 狗</b>", np.eye(2, dtype="float16"), Metric(1.0, 0.5, 2.0), {1: np.int64(3), "s": {2.5}}),
    Failure("an empty text", "InputError", 3),
    Metrics({"bleu": Metric(31.2, 29.0, 33.0), "chrf": Metric(50.0, 50.0, 50.0)}, "sig", 7),
    Footprint(1000, 4000, None, 0.1, None, "by hand"),
]


@pytest.mark.parametrize("result", RESULTS, ids=lambda result: type(result).__name__)
def test_every_result_is_json_prints_shows_and_plots(result: Result) -> None:
    assert json.loads(json.dumps(result.to_dict())).keys() == result.to_dict().keys()
    assert str(result)
    shown = result._repr_html_()
    assert "<table>" in shown and "<b>cat" not in shown
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result.plot().savefig(io.BytesIO(), format="png")
    with pytest.raises(FrozenInstanceError):
        result.label = "other"  # type: ignore[attr-defined]


def test_values_become_plain() -> None:
    assert RESULTS[0].to_dict() == {
        "label": "<b>cat & 狗</b>",
        "boxes": [[1.0, 0.0], [0.0, 1.0]],
        "inner": {"value": 1.0, "low": 0.5, "high": 2.0, "confidence": 0.95},
        "by_name": {"1": 3, "s": [2.5]},
    }
    assert plain(np.float32(0.5)) == 0.5 and type(plain(np.bool_(True))) is bool


def test_a_failure_is_false_and_says_why() -> None:
    assert not RESULTS[1] and str(RESULTS[1]) == "InputError: an empty text"
    assert bool(RESULTS[0])


def test_metrics_say_figure_interval_and_protocol() -> None:
    metrics = RESULTS[2]
    assert isinstance(metrics, Metrics)
    assert metrics["bleu"].value == 31.2
    assert str(metrics) == "bleu 31.2 [29, 33]  chrf 50 [50, 50]  (7 examples; sig)"


def test_what_is_unknown_is_said() -> None:
    assert "unknown FLOPs" in str(RESULTS[3]) and "energy unknown" in str(RESULTS[3])
