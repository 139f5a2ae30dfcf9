"""What a hub lists for a task: names, layouts and files, most downloaded first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from sixarts_hub import wire
from sixarts_hub.endpoint import Endpoint
from sixarts_hub.errors import BadReference
from sixarts_hub.reference import Reference
from sixarts_hub.retry import persist

#: Most models that one search gives; the hub lists hundreds of thousands.
MOST = 500
# A model's list of files is cut here: a family looks for a few well-known names.
_MOST_PATHS = 10_000
_WANTED = ("config", "downloads", "gated", "siblings", "tags")


@dataclass(frozen=True)
class Listed:
    """A repository as the hub lists it; everything in it is a stranger's word.

    Attributes:
        name: ``OWNER/NAME``.
        config: what the hub shows of its ``config.json``: ``model_type``, ``architectures``.
        paths: its files; ``None`` where the hub does not say.
        license: as its card states it, or ``""``.
        tags: languages, data, libraries.
        downloads: in the last month, where known.
        gated: whether access must be asked for.
    """

    name: str
    config: Mapping[str, Any]
    paths: tuple[str, ...] | None
    license: str
    tags: tuple[str, ...]
    downloads: int | None
    gated: bool


def search(
    endpoint: Endpoint, task: str, *, language: str | None = None, words: str | None = None, limit: int = 20
) -> list[Listed]:
    """Models of a task, most downloaded first.

    Args:
        task: the hub's task tag, e.g. ``"translation"``.
        language: ISO code, as the hub tags it.
        words: part of the names.
        limit: how many, ``MOST`` at most.

    Raises:
        Unreachable: no answer, or not a hub's.
    """
    asked = {
        "pipeline_tag": task,
        "filter": (language or "").lower(),
        "search": words or "",
        "sort": "downloads",
        "limit": max(1, min(limit, MOST)),
    }
    query = urlencode({key: value for key, value in asked.items() if value} | {"expand": _WANTED}, doseq=True)
    subject = f"models for {task}"

    def once() -> list[Listed]:
        with wire.answer(endpoint, f"{endpoint.url}/api/models?{query}", subject) as response:
            entries = wire.read_json(response)
            if not isinstance(entries, list):
                raise ValueError(f"a {type(entries).__name__} and no list")
            return [listed for entry in entries if (listed := _listed(entry)) is not None]

    return persist(once)


def _listed(entry: Mapping[str, Any]) -> Listed | None:
    """One entry in our words; ``None`` for a name that no reference can be."""
    try:
        reference = Reference.parse(f"hf://{entry['id']}")
    except BadReference:
        return None
    if reference.revision is not None:
        return None
    config, siblings, downloads = entry.get("config"), entry.get("siblings"), entry.get("downloads")
    tags = tuple(tag for tag in entry.get("tags") or () if isinstance(tag, str) and tag.isprintable())
    return Listed(
        name=reference.name,
        config=config if isinstance(config, dict) else {},
        paths=None if siblings is None else tuple(file["rfilename"] for file in siblings[:_MOST_PATHS]),
        license=_license(tags),
        tags=tags,
        downloads=downloads if isinstance(downloads, int) else None,
        gated=bool(entry.get("gated")),
    )


def _license(tags: Iterable[str]) -> str:
    return next((tag.removeprefix("license:") for tag in tags if tag.startswith("license:")), "")
