"""Texts that people give: what can be read as text at all, told before anything is computed."""

from __future__ import annotations

from typing import Any

from sixarts.errors import InputError


def check_readable(x: Any) -> None:
    """Refuses what is no text, saying what it is.

    Raises:
        InputError: bytes, another type, NUL characters as in binary files, or half of a surrogate pair.
    """
    if isinstance(x, bytes):
        raise InputError(f"bytes ({len(x)} of them); expected text (str): decode them first")
    if not isinstance(x, str):
        raise InputError(f"{type(x).__name__} {str(x)[:40]!r}; expected text (str)")
    if "\x00" in x:
        raise InputError(
            f"text with NUL characters {x[:20]!r}…; expected text, this looks like a binary file"
        )
    try:
        x.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(
            f"text that is not valid Unicode (position {error.start}); expected text in its own encoding"
        ) from None
