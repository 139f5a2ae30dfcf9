"""KerasHub's JSON, read against the table of known classes: a name and plain values, or an error.

Keras would import whatever module such a file names, so its own reader is not used.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any

from sixarts.errors import CheckpointError
from sixarts.readers.limits import number, whole
from sixarts_hub.strict_json import short
from sixarts_kerashub.table import PACKAGES

#: Settings that every Keras object has, and that the bridge decides.
DECIDED = frozenset(("name", "trainable", "dtype", "data_format"))
#: Settings that say how many blocks a network has, and most blocks that it may have.
_BLOCKS = re.compile(r"(^|_)(depths?|layers|blocks|repeats|repetitions)($|_)")
BLOCKS_CAP = 1024
#: Most values in one setting, and lists within lists.
VALUES_CAP, DEPTH_CAP = 4096, 4
_WHOLE, _NUMBER, _FACTOR = whole(-(2**20), 2**20), number(-1e9, 1e9), number(0, 16)


def stated(value: Any, where: str) -> tuple[str, dict[str, Any]]:
    """Class name and settings of an object that Keras serialized.

    >>> stated({"registered_name": "keras_hub>ViTBackbone", "config": {"num_layers": 2}}, "config.json")
    ('ViTBackbone', {'num_layers': 2})

    Args:
        where: what the object is called in errors.

    Raises:
        CheckpointError: it is none of KerasHub's.
    """
    found = value.get("registered_name") if isinstance(value, Mapping) else None
    package, _, name = found.partition(">") if isinstance(found, str) else ("", "", "")
    settings = value.get("config") if isinstance(value, Mapping) else None
    if package not in PACKAGES or not name or not isinstance(settings, Mapping):
        raise CheckpointError(
            f"{where} is {short(found if found is not None else value)}; expected a class of KerasHub with "
            "its config, as save_to_preset writes it; folders of transformers have families of their own"
        )
    return name, dict(settings)


def arguments(kind: type[Any], settings: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Settings as arguments of a KerasHub class: each one that it takes, plain, and within limits.

    Args:
        kind: a class from the table.
        settings: its ``config``.
        where: what the object is called in errors.

    Raises:
        CheckpointError: a setting that it does not take or that is no plain value, or one that it needs.
    """
    known = inspect.signature(kind.__init__).parameters  # type: ignore[misc]
    found = {name: value for name, value in settings.items() if name not in DECIDED}
    if settings.get("data_format") not in (None, "channels_last"):
        raise CheckpointError(
            f"{where} has data_format {short(settings['data_format'])}; expected 'channels_last'"
        )
    for name, value in found.items():
        if name not in known:
            raise CheckpointError(
                f"{where} has {short(name)}, which {kind.__name__} does not take; expected a preset of the "
                "installed KerasHub's layout; upgrade keras-hub, or choose another model"
            )
        _check(f"{name} of {where}", name, value)
    needed = [
        name
        for name, each in known.items()
        if each.default is each.empty and each.kind is each.POSITIONAL_OR_KEYWORD and name != "self"
    ]
    missing = [name for name in needed if name not in found]
    if missing:
        raise CheckpointError(
            f"{where} lacks {', '.join(missing)}; expected every setting of {kind.__name__}"
        )
    if "data_format" in known:
        found["data_format"] = "channels_last"
    return found


def _check(where: str, name: str, value: Any) -> None:
    leaves = list(_leaves(where, value, DEPTH_CAP))
    if len(leaves) > VALUES_CAP:
        raise CheckpointError(f"{where} has {len(leaves)} values; expected at most {VALUES_CAP}")
    for leaf in leaves:
        fits, words = _NUMBER if isinstance(leaf, float) else _WHOLE
        if name.endswith("coefficients"):
            fits, words = _FACTOR
        if isinstance(leaf, int | float) and not isinstance(leaf, bool) and not fits(leaf):
            raise CheckpointError(f"{where} is {short(leaf)}; expected {words}")
    if _BLOCKS.search(name):
        blocks = sum(leaf for leaf in leaves if isinstance(leaf, int | float))
        if blocks > BLOCKS_CAP:
            raise CheckpointError(f"{where} comes to {blocks}; expected at most {BLOCKS_CAP}")


def _leaves(where: str, value: Any, depth: int) -> Iterator[Any]:
    """Every plain value in lists within lists."""
    if isinstance(value, list | tuple):
        if not depth:
            raise CheckpointError(f"{where} has lists within lists; expected at most {DEPTH_CAP} deep")
        for each in value:
            yield from _leaves(where, each, depth - 1)
    elif (
        value is None
        or isinstance(value, bool | int | float)
        or (isinstance(value, str) and len(value) < 100)
    ):
        yield value
    else:
        raise CheckpointError(
            f"{where} is {short(value)}; expected plain values: nothing is made that a file describes"
        )
