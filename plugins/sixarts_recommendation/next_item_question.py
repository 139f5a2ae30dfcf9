"""What an input of ``next-item-prediction`` asks: a history, or a user, as numbers of known items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sixarts.errors import InputError
from sixarts_recommendation.history_processor import HistoryProcessor, Tails
from sixarts_recommendation.items import checked_id

#: Unknown ids that a note names.
NAMED = 5
EXPECTED = (
    "expected a history (a list of item ids), a mapping with 'user' and 'history', or the id of a user that "
    "fit(…, remember=True) learned from"
)


@dataclass(frozen=True)
class Question:
    """What an input asks.

    Attributes:
        history: numbers of its known items, in order.
        seen: numbers of what the user has had.
        notes: what was left out.
    """

    history: np.ndarray
    seen: np.ndarray
    notes: tuple[str, ...]


def question(x: Any, processor: HistoryProcessor) -> Question:
    """What ``x`` asks, in numbers.

    Args:
        x: ids in order; a mapping with ``history``, ``user`` or both; or a remembered user's id.
        processor: of the model that is asked.

    Raises:
        InputError: no history, an empty one, one without a known item, or a user that is not known.
    """
    history, remembered = _parts(x, processor.tails)
    if history is None:
        return Question(remembered, remembered, ())
    if not len(history):
        raise InputError(f"an empty history; {EXPECTED}")
    try:
        numbers = processor.numbers(history)
    except InputError as error:
        raise InputError(f"place {error.index} of the history: {error.reason}") from None
    unknown = [history[place] for place in np.flatnonzero(numbers < 0)]
    known = numbers[numbers >= 0]
    if not len(known):
        hint = processor.items.hint(checked_id(unknown[0]))
        raise InputError(
            f"a history in which no id is known, e.g. {unknown[0]!r} was never seen; expected {hint}"
        )
    return Question(known, np.union1d(known, remembered), _notes(unknown))


def _parts(x: Any, tails: Tails | None) -> tuple[Sequence[Any] | None, np.ndarray]:
    """An input's ids, or ``None`` where a user's remembered items stand for them; and the latter."""
    nothing = np.zeros(0, "int32")
    if isinstance(x, np.ndarray) and x.ndim == 1:
        x = x.tolist()
    if isinstance(x, list | tuple):
        return x, nothing
    history = None
    user = x
    if isinstance(x, Mapping):
        if not x or set(x) - {"user", "history"}:
            named = ", ".join(map(repr, sorted(map(str, x)))) or "nothing in it"
            raise InputError(f"a mapping with {named}; {EXPECTED}")
        history, user = x.get("history"), x.get("user")
        if history is not None and not isinstance(history, list | tuple):
            raise InputError(f"a history of type {type(history).__name__}; {EXPECTED}")
    if user is None and history is None:
        raise InputError(f"{x!r}; {EXPECTED}")
    remembered = None
    if user is not None:
        try:
            key = checked_id(user)
        except InputError as error:
            raise InputError(f"{error.reason}, or a history (a list of item ids)") from None
        remembered = tails.of(key) if tails is not None else None
        if remembered is None and history is None:
            why = "remembers no users" if tails is None else f"remembers {len(tails):,} others"
            raise InputError(f"user {user!r}, and this model {why}; {EXPECTED}")
    return history, nothing if remembered is None else remembered


def _notes(unknown: Sequence[Any]) -> tuple[str, ...]:
    if not unknown:
        return ()
    named = ", ".join(map(repr, list(dict.fromkeys(unknown))[:NAMED]))
    more = ", …" if len(set(unknown)) > NAMED else ""
    return (f"left out {len(unknown)} of the history, never seen in training: {named}{more}",)
