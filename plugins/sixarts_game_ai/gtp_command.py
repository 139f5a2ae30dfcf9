"""``sixarts gtp``: a network of Go at the other end of a pipe."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Annotated, Any, TextIO

import typer


def gtp(
    model: Annotated[
        str, typer.Option(help="A network of KataGo (*.bin.gz), or what `sixarts run` takes.")
    ] = "starter/go",
    visits: Annotated[int, typer.Option(min=1, help="Visits of a search.")] = 100,
    rules: Annotated[str, typer.Option(help="Rules of Go, e.g. japanese.")] = "tromp-taylor",
    size: Annotated[int, typer.Option(min=2, max=19, help="The board to begin with.")] = 19,
    seed: Annotated[int, typer.Option(help="Seed of the search.")] = 0,
    lanes: Annotated[int, typer.Option(min=1, help="Positions that the network sees at once.")] = 8,
    resign: Annotated[
        float, typer.Option(min=0.0, max=0.5, help="Chance below which a game is given up; 0: never.")
    ] = 0.02,
) -> None:
    """Play Go over the Go Text Protocol (GTP 2), for Sabaki, Lizzie, GoGui and other boards."""
    from sixarts.cli.starting import start_backend

    start_backend()
    import sixarts
    from sixarts_game_ai.go_engine import GoEngine, network
    from sixarts_game_ai.gtp import Gtp

    engine = GoEngine(network(model), visits, lanes, seed, resign)
    serve(Gtp(engine, size, rules=rules, version=sixarts.__version__), sys.stdin, sys.stdout)


def serve(game: Any, lines: TextIO | Iterable[str], out: TextIO) -> None:
    """Answers lines until ``quit`` or the end of them.

    Args:
        game: a :class:`sixarts_game_ai.gtp.Gtp`.
        lines: what comes in; read ahead, so that a new line ends an analysis.
        out: where answers go, each at once.
    """
    coming: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        try:
            for line in lines:
                coming.put(line)
        except (OSError, ValueError):
            pass
        finally:
            coming.put(None)

    threading.Thread(target=read, daemon=True).start()
    waiting: Callable[[], bool] = lambda: not coming.empty()  # noqa: E731
    while not game.over and (line := coming.get()) is not None:
        for piece in game.answer(line, waiting):
            out.write(piece)
            out.flush()
