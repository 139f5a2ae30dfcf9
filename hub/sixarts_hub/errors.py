"""Errors of the ground floor; ``sixarts.errors`` draws the whole tree.

::

    SixartsError
    ├── MissingExtra           an optional dependency that is not installed
    └── HubError
        ├── BadReference       a reference that names nothing readable
        ├── NotFound           the model, revision or file is not there
        ├── Offline            the network is off and the cache lacks it
        ├── Unreachable        the endpoint does not answer, or not usefully
        ├── Corrupt            bytes that do not match their digest
        ├── BadSignature       a signature that does not hold, or that trust asks for and nobody made
        ├── DiskError          the cache cannot be written: full, read-only, not permitted
        ├── Locked             another process holds what is needed
        ├── UnsafeFile         a file kind that may carry code, a hostile name
        ├── ManifestError      a ``sixarts.json`` that cannot be read
        └── LockfileError      a ``sixarts.lock`` that cannot be read, or that lacks what was asked for
"""

from __future__ import annotations


class SixartsError(Exception):
    """Root of everything that Sixarts raises on purpose."""


class MissingExtra(SixartsError, ImportError):
    """An optional dependency that is not installed; the message is its install line."""


class HubError(SixartsError):
    """Something about fetching, checking or publishing a model folder."""


class BadReference(HubError, ValueError):
    """A reference that is not ``starter/NAME``, ``OWNER/NAME[@REVISION]``, ``hf://…`` or a folder."""


class NotFound(HubError, LookupError):
    """The model, its revision, or a file in it does not exist at the place named."""


class Offline(HubError):
    """Network use is switched off and the cache does not hold what was asked for."""


class Unreachable(HubError, ConnectionError):
    """The endpoint did not answer, or answered with a failure that is not about the model.

    Attributes:
        passing: whether the same request may well succeed in a while.
        retry_after: seconds after which the endpoint asks to be asked again, if it said so.
    """

    passing: bool = False
    retry_after: float | None = None


class Corrupt(HubError):
    """Bytes on disk or from the endpoint that do not match their SHA-256 or size."""


class BadSignature(HubError):
    """A signature that is no signature, is not by whom is trusted, or says other than the files do."""


class DiskError(HubError):
    """The cache cannot be written: the disk is full or read-only, or it is not permitted."""


class Locked(HubError):
    """Another process holds a file of the cache and did not let go of it in time."""


class UnsafeFile(HubError):
    """A file that may carry code, or whose name would leave its folder."""


class ManifestError(HubError, ValueError):
    """A ``sixarts.json`` that is not valid JSON, lacks a field, or is of a newer format."""


class LockfileError(HubError, ValueError):
    """A ``sixarts.lock`` that cannot be read, lacks what was asked for, or says other than was asked for."""
