"""Small records on disk, each written whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from pathlib import Path
from typing import Any

from sixarts_hub.strict_json import parse, read_small


def write_atomically(path: Path, data: bytes) -> None:
    """Put ``data`` at ``path`` so that a reader, or a kill at any moment, sees the old or the new whole.

    Raises:
        OSError: the disk is full or read-only; what was there before stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Unique for each writer, in the same folder because a rename is atomic within one disk only.
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def write_record(path: Path, record: Any) -> None:
    """Write a JSON record that only this program reads; a home that cannot be written is no error.

    What a record holds can always be found out again, at the price of a request or of hashing.
    """
    with contextlib.suppress(OSError):
        write_atomically(path, json.dumps(record, ensure_ascii=False, indent=1).encode())


def read_record(path: Path) -> Any:
    """The JSON value at ``path``; ``None`` when it is missing or is not JSON."""
    try:
        return parse(read_small(path))
    except (OSError, ValueError):
        return None
