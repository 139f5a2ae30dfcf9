"""Returns and advantages of what happened, over steps and lanes. NumPy only."""

from __future__ import annotations

import numpy as np


def generalized_advantages(
    rewards: np.ndarray,
    values: np.ndarray,
    ended: np.ndarray,
    after: np.ndarray,
    discount: float,
    trace: float,
) -> np.ndarray:
    """Generalized advantage estimation (Schulman et al. 2016, equation 16).

    Args:
        rewards: ``[t, lanes]``; of a step that was truncated, with the discounted value of what came after.
        values: of the observations before each step, ``[t, lanes]``.
        ended: where the step was an episode's last, ``[t, lanes]``.
        after: value of the observations after the last step, ``[lanes]``.
        discount: of a reward one step later.
        trace: λ, how far the estimate goes by rewards and not by values.

    Returns:
        ``[t, lanes]``; with ``values``, what the value learns.

    >>> one = np.ones((2, 1), "float32")
    >>> generalized_advantages(one, 0 * one, one > 2, one[0], 0.5, 1.0).ravel().tolist()
    [1.75, 1.5]
    """
    found = np.empty_like(rewards)
    goes_on = (1.0 - ended).astype(rewards.dtype)
    following = np.concatenate([values[1:], after[None]])
    surprises = rewards + discount * following * goes_on - values
    fading = discount * trace * goes_on
    last = np.zeros_like(after)
    for step in range(len(rewards) - 1, -1, -1):
        last = surprises[step] + fading[step] * last
        found[step] = last
    return found


def discounted(rewards: np.ndarray, ended: np.ndarray, before: np.ndarray, discount: float) -> np.ndarray:
    """What was collected so far in each episode, each step fading: what rewards are scaled by.

    Args:
        rewards, ended: ``[t, lanes]``.
        before: collected before the first step, ``[lanes]``.
        discount: of what was collected, a step.

    Returns:
        ``[t, lanes]``, before an end sets it to 0.
    """
    found = np.empty_like(rewards)
    for step in range(len(rewards)):
        before = found[step] = before * discount + rewards[step]
        before = np.where(ended[step], 0, before)
    return found


def n_step_return(rewards: np.ndarray, discount: float) -> tuple[float, float]:
    """The discounted sum of some rewards, and the discount of what comes after them.

    >>> n_step_return(np.array([1.0, 1.0]), 0.5)
    (1.5, 0.25)
    """
    powers = discount ** np.arange(len(rewards))
    return float(powers @ rewards), float(discount ** len(rewards))
