"""The items of a catalog: raw ids and their numbers, titles, categories.

An id is text or a whole number, as the data has it; ``3`` and ``"3"`` are two items. Numbers count from 0 in
the order in which ids came, and an item keeps its number when others are added, so that learned rows stay its
own.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from sixarts.errors import CheckpointError, InputError, nearest
from sixarts.readers.json_file import read_json, write_json

FILE = "items.json"
#: Ids among which the nearest of an unknown one is looked for.
COMPARED = 20_000
#: Most letters of an id or a title.
LETTERS_CAP = 1000


class Items:
    """Ids by number.

    Args:
        ids: in the order of their numbers, each once.
        titles: id to title.
        categories: id to the names of its categories.

    >>> items = Items(["milk", 7], {"milk": "Whole milk"}, {7: ("fruit",)})
    >>> items.number(7), items.title(0), items.add(["tea", 7]), items.ids
    (1, 'Whole milk', 1, ['milk', 7, 'tea'])
    """

    def __init__(
        self,
        ids: Iterable[Any] = (),
        titles: Mapping[Any, str] | None = None,
        categories: Mapping[Any, Sequence[str]] | None = None,
    ) -> None:
        self.ids: list[Any] = []
        self.numbers: dict[Hashable, int] = {}
        self.titles: dict[Any, str] = dict(titles or {})
        self.categories: dict[Any, tuple[str, ...]] = {
            key: tuple(names) for key, names in (categories or {}).items()
        }
        #: How often each was chosen in training, by number; shorter than ``ids`` where some were not.
        self.counts = np.zeros(0, "int64")
        self._column = np.zeros(0, object)
        self.add(ids)

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, raw: object) -> bool:
        try:
            return checked_id(raw) in self.numbers
        except InputError:
            return False

    def copy(self) -> Items:
        """One that can grow while this one stays."""
        made = Items()
        made.ids, made.numbers = list(self.ids), dict(self.numbers)
        made.titles, made.categories = dict(self.titles), dict(self.categories)
        made.counts = self.counts.copy()
        return made

    def counted(self, more: np.ndarray) -> None:
        """Adds how often each item came, ``[n]``."""
        self.counts = self.count_of_each() + more

    def count_of_each(self) -> np.ndarray:
        """How often each item came in training, ``[n]``."""
        return np.concatenate([self.counts, np.zeros(len(self) - len(self.counts), "int64")])

    def add(self, ids: Iterable[Any]) -> int:
        """Gives each id that is new the next number; tells how many were.

        Raises:
            InputError: what is no id.
        """
        before = len(self.ids)
        for raw in ids:
            key = checked_id(raw)
            if key not in self.numbers:
                self.numbers[key] = len(self.ids)
                self.ids.append(key)
        return len(self.ids) - before

    def describe(self, raw: Any, title: str | None = None, categories: Sequence[str] | None = None) -> None:
        """Keeps an item's title and categories; it need not have a number yet."""
        key = checked_id(raw)
        if title:
            self.titles[key] = str(title)
        if categories:
            self.categories[key] = tuple(map(str, categories))

    def number(self, raw: Any) -> int:
        """The number of an id.

        Raises:
            InputError: what is no id, or an id that was never seen, with those most like it.
        """
        key = checked_id(raw)
        found = self.numbers.get(key)
        if found is None:
            raise InputError(f"item {key!r} was never seen; expected {self.hint(key)}")
        return found

    def column(self) -> np.ndarray:
        """All ids by number, ``[n]``: int64 where all are whole numbers, else objects; kept."""
        if len(self._column) != len(self.ids):
            whole = set(map(type, self.ids)) == {int} and max(map(abs, self.ids)) < 2**63
            self._column = np.array(self.ids) if whole else objects(self.ids)
        return self._column

    def hint(self, key: Any) -> str:
        """What an unknown id may have been meant for."""
        other = str(key) if isinstance(key, int) else _whole(key)
        if other is not None and other in self.numbers:
            kinds = {int: "a whole number", str: "text"}
            return f"{other!r}: the ids of this model are {kinds[type(other)]}"
        texts = [known for known in self.ids[:COMPARED] if isinstance(known, str)]
        near = nearest(key, texts) if isinstance(key, str) else []
        shown = near or self.ids[:3]
        return f"one of the {len(self):,} items of the model, e.g. {', '.join(map(repr, shown))}"

    def numbers_of(self, column: np.ndarray, grow: bool = False) -> np.ndarray:
        """Numbers of a column of ids, ``[n]`` in int32; -1 for what was never seen.

        Args:
            column: ids as a table has them; a column of floats may hold whole numbers.
            grow: whether new ids are added.

        Raises:
            InputError: what is no id; its index is the row in the column.
        """
        return numbered(column, self.numbers, self.ids if grow else None)

    def title(self, number: int) -> str:
        """An item's title, or ``""``."""
        return self.titles.get(self.ids[number], "")

    def name(self, number: int) -> str:
        """An item's title, or else its id."""
        return self.title(number) or str(self.ids[number])

    def titles_of(self, numbers: Iterable[int]) -> tuple[str, ...]:
        """Titles for a :class:`~sixarts_recommendation.ranking.Ranking`: empty where no item has one."""
        return tuple(self.title(int(number)) for number in numbers) if self.titles else ()

    def in_categories(self, wanted: Collection[str]) -> np.ndarray:
        """Whether each item is in one of these categories, ``[n]``."""
        chosen = set(wanted)
        return np.array([not chosen.isdisjoint(self.categories.get(raw, ())) for raw in self.ids], bool)

    def known_categories(self) -> list[str]:
        """Every category's name, in the order in which they came."""
        return list(dict.fromkeys(name for names in self.categories.values() for name in names))

    @classmethod
    def from_folder(cls, folder: Path, count: int | None = None) -> Self:
        """Reads ``items.json``.

        Args:
            count: how many items the model has, where that is known.

        Raises:
            CheckpointError: a file of another shape.
        """
        path = folder / FILE
        stated = read_json(path)
        ids = stated.get("ids")
        if not isinstance(ids, list) or not all(map(_is_id, ids)):
            raise CheckpointError(f"{path} has no list of ids; expected texts or whole numbers")
        made = cls(ids)
        if len(made) < len(ids) or (count is not None and len(ids) != count):
            raise CheckpointError(
                f"{path} has {len(ids)} ids, {len(made)} of them different; expected "
                f"{'as many different ones' if count is None else count}; the files are not of one model"
            )
        titles, categories = stated.get("titles", []), stated.get("categories", {})
        if not isinstance(titles, list) or len(titles) not in (0, len(ids)):
            raise CheckpointError(f"{path} has titles for other items; expected one for each id, or none")
        for raw, title in zip(made.ids, titles, strict=False):
            if not isinstance(title, str) or len(title) > LETTERS_CAP:
                raise CheckpointError(f"{path} has a title that is no text of {LETTERS_CAP} letters at most")
            made.describe(raw, title)
        counts = stated.get("counts", [])
        if not isinstance(counts, list) or len(counts) > len(ids) or not all(map(_is_count, counts)):
            raise CheckpointError(f"{path} has counts that are none; expected a whole number for each id")
        made.counts = np.array(counts, "int64")
        _read_categories(made, categories, path)
        return made

    def save(self, folder: Path) -> None:
        """Writes ``items.json``."""
        stated: dict[str, Any] = {"ids": self.ids}
        if self.titles:
            stated["titles"] = [self.titles.get(raw, "") for raw in self.ids]
        if len(self.counts):
            stated["counts"] = self.counts.tolist()
        if self.categories:
            # Lists by category: a list for each item would be too many for a reader that counts them.
            members: dict[str, list[int]] = {name: [] for name in self.known_categories()}
            for number, raw in enumerate(self.ids):
                for name in self.categories.get(raw, ()):
                    members[name].append(number)
            stated["categories"] = members
        write_json(folder / FILE, stated)


