"""Where answers and explanations go: standard output or a file, chosen by the file's suffix."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from sixarts.errors import OptionError

from .output import as_json

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from sixarts.explanation import Explanation
    from sixarts.result import Result


def line_of(result: Result) -> str:
    """A result as plain text; a failure is an empty line, so that lines keep their places.

    Its reason goes to standard error.
    """
    from sixarts.result import Failure

    return "" if isinstance(result, Failure) else str(result)


def json_of(result: Result) -> str:
    """A result as one line of JSON."""
    return as_json(result.to_dict())


#: Suffix of an answers file to the form of its lines.
_FORMS: dict[str, Callable[[Result], str]] = {".jsonl": json_of, ".txt": line_of}


def writer_for(
    output: Path | None, form: Callable[[Result], str]
) -> AbstractContextManager[Callable[[Result], None]]:
    """A context that yields a function which writes one result and flushes it.

    Args:
        output: a ``.jsonl`` or ``.txt`` file; ``None`` is standard output, in ``form``.

    Raises:
        OptionError: the file's suffix is neither; found before any model is loaded.
    """
    if output is None:
        return _printing(form)
    if output.suffix not in _FORMS:
        raise OptionError(f"--output got {str(output)!r}; expected a name that ends in {' or '.join(_FORMS)}")
    return _writing(output, _FORMS[output.suffix])


@contextmanager
def _printing(form: Callable[[Result], str]) -> Iterator[Callable[[Result], None]]:
    yield lambda result: print(form(result), flush=True)


@contextmanager
def _writing(output: Path, form: Callable[[Result], str]) -> Iterator[Callable[[Result], None]]:
    with output.open("w", encoding="utf-8") as file:
        yield lambda result: _put_line(file, form(result))


def _put_line(file: TextIO, line: str) -> None:
    file.write(line + "\n")
    file.flush()  # Ctrl-C keeps what was done


def _save_html(explanation: Explanation, path: Path) -> None:
    page = f'<!doctype html>\n<meta charset="utf-8">\n<title>Explanation</title>\n{explanation.to_html()}\n'
    path.write_text(page, encoding="utf-8")


def _save_figure(explanation: Explanation, path: Path) -> None:
    explanation.plot().savefig(path, bbox_inches="tight", dpi=150)


def _save_json(explanation: Explanation, path: Path) -> None:
    path.write_text(as_json(explanation.to_dict()) + "\n", encoding="utf-8")


_EXPLANATIONS: dict[str, Callable[[Any, Path], None]] = {
    ".html": _save_html,
    ".png": _save_figure,
    ".svg": _save_figure,
    ".json": _save_json,
}


def write_explanation(output: Path) -> Callable[[Explanation], None]:
    """A function that writes an explanation to ``output``, in the form of its suffix.

    Raises:
        OptionError: no form has this suffix; found before any model is loaded.
    """
    save = _EXPLANATIONS.get(output.suffix)
    if save is None:
        forms = ", ".join(_EXPLANATIONS)
        raise OptionError(f"--output got {str(output)!r}; expected a name that ends in one of {forms}")
    return lambda explanation: save(explanation, output)


def explanation_text(explanation: Explanation, strongest: int = 3) -> str:
    """Each part of the answer with the parts of the input that weighed most on it."""
    lines = [f"{explanation.method}: each part of the answer, and what of the input made it"]
    for label, weights in zip(explanation.target_labels, explanation.values, strict=True):
        ranked = sorted(
            zip(explanation.input_labels, weights, strict=True), key=lambda pair: -abs(float(pair[1]))
        )
        parts = ", ".join(f"{name} {float(weight):+.2f}" for name, weight in ranked[:strongest])
        lines.append(f"  {label} ← {parts}")
    return "\n".join(lines)
