"""Many histories in few arrays: what next-item models learn from and are judged on.

One history after another in one int32 array (four bytes an interaction, on disk where it is large), and where
each begins and ends. No Python object stands for an interaction.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from sixarts.errors import InputError, TrainingError
from sixarts_recommendation.items import Items, checked_id


class Windows(NamedTuple):
    """Stretches of histories that go through a network at once: where each starts and stops, int64."""

    starts: np.ndarray
    stops: np.ndarray


@dataclass(frozen=True)
class Sequences(Sequence[Any]):
    """Histories of item numbers.

    Attributes:
        items: item numbers, int32 ``[n]``, perhaps on disk.
        starts, stops: where each history begins and ends in it, int64.
        catalog: the items that the numbers stand for.
        last_only: whether of each history the last item alone is learned or judged.
        users: each history's user, where the data has some.
        kept: what holds the data on disk while it is used.
    """

    items: np.ndarray
    starts: np.ndarray
    stops: np.ndarray
    catalog: Items
    last_only: bool = False
    users: Sequence[Any] | None = None
    kept: Any = field(default=None, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, place: Any) -> Any:
        """One history, item numbers."""
        return self.items[self.starts[place] : self.stops[place]]

    def __iter__(self) -> Iterator[Any]:
        return (self[place] for place in range(len(self)))

    @property
    def lengths(self) -> np.ndarray:
        """How many items each history has."""
        return self.stops - self.starts

    @property
    def count(self) -> int:
        """How many items they have together."""
        return int(self.lengths.sum())

    def chosen(self, which: np.ndarray) -> Sequences:
        """Those where ``which`` (booleans, or places) says so."""
        places = np.flatnonzero(which) if which.dtype == bool else which
        users = None if self.users is None else [self.users[place] for place in places.tolist()]
        return replace(self, starts=self.starts[places], stops=self.stops[places], users=users)

    def without_last(self, least: int = 3) -> Sequences:
        """Histories without their last item, where they have ``least`` or more; shorter ones stay whole."""
        return replace(self, stops=self.stops - (self.lengths >= least))

    def last(self, least: int = 3) -> Sequences:
        """Of histories of ``least`` or more items, the last item is what is to be foretold."""
        return replace(self.chosen(self.lengths >= least), last_only=True)

    def continued(self, before: Callable[[Any], np.ndarray | None]) -> Sequences:
        """Histories that go on from what is known of their users.

        Args:
            before: a user's raw id to the item numbers of earlier, or ``None``.
        """
        if self.users is None:
            return self
        known = [before(user) for user in self.users]
        if all(part is None for part in known):
            return self
        nothing = np.zeros(0, "int32")
        parts = [
            np.concatenate([nothing if old is None else old, new])
            for old, new in zip(known, self, strict=True)
        ]
        stops = np.cumsum([len(part) for part in parts]).astype("int64")
        starts = np.concatenate([[0], stops[:-1]])
        return replace(self, items=np.concatenate(parts), starts=starts, stops=stops, kept=None)

    def popularity(self, size: int) -> np.ndarray:
        """How often each item occurs, ``[size]``."""
        counts = np.zeros(size, "int64")
        # About a million items at a time, however long histories are.
        step = max(1, 2**20 * len(self) // max(self.count, 1))
        for start in range(0, len(self), step):
            part = slice(start, start + step)
            taken, _ = gathered(self.items, self.starts[part], self.stops[part])
            counts += np.bincount(taken, minlength=size)
        return counts

    def windows(self, most: int, step: int) -> Windows:
        """Stretches of at most ``most`` items from the end of each history on, ``step`` apart.

        Those of one item are left out: nothing comes before it. With ``last_only`` there is one a history.
        """
        lengths = self.lengths
        counts = np.maximum(1, -(-(lengths - (most - step)) // step))
        if self.last_only:
            counts = np.minimum(counts, 1)
        owner = np.repeat(np.arange(len(lengths)), counts)
        nth = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
        stops = self.stops[owner] - nth * step
        starts = np.maximum(self.starts[owner], stops - most)
        long = stops - starts >= 2
        return Windows(starts[long], stops[long])


def gathered(items: np.ndarray, starts: np.ndarray, stops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The items of some stretches one after another, and the stretch of each."""
    lengths = stops - starts
    owner = np.repeat(np.arange(len(starts)), lengths)
    inside = np.arange(len(owner)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return np.asarray(items[starts[owner] + inside]), owner


def from_examples(examples: Iterable[Any], catalog: Items, grow: bool, kind: str) -> Sequences:
    """Histories, or pairs of a history and the item that came next, each with raw ids.

    Of a pair the next item alone is learned; of a history every item is, from those before it.

    Args:
        catalog: the items that are known; new ones are added with ``grow``.
        kind: what messages call an example.

    Raises:
        InputError: an example that is neither, or unlike the first, with its index.
        TrainingError: there are none.
    """
    pending = iter(examples)
    first = next(pending, None)
    if first is None:
        raise TrainingError(f"no {kind} came; expected at least one history or pair (history, next item)")
    paired = _is_pair(first)
    numbers, ends = array("i"), array("q", [0])
    users: list[Any] = []
    for index, example in enumerate(chain([first], pending)):
        try:
            history, user = _read(example, paired)
            # A place is found for each id before any is added, so that a bad example adds none.
            keys = [checked_id(raw) for raw in history]
            if grow:
                catalog.add(keys)
            numbers.extend([catalog.number(key) for key in keys])
        except InputError as error:
            raise InputError(f"{kind}: {error.reason}", index) from None
        ends.append(len(numbers))
        users.append(user)
    stops = np.array(ends, "int64")
    named = users if any(user is not None for user in users) else None
    return Sequences(np.array(numbers, "int32"), stops[:-1], stops[1:], catalog, paired, named)


def _is_pair(example: Any) -> bool:
    """Whether an example is a history with the item after it, and no history."""
    if not (isinstance(example, tuple | list) and len(example) == 2):
        return False
    return not isinstance(example[0], str | int | np.integer)


def _read(example: Any, paired: bool) -> tuple[list[Any], Any]:
    """An example's ids in order, and its user."""
    if not paired:
        history, user = _history(example)
        if len(history) < 2:
            raise InputError(
                f"a history of {len(history)} items; expected two or more, to learn what follows"
            )
        return history, user
    if not (isinstance(example, tuple | list) and len(example) == 2):
        raise InputError(f"{_shown(example)}; expected a pair (history, next item)")
    history, user = _history(example[0])
    if not history:
        raise InputError("an empty history; expected at least one item before the next")
    return [*history, example[1]], user


def _history(x: Any) -> tuple[list[Any], Any]:
    user = None
    if isinstance(x, dict):
        user, x = x.get("user"), x.get("history")
    if isinstance(x, np.ndarray) and x.ndim == 1:
        x = x.tolist()
    if not isinstance(x, list | tuple):
        raise InputError(f"{_shown(x)}; expected a history: a list of item ids")
    return list(x), None if user is None else checked_id(user)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
