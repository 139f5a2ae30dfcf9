"""Which family reads a model folder, and which of a repository's files it needs. Imports no Keras."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatch
from typing import Any

from sixarts.errors import CheckpointError, UnknownFamily
from sixarts.plugins import Registry, registry
from sixarts.readers.json_file import json_object
from sixarts.spec import FamilySpec, TaskSpec
from sixarts_hub import Listing
from sixarts_hub.strict_json import short

#: Files of a model folder that core itself reads.
COMMON = ("config.json", "README.md", "sixarts.json")


def families_of(names: Registry, spec: TaskSpec) -> list[FamilySpec]:
    """The families whose signature a task accepts."""
    return [family for signature in spec.signatures for family in names.families(signature)]


def family_of(
    families: Sequence[FamilySpec], config: Mapping[str, Any], purpose: str = "any task"
) -> FamilySpec:
    """The family that recognizes a ``config.json``.

    Args:
        families: those that may.
        config: the parsed file.
        purpose: what the model is wanted for, for messages.

    Raises:
        CheckpointError: a family reads this ``model_type``, and the checkpoint lacks the head for it.
        UnknownFamily: none reads it.
    """
    for family in families:
        if family.matches(config):
            return family
    kind = config.get("model_type")
    named = kind[:100] if isinstance(kind, str) else short(kind)
    for family in families:
        if kind in family.model_types:
            raise CheckpointError(
                f"config.json states architectures {short(config.get('architectures'))}; expected one of "
                f"{', '.join(family.architectures)}, which has the head for {purpose}; choose a checkpoint "
                "that was trained for it"
            )
    if kind is None and isinstance(registered := config.get("registered_name"), str):
        readable = sorted({known for family in families for known in family.registered_names})
        raise UnknownFamily(f"family for {purpose} that reads Keras's", registered[:100], readable)
    readable = sorted({known for family in families for known in family.model_types})
    raise UnknownFamily(f"family for {purpose} that reads model_type", named, readable)


def needed_files(
    listing: Listing, read: Callable[[str], bytes], families: Iterable[FamilySpec] | None = None
) -> list[str]:
    """What of a repository is fetched: what its family declares, and the best weights file alone.

    Args:
        listing: the repository's files.
        read: gives a small file's content.
        families: those that may read it; every installed one when left out.
    """
    paths = [file.path for file in listing.files]
    if "sixarts.json" in paths:
        return sorted({*_listed(read, "sixarts.json", "files", dict.keys), "sixarts.json"})
    if "config.json" not in paths:
        raise CheckpointError(
            f"this repository has no config.json (it has {', '.join(paths[:8]) or 'no files'}); "
            "expected a model in a published layout; choose another"
        )
    known = list(registry().families() if families is None else families)
    family = family_of(known, _json(read, "config.json"))
    wanted = {path for path in paths if any(fnmatch(path, glob) for glob in (*COMMON, *family.files))}
    weights = next((name for name in family.weights if name in paths), None)
    if weights is None:
        raise CheckpointError(
            f"this repository has none of {', '.join(family.weights)} (it has {', '.join(paths[:8])}); "
            "expected weights in one of these files; choose another model, or convert its weights"
        )
    shards = _listed(read, weights, "weight_map", dict.values) if weights.endswith(".json") else ()
    return sorted({*wanted, weights, *shards})


def _json(read: Callable[[str], bytes], name: str) -> dict[str, Any]:
    return json_object(read(name), name)


def _listed(
    read: Callable[[str], bytes], name: str, entry: str, by: Callable[[dict[str, Any]], Any]
) -> set[str]:
    """The names of files that a stranger's file lists in an object."""
    found = _json(read, name).get(entry)
    if not isinstance(found, dict) or not all(isinstance(path, str) for path in by(found)):
        raise CheckpointError(
            f"{name} has {short(found)} as {entry}; expected an object of files' names; fetch the model again"
        )
    return set(by(found))
