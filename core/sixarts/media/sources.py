"""Where a picture, a video or a sound may come from, as one kind of thing: a file that is read from."""

from __future__ import annotations

import base64
import binascii
import contextlib
import glob
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from sixarts.errors import InputError


@contextlib.contextmanager
def opened(x: Any, kind: str) -> Iterator[BinaryIO]:
    """The bytes behind a path, bytes, or a ``data:`` URI, as a file.

    Args:
        x: where they are.
        kind: what they are, e.g. ``"image"``; a ``data:`` URI must say so, too.

    Raises:
        InputError: anything else; a path that leads nowhere or may not be read; no bytes.
    """
    name, expected = named(x), f"expected a path, bytes, or a data: URI of one {kind}"
    if isinstance(x, bytes | bytearray | memoryview):
        yield io.BytesIO(_some(bytes(x), name, kind))
    elif isinstance(x, str) and x.startswith("data:"):
        yield io.BytesIO(_some(_decoded(x, kind), name, kind))
    elif isinstance(x, str | Path):
        if "://" in str(x):
            raise InputError(f"{name} is an address; expected a path or bytes; fetch the {kind} first")
        with _file(Path(x), name, expected) as file:
            _some(file.read(1), name, kind)
            file.seek(0)
            yield file
    else:
        raise InputError(f"{name}; {expected}")


def named(x: Any) -> str:
    """What an input is called in a message."""
    if isinstance(x, bytes | bytearray | memoryview):
        return f"{len(x)} bytes"
    if isinstance(x, str | Path):
        text = str(x)
        return repr(text if len(text) <= 200 else text[:40] + "…")
    if isinstance(x, np.ndarray):
        return f"an array of {x.dtype} {list(x.shape)}"
    return f"{type(x).__name__} {repr(x)[:40]}"


def path_of(x: Any) -> str:
    """Where an input lies; empty for one that came in another way."""
    return str(x) if isinstance(x, Path) or (isinstance(x, str) and not x.startswith("data:")) else ""


def files_in(x: Any, kind: str, suffixes: tuple[str, ...]) -> list[Path] | None:
    """The files that a folder or a glob pattern stands for, sorted by name; ``None`` for anything else.

    Args:
        x: a path, or something else.
        kind: what the files are, e.g. ``"image"``.
        suffixes: how their names end.

    Raises:
        InputError: a folder or a pattern that holds none of them.
    """
    if not isinstance(x, str | Path) or x == "" or str(x).startswith("data:"):
        return None
    path = Path(x)
    try:
        if path.is_dir():
            found = list(path.rglob("*"))
        elif glob.has_magic(str(x)) and not path.exists():
            inside = path.relative_to(path.anchor) if path.is_absolute() else path
            found = list(Path(path.anchor).glob(str(inside)))
        else:
            return None
        found = [entry for entry in found if entry.suffix.lower() in suffixes and entry.is_file()]
    except (OSError, ValueError, NotImplementedError):
        return None  # no path at all, as the check of the input will tell
    if not found:
        raise InputError(f"{x} holds no {kind}; expected files that end in {', '.join(suffixes)}")
    return sorted(found)


def first_line(error: BaseException) -> str:
    """What a library says of a failure, in one line."""
    return (str(error) or type(error).__name__).splitlines()[0][:200]


@contextlib.contextmanager
def _file(path: Path, name: str, expected: str) -> Iterator[BinaryIO]:
    try:
        there, regular = path.exists(), path.is_file()
        file = path.open("rb") if regular else None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{name} cannot be opened ({reason}); {expected}") from None
    if file is None:
        raise InputError(f"{name} {'is no regular file' if there else 'is not there'}; {expected}")
    with file:
        yield file


def _some(data: bytes, name: str, kind: str) -> bytes:
    if not data:
        raise InputError(f"{name} is empty; expected the bytes of one {kind}")
    return data


def _decoded(uri: str, kind: str) -> bytes:
    head, comma, body = uri.partition(",")
    if not comma or not head.startswith(f"data:{kind}/") or not head.endswith(";base64"):
        raise InputError(f"{uri[:40]!r}; expected data:{kind}/FORMAT;base64,… with the {kind}'s bytes")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError(f"{uri[:40]!r} is no base64 ({error}); expected the {kind}'s bytes") from None
