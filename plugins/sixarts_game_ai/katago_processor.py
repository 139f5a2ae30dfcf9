"""What goes into KataGo's networks and what comes out of them, in NumPy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sixarts.errors import InputError, OptionError
from sixarts.model import Processor
from sixarts_game_ai.evaluation import Evaluation, legal_softmax, softmax
from sixarts_game_ai.go_board import SIZES
from sixarts_game_ai.go_planes import planes
from sixarts_game_ai.go_rules import GoPosition, komi_fits, rules_named
from sixarts_game_ai.rules import Position

#: The game that a network plays when none is named.
GAME: dict[str, Any] = {"board_size": 19, "komi": None, "rules": "tromp-taylor"}
#: A position where one move is clearly best, which hardly depends on how numbers are rounded.
SAMPLE = {"board_size": 9, "moves": "E5 G5 G6 F6 F5 G7 H6 G4 F7 E6 E7"}
#: How much of what the search maximizes is the score, so that points are not thrown away in a won game.
SCORE_SHARE = 0.05


class KatagoProcessor(Processor):
    """Positions to planes, and outputs to probabilities.

    Args:
        config: the network's description, with ``board_size``, ``komi`` and ``rules``.

    Attributes:
        game: ``None``: a network plays Go of every size and rule that it was trained for.
        sample: an input, for the golden answer of a saved folder.
    """

    game = None
    sample = SAMPLE

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.version = int(config.get("version", 8))
        self.scales = dict(config.get("scales", {}))
        self.always_suicide = bool(config.get("always_suicide", False))
        self.settings = self.game_of(config)

    @staticmethod
    def game_of(config: Mapping[str, Any]) -> dict[str, Any]:
        """Size, komi and rules of the game that is played when none is named.

        Raises:
            OptionError: values that there are not.
        """
        chosen = {name: config.get(name, usual) for name, usual in GAME.items()}
        size = chosen["board_size"]
        if type(size) is not int or size not in SIZES:
            raise OptionError(f"board_size={size!r}; expected {SIZES[0]} to {SIZES[-1]}")
        if not isinstance(chosen["rules"], str):
            raise OptionError(f"rules={chosen['rules']!r}; expected a name")
        rules = rules_named(chosen["rules"])
        chosen["rules"] = rules.name
        komi = rules.komi if chosen["komi"] is None else chosen["komi"]
        if type(komi) not in (int, float):
            raise OptionError(f"komi={komi!r}; expected a number")
        chosen["komi"] = komi_fits(komi, size)
        return chosen

    @classmethod
    def from_folder(cls, folder: Path, config: Mapping[str, Any]) -> KatagoProcessor:
        """Everything is in ``config.json``."""
        return cls(config)

    def save(self, folder: Path) -> None:
        """Nothing beside ``config.json``."""

    def start(self) -> GoPosition:
        """The start of the game that is played when none is named."""
        chosen = self.settings
        return GoPosition(chosen["board_size"], chosen["komi"], chosen["rules"])

    def check(self, position: Position) -> None:
        """Refuses what is no Go.

        Raises:
            InputError: a position of another game.
        """
        if not isinstance(position, GoPosition):
            raise InputError(
                f"a position of {getattr(position, 'game', type(position).__name__)}; expected Go, which "
                "this network plays"
            )

    def arrays(self, positions: Sequence[Position]) -> dict[str, np.ndarray]:
        """Positions of one size as the network's inputs, a row each."""
        found: list[GoPosition] = []
        for position in positions:
            self.check(position)
            found.append(position)  # type: ignore[arg-type]
        if len({position.size for position in found}) != 1:
            raise InputError("boards of several sizes in one batch; expected one size")
        return planes(found, self.always_suicide)

    def read(self, outputs: Mapping[str, np.ndarray], positions: Sequence[Position]) -> Evaluation:
        """Outputs as probabilities, for the player to move.

        ``extras`` are, a row a position and for the mover: ``lead`` (points), ``score`` and ``score_stdev``
        (of self-play), ``ownership`` ``[b, size, size]`` from -1 to 1, ``no_result``.
        """
        found: list[GoPosition] = list(positions)  # type: ignore[arg-type]
        policy = legal_softmax(outputs["policy"], positions)
        values = np.array(outputs["wdl"], "float32")
        # Where every repetition is forbidden, no game ends without a result.
        certain = np.array([p.rules.ko != "simple" and p.rules.scoring != "territory" for p in found], bool)
        values[certain, 1] = -1e5
        win, void, loss = softmax(values).T
        score = outputs["score"]
        there = 1.0 - void
        mean = score[:, 0] * self.scales["score_mean"]
        stdev = _softplus(score[:, 1]) * self.scales["score_stdev"]
        lead = score[:, 2] * self.scales["lead"] * there
        sides = np.array([p.size for p in found], "float32")
        utility = np.arctan(lead / (2.0 * sides)) * (2.0 / np.pi)
        return Evaluation(
            policy=policy,
            value=np.clip((win - loss) * (1.0 - SCORE_SHARE) + SCORE_SHARE * utility, -1.0, 1.0),
            wdl=np.stack([win, void, loss], axis=1),
            extras={
                "lead": lead,
                "score": mean * there,
                "score_stdev": np.sqrt(np.maximum(0.0, there * (mean**2 + stdev**2) - (mean * there) ** 2)),
                "ownership": np.tanh(outputs["ownership"]),
                "no_result": void,
            },
        )


def _softplus(x: np.ndarray) -> np.ndarray:
    return np.asarray(np.logaddexp(0.0, x), "float32")
