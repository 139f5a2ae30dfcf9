"""Errors of the ground floor; ``sixarts.errors`` draws the whole tree.

::

    SixartsError
    └── HubError
        ├── BadReference       a reference that names nothing readable
        ├── NotFound           the model, revision or file is not there
        ├── Offline            the network is off and the cache lacks it
        ├── Unreachable        the endpoint does not answer, or not usefully
        ├── Corrupt            bytes that do not match their digest
        ├── UnsafeFile         a file kind that may carry code, a hostile name
        └── ManifestError      a ``sixarts.json`` that cannot be read
"""

from __future__ import annotations


class SixartsError(Exception):
    """Root of everything that Sixarts raises on purpose."""


class HubError(SixartsError):
    """Something about fetching, checking or publishing a model folder."""


class BadReference(HubError, ValueError):
    """A reference that is not ``starter/NAME``, ``OWNER/NAME[@REVISION]``, ``hf://…`` or a folder."""


class NotFound(HubError, LookupError):
    """The model, its revision, or a file in it does not exist at the place named."""


class Offline(HubError):
    """Network use is switched off and the cache does not hold what was asked for."""


class Unreachable(HubError, ConnectionError):
    """The endpoint did not answer, or answered with a failure that is not about the model."""


class Corrupt(HubError):
    """Bytes on disk or from the endpoint that do not match their SHA-256 or size."""


class UnsafeFile(HubError):
    """A file that may carry code, or whose name would leave its folder."""


class ManifestError(HubError, ValueError):
    """A ``sixarts.json`` that is not valid JSON, lacks a field, or is of a newer format."""
