"""How fast reviews are classified, from texts to labels: ours on each backend, and the text pipeline of
``transformers``, in turn.

Run it as ``python tests/benchmarks/bench_text.py [TURNS] [REVIEWS]``. Both sides read the same random weights
of DistilBERT-base's size and the same texts of mixed length; each has a process of its own on the same two
cores. Ratios are of medians. Exit code 1 when a limit is broken.
"""

from __future__ import annotations

import os
import sys
import tempfile
from statistics import median
from typing import Any

from reviews import THREADS, written

from sixarts.testing.workers import Worker, installed_backends

TURNS, REVIEWS = 3, 1000
#: What the default backend must reach of the pipeline's speed: many reviews in a stream, and one short text.
MANY, ONE = 1.5, 1.0
BATCH = 32
#: Short texts that are classified one after another in one turn.
SHORT = 20
DEFAULT = "tensorflow"


def main(turns: int = TURNS, reviews: int = REVIEWS) -> int:
    """Prints every ratio with its limit; returns the exit code."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])
    broken = 0
    workers: dict[str, Any] = {name: Worker(name) for name in sorted(installed_backends())}
    peer = Worker("torch")
    with tempfile.TemporaryDirectory() as folder:
        peer.call("reviews:write_model", folder)
        texts = written(reviews)
        words = sorted(len(text.split()) for text in texts)
        print(f"{reviews} reviews of {words[0]} to {words[-1]} words, the middle one {words[reviews // 2]}")
        broken += compare(workers, peer, folder, "many", texts, MANY, turns)
        broken += compare(workers, peer, folder, "one", written(SHORT, short=True), ONE, turns)
    for worker in (*workers.values(), peer):
        worker.close()
    return 1 if broken else 0


def compare(
    workers: dict[str, Any], peer: Any, folder: str, how: str, texts: list[str], limit: float, turns: int
) -> int:
    """One way to ask, on every backend; returns how many limits are broken."""
    times: dict[str, list[float]] = {}
    labels: dict[str, list[str]] = {}
    # The first turn compiles, and does not count.
    for _ in range(turns + 1):
        for name, worker in workers.items():
            seconds, labels[name] = worker.call(f"reviews:ours_{how}", folder, texts, BATCH)
            times.setdefault(name, []).append(seconds)
        seconds, labels["transformers"] = peer.call(f"reviews:transformers_{how}", folder, texts, BATCH)
        times.setdefault("transformers", []).append(seconds)
    assert all(found == labels["transformers"] for found in labels.values()), "other labels"
    speeds = {name: len(texts) / median(found[1:]) for name, found in times.items()}
    print(f"\n{how}: transformers {speeds['transformers']:.1f} texts/s", flush=True)
    broken = 0
    for name in workers:
        ratio = speeds[name] / speeds["transformers"]
        words = ""
        if name == DEFAULT:
            words, broken = ("TOO SLOW" if ratio < limit else "ok"), broken + (ratio < limit)
        print(
            f"  ours on {name:<11} {speeds[name]:7.1f} texts/s  {ratio:.2f}x (at least {limit}x)  {words}",
            flush=True,
        )
    return broken


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
