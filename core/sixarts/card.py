"""Model cards: the README of a model folder, in the hub's format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

#: Sections that a complete card has.
SECTIONS = ("Use", "Data", "Training", "Evaluation", "Footprint", "Limits")


@dataclass(frozen=True)
class Card:
    """What a card says.

    Attributes:
        title: the model's name in words.
        task: the task's name.
        license: SPDX identifier.
        sections: section name to Markdown; see :data:`SECTIONS`.
        languages: ISO codes.
        datasets: names of the data.
        metrics: names of the measured metrics.
    """

    title: str
    task: str
    license: str
    sections: Mapping[str, str]
    languages: Sequence[str] = ()
    datasets: Sequence[str] = ()
    metrics: Sequence[str] = field(default=())

    def __str__(self) -> str:
        lists = {"language": self.languages, "datasets": self.datasets, "metrics": self.metrics}
        head = ["---", f"license: {self.license}", "library_name: sixarts", f"pipeline_tag: {self.task}"]
        for name, values in lists.items():
            if values:
                head += [f"{name}:", *(f"  - {value}" for value in values)]
        head += ["tags:", "  - keras", "  - sixarts", "---", "", f"# {self.title}", ""]
        body = [f"## {name}\n\n{self.sections[name].strip()}\n" for name in SECTIONS if name in self.sections]
        return "\n".join([*head, *body])


def missing(text: str) -> list[str]:
    """What a card lacks: front-matter keys and sections."""
    lacks = [key for key in ("license:", "library_name:", "pipeline_tag:") if f"\n{key}" not in text]
    return lacks + [f"## {name}" for name in SECTIONS if f"\n## {name}\n" not in text]


def card_of(task: Any) -> str:
    """A card with what is known of a model that came without one; what is not known is said."""
    model = task.model
    origin = task.reference or "a new network"
    unknown = "Not stated by whoever trained this model."
    return str(
        Card(
            title=f"{task.name} ({model.family})",
            task=task.name,
            license="unknown",
            sections={
                "Use": f'```python\nimport sixarts\n\ntask = sixarts.load("{task.name}", "this/folder")\n```',
                "Data": unknown,
                "Training": f"Started from {origin}.",
                "Evaluation": f'{unknown} Measure it with `sixarts.load("{task.name}", …).evaluate(pairs)`.',
                "Footprint": f"{model.parameters:,} parameters, stored as {model.stored_dtype}.",
                "Limits": unknown,
            },
        )
    )
