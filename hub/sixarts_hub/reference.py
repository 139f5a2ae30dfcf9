"""References: how a person names a model, and the one place where that text is read."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from sixarts_hub.errors import BadReference

#: A commit as Git and the hub write it.
COMMIT = re.compile(r"[0-9a-f]{40}")

#: Schemes of the places that a model folder may lie in besides the hub, as fsspec names them.
PLACES = frozenset(
    {
        *("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oss", "oci", "tos"),
        *("sftp", "ssh", "ftp", "smb", "hdfs", "webhdfs", "file", "memory"),
    }
)

_FORMS = (
    "expected starter/NAME, OWNER/NAME, OWNER/NAME@REVISION, hf://OWNER/NAME, a place such as "
    "s3://BUCKET/FOLDER or a folder such as ./mine"
)
_PATH_START = re.compile(r"\.{1,2}([/\\]|$)|[/\\]|~|[A-Za-z]:[/\\]")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
# What of an address may be a secret: the user's part, and all after a question mark.
_USER = re.compile(r"(?<=://)(?:[^/]*:.*@|[^/@\\]*@)", re.DOTALL)
_QUERY = re.compile(r"[?#].*", re.DOTALL)
# Here a user's name says whose folder it is, or which container.
_WITH_USER = {"abfs", "abfss", "sftp", "ssh", "ftp", "smb", "hdfs", "webhdfs"}
# Here there is no host or bucket above the folder.
_WITHOUT_HOST = {"file", "memory"}
# An object's name has at most 1,024 bytes.
_PLACE_LENGTH = 1024
# The hub's own rules for either part of a repository's name.
_PART = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?")
_PART_LENGTH = 96
# Git's rules for a branch or tag, less what no shell or file name carries well.
_REVISION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+/@-]*")
_REVISION_LENGTH = 200


@dataclass(frozen=True)
class Reference:
    """A model's name, read.

    Attributes:
        kind: ``"starter"`` (ships in a plugin), ``"repo"`` (on the hub), ``"place"`` (at an address that
            fsspec opens) or ``"folder"`` (on disk).
        name: the starter's name, ``OWNER/NAME``, the place's address, or the folder's path as it was written.
        revision: of a repo: a branch, a tag or a commit; ``None`` stands for the default branch. Of a place:
            a commit, which is made of its content; ``None`` stands for what is there.

    >>> Reference.parse("Helsinki-NLP/opus-mt-en-fr@main")
    Reference(kind='repo', name='Helsinki-NLP/opus-mt-en-fr', revision='main')
    >>> str(Reference.parse("hf://Helsinki-NLP/opus-mt-en-fr"))
    'Helsinki-NLP/opus-mt-en-fr'
    >>> Reference.parse("s3://models/translation/en-fr/").name
    's3://models/translation/en-fr'
    """

    kind: Literal["starter", "repo", "place", "folder"]
    name: str
    revision: str | None = None

    @classmethod
    def parse(cls, text: str | os.PathLike[str], starters: Iterable[str] = ()) -> Reference:
        """Read a reference; a path object is always a folder.

        Args:
            text: what the person wrote.
            starters: names of the starters that are installed, for the error's suggestion.

        Raises:
            BadReference: it is none of the forms, or could be two of them.
        """
        if not isinstance(text, str):
            return _folder(os.fspath(text))
        if not text or text != text.strip() or any(ord(letter) < 32 for letter in text):
            raise BadReference(
                f"received {masked(text)!r} as a model; {_FORMS}; remove blanks and control characters"
            )
        if scheme := _SCHEME.match(text):
            if scheme[1] in PLACES:
                return _place(scheme[1], text)
            if scheme[1] != "hf":
                raise BadReference(
                    f"received {masked(text)!r} as a model; {_FORMS}; of a page's address, pass its "
                    "OWNER/NAME only"
                )
            return _repo(text.removeprefix("hf://"), masked(text))
        if _PATH_START.match(text):
            return _folder(text)
        if text.startswith("starter/"):
            return _starter(text)
        if os.path.isdir(text) or _left_aside(text):
            if _looks_like_repo(text):
                raise BadReference(
                    f"received {text!r}, which is a folder here and may be a repository on the hub; "
                    f"expected one of them; write './{text}' for the folder or 'hf://{text}' for the hub"
                )
            return _folder(text)
        if "/" not in text:
            raise BadReference(f"received {text!r} as a model; {_FORMS}; {_bare_name_advice(text, starters)}")
        return _repo(text, text)

    def __str__(self) -> str:
        if self.kind == "starter":
            return f"starter/{self.name}"
        if self.kind == "folder":
            return self.name
        # An owner may be called "starter"; without the scheme that would read as one of ours.
        scheme = "hf://" if self.name.startswith("starter/") else ""
        return f"{scheme}{self.name}" + (f"@{self.revision}" if self.revision else "")

    @property
    def fetched(self) -> bool:
        """Whether what it names lies elsewhere and is brought into the cache."""
        return self.kind in ("repo", "place")

    @property
    def path(self) -> Path:
        """The folder that a reference of kind ``"folder"`` names, with ``~`` expanded."""
        if self.kind != "folder":
            raise BadReference(f"received {str(self)!r}; expected a folder; write './NAME' for a folder here")
        return Path(os.path.expanduser(self.name))


def masked(text: str) -> str:
    """An address without what may be a secret in it.

    >>> masked("https://me:secret@host/model?token=abc"), masked("me/model")
    ('https://***@host/model?***', 'me/model')
    """
    if "://" not in text:
        return text
    return _QUERY.sub(lambda found: f"{found[0][0]}***", _USER.sub("***@", text))


def _folder(text: str) -> Reference:
    """A folder's reference, spelled so that it reads back as a folder wherever it is printed."""
    return Reference("folder", text if _PATH_START.match(text) else f"./{text}")


