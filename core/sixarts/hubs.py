"""Where model folders come from: the hub with every installed starter, and hubs that plugins add."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from sixarts.errors import NotFound
from sixarts.plugins import registry, resolve
from sixarts_hub.client import Hub


def default_hub(offline: bool | None = None) -> Hub:
    """The hub that knows this process's starters.

    Args:
        offline: whether no socket may be opened; as the environment says when left out.
    """
    starters: dict[str, Callable[[], Path]] = {
        name: partial(_starter, name) for name in registry().starters()
    }
    return Hub(offline=offline, starters=starters)


def hub_for(reference: str, offline: bool | None = None) -> Any:
    """The hub that a reference's scheme names, e.g. a plugin's for ``acme://team/model``."""
    scheme, separator, _ = reference.partition("://")
    others = registry().hubs()
    if separator and scheme in others:
        return resolve(others[scheme])()
    return default_hub(offline)


def _starter(name: str) -> Path:
    folder = registry().starter_folder(name)
    if folder is None:
        raise NotFound(f"received starter {name!r}; expected one that a plugin ships; see `sixarts models`")
    return folder