def _read_categories(made: Items, categories: Any, path: Path) -> None:
    if not isinstance(categories, Mapping):
        raise CheckpointError(f"{path}: categories are {type(categories).__name__}; expected an object")
    found: dict[Any, list[str]] = {}
    for name, members in categories.items():
        if not isinstance(members, list) or not all(
            type(number) is int and 0 <= number < len(made) for number in members
        ):
            raise CheckpointError(f"{path}: category {name!r} lists what is no item; expected item numbers")
        for number in members:
            found.setdefault(made.ids[number], []).append(name)
    made.categories = {raw: tuple(names) for raw, names in found.items()}


def checked_id(raw: Any) -> Any:
    """An id as it is kept: text, or a Python whole number.

    >>> checked_id(np.int64(3)), checked_id(np.str_("a"))
    (3, 'a')

    Raises:
        InputError: anything else.
    """
    if isinstance(raw, str):
        if not raw.strip():
            raise InputError("an empty id; expected text or a whole number")
        if len(raw) > LETTERS_CAP:
            raise InputError(f"an id of {len(raw):,} letters; expected at most {LETTERS_CAP}")
        return str(raw)
    if isinstance(raw, int | np.integer) and not isinstance(raw, bool):
        return int(raw)
    if raw is None or (isinstance(raw, float | np.floating) and np.isnan(raw)):
        raise InputError(f"a missing id ({raw}); expected text or a whole number; leave such rows out")
    raise InputError(f"an id of type {type(raw).__name__} ({_shown(raw)}); expected text or a whole number")


