"""How fast the search and self-play of Connect Four are, with the starter's network.

Run it as ``python tests/benchmarks/bench_games.py [SIMULATIONS] [GAMES]``. OpenSpiel's Python tree search
asks the same network for one position at a time; self-play of 64 games in a batch stands beside the same code
with one game. Each backend has a process of its own on the same two cores, both sides run in it in turn, and
ratios are of medians. Exit code 1 when a limit is broken on the default backend.
"""

from __future__ import annotations

import os
import sys
from statistics import median
from typing import Any

from sixarts.testing.workers import Worker, installed_backends

SIMULATIONS, GAMES = 400, 64
SEARCH_LIMIT, PLAY_LIMIT = 5.0, 8.0
DEFAULT, THREADS = "tensorflow", 2


def main(simulations: int = SIMULATIONS, games: int = GAMES) -> int:
    """Prints every ratio with its limit; returns the exit code."""
    os.environ["OMP_NUM_THREADS"] = str(THREADS)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])
    broken = 0
    for name in sorted(installed_backends()):
        worker: Any = Worker(name)
        ours, theirs = worker.call("players:searches", simulations, 3)
        broken += told(name, "simulations/s", ours, theirs, SEARCH_LIMIT, "OpenSpiel's Python search")
        many, one = worker.call("players:plays", games, 5)
        broken += told(name, f"positions/s, {games} games", many, one, PLAY_LIMIT, "one game at a time")
        worker.close()
    return 1 if broken else 0


def told(name: str, what: str, ours: list[float], other: list[float], limit: float, beside: str) -> int:
    """Prints a ratio of medians; tells whether it breaks the limit on the default backend."""
    ratio = median(ours) / median(other)
    words = "" if name != DEFAULT else "TOO SLOW" if ratio < limit else "ok"
    print(
        f"  {name:<11} {what:<26} {median(ours):8.0f}  {beside} {median(other):7.0f}  "
        f"{ratio:5.1f}x (at least {limit}x)  {words}",
        flush=True,
    )
    return int(name == DEFAULT and ratio < limit)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
