"""A progress bar on a terminal, and nothing elsewhere."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

Advance = Callable[..., None]


@contextlib.contextmanager
def progress_bar(title: str, total: int | None, shown: bool | None = None) -> Iterator[Advance]:
    """A bar on standard error; yields a function ``advance(count, note="")``.

    Args:
        title: what is counted.
        total: how many, or ``None`` when nobody knows.
        shown: ``None`` shows it only where standard error is a terminal.
    """
    if not (sys.stderr.isatty() if shown is None else shown):
        yield lambda count, note="": None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        row = bar.add_task(title, total=total, note="")
        yield lambda count, note="": bar.update(row, advance=count, note=note)
