"""Positions to planes and outputs back, for networks of one game; the ``alphazero`` family's processor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from sixarts.errors import InputError, OptionError
from sixarts.model import Processor
from sixarts_game_ai.evaluation import Evaluation, legal_softmax, softmax
from sixarts_game_ai.games import start_of


class BoardProcessor(Processor):
    """Reads positions of one game.

    Args:
        game: its name with its parameters, e.g. ``"hex(board_size=5)"``.
        shape: of the planes: rows, columns, planes.
        actions: size of the policy.
        discount: what the network's value keeps with each ply.
    """

    def __init__(self, game: str, shape: Sequence[int], actions: int, discount: float) -> None:
        self.game, self.shape, self.actions, self.discount = game, tuple(shape), actions, discount

    @classmethod
    def from_folder(cls, folder: Path, config: Mapping[str, Any]) -> Self:
        return cls(config["game"], config["planes"], config["actions"], config["discount"])

    @classmethod
    def of(cls, position: Any, discount: float) -> Self:
        """The processor of a position's game."""
        shape = type(position).observations([position]).shape[1:]
        return cls(position.game, shape, position.actions, discount)

    def save(self, folder: Path) -> None:
        """Everything stands in ``config.json``."""

    def check(self, position: Any) -> None:
        """Raises :class:`InputError` for a position of another game or size."""
        if position.game != self.game:
            raise InputError(
                f"a position of {position.game} for a network of {self.game}; expected one of {self.game}; "
                "load a model of the other game with game=, or train one"
            )

    def arrays(self, positions: Sequence[Any]) -> dict[str, np.ndarray]:
        """The network's input for positions of its game."""
        return {"planes": type(positions[0]).observations(positions)}

    def mirrored(self, policy: np.ndarray) -> np.ndarray:
        """Policies of boards whose left and right are swapped, ``[b, actions]``."""
        rows, columns, _ = self.shape
        if self.actions == columns:
            return policy[:, ::-1]
        if self.actions == rows * columns:
            return policy.reshape(-1, rows, columns)[:, :, ::-1].reshape(policy.shape)
        mirror = getattr(start_of(self.game), "mirror", None)
        if mirror is None:
            raise OptionError(
                f"mirror=True for {self.game}; expected breakthrough, or a game whose actions are columns or "
                "cells"
            )
        return policy[:, mirror]

    def read(self, outputs: Mapping[str, np.ndarray], positions: Sequence[Any]) -> Evaluation:
        """What the network says of positions; half of a draw each for win and loss, where there is none."""
        wdl = softmax(np.asarray(outputs["wdl"], "float32"))
        if not getattr(positions[0], "draws", True):
            wdl = wdl + wdl[:, [1]] * np.array([0.5, -1.0, 0.5], "float32")
        value = np.asarray(outputs["value"], "float32")
        return Evaluation(legal_softmax(outputs["policy"], positions), value, wdl)
