"""How fast a SASRec learns: ours on each backend, and a plain one in PyTorch before and after each.

Run it as ``python tests/benchmarks/bench_recommendation.py [EPOCHS] [USERS] [ITEMS]``. Both sides have the
same network, loss (cross-entropy over all items at every real place), optimizer and histories; each has a
process of its own on the same two cores. Ratios are of medians of epochs, from histories to weights; an epoch
that compiles comes before. Exit code 1 when a limit is broken.
"""

from __future__ import annotations

import os
import sys
from statistics import median
from typing import Any

from sixarts.testing.workers import Worker, installed_backends

EPOCHS, USERS, ITEMS = 3, 5000, 12000
#: What the default backend must reach of the plain network's speed.
LIMIT = 1.0
DEFAULT, THREADS = "tensorflow", 2


def main(epochs: int = EPOCHS, users: int = USERS, items: int = ITEMS) -> int:
    """Prints every ratio with its limit; returns the exit code."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])
    workers: dict[str, Any] = {name: Worker(name) for name in sorted(installed_backends())}
    peer = Worker("torch")
    before = peer.call("shoppers:plain", users, items, epochs)
    print(f"{users:,} histories, {items:,} items; plain PyTorch {users / median(before):.0f} histories/s")
    broken = 0
    for name, worker in workers.items():
        found = worker.call("shoppers:ours", users, items, epochs)
        after = peer.call("shoppers:plain", users, items, epochs)
        # A machine that slows down meanwhile moves both alike.
        ratio = median([*before, *after]) / median(found)
        before, words = after, ""
        if name == DEFAULT:
            words, broken = ("TOO SLOW" if ratio < LIMIT else "ok"), broken + (ratio < LIMIT)
        speed = users / median(found)
        print(
            f"  ours on {name:<11} {speed:7.0f} histories/s  {ratio:.2f}x (at least {LIMIT}x)  {words}",
            flush=True,
        )
        worker.close()
    peer.close()
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
