"""Model cards: the README of a model folder, in the hub's format, with what was measured.

Figures stand on a card twice: in the section "Evaluation" for people, and in the head as the hub's
``model-index`` (hub documentation, "Model Cards", metadata specification), which leaderboards read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sixarts import card_text
from sixarts.errors import OptionError, nearest

if TYPE_CHECKING:
    from sixarts.result import Footprint, Metric, Metrics

#: The card's file in a model folder.
CARD = "README.md"
#: Sections that a complete card has.
SECTIONS = ("Use", "Data", "Training", "Evaluation", "Footprint", "Limits")
#: What stands where somebody has yet to write.
UNKNOWN = "Not stated by whoever trained this model."
#: The head's entries that hold a list, by what ``describe`` calls them.
LISTS = {"languages": "language", "datasets": "datasets"}


@dataclass(frozen=True)
class Measured:
    """What ``evaluate`` found on named data.

    Attributes:
        metrics: the figures, their intervals and their protocol.
        dataset: the data in words, e.g. ``"Tatoeba, English–Chinese"``.
        id: the data's name on the hub where it has one, e.g. ``"tatoeba"``.
        split: which part of it.
        options: the call's options that were not the task's defaults.
    """

    metrics: Metrics
    dataset: str
    id: str = ""
    split: str = "test"
    options: Mapping[str, Any] = field(default_factory=dict)

    def indexed(self, task: str) -> dict[str, Any]:
        """One entry of ``results`` in the hub's ``model-index``."""
        return {
            "task": {"type": task, "name": task},
            "dataset": {"type": self.id or self.dataset, "name": self.dataset, "split": self.split},
            "metrics": [
                {"type": name, "value": _figure(metric.value), "name": name, "args": self._how(name, metric)}
                for name, metric in self.metrics.values.items()
            ],
        }

    def _how(self, name: str, metric: Metric) -> dict[str, Any]:
        # sacrebleu's signatures stand side by side, each after its metric's name.
        parts = self.metrics.protocol.split("; ")
        own = next((part for part in parts if part.startswith(f"{name}|")), self.metrics.protocol)
        how = {
            "interval": [_figure(metric.low), _figure(metric.high)],
            "confidence": metric.confidence,
            "examples": self.metrics.count,
            "protocol": own,
        }
        return how | ({"options": dict(self.options)} if self.options else {})

    def __str__(self) -> str:
        """As the section "Evaluation" tells it."""
        rows = [
            f"| {name} | {metric.value:.4g} | {metric.low:.4g} to {metric.high:.4g} |"
            for name, metric in self.metrics.values.items()
        ]
        confidence = next((metric.confidence for metric in self.metrics.values.values()), 0.95)
        chosen = ", ".join(f"{name} {value}" for name, value in self.options.items())
        return "\n".join(
            [
                f"On {self.metrics.count:,} examples of {self.dataset} ({self.split})"
                f"{f', with {chosen}' if chosen else ''}; {confidence:.0%} intervals.",
                "",
                "| metric | value | interval |",
                "|---|---|---|",
                *rows,
                "",
                f"Protocol: `{self.metrics.protocol}`.",
            ]
        )


@dataclass
class Record:
    """What happened to a task since it was loaded or made, for its card.

    Attributes:
        trained: how it was trained, one sentence a run.
        measured: what ``evaluate`` found on data that was named.
        cost: what ``footprint`` found last.
    """

    trained: list[str] = field(default_factory=list)
    measured: list[Measured] = field(default_factory=list)
    cost: Footprint | None = None


@dataclass(frozen=True)
class Card:
    """What a card says.

    Attributes:
        title: the model's name in words.
        task: the task's name.
        license: the hub's identifier, e.g. ``"cc-by-4.0"``.
        license_name: what a license without an identifier (``"other"``) is called.
        sections: section name to Markdown; see :data:`SECTIONS`.
        languages: ISO codes.
        datasets: names of the data.
        metrics: names of the measured metrics; those of ``measured`` when left out.
        measured: figures for the head's ``model-index``; "Evaluation" is written from them when left out.
    """

    title: str
    task: str
    license: str
    sections: Mapping[str, str]
    languages: Sequence[str] = ()
    datasets: Sequence[str] = ()
    metrics: Sequence[str] = ()
    measured: Sequence[Measured] = ()
    license_name: str = ""

    def __str__(self) -> str:
        head: dict[str, Any] = {
            "license": self.license,
            "license_name": self.license_name,
            "library_name": "sixarts",
            "pipeline_tag": self.task,
            "language": list(self.languages),
            "datasets": list(self.datasets),
            "metrics": list(self.metrics) or _names(self.measured),
            "tags": ["keras", "sixarts"],
        }
        if self.measured:
            results = [found.indexed(self.task) for found in self.measured]
            head["model-index"] = [{"name": self.title, "results": results}]
        said = dict(self.sections)
        if self.measured:
            said.setdefault("Evaluation", "\n\n".join(map(_block, self.measured)))
        body = "\n".join(f"## {name}\n\n{said[name].strip()}\n" for name in SECTIONS if name in said)
        present = {key: value for key, value in head.items() if value}
        return card_text.written(present, f"# {self.title}\n\n{body}")


