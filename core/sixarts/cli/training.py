"""``sixarts fit``: train a model on your own examples."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer

from sixarts.errors import OptionError
from sixarts.plugins import registry, resolve

from .options import DeviceName, ModelName, Pairs, Precision, TaskCommand, TaskName, application, task_options
from .output import say
from .starting import start_backend

fit_app = application()

#: Ending of the folder beside the model's that holds what a stopped run needs to go on.
STATE = ".training"


@fit_app.command(cls=TaskCommand)
def fit(
    context: typer.Context,
    task: TaskName,
    data: Annotated[Path, typer.Option("--data", help="Examples to learn from, a .tsv or .jsonl file.")],
    output: Annotated[Path, typer.Option("--output", help="The model's folder; a run that stopped goes on.")],
    validation: Annotated[
        Path | None, typer.Option("--validation", help="Examples to measure after each epoch.")
    ] = None,
    model: ModelName = None,
    new: Annotated[
        str | None,
        typer.Option("--new", metavar="FAMILY", help="Start from an untrained model of this family."),
    ] = None,
    epochs: Annotated[int | None, typer.Option("--epochs")] = None,
    batch_size: Annotated[int | None, typer.Option("--batch-size")] = None,
    learning_rate: Annotated[float | None, typer.Option("--learning-rate")] = None,
    patience: Annotated[
        int | None, typer.Option("--patience", help="Epochs without gain before it stops.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed")] = None,
    device: DeviceName = "auto",
    precision: Precision = None,
    option: Pairs = None,
) -> None:
    """Train a model on your examples and save it; the same command goes on where it was stopped.

    Other options of training work as well, `--warmup 1000`; the rest are the task's, or with `--new` the
    new network's, `--layers 4`.
    """
    import sixarts

    start_backend(task)

    if new is not None and model is not None:
        raise OptionError("got --model and --new; give one of the two")
    options = task_options(context, option)
    kind = resolve(registry().task(task).task)
    known = {entry.name for entry in fields(kind.Training)}
    extra = {name: options.pop(name) for name in list(options) if name in known}
    if new is not None:
        learner = sixarts.new(task, family=new, device=device, precision=precision, **options)
    else:
        learner = sixarts.load(task, model, device=device, precision=precision, **options)
    stated: dict[str, Any] = {
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "patience": patience,
        "seed": seed,
    }
    examples = learner.read_examples(data)
    held_out = learner.read_examples(validation) if validation is not None else None
    chosen = extra | {name: value for name, value in stated.items() if value is not None}
    output = output.expanduser().absolute()
    state = output.with_name(output.name + STATE)
    try:
        history = learner.fit(examples, held_out, folder=state, **chosen)
        interrupted = history.stopped == "interrupted"
    except KeyboardInterrupt:
        interrupted = True
    if interrupted:
        say(f"interrupted; the same command goes on from {state}")
        raise typer.Exit(130)
    learner.save(output)
    say(str(history))
    print(output)
