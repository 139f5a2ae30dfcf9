"""Where model folders come from: the hub with every installed starter, and hubs that plugins add.

With ``SIXARTS_LOCK``, the path of a ``sixarts.lock``, references mean what it says.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from sixarts.errors import NotFound
from sixarts.plugins import registry, resolve
from sixarts_hub.client import Hub
from sixarts_hub.lockfile import Lockfile
from sixarts_hub.reference import Reference


def default_hub(
    offline: bool | None = None, endpoint: str | None = None, lock: Lockfile | None = None
) -> Hub:
    """The hub that knows this process's starters.

    Args:
        offline: whether no socket may be opened; as the environment says when left out.
        endpoint: its address, where ``HF_ENDPOINT`` names none, e.g. a mirror.
        lock: what references mean.
    """
    if os.environ.get("HF_ENDPOINT"):
        endpoint = None
    starters: dict[str, Callable[[], Path]] = {
        name: partial(_starter, name) for name in registry().starters()
    }
    return Hub(endpoint=endpoint, offline=offline, starters=starters, lock=lock)


def hub_for(reference: str, offline: bool | None = None) -> Any:
    """The hub that a reference's scheme names, e.g. a plugin's for ``acme://team/model``.

    Raises:
        LockfileError: there is a lock, and it cannot be read or lacks the reference.
    """
    scheme, separator, _ = reference.partition("://")
    others = registry().hubs()
    if separator and scheme in others:
        return resolve(others[scheme])()
    if not (path := os.environ.get("SIXARTS_LOCK")):
        return default_hub(offline)
    lock = Lockfile.read(path)
    entry = lock.find(Reference.parse(reference, registry().starters()))
    return default_hub(offline, entry.endpoint if entry else None, lock)


def _starter(name: str) -> Path:
    folder = registry().starter_folder(name)
    if folder is None:
        raise NotFound(f"received starter {name!r}; expected one that a plugin ships; see `sixarts models`")
    return folder
