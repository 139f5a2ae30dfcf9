"""Doing several things at once, in threads that end when one of them fails or a person interrupts."""

from __future__ import annotations

import contextvars
import queue
import threading
import time
from collections.abc import Callable, Sequence

from sixarts_hub.stopping import Stop, heeded

#: Files that are fetched at once.
WORKERS = 4
# Seconds that workers get to close what they have open, after which they end with the process.
_GRACE = 5.0

Job = Callable[[], object]


def do_all(jobs: Sequence[Job], workers: int = WORKERS) -> None:
    """Do every job, several at a time, each in a copy of the caller's context.

    Raises:
        BaseException: what the first job that failed raised; the others are stopped.
        KeyboardInterrupt: the same for a person's interruption.
    """
    if len(jobs) < 2:
        for job in jobs:
            job()
        return
    stop = Stop()
    waiting: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
    ended: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
    hands = min(workers, len(jobs))
    for task in (*jobs, *[None] * hands):
        waiting.put(task)

    def work() -> None:
        heeded.set(stop)
        while (job := waiting.get()) is not None:
            try:
                stop.check()
                job()
            except BaseException as error:
                ended.put(error)
                return
        ended.put(None)

    # Daemons: a pool's threads are waited for at exit, and one that waits for a silent endpoint would hold
    # it.
    threads = [
        threading.Thread(
            target=contextvars.copy_context().run, args=(work,), name="sixarts-crew", daemon=True
        )
        for _ in range(hands)
    ]
    for thread in threads:
        thread.start()
    try:
        # Who does several of such jobs at once, and stops, stops these as well.
        with heeded.get().waking(stop.set):
            for _ in threads:
                if error := ended.get():
                    raise error
    finally:
        stop.set()
        deadline = time.monotonic() + _GRACE
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
