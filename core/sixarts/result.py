"""Answers: typed, printable, plottable, and JSON-able."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

#: Metadata of a field that is for pictures alone, and too large for JSON.
UNTOLD = {"untold": True}


@dataclass(frozen=True)
class Result:
    """What a task answers. Subclasses are frozen dataclasses whose first field is the answer itself."""

    def to_dict(self) -> dict[str, Any]:
        """Every field but those that are :data:`UNTOLD`, as plain JSON-able values; arrays become lists."""
        told = (entry.name for entry in dataclasses.fields(self) if "untold" not in entry.metadata)
        return {name: plain(getattr(self, name)) for name in told}

    def save(self, path: str | Path) -> None:
        """Writes the answer as a file of its input's kind: its text, where a result has nothing else."""
        Path(path).write_text(str(self), encoding="utf-8")

    def plot(self) -> Any:
        """A Matplotlib figure of the answer; plain results show their text."""
        from sixarts.pictures import text_figure

        return text_figure(str(self))

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{html.escape(name)}</th><td>{html.escape(str(value))}</td></tr>"
            for name, value in self.to_dict().items()
        )
        return f"<table>{rows}</table>"


@dataclass(frozen=True)
class Failure(Result):
    """Stands where an answer would, when ``on_error="return"``.

    Attributes:
        error: the message.
        kind: the error's class name.
        index: position of the input in the list or stream.
    """

    error: str
    kind: str
    index: int | None = None

    def __str__(self) -> str:
        return f"{self.kind}: {self.error}"

    def __bool__(self) -> bool:
        return False


@dataclass(frozen=True)
class Metric(Result):
    """A measured figure with its confidence interval.

    Attributes:
        value, low, high: the figure, and the ends of its interval.
        confidence: of the interval.
    """

    value: float
    low: float
    high: float
    confidence: float = 0.95

    def __str__(self) -> str:
        return f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}]"


@dataclass(frozen=True)
class Metrics(Result):
    """What ``evaluate`` measured.

    Attributes:
        values: metric name to figure.
        protocol: how it was measured, enough to measure it again (the library's signature).
        count: number of examples.
    """

    values: Mapping[str, Metric]
    protocol: str
    count: int

    def __getitem__(self, name: str) -> Metric:
        return self.values[name]

    def __str__(self) -> str:
        figures = "  ".join(f"{name} {metric}" for name, metric in self.values.items())
        return f"{figures}  ({self.count} examples; {self.protocol})"

    def plot(self) -> Any:
        """Each figure with its interval."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(5, 0.6 + 0.5 * len(self.values)), layout="constrained")
        axes = figure.add_subplot()
        for place, metric in enumerate(self.values.values()):
            spread = [[metric.value - metric.low], [metric.high - metric.value]]
            axes.errorbar(metric.value, place, xerr=spread, fmt="o", capsize=4)
            axes.annotate(
                f"{metric.value:.3g}", (metric.value, place), (0, 6), textcoords="offset points", ha="center"
            )
        axes.set_yticks(range(len(self.values)), list(self.values))
        axes.set_ylim(-0.6, len(self.values) - 0.4)
        axes.spines[["top", "right", "left"]].set_visible(False)
        return figure


@dataclass(frozen=True)
class Footprint(Result):
    """What one call costs.

    Attributes:
        parameters: trainable numbers.
        weight_bytes: of all variables in memory.
        flops: floating-point operations of the call, counted as ``protocol`` says; ``None`` if unknown.
        seconds: wall time of the call, median of several after a warm-up.
        joules: energy of the call, by codecarbon; ``None`` where it is not installed.
        protocol: how it was measured, and on what.
    """

    parameters: int
    weight_bytes: int
    flops: float | None
    seconds: float
    joules: float | None
    protocol: str = field(default="")

    def __str__(self) -> str:
        energy = "unknown" if self.joules is None else f"{self.joules:.3g} J"
        flops = "unknown" if self.flops is None else f"{self.flops:.3g}"
        return (
            f"{self.parameters:,} parameters, {self.weight_bytes / 1e6:.1f} MB, {flops} FLOPs, "
            f"{self.seconds:.3g} s, energy {energy} ({self.protocol})"
        )


def plain(value: Any) -> Any:
    """A value as JSON knows it."""
    if isinstance(value, Result):
        return value.to_dict()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return plain(dataclasses.asdict(value))
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(entry) for entry in value]
    return value
