"""Transitions that a DQN learns from again and again, drawn evenly or by how wrong it was. NumPy only."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from sixarts_game_ai.advantages import n_step_return

#: Added to every error, so that nothing is never drawn again.
LEAST = 1e-6


class Drawn(NamedTuple):
    """Some transitions.

    Attributes:
        rows: their places.
        arrays: ``observations``, ``actions``, ``returns`` over the steps, ``after`` (the observations then),
        and
            ``discounts`` of what comes after (0 where the episode ended).
        weights: of each in the loss, 1 at most.
    """

    rows: np.ndarray
    arrays: dict[str, np.ndarray]
    weights: np.ndarray


class Replay:
    """The last transitions; what is added beyond ``size`` takes the place of the oldest.

    Prioritized replay (Schaul et al. 2016, proportional): drawn by error to the power of ``alpha``, from
    sums that are made once a call, so that no tree is needed.

    Args:
        size: how many are kept.
        shape, dtype: of an observation.
        alpha: 0 draws evenly.
    """

    def __init__(self, size: int, shape: tuple[int, ...], dtype: Any, alpha: float = 0.0) -> None:
        self.size, self.alpha = size, alpha
        self.count, self.next = 0, 0
        self.arrays = {
            "observations": np.zeros((size, *shape), dtype),
            "actions": np.zeros(size, "int32"),
            "returns": np.zeros(size, "float32"),
            "after": np.zeros((size, *shape), dtype),
            "discounts": np.zeros(size, "float32"),
        }
        self.priorities = np.zeros(size)
        self.highest = 1.0

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        return sum(array.nbytes for array in self.arrays.values())

    def add(self, **transition: Any) -> None:
        """One transition, at the highest priority so far."""
        for name, value in transition.items():
            self.arrays[name][self.next] = value
        self.priorities[self.next] = self.highest**self.alpha
        self.next = (self.next + 1) % self.size
        self.count = min(self.count + 1, self.size)

    def draw(self, random: np.random.Generator, count: int, beta: float) -> Drawn:
        """Transitions drawn with replacement.

        Args:
            random: draws them.
            count: how many.
            beta: how far weights undo that they are not drawn evenly; 1 does so wholly.
        """
        if self.alpha:
            sums = np.cumsum(self.priorities[: self.count])
            rows = np.searchsorted(sums, random.random(count) * sums[-1], side="right")
            rows = np.minimum(rows, self.count - 1)
            chances = self.priorities[: self.count] / sums[-1]
            weights = (chances[rows] / chances.min()) ** -beta
        else:
            rows, weights = random.integers(self.count, size=count), np.ones(count)
        found = {name: array[rows] for name, array in self.arrays.items()}
        return Drawn(rows, found, weights.astype("float32"))

    def found(self, rows: np.ndarray, errors: np.ndarray) -> None:
        """How wrong the network was about these."""
        if self.alpha:
            sizes = np.abs(errors).astype("float64") + LEAST
            self.highest = max(self.highest, float(sizes.max()))
            self.priorities[rows] = sizes**self.alpha

    def tensors(self) -> dict[str, np.ndarray]:
        """What a checkpoint keeps."""
        kept = {f"replay.{name}": array[: self.count] for name, array in self.arrays.items()}
        kept = {name: array.astype("uint8") if array.dtype == bool else array for name, array in kept.items()}
        return kept | {"replay.priorities": self.priorities[: self.count]}

    def restore(self, tensors: Mapping[str, np.ndarray], following: int, highest: float) -> None:
        """Takes up what a checkpoint kept."""
        self.count, self.next, self.highest = len(tensors["replay.actions"]), following, highest
        for name, array in self.arrays.items():
            array[: self.count] = tensors[f"replay.{name}"]
        self.priorities[: self.count] = tensors["replay.priorities"]


class Waiting:
    """Steps of one lane whose return over ``n`` steps is not known yet.

    Args:
        replay: where transitions go once it is.
        n: how many steps.
        discount: of a reward one step later.
    """

    def __init__(self, replay: Replay, n: int, discount: float) -> None:
        self.replay, self.n, self.discount = replay, n, discount
        self.steps: deque[tuple[np.ndarray, int, float]] = deque()

    def add(self, seen: np.ndarray, action: int, reward: float) -> None:
        """One step; call :meth:`pass_on` with what came after it."""
        self.steps.append((seen, action, reward))

    def pass_on(self, after: np.ndarray, terminated: bool, ended: bool) -> None:
        """Adds the step that has its ``n`` rewards, or at an episode's end every step that waits."""
        while self.steps and (ended or len(self.steps) == self.n):
            rewards = np.array([reward for *_, reward in self.steps])
            total, left = n_step_return(rewards, self.discount)
            seen, action, _ = self.steps.popleft()
            self.replay.add(
                observations=seen,
                actions=action,
                returns=total,
                after=after,
                discounts=0.0 if terminated else left,
            )