def _left_aside(text: str) -> bool:
    """Whether a folder of this name was there until a save was killed; it is put back."""
    from sixarts_hub.exchange import recover

    return "://" not in text and recover(Path(text))


def _starter(text: str) -> Reference:
    name = text.removeprefix("starter/")
    if not _is_part(name):
        raise BadReference(
            f"received {text!r} as a model; expected starter/NAME, where NAME has letters, digits, '-', '_' "
            "and '.' and no revision; `sixarts models` lists the starters"
        )
    return Reference("starter", name)


def _repo(body: str, text: str) -> Reference:
    name, at, revision = body.partition("@")
    if not _looks_like_repo(name):
        raise BadReference(
            f"received {text!r} as a model; expected OWNER/NAME, each of 1 to {_PART_LENGTH} letters, "
            "digits, '-', '_' and '.', without '--' or '..', or a folder that exists; check the spelling on "
            "the hub's page"
        )
    if at and not _is_revision(revision):
        raise BadReference(
            f"received {text!r} with the revision {revision!r}; expected a branch, a tag or a commit of 40 "
            f"hex digits after '@'; leave '@' out for the default branch"
        )
    return Reference("repo", name, revision or None)


def _place(scheme: str, text: str) -> Reference:
    name, at, commit = text.rpartition("@")
    if not at or not COMMIT.fullmatch(commit):
        name, commit = text, ""
    if len(name) > len(f"{scheme}:///") and name.endswith("/"):
        name = name[:-1]
    if reason := _reason_to_refuse(scheme, name):
        example = {"file": "file:///srv/models/mine", "memory": "memory://mine"}.get(scheme)
        raise BadReference(
            f"received {masked(text)[:200]!r} as a model, which {reason}; expected "
            f"{example or f'{scheme}://PLACE/FOLDER'}, and keys in the environment only; correct the address"
        )
    return Reference("place", name, commit or None)


def _reason_to_refuse(scheme: str, name: str) -> str | None:
    try:
        host = urlsplit(name).netloc
    except ValueError:
        return "is no address"
    path = name.removeprefix(f"{scheme}://")
    if ":" in path.rpartition("@")[0]:
        return "carries a password"
    if "@" in host and scheme not in _WITH_USER:
        return "carries a user's name"
    if "?" in name or "#" in name:
        return "carries a query"
    if "::" in name:
        return "is several addresses in one"
    if "\\" in name:
        return "has a backslash"
    if not name.isprintable():
        return "has a character that does not print"
    if len(name.encode()) > _PLACE_LENGTH:
        return f"has over {_PLACE_LENGTH} bytes"
    if scheme == "file":
        if not path.startswith("/"):
            return "is relative"
        path = path[1:]
    parts = path.split("/")
    if any(part in ("", ".", "..", "~") for part in parts):
        return "has an empty part, '.' or '..'"
    if len(parts) < 2 and scheme not in _WITHOUT_HOST:
        return "names no folder"
    return None


def _is_part(text: str) -> bool:
    return (
        len(text) <= _PART_LENGTH
        and _PART.fullmatch(text) is not None
        and not any(pair in text for pair in ("--", ".."))
        and not text.endswith(".git")
    )


def _looks_like_repo(text: str) -> bool:
    parts = text.split("/")
    return len(parts) == 2 and all(map(_is_part, parts))


def _is_revision(text: str) -> bool:
    return (
        len(text) <= _REVISION_LENGTH
        and _REVISION.fullmatch(text) is not None
        and not any(pair in text for pair in ("..", "//", "/."))
        and not text.endswith(("/", ".", ".lock"))
    )


def _bare_name_advice(text: str, starters: Iterable[str]) -> str:
    import difflib

    near = difflib.get_close_matches(text, list(starters), n=1, cutoff=0.6)
    return f"write 'starter/{near[0]}'" if near else "put the owner before the name"
