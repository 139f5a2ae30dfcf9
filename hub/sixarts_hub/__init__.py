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
        Corrupt,
        HubError,
        ManifestError,
        NotFound,
        Offline,
        SixartsError,
        Unreachable,
        UnsafeFile,
    )
    from sixarts_hub.listing import File, Listing
    from sixarts_hub.manifest import Manifest
    from sixarts_hub.reference import Reference

__all__ = [
    "BadReference",
    "Cached",
    "Corrupt",
    "File",
    "Hub",
    "HubError",
    "Listing",
    "Manifest",
    "ManifestError",
    "NotFound",
    "Offline",
    "Pulled",
    "Reference",
    "SixartsError",
    "Unreachable",
    "UnsafeFile",
]

_HOMES = {
    "BadReference": "sixarts_hub.errors",
    "Cached": "sixarts_hub.cache",
    "Corrupt": "sixarts_hub.errors",
    "File": "sixarts_hub.listing",
    "Hub": "sixarts_hub.client",
    "HubError": "sixarts_hub.errors",
    "Listing": "sixarts_hub.listing",
    "Manifest": "sixarts_hub.manifest",
    "ManifestError": "sixarts_hub.errors",
    "NotFound": "sixarts_hub.errors",
    "Offline": "sixarts_hub.errors",
    "Pulled": "sixarts_hub.client",
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
