"""Trying again: what passes, how often, and how long to wait in between.

The waits grow and are drawn at random below their bound ("full jitter", M. Brooker, "Exponential Backoff And
Jitter", AWS Architecture Blog, 2015), so that many machines that failed together do not return together.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from sixarts_hub.errors import Unreachable
from sixarts_hub.stopping import heeded

#: How often one thing is tried in all.
ATTEMPTS = 5
#: Seconds: the bound of the first wait, which doubles each time, and the largest bound.
FIRST_WAIT = 0.5
LONGEST_WAIT = 8.0
#: Seconds that an endpoint may ask us to stay away; where it asks for more, the person decides.
LONGEST_RETRY_AFTER = 60.0

# The waits are no secret, and a seed that a program sets must not make all its copies wait alike.
_random = random.SystemRandom()

Result = TypeVar("Result")


class Patience:
    """Counts the attempts at one thing and waits between them."""

    def __init__(self) -> None:
        self._spent = 0

    def renew(self) -> None:
        """Begin to count anew, as the last attempt brought something."""
        self._spent = 0

    def spend(self, error: Unreachable) -> None:
        """Wait before the next attempt.

        Args:
            error: how the last one failed.

        Raises:
            Unreachable: it will not pass by itself, it was the last attempt, or the endpoint asks for more
                time than is waited for; says which.
            Stopped: somebody asked to stop.
        """
        if not error.passing:
            raise error
        self._spent += 1
        if self._spent >= ATTEMPTS:
            raise _final(error, f"{error} (tried {self._spent} times)")
        asked = error.retry_after or 0.0
        if asked > LONGEST_RETRY_AFTER:
            moment = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(time.time() + asked))
            raise _final(error, f"{error}; it asks to be left alone for {asked:.0f} s; return after {moment}")
        bound = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(self._spent - 1, 60))
        heeded.get().wait(max(asked, _random.uniform(0, bound)))


def persist(attempt: Callable[[], Result]) -> Result:
    """What ``attempt`` gives, tried again after failures that pass.

    Raises:
        Unreachable: as :meth:`Patience.spend` says.
    """
    patience = Patience()
    while True:
        try:
            return attempt()
        except Unreachable as error:
            patience.spend(error)


def _final(error: Unreachable, message: str) -> Unreachable:
    final = Unreachable(message)
    final.retry_after = error.retry_after
    final.__cause__ = error.__cause__
    return final
