"""Model folders at addresses that fsspec opens: buckets, servers, disks.

A place keeps no history, so a commit is made of what lies there: of ``sixarts.json`` and its signature where
there is one, as it has every digest, else of every file's name, size and the mark that the place puts on its
content (an etag, or the time of its last change). Keys to a place come from fsspec's own environment and
configuration, never from the address. How long a silent place is waited for is up to its library.
"""

from __future__ import annotations

import errno
import hashlib
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

from sixarts_hub import disk
from sixarts_hub import manifest as manifests
from sixarts_hub.errors import Corrupt, HubError, MissingExtra, NotFound, Unreachable
from sixarts_hub.listing import SIGNATURE, UNKNOWN, File, Listing, check_names
from sixarts_hub.reference import masked
from sixarts_hub.transfer import Part, Source

_MOST_FILES = 50_000
_CHUNK = 1 << 20
# Read ahead: one request for so many bytes.
_BLOCK = 16 << 20
_SMALL = 16 << 20
#: What names the commit of a model with a manifest.
_TELLING = (manifests.FILE, SIGNATURE)
#: What places call the mark of a content, the surest first.
_MARKS = (
    "ETag",
    "etag",
    "content_md5",
    "md5Hash",
    "crc32c",
    "generation",
    "LastModified",
    "last_modified",
    "updated",
    "mtime",
    "modified",
    "created",
)
#: Where a folder must be there before a file can be put into it. To a bucket, folders are names.
_WITH_FOLDERS = {"sftp", "ssh", "ftp", "smb", "hdfs", "webhdfs", "file", "memory"}
#: What is asked of a library, unless a person's configuration says otherwise. s3fs tries five times, 15
#: seconds each; the library below it would try each of these five times.
_OPTIONS: dict[str, dict[str, Any]] = {"s3": {"config_kwargs": {"retries": {"total_max_attempts": 1}}}}
#: Packages that open a place, where the extra ``places`` does not bring them.
_PACKAGES = {
    "az": "adlfs",
    "abfs": "adlfs",
    "abfss": "adlfs",
    "adl": "adlfs",
    "oss": "ossfs",
    "oci": "ocifs",
    "tos": "tosfs",
    "sftp": "paramiko",
    "ssh": "paramiko",
    "smb": "smbprotocol",
    "hdfs": "pyarrow",
}


