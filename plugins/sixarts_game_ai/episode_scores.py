"""Figures of episodes' returns with intervals, as rliable reports them (Agarwal et al. 2021). NumPy only."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from sixarts.result import Metric, Metrics

#: Draws of a bootstrap, and its seed.
DRAWS, SEED = 10_000, 0


def interquartile_mean(returns: np.ndarray) -> np.ndarray:
    """The mean of the middle half along the last axis (Agarwal et al. 2021, section 4.3).

    A quarter of the values, rounded down, goes at each end.

    >>> float(interquartile_mean(np.array([0.0, 1.0, 2.0, 100.0])))
    1.5
    """
    count = returns.shape[-1]
    cut = count // 4
    return np.sort(returns, axis=-1)[..., cut : count - cut].mean(axis=-1)


#: What is reported of episodes, by name.
FIGURES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "mean": lambda values: values.mean(axis=-1),
    "median": lambda values: np.median(values, axis=-1),
    "iqm": interquartile_mean,
}


def bootstrapped(
    values: Sequence[float] | np.ndarray, figure: Callable[[np.ndarray], np.ndarray], draws: int = DRAWS
) -> Metric:
    """A figure with its 95 % interval by percentiles of bootstrap draws over the values."""
    rows = np.asarray(values, "float64")
    random = np.random.default_rng(SEED)
    drawn = np.concatenate(
        [
            figure(rows[random.integers(len(rows), size=(1000, len(rows)))])
            for _ in range(max(1, draws // 1000))
        ]
    )
    value = float(figure(rows))
    low, high = np.percentile(drawn, (2.5, 97.5))
    # Of few values a figure may lie beyond its draws by rounding.
    return Metric(value, min(float(low), value), max(float(high), value))


def episode_metrics(returns: Sequence[float], lengths: Sequence[int], name: str) -> Metrics:
    """Mean, median and interquartile mean of returns, and the mean length.

    Args:
        returns, lengths: of each episode.
        name: of the environment, for the protocol.
    """
    values = {figure: bootstrapped(returns, function) for figure, function in FIGURES.items()}
    values["length"] = bootstrapped(lengths, FIGURES["mean"])
    protocol = (
        f"returns of {len(returns)} episodes of {name}, each of a seed of its own, actions without noise; "
        "95 % "
        f"percentile bootstrap of {DRAWS:,} draws over episodes"
    )
    return Metrics(values, protocol, len(returns))
