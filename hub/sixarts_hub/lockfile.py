"""``sixarts.lock``: every model that an application uses, at one commit, with the SHA-256 of every file.

JSON as in ``sixarts.json``, sorted and a value a line, so that a change reads well as a difference::

    {
      "format": 1,
      "models": {
        "OWNER/NAME": {
          "endpoint": "https://huggingface.co",
          "commit": "…",
          "task": "translation",
          "files": {"config.json": {"size": 24, "sha256": "…"}, …}
        },
        "starter/NAME": {"release": "DISTRIBUTION VERSION", "task": "…", "files": {"sixarts.json": {…}}}
      }
    }

A starter comes with an installed package: the lock holds its manifest, which holds the digest of the rest.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sixarts_hub import manifest as manifests
from sixarts_hub.endpoint import Endpoint
from sixarts_hub.errors import Corrupt, HubError, LockfileError, UnsafeFile
from sixarts_hub.listing import File, Listing, allowed, check_names
from sixarts_hub.manifest import FileEntry
from sixarts_hub.records import write_atomically
from sixarts_hub.reference import COMMIT, Reference
from sixarts_hub.strict_json import parse, read_small, short

#: The usual file name.
FILE = "sixarts.lock"
#: The format that this version writes and the newest that it reads.
FORMAT = 1
# A line of a file takes 100 bytes; one beyond this is not a lock.
_SIZE_LIMIT = 16 << 20


@dataclass(frozen=True)
class Entry:
    """What a reference means.

    Attributes:
        files: size and SHA-256 of every file that is used, by path; of a starter, its manifest alone.
        commit: the commit; ``None`` for a starter.
        endpoint: the hub that it was found on; ``None`` where it is on no hub.
        release: of a starter, the distribution that brought it, with its version.
        task: the task, where the model says one.
    """

    files: Mapping[str, FileEntry]
    commit: str | None = None
    endpoint: str | None = None
    release: str | None = None
    task: str | None = None

    @property
    def listing(self) -> Listing:
        """Its files as a commit's, for whoever fetches them."""
        return Listing(self.commit or "", tuple(self))

    @property
    def size(self) -> int:
        """Bytes of its files."""
        return sum(file.size for file in self)

    def __iter__(self) -> Iterator[File]:
        return (File(path, entry.size, f"sha256:{entry.sha256}") for path, entry in self.files.items())

    def _to_dict(self) -> dict[str, Any]:
        stated = {name: getattr(self, name) for name in ("endpoint", "commit", "release", "task")}
        files = {path: vars(entry) for path, entry in sorted(self.files.items())}
        return {**{name: value for name, value in stated.items() if value is not None}, "files": files}


@dataclass(frozen=True)
class Lockfile:
    """What a ``sixarts.lock`` says.

    Attributes:
        entries: by reference, as :class:`Reference` spells it.
        path: the file, for messages.
    """

    entries: Mapping[str, Entry] = field(default_factory=dict)
    path: Path = Path(FILE)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Lockfile:
        """Read a lock.

        Raises:
            LockfileError: it is missing, cannot be read, lacks a field, or is of a newer format.
            UnsafeFile: it lists a hostile name, or a file of a kind that is never fetched.
        """
        path = Path(path)
        try:
            data = parse(read_small(path, _SIZE_LIMIT))
        except OSError as error:
            raise LockfileError(
                f"received {path}, which cannot be read ({error.strerror}); expected a lock; write one with "
                "`sixarts lock REFERENCE…`"
            ) from error
        except ValueError as error:
            raise _bad(path, f"which cannot be read as JSON ({str(error)[:200]})") from error
        return cls._from_json(data, path)

    @classmethod
    def _from_json(cls, data: Any, path: Path) -> Lockfile:
        version = data.get("format") if isinstance(data, dict) else None
        if type(version) is not int or version < 1:
            raise _bad(path, "which has no format number")
        if version > FORMAT:
            raise LockfileError(
                f"received {path} of format {version}; expected at most {FORMAT}; upgrade with "
                "`pip install -U sixarts`"
            )
        models = data.get("models")
        if not isinstance(models, dict):
            raise _bad(path, "which has no 'models'")
        entries = {}
        for key, value in models.items():
            try:
                entries[key] = _entry(key, value)
            except UnsafeFile as error:
                raise UnsafeFile(f"{error} (in {path}, {short(key)})") from error
            except (HubError, KeyError, TypeError, ValueError, AttributeError) as error:
                raise _bad(path, f"whose entry {short(key)} is none ({_reason(error)})") from error
        return cls(entries, path)

    def write(self) -> None:
        """Write the file whole or not at all.

        Raises:
            LockfileError: it cannot be written; what was there stays.
        """
        models = {key: entry._to_dict() for key, entry in sorted(self.entries.items())}
        text = json.dumps({"format": FORMAT, "models": models}, ensure_ascii=False, indent=2)
        try:
            write_atomically(self.path, text.encode() + b"\n")
        except (OSError, UnicodeEncodeError) as error:
            raise LockfileError(
                f"received {error} on writing {self.path}; expected to write it; make room or permit it, or "
                "name another file"
            ) from error

    def find(self, reference: Reference, update: bool = False) -> Entry | None:
        """What a reference means; ``None`` where it needs no lock: a folder, or a commit that is named.

        The default branch may be named or left out.

        Args:
            update: what it means shall move, which the lock does not permit.

        Raises:
            LockfileError: the lock lacks it, or it shall move.
        """
        if reference.kind == "folder":
            return None
        named = COMMIT.fullmatch(reference.revision or "")
        for key, entry in self.entries.items():
            other = parsed(key)
            at_commit = named and (other.name, entry.commit) == (reference.name, reference.revision)
            if at_commit or _meaning(other) == _meaning(reference):
                if update and not named and reference.kind == "repo":
                    raise LockfileError(
                        f"received update=True for {reference}, which {self.path} holds at {entry.commit}; "
                        f"expected it to stay; move it with `sixarts lock {reference}`, or unset SIXARTS_LOCK"
                    )
                return entry
        if named:
            return None
        raise LockfileError(
            f"received {str(reference)!r}, which {self.path} lacks; expected one of "
            f"{', '.join(sorted(self.entries)[:12]) or 'none, as it is empty'}; add it with `sixarts lock "
            f"{reference}`, or unset SIXARTS_LOCK"
        )

    def key(self, reference: Reference) -> str:
        """How a reference is spelled here, where it is; else how it will be."""
        same = (key for key in self.entries if _meaning(parsed(key)) == _meaning(reference))
        return next(same, str(reference))


