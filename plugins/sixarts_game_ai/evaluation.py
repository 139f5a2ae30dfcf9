"""What a network says of positions, one row each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sixarts_game_ai.rules import Position


@dataclass(frozen=True)
class Evaluation:
    """What a network says of ``b`` positions of one game.

    Attributes:
        policy: probabilities of actions, ``[b, actions]``; 0 where illegal, each row adds up to 1.
        value: what the search makes as large as it can, for the player to move, in [-1, 1], ``[b]``.
        wdl: probabilities of win, draw and loss for the player to move, ``[b, 3]``.
        extras: more, with rows as above, e.g. Go's score lead.
    """

    policy: np.ndarray
    value: np.ndarray
    wdl: np.ndarray
    extras: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.value)


def legal_softmax(logits: np.ndarray, positions: Sequence[Position]) -> np.ndarray:
    """Logits to probabilities of the legal actions, ``[b, actions]``; rows of finished positions are 0."""
    legal = np.array([position.legal() for position in positions])
    high = np.max(logits, axis=1, keepdims=True, where=legal, initial=-1e30)
    shares = np.where(legal, np.exp(np.minimum(logits - high, 0.0)), 0.0)
    return np.asarray(shares / np.maximum(shares.sum(axis=1, keepdims=True), 1e-30), "float32")


def softmax(logits: np.ndarray) -> np.ndarray:
    """Logits to probabilities over the last axis."""
    shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=-1, keepdims=True), "float32")


def uniform(positions: Sequence[Position]) -> Evaluation:
    """Knows nothing: every legal action alike, every position a draw. The baseline of any network."""
    blank: Any = np.zeros((len(positions), positions[0].actions), "float32")
    wdl = np.tile(np.array([0.0, 1.0, 0.0], "float32"), (len(positions), 1))
    return Evaluation(legal_softmax(blank, positions), np.zeros(len(positions), "float32"), wdl)
