"""Mean and variance of what comes by, as normalization needs them. NumPy only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

EPSILON = 1e-8


@dataclass(frozen=True)
class RunningStatistics:
    """Mean and variance of all batches so far, number by number.

    Attributes:
        mean, variance: ``[n]``; empty before the first batch.
        count: how many rows they are of.

    >>> found = RunningStatistics().updated(np.array([[1.0], [2.0]])).updated(np.array([[6.0]]))
    >>> float(found.mean[0]), round(float(found.variance[0]), 4), found.count
    (3.0, 4.6667, 3)
    """

    mean: np.ndarray = field(default_factory=lambda: np.zeros(0))
    variance: np.ndarray = field(default_factory=lambda: np.zeros(0))
    count: float = 0

    @classmethod
    def of(cls, told: dict[str, Any]) -> RunningStatistics:
        """What :meth:`told` gave."""
        return cls(np.array(told["mean"]), np.array(told["variance"]), told["count"])

    def told(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"mean": self.mean.tolist(), "variance": self.variance.tolist(), "count": self.count}

    def updated(self, rows: np.ndarray) -> RunningStatistics:
        """With these rows ``[b, …]``, too (Chan, Golub and LeVeque 1983)."""
        flat = rows.reshape(len(rows), -1).astype("float64")
        mean, variance, count = flat.mean(axis=0), flat.var(axis=0), len(flat)
        if not self.count:
            return RunningStatistics(mean, variance, count)
        total = self.count + count
        apart = mean - self.mean
        squares = self.variance * self.count + variance * count + apart**2 * self.count * count / total
        return RunningStatistics(self.mean + apart * (count / total), squares / total, total)

    def applied(self, rows: np.ndarray, furthest: float) -> np.ndarray:
        """Rows ``[b, …]`` at mean 0 and deviation 1, cut at ``furthest``; as they are before any batch."""
        if not self.count:
            return rows
        shape = rows.shape[1:]
        mean, scale = self.mean.astype("float32"), (1 / np.sqrt(self.variance + EPSILON)).astype("float32")
        normal = (rows - mean.reshape(shape)) * scale.reshape(shape)
        return np.clip(normal, -furthest, furthest)
