"""What the demo saw of each task, before it becomes a table and a page."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median


@dataclass
class Answer:
    """One sample and what came of it; its picture is a PNG as base64 in ``plot``, or ``html``."""

    input: str
    text: str
    seconds: float
    data: str
    plot: str = ""
    html: str = ""


@dataclass
class Showing:
    """One task's part of the demo.

    Attributes:
        explanation: HTML of the first sample's explanation.
        install: the install line, when an extra is missing; the task did not run then.
        problems: what broke, one line each.
    """

    name: str
    summary: str
    model: str
    loading: float = 0.0
    answers: list[Answer] = field(default_factory=list)
    explanation: str = ""
    method: str = ""
    install: str = ""
    problems: list[str] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Median time of an answer."""
        return median(answer.seconds for answer in self.answers)


def time_of(seconds: float) -> str:
    """Seconds in the unit that a person reads.

    >>> time_of(0.0123), time_of(2.5)
    ('12 ms', '2.5 s')
    """
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
