"""How fast objects are found, from JPEG files to boxes: ours on each backend, and ``transformers``, in turn.

Run it as ``python tests/benchmarks/bench_detection.py [TURNS]``. Both sides read the same random weights of
DETR-R50's and RT-DETR-R18's size and the same files; each has a process of its own on the same two cores.
Ratios are of medians. Exit code 1 when the default backend breaks a limit.
"""

from __future__ import annotations

import os
import sys
import tempfile
from statistics import median
from typing import Any

import numpy as np
from pictures import THREADS, write_photos

from sixarts.testing.workers import Worker, installed_backends

TURNS = 3
#: Batch size to how many photos are looked at with it in one turn.
PHOTOS = {1: 2, 4: 4}
LIMIT = 1.1
DEFAULT = "tensorflow"


def main(turns: int = TURNS) -> int:
    """Prints every ratio with its limit; returns the exit code."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])
    broken = 0
    workers: dict[str, Any] = {name: Worker(name) for name in sorted(installed_backends())}
    peer = Worker("torch")
    with tempfile.TemporaryDirectory() as place:
        write_photos(place, max(PHOTOS.values()))
        photos = [f"{place}/{number:03}.jpg" for number in range(max(PHOTOS.values()))]
        for kind in ("detr", "rt_detr"):
            folder = f"{place}/{kind}"
            peer.call("detectors:write_model", folder, kind)
            for batch, count in PHOTOS.items():
                broken += compare(workers, peer, folder, kind, photos[:count], batch, turns)
    for worker in (*workers.values(), peer):
        worker.close()
    return 1 if broken else 0


def compare(
    workers: dict[str, Any], peer: Any, folder: str, kind: str, photos: list[str], batch: int, turns: int
) -> int:
    """One model at one batch size; returns how many limits are broken."""
    times: dict[str, list[float]] = {}
    scores: dict[str, Any] = {}
    for _ in range(turns + 1):
        for name, worker in workers.items():
            seconds, scores[name] = worker.call("detectors:ours_detect", folder, photos, batch)
            times.setdefault(name, []).append(seconds)
        seconds, scores["transformers"] = peer.call("detectors:transformers_detect", folder, photos, batch)
        times.setdefault("transformers", []).append(seconds)
    for name, found in scores.items():
        # Random weights give many boxes of nearly one score, and pictures are resized by other libraries.
        assert np.allclose(found, scores["transformers"], atol=0.02), f"{name} is otherwise sure"
    speeds = {name: len(photos) / median(found[1:]) for name, found in times.items()}
    print(f"\n{kind}, batches of {batch}: transformers {speeds['transformers']:.3f} photos/s", flush=True)
    broken = 0
    for name in workers:
        ratio = speeds[name] / speeds["transformers"]
        words = ""
        if name == DEFAULT:
            words, broken = ("TOO SLOW" if ratio < LIMIT else "ok"), broken + (ratio < LIMIT)
        print(
            f"  ours on {name:<11} {speeds[name]:.3f} photos/s  {ratio:.2f}x (at least {LIMIT}x)  {words}",
            flush=True,
        )
    return broken


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
