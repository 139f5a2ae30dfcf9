"""``sixarts play``: a game against a model, in the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Any

import typer

from sixarts.errors import InputError

#: What a person types beside moves.
WORDS = {"quit": "ends", "undo": "takes your last move back", "hint": "shows what the model would play"}


def play(
    game: Annotated[str, typer.Argument(help="A game that the catalog has a model of.")] = "connect_four",
    model: Annotated[str | None, typer.Option(help="A reference, in the place of the catalog's.")] = None,
    simulations: Annotated[int, typer.Option(help="How hard the model thinks.")] = 400,
    second: Annotated[bool, typer.Option("--second", help="The model begins.")] = False,
    start: Annotated[str, typer.Option(help="Moves that the game begins with.")] = "",
) -> None:
    """Play a board game against a model; type a move, `hint`, `undo` or `quit`."""
    from sixarts.loading import load

    if model is None:
        task = load("game-strategy", game=game, simulations=simulations)
    else:
        task = load("game-strategy", model, simulations=simulations)
    typer.echo(f"{task!r}\nType a move, or: " + ", ".join(f"{w} ({m})" for w, m in WORDS.items()))
    for line in Session(task, not second, start).go(_asked):
        typer.echo(line)


def _asked(question: str) -> str | None:
    """What a person typed; ``None`` at the end of the input."""
    try:
        return input(question).strip()
    except (EOFError, KeyboardInterrupt):
        return None


class Session:
    """One game between a person and a task.

    Args:
        task: of ``game-strategy``.
        first: whether the person moves first.
        start: moves that the game begins with.
    """

    def __init__(self, task: Any, first: bool, start: str) -> None:
        self.task = task
        self.position = task.position({"moves": start})
        self.person = self.position.player if first else 1 - self.position.player
        self.past: list[Any] = []
        self.tree: Any = None

    def go(self, ask: Callable[[str], str | None]) -> Iterator[str]:
        """The game as lines for the terminal; ``ask`` gives what a person types."""
        yield str(self.position)
        while not self.position.finished:
            if self.position.player != self.person:
                yield self._answered()
                yield str(self.position)
                continue
            typed = ask("your move: ")
            if typed is None or typed.lower() in ("quit", "exit"):
                yield "bye"
                return
            if typed:
                yield from self._typed(typed)
        value = self.position.value() * (1 - 2 * self.person)
        yield {1.0: "You won.", 0.0: "A draw.", -1.0: "You lost."}[value]

    def _typed(self, typed: str) -> Iterator[str]:
        if typed.lower() == "hint":
            yield str(self._found()[0])
        elif typed.lower() == "undo":
            if not self.past:
                yield "There is nothing to take back."
                return
            self.position, self.tree = self.past.pop(), None
            yield str(self.position)
        else:
            try:
                action = self.position.parse(typed)
                after = self.position.play(action)
            except InputError as error:
                yield error.reason
                return
            self.past.append(self.position)
            self._moved(action, after)
            yield str(self.position)

    def _found(self) -> tuple[Any, Any]:
        """The model's move, and what its search found; what it learned before is used again."""
        options = self.task.options
        (found,) = self.task.search([self.position], options, [self.tree])
        return self.task.moved(found, "", options), found

    def _answered(self) -> str:
        move, found = self._found()
        self.tree = found.tree
        self._moved(move.number, self.position.play(move.number))
        sure = move.proven or f"{move.value:+.2f}"
        return f"model: {move.action} ({sure})"

    def _moved(self, action: int, after: Any) -> None:
        self.tree = self.tree.after(action) if self.tree is not None else None
        self.position = after
