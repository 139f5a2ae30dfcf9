"""How fast photos are classified, from JPEG files to labels: ours on each backend, and the image pipeline of
``transformers``, in turn.

Run it as ``python tests/benchmarks/bench_images.py [TURNS]``. Both sides read the same random weights of
ViT-B/16's and ResNet-50's size and the same files; each has a process of its own on the same two cores.
Ratios are of medians. Exit code 1 when a limit is broken.
"""

from __future__ import annotations

import os
import sys
import tempfile
from statistics import median
from typing import Any

from pictures import THREADS, write_photos

from sixarts.testing.workers import Worker, installed_backends

TURNS = 5
#: Batch size to how many photos are classified with it in one turn: several of a stream's windows.
PHOTOS = {1: 32, 8: 64}
#: What the default backend must reach of the pipeline's speed, and of its own network's at a batch of 8.
LIMITS, ALONE = {"vit": 1.0, "resnet": 1.2}, 0.85
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
        for kind, limit in LIMITS.items():
            folder = f"{place}/{kind}"
            peer.call("pictures:write_model", folder, kind)
            for batch, count in PHOTOS.items():
                broken += compare(workers, peer, folder, kind, photos[:count], batch, limit, turns)
    for worker in (*workers.values(), peer):
        worker.close()
    return 1 if broken else 0


def compare(
    workers: dict[str, Any],
    peer: Any,
    folder: str,
    kind: str,
    photos: list[str],
    batch: int,
    limit: float,
    turns: int,
) -> int:
    """One model at one batch size; returns how many limits are broken."""
    times: dict[str, list[float]] = {}
    alone: dict[str, list[float]] = {}
    labels: dict[str, list[str]] = {}
    for _ in range(turns + 1):
        for name, worker in workers.items():
            seconds, labels[name] = worker.call("pictures:ours_classify", folder, photos, batch)
            times.setdefault(name, []).append(seconds)
            network = worker.call("pictures:ours_network", folder, len(photos) // batch, batch)
            alone.setdefault(name, []).append(network)
        seconds, labels["transformers"] = peer.call("pictures:transformers_classify", folder, photos, batch)
        times.setdefault("transformers", []).append(seconds)
    assert all(found == labels["transformers"] for found in labels.values()), "other labels"
    speeds = {name: len(photos) / median(found[1:]) for name, found in times.items()}
    print(f"\n{kind}, batches of {batch}: transformers {speeds['transformers']:.2f} photos/s", flush=True)
    broken = 0
    for name in workers:
        ratio = speeds[name] / speeds["transformers"]
        share = median(alone[name][1:]) / median(times[name][1:])
        words = ""
        if name == DEFAULT:
            short = ratio < limit or (batch == 8 and share < ALONE)
            words, broken = ("TOO SLOW" if short else "ok"), broken + short
        print(
            f"  ours on {name:<11} {speeds[name]:6.2f} photos/s  {ratio:.2f}x (at least {limit:.1f}x)  "
            f"{share:.2f} of the network alone (at least {ALONE} in batches of 8)  {words}",
            flush=True,
        )
    return broken


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
