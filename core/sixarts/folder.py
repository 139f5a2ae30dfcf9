"""A task as a model folder: written whole, with a card and a golden answer, and published.

A task here is any object with a task's public face: ``sixarts.task`` calls this module, not the reverse.
"""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sixarts.card import card_of
from sixarts.errors import SixartsError
from sixarts.result import plain
from sixarts.spec import API_VERSION
from sixarts_hub import Manifest

#: How far a number of the golden answer may be from its record, relative and absolute.
TOLERANCE = 1e-4


def save_task(task: Any, folder: Path) -> Path:
    """Writes a model folder; it appears whole, or the old one stays.

    Raises:
        SixartsError: ``folder`` holds something that is not a model folder.
    """
    folder = folder.expanduser().absolute()
    if folder.is_file():
        raise SixartsError(f"{folder} is a file; expected a new folder, or a model folder to replace")
    if folder.exists() and any(folder.iterdir()) and not (folder / "config.json").is_file():
        raise SixartsError(
            f"{folder} holds files that are no model; expected a new folder, or a model folder to replace"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        draft.chmod(0o755)
        task.model.save(draft)
        (draft / "README.md").write_text(task.card or card_of(task), encoding="utf-8")
        Manifest.of(
            draft,
            task=task.name,
            family=task.model.family,
            api=API_VERSION,
            golden=golden_of(task),
            dtype=task.model.stored_dtype,
        ).write(draft)
        _swap(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder


def _swap(draft: Path, folder: Path) -> None:
    """Puts a finished draft in the place of ``folder``; a rename over a full folder is not allowed."""
    if not folder.exists():
        draft.rename(folder)
        return
    old = folder.with_name(f".{folder.name}.old-{os.getpid()}")
    folder.rename(old)
    draft.rename(folder)
    shutil.rmtree(old)


def push_task(
    task: Any, repo: str, *, token: str | None = None, private: bool = False, message: str | None = None
) -> str:
    """Saves to a draft and publishes it in one commit; returns the commit."""
    from sixarts.hubs import default_hub

    with tempfile.TemporaryDirectory() as place:
        folder = save_task(task, Path(place) / "model")
        return default_hub().push(folder, repo, token=token, private=private, message=message)


def golden_of(task: Any) -> dict[str, Any] | None:
    """The task's first sample with this model's answer, for ``sixarts verify``."""
    sample = plain(task.spec.samples[0])
    try:
        answer = task(sample)
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
        pairs = [(f"{where}.{name}", wanted.get(name), given.get(name)) for name in {**wanted, **given}]
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
