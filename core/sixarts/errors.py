"""Every error that Sixarts raises on purpose, in one tree.

A message says what was received, what was expected, and what to do next, in that order.

::

    SixartsError
    ├── InputError            an input that a task cannot take; knows its index
    ├── OptionError           an option that is unknown, or a value out of its range
    ├── UnknownName           a name that nothing answers to; carries the nearest ones
    │   ├── UnknownTask
    │   ├── UnknownModel
    │   └── UnknownFamily
    ├── AmbiguousName         a name that two plugins claim
    ├── PluginError           a plugin that does not load, or breaks its contract
    ├── MissingExtra          an optional dependency that is not installed
    ├── DeviceError           a device, precision or backend that is not there
    ├── CheckpointError       weights that do not fit the network
    │   └── UnsafePickle      a ``.bin`` that names more than tensors
    ├── TrainingError         training that cannot start, go on, or resume
    ├── CardError             a model card that cannot be read, or lacks what publishing needs
    └── HubError              the ground floor's, see ``sixarts_hub.errors``
        ├── BadReference    a reference that names nothing readable
        ├── NotFound          the model, revision or file is not there
        ├── Offline           the network is off and the cache lacks it
        ├── Unreachable       the endpoint does not answer, or not usefully
        ├── Corrupt           bytes that do not match their digest
        ├── BadSignature      a signature that does not hold, or that is asked for and is not there
        ├── DiskError         the cache cannot be written: full, read-only, not permitted
        ├── Locked            another process holds what is needed
        ├── UnsafeFile        a file kind that may carry code, a hostile name
        ├── ManifestError     a ``sixarts.json`` that cannot be read
        └── LockfileError     a ``sixarts.lock`` that cannot be read, or that lacks what was asked for
"""

from __future__ import annotations

from collections.abc import Iterable

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

__all__ = [
    "AmbiguousName",
    "BadReference",
    "BadSignature",
    "CardError",
    "CheckpointError",
    "Corrupt",
    "DeviceError",
    "DiskError",
    "HubError",
    "InputError",
    "Locked",
    "LockfileError",
    "ManifestError",
    "MissingExtra",
    "NotFound",
    "Offline",
    "OptionError",
    "PluginError",
    "SixartsError",
    "TrainingError",
    "UnknownFamily",
    "UnknownModel",
    "UnknownName",
    "UnknownTask",
    "Unreachable",
    "UnsafeFile",
    "UnsafePickle",
    "nearest",
]


def nearest(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """The known names most like ``name``, best first; empty when none is like it.

    >>> nearest("translatoin", ["translation", "summarization"])
    ['translation']
    """
    import difflib

    by_lower = {candidate.lower(): candidate for candidate in known}
    found = difflib.get_close_matches(name.lower(), by_lower, n=count, cutoff=0.5)
    return [by_lower[key] for key in found]


class InputError(SixartsError, ValueError):
    """An input that the task cannot take.

    Attributes:
        index: position of the input in the list or stream, or ``None`` for a single input.
    """

    def __init__(self, message: str, index: int | None = None) -> None:
        self.reason = message
        self.index = index
        super().__init__(message if index is None else f"input {index}: {message}")


class OptionError(SixartsError, ValueError):
    """An option that the task does not have, or a value that it cannot take."""


class UnknownName(SixartsError, LookupError):
    """A name that nothing answers to.

    >>> str(UnknownName("task", "translate", ["translation"]))
    "no task 'translate'; the nearest: 'translation'"
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], hint: str = "") -> None:
        known = sorted(known)
        self.name = name
        self.suggestions = nearest(name, known)
        if self.suggestions:
            tail = "the nearest: " + ", ".join(map(repr, self.suggestions))
        elif known:
            tail = "known: " + ", ".join(map(repr, known[:12])) + (", …" if len(known) > 12 else "")
        else:
            tail = "none is registered"
        super().__init__(f"no {kind} {name!r}; {tail}" + (f"; {hint}" if hint else ""))


class UnknownTask(UnknownName):
    """No plugin registers a task of this name."""


class UnknownModel(UnknownName):
    """Neither the catalog nor a starter has a model of this name."""


class UnknownFamily(UnknownName):
    """No family of this name, or none that recognizes the folder's layout."""


class AmbiguousName(SixartsError, LookupError):
    """Two plugins claim one name; the message prints both full spellings."""


class PluginError(SixartsError):
    """A plugin that cannot be imported or does not keep its contract."""


class DeviceError(SixartsError, ValueError):
    """A device, precision or backend that this machine or process does not have."""


class CheckpointError(SixartsError, ValueError):
    """Weights that are missing, extra, not finite, or of the wrong shape; the message names them."""


class UnsafePickle(CheckpointError):
    """A pickled name other than those that rebuild tensors; nothing of the file was executed."""


class TrainingError(SixartsError):
    """Training that cannot start, go on, or resume."""


class CardError(SixartsError, ValueError):
    """A model card whose head is not what the hub reads, or that lacks what publishing needs."""
