"""Positions that KataGo's own program judged (version 1.17.2, built from source, Eigen), and what ours says.

``katago_oracle.npz`` holds 200 positions of 63 games, two thirds of them played by the network's policy, and
40 with kos and forbidden repetitions of random games on small boards: all planes and numbers that KataGo gave
to g170-b6c96, and its answers, rounded. ``katago_versions.json`` holds its answers for the drawn networks of
:mod:`katago_writer`.
"""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from katago_writer import drawn_file

import sixarts_game_ai
from sixarts_game_ai.go_rules import GoPosition
from sixarts_game_ai.katago import Katago

HERE = Path(__file__).parent
STARTER = Path(sixarts_game_ai.__file__).parent / "starters" / "go-b6c96"


@cache
def positions() -> list[dict[str, Any]]:
    """Each position with what KataGo made of it."""
    stored = np.load(HERE / "katago_oracle.npz")
    planes = np.unpackbits(stored["planes"])
    found, place = [], {"actions": 0, "planes": 0, "policy": 0, "ownership": 0}

    def take(name: str, source: np.ndarray, count: int) -> np.ndarray:
        place[name] += count
        return source[place[name] - count : place[name]]

    arrays = {name: stored[name] for name in stored.files}
    for row, size in enumerate(map(int, arrays["size"])):
        points = size * size
        actions = take("actions", arrays["actions"], int(arrays["moves"][row]))
        position = GoPosition(size, float(arrays["komi"][row]), str(arrays["rules"][arrays["rule"][row]]))
        for action in actions:
            position = position.play(int(action))
        found.append(
            {
                "position": position,
                "spatial": take("planes", planes, 22 * points).reshape(22, size, size).transpose(1, 2, 0),
                "global": arrays["numbers"][row],
                "policy": take("policy", arrays["policy"], points + 1) / 1e4,
                "ownership": take("ownership", arrays["ownership"], points).reshape(size, size) / 1e3,
                "white": arrays["values"][row],
            }
        )
    return found


def judged(model: Katago, position: GoPosition) -> dict[str, Any]:
    """What a network says, as KataGo's program writes it: for white."""
    said = model.processor.read(model(model.processor.arrays([position])), [position])
    sign = 1 if position.player else -1
    win, void, loss = said.wdl[0][::sign]
    extras = {name: value[0] for name, value in said.extras.items()}
    return {
        "policy": said.policy[0],
        "ownership": sign * extras["ownership"],
        "white": np.array([win, loss, void, sign * extras["lead"], sign * extras["score"]]),
        "squared": extras["score_stdev"] ** 2 + extras["score"] ** 2,
    }


def starter_answers(rows: list[int]) -> list[dict[str, Any]]:
    """What the starter says of some of the positions; runs on every backend."""
    model = Katago.from_folder(STARTER)
    return [judged(model, positions()[row]["position"]) for row in rows]


def drawn_answers(version: int, moves: dict[str, str], suffix: str = ".bin.gz") -> list[dict[str, Any]]:
    """What a drawn network says after moves on a board of 7, by rules; runs on every backend."""
    with tempfile.TemporaryDirectory() as folder:
        model = Katago.from_file(drawn_file(Path(folder), version, suffix))
    found = []
    for rules, played in moves.items():
        position = GoPosition(7, 6.5, rules)
        for move in played.split():
            position = position.play(position.parse(move))
        found.append(judged(model, position))
    return found
