"""Weights in large pages: where they are, they are the same."""

from __future__ import annotations

import re
from pathlib import Path

import keras
import numpy as np
import pytest

from sixarts import large_pages
from sixarts.compiled import to_numpy

pytestmark = pytest.mark.quick


def large() -> int:
    """Bytes of this process that lie in large pages."""
    told = Path("/proc/self/smaps_rollup").read_text()
    return 1024 * int(re.search(r"AnonHugePages:\s+(\d+)", told)[1])  # type: ignore[index]


def test_values_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_pages, "NETWORK", 2**20)
    values = np.random.default_rng(0).normal(size=(4, 1024, 1024)).astype("float32")
    variable, small = keras.Variable(values), keras.Variable(values[0, :2])
    before = large() if Path("/proc/self/smaps_rollup").is_file() else 0
    moved = large_pages.gather([variable, small])
    np.testing.assert_array_equal(to_numpy(variable.value), values)
    if not moved:
        pytest.skip("this system gives no large pages when asked")
    # 16 MB touch nine pages of 2 MB at most; the first and last may hold what is not there.
    assert 7 * large_pages.PAGE <= moved <= 9 * large_pages.PAGE
    assert large() >= before + 4 * large_pages.PAGE
    variable.assign(values + 1)
    np.testing.assert_array_equal(to_numpy(variable.value), values + 1)


def test_it_is_asked_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_pages, "NETWORK", 2**20)
    monkeypatch.setattr(large_pages, "ALLOWED", tmp_path / "enabled")
    variable = keras.Variable(np.zeros((1024, 1024), "float32"))
    assert large_pages.gather([variable]) == 0
    (tmp_path / "enabled").write_text("always madvise [never]\n")
    assert large_pages.gather([variable]) == 0


def test_small_networks_are_left_alone() -> None:
    assert large_pages.gather([keras.Variable(np.zeros((1024, 1024), "float32"))]) == 0
