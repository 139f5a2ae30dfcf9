"""Probabilities that mean what they say: logits are scaled, and for two labels shifted, on held-out cases.

Sources: Platt 1999 with the targets and Newton's steps of Lin, Lin and Weng 2007, for two labels; Guo et al.
2017 (temperature scaling) for several. The order of cases stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sixarts.classification import probabilities

#: Fewest held-out cases of each label from which a scale is learned.
FEWEST = 10
#: How far a scale may go from 1, either way.
FARTHEST = 20.0


@dataclass(frozen=True)
class Calibration:
    """What is done to logits before they become probabilities.

    Attributes:
        scale: what they are multiplied by; 1 / temperature.
        shift: what is then added to the last of two logits; 0 where there are more.
        count: on how many held-out cases it was learned; 0 where on none.
    """

    scale: float = 1.0
    shift: float = 0.0
    count: int = 0

    def __call__(self, logits: np.ndarray) -> np.ndarray:
        """Calibrated probabilities ``[n, labels]`` of logits of the same shape.

        >>> Calibration(scale=0.5)(np.array([[0.0, 2.0]])).round(3).tolist()
        [[0.269, 0.731]]
        """
        scaled = np.asarray(logits, "float64") * self.scale
        if self.shift:
            scaled = scaled + np.array([0.0, self.shift])
        return probabilities(scaled)


def calibrated(logits: np.ndarray, classes: np.ndarray) -> Calibration:
    """The calibration that held-out cases ask for: Platt's for two labels, a temperature for more.

    Args:
        logits: ``[n, labels]`` of cases that the network has not learned from.
        classes: the number of the right label of each.

    Returns:
        None at all (scale 1) where some label has fewer than :data:`FEWEST` cases.
    """
    count, labels = np.shape(logits)
    if np.bincount(classes, minlength=labels).min() < FEWEST:
        return Calibration()
    if labels == 2:
        scale, shift = _platt(np.asarray(logits, "float64"), np.asarray(classes))
    else:
        scale, shift = _inverse_temperature(np.asarray(logits, "float64"), np.asarray(classes)), 0.0
    if not 1 / FARTHEST <= scale <= FARTHEST:
        scale, shift = _inverse_temperature(np.asarray(logits, "float64"), np.asarray(classes)), 0.0
    return Calibration(float(scale), float(shift), count)


def _platt(logits: np.ndarray, classes: np.ndarray) -> tuple[float, float]:
    """Scale and shift of the log-odds, by Newton's method on Platt's softened targets."""
    odds = logits[:, 1] - logits[:, 0]
    ones = int(classes.sum())
    zeros = len(classes) - ones
    wanted = np.where(classes == 1, (ones + 1) / (ones + 2), 1 / (zeros + 2))
    columns = np.stack([odds, np.ones_like(odds)], axis=1)
    found = np.array([1.0, 0.0])

    def loss(at: np.ndarray) -> float:
        z = columns @ at
        return float((np.logaddexp(0, z) - wanted * z).sum())

    for _ in range(100):
        chance = 0.5 * (1 + np.tanh(0.5 * (columns @ found)))
        slope = columns.T @ (chance - wanted)
        curve = (columns * (chance * (1 - chance))[:, None]).T @ columns + 1e-12 * np.eye(2)
        step, size = np.linalg.solve(curve, slope), 1.0
        while loss(found - size * step) > loss(found) and size > 1e-10:
            size /= 2
        found = found - size * step
        if np.abs(size * step).max() < 1e-9:
            break
    return float(found[0]), float(found[1])


def _inverse_temperature(logits: np.ndarray, classes: np.ndarray) -> float:
    """What logits are to be multiplied by, so that the right labels are likeliest as a whole.

    The loss is convex in it: its slope is bisected.
    """
    own = logits[np.arange(len(classes)), classes]

    def slope(scale: float) -> float:
        mean = (probabilities(logits * scale) * logits).sum(axis=1)
        return float((mean - own).sum())

    low, high = 1 / FARTHEST, FARTHEST
    for _ in range(60):
        middle = (low * high) ** 0.5
        low, high = (low, middle) if slope(middle) > 0 else (middle, high)
    return (low * high) ** 0.5
