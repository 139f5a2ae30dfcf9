"""Numbers made even: a power that takes a skewed column near a normal distribution (Yeo and Johnson 2000).

One number a column is learned, by maximum likelihood.
"""

from __future__ import annotations

from typing import Any

import numpy as np

#: Powers that are tried; 1 leaves a column as it is.
POWERS = np.linspace(-2, 2, 41)
#: What a power must gain in log-likelihood a record over leaving the column as it is.
GAIN = 0.02


def powered(value: Any, power: float) -> Any:
    """Yeo and Johnson's transform; increasing for every power.

    >>> powered(3.0, 1.0), round(float(powered(3.0, 0.0)), 4), round(float(powered(-3.0, 2.0)), 4)
    (3.0, 1.3863, -1.3863)
    """
    if power == 1.0:
        return value
    number = np.asarray(value, "float64")
    size = np.log1p(np.abs(number))
    up = size if abs(power) < 1e-9 else np.expm1(power * size) / power
    other = 2 - power
    down = size if abs(other) < 1e-9 else np.expm1(other * size) / other
    return np.where(number >= 0, up, -down)


def power(numbers: np.ndarray) -> float:
    """The power under which some numbers are most nearly normal; 1 where that gains little.

    >>> power(np.exp(np.random.default_rng(0).normal(size=500))) < 0.5
    True
    """
    numbers = np.asarray(numbers, "float64")
    if len(np.unique(numbers)) < 10:
        return 1.0
    slopes = (np.sign(numbers) * np.log1p(np.abs(numbers))).mean()

    def likelihood(at: float) -> float:
        spread = float(np.var(powered(numbers, at)))
        usable = np.isfinite(spread) and spread > 1e-300
        return -0.5 * float(np.log(spread)) + (at - 1) * float(slopes) if usable else -np.inf

    found = [likelihood(float(at)) for at in POWERS]
    best = int(np.argmax(found))
    return float(round(POWERS[best], 1)) if found[best] > likelihood(1.0) + GAIN else 1.0
