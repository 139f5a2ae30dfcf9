"""How fast documents are summarized: ours on each backend, ``transformers`` and CTranslate2, in turn.

Run it as ``python tests/benchmarks/bench_summarization.py [PAIRS] [LENGTH]``; ``pip install ctranslate2``
first, or its row is left out. Every summarizer reads the same random weights of BART-base's size and gives as
many tokens with the same beams; each has a process of its own on the same two cores, and they take turns, so
that a busy machine slows all alike. Ratios are of medians over the pairs. A first call, which compiles, is
told apart. Exit code 1 when a limit is broken.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile
from statistics import median

import bench_translation
from bench_translation import verdict
from summarizers import THREADS

from sixarts.testing.workers import Worker, installed_backends

PAIRS = 5
#: Tokens of every source, and new ones of every summary.
SOURCE, LENGTH = 512, 62
BEAMS = 4
#: Rows, and the size of n-grams that may not come twice. Published summarizers set 3.
SIZES = ((1, 0), (1, 3), (4, 3))
#: What the better backend must reach of ``transformers``' speed, and of CTranslate2's.
PEERS = {"transformers": 1.2, "CTranslate2": 1.0}


class Racer(bench_translation.Racer):
    """One summarizer in its process."""

    module = "summarizers"


def race(racers: list[Racer], rows: int, ngram: int, pairs: int, length: int) -> int:
    """One batch of one length in turns; returns how many limits are broken."""
    told = f", no {ngram}-gram twice" if ngram else ""
    print(f"\n{rows} sources of {SOURCE} tokens, beam {BEAMS}, {length} tokens each{told}")
    times: dict[str, list[float]] = {}
    for _ in range(pairs + 1):
        for racer in racers:
            seconds, tokens = racer.run("generate", rows, SOURCE, BEAMS, length, ngram)
            assert {len(row) for row in tokens} == {length}, racer.name
            times.setdefault(racer.name, []).append(seconds)
    speeds = {name: rows * length / median(found[1:]) for name, found in times.items()}
    for name, found in times.items():
        first = f"  first call +{found[0] - median(found[1:]):.1f} s" if name not in PEERS else ""
        beside = speeds[name] / speeds["transformers"]
        print(f"  {name:<24} {speeds[name]:6.1f} tokens/s  {beside:5.2f}x of transformers{first}")
    best = max(speed for name, speed in speeds.items() if name not in PEERS)
    broken = 0
    for name in PEERS.keys() & speeds.keys():
        words, short = verdict(best / speeds[name], PEERS[name])
        broken += short
        print(f"  the best of ours beside {name}: {words}")
    return broken


def main(pairs: int = PAIRS, length: int = LENGTH) -> int:
    """Prints every ratio with its limit; returns the exit code."""
    if hasattr(os, "sched_setaffinity"):
        # Not every backend takes a number of threads; all of them count the cores that they may use.
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])
    with tempfile.TemporaryDirectory() as folder:
        writer = Worker("torch")
        writer.call("summarizers:write_model", folder)
        writer.close()
        racers = [Racer(f"ours on {name}", name, "ours", folder) for name in sorted(installed_backends())]
        racers.append(Racer("transformers", "torch", "transformers", folder))
        if importlib.util.find_spec("ctranslate2"):
            racers.append(Racer("CTranslate2", "torch", "ctranslate2", folder))
        broken = sum(race(racers, rows, ngram, pairs, length) for rows, ngram in SIZES)
        for racer in racers:
            racer.worker.close()
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:3])))
