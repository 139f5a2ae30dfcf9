"""Publishing a model: what is on its card and in its golden answer is held to before anything is sent."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sixarts.card import CARD, card_of
from sixarts.card_check import check
from sixarts.errors import CardError, CheckpointError
from sixarts.folder import golden_difference, save_task
from sixarts.hubs import default_hub, hub_for
from sixarts.plugins import registry
from sixarts_hub import Manifest, Pushed
from sixarts_hub.manifest import verify


def push_task(task: Any, repo: str, **how: Any) -> Pushed:
    """Saves a task to a draft and publishes it.

    Args:
        task: the task; its card must be complete.
        repo: where to.
        **how: as :meth:`sixarts_hub.Hub.push` takes it.

    Raises:
        CardError, CheckpointError, HubError: nothing was published.
    """
    # Before the weights are written, which may take long.
    _check_card(card_of(task), task.name, "`task.describe(license=…, data=…, limits=…)` states it")
    with tempfile.TemporaryDirectory() as place:
        folder = save_task(task, Path(place) / "model")
        stored = type(task.model).from_folder(folder, task.model.device)
        check_golden(type(task)(task.spec, stored), Manifest.read(folder))
        return _send(folder, repo, how)


def push_folder(folder: Path, repo: str, load: Callable[[str, Path], Any], **how: Any) -> Pushed:
    """Publishes a model folder that was saved before.

    Args:
        folder: with ``sixarts.json``; what it lists is published, nothing else.
        load: a task's name and a folder to the task.
        repo, how: as for :func:`push_task`.

    Raises:
        CardError, CheckpointError, HubError: nothing was published.
    """
    manifest = Manifest.read(folder)
    verify(folder, manifest)
    card = folder / CARD
    _check_card(
        card.read_text(encoding="utf-8") if card.is_file() else "",
        manifest.task,
        f"`sixarts card write {folder} --license … --data … --limits …` states it, also after you changed "
        f"{card} yourself; `sixarts card check {folder}` lists it again",
    )
    check_golden(load(manifest.task, folder), manifest)
    return _send(folder, repo, how)


def check_golden(loaded: Any, manifest: Manifest) -> None:
    """Holds the answer of a task, loaded anew from a folder, against the one that the folder records.

    Raises:
        CheckpointError: it answers otherwise.
    """
    if manifest.golden is None:
        return
    if problem := golden_difference(loaded, manifest.golden):
        raise CheckpointError(
            f"received a model whose saved weights do not give its golden answer: {problem}; expected the "
            "answer that sixarts.json records; nothing was published; load the saved folder and save that, "
            "so that the answer is of the weights as they are stored"
        )


def _send(folder: Path, repo: str, how: Mapping[str, Any]) -> Pushed:
    scheme, separator, _ = repo.partition("://")
    # Not by `hub_for`: a lock says what is loaded, not where things go.
    hub = hub_for(repo) if separator and scheme in registry().hubs() else default_hub()
    # What is not asked for is not handed on: a plugin's hub may know fewer ways to push.
    pushed: Pushed = hub.push(folder, repo, **{name: value for name, value in how.items() if value})
    return pushed


def _check_card(text: str, task: str, advice: str) -> None:
    if problems := check(text, task):
        raise CardError(
            f"received a card that is not complete: {'; '.join(problems)}; expected what people need who "
            f"load the model; nothing was published; {advice}"
        )
