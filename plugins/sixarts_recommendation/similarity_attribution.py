"""Why items are alike, as an :class:`Explanation`; what counts as evidence is the family's to say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sixarts.errors import InputError, OptionError
from sixarts.explanation import Explanation
from sixarts_recommendation.item_model import REST

#: Neighbors that are explained where none is named.
FIRST = 5


class LikenessExplanation(Explanation):
    """What makes items alike."""

    def __str__(self) -> str:
        named = [place for place, label in enumerate(self.input_labels) if label != REST]
        best = np.abs(self.values[:, named]).argmax(axis=1)
        made = ", ".join(
            f"{target} ← {self.input_labels[named[place]]}"
            for target, place in zip(self.target_labels, best, strict=True)
        )
        return f"{self.method}: {made}"


def attribute(task: Any, x: Any, method: str, target: Any, options: Any) -> Explanation:
    """Explains the likeness of what is asked with its neighbors, or with any item."""
    items, question = task.model.items, task.question(x)
    if options.relation != "similar":
        raise OptionError("relation='together' with explain; expected relation='similar'")
    numbers = _numbers(task, x, target, options)
    labels, values, totals = task.model.evidence(question.history, question.record, numbers)
    names = tuple(items.name(int(number)) for number in numbers)
    return LikenessExplanation(
        method=method,
        target="similarity",
        input_labels=labels,
        target_labels=names,
        values=values,
        signed=True,
        totals=totals,
        answer=", ".join(names),
        unit="part of the cosine",
    )


def _numbers(task: Any, x: Any, target: Any, options: Any) -> np.ndarray:
    """The items that are explained."""
    items = task.model.items
    if isinstance(target, Mapping) and set(target) == {"item"}:
        try:
            return np.array([items.number(target["item"])])
        except InputError as error:
            raise OptionError(f"target: {error.reason}") from None
    ranking = task(x, **{**vars(options), "k": max(options.k, FIRST)})
    found = np.array([items.number(raw) for raw in ranking.items], "int64")
    if target is None:
        return found[: min(FIRST, options.k)]
    if isinstance(target, int | np.integer) and 1 <= target <= min(len(found), options.k):
        return found[target - 1 : target]
    raise OptionError(
        f"target={target!r}; expected a place in the ranking, 1 to {min(len(found), options.k)}, or "
        "{'item': id}"
    )
