"""A small hub on loopback: what ``huggingface_hub`` asks for when it lists, fetches and publishes.

Every answer is made in :meth:`HubServer.answer` and goes through :attr:`HubServer.alter`, the one place
where a test changes, delays or replaces what an endpoint says.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

LFS_SUFFIXES = (".safetensors", ".bin", ".spm")


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""

    @property
    def authorized(self) -> bool:
        return "authorization" in self.headers

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Answer:
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass
class Repo:
    """Branches, and the files of every commit."""

    branches: dict[str, str] = field(default_factory=dict)
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    private: bool = False

    def commit(self, files: dict[str, bytes], branch: str = "main") -> str:
        seed = repr((len(self.commits), branch, sorted(files.items())))
        commit = hashlib.sha1(seed.encode()).hexdigest()
        self.commits[commit] = files
        self.branches[branch] = commit
        return commit

    def resolve(self, revision: str) -> str | None:
        commit = self.branches.get(revision, revision)
        return commit if commit in self.commits else None


def as_json(value: Any, status: int = 200) -> Answer:
    return Answer(status, {"Content-Type": "application/json"}, json.dumps(value).encode())


def failure(code: str, status: int = 404) -> Answer:
    return Answer(status, {"X-Error-Code": code}, b"")


def git_sha1(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def is_lfs(path: str) -> bool:
    return path.endswith(LFS_SUFFIXES)


class HubServer:
    """Repositories in memory, served over HTTP.

    Attributes:
        url: its address.
        repos: by ``OWNER/NAME``.
        requests: every request so far, in order of arrival.
        alter: what a test does to each answer; by default nothing.
    """

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.requests: list[Request] = []
        self.alter: Callable[[Request, Answer], Answer] = lambda request, answer: answer
        self._uploads: dict[str, bytes] = {}
        self._lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self._http.block_on_close = False
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def add(self, name: str, files: dict[str, bytes], branch: str = "main") -> str:
        """Put a commit with exactly these files on a branch; its id."""
        return self.repos.setdefault(name, Repo()).commit(dict(files), branch)

    def seen(self, pattern: str) -> list[str]:
        """Requests whose ``METHOD path`` matches."""
        return [str(request) for request in self.requests if re.search(pattern, str(request))]

    def answer(self, request: Request) -> Answer:
        """The one place where an answer is made."""
        with self._lock:
            self.requests.append(request)
            made = Answer(404)
            for method, pattern, make in _ROUTES:
                if request.method in method and (match := re.fullmatch(pattern, request.path)):
                    made = make(self, request, *map(unquote, match.groups()))
                    break
        return self.alter(request, made)

    # What is read.

    def _info(self, request: Request, name: str, revision: str = "main") -> Answer:
        commit = self._commit(name, revision)
        if isinstance(commit, Answer):
            return commit
        files = self.repos[name].commits[commit]
        siblings = [{"rfilename": path} for path in files]
        return as_json({"id": name, "sha": commit, "private": self.repos[name].private, "siblings": siblings})

    def _tree(self, request: Request, name: str, revision: str) -> Answer:
        commit = self._commit(name, revision)
        if isinstance(commit, Answer):
            return commit
        return as_json([_entry(path, body) for path, body in self.repos[name].commits[commit].items()])

    def _file(self, request: Request, name: str, revision: str, path: str) -> Answer:
        commit = self._commit(name, revision)
        if isinstance(commit, Answer):
            return commit
        body = self.repos[name].commits[commit].get(path)
        if body is None:
            return failure("EntryNotFound")
        etag = hashlib.sha256(body).hexdigest() if is_lfs(path) else git_sha1(body)
        headers = {"X-Repo-Commit": commit, "ETag": f'"{etag}"', "Accept-Ranges": "bytes"}
        if asked := re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", "")):
            first, last = int(asked[1]), min(int(asked[2] or len(body)), len(body) - 1)
            headers["Content-Range"] = f"bytes {first}-{last}/{len(body)}"
            return Answer(206, headers, body[first : last + 1])
        return Answer(200, headers, body)

    def _commit(self, name: str, revision: str) -> str | Answer:
        if name not in self.repos:
            return failure("RepoNotFound")
        return self.repos[name].resolve(revision) or failure("RevisionNotFound")

    # What is written.

    def _create(self, request: Request) -> Answer:
        asked = json.loads(request.body)
        name = f"{asked['organization']}/{asked['name']}"
        answer = as_json({"url": f"{self.url}/{name}"}, 409 if name in self.repos else 200)
        if not request.authorized:
            return Answer(401)
        if name not in self.repos:
            self.repos[name] = Repo(private=asked.get("visibility") == "private")
            self.repos[name].commit({".gitattributes": b""})
        return answer

    def _validate(self, request: Request) -> Answer:
        return as_json({"errors": [], "warnings": []})

    def _preupload(self, request: Request, name: str, revision: str) -> Answer:
        commit = self._commit(name, revision)
        if isinstance(commit, Answer):
            return commit
        paths = [file["path"] for file in json.loads(request.body)["files"]]
        modes = {True: "lfs", False: "regular"}
        return as_json(
            {"files": [{"path": p, "uploadMode": modes[is_lfs(p)], "shouldIgnore": False} for p in paths]}
        )

    def _batch(self, request: Request, name: str) -> Answer:
        objects = [
            {
                **{key: wanted[key] for key in ("oid", "size")},
                "actions": {
                    "upload": {"href": f"{self.url}/storage/{wanted['oid']}"},
                    "verify": {"href": f"{self.url}/verify/{wanted['oid']}"},
                },
            }
            for wanted in json.loads(request.body)["objects"]
        ]
        return as_json({"transfer": "basic", "objects": objects})

    def _store(self, request: Request, oid: str) -> Answer:
        self._uploads[oid] = request.body
        return Answer()

    def _verify(self, request: Request, oid: str) -> Answer:
        return Answer(200 if hashlib.sha256(self._uploads.get(oid, b"")).hexdigest() == oid else 422)

    def _write(self, request: Request, name: str, revision: str) -> Answer:
        commit = self._commit(name, revision)
        if isinstance(commit, Answer):
            return commit
        lines = [json.loads(line) for line in request.body.splitlines()]
        header = lines.pop(0)["value"]
        if header.get("parentCommit", commit) != commit:
            return Answer(
                412, {"X-Error-Message": "A commit has happened since. Please refresh and try again."}
            )
        files = dict(self.repos[name].commits[commit])
        for line in lines:
            value = line["value"]
            stored = line["key"] == "lfsFile"
            content = self._uploads[value["oid"]] if stored else base64.b64decode(value["content"])
            files[value["path"]] = content
        made = self.repos[name].commit(files, revision)
        return as_json({"commitUrl": f"{self.url}/{name}/commit/{made}", "commitOid": made})

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Else a body waits for the acknowledgment of its headers, 40 ms each time.
            disable_nagle_algorithm = True

            def _serve(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = self._body(headers)
                answer = hub.answer(Request(self.command, urlsplit(self.path).path, headers, body))
                self._send(answer)

            def _body(self, headers: dict[str, str]) -> bytes:
                if headers.get("transfer-encoding") != "chunked":
                    return self.rfile.read(int(headers.get("content-length", 0)))
                body = b""
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return body

            def _send(self, answer: Answer) -> None:
                self.send_response(answer.status)
                for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(answer.body)

            def log_message(self, *_: object) -> None:
                pass

            do_GET = do_HEAD = do_POST = do_PUT = _serve

        return Handler


def _entry(path: str, body: bytes) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": "file", "path": path, "size": len(body), "oid": git_sha1(body)}
    if is_lfs(path):
        pointer = b"version https://git-lfs.github.com/spec/v1\n" + hashlib.sha256(body).hexdigest().encode()
        entry["oid"] = git_sha1(pointer)
        entry["lfs"] = {
            "oid": hashlib.sha256(body).hexdigest(),
            "size": len(body),
            "pointerSize": len(pointer),
        }
    return entry


_NAME = r"([^/]+/[^/]+)"
_ROUTES: list[tuple[str, str, Callable[..., Answer]]] = [
    ("GET", rf"/api/models/{_NAME}", HubServer._info),
    ("GET", rf"/api/models/{_NAME}/revision/([^/]+)", HubServer._info),
    ("GET", rf"/api/models/{_NAME}/tree/([^/]+)", HubServer._tree),
    ("GET HEAD", rf"/{_NAME}/resolve/([^/]+)/(.+)", HubServer._file),
    ("POST", r"/api/repos/create", HubServer._create),
    ("POST", r"/api/validate-yaml", HubServer._validate),
    ("POST", rf"/api/models/{_NAME}/preupload/([^/]+)", HubServer._preupload),
    ("POST", rf"/{_NAME}\.git/info/lfs/objects/batch", HubServer._batch),
    ("PUT", r"/storage/([0-9a-f]{64})", HubServer._store),
    ("POST", r"/verify/([0-9a-f]{64})", HubServer._verify),
    ("POST", rf"/api/models/{_NAME}/commit/([^/]+)", HubServer._write),
]


def with_body(answer: Answer, body: bytes) -> Answer:
    """The same answer with other content, under the same headers."""
    return replace(answer, body=body)
