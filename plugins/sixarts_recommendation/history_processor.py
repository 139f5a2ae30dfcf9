"""What a next-item model knows beside its weights: the catalog, and where asked for, users' last items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from sixarts.errors import CheckpointError
from sixarts.model import Processor, read_json, write_json
from sixarts.readers.safetensors_file import read_safetensors, write_weights
from sixarts_recommendation.items import Items, checked_id, numbered

USERS, TAILS = "users.json", "users.safetensors"


class Tails:
    """The last items of users that ``fit`` was asked to remember.

    Args:
        users: raw ids.
        items: item numbers of all of them, one user after another, int32.
        starts: where each user's begin, and the end, ``[users + 1]`` in int64.
    """

    def __init__(self, users: Sequence[Any], items: np.ndarray, starts: np.ndarray) -> None:
        self.users, self.items, self.starts = list(users), items, starts
        self.numbers = {user: place for place, user in enumerate(self.users)}

    def __len__(self) -> int:
        return len(self.users)

    def of(self, user: Any) -> np.ndarray | None:
        """A user's last items by number, or ``None`` for one who was never seen."""
        place = self.numbers.get(user)
        return None if place is None else self.items[self.starts[place] : self.starts[place + 1]]

    def updated(self, other: Tails) -> Tails:
        """These, with other ones in the place of the same users'."""
        users = list(dict.fromkeys([*self.users, *other.users]))
        parts = [found if (found := other.of(user)) is not None else self.of(user) for user in users]
        starts = np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype("int64")
        return Tails(users, np.concatenate(parts), starts)

    def save(self, folder: Path) -> None:
        """Writes ``users.json`` and ``users.safetensors``."""
        write_json(folder / USERS, {"users": self.users})
        write_weights(
            folder / TAILS, {"items": self.items.astype("int32"), "starts": self.starts.astype("int64")}
        )

    @classmethod
    def from_folder(cls, folder: Path, items: int) -> Self | None:
        """Reads them; ``None`` where the model remembers nobody.

        Raises:
            CheckpointError: files that do not fit each other or the model.
        """
        if not (folder / USERS).exists():
            return None
        users = read_json(folder / USERS).get("users")
        stored = read_safetensors(folder / TAILS) if (folder / TAILS).is_file() else {}
        if not isinstance(users, list) or {"items", "starts"} != set(stored):
            raise CheckpointError(f"{folder / USERS} and {TAILS} are not whole; fetch the model again")
        numbers, starts = (stored[name].read() for name in ("items", "starts"))
        ids = [checked_id(user) for user in users]
        fits = (
            numbers.dtype == "int32"
            and starts.dtype == "int64"
            and numbers.ndim == starts.ndim == 1
            and len(starts) == len(ids) + 1 == len(set(ids)) + 1
            and starts[0] == 0
            and starts[-1] == len(numbers)
            and bool((np.diff(starts) >= 0).all())
            and bool(((numbers >= 0) & (numbers < items)).all())
        )
        if not fits:
            raise CheckpointError(
                f"{folder / TAILS} fits neither its users nor its items; expected files of one model; fetch "
                "the model again"
            )
        return cls(ids, numbers, starts)


class HistoryProcessor(Processor):
    """Raw ids to numbers and back.

    Args:
        items: the catalog.
        tails: users' last items, where they are remembered.
    """

    def __init__(self, items: Items, tails: Tails | None = None) -> None:
        self.items, self.tails = items, tails

    @classmethod
    def from_folder(cls, folder: Path, config: Mapping[str, Any]) -> Self:
        items = Items.from_folder(folder, config["num_items"])
        return cls(items, Tails.from_folder(folder, len(items)))

    def save(self, folder: Path) -> None:
        self.items.save(folder)
        if self.tails is not None:
            self.tails.save(folder)

    def numbers(self, history: Sequence[Any]) -> np.ndarray:
        """Numbers of a history's ids, ``[t]`` in int32; -1 for those never seen.

        Raises:
            InputError: what is no id.
        """
        column = np.empty(len(history), object)
        column[:] = list(history)
        return numbered(column, self.items.numbers, None)