def parsed(key: str) -> Reference:
    """The reference that a key of a lock spells; a folder of that name nearby makes no difference.

    Raises:
        BadReference: none.
    """
    plain = "://" not in key and not key.startswith("starter/")
    reference = Reference.parse(f"hf://{key}" if plain else key)
    if str(reference) != key or reference.kind == "folder":
        raise ValueError(f"a reference is written {str(reference)!r}")
    return reference


def check_starter(folder: Path, entry: Entry) -> None:
    """Hold an installed starter against the lock.

    Raises:
        Corrupt: its manifest is another; the message has both digests.
    """
    from sixarts_hub.digest import check

    try:
        for file in entry:
            check(folder, file)
    except Corrupt as error:
        raise Corrupt(
            f"{error}; install {entry.release or 'the package that brings it'}, or lock what is installed "
            "with `sixarts lock`"
        ) from None


def _meaning(reference: Reference) -> tuple[str, str, str]:
    default = "main" if reference.kind == "repo" else ""
    return reference.kind, reference.name, reference.revision or default


def _entry(key: str, value: dict[str, Any]) -> Entry:
    reference = parsed(key)
    kind = reference.kind
    files = {path: FileEntry(entry["size"], entry["sha256"]) for path, entry in value["files"].items()}
    check_names(files)
    if refused := [path for path in files if not allowed(path)]:
        raise UnsafeFile(
            f"received a lock with {short(refused[0])}; expected data files only, since this kind may carry "
            "code; nothing was fetched; lock the model anew"
        )
    entry = Entry(
        files,
        _text(value, "commit"),
        _text(value, "endpoint"),
        _text(value, "release"),
        _text(value, "task"),
    )
    if any(type(file.size) is not int for file in entry) or not files:
        raise ValueError("its files have no sizes")
    if (kind == "starter") != (entry.commit is None) or not COMMIT.fullmatch(entry.commit or "0" * 40):
        raise ValueError(f"its commit is {entry.commit!r}")
    if COMMIT.fullmatch(reference.revision or "") and reference.revision != entry.commit:
        raise ValueError(f"its commit is {entry.commit!r}")
    if kind == "starter" and list(files) != [manifests.FILE]:
        raise ValueError(f"a starter has {manifests.FILE} alone")
    if entry.endpoint is not None:
        Endpoint.of(entry.endpoint)
    if (kind == "repo") != (entry.endpoint is not None):
        raise ValueError(f"its endpoint is {entry.endpoint!r}")
    return entry


def _text(value: Mapping[str, Any], name: str) -> str | None:
    text = value.get(name)
    if text is not None and not (isinstance(text, str) and text.isprintable()):
        raise ValueError(f"its {name} is no text")
    return text


def _reason(error: Exception) -> str:
    return f"no {error}" if isinstance(error, KeyError) else str(error)[:200]


def _bad(path: Path, what: str) -> LockfileError:
    return LockfileError(
        f"received {path}, {what}; expected what `sixarts lock` writes; take it from its source again, or "
        "lock your references anew"
    )