def objects(values: Iterable[Any]) -> np.ndarray:
    """Values as they are in an array: NumPy alone would make texts of whole numbers beside texts.

    >>> objects([7, "tea"]).tolist()
    [7, 'tea']
    """
    if isinstance(values, np.ndarray):
        return values.astype(object)
    found = list(values)
    return np.fromiter(found, object, len(found))


def numbered(column: Any, numbers: dict[Any, int], ids: list[Any] | None) -> np.ndarray:
    """Numbers of a column of raw ids, ``[n]`` in int32, each distinct one looked up once.

    Args:
        column: ``[n]``.
        numbers: id to number; grows with ``ids``.
        ids: where new ones are put, or ``None`` to give them -1.

    >>> known = {"a": 0}
    >>> numbered(np.array(["b", "a", "b"]), known, None).tolist()
    [-1, 0, -1]

    Raises:
        InputError: what is no id; its index is the row.
    """
    column = np.asarray(column)
    if ids is None and column.dtype == object and set(map(type, column)) <= {int, str}:
        plain = list(map(numbers.get, column))
        # What has a number is an id; the slower way tells what is wrong with the others.
        if None not in plain:
            return np.array(plain, "int32")
    distinct, first, inverse = _distinct(column)
    found = np.empty(len(distinct), "int32")
    # In the order in which they came, so that numbers do not hang on how the data was cut into pieces.
    for place in np.argsort(first, kind="stable"):
        try:
            key = checked_id(_plain(distinct[place]))
        except InputError as error:
            raise InputError(error.reason, int(first[place])) from None
        number = numbers.get(key, -1)
        if number < 0 and ids is not None:
            number = numbers[key] = len(ids)
            ids.append(key)
        found[place] = number
    return found[inverse]


def _distinct(column: np.ndarray) -> tuple[Any, np.ndarray, np.ndarray]:
    """Distinct values, the row where each comes first, and each row's place among them."""
    if column.dtype != object:
        distinct, first, inverse = np.unique(column, return_index=True, return_inverse=True)
        return distinct, first, inverse.ravel()
    # Objects of unlike types have no order.
    places: dict[Any, int] = {}
    rows: list[int] = []
    inverse = np.empty(len(column), "int64")
    for row, value in enumerate(column):
        try:
            # 1, 1.0 and True are equal keys; NaN is equal to nothing.
            place = places.setdefault((type(value), value), len(places))
        except TypeError:
            raise InputError(
                f"an id of type {type(value).__name__} ({_shown(value)}); expected text or a whole number",
                row,
            ) from None
        if place == len(rows):
            rows.append(row)
        inverse[row] = place
    first = np.array(rows, "int64")
    return [column[row] for row in rows], first, inverse


def _plain(value: Any) -> Any:
    """A whole number that a column of floats holds, since a column with gaps has no other numbers."""
    if isinstance(value, float | np.floating) and np.isfinite(value) and float(value).is_integer():
        return int(value)
    return value


def _whole(text: Any) -> int | None:
    try:
        return int(text)
    except (TypeError, ValueError):
        return None


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**53


def _is_id(raw: Any) -> bool:
    return type(raw) is int or (isinstance(raw, str) and bool(raw.strip()) and len(raw) <= LETTERS_CAP)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
