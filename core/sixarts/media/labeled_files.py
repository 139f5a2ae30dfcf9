"""Examples as people keep them on disk: a folder for each class, or a file of pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from sixarts.errors import InputError
from sixarts.media.sources import path_of


def labeled_files(
    path: str | Path,
    kind: str,
    files_in: Callable[[Path], Iterable[Path] | None],
    pairs: Callable[[str | Path], Iterable[Any]],
) -> list[Any]:
    """Files and their classes: a folder with a folder for each class, or a file of pairs.

    Files that a file names are found from where it lies.

    Args:
        path: the folder, or the file.
        kind: what the files are, in the plural, for messages.
        files_in: a folder to its files.
        pairs: a file to its pairs.

    Raises:
        InputError: a folder without folders, or one of these without files.
    """
    place = Path(path)
    if not place.is_dir():
        return [(_beside(place, x), label) for x, label in pairs(path)]
    classes = sorted(entry for entry in place.iterdir() if entry.is_dir())
    if not classes:
        raise InputError(f"{place} holds no folder; expected one for each class, with its {kind}")
    return [(x, entry.name) for entry in classes for x in files_in(entry) or ()]


def _beside(file: Path, x: Any) -> Any:
    """A path from a file of pairs, relative to that file."""
    return file.parent / x if path_of(x) and not Path(x).is_absolute() else x
