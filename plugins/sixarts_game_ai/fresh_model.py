"""Models for recipes, begun anew without the registry of plugins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sixarts.device import Device
from sixarts_game_ai.alphazero import AlphaZero
from sixarts_game_ai.board_processor import BoardProcessor
from sixarts_game_ai.games import start_of


def fresh_model(game: str, network: Mapping[str, Any], device: str = "auto") -> AlphaZero:
    """An untrained network of a game."""
    config = AlphaZero.configure(**{**network, "game": game})
    processor = BoardProcessor.of(start_of(game), config["discount"])
    sized = {**config, "planes": list(processor.shape), "actions": processor.actions}
    return AlphaZero(AlphaZero.configure(**sized), processor, Device.of(device))
