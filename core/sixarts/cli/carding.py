"""``sixarts card``: show, check or complete the model card of a folder or a model on the hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from sixarts.card import CARD
from sixarts.errors import NotFound, OptionError
from sixarts.hubs import hub_for

from .options import AsJson, Plain, application
from .output import say, show_json
from .starting import start_backend

card_app = application(help="Show, check or complete a model card.")

#: Longest card that is read, in bytes. One of the hub is a stranger's.
CARD_LIMIT = 4 << 20

ReferenceName = Annotated[
    str, typer.Argument(metavar="REFERENCE", help="A folder, starter/NAME, OWNER/NAME[@REVISION] or hf://….")
]
Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="A model folder, as `fit` saves it.")]


@card_app.command("show", cls=Plain)
def show(reference: ReferenceName, json: AsJson = False) -> None:
    """Print a model's card; of a model on the hub, the card alone is fetched."""
    text, _ = _card(reference)
    if json:
        from sixarts import card_text

        head, body = card_text.read(text)
        return show_json({"head": _plain(head), "sections": card_text.sections(body)})
    # A stranger's text: what would move a terminal's cursor or change its colors is left out.
    return print("".join(letter for letter in text if letter.isprintable() or letter in "\n\t").rstrip("\n"))


@card_app.command("check", cls=Plain)
def check(reference: ReferenceName, json: AsJson = False) -> None:
    """List what a card lacks or has wrong; exit status 1 when there is anything."""
    from sixarts import card_check

    text, task = _card(reference)
    problems = card_check.check(text, task)
    if json:
        show_json(problems)
    elif problems:
        print("\n".join(problems))
    else:
        say(f"the card of {reference} is complete")
    if problems:
        raise typer.Exit(1)


@card_app.command("write", cls=Plain)
def write(
    folder: Folder,
    title: Annotated[str | None, typer.Option("--title")] = None,
    license: Annotated[
        str | None, typer.Option("--license", help="The hub's identifier, e.g. cc-by-4.0.")
    ] = None,
    language: Annotated[
        list[str] | None, typer.Option("--language", help="ISO code; may be repeated.")
    ] = None,
    dataset: Annotated[list[str] | None, typer.Option("--dataset", help="Data; may be repeated.")] = None,
    use: Annotated[str | None, typer.Option("--use", help="What it is meant for.")] = None,
    data: Annotated[
        str | None, typer.Option("--data", help="What it learned from, with its license.")
    ] = None,
    training: Annotated[str | None, typer.Option("--training")] = None,
    evaluation: Annotated[str | None, typer.Option("--evaluation")] = None,
    limits: Annotated[str | None, typer.Option("--limits", help="Where it fails.")] = None,
    measure: Annotated[
        Path | None, typer.Option("--measure", help="Examples; their figures go on the card as --dataset's.")
    ] = None,
    split: Annotated[str, typer.Option("--split", help="Which part of the data --measure is.")] = "test",
) -> None:
    """Complete a folder's card, and record it in sixarts.json; without options, record README.md as it is."""
    from sixarts.card import fill
    from sixarts.folder import write_card
    from sixarts_hub import Manifest
    from sixarts_hub.listing import SIGNATURE

    manifest = Manifest.read(folder)
    if measure is not None and len(dataset or ()) != 1:
        raise OptionError("got --measure; expected one --dataset, the name of the data that it measures on")
    said: dict[str, Any] = {
        "title": title,
        "license": license,
        "languages": language,
        "datasets": dataset,
        "use": use,
        "data": data,
        "training": training,
        "evaluation": evaluation,
        "limits": limits,
    }
    card = folder / CARD
    text = card.read_text(encoding="utf-8") if card.is_file() else ""
    given = {name: value for name, value in said.items() if value}
    if given:
        text = fill(text, manifest.task, **given)
    if measure is not None and dataset:
        text = _measured(text, folder, manifest.task, measure, dataset[0], split)
    write_card(folder, text)
    if (folder / SIGNATURE).is_file():
        say(f"its {SIGNATURE} was made over the old card; sign the folder again, or remove the signature")
    _tell_what_is_left(folder, text, manifest.task)


def _measured(text: str, folder: Path, task: str, examples: Path, dataset: str, split: str) -> str:
    """The card with the figures of the folder's model on these examples."""
    import sixarts

    start_backend(task)
    from sixarts.card import with_measured

    learner = sixarts.load(task, folder)
    say(str(learner.evaluate(learner.read_examples(examples), dataset=dataset, split=split)))
    return with_measured(text, task, learner.record.measured)


def _tell_what_is_left(folder: Path, text: str, task: str) -> None:
    from sixarts.card_check import check as problems_of

    problems = problems_of(text, task)
    say("\n".join(["it still lacks:", *problems]) if problems else f"the card of {folder} is complete")
    print(folder / CARD)


def _card(reference: str) -> tuple[str, str | None]:
    """A card's text and the task of its model, ``None`` for a foreign checkpoint."""
    from sixarts_hub.manifest import FILE, Manifest

    # A folder's card is read even while its digest is not recorded yet.
    folder = Path(reference).expanduser()
    if not ((folder / CARD).is_file() or (folder / FILE).is_file()):
        wanted = (CARD, FILE)
        folder = (
            hub_for(reference)
            .pull(reference, lambda listing, read: [path for path in wanted if path in listing])
            .path
        )
    card = folder / CARD
    if not card.is_file():
        raise NotFound(f"received {reference!r}, which has no {CARD}; expected a model with a card")
    if card.stat().st_size > CARD_LIMIT:
        raise NotFound(
            f"received {reference!r}, whose {CARD} has {card.stat().st_size:,} bytes; expected a card, of "
            f"{CARD_LIMIT:,} at most"
        )
    task = Manifest.read(folder).task if (folder / FILE).is_file() else None
    return card.read_text(encoding="utf-8", errors="replace"), task


def _plain(value: Any) -> Any:
    """YAML's dates as text."""
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)
