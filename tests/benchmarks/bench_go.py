"""Positions a second of KataGo's b6c96 in a search: with planes and probabilities, beside the bare network.

Searches of 100 visits, 8 leaves at once, at positions of a game that the network plays. Of each batch of 8
the planes (with ladders), the network and the probabilities are timed, and the network alone on the same
arrays right after; ratios are of sums over all batches. Exit code 1 when a limit is broken.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

import sixarts_game_ai
from sixarts_game_ai.evaluation import Evaluation
from sixarts_game_ai.go_rules import GoPosition
from sixarts_game_ai.katago import Katago
from sixarts_game_ai.search import search
from sixarts_game_ai.search_settings import SearchSettings

STARTER = Path(sixarts_game_ai.__file__).parent / "starters" / "go-b6c96"
ROWS = 8
#: What must be left of the bare network's positions a second.
LIMIT = 0.8


class Timed:
    """An evaluator that notes what its parts take: planes, network, probabilities, network alone (s)."""

    def __init__(self, model: Katago) -> None:
        self.model, self.times = model, []

    def __call__(self, positions: list[GoPosition]) -> Evaluation:
        model, clock = self.model, time.perf_counter
        marks = [clock()]
        arrays = model.processor.arrays(positions)
        marks.append(clock())
        outputs = model(arrays)
        marks.append(clock())
        said = model.processor.read(outputs, positions)
        marks.append(clock())
        model(arrays)
        marks.append(clock())
        if len(positions) == ROWS:
            self.times.append(np.diff(marks))
        return said


def measure(model: Katago, size: int, positions: int) -> float:
    """The share that is left of the bare network's speed."""
    evaluate, position = Timed(model), GoPosition(size)
    settings = SearchSettings(simulations=100, lanes=ROWS, transpositions=False)
    every = max(1, size * size // 2 // positions)
    for move in range(size * size // 2):
        if move % every == 0:
            position = position.play(search([position], evaluate, settings)[0].best)
        else:
            said = model.processor.read(model(model.processor.arrays([position])), [position])
            position = position.play(int(said.policy[0].argmax()))
        if position.finished:
            break
    planes, network, reading, bare = np.array(evaluate.times[5:]).T
    # Both of the network's times are of the same arrays: what differs between them is the machine.
    alone = (network + bare).mean() / 2
    share = alone / (alone + (planes + reading).mean())
    print(
        f"{size} x {size}: bare network {ROWS / alone:.0f} positions/s, with all {share * ROWS / alone:.0f} "
        f"({share:.2f} of it); ms a batch of {ROWS}: network {1e3 * alone:.1f}, planes "
        f"{1e3 * planes.mean():.2f}, probabilities {1e3 * reading.mean():.2f}; {len(planes)} batches",
        flush=True,
    )
    return float(share)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[9, 19])
    parser.add_argument("--positions", type=int, default=20)
    chosen = parser.parse_args()
    model = Katago.from_folder(STARTER)
    shares = [measure(model, size, chosen.positions) for size in chosen.sizes]
    return int(min(shares) < LIMIT)


if __name__ == "__main__":
    sys.exit(main())
