"""``sixarts push``: a model folder from this machine to a hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from sixarts.errors import NotFound

from .options import AsJson
from .output import say, show_json, show_table, size_of
from .starting import start_backend


def push(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A model folder, as `fit` saves it.")],
    repo: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="Or a place: s3://BUCKET/FOLDER.")],
    private: Annotated[bool, typer.Option("--private", help="Create it for yourself only.")] = False,
    create_pr: Annotated[
        bool, typer.Option("--create-pr", help="Open a pull request in place of moving the branch.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would go; send nothing.")] = False,
    message: Annotated[str | None, typer.Option("--message", help="What changed.")] = None,
    json: AsJson = False,
) -> None:
    """Publish a model folder on the hub; the token is read from the environment (HF_TOKEN).

    Its card must be complete, and its golden answer must hold. Prints the commit, or the pull request's page.
    """
    if not folder.is_dir():
        raise NotFound(f"got {str(folder)!r}, which is no folder; expected one that `sixarts fit` saved")
    start_backend()
    from sixarts.publishing import push_folder

    pushed = push_folder(
        folder, repo, _opened, private=private, create_pr=create_pr, dry_run=dry_run, message=message
    )
    if json:
        from sixarts.result import plain

        return show_json(plain(pushed))
    say(str(pushed))
    if dry_run:
        rows = [(file.path, size_of(file.size), file.standing) for file in pushed.files]
        return show_table(("file", "size", "on the hub"), rows, "nothing")
    return print(pushed.url if create_pr else pushed.commit)


def _opened(task: str, folder: Path) -> Any:
    """The folder as a task; what is about to be published need not be signed yet."""
    import sixarts
    from sixarts_hub import Hub

    return sixarts.load(task, folder, hub=Hub(offline=True, require_signature=False))
