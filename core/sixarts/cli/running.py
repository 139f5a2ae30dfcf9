"""``sixarts run``, ``explain``, ``evaluate``, ``footprint``: a model at work, and what it is worth."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from sixarts.errors import InputError, OptionError

from .documents import document_writer, documents_of
from .options import (
    AsJson,
    DeviceName,
    ModelName,
    Pairs,
    Plain,
    Precision,
    TaskCommand,
    TaskName,
    application,
    task_options,
)
from .output import say, show_json, show_table
from .starting import start_backend
from .writing import explanation_text, json_of, line_of, write_explanation, writer_for

if TYPE_CHECKING:
    from sixarts.result import Result

run_app = application()
explain_app = application()
evaluate_app = application()
footprint_app = application()


@run_app.command(cls=TaskCommand)
def run(
    context: typer.Context,
    task: TaskName,
    inputs: Annotated[
        list[str] | None, typer.Argument(metavar="[INPUT]...", help="Default: the lines of standard input.")
    ] = None,
    file: Annotated[Path | None, typer.Option("--file", help="Read the inputs from this file.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", help="Write answers to NAME.jsonl or NAME.txt as they come.")
    ] = None,
    model: ModelName = None,
    device: DeviceName = "auto",
    precision: Precision = None,
    on_error: Annotated[
        str, typer.Option("--on-error", metavar="raise|return", help="return: name a bad input and go on.")
    ] = "raise",
    option: Pairs = None,
    json: AsJson = False,
) -> None:
    """Run a task on inputs, documents, a file's lines, or standard input; answers go to standard output.

    A document (`book.txt`, `film.srt`) is one input and keeps its structure, in `--output`, too.
    Options of the task are given as they are called: `--beams 4`. After `--` everything is input.
    """
    import sixarts

    start_backend(task)

    options = task_options(context, option)
    policy = _policy(on_error)
    documents = documents_of(task, inputs or [])
    whole = document_writer(task, output, documents) if output is not None and documents else None
    write = nullcontext(whole) if whole else writer_for(output, json_of if json else line_of)
    if inputs and file is not None:
        raise OptionError("got inputs and --file; give one of the two")
    if not inputs and file is None and sys.stdin.isatty():
        raise OptionError("got no input; give one, or --file, or pipe lines in")
    loaded = sixarts.load(task, model, device=device, precision=precision, **options)
    if documents:
        results = _read_whole(loaded, documents, options, policy)
    else:
        source: Iterable[Any] = _each(loaded, inputs) or (
            loaded.read_inputs(file) if file is not None else _standard_input()
        )
        results = loaded.stream(source, on_error=policy)
    failed = _answer_all(results, write, output)
    if failed:
        raise typer.Exit(1)


def _read_whole(loaded: Any, documents: list[Path], options: Any, policy: Any) -> Iterator[Any]:
    """Answers of documents, each with the options that its suffix implies and the call does not state."""
    for path in documents:
        text, implied = loaded.read_document(path)
        yield loaded(text, on_error=policy, **{k: v for k, v in implied.items() if k not in options})


def _each(loaded: Any, words: list[str] | None) -> list[Any]:
    """What the words on the command line stand for, e.g. each file of a folder."""
    found: list[Any] = []
    for word in words or []:
        several = loaded.many(word)
        found += [word] if several is None else several
    return found


def _policy(on_error: str) -> Literal["raise", "return"]:
    if on_error == "return":
        return "return"
    if on_error == "raise":
        return "raise"
    raise OptionError(f"--on-error got {on_error!r}; expected 'raise' or 'return'")


def _answer_all(results: Iterable[Result], write: Any, output: Path | None) -> int:
    """Write every result as it comes; returns how many inputs failed. What is written stays on Ctrl-C."""
    from sixarts.result import Failure

    count = failed = 0
    where = str(output) if output is not None else "standard output"
    try:
        with write as put:
            for result in results:
                put(result)
                count += 1
                if isinstance(result, Failure):
                    failed += 1
                    say(f"error: input {result.index}: {result.error}")
    except KeyboardInterrupt:
        say(f"interrupted; {count} answers are in {where}")
        raise typer.Exit(130) from None
    if output is not None:
        say(f"wrote {count} answers to {output}" + (f", {failed} of them failures" if failed else ""))
    return failed


def _standard_input() -> Iterator[str]:
    """Lines of standard input, decoded one by one so that a bad one is named by its number."""
    for number, line in enumerate(sys.stdin.buffer, start=1):
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            byte = line[error.start]
            raise InputError(
                f"line {number} of standard input has byte 0x{byte:02x} at column {error.start + 1}; "
                "expected UTF-8 text; convert it, e.g. with iconv"
            ) from None
        if "\0" in text:
            raise InputError(f"line {number} of standard input is binary; expected text, one input a line")
        yield text.rstrip("\r\n")


@explain_app.command(cls=TaskCommand)
def explain(
    context: typer.Context,
    task: TaskName,
    input: Annotated[str, typer.Argument(metavar="INPUT")],
    method: Annotated[
        str | None, typer.Option("--method", help="See `sixarts tasks --json`; default: the task's first.")
    ] = None,
    target: Annotated[str | None, typer.Option("--target", help="What of the answer to explain.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", help="Write NAME.html, NAME.png, NAME.svg or NAME.json.")
    ] = None,
    model: ModelName = None,
    device: DeviceName = "auto",
    precision: Precision = None,
    option: Pairs = None,
    json: AsJson = False,
) -> None:
    """Show which part of an input made its answer."""
    import sixarts

    start_backend(task)

    options = task_options(context, option)
    save = write_explanation(output) if output is not None else None
    loaded = sixarts.load(task, model, device=device, precision=precision, **options)
    explanation = loaded.explain(input, method=method, target=target)
    if save is not None:
        save(explanation)
        return say(f"wrote {output}")
    return show_json(explanation.to_dict()) if json else print(explanation_text(explanation))


@evaluate_app.command(cls=TaskCommand)
def evaluate(
    context: typer.Context,
    task: TaskName,
    data: Annotated[Path, typer.Option("--data", help="Examples, a .tsv or .jsonl file.")],
    model: ModelName = None,
    device: DeviceName = "auto",
    precision: Precision = None,
    option: Pairs = None,
    json: AsJson = False,
) -> None:
    """Measure a model on examples with the task's own metric and its confidence interval."""
    import sixarts

    start_backend(task)

    options = task_options(context, option)
    loaded = sixarts.load(task, model, device=device, precision=precision, **options)
    metrics = loaded.evaluate(loaded.read_examples(data))
    if json:
        return show_json(metrics.to_dict())
    rows = [
        (name, f"{metric.value:.4g}", f"{metric.low:.4g} to {metric.high:.4g}")
        for name, metric in metrics.values.items()
    ]
    show_table(("metric", "value", "interval"), rows, "the task reports no metric")
    return say(f"{metrics.count} examples; {metrics.protocol}")


@footprint_app.command(cls=Plain)
def footprint(
    task: TaskName,
    input: Annotated[str | None, typer.Argument(metavar="[INPUT]", help="Default: the first sample.")] = None,
    model: ModelName = None,
    device: DeviceName = "auto",
    precision: Precision = None,
    json: AsJson = False,
) -> None:
    """Measure a model: parameters, bytes, FLOPs, time and energy of one answer."""
    import sixarts

    start_backend(task)

    loaded = sixarts.load(task, model, device=device, precision=precision)
    measured = loaded.footprint(input)
    return show_json(measured.to_dict()) if json else print(measured)
