"""What a card lacks: each entry that the hub reads and each section that a person needs."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from sixarts import card_text
from sixarts.card import SECTIONS, UNKNOWN
from sixarts.errors import SixartsError

#: The hub's identifiers are in small letters.
_IDENTIFIER = re.compile(r"[a-z0-9][a-z0-9.+-]*")
#: Words by which a text says under what license data is.
_LICENSE = re.compile(
    r"licen[sc]e|\bCC0\b|\bCC[ -]BY|\bMIT\b|\bApache\b|\bBSD\b|\bGPL|\bLGPL|\bODbL\b|\bODC\b|\bPDDL\b"
    r"|public domain|proprietary|all rights reserved",
    re.IGNORECASE,
)
_LOADS = re.compile(r"\bload\(|\bsixarts run\b")


def check(text: str, task: str | None = None) -> list[str]:
    """What is missing or wrong on a card, a sentence each; empty when it is complete.

    Args:
        text: the card.
        task: the task that its model serves, where that is known.

    >>> check("# Mine")[:2]
    ["license is missing: expected the hub's identifier, e.g. cc-by-4.0", 'library_name is missing']
    """
    try:
        head, body = card_text.read(text)
    except SixartsError as error:
        return [str(error)]
    return [*_of_head(head, task), *_of_index(head.get("model-index")), *_of_body(body)]


def _of_head(head: Mapping[str, Any], task: str | None) -> Iterator[str]:
    given = head.get("license")
    if given is None or given in ("", "unknown"):
        yield f"license is {given or 'missing'}: expected the hub's identifier, e.g. cc-by-4.0"
    elif not isinstance(given, str) or not _IDENTIFIER.fullmatch(given):
        yield f"license is {given!r}: expected one identifier in small letters, e.g. cc-by-4.0"
    elif given == "other" and not head.get("license_name"):
        yield "license is other, and license_name is missing: expected the license's own name"
    if not head.get("library_name"):
        yield "library_name is missing"
    tag = head.get("pipeline_tag")
    if not tag:
        yield f"pipeline_tag is missing: expected the task, {task or 'e.g. translation'}"
    elif task is not None and tag != task:
        yield f"pipeline_tag is {tag!r}: the model is for {task!r}"
    for key in ("language", "datasets", "metrics", "tags"):
        value = head.get(key, [])
        entries = value if isinstance(value, list) else [value]
        # YAML reads a bare `no`, Norwegian, as false.
        if wrong := [entry for entry in entries if not isinstance(entry, str)]:
            yield f"{key} holds {wrong[0]!r}: expected text; write it in quotation marks"


def _of_index(index: Any) -> Iterator[str]:
    """Holds ``model-index`` to the hub's form of it; a card without one says nothing wrong."""
    if index is None:
        return
    if not isinstance(index, list) or not index:
        yield "model-index is no list: expected models, each with a name and results"
        return
    for place, model in _each("model-index", index):
        if not isinstance(model, dict) or not model.get("name"):
            yield f"{place} has no name"
        results = model.get("results") if isinstance(model, dict) else None
        if not isinstance(results, list) or not results:
            yield f"{place} has no results"
            continue
        for where, result in _each(f"{place}.results", results):
            yield from _of_result(where, result)


def _of_result(where: str, result: Any) -> Iterator[str]:
    wanted = {"task": ("type",), "dataset": ("type", "name")}
    for part, keys in wanted.items():
        entry = result.get(part) if isinstance(result, dict) else None
        for key in keys:
            if not isinstance(entry, dict) or not isinstance(entry.get(key), str) or not entry[key]:
                yield f"{where}.{part}.{key} is missing"
    metrics = result.get("metrics") if isinstance(result, dict) else None
    if not isinstance(metrics, list) or not metrics:
        yield f"{where}.metrics is missing"
        return
    for place, metric in _each(f"{where}.metrics", metrics):
        if not isinstance(metric, dict) or not isinstance(metric.get("type"), str):
            yield f"{place}.type is missing"
        value = metric.get("value") if isinstance(metric, dict) else None
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            yield f"{place}.value is {value!r}: expected the measured number"


def _of_body(body: str) -> Iterator[str]:
    if not re.search(r"^# \S", body, re.MULTILINE):
        yield "the title is missing: expected a line '# NAME'"
    said = card_text.sections(body)
    for name in SECTIONS:
        if not said.get(name):
            yield f"## {name} is missing"
        elif UNKNOWN in said[name]:
            yield f"## {name} is not stated yet"
    if said.get("Data") and UNKNOWN not in said["Data"] and not _LICENSE.search(said["Data"]):
        yield "## Data names no license of the data"
    if said.get("Use") and not _LOADS.search(said["Use"]):
        yield "## Use does not show how to load the model"


def _each(where: str, entries: list[Any]) -> Iterator[tuple[str, Any]]:
    for number, entry in enumerate(entries):
        yield f"{where}[{number}]", entry
