"""One bar for all that a pull fetches, on a terminal."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar

#: Told the bytes that arrived and the file that they are of.
Told = Callable[[int, str], object]

#: What is shown in place of bars, where several pulls share one display: gets a bar's title and total.
display: ContextVar[Callable[[str, int], AbstractContextManager[Told]] | None] = ContextVar(
    "sixarts_hub_display", default=None
)


@contextmanager
def bar(title: str, total: int, shown: bool) -> Iterator[Told]:
    """A bar of bytes on standard error; nothing where that is no terminal, or where ``shown`` says so."""
    shared = display.get()
    if shown and shared is not None:
        with shared(title, total) as told:
            yield told
        return
    if not (shown and sys.stderr.isatty()):
        yield lambda count, path: None
        return
    # The client library's own, which a person can switch off for good.
    from huggingface_hub.utils.tqdm import tqdm

    guard = threading.Lock()
    with tqdm(  # type: ignore[no-untyped-call]
        total=total, desc=title, unit="B", unit_scale=True, file=sys.stderr
    ) as drawn:

        def told(count: int, path: str) -> None:
            with guard:
                drawn.set_postfix_str(path, refresh=False)
                drawn.update(count)

        yield told
