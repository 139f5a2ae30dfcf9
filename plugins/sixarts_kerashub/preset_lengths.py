"""What ``preprocessor.json`` says of texts, and how long they may be: by it, and by the network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sixarts.errors import CheckpointError
from sixarts.readers.json_file import read_optional_json
from sixarts.readers.text_processor import SHORTEST
from sixarts.readers.tokens import Tokens
from sixarts_hub.strict_json import read_small, short
from sixarts_kerashub.reading import stated

SETTINGS = "preprocessor.json"
#: Most tokens of any network.
LONGEST = 2**20


def read_settings(folder: Path, *names: str) -> Mapping[str, Any]:
    """The settings of a preset's preprocessor; empty where there is no such file, as KerasHub reads it.

    Args:
        folder: the preset's.
        names: what its class may be called, the present name first.

    Raises:
        CheckpointError: it is another class.
    """
    said = read_optional_json(folder / SETTINGS)
    if not said:
        return {}
    kind, settings = stated(said, SETTINGS)
    if kind not in names:
        raise CheckpointError(f"{SETTINGS} states {short(kind)}; expected {names[0]}")
    return settings


def settings_file(folder: Path) -> dict[str, bytes]:
    """The file as it is, where it is."""
    path = folder / SETTINGS
    return {SETTINGS: read_small(path)} if path.is_file() else {}


def check_fit(tokens: Tokens, config: Mapping[str, Any], folder: Path) -> None:
    """Holds a tokenizer against the network that reads its numbers.

    Raises:
        CheckpointError: it has more of them.
    """
    size = stated(config, "config.json")[1].get("vocabulary_size")
    if type(size) is not int or tokens.plain_size > size:
        raise CheckpointError(
            f"the tokenizer in {folder} has {tokens.plain_size} tokens, and config.json has "
            f"vocabulary_size {short(size)}; expected no more than that; the two are not of one preset"
        )


def length_of(config: Mapping[str, Any], settings: Mapping[str, Any], name: str, usual: int = 512) -> int:
    """Most tokens that go in: what the preprocessor says, or ``usual``, and no more than the network takes.

    Args:
        config: of the preset.
        settings: of its preprocessor.
        name: of the preprocessor's setting.
        usual: what KerasHub takes where a preset says nothing.

    Raises:
        CheckpointError: a value that is no length.
    """
    network = stated(config, "config.json")[1]
    found = {
        f"{name} of {SETTINGS}": settings.get(name, usual),
        "max_sequence_length of config.json": network.get("max_sequence_length", usual),
    }
    for what, value in found.items():
        if type(value) is not int or not SHORTEST <= value <= LONGEST:
            raise CheckpointError(f"{what} is {short(value)}; expected {SHORTEST} to {LONGEST}")
    return min(found.values())
