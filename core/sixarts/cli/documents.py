"""Files that are one input each, such as a book or subtitles: read whole, answered whole, written whole."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sixarts.errors import InputError, OptionError
from sixarts.plugins import registry

if TYPE_CHECKING:
    from collections.abc import Callable

    from sixarts.result import Result


def documents_of(task: str, words: Sequence[str]) -> list[Path]:
    """The files that the words on the command line name, where all of them are documents of the task.

    Raises:
        InputError: one looks like a file of that kind, and is none.
    """
    suffixes = registry().task(task).documents
    paths = [
        Path(word)
        for word in words
        if Path(word).suffix.lower() in suffixes and not any(map(str.isspace, word))
    ]
    for path in paths:
        if not path.is_file():
            raise InputError(
                f"{str(path)!r}, which looks like a file and is none; expected a file that exists; "
                "to have it read as text, pipe it in"
            )
    if paths and len(paths) < len(words):
        raise InputError(f"documents ({paths[0]}) and texts in one call; expected one kind; call it twice")
    return paths


def document_writer(task: str, output: Path, documents: Sequence[Path]) -> Callable[[Result], None] | None:
    """What writes the one document's answer to ``output``; ``None`` where that is a file of answers.

    Raises:
        OptionError: there are several documents for one file.
    """
    known = (documents[0].suffix.lower(), *registry().task(task).outputs)
    if output.suffix.lower() not in known:
        return None
    if len(documents) > 1:
        raise OptionError(
            f"{len(documents)} documents and --output {output}; expected one document; call it for each, or "
            "write answers to a .jsonl file"
        )

    def write(result: Result) -> None:
        with _replacing(output) as draft:
            result.save(draft)

    return write


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A draft beside ``path`` that takes its place when all of it is written."""
    handle, name = tempfile.mkstemp(path.suffix, f".{path.stem}.", path.absolute().parent)
    os.close(handle)
    draft = Path(name)
    try:
        yield draft
        draft.chmod(0o644)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
