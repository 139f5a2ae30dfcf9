"""How fast speech is recognized and spoken: ours on each backend, ``transformers``, faster-whisper, in turn.

Run it as ``python tests/benchmarks/bench_speech.py [PAIRS [SIZE ...]]``, with ``voices`` in a size's place
for what speaks; ``pip install faster-whisper`` first, or its rows are left out. Every recognizer reads the
same random weights of whisper-tiny's and -base's size, half a minute of sound, and writes as many tokens;
every voice, those of a VITS's, a hundred characters; each has a process of its own on the same two cores, and
they take turns, so that a busy machine slows all alike. Ratios are of medians over the pairs. Exit code 1
when a limit is broken.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile
from statistics import median

from bench_translation import Racer, verdict
from recognizers import SIZES, THREADS

from sixarts.testing.workers import Worker, installed_backends

PAIRS, LENGTH = 3, 100
#: What the better backend must reach of the speed of ``transformers``, and of faster-whisper's.
LIMIT, ENGINE = 1.3, 1.0
#: What features must reach of the reference's.
FEATURES = 0.9
#: Seconds of a short and a long sound, and how much more memory the long one may take.
SHORT, LONG, GROWTH = 120.0, 600.0, 1.1
#: What a VITS must reach of the speed of ``transformers``; how much faster than it sounds the starter speaks
#: on one core; and how many times one sentence's time may pass until the first of ten is heard.
VOICE, REAL_TIME, FIRST = 1.2, 10.0, 1.5


class Recognizer(Racer):
    module = "recognizers"


class Speaker(Racer):
    module = "speakers"


def searches(ours: list[Recognizer], peers: list[Recognizer], pairs: int, length: int = LENGTH) -> int:
    """Half a minute of sound, greedy and with beams; returns how many limits are broken."""
    broken = 0
    for beams in (1, 5):
        print(f"\n30 s of sound, {'greedy' if beams == 1 else f'beam {beams}'}, {length} tokens")
        times: dict[str, list[float]] = {}
        for _ in range(pairs + 1):
            for racer in (*ours, *peers):
                seconds, tokens = racer.run("generate", beams, length)
                assert len(tokens) == length, (racer.name, len(tokens))
                times.setdefault(racer.name, []).append(seconds)
        middle = {name: median(found[1:]) for name, found in times.items()}
        for name, seconds in middle.items():
            print(f"  {name:<24} {seconds:6.2f} s   first call +{times[name][0] - seconds:.1f} s")
        best = min(middle[racer.name] for racer in ours)
        for racer in peers:
            limit = LIMIT if racer.kind == "transformers" else ENGINE
            words, short = verdict(middle[racer.name] / best, limit)
            broken += short
            print(f"  the best of ours beside {racer.name}: {words}")
    return broken


def features(ours: Recognizer, peer: Recognizer, pairs: int) -> int:
    """Half a minute to features."""
    times = [(ours.run("features", 3), peer.run("features", 3)) for _ in range(pairs + 1)][1:]
    words, short = verdict(median(theirs / own for own, theirs in times), FEATURES)
    print(f"\nlog-mel features of 30 s beside transformers: {words}")
    return int(short)


def memory(folder: str, seconds: tuple[float, float] = (SHORT, LONG)) -> int:
    """Peaks of a short and a long sound, each in a process of its own."""
    peaks = []
    for length in seconds:
        racer = Recognizer("ours on jax", "jax", "ours", folder)
        took, peak, windows = racer.run("long", length)
        racer.worker.close()
        peaks.append(peak)
        print(f"  {length:.0f} s of sound in {windows} windows: {took:.1f} s, peak {peak:.0f} MB")
    short = peaks[1] > GROWTH * peaks[0]
    print(f"  the long one's peak is {peaks[1] / peaks[0]:.2f} times the short one's, at most {GROWTH}")
    return int(short)


def voices(pairs: int) -> int:
    """A hundred characters by a VITS, ten sentences by the starter; returns how many limits are broken."""
    broken = 0
    with tempfile.TemporaryDirectory() as folder:
        writer = Worker("torch")
        writer.call("speakers:write_voice", folder)
        writer.close()
        ours = [Speaker(f"ours on {name}", name, "ours", folder) for name in sorted(installed_backends())]
        peer = Speaker("transformers", "torch", "transformers", folder)
        times: dict[str, list[float]] = {}
        print("\nVITS, 100 characters")
        for _ in range(pairs + 1):
            counts = set()
            for racer in (*ours, peer):
                seconds, samples = racer.run("speak")
                counts.add(samples)
                times.setdefault(racer.name, []).append(seconds)
            assert len(counts) == 1, counts
        middle = {name: median(found[1:]) for name, found in times.items()}
        for name, seconds in middle.items():
            print(f"  {name:<24} {seconds:6.2f} s   first call +{times[name][0] - seconds:.1f} s")
        best = min(middle[racer.name] for racer in ours)
        words, short = verdict(middle[peer.name] / best, VOICE)
        print(f"  the best of ours beside {peer.name}: {words}")
        broken += short
        peer.worker.close()
        for racer in ours:
            racer.worker.close()
            alone = Speaker(racer.name, racer.name.rpartition(" ")[2], "starter", folder)
            took, lasting, first, one = alone.run("speak")
            alone.worker.close()
            words, short = verdict(lasting / took, REAL_TIME)
            print(f"  the starter, {racer.name}, one core: {lasting:.1f} s of sound in {took:.2f} s: {words}")
            late = first > FIRST * one
            print(f"    the first of ten sentences after {first:.3f} s; one alone takes {one:.3f} s")
            broken += (short or late) and racer.name == "ours on tensorflow"
    return broken


def main(pairs: int = PAIRS, *sizes: str) -> int:
    """Prints every ratio with its limit; returns the exit code."""
    if hasattr(os, "sched_setaffinity"):
        # Not every backend takes a number of threads; all of them count the cores that they may use.
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])
    broken = voices(pairs) if not sizes or "voices" in sizes else 0
    for size in [size for size in sizes or tuple(SIZES) if size != "voices"]:
        print(f"\nwhisper-{size}")
        with tempfile.TemporaryDirectory() as folder:
            writer = Worker("torch")
            writer.call("recognizers:write_model", folder, size)
            writer.close()
            names = sorted(installed_backends())
            ours = [Recognizer(f"ours on {name}", name, "ours", folder) for name in names]
            peers = [Recognizer("transformers", "torch", "transformers", folder)]
            if importlib.util.find_spec("faster_whisper"):
                peers.append(Recognizer("faster-whisper", "torch", "faster_whisper", folder))
            broken += searches(ours, peers, pairs)
            broken += features(ours[0], peers[0], pairs)
            for racer in (*ours, *peers):
                racer.worker.close()
            if size == "tiny":
                broken += memory(folder)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:2]), *sys.argv[2:]))
