"""Stand-ins for plugins and tasks, so that the registry and the commands are tested by themselves."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sixarts.errors import InputError, OptionError
from sixarts.hookspecs import hookimpl
from sixarts.result import Failure, Footprint, Metric, Metrics, Result
from sixarts.spec import ModelEntry, TaskSpec

HEAVY = (
    "keras", "tensorflow", "jax", "torch", "numpy", "huggingface_hub", "matplotlib", "rich", "pydantic"
)  # fmt: skip


def task_spec(name: str = "shouting", **changes: Any) -> TaskSpec:
    """A complete spec of a task that nobody wrote."""
    stated: dict[str, Any] = {
        "name": name,
        "summary": "Say it louder.",
        "task": "cli_fakes:Shouting",
        "signatures": ("text -> text",),
        "default_model": "starter/shout",
        "samples": ("good morning", "good night"),
    }
    return TaskSpec(**stated | changes)


def starter_entry(folder: str, reference: str = "starter/shout") -> ModelEntry:
    return ModelEntry(reference, "shouting", "shouter", "CC0-1.0", folder=folder, size=1_500_000)


def plugin(api: str | None = "1", **hooks: Any) -> types.ModuleType:
    """A plugin module whose hooks return the given values; a function is taken as the hook itself."""
    module = types.ModuleType("acme_plugin")
    if api is not None:
        module.API_VERSION = api  # type: ignore[attr-defined]
    for name, value in hooks.items():
        function = value if isinstance(value, types.FunctionType) else _returning(value)
        setattr(module, name, hookimpl(function))
    return module


def _returning(value: Any) -> Callable[[], Any]:
    return lambda: value


@dataclass(frozen=True)
class Shout(Result):
    text: str

    def __str__(self) -> str:
        return self.text

    def plot(self) -> Any:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(4, 1.5))
        figure.add_subplot().bar(range(3), [len(self.text), 2, 5])
        return figure


class ShoutExplanation:
    method = "gradients"
    input_labels = ("good", "morning", "!")
    target_labels = ("GOOD", "MORNING")
    values = np.array([[0.9, 0.1, 0.0], [0.2, -0.7, 0.1]])

    def to_html(self) -> str:
        return "<table><tr><th>GOOD</th><td>good</td></tr></table>"

    def to_dict(self) -> dict[str, Any]:
        return {"method": self.method, "values": self.values.tolist()}

    def plot(self) -> Any:
        return Shout("x").plot()


@dataclass
class History:
    stopped: str = "epochs"

    def __str__(self) -> str:
        return "best epoch 1 of 2"


@dataclass(frozen=True)
class Training:
    epochs: int = 10
    warmup: int = 0


class Shouting:
    """A task as ``sixarts.load`` gives it; remembers what it was asked."""

    Training = Training

    def __init__(self, **called: Any) -> None:
        self.called = called
        self.interrupt_at: int | None = None
        self.history = History()

    def many(self, x: Any) -> list[str] | None:
        return ["you", "me"] if x == "both" else None

    def __call__(self, x: str) -> Shout:
        if x == "broken":
            raise InputError("too loud")
        return Shout(x.upper())

    def stream(self, inputs: Iterable[str], on_error: str = "raise") -> Iterator[Result]:
        for index, x in enumerate(inputs):
            if index == self.interrupt_at:
                raise KeyboardInterrupt
            if not x.strip():
                if on_error == "raise":
                    raise InputError("empty text; expected words", index)
                yield Failure("empty text", "InputError", index)
            else:
                yield self(x)

    def explain(self, x: str, method: str | None = None, target: str | None = None) -> ShoutExplanation:
        if method not in (None, "gradients"):
            raise OptionError(f"no method {method!r}; expected 'gradients'")
        return ShoutExplanation()

    def read_inputs(self, path: Path) -> Iterator[str]:
        return iter(path.read_text(encoding="utf-8").splitlines())

    def read_examples(self, path: Path) -> list[Any]:
        return [tuple(line.split("\t")) for line in path.read_text(encoding="utf-8").splitlines()]

    def evaluate(self, examples: list[Any]) -> Metrics:
        return Metrics({"accuracy": Metric(0.5, 0.4, 0.6)}, "by ear", len(examples))

    def footprint(self, x: str | None = None) -> Footprint:
        return Footprint(10, 40, None, 0.5, None, "on one core")

    def fit(self, examples: list[Any], validation: Any, **options: Any) -> History:
        self.called |= {"examples": examples, "validation": validation, "fit": options}
        return self.history

    def save(self, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text("{}")
        return folder
