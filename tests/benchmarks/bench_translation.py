"""How fast texts are translated: ours on each backend, ``transformers`` and CTranslate2, in turn.

Run it as ``python tests/benchmarks/bench_translation.py [PAIRS]``; ``pip install ctranslate2`` first, or its
rows are left out. Every translator reads the same random weights of opus-mt's size and gives as many tokens;
each has a process of its own on the same two cores, and they take turns, so that a busy machine slows all
alike. Ratios are of medians over the pairs. A first call, which compiles, is told apart. Exit code 1 when a
limit is broken.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile
from statistics import median
from typing import Any

from translators import THREADS

from sixarts.testing.workers import Worker, installed_backends

PAIRS = 5
#: New tokens of each sentence where one batch is timed.
LENGTH = 62
SENTENCES = 512
#: Rows and beams to what each backend must reach of ``transformers``' speed.
LIMITS = {
    (16, 1): {"jax": 1.5, "tensorflow": 1.2, "torch": 1.0},
    (1, 1): {"jax": 1.1, "tensorflow": 1.1, "torch": 1.0},
    (16, 4): {"jax": 1.5, "tensorflow": 1.2, "torch": 1.0},
    (1, 4): {"jax": 1.1, "tensorflow": 1.1, "torch": 1.0},
}
#: What the better backend must reach of CTranslate2's, and each backend of ``transformers``' on a corpus.
ENGINE, CORPUS = 1.0, 1.5
#: Most shapes of batches that a corpus may need.
SHAPES = 6


class Racer:
    """One translator in its process.

    Attributes:
        module: where its functions are.
    """

    module = "translators"

    def __init__(self, name: str, backend: str, kind: str, folder: str) -> None:
        self.name, self.kind, self.folder = name, kind, folder
        # What JAX compiled in an earlier run would hide what compiling costs.
        self.worker = Worker(backend, {"SIXARTS_HOME": f"{folder}/home-{kind}-{backend}"})

    def run(self, what: str, *arguments: Any) -> Any:
        return self.worker.call(f"{self.module}:{self.kind}_{what}", self.folder, *arguments)


def verdict(ratio: float, limit: float | None) -> tuple[str, bool]:
    """A ratio beside its limit, in words, and whether it falls short."""
    if limit is None:
        return f"{ratio:5.2f}x", False
    return f"{ratio:5.2f}x of at least {limit:.1f}x  {'ok' if ratio >= limit else 'TOO SLOW'}", ratio < limit


def batches(ours: list[Racer], peers: list[Racer], pairs: int) -> int:
    """One batch of one length, for each size; returns how many limits are broken."""
    broken = 0
    for (rows, beams), limits in LIMITS.items():
        print(f"\n{rows} sentences, {'greedy' if beams == 1 else f'beam {beams}'}, {LENGTH} tokens each")
        times: dict[str, list[float]] = {}
        for _ in range(pairs + 1):
            for racer in (*ours, *peers):
                seconds, tokens = racer.run("generate", rows, beams, LENGTH)
                assert {len(row) for row in tokens} == {LENGTH}, racer.name
                times.setdefault(racer.name, []).append(seconds)
        speeds = {name: rows * LENGTH / median(found[1:]) for name, found in times.items()}
        for racer in ours:
            words, short = verdict(
                speeds[racer.name] / speeds["transformers"], limits[racer.name.split()[-1]]
            )
            broken += short
            first = times[racer.name][0] - median(times[racer.name][1:])
            print(
                f"  {racer.name:<24} {speeds[racer.name]:6.0f} tokens/s  first call +{first:.1f} s  {words}"
            )
        for racer in peers:
            print(f"  {racer.name:<24} {speeds[racer.name]:6.0f} tokens/s")
        if "CTranslate2" in speeds:
            best = max(speeds[racer.name] for racer in ours)
            words, short = verdict(best / speeds["CTranslate2"], ENGINE)
            broken += short
            print(f"  the best of ours beside CTranslate2: {words}")
    return broken


def corpus(ours: list[Racer], peer: Racer, pairs: int) -> int:
    """A corpus of mixed lengths through ``stream``; the peer takes 16 at a time, as they come."""
    print(f"\n{SENTENCES} sentences of mixed lengths, greedy")
    times: dict[str, list[float]] = {}
    counts: dict[str, list[int]] = {}
    shapes: dict[str, int] = {}
    for turn in range(pairs + 1):
        # The first is for compiling, of which the peer does none.
        for racer in ours if turn == 0 else (*ours, peer):
            seconds, counts[racer.name], shapes[racer.name] = racer.run("stream", SENTENCES, 1)
            times.setdefault(racer.name, []).append(seconds)
    assert all(found == counts[peer.name] for found in counts.values()), "other lengths"
    tokens, broken = sum(counts[peer.name]), 0
    theirs = median(times[peer.name])
    for racer in ours:
        mine, first = median(times[racer.name][1:]), times[racer.name][0]
        words, short = verdict(theirs / mine, CORPUS)
        broken += short + (shapes[racer.name] > SHAPES)
        print(
            f"  {racer.name:<24} {tokens / mine:6.0f} tokens/s  first run +{first - mine:.1f} s for "
            f"{shapes[racer.name]} shapes  {words}"
        )
    print(f"  {peer.name:<24} {tokens / theirs:6.0f} tokens/s")
    return broken


def new_lengths(ours: list[Racer]) -> int:
    """A call with a length that was not seen yet, in a bucket that was: it may compile nothing."""
    print("\na new length in a known bucket, 16 sentences, greedy")
    broken = 0
    for racer in ours:
        rows = racer.run("bucketed", 16)
        broken += rows["compiled"] > 0
        print(
            f"  {racer.name:<24} {rows['compiled']} functions compiled; {rows['seconds']:.2f} s, "
            f"and {rows['again']:.2f} s when called again"
        )
    return broken


def main(pairs: int = PAIRS) -> int:
    """Prints every ratio with its limit; returns the exit code."""
    if hasattr(os, "sched_setaffinity"):
        # Not every backend takes a number of threads; all of them count the cores that they may use.
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])
    with tempfile.TemporaryDirectory() as folder:
        writer = Worker("torch")
        writer.call("translators:write_model", folder)
        writer.close()
        ours = [Racer(f"ours on {name}", name, "ours", folder) for name in sorted(installed_backends())]
        peers = [Racer("transformers", "torch", "transformers", folder)]
        if importlib.util.find_spec("ctranslate2"):
            peers.append(Racer("CTranslate2", "torch", "ctranslate2", folder))
        broken = batches(ours, peers, pairs)
        broken += corpus(ours, peers[0], pairs)
        broken += new_lengths(ours)
        for racer in (*ours, *peers):
            racer.worker.close()
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:2])))
