"""Peak memory of learning from ten million interactions beside four, from a Parquet file; on one core.

Run it as ``python tests/benchmarks/bench_interactions.py [MILLIONS…]``. It draws a log of 200,000 users and
50,000 items into a temporary place: everybody has a group of 100 items, and four of five items are of it. A
fresh process a size makes a ``sasrec`` of that file, with one ``fit``: histories sorted on disk, an epoch of
all of them with drawn negatives, the last item of some held out. What is counted is the highest anonymous
memory above that after importing the backend and making its first variable; users and items, whose ids and
weights stay in memory, are the same in each size, and so are batches: everybody has 20 items or more on
average. Exit code 1 when a limit is broken. It needs Linux, the extra ``tables``, and 350 MB of disk.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from bench_load_memory import watched

MILLIONS = (4, 10)
USERS, ITEMS, GROUP = 200_000, 50_000, 100
#: Most bytes of memory for each further interaction (windows and their order are kept), and most seconds.
MORE, SECONDS = 20, 600
#: Of ten recommendations, the share that must be of the history's own group: fifty times chance.
OWN = 0.1
NETWORK = {
    "hidden_size": 16,
    "num_layers": 1,
    "num_heads": 1,
    "inner_size": 32,
    "max_length": 20,
    "dropout": 0.0,
}
LEARNING = {
    "epochs": 1,
    "batch_size": 1024,
    "learning_rate": 5e-3,
    "negatives": 128,
    "sampled_loss": "softmax",
    "hold_out": 0.02,
}


def drawn(users: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """An item for each user, of the own group four times of five, the first of a group most often."""
    own = random.random(len(users)) < 0.8
    groups = np.where(own, users % (ITEMS // GROUP), random.integers(0, ITEMS // GROUP, len(users)))
    return np.asarray(groups * GROUP + (GROUP * random.random(len(users)) ** 2).astype("int64"))


def write_log(path: Path, millions: int) -> None:
    """Writes a log, half a million rows at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([("user", pa.int64()), ("item", pa.int64()), ("time", pa.int64())])
    with pq.ParquetWriter(path, schema) as file:
        for part in parts(millions):
            file.write_table(pa.table(part, schema=schema))


def parts(millions: int, size: int = 500_000) -> Iterator[dict[str, np.ndarray]]:
    """The rows, in order of time."""
    random = np.random.default_rng(0)
    for start in range(0, millions * 1_000_000, size):
        users = random.integers(0, USERS, size)
        yield {"user": users, "item": drawn(users, random), "time": np.arange(start, start + size)}


def measure(path: str) -> None:
    """The child's part: learns, asks, and prints what it took."""
    import sixarts as sa

    def run() -> tuple[Any, Any]:
        task = sa.new("next-item-prediction", family="sasrec", device="cpu", **NETWORK)
        return task, task.fit(path, progress=False, **LEARNING)

    (task, history), seconds, peak, _ = watched(run, 0.01)
    print(json.dumps({"peak": peak, "seconds": seconds, "own": own(task), "told": str(history)}))


def own(task: Any) -> float:
    """Of ten recommendations to somebody new, the share that is of their own group."""
    random = np.random.default_rng(1)
    groups = random.integers(0, ITEMS // GROUP, 500)
    histories = drawn(np.repeat(groups, 10), random).reshape(-1, 10)
    answers = task([history.tolist() for history in histories], k=10)
    shares = [
        np.mean(np.array(answer.items) // GROUP == group)
        for answer, group in zip(answers, groups, strict=True)
    ]
    return float(np.mean(shares))


def main(sizes: list[int]) -> int:
    """Prints each size's peak and time; returns the exit code."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    found: dict[int, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="sixarts-interactions-") as place:
        for millions in sizes or MILLIONS:
            path = Path(place) / f"{millions}.parquet"
            write_log(path, millions)
            done = subprocess.run(
                [sys.executable, __file__, "--measure", str(path)],
                env={**os.environ, "KERAS_BACKEND": backend, "OMP_NUM_THREADS": "1"},
                check=True,
                stdout=subprocess.PIPE,
                text=True,
            )
            path.unlink()
            told = found[millions] = json.loads(done.stdout.splitlines()[-1])
            print(
                f"{backend}, {millions} million: peak {told['peak'] / 1e6:.0f} MB, {told['seconds']:.0f} s, "
                f"{told['own']:.0%} of recommendations of the own group; {told['told']}",
                flush=True,
            )
    least, most = found[min(found)], found[max(found)]
    further = (max(found) - min(found)) * 1_000_000
    more = (most["peak"] - least["peak"]) / max(further, 1)
    broken = [
        words
        for words, bad in (
            (f"{more:.0f} bytes (at most {MORE})", more > MORE),
            (f"{most['seconds']:.0f} s (at most {SECONDS})", most["seconds"] > SECONDS),
            (f"{most['own']:.0%} of the own group (at least {OWN:.0%})", most["own"] < OWN),
        )
        if bad
    ]
    print(f"memory for each further interaction: {more:.0f} bytes  {'; '.join(broken) or 'ok'}")
    return 1 if broken else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure(sys.argv[2])
    else:
        sys.exit(main(list(map(int, sys.argv[1:]))))
