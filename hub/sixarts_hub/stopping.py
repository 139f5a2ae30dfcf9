"""Stopping work in several threads at once, also work that waits for a silent endpoint."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class Stopped(Exception):
    """Work was given up because other work failed or a person interrupted it; it never reaches a caller."""


class Stop:
    """A request to stop, which wakes whoever waits."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._guard = threading.Lock()
        self._wakers: list[Callable[[], object]] = []

    def set(self) -> None:
        """Ask to stop, from any thread."""
        with self._guard:
            self._event.set()
            wakers = list(self._wakers)
        for wake in wakers:
            wake()

    def check(self) -> None:
        """Go on only if nobody asked to stop.

        Raises:
            Stopped: somebody did.
        """
        if self._event.is_set():
            raise Stopped

    def wait(self, seconds: float) -> None:
        """Sleep, unless and until somebody asks to stop.

        Raises:
            Stopped: somebody did.
        """
        self._event.wait(seconds)
        self.check()

    @contextmanager
    def waking(self, wake: Callable[[], object]) -> Iterator[None]:
        """Call ``wake`` when a stop is asked for inside, e.g. to end a read that waits.

        Raises:
            Stopped: somebody asked before.
        """
        with self._guard:
            self.check()
            self._wakers.append(wake)
        try:
            yield
        finally:
            with self._guard:
                self._wakers.remove(wake)


# Nobody asks it to stop.
_NEVER = Stop()

#: The stop that the work of this context heeds.
heeded: ContextVar[Stop] = ContextVar("sixarts_hub_stop", default=_NEVER)
