"""How the board games' starters are learned: network, self-play, and how much of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sixarts_game_ai.self_play_options import SelfPlayTraining


@dataclass(frozen=True)
class Plan:
    """How a starter is learned.

    Attributes:
        game: as OpenSpiel calls it.
        network: settings of the family ``alphazero``.
        training: of self-play.
    """

    game: str
    network: Mapping[str, Any] = field(default_factory=dict)
    training: SelfPlayTraining = field(default_factory=SelfPlayTraining)


_BASE = SelfPlayTraining(
    iterations=60,
    positions=4000,
    games=128,
    simulations=24,
    reuse=8.0,
    batch_size=256,
    learning_rate=2e-3,
    replay=60_000,
)
PLANS = {
    "connect-four": Plan(
        "connect_four",
        {"filters": 32, "blocks": 5},
        replace(_BASE, iterations=90, openings=24, mirror=True),
    ),
    "breakthrough": Plan(
        "breakthrough",
        {"filters": 32, "blocks": 5, "discount": 0.99},
        replace(_BASE, openings=8, simulations=32, mirror=True),
    ),
    "tic-tac-toe": Plan(
        "tic_tac_toe",
        {"filters": 16, "blocks": 2, "policy_filters": 8, "value_filters": 8, "value_hidden": 32},
        SelfPlayTraining(
            iterations=30, positions=1024, games=128, simulations=32, openings=6, reuse=12.0, mirror=True
        ),
    ),
}
