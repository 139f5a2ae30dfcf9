"""Inputs and examples from files, for the command line and for ``fit`` and ``evaluate``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sixarts.errors import InputError


def lines(path: str | Path) -> Iterator[str]:
    """The lines of a UTF-8 text file, as a stream.

    Raises:
        InputError: no such file; a line that is not UTF-8, or binary, named by its number from 1.
    """
    with _opened(path) as file:
        for number, raw in enumerate(file, 1):
            yield _text(raw, path, number).rstrip("\r\n")


def pairs(path: str | Path) -> list[tuple[Any, Any]]:
    """Examples from a file.

    ``.jsonl`` holds objects with ``input`` and ``target``; anything else holds tab-separated pairs.

    Raises:
        InputError: a line that is neither, named by its number.
    """
    split = _from_json if Path(path).suffix in (".jsonl", ".json") else _from_tabs
    return [split(line, path, number) for number, line in enumerate(lines(path), 1) if line.strip()]


def _from_json(line: str, path: str | Path, number: int) -> tuple[Any, Any]:
    try:
        value = json.loads(line)
        return value["input"], value["target"]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}, line {number}: {line[:40]!r} ({error}); expected an object with 'input' and 'target'"
        ) from None


def _from_tabs(line: str, path: str | Path, number: int) -> tuple[str, str]:
    cells = line.split("\t")
    if len(cells) < 2:
        raise InputError(f"{path}, line {number}: {line[:40]!r} has no tab; expected input, tab, target")
    return cells[0], cells[1]


def _opened(path: str | Path) -> Any:
    try:
        return Path(path).open("rb")
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); expected a text file") from None


def _text(raw: bytes, path: str | Path, number: int) -> str:
    if b"\x00" in raw:
        raise InputError(
            f"{path}, line {number}: NUL bytes; expected UTF-8 text, this looks like a binary file"
        )
    try:
        return raw.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}, line {number}: byte {error.start + 1} (0x{raw[error.start]:02x}) is not UTF-8; "
            "expected UTF-8 text; convert the file first"
        ) from None
