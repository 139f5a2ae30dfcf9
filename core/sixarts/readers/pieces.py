"""A text, or a pair of texts, as the pieces that a model takes at once: whole, in windows, or cut short."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sixarts.errors import InputError, OptionError
from sixarts.readers.tokens import Encoded, Tokens

#: Share of a window's room between the starts of two windows, where no stride is given.
STRIDE = 0.75


#: Where something stands: in which text of a pair (0 or 1), its first character and the one after its last.
Stretch = tuple[int, int, int]


@dataclass(frozen=True)
class Piece:
    """What goes through the model at once.

    Attributes:
        first: tokens of the text.
        second: tokens of the second text of a pair.
        start, end: characters of the (longer) text that it covers.
        share: how many tokens of it are looked at, which is what windows are weighted by.
        count: tokens in all, those of the frame too.
    """

    first: Encoded
    second: Encoded | None
    start: int
    end: int
    share: int
    count: int


def texts_of(x: Any) -> tuple[str, str | None]:
    """The text, and the second one of a pair."""
    return (x[0], x[1]) if isinstance(x, tuple) else (x, None)


def longest_first(first: int, second: int, room: int) -> tuple[int, int]:
    """How much of two lengths is kept, where the longer one gives way, one by one.

    >>> longest_first(10, 3, 8)
    (5, 3)
    """
    # Once both are alike, both are cut: the odd token stays with the text that was longer.
    small = min(first, second, room // 2)
    return (room - small, small) if first > second else (small, room - small)


#: Lengths of two texts (the second 0 where there is none) and the room for both, to what is kept of each.
Shares = Callable[[int, int, int], tuple[int, int]]


def pieces_of(
    x: Any, tokens: Tokens, limit: int, long: str, stride: int | None, shares: Shares = longest_first
) -> Iterator[Piece]:
    """The pieces of an input, in order.

    Args:
        x: a text, or a pair of texts.
        tokens: the tokenizer.
        limit: most tokens that the model takes, those of the frame too.
        long: what becomes of more: ``"windows"``, ``"truncate"`` or ``"refuse"``.
        stride: tokens between the starts of windows.
        shares: what of a pair is kept when it is cut.

    Raises:
        InputError: a text without tokens; one that is too long, with ``"refuse"``; a pair whose shorter text
            leaves no room for windows of the other.
        OptionError: a stride that would leave tokens out.
    """
    text, other = texts_of(x)
    first, second = tokens.encode(text), None if other is None else tokens.encode(other)
    if not first.ids or (second is not None and not second.ids):
        raise InputError(f"{(text if not first.ids else other)!r:.60}, of which the tokenizer makes nothing")
    room = limit - tokens.frame.added(second is not None)
    total = len(first.ids) + len(second.ids if second else ())
    if total <= room:
        yield _piece(first, second, tokens, first)
    elif long == "truncate":
        yield _truncated(first, second, tokens, room, shares)
    elif long == "windows":
        yield from _windows(first, second, tokens, room, stride)
    else:
        raise InputError(
            f"a text of {total} tokens; expected at most {room}, which this model takes at once; or say "
            "long='windows' or long='truncate'"
        )


def _piece(first: Encoded, second: Encoded | None, tokens: Tokens, seen: Encoded) -> Piece:
    count = len(first.ids) + len(second.ids if second else ()) + tokens.frame.added(second is not None)
    return Piece(first, second, seen.spans[0][0], seen.spans[-1][1], len(seen.ids), count)


def _truncated(first: Encoded, second: Encoded | None, tokens: Tokens, room: int, shares: Shares) -> Piece:
    """The beginning; of a pair, the beginning of each."""
    keep, other = len(first.ids), len(second.ids) if second else 0
    total = keep + other
    keep, other = shares(keep, other, room)
    warnings.warn(
        f"a text of {total} tokens is longer than the {room} that this model takes; its end is left out. "
        "long='windows' reads all of it",
        stacklevel=2,
    )
    first = first.cut(0, keep)
    return _piece(first, second and second.cut(0, other), tokens, first)


def _windows(
    first: Encoded, second: Encoded | None, tokens: Tokens, room: int, stride: int | None
) -> Iterator[Piece]:
    """Windows over the text; of a pair, over the longer one, each beside the whole of the other."""
    longer, beside = first, second
    if second is not None and len(second.ids) > len(first.ids):
        longer, beside = second, first
    if beside is not None:
        if 2 * len(beside.ids) > room:
            raise InputError(
                f"a pair of {len(first.ids)} and {len(second.ids if second else ())} tokens; expected one of "
                f"at most {room // 2}, beside which the other is read in windows; or say long='truncate'"
            )
        room -= len(beside.ids)
    step = max(1, int(room * STRIDE)) if stride is None else stride
    if step > room:
        raise OptionError(
            f"stride={stride!r}; expected 1 to {room}, the tokens that a window holds; more would leave some "
            "out"
        )
    for start, end in spans(len(longer.ids), room, step):
        seen = longer.cut(start, end)
        if longer is first:
            yield _piece(seen, second, tokens, seen)
        else:
            yield _piece(first, seen, tokens, seen)


def spans(count: int, room: int, step: int) -> Sequence[tuple[int, int]]:
    """Where windows of ``room`` start and end, every ``step``, until all is covered.

    >>> spans(10, 4, 3)
    [(0, 4), (3, 7), (6, 10)]
    """
    found = [(0, min(room, count))]
    while found[-1][1] < count:
        start = found[-1][0] + step
        found.append((start, min(start + room, count)))
    return found
