"""A task as a model folder: written whole, with a card and a golden answer.

A task here is any object with a task's public face: ``sixarts.task`` calls this module, not the reverse.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from sixarts.card import CARD, card_of
from sixarts.errors import SixartsError
from sixarts.result import plain
from sixarts.spec import API_VERSION
from sixarts_hub import Manifest
from sixarts_hub.exchange import drafting, replace_folder
from sixarts_hub.manifest import FileEntry
from sixarts_hub.records import write_atomically

#: How far a number of the golden answer may be from its record, relative and absolute.
TOLERANCE = 1e-4


def save_task(task: Any, folder: Path) -> Path:
    """Writes a model folder; it appears whole, or the old one stays.

    Raises:
        SixartsError: ``folder`` holds something that is not a model folder.
    """
    folder = folder.expanduser().absolute()
    # A link stays one: what it leads to is replaced.
    place = folder.resolve() if folder.is_symlink() else folder
    if folder.is_file():
        raise SixartsError(f"{folder} is a file; expected a new folder, or a model folder to replace")
    if folder.exists() and any(folder.iterdir()) and not (folder / "config.json").is_file():
        raise SixartsError(
            f"{folder} holds files that are no model; expected a new folder, or a model folder to replace"
        )
    with drafting(place) as draft:
        task.model.save(draft)
        task.save_extras(draft)
        (draft / CARD).write_text(card_of(task), encoding="utf-8")
        Manifest.of(
            draft,
            task=task.name,
            family=task.model.family,
            api=API_VERSION,
            golden=golden_of(task),
            dtype=task.model.stored_dtype,
        ).write(draft)
        replace_folder(draft, place)
    return folder


def write_card(folder: Path, text: str) -> None:
    """Puts a card into a saved folder, and its digest into ``sixarts.json``.

    Every other file keeps the digest that is recorded for it. A signature of the folder, if there is one,
    holds no longer: it is another folder now.

    Raises:
        ManifestError: the folder has no manifest.
    """
    manifest = Manifest.read(folder)
    content = text.encode()
    write_atomically(folder / CARD, content)
    entry = FileEntry(len(content), hashlib.sha256(content).hexdigest())
    replace(manifest, files={**manifest.files, CARD: entry}).write(folder)


def golden_of(task: Any) -> dict[str, Any] | None:
    """The task's first sample with this model's answer, for ``sixarts verify``."""
    sample = plain(task.sample)
    try:
        # With the task's own defaults: whoever loads the folder and asks has no others.
        answer = task(sample, **vars(task.Options()))
    except SixartsError:
        # A model of another language or schema may not take the task's sample.
        return None
    return {"input": sample, "answer": answer.to_dict(), "tolerance": TOLERANCE}


def golden_difference(task: Any, golden: Mapping[str, Any]) -> str | None:
    """What differs between the recorded golden answer and this one, in words; ``None`` when nothing does."""
    answer = task(golden["input"]).to_dict()
    return difference("answer", golden["answer"], answer, golden.get("tolerance", TOLERANCE))


def difference(where: str, wanted: Any, given: Any, tolerance: float) -> str | None:
    """What differs between two trees of plain values, in words; ``None`` when nothing does.

    Args:
        where: what the tree is called in the answer.
        wanted, given: as :meth:`Result.to_dict` gives them.
        tolerance: how far a float may be off, relative and absolute; everything else is equal.
    """
    if isinstance(wanted, Mapping) and isinstance(given, Mapping):
        # What a later version answers beside it is not the record's business.
        pairs = [(f"{where}.{name}", wanted[name], given.get(name)) for name in wanted]
    elif isinstance(wanted, list) and isinstance(given, list) and len(wanted) == len(given):
        pairs = [(f"{where}[{i}]", *both) for i, both in enumerate(zip(wanted, given, strict=True))]
    elif isinstance(wanted, float) and isinstance(given, float | int):
        same = math.isclose(wanted, given, rel_tol=tolerance, abs_tol=tolerance)
        return None if same else f"{where} is {given}, expected {wanted} within {tolerance}"
    else:
        return None if wanted == given else f"{where} is {given!r}, expected {wanted!r}"
    return next(
        (found for name, one, other in pairs if (found := difference(name, one, other, tolerance))), None
    )
