"""Where model folders come from and go to: references, fetching, checking, publishing.

The ground floor. It moves and checks files and knows no model, no task and no Keras. Importing it is
cheap: the hub client is imported on the first request, and offline never.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sixarts_hub.cache import Cached
    from sixarts_hub.client import Hub, Pulled
    from sixarts_hub.errors import (
        BadReference,
        BadSignature,
        Corrupt,
        DiskError,
        HubError,
        Locked,
        LockfileError,
        ManifestError,
        MissingExtra,
        NotFound,
        Offline,
        SixartsError,
        Unreachable,
        UnsafeFile,
    )
    from sixarts_hub.listing import File, Listing
    from sixarts_hub.lockfile import Lockfile
    from sixarts_hub.manifest import Manifest
    from sixarts_hub.plan import Pushed
    from sixarts_hub.reference import Reference
    from sixarts_hub.removal import Pruned

__all__ = [
    "BadReference",
    "BadSignature",
    "Cached",
    "Corrupt",
    "DiskError",
    "File",
    "Hub",
    "HubError",
    "Listing",
    "Locked",
    "Lockfile",
    "LockfileError",
    "Manifest",
    "ManifestError",
    "MissingExtra",
    "NotFound",
    "Offline",
    "Pruned",
    "Pulled",
    "Pushed",
    "Reference",
    "SixartsError",
    "Unreachable",
    "UnsafeFile",
]

_HOMES = {
    "BadReference": "sixarts_hub.errors",
    "BadSignature": "sixarts_hub.errors",
    "Cached": "sixarts_hub.cache",
    "Corrupt": "sixarts_hub.errors",
    "DiskError": "sixarts_hub.errors",
    "File": "sixarts_hub.listing",
    "Hub": "sixarts_hub.client",
    "HubError": "sixarts_hub.errors",
    "Listing": "sixarts_hub.listing",
    "Locked": "sixarts_hub.errors",
    "Lockfile": "sixarts_hub.lockfile",
    "LockfileError": "sixarts_hub.errors",
    "Manifest": "sixarts_hub.manifest",
    "ManifestError": "sixarts_hub.errors",
    "MissingExtra": "sixarts_hub.errors",
    "NotFound": "sixarts_hub.errors",
    "Offline": "sixarts_hub.errors",
    "Pruned": "sixarts_hub.removal",
    "Pulled": "sixarts_hub.client",
    "Pushed": "sixarts_hub.plan",
    "Reference": "sixarts_hub.reference",
    "SixartsError": "sixarts_hub.errors",
    "Unreachable": "sixarts_hub.errors",
    "UnsafeFile": "sixarts_hub.errors",
}


def __getattr__(name: str) -> Any:
    """Import a public name from its module on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
