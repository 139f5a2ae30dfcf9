"""What a repository holds at one commit: names, sizes, digests; and which of it may be fetched."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sixarts_hub.errors import UnsafeFile
from sixarts_hub.strict_json import short

#: Kinds of file that hold data only. What is not here is neither fetched, nor opened, nor published:
#: .py, .keras, .h5, .pt, .pkl, .npz and archives can carry code.
KINDS = (
    ".json",
    ".jsonl",
    ".safetensors",
    ".bin",  # weights of PyTorch, read by a reader that rebuilds tensors only
    ".bin.gz",  # networks of KataGo, read as capped tensors
    ".weights.h5",  # Keras weights; a whole model in .h5 stays out
    ".txt",
    ".tsv",
    ".csv",
    ".md",
    ".model",
    ".spm",
    ".vocab",
    ".bpe",
    ".tiktoken",
    ".jinja",
)
#: The name of a signature over the whole folder, as OpenSSF Model Signing has it.
SIGNATURE = "model.sig"
#: The two forms of a digest.
DIGEST = re.compile(r"sha256:[0-9a-f]{64}|git-sha1:[0-9a-f]{40}")
#: In a digest's place where the hub gives none: it is taken at the first fetch and held from then on.
UNKNOWN = "unknown"

_BARE_NAMES = ("LICENSE", "NOTICE", SIGNATURE)
# Names that Windows keeps for devices, with any extension.
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)", re.IGNORECASE)
_DRIVE = re.compile(r"[A-Za-z]:")
# What the common disks take, of a part and of the whole. It is also what keeps checking a name cheap.
_PART_LENGTH, _PATH_LENGTH = 255, 1024
# No disk holds more; a size is added up and compared, and a larger one would be an error far from here.
_SIZE_LIMIT = 2**63


@dataclass(frozen=True)
class File:
    """A file as it should be.

    Attributes:
        path: inside its folder, with ``/``.
        size: bytes.
        digest: ``"sha256:<64 hex>"``, or ``"git-sha1:<40 hex>"`` of a Git blob, or :data:`UNKNOWN`.
    """

    path: str
    size: int
    digest: str

    def __post_init__(self) -> None:
        known = isinstance(self.digest, str) and (DIGEST.fullmatch(self.digest) or self.digest == UNKNOWN)
        if not known or type(self.size) is not int or not 0 <= self.size < _SIZE_LIMIT:
            raise ValueError(
                f"{short(self.path)}: size {short(self.size)} and digest {short(self.digest)} are no file's"
            )


@dataclass(frozen=True)
class Listing:
    """The files of a repository at one commit.

    >>> listing = Listing("0" * 40, (File("config.json", 2, "git-sha1:" + "0" * 40),))
    >>> "config.json" in listing, "model.bin" in listing
    (True, False)
    """

    commit: str
    files: tuple[File, ...]

    def __contains__(self, path: object) -> bool:
        return any(file.path == path for file in self.files)

    def __iter__(self) -> Iterator[File]:
        return iter(self.files)

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(file.path for file in self.files)

    def to_dict(self) -> dict[str, Any]:
        files = {file.path: {"size": file.size, "digest": file.digest} for file in self.files}
        return {"commit": self.commit, "files": files, "check": checksum(self.commit, files)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Listing:
        """Read back what :meth:`to_dict` made.

        Raises:
            ValueError: it is something else, was changed since, or has a name that must not become a path.
        """
        match data:
            case {"commit": str(commit), "files": dict(entries), "check": str(check)}:
                pass
            case _:
                raise ValueError("no listing: its commit, its files or their check are missing")
        # A digest with one bit flipped would make the right file Corrupt for good.
        if check != checksum(commit, entries):
            raise ValueError("no listing: it is not what was written")
        try:
            files = tuple(File(path, entry["size"], entry["digest"]) for path, entry in entries.items())
            check_names(entries)
            check_names([commit])
        except (KeyError, TypeError, UnsafeFile) as error:
            raise ValueError(f"no listing: {error}") from error
        if "/" in commit:
            raise ValueError(f"no listing: {short(commit)} as a commit")
        return cls(commit, files)


def checksum(commit: str, files: Mapping[str, Any]) -> str:
    """What a listing's record holds to show that it is whole: SHA-256 in hex of the rest of it."""
    return hashlib.sha256(json.dumps([commit, files], sort_keys=True).encode()).hexdigest()


def allowed(path: str) -> bool:
    """Whether a file is of a kind that may be fetched, opened and published.

    >>> [allowed(name) for name in ("model.safetensors", "modeling.py", ".hidden.json", "LICENSE")]
    [True, False, False, True]
    """
    if any(part.startswith(".") for part in path.split("/")) or ":" in path:
        return False
    name = path.rsplit("/", 1)[-1]
    return name in _BARE_NAMES or name.lower().endswith(KINDS)


def check_names(paths: Iterable[str]) -> None:
    """Refuse a tree of files in which a name would climb out, or two names would be one on some disk.

    Raises:
        UnsafeFile: on the first such name.
    """
    spelled: dict[str, str] = {}
    for path in paths:
        if reason := _reason_to_refuse(path):
            raise _unsafe(path, reason)
        key = _on_disk(path)
        if key in spelled:
            raise _unsafe(path, f"is one file with {short(spelled[key])} where case does not count")
        spelled[key] = path
    for key, path in spelled.items():
        parts = key.split("/")
        for depth in range(1, len(parts)):
            if (folder := "/".join(parts[:depth])) in spelled:
                raise _unsafe(path, f"needs a folder where {short(spelled[folder])} is a file")


def _on_disk(path: str) -> str:
    """The name as a disk that folds case and composes letters would see it."""
    # Both ways round (Unicode 3.13, D145): folding can undo what composing did.
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", path).casefold())


def _reason_to_refuse(path: str) -> str | None:
    if not isinstance(path, str) or not path:
        return "is empty"
    try:
        length = len(path.encode())
    except UnicodeEncodeError:
        return "has half of a surrogate pair"
    if length > _PATH_LENGTH:
        return f"takes more than {_PATH_LENGTH} bytes"
    if path.startswith("/") or _DRIVE.match(path):
        return "is absolute"
    if "\\" in path:
        return "has a backslash"
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in path):
        return "has a control character"
    for part in path.split("/"):
        if part in ("", ".", ".."):
            return "has an empty part, '.' or '..'"
        if len(part.encode()) > _PART_LENGTH:
            return f"has a part of more than {_PART_LENGTH} bytes"
        if part.endswith((".", " ")):
            return "has a part that ends in a dot or a blank"
        if _RESERVED.match(part):
            return "has a part that Windows keeps for a device"
    return None


def _unsafe(path: object, reason: str) -> UnsafeFile:
    return UnsafeFile(
        f"received a file named {short(path)}, which {reason}; expected plain relative names that differ on "
        "every disk; nothing was written; rename the file in its repository, or take another model"
    )


def visible(folder: Path) -> list[str]:
    """The files of a folder that count as the model's, less its signature."""
    paths = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in paths if allowed(path) and path != SIGNATURE)
