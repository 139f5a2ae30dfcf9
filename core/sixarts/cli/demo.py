"""``sixarts demo``: every task on its own samples, offline, as a table and as a page."""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sixarts.errors import SixartsError
from sixarts.plugins import registry
from sixarts.spec import TaskSpec

from .output import as_json, say, shortened
from .showing import Answer, Showing, time_of
from .starting import start_backend

if TYPE_CHECKING:
    from sixarts_hub.client import Hub


def demo(
    output: Annotated[Path, typer.Option("--output", help="The page.")] = Path("sixarts-demo.html"),
    task: Annotated[list[str] | None, typer.Option("--task", help="Only this task; may be repeated.")] = None,
) -> None:
    """Run every task on its own samples with its default model, offline; print a table, write a page."""
    from sixarts.hubs import default_hub

    from .demo_page import page

    found = registry()
    specs = [found.task(name) for name in task] if task else found.tasks()
    hub = default_hub(offline=True)
    showings = []
    for spec in specs:
        say(f"{spec.name} …")
        showings.append(show(spec, hub))
    _print_table(showings)
    output.write_text(page(showings), encoding="utf-8")
    say(f"wrote {output}")
    if any(showing.problems for showing in showings):
        raise typer.Exit(1)


def show(spec: TaskSpec, hub: Hub) -> Showing:
    """Run one task on its samples; whatever breaks is written down and the other tasks go on."""
    import sixarts

    start_backend()

    found = registry()
    showing = Showing(found.spelling(spec), spec.summary, spec.default_model)
    lacks = found.lacks(spec)
    if lacks:
        showing.install = lacks
        return showing
    start = time.perf_counter()
    with _noting(showing, "loading"):
        loaded = sixarts.load(showing.name, hub=hub)
        showing.loading = time.perf_counter() - start
        for sample in spec.samples:
            _show_sample(showing, loaded, sample)
        if spec.explanations and spec.samples:
            _explain_sample(showing, loaded, spec.samples[0])
    return showing


@contextmanager
def _noting(showing: Showing, step: str) -> Iterator[None]:
    """Note an error in the showing and go on; Ctrl-C is no error."""
    try:
        yield
    except Exception as error:  # a stranger's task may raise anything
        reason = str(error) if isinstance(error, SixartsError) else f"{type(error).__name__}: {error}"
        showing.problems.append(f"{step}: {reason}")


def _show_sample(showing: Showing, loaded: Any, sample: Any) -> None:
    with _noting(showing, f"answer to {described(sample)}"):
        start = time.perf_counter()
        result = loaded(sample)
        seconds = time.perf_counter() - start
        answer = Answer(described(sample), str(result), seconds, as_json(result.to_dict()))
        showing.answers.append(answer)
        with _noting(showing, f"plot of {described(sample)}"):
            # A result that is text draws itself better as HTML, in every script.
            if hasattr(result, "to_html"):
                answer.html = result.to_html()
            else:
                answer.plot = _png(result.plot())


def _explain_sample(showing: Showing, loaded: Any, sample: Any) -> None:
    with _noting(showing, f"explanation of {described(sample)}"):
        explanation = loaded.explain(sample)
        showing.method = explanation.method
        showing.explanation = explanation.to_html()


def _png(figure: Any) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=144, bbox_inches="tight")
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def described(sample: Any) -> str:
    """A sample in a few words: text as it is, a file by its name, an array by its shape.

    >>> described("I have a dog."), described({"age": 61})
    ('I have a dog.', '{"age": 61}')
    >>> described("data:image/png;base64," + 4000 * "A")
    'image/png, 3.0 kB'
    """
    if isinstance(sample, str) and sample.startswith("data:"):
        kind, _, data = sample.removeprefix("data:").partition(";base64,")
        return f"{kind}, {len(data) * 3 / 4 / 1000:.1f} kB"
    if isinstance(sample, str):
        return sample
    if isinstance(sample, PurePath):
        return sample.name
    shape = getattr(sample, "shape", None)
    if shape is not None:
        return f"{type(sample).__name__} of shape {tuple(shape)}"
    try:
        return as_json(sample)
    except TypeError:
        return repr(sample)


def _print_table(showings: Iterable[Showing]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("task", "input", "answer", title="Sixarts demo", expand=False)
    table.add_column("time", justify="right")
    for row in _rows(showings):
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)


def _rows(showings: Iterable[Showing]) -> Iterator[tuple[str, str, str, str]]:
    for showing in showings:
        first = showing.answers[0] if showing.answers else None
        problem = "error: " + "; ".join(showing.problems) if showing.problems else ""
        answer = shortened(first.text, 60) if first else ""
        install = showing.install.replace("; install with: ", "\n")  # the command on a line of its own
        yield (
            showing.name,
            shortened(first.input, 60) if first else "",
            "\n".join(filter(None, (answer, install, problem))),
            time_of(showing.seconds) if first else "",
        )
