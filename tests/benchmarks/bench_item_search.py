"""How fast the ten best of a million items are found for a thousand users: ours, and faiss's own indexes.

Run it as ``python tests/benchmarks/bench_item_search.py [ITEMS] [TURNS]``. Both sides search the same vectors
of 64 numbers on the same two cores, in turn: ours from ids to ids, faiss from vectors to numbers. Exact
search is held against ``IndexFlatIP``; approximate search against the very graph (HNSW) that ours searches,
so that what differs is our overhead: as arrays (``neighbors``), and as a ranking for each user, which is
printed without a limit. Ratios are of medians. Exit code 1 when a limit is broken.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

THREADS = 2
ITEMS, WIDTH, USERS, K, TURNS = 1_000_000, 64, 1000, 10, 5
#: What ours must reach of faiss's speed.
EXACT, APPROXIMATE = 0.8, 0.95
#: Items lie around so many centers: vectors without any order have no neighbors that a graph could find.
CENTERS, SPREAD = 2000, 0.5


def main(items: int = ITEMS, turns: int = TURNS) -> int:
    """Prints every ratio with its limit; returns the exit code."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])
    os.environ |= {"OMP_NUM_THREADS": str(THREADS), "OPENBLAS_NUM_THREADS": str(THREADS)}
    import faiss
    import numpy as np

    faiss.omp_set_num_threads(THREADS)
    task = made(items)
    asked = np.random.default_rng(1).choice(items, USERS, replace=False)
    ids = [int(item) for item in asked]
    index = task.index()
    queries = index.vectors[asked]
    flat = faiss.IndexFlatIP(WIDTH)
    flat.add(index.vectors)
    # One more than asked: ours leaves out the item itself.
    exact = sides(lambda: task(ids, k=K), lambda: flat.search(queries, K + 1), turns)
    broken = told(f"exact, {items:,} × {WIDTH}, {USERS} users", exact, EXACT)
    begin = time.perf_counter()
    graph = index.graph
    print(
        f"the graph was made in {time.perf_counter() - begin:.0f} s; recall@10 {graph.recall:.3f}", flush=True
    )
    calls = {
        "approximate": (lambda: task.neighbors(ids, k=K, search="approximate"), APPROXIMATE),
        "approximate, a ranking for each": (lambda: task(ids, k=K, search="approximate"), 0.0),
    }
    for name, (ours, limit) in calls.items():
        broken += told(name, sides(ours, lambda: graph.index.search(queries, K + 1), turns), limit)
    return int(broken > 0)


def made(items: int) -> Any:
    """A task whose items' vectors lie around centers."""
    import numpy as np

    import sixarts as sa
    from sixarts_recommendation.item2vec import Item2Vec
    from sixarts_recommendation.item_model import ItemProcessor
    from sixarts_recommendation.items import Items

    random = np.random.default_rng(0)
    task = sa.new("item-similarity", family="item2vec", device="cpu")
    config = Item2Vec.configure(num_items=items, width=WIDTH)
    task.model = Item2Vec(config, ItemProcessor(Items(range(items))), task.model.device, "zeros")
    centers = random.normal(size=(CENTERS, WIDTH)).astype("float32")
    noise = random.normal(scale=SPREAD, size=(items, WIDTH)).astype("float32")
    task.model.first.weight.assign(centers[random.integers(0, CENTERS, items)] + noise)
    return task


def sides(ours: Callable[[], Any], theirs: Callable[[], Any], turns: int) -> tuple[list[float], list[float]]:
    """Seconds of both, in turn; the first turn does not count."""
    found: tuple[list[float], list[float]] = ([], [])
    for _ in range(turns + 1):
        for side, call in zip(found, (ours, theirs), strict=True):
            begin = time.perf_counter()
            call()
            side.append(time.perf_counter() - begin)
    return found[0][1:], found[1][1:]


def told(name: str, times: tuple[list[float], list[float]], limit: float) -> bool:
    """Prints a ratio; tells whether it is short of its limit."""
    ours, theirs = map(median, times)
    ratio = theirs / ours
    must = f" (limit {limit}×)" if limit else ""
    short = " SHORT" if ratio < limit else ""
    print(f"{name}: ours {ours:.3f} s, faiss {theirs:.3f} s, speed {ratio:.2f}×{must}{short}", flush=True)
    return ratio < limit


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