def card_of(task: Any) -> str:
    """The task's card, with what was measured since; of a model that came without one, what is known."""
    record: Record = task.record
    if task.card:
        return with_measured(task.card, task.name, record.measured) if record.measured else task.card
    model = task.model
    origin = task.reference or "a new network"
    trained = f"Started from {origin}. {' '.join(record.trained)}" if record.trained else ""
    cost = f"\n\nOne call: {record.cost}." if record.cost else ""
    sections = {
        "Use": UNKNOWN + _how_to_load(task.name),
        "Data": UNKNOWN,
        "Training": trained or f"The weights of {origin}. {UNKNOWN}",
        "Evaluation": UNKNOWN,
        "Footprint": f"{model.parameters:,} parameters, stored as {model.stored_dtype}.{cost}",
        "Limits": UNKNOWN,
    }
    if record.measured:
        del sections["Evaluation"]
    title = f"{task.name} ({model.family})"
    return str(Card(title, task.name, "unknown", sections, measured=record.measured))


def with_measured(text: str, task: str, measured: Sequence[Measured]) -> str:
    """A card with these figures, each in the place of an older one on the same part of the same data.

    Raises:
        CardError: its head cannot be read.
    """
    head, body = card_text.read(text)
    head["metrics"] = list(dict.fromkeys([*_listed(head.get("metrics")), *_names(measured)]))
    told = card_text.sections(body).get("Evaluation", "")
    if told == UNKNOWN:
        told = ""
    index = head.get("model-index")
    first = index[0] if isinstance(index, list) and index and isinstance(index[0], dict) else {}
    results = [entry for entry in _listed(first.get("results")) if isinstance(entry, dict)]
    for found in measured:
        entry = found.indexed(task)
        results = [old for old in results if not _same_data(old, entry)] + [entry]
        # The old figures on this data, wherever this function wrote them.
        told = re.sub(re.escape(_mark(found)) + r"(?s:.*?)" + re.escape(_END) + r"\s*", "", told).strip()
        told = f"{told}\n\n{_block(found)}".strip()
    head["model-index"] = [{"name": first.get("name") or _title(body) or task, "results": results}]
    return card_text.written(head, card_text.with_section(body, "Evaluation", told))


def fill(text: str, task: str, **said: Any) -> str:
    """A card with these entries and sections in the place of what it said.

    Args:
        text: the card.
        task: the task's name, for a head that lacks it.
        **said: ``title``, ``license``, ``languages``, ``datasets``, or a section in small letters: ``use``,
            ``data``, ``training``, ``evaluation``, ``footprint``, ``limits``.

    Raises:
        OptionError: a name that a card does not have.
        CardError: its head cannot be read.
    """
    head, body = card_text.read(text)
    head = {"license": "unknown", "library_name": "sixarts", "pipeline_tag": task} | head
    names = {name.lower(): name for name in SECTIONS}
    for key, value in said.items():
        if key == "license":
            head[key] = value
        elif key in LISTS:
            head[LISTS[key]] = [value] if isinstance(value, str) else list(value)
        elif key == "title":
            body = re.sub(r"\A\s*# .*\n?", "", body)
            body = f"# {value}\n\n{body.lstrip()}"
        elif key in names:
            loads = key != "use" or "load(" in value
            body = card_text.with_section(body, names[key], value if loads else value + _how_to_load(task))
        else:
            known = ["title", "license", *LISTS, *names]
            raise OptionError(
                f"received {key!r} for a card; expected one of {', '.join(known)}; the nearest: "
                f"{', '.join(nearest(key, known)) or 'none'}"
            )
    return card_text.written(head, body)


def _how_to_load(task: str) -> str:
    return f'\n\n```python\nimport sixarts\n\ntask = sixarts.load("{task}", "OWNER/NAME")  # or a folder\n```'


_END = "<!-- /measured -->"


def _mark(found: Measured) -> str:
    return f"<!-- measured: {found.id or found.dataset}, {found.split} -->"


def _block(found: Measured) -> str:
    return f"{_mark(found)}\n{found}\n{_END}"


def _same_data(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    first, second = one.get("dataset"), other["dataset"]
    return isinstance(first, dict) and all(first.get(key) == second[key] for key in ("type", "split"))


def _names(measured: Sequence[Measured]) -> list[str]:
    return list(dict.fromkeys(name for found in measured for name in found.metrics.values))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value] if value is not None else []


def _title(body: str) -> str:
    found = re.match(r"\s*# (.+)", body)
    return found[1].strip() if found else ""


def _figure(value: float) -> float:
    """Four digits: what a test set can tell."""
    return float(f"{value:.4g}")
