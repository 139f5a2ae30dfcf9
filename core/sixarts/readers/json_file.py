"""JSON objects in a model folder: ``config.json``, vocabularies, settings."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sixarts.errors import CheckpointError
from sixarts_hub.strict_json import parse, read_small

__all__ = ["json_object", "read_json", "read_optional_json", "write_json"]


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file of a model folder.

    Raises:
        CheckpointError: not there, not a JSON object, or one that two programs could read differently.
    """
    try:
        text = read_small(path)
    except FileNotFoundError:
        raise CheckpointError(
            f"no {path.name} in {path.parent}; expected a model folder; fetch the model again"
        ) from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read ({error}); expected a JSON object") from error
    return json_object(text, str(path))


def json_object(text: bytes, name: str) -> dict[str, Any]:
    """The same from its content; ``name`` is what it is called in the error."""
    try:
        value = parse(text)
    except ValueError as error:
        raise CheckpointError(
            f"{name} is not JSON ({error}); expected a JSON object; fetch the model again"
        ) from error
    if not isinstance(value, dict):
        raise CheckpointError(
            f"{name} holds a JSON {type(value).__name__}; expected an object; fetch the model again"
        )
    return value


def read_optional_json(path: Path) -> dict[str, Any]:
    """As :func:`read_json`; empty where the file is not there."""
    with contextlib.suppress(FileNotFoundError):
        path.stat()
        return read_json(path)
    return {}


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Writes a JSON object, readable, in the order given."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