class Place:
    """A model folder at an address.

    Args:
        address: as :class:`sixarts_hub.reference.Reference` has it, e.g. ``"s3://bucket/model"``.

    Raises:
        MissingExtra: what opens such an address is not installed.
        Unreachable: it cannot be opened.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        with _explained(address, "its files"):
            from fsspec.config import conf
            from fsspec.core import url_to_fs
            from fsspec.registry import known_implementations, registry

            scheme = address.partition("://")[0]
            if scheme not in {*known_implementations, *registry}:
                raise ImportError(f"fsspec does not know {scheme}")
            configured = conf.get(scheme, {})
            ours = _OPTIONS.get(scheme, {}).items()
            own = {name: value for name, value in ours if name not in configured}
            self._files, root = url_to_fs(address, **own)
            self._root = root.rstrip("/")
        # What is not made for several threads has one connection for all its requests.
        self._turn = nullcontext() if self._files.async_impl else threading.RLock()
        self._marks: dict[str, str] = {}
        self._seen: Listing | None = None

    def look(self) -> Listing:
        """What lies there now, and the commit that it makes.

        Raises:
            NotFound: nothing does.
            UnsafeFile: a name there is hostile.
            Unreachable, HubError: the place does not answer, or does not permit it.
        """
        entries = self._entries()
        if not entries:
            raise NotFound(
                f"asked {self.address} for its files: received none; expected a model folder; check the "
                "address"
            )
        if len(entries) > _MOST_FILES:
            raise HubError(
                f"asked {self.address} for its files: received {len(entries)}; expected at most "
                f"{_MOST_FILES}; name the folder of one model"
            )
        check_names(entries)
        self._marks = {path: _mark(info) for path, info in entries.items()}
        # Read to name the commit, and so known: their digests are not asked for again.
        telling = {path: self.read(path, _SMALL) for path in _TELLING if path in entries}
        stated = _stated(telling)
        files = tuple(
            File(path, self._size(path, info), stated.get(path, UNKNOWN))
            for path, info in sorted(entries.items())
        )
        parts = (
            telling.values()
            if manifests.FILE in telling
            else [f"{file.path}\n{file.size}\n{self._marks[file.path]}".encode() for file in files]
        )
        self._seen = Listing(_combined(parts), files)
        return self._seen

    def source(self, commit: str) -> Source:
        """What a transfer takes the files of a commit from.

        Raises:
            NotFound: another commit lies there now.
        """

        @contextmanager
        def part(path: str, start: int) -> Iterator[Part]:
            if self._seen is None or self._seen.commit != commit:
                self.require(commit)
            with self._asking(path):
                stream = self._files.open(self._name(path), "rb", block_size=_BLOCK)
            try:
                yield Part(start, None, self._chunks(stream, path, start))
            finally:
                stream.close()

        return part

    def read(self, path: str, limit: int) -> bytes:
        """A small file, whole.

        Raises:
            HubError: it has more than ``limit`` bytes.
        """
        with self._asking(path), self._files.open(self._name(path), "rb") as stream:
            data: bytes = stream.read(limit + 1)
        if len(data) > limit:
            raise HubError(
                f"received {path} at {self.address} of over {limit} bytes; expected a small file; take "
                "another model"
            )
        return data

    def held(self) -> Listing:
        """What lies there now, which may be nothing.

        Raises:
            UnsafeFile, Unreachable, HubError: as :meth:`look` says.
        """
        try:
            return self.look()
        except NotFound:
            return Listing("", ())

    def send(self, folder: Path, paths: Sequence[str]) -> Listing:
        """Put files there, in the order given, and look at what lies there then.

        A signature that is not among them goes first: it was made over what was there before.

        Raises:
            Unreachable, HubError: the place does not answer, or does not permit it.
        """
        if SIGNATURE not in paths:
            with self._asking(SIGNATURE):
                self._files.invalidate_cache()
                if self._files.exists(self._name(SIGNATURE)):
                    self._files.rm_file(self._name(SIGNATURE))
        for path in paths:
            with self._asking(path):
                if self.address.partition("://")[0] in _WITH_FOLDERS:
                    self._files.makedirs(self._name(path).rpartition("/")[0], exist_ok=True)
                self._files.put_file(str(folder / path), self._name(path))
        return self.look()

    def require(self, commit: str) -> Listing:
        """What lies there now, if it makes this commit.

        Raises:
            NotFound: it makes another.
        """
        found = self.look()
        if found.commit != commit:
            raise NotFound(
                f"asked {self.address} for commit {commit}: received {found.commit}, which lies there now; "
                "expected the commit, of which a place keeps no history; take what is there with update=True"
            )
        return found

    def _chunks(self, stream: Any, path: str, start: int) -> Iterator[bytes]:
        with self._asking(path):
            stream.seek(start)
        while chunk := self._next(stream, path):
            yield chunk
        with self._asking(path):
            self._files.invalidate_cache()
            mark = _mark(self._files.info(self._name(path)))
        if mark != self._marks[path]:
            # Some places mark a file in one way when they list it and in another when they are asked for it.
            mark = _mark(self._entries().get(path, {}))
        if mark != self._marks[path]:
            raise Corrupt(
                f"received {path} at {self.address} while it was changed (from {self._marks[path]} to "
                f"{mark}); expected it as it was listed; fetch what is there now with update=True"
            )

    def _next(self, stream: Any, path: str) -> bytes:
        with self._asking(path):
            chunk: bytes = stream.read(_CHUNK)
        return chunk

    @contextmanager
    def _asking(self, subject: str) -> Iterator[None]:
        with self._turn, _explained(self.address, subject):
            yield

    def _name(self, path: str) -> str:
        return f"{self._root}/{path}"

    def _entries(self) -> dict[str, Mapping[str, Any]]:
        with self._asking("its files"):
            self._files.invalidate_cache()
            found = self._files.find(self._root, detail=True)
        return {path: info for name, info in found.items() if (path := self._inside(name, info))}

    def _inside(self, name: str, info: Mapping[str, Any]) -> str | None:
        """A file's path inside the folder; ``None`` for what is no file of it."""
        path = name.removeprefix(self._root + "/") if name.startswith(self._root + "/") else ""
        # An empty object whose name ends in "/" is how the consoles of buckets draw a folder.
        marker = name.endswith("/") and not info.get("size")
        return None if marker or info.get("type") != "file" else path or None

    def _size(self, path: str, info: Mapping[str, Any]) -> int:
        size = info.get("size")
        if not isinstance(size, int) or size < 0:
            raise HubError(
                f"received {path} at {self.address} of the size {size!r}; expected a number of bytes; "
                "nothing was fetched; take the model from a place that knows its files' sizes"
            )
        return size


