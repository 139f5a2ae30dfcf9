"""``sixarts.json``: what a model folder is, and the digest of every file in it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sixarts_hub.digest import check, sha256
from sixarts_hub.errors import ManifestError, UnsafeFile
from sixarts_hub.listing import SIGNATURE, File, allowed, check_names
from sixarts_hub.records import write_atomically
from sixarts_hub.strict_json import parse, read_small, short

#: The manifest's file name.
FILE = "sixarts.json"
#: The format that this version writes and the newest that it reads.
FORMAT = 1
# A manifest lists files and holds one golden answer; one beyond this is not a manifest.
_SIZE_LIMIT = 16 << 20
# Of a task's, a family's or a dtype's name.
_TEXT_LENGTH = 200


@dataclass(frozen=True)
class FileEntry:
    """Size in bytes and SHA-256 in hex of a file."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What ``sixarts.json`` says.

    Attributes:
        task: the task that the model serves, e.g. ``"translation"``.
        family: the family that reads the folder, e.g. ``"marian"``.
        api: version of the plugin contract that the folder was written for.
        files: every file of the folder but this one, by path.
        golden: one input with its answer and tolerance, as the task wrote them; ``None`` if there is none.
        dtype: the stored weights' type, e.g. ``"float16"``.
        extra: further top-level entries, kept as they are.
        format: version of this layout.
    """

    task: str
    family: str
    api: str
    files: Mapping[str, FileEntry]
    golden: Mapping[str, Any] | None = None
    dtype: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    format: int = FORMAT

    @classmethod
    def of(
        cls,
        folder: Path,
        *,
        task: str,
        family: str,
        api: str,
        golden: Mapping[str, Any] | None = None,
        dtype: str | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> Manifest:
        """Describe a folder as it stands, hashing every file but hidden ones and ``sixarts.json``.

        A signature is left out, too: it is made last, over this description.

        Raises:
            UnsafeFile: the folder holds a file of a kind that is never published.
        """
        paths = sorted(_visible_files(folder))
        check_names(paths)
        if refused := [path for path in paths if not allowed(path)]:
            raise UnsafeFile(
                f"received the folder {folder} with {', '.join(refused[:5])}; expected data files only, "
                "since these kinds may carry code; move them out of the folder"
            )
        files = {
            path: FileEntry((folder / path).stat().st_size, sha256(folder / path).removeprefix("sha256:"))
            for path in paths
        }
        return cls(task, family, api, files, golden, dtype, dict(extra or {}))

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read ``folder/sixarts.json``.

        Raises:
            ManifestError: it is missing, is not JSON, lacks a field, or is of a newer format.
            UnsafeFile: it lists a hostile name, or a file of a kind that is never opened.
        """
        path = folder / FILE
        try:
            data = parse(read_small(path, _SIZE_LIMIT))
        except FileNotFoundError:
            raise ManifestError(
                f"received no {FILE} in {folder}; expected one with every file's digest; write it with "
                "`task.save(folder)`"
            ) from None
        except (OSError, ValueError) as error:
            raise ManifestError(
                f"received {path} that is not JSON or cannot be read ({error}); expected a manifest of at "
                f"most {_SIZE_LIMIT} bytes; take the folder from its source again"
            ) from error
        return cls._from_json(data, path)

    @classmethod
    def _from_json(cls, data: Any, path: Path) -> Manifest:
        version = data.get("format") if isinstance(data, dict) else None
        if type(version) is not int or version < 1:
            raise ManifestError(
                f"received {path} without a format number; expected {{'format': {FORMAT}, …}}; take the "
                "folder from its source again"
            )
        if version > FORMAT:
            raise ManifestError(
                f"received {path} of format {version}; expected at most {FORMAT}; upgrade with "
                "`pip install -U sixarts`"
            )
        data = dict(data)
        try:
            known = {name: data.pop(name) for name in ("format", "task", "family", "api", "files")}
            files = {
                name: FileEntry(entry["size"], entry["sha256"]) for name, entry in known["files"].items()
            }
            manifest = cls(
                task=_text(known["task"]),
                family=_text(known["family"]),
                api=_text(known["api"]),
                files=files,
                golden=_golden(data.pop("golden", None)),
                dtype=None if (dtype := data.pop("dtype", None)) is None else _text(dtype),
                extra=data,
                format=version,
            )
            list(manifest.expected())
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ManifestError(
                f"received {path} with a field missing or of the wrong type ({error}); expected task, "
                "family, api and files with size and sha256; take the folder from its source again"
            ) from error
        check_names(files)
        if refused := [name for name in files if not allowed(name)]:
            raise UnsafeFile(
                f"received {path} that lists {short(refused[0])}; expected data files only, since this kind "
                "may carry code; nothing of it was opened; take another model"
            )
        return manifest

    def write(self, folder: Path) -> Path:
        """Write ``folder/sixarts.json`` whole or not at all, and give its path.

        Raises:
            ManifestError: the golden answer or ``extra`` is not JSON (a NaN, an array).
        """
        entries = {
            "format": self.format,
            "task": self.task,
            "family": self.family,
            "api": self.api,
            "dtype": self.dtype,
            "files": {name: vars(entry) for name, entry in sorted(self.files.items())},
            "golden": self.golden,
            **self.extra,
        }
        try:
            text = json.dumps(entries, ensure_ascii=False, indent=2, allow_nan=False).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise ManifestError(
                f"received an entry for {FILE} that is not JSON ({error}); expected text, finite numbers, "
                "lists and dicts; turn arrays into lists first"
            ) from error
        path = folder / FILE
        write_atomically(path, text + b"\n")
        return path

    def expected(self) -> Iterator[File]:
        """Every listed file as it should be on disk."""
        for path, entry in self.files.items():
            yield File(path, entry.size, f"sha256:{entry.sha256}")


def verify(folder: Path, manifest: Manifest) -> None:
    """Hash every file that the manifest lists, remembering nothing.

    Raises:
        Corrupt: a file is missing or differs; the message has its path and both digests.
    """
    for file in manifest.expected():
        check(folder, file)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _TEXT_LENGTH or not value.isprintable():
        raise TypeError(f"{short(value)} is no name")
    return value


def _golden(value: Any) -> Mapping[str, Any] | None:
    if value is not None and not (isinstance(value, dict) and {"input", "answer"} <= value.keys()):
        raise TypeError(f"{short(value)} as the golden answer")
    return value


def _visible_files(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        relative = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in relative.parts)
        if path.is_file() and not hidden and relative.as_posix() not in (FILE, SIGNATURE):
            yield relative.as_posix()
