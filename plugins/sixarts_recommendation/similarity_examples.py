"""What ``item-similarity`` learns from and is judged on: baskets, sessions, or pairs of items."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from sixarts.errors import InputError, TrainingError
from sixarts.media.tables import is_table
from sixarts_recommendation import interactions
from sixarts_recommendation.items import Items, checked_id
from sixarts_recommendation.sequences import Sequences


def read(examples: Any, training: Any, items: Items, grow: bool, kind: str) -> Sequences:
    """Baskets as item numbers; a pair of items is a basket of two.

    Args:
        examples: a table of interactions, or an iterable of lists of ids, or of pairs (tuples) of ids.
        training: names of the table's columns.
        items: the catalog; new ids are added with ``grow``, and are an error without.
        kind: what messages call an example.

    Raises:
        InputError: what will not do, with its index, or its row and column.
        TrainingError: nothing came.
    """
    if isinstance(examples, Sequences):
        return examples
    if isinstance(examples, str | Path) and not is_table(examples):
        raise InputError(f"{str(examples)!r}; expected a table: .csv, .tsv, .jsonl or .parquet")
    columns = interactions.Columns(training.user, training.item, training.time, duplicates="keep")
    if is_table(examples) or isinstance(examples, Mapping):
        return interactions.read(examples, columns, items, grow, kind)
    if not isinstance(examples, Iterable):
        raise InputError(f"{type(examples).__name__}; expected baskets, pairs of items, or a table")
    pending = iter(examples)
    first = next(pending, None)
    if first is None:
        raise TrainingError(f"no {kind} came; expected at least one basket or pair of items")
    whole = chain([first], pending)
    if isinstance(first, Mapping):
        return interactions.read(whole, columns, items, grow, kind)
    return _baskets(whole, items, grow, kind)


def _baskets(examples: Iterable[Any], items: Items, grow: bool, kind: str) -> Sequences:
    numbers, ends = array("i"), array("q", [0])
    for index, example in enumerate(examples):
        try:
            if isinstance(example, np.ndarray) and example.ndim == 1:
                example = example.tolist()
            if not isinstance(example, list | tuple):
                raise InputError(
                    f"{type(example).__name__}; expected a basket (a list of ids) or a pair of ids"
                )
            if isinstance(example, tuple) and len(example) != 2:
                raise InputError(f"a tuple of {len(example)}; expected a pair of ids, or a list of them")
            # A place is found for each id before any is added, so that a bad example adds none.
            keys = [checked_id(raw) for raw in example]
            if grow:
                items.add(keys)
            numbers.extend([items.number(key) for key in keys])
        except InputError as error:
            raise InputError(f"{kind}: {error.reason}", index) from None
        ends.append(len(numbers))
    stops = np.array(ends, "int64")
    return Sequences(np.array(numbers, "int32"), stops[:-1], stops[1:], items)


def pairs_of(sequences: Sequences, seed: int = 0) -> np.ndarray:
    """An item and one that stands with it, of each basket of two or more different ones, ``[n, 2]``.

    Of a pair, as it stands; of a longer basket, two different ones are drawn.
    """
    random = np.random.default_rng(seed)
    found = []
    for basket in sequences:
        unlike = np.unique(basket)
        if len(unlike) < 2:
            continue
        found.append(basket if len(basket) == 2 else random.choice(unlike, 2, replace=False))
    if not found:
        raise TrainingError("no basket of two different items came; expected one at least")
    return np.array(found, "int64")
