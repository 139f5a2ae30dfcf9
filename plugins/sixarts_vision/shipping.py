"""What the recipes share: from a new task and its data to a folder that ships.

A run that was killed goes on with the same command. Choices are made on the validation part; the test part
is measured once, on the weights in half precision, which are those that ship.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import sixarts as sa
from sixarts.training import History
from sixarts_vision.corpora import Split


def arguments_of(program: str, names: list[str], about: str, given: list[str] | None) -> Any:
    """The command line of a recipe: ``name``, ``data``, ``folder`` and ``epochs``."""
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=about)
    parser.add_argument("name", choices=names, help="which recipe")
    parser.add_argument("data", type=Path, help="the data as published: see `corpora`")
    parser.add_argument("folder", type=Path, help="where checkpoints and the finished model go")
    parser.add_argument("--epochs", type=int, help="other than the recipe's own; the figures are for these")
    return parser.parse_args(given)


def ship(
    task: sa.Task,
    parts: Split,
    training: Mapping[str, Any],
    chosen: Any,
    card: Callable[[sa.Task, sa.Metrics, History], Any],
    then: Sequence[Mapping[str, Any]] = (),
    **options: Any,
) -> Path:
    """Trains, rounds to half precision, measures, writes the card and the folder.

    Args:
        task: new.
        parts: what it learns from, is chosen by and measured with.
        training: options of ``fit``.
        chosen: what :func:`arguments_of` gave.
        card: the rounded task, its measured figures and its first history to its card.
        then: options that differ when it learns again, each time from where it stands.
        **options: of the calls that measure.

    Raises:
        SystemExit: training was interrupted; the same command goes on.
    """
    training = {**training, **({"epochs": chosen.epochs} if chosen.epochs else {})}
    histories = []
    for number, changes in enumerate(({}, *then)):
        folder = chosen.folder / ("checkpoints" if not number else f"checkpoints-{number + 1}")
        history = task.fit(parts.train, parts.validation, **{**training, **changes}, folder=folder)
        if history.stopped == "interrupted":
            print(history, flush=True)
            raise SystemExit(130)
        for epoch, figures in enumerate(zip(*history.metrics.values(), strict=True), 1):
            named = zip(history.metrics, figures, strict=True)
            print(f"epoch {epoch}: " + ", ".join(f"{name} {figure:.4g}" for name, figure in named))
        histories.append(history)
    task.model.stored_dtype = "float16"
    # What ships is the rounded model, so that is what is measured.
    starter = sa.load(task.name, task.save(chosen.folder / "draft"))
    print("validation:", starter.evaluate(parts.validation, **options), flush=True)
    held_out = starter.evaluate(parts.test, **options)
    print("test:", held_out, flush=True)
    starter.card = str(card(starter, held_out, histories[0]))
    place: Path = starter.save(chosen.folder / chosen.name)
    print(place)
    return place
