"""What a task's call costs beside its model: 32 texts through the task, and the same arrays alone.

Run it as ``python tests/benchmarks/bench_overhead.py [PAIRS]``. Each pair times both, one after the other, so
that a busy machine slows both alike; medians are compared. The starter is small, so that the task's own cost
weighs more than beside any published model. Exit code 1 when a limit is broken.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from statistics import median

import sixarts as sa

PAIRS = 15
BATCH = 32
#: Share of the model's time that the task may add.
LIMIT = 0.05
SUBJECTS = ("I", "You", "We", "They")
VERBS = ("have", "want", "see", "like", "need", "know", "buy", "find")
KINDS = ("old", "new", "big", "red")
OBJECTS = ("dog", "cat", "book", "house", "car", "horse", "fish", "bird")
OBJECTS += ("boat", "table", "room", "letter", "picture", "window", "garden", "school")


def sentences(number: int) -> list[str]:
    """A batch of everyday sentences, all of one shape, and new ones each time: nothing is remembered."""
    kind, what = KINDS[number // len(OBJECTS) % len(KINDS)], OBJECTS[number % len(OBJECTS)]
    found = [f"{who} {does} the {kind} {what}." for who in SUBJECTS for does in VERBS]
    assert len(found) == BATCH
    return found


def seconds(call: Callable[[], object]) -> float:
    """Wall time of one call."""
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def overhead(task: sa.Task, pairs: int) -> tuple[float, float]:
    """Median seconds of the task's call, and of the model's on the same arrays."""
    options = task.chosen()
    mine: list[float] = []
    models: list[float] = []
    for number in range(-1, pairs):
        texts = sentences(number)
        # The task sorts its pieces, and so does this: the same rows in the same order.
        batch = task.prepare(sorted(texts, key=task.size), options)
        both = [
            (mine, lambda texts=texts: task(texts)),
            (models, lambda batch=batch: task.answer(batch, options)),
        ]
        # Each goes first half of the time: what comes second finds the caches warm.
        for times, call in both[:: 1 if number % 2 else -1]:
            times.append(seconds(call))
    # The first compiles.
    return median(mine[1:]), median(models[1:])


def main(pairs: int = PAIRS) -> int:
    """Prints each overhead with its limit; returns the exit code."""
    task = sa.load("translation", device="cpu")
    broken = 0
    for name, options in (("greedy", {"beams": 1}), ("as the model's authors chose", {})):
        task.options = task.Options(**options)
        mine, models = overhead(task, pairs)
        share = mine / models - 1
        broken += share > LIMIT
        verdict = "ok" if share <= LIMIT else "TOO MUCH"
        print(
            f"translation, batch {BATCH}, {name:<29} {share:+.1%} of at most {LIMIT:.0%}  "
            f"({1000 * mine:.1f} ms / {1000 * models:.1f} ms, of which the task's own "
            f"{1000 * own_cost(task):.2f} ms)  {verdict}"
        )
    return 1 if broken else 0


def own_cost(task: sa.Task, repeats: int = 50) -> float:
    """Median seconds of the call when the model answers at once: no clock noise of the model in it."""
    options = task.chosen()
    batch = task.prepare(sorted(sentences(0), key=task.size), options)
    outputs = task.answer(batch, options)
    honest, task.answer = task.answer, lambda batch, options: outputs  # type: ignore[method-assign]
    try:
        return median(seconds(lambda texts=texts: task(texts)) for texts in map(sentences, range(repeats)))
    finally:
        task.answer = honest  # type: ignore[method-assign]


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:2])))
