"""The catalog: models that plugins list, and models that the hub lists, marked by what loads here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sixarts.errors import OptionError
from sixarts.layout import families_of
from sixarts.plugins import Registry, registry
from sixarts.spec import FamilySpec, ModelEntry, TaskSpec

if TYPE_CHECKING:
    from sixarts_hub.search import Listed

#: Files that hold pickles. Their tensors are read without running anything; safetensors need no such care.
_PICKLES = (".bin", ".bin.index.json")


@dataclass(frozen=True)
class RemoteEntry(ModelEntry):
    """A model that the hub lists.

    Attributes:
        family: the family here that reads it, or ``""``.
        obstacle: why it does not load here; ``""`` when nothing is known to be in the way.
        weights: the file that its weights would be read from, where the hub tells its files.
        downloads: in the last month, where known.
        gated: whether access must be asked for.
    """

    obstacle: str = ""
    weights: str = ""
    downloads: int | None = None
    gated: bool = False

    @property
    def loads(self) -> bool:
        """Whether a family here reads its layout."""
        return not self.obstacle

    @property
    def pickled(self) -> bool:
        """Whether its weights are a pickle, of which tensors alone are read."""
        return self.weights.endswith(_PICKLES)


def models(
    task: str | None = None,
    *,
    language: str | None = None,
    remote: bool = False,
    search: str | None = None,
    limit: int = 20,
) -> list[ModelEntry]:
    """The catalog of known models, or a part of it.

    Args:
        task: only this task's; name or alias.
        language: only those that state this ISO code; ``"de"`` finds ``"de-AT"``, too.
        remote: ask the hub instead, by the task's tag, most downloaded first; entries are
            :class:`RemoteEntry` then.
        search: only those whose reference holds this.
        limit: how many the hub is asked for.

    Raises:
        UnknownTask: no plugin offers the task.
        OptionError: ``remote`` without a task.
        Offline, Unreachable: the hub cannot be asked.
    """
    names = registry()
    if remote:
        if task is None:
            raise OptionError("received remote=True without a task; expected one; `sixarts tasks` lists them")
        return list(_remote(names, names.task(task), language, search, limit))
    return [
        entry
        for entry in names.models(task)
        if (language is None or _speaks(entry.languages, language))
        and (search is None or search.lower() in entry.reference.lower())
    ]


def _remote(
    names: Registry, spec: TaskSpec, language: str | None, search: str | None, limit: int
) -> Sequence[RemoteEntry]:
    from sixarts.hubs import default_hub

    families = families_of(names, spec)
    found = default_hub().search(spec.name, language=language, words=search, limit=limit)
    return [_marked(names, spec, families, listed) for listed in found]


def _marked(names: Registry, spec: TaskSpec, families: Sequence[FamilySpec], listed: Listed) -> RemoteEntry:
    """What the hub lists, held against the families that serve the task."""
    family = next((family for family in families if family.matches(listed.config)), None)
    weights = ""
    if family is None:
        obstacle = _unreadable(families, listed)
    else:
        weights, obstacle = _weights(family, listed)
        obstacle = obstacle or names.lacks(family) or ("access must be asked for" if listed.gated else "")
    return RemoteEntry(
        reference=listed.name,
        task=spec.name,
        family=family.name if family else "",
        license=listed.license,
        # Language tags are not marked as such; two or three letters are.
        languages=tuple(tag for tag in listed.tags if len(tag) in (2, 3) and tag.isalpha() and tag.islower()),
        obstacle=obstacle,
        weights=weights,
        downloads=listed.downloads,
        gated=listed.gated,
    )


def _unreadable(families: Sequence[FamilySpec], listed: Listed) -> str:
    kind = listed.config.get("model_type")
    if not kind:
        return "its config.json states no model_type"
    for family in families:
        if kind in family.model_types:
            stated = listed.config.get("architectures")
            return f"architectures {_plain(stated)} without the head of {', '.join(family.architectures)}"
    return f"no family here reads model_type {_plain(kind)}"


def _weights(family: FamilySpec, listed: Listed) -> tuple[str, str]:
    """The weights file that would be read, and what is in the way."""
    if listed.paths is None:
        return "", ""
    name = next((name for name in family.weights if name in listed.paths), "")
    return name, "" if name else f"none of {', '.join(family.weights)} is there"


def _plain(value: object) -> str:
    """A stranger's value, short and printable."""
    return repr(value)[:60]


def _speaks(languages: Sequence[str], language: str) -> bool:
    wanted = language.lower()
    return any(
        code.lower().replace("_", "-").split("-")[0] == wanted or code.lower() == wanted for code in languages
    )