def commit_of(folder: Path) -> str:
    """The commit that a model folder with a manifest makes, wherever it is put."""
    return _combined((folder / path).read_bytes() for path in _TELLING if (folder / path).is_file())


def _stated(telling: Mapping[str, bytes]) -> dict[str, str]:
    """The digests of what was read, and those that the manifest states, if it can be read."""
    stated = {path: f"sha256:{hashlib.sha256(data).hexdigest()}" for path, data in telling.items()}
    with suppress(HubError), disk.writing("on reading a manifest"), tempfile.TemporaryDirectory() as folder:
        for path, data in telling.items():
            Path(folder, path).write_bytes(data)
        stated |= {file.path: file.digest for file in manifests.Manifest.read(Path(folder)).expected()}
    return stated


def _combined(parts: Iterable[bytes]) -> str:
    """The SHA-256 of one part, or of several parts' digests, in the 40 hex digits that commits have."""
    counts = [hashlib.sha256(part) for part in parts]
    count = counts[0] if len(counts) == 1 else hashlib.sha256(b"".join(each.digest() for each in counts))
    return count.hexdigest()[:40]


def _mark(info: Mapping[str, Any]) -> str:
    name = next((name for name in _MARKS if info.get(name) is not None), None)
    if name is None:
        return "no mark"
    value = info[name]
    value = value.timestamp() if isinstance(value, datetime) else value
    return f"{name} {value:.3f}" if isinstance(value, float) else f"{name} {value}"


@contextmanager
def _explained(address: str, subject: str) -> Iterator[None]:
    """Turn what a place's library raises inside into our errors."""
    try:
        yield
    except HubError:
        raise
    except Exception as error:  # two dozen libraries raise what they like
        _tell(error, f"asked {address} for {subject}: received", address.partition("://")[0])


def _tell(error: Exception, received: str, scheme: str) -> NoReturn:
    said = f"{type(error).__name__}: {_quoted(error)}"
    if isinstance(error, ImportError):
        package = _PACKAGES.get(scheme)
        install = f"pip install {package}" if package else "pip install 'sixarts[places]'"
        raise MissingExtra(
            f"{received} no library that opens {scheme}://; expected one; install it with `{install}`"
        )
    if isinstance(error, FileNotFoundError | NotADirectoryError | IsADirectoryError):
        raise NotFound(
            f"{received} that it is not there ({said}); expected a model folder; check the address"
        )
    if isinstance(error, PermissionError):
        raise HubError(
            f"{received} a refusal ({said}); expected permission; give keys in the place's own way, in the "
            "environment or its configuration"
        )
    if isinstance(error, OSError) and error.errno == errno.EBUSY:
        raise Corrupt(
            f"{received} that it was changed while it was fetched ({said}); expected it as it was listed; "
            "fetch what is there now with update=True"
        )
    unreachable = Unreachable(
        f"{received} no useful answer ({said}); expected one; check the address, the keys and the network, "
        "or use what is cached with SIXARTS_OFFLINE=1"
    )
    unreachable.passing = isinstance(error, ConnectionError | TimeoutError)
    raise unreachable


def _quoted(error: Exception) -> str:
    """What a library says, in one line, less what may be a secret: addresses may be signed."""
    return " ".join(map(masked, str(error).split()))[:200]
