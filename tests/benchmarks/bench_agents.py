"""How fast agents act and learn: our PPO on each backend beside Stable-Baselines3's, of the same sizes.

Run it as ``python tests/benchmarks/bench_agents.py [STEPS] [SEEDS]``. Both have two threads on the same two
cores, and a process of their own; the peer is asked before and after each of ours. MinAtar is told twice: in
lanes that go all at once, and in MinAtar's own code. Then, on CartPole, the peer with the settings that RL
Baselines3 Zoo tuned for it: steps until the policy without noise returns 475 in the mean of 20 episodes, the
median over seeds. Exit code 1 when a limit is broken.
"""

from __future__ import annotations

import os
import sys
from statistics import median
from typing import Any

import agents

from sixarts.testing.workers import Worker, installed_backends

STEPS, SEEDS = 20_000, 5
#: What the default backend must reach of the peer's steps a second, and its steps at most.
FASTER, SOONER = 1.2, 1.0
DEFAULT, THREADS = "tensorflow", 2


def main(steps: int = STEPS, seeds: int = SEEDS) -> int:
    """Prints every ratio with its limit; returns the exit code."""
    os.environ["OMP_NUM_THREADS"] = str(THREADS)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])
    workers: dict[str, Any] = {name: Worker(name) for name in sorted(installed_backends())}
    peer, broken = Worker("torch"), 0
    for case in agents.CASES:
        before = peer.call("agents:theirs", case, steps)
        print(f"{case}: Stable-Baselines3 {before:.0f} steps/s", flush=True)
        for name, worker in workers.items():
            for kind in ("auto", "local") if case != "CartPole" else ("local",):
                found = worker.call("agents:ours", case, steps, kind)
                after = peer.call("agents:theirs", case, steps)
                # A machine that slows down meanwhile moves both alike.
                ratio, before = found / ((before + after) / 2), after
                words = ""
                if name == DEFAULT:
                    words = "TOO SLOW" if ratio < FASTER else "ok"
                    broken += ratio < FASTER
                where = {"auto": "all lanes at once", "local": "single environments"}[kind]
                print(
                    f"  ours on {name:<11} {found:7.0f} steps/s  {ratio:.2f}x (at least {FASTER}x)  {where}"
                    f"  {words}",
                    flush=True,
                )
    learned = {
        "ours": [workers[DEFAULT].call("agents:ours_until_learned", seed) for seed in range(seeds)],
        "Stable-Baselines3": [peer.call("agents:theirs_until_learned", seed) for seed in range(seeds)],
    }
    for name, found in learned.items():
        print(f"CartPole to {agents.LEARNED:.0f}: {name} {median(found):,.0f} steps, of {sorted(found)}")
    ratio = median(learned["ours"]) / median(learned["Stable-Baselines3"])
    late = ratio > SOONER
    print(f"  ratio {ratio:.2f}x (at most {SOONER}x)  {'TOO LATE' if late else 'ok'}")
    for worker in (*workers.values(), peer):
        worker.close()
    return 1 if broken or late else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
